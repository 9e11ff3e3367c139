"""Machines that work on a site when they may not.

A machine keeps moving where it is: in a window of its size something moves most of the time, and
over half a minute most of the window is swept. Who walks by is in a window for a few seconds, a
worker sweeps little of it, and a drop of rain is nowhere twice. What has soft edges (light, what is
close to the lens) is not noted at all.
"""

import math
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import cv2
import numpy as np

from workloads.video_analytics.vision.detectors.regions import field_mask, planes_of
from workloads.video_analytics.vision.detectors.two_speeds import (
    Layers,
    Mask,
    Plane,
    TwoSpeeds,
    grown,
    shrunk,
    spots,
)
from workloads.video_analytics.vision.model import Box, CameraView, Phase, RuleSpec, Signal
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight
from workloads.video_analytics.vision.sun import is_night

_EVERY = 0.24
#: Seconds that the maps of motion remember, and the share of these for which something moves in the
#: window of a machine at work.
_REMEMBERS = 25.0
_BUSY = 0.45
#: Side of the window, in sides of a square of the smallest machine's area; of the window, as much
#: moves at once when something does; of the smallest machine, as much must have been swept.
_WINDOW = 1.5
_STIR = 0.006
_SWEPT = 0.45
#: What the map of motion keeps of a single look, half a minute later.
_TRACE = 0.004
#: Seconds after its last motion for which a machine counts as at work: it stops to reverse or to
#: load.
_PAUSE = 8.0
#: Of the level of a change: how steep a quarter of its outline must be, a pixel.
_SHARP = 0.15
#: Seconds in which a machine that works without a rest would become background.
_RESTLESS = 1800.0
#: Pixels below which a moving spot is a drop or noise.
_SPOT = 10


class Hours:
    """When work is forbidden.

    Args:
        parameters: of the rule, with defaults.
        view: for the time zone and the position. Without a position the hours of the clock count.
    """

    def __init__(self, parameters: dict[str, object], view: CameraView) -> None:
        self._zone = ZoneInfo(view.timezone)
        self._position = None
        if parameters["forbidden"] == "night" and None not in (view.latitude, view.longitude):
            self._position = (view.latitude or 0.0, view.longitude or 0.0)
        self._from = time.fromisoformat(str(parameters["from"]))
        self._until = time.fromisoformat(str(parameters["until"]))
        permits = parameters["permits"]
        found = [self._permit(item) for item in permits] if isinstance(permits, list) else []
        self._permits = [permit for permit in found if permit is not None]

    def forbidden(self, at: datetime) -> bool:
        """Whether nobody may work then."""
        if any(since <= at < until for since, until in self._permits):
            return False
        if self._position is not None:
            return is_night(at, *self._position)
        clock = at.astimezone(self._zone).time()
        if self._from <= self._until:
            return self._from <= clock < self._until
        return clock >= self._from or clock < self._until

    def _permit(self, item: object) -> tuple[datetime, datetime] | None:
        """From and until; without a zone in the camera's. None permits nothing."""
        if not isinstance(item, dict):
            return None
        try:
            ends = [datetime.fromisoformat(str(item[name])) for name in ("from", "until")]
        except (KeyError, ValueError):
            return None
        since, until = (e if e.tzinfo else e.replace(tzinfo=self._zone) for e in ends)
        return since, until


class Construction:
    """Detector of ``CONSTRUCTION``: one event a spell of work.

    Signals carry ``data``: ``worked_seconds``.

    Args:
        rule: its polygon is the site.
        view: the camera, for its position, time zone and masks.
    """

    def __init__(self, rule: RuleSpec, view: CameraView) -> None:
        self.rule = rule
        self._view = view
        given = with_defaults(rule.kind, rule.parameters)
        self._hours = Hours(given, view)
        self._seconds = float(given["seconds"])
        self._clear = float(given["clear_seconds"])
        self._smallest = float(given["minimum_size_percent"]) / 100
        self._speeds = TwoSpeeds(_RESTLESS)
        self._last: float | None = None
        self._field: Mask | None = None
        self._swept: Plane | None = None
        self._busy: Plane | None = None
        self._moved = -math.inf
        self._worked = 0.0
        self._began: datetime | None = None
        self._active: datetime | None = None
        self._box: Box | None = None

    def look(self, sight: Sight) -> list[Signal]:
        """Whether a spell of work begins or is over."""
        at = sight.frame.at
        now = at.timestamp()
        if self._last is not None and now - self._last < _EVERY:
            return []
        step = 0.0 if self._last is None else min(now - self._last, 2.0)
        self._last = now
        if not self._hours.forbidden(at):
            return self._rest(at)
        shape = sight.luma.shape
        if self._field is None or self._field.shape != shape:
            self._field = field_mask(self.rule.points, self._view.masks, (shape[1], shape[0]))
            self._swept = self._busy = None
        layers = self._speeds.feed(now, planes_of(sight))
        if layers is not None and self._machine(layers, step):
            self._moved = now
        return self._spell(at, now, step)

    def _machine(self, layers: Layers, step: float) -> bool:
        """Whether a large part of the site keeps moving."""
        moving = self._things(layers).astype(np.float32)
        if self._swept is None or self._busy is None:
            self._swept, self._busy = np.zeros_like(moving), np.zeros_like(moving)
        rate = 1 - math.exp(-step / _REMEMBERS)
        least = self._smallest * moving.size
        side = max(5, round(_WINDOW * math.sqrt(least)))
        stirs = cv2.boxFilter(moving, -1, (side, side)) > _STIR
        self._swept += rate * (moving - self._swept)
        self._busy += rate * (stirs - self._busy)
        swept = (self._swept > _TRACE).astype(np.float32)
        covered = cv2.boxFilter(swept, -1, (side, side)) * side * side
        busy = np.where(covered >= _SWEPT * least, self._busy, 0.0)
        _, highest, _, (x, y) = cv2.minMaxLoc(busy)
        if highest < _BUSY or not stirs[y, x]:
            return False
        rows, columns = busy.shape
        left, top = max(0, x - side // 2), max(0, y - side // 2)
        right, bottom = min(columns, left + side), min(rows, top + side)
        self._box = Box(left / columns, top / rows, (right - left) / columns, (bottom - top) / rows)
        return True

    def _things(self, layers: Layers) -> Mask:
        """What moves and has edges."""
        assert self._field is not None  # noqa: S101 - set by look
        # Shrunk and grown again: nothing is left of what is narrow, such as rain.
        moving = grown(shrunk(layers.new & ~layers.calm & self._field))
        labels, stats = spots(moving)
        found: Mask = np.zeros(labels.shape, np.bool_)
        if len(stats) == 1:
            return found
        change = layers.planes[0] - layers.ground[0]
        across = cv2.Sobel(change, cv2.CV_32F, 1, 0, scale=0.125)
        steep = cv2.magnitude(across, cv2.Sobel(change, cv2.CV_32F, 0, 1, scale=0.125))
        rim = moving & ~shrunk(moving)
        for label, (left, top, wide, high, area) in enumerate(stats):
            if label == 0 or area < _SPOT:
                continue
            part = np.s_[top : top + high, left : left + wide]
            inside = labels[part] == label
            level = float(np.abs(change[part][inside]).mean())
            if float(np.percentile(steep[part][inside & rim[part]], 75)) > _SHARP * level:
                found[part] |= inside
        return found

    def _spell(self, at: datetime, now: float, step: float) -> list[Signal]:
        if now - self._moved <= _PAUSE:
            if self._worked == 0.0:
                self._began = at
            self._worked += step
        elif self._active is None:
            self._worked = max(0.0, self._worked - 0.5 * step)
        if self._active is None and self._worked >= self._seconds:
            self._active = self._began or at
            return [self._signal(Phase.ACTIVE, at)]
        if self._active is not None and now - self._moved > self._clear:
            return self._rest(at)
        return []

    def _rest(self, at: datetime) -> list[Signal]:
        """The spell is over: nothing moves any more, or now it may."""
        over = [self._signal(Phase.ENDED, at)] if self._active is not None else []
        self._worked, self._active, self._began = 0.0, None, None
        self._moved, self._swept, self._busy = -math.inf, None, None
        return over

    def _signal(self, phase: Phase, at: datetime) -> Signal:
        return Signal(
            self.rule.id, self.rule.version, "site", phase, at, self._active or at, self._box,
            data={"worked_seconds": round(self._worked, 1)},
        )  # fmt: skip

    def close(self, at: datetime) -> list[Signal]:
        """What is active ends. What comes next may be of an earlier time: the clock was set."""
        self._last = None
        return self._rest(at)

    def memory(self) -> dict[str, object]:
        """The spell that is on."""
        return {
            "worked": self._worked,
            "moved": self._moved if math.isfinite(self._moved) else None,
            "began": self._began and self._began.isoformat(),
            "active": self._active and self._active.isoformat(),
        }

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with a spell that another one saw."""
        kept: dict[str, Any] = memory
        try:
            worked = float(kept["worked"])
            moved = -math.inf if kept["moved"] is None else float(kept["moved"])
            began, active = (
                datetime.fromisoformat(str(kept[name])) if kept[name] else None
                for name in ("began", "active")
            )
        except (KeyError, TypeError, ValueError):
            return
        if any(when is not None and when.tzinfo is None for when in (began, active)):
            return
        self._worked, self._moved, self._began, self._active = worked, moved, began, active
