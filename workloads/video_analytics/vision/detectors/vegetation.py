"""Plants on water, such as duckweed: cover of the day, growth, forecast, alert.

A frame every ten minutes or so is enough. Of each, the share of the water is taken that is green
and grained; what glares or lies in deep shade is not judged, and a frame with too little left to
judge is not counted. The median of a day's good frames is its cover.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from workloads.video_analytics.vision.detectors.regions import field_mask
from workloads.video_analytics.vision.detectors.two_speeds import Mask
from workloads.video_analytics.vision.growth import Growth, fit
from workloads.video_analytics.vision.model import CameraView, Image, Phase, RuleSpec, Signal
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight

#: Pixels across at which cover is measured.
_ACROSS = 320
#: Share of the water that must be fit to judge, and the light and colour that a picture must have.
_JUDGED = 0.6
_LIGHT = 60
_COLOUR = 12
_DARKEST = 24
#: Share of a neighbourhood that is white when the sun is in it.
_GLARING = 0.08
#: Grey levels: the deviation among neighbours of what has a grain.
_GRAIN = 1.2
#: The most frames of a day that are kept: at the quickest sampling more tell nothing new.
_MOST_FRAMES = 500

KEY = "water"


@dataclass(frozen=True, slots=True)
class DailyCover:
    """What a day of a river comes to: the data of a signal of kind VEGETATION with phase UPDATED.

    In a signal, days are ISO dates. Shares and rates are fractions: 0.08 is 8 % a day.

    Attributes:
        day: in the camera's time zone.
        status: ``ok`` or ``insufficient data``.
        cover: median share of the water that is covered; None without enough good frames.
        frames, good_frames: looked at, and of these fit to judge.
        rate, rate_low, rate_high: growth a day over the window, with its 95 % interval; None when
            too few days are known.
        crossing, crossing_earliest, crossing_latest: the day on which the threshold is expected.
        threshold: cover at which the rule alerts.
        alert: whether an alert is on after this day.
    """

    day: date
    status: str
    cover: float | None
    frames: int
    good_frames: int
    rate: float | None
    rate_low: float | None
    rate_high: float | None
    crossing: date | None
    crossing_earliest: date | None
    crossing_latest: date | None
    threshold: float
    alert: bool

    def as_data(self) -> dict[str, Any]:
        """For a signal: plain JSON values."""
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Hues:
    """What counts as a plant: hues in degrees, saturation from 0 to 255."""

    low: float
    high: float
    saturation: float


def cover_of(colour: Image, water: Mask, hues: Hues) -> float | None:
    """The share of the water that plants cover; None when the picture is not fit to judge.

    Args:
        colour: BGR.
        water: of the same size.
        hues: of the plants.
    """
    # In the dark the noise of a single pixel has any colour; that of its neighbourhood has not.
    hsv = cv2.cvtColor(cv2.medianBlur(colour, 3), cv2.COLOR_BGR2HSV)
    hue, saturation, value = hsv[:, :, 0] * 2.0, hsv[:, :, 1], hsv[:, :, 2]
    there = int(water.sum())
    if there < 50:  # noqa: PLR2004 - hardly any pixel
        return None
    level = float(np.percentile(value[water], 80))
    if level < _LIGHT or float(np.percentile(saturation[water], 95)) < _COLOUR:
        return None  # night, or the camera sees in infrared
    # By neighbourhood, not by pixel: it is water that glares and that is dark in the shade, and to
    # leave out water alone would make more of the plants than they are.
    glare = (colour.min(axis=2) > 205).astype(np.float32)  # noqa: PLR2004 - nearly white
    bright = cv2.blur(value.astype(np.float32), (15, 15))
    judged = water & (cv2.blur(glare, (15, 15)) < _GLARING) & (bright > max(_DARKEST, 0.28 * level))
    if float(judged.sum()) < _JUDGED * there:
        return None
    luma = colour[:, :, 1].astype(np.float32)
    mean = cv2.blur(luma, (5, 5))
    grain = np.sqrt(np.maximum(cv2.blur(luma * luma, (5, 5)) - mean * mean, 0.0))
    plant = (hue >= hues.low) & (hue <= hues.high) & (saturation >= hues.saturation)
    plant &= grain > _GRAIN
    return float(plant[judged].mean())


class Vegetation:
    """Detector of ``VEGETATION``.

    When a day is over it reports the day with phase UPDATED (see ``DailyCover``), and then ACTIVE
    or ENDED where an alert begins or is over. All carry the key ``KEY``.

    Args:
        rule: its polygon is the water.
        view: the camera, for its time zone and masks.
    """

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.rule = rule
        self._view = view
        self._zone = ZoneInfo(view.timezone)
        given = with_defaults(rule.kind, rule.parameters)
        self._threshold = float(given["threshold_percent"]) / 100
        self._clear = min(float(given["clear_percent"]) / 100, self._threshold)
        self._ahead = int(given["forecast_days"])
        self._window = int(given["window_days"])
        self._fewest = int(given["minimum_frames"])
        self._every = timedelta(minutes=float(given["sample_minutes"]) * 0.95)
        saturation = float(given["saturation_percent"]) * 2.55
        self._hues = Hues(float(given["hue_low"]), float(given["hue_high"]), saturation)
        self._last: datetime | None = None
        self._day: date | None = None
        self._frames = 0
        self._covers: list[float] = []
        self._days: dict[date, float] = {}
        self._active: datetime | None = None

    def look(self, sight: Sight) -> list[Signal]:
        """Measure a frame if it is time to; report a day that is over."""
        at = sight.frame.at
        if self._last is not None and at - self._last < self._every:
            return []
        self._last = at
        day = at.astimezone(self._zone).date()
        signals = self._over(at) if self._day is not None and day != self._day else []
        self._day = day
        self._measure(sight)
        return signals

    def _measure(self, sight: Sight) -> None:
        self._frames += 1
        colour = sight.frame.colour
        if colour is None or len(self._covers) >= _MOST_FRAMES:
            return
        if colour.shape[1] > _ACROSS:
            size = (_ACROSS, max(1, round(colour.shape[0] * _ACROSS / colour.shape[1])))
            # The nearest pixel: an average over many would take the plants' grain away.
            colour = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        size = (colour.shape[1], colour.shape[0])
        water = field_mask(self.rule.points, self._view.masks, size)
        cover = cover_of(colour, water, self._hues)
        if cover is not None:
            self._covers.append(cover)

    def _over(self, at: datetime) -> list[Signal]:
        """The day is over: what it comes to."""
        assert self._day is not None  # noqa: S101 - asked by look
        day, enough = self._day, len(self._covers) >= self._fewest
        cover = float(np.median(self._covers)) if enough else None
        if cover is not None:
            self._days[day] = cover
        first = day - timedelta(days=self._window)
        self._days = {kept: value for kept, value in self._days.items() if kept > first}
        growth = fit(list(self._days.items()), self._threshold)
        was = self._active
        change = None if cover is None else self._alert(cover, growth, at)
        ends = change is Phase.ENDED
        result = self._result(day, cover, growth)
        self._frames, self._covers = 0, []
        data = result.as_data()
        signals = [self._signal(Phase.UPDATED, at, was or at, data)]
        if change is not None:
            signals.append(self._signal(change, at, (was if ends else self._active) or at, data))
        return signals

    def _result(self, day: date, cover: float | None, growth: Growth | None) -> DailyCover:
        return DailyCover(
            day,
            "ok" if cover is not None else "insufficient data",
            None if cover is None else round(cover, 5),
            self._frames,
            len(self._covers),
            round(growth.rate, 5) if growth else None,
            round(growth.low, 5) if growth else None,
            round(growth.high, 5) if growth else None,
            growth.crossing if growth else None,
            growth.earliest if growth else None,
            growth.latest if growth else None,
            self._threshold,
            self._active is not None,
        )

    def _alert(self, cover: float, growth: Growth | None, at: datetime) -> Phase | None:
        """Begin or end the alert. What is forecast counts only if growth is beyond doubt."""
        ahead = None
        if growth is not None and growth.low > 0 and growth.crossing is not None and self._day:
            ahead = (growth.crossing - self._day).days
        if self._active is None:
            if cover >= self._threshold or (ahead is not None and ahead <= self._ahead):
                self._active = at
                return Phase.ACTIVE
        elif cover < self._clear and (ahead is None or ahead > 2 * self._ahead):
            self._active = None
            return Phase.ENDED
        return None

    def _signal(
        self, phase: Phase, at: datetime, began: datetime, data: Mapping[str, Any]
    ) -> Signal:
        cover = data["cover"]
        return Signal(
            self.rule.id, self.rule.version, KEY, phase, at, began, score=cover, data=data
        )

    def close(self, at: datetime) -> list[Signal]:
        """What is active ends."""
        began, self._active, self._last = self._active, None, None
        if began is None:
            return []
        cover = self._days[max(self._days)] if self._days else None
        return [self._signal(Phase.ENDED, at, began, {"cover": cover})]

    def memory(self) -> dict[str, object]:
        """The days of the window, and the frames of this one."""
        return {
            "days": {day.isoformat(): cover for day, cover in self._days.items()},
            "day": self._day and self._day.isoformat(),
            "frames": self._frames,
            "covers": list(self._covers),
            "last": self._last and self._last.isoformat(),
            "active": self._active and self._active.isoformat(),
        }

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with the days that another one knew."""
        kept: dict[str, Any] = memory
        try:
            days = {date.fromisoformat(day): float(cover) for day, cover in kept["days"].items()}
            day = date.fromisoformat(kept["day"]) if kept["day"] else None
            covers = [float(cover) for cover in kept["covers"]][:_MOST_FRAMES]
            last = datetime.fromisoformat(kept["last"]) if kept["last"] else None
            active = datetime.fromisoformat(kept["active"]) if kept["active"] else None
            frames = int(kept["frames"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return
        if any(when is not None and when.tzinfo is None for when in (last, active)):
            return
        self._days, self._day, self._covers = days, day, covers
        self._last, self._active, self._frames = last, active, frames
