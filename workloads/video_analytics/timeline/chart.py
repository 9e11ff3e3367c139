"""The chart of a water's cover: what was measured, and the forecast with its interval, as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from workloads.video_analytics.timeline.model import DailyCover

WIDTH, HEIGHT, FOOT = 720, 220, 190
_LONGEST_FORECAST = 14


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected on a day, 0 to 1."""

    day: date
    cover: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Ready for the page.

    Attributes:
        line: points of an SVG polyline for each run of days without a gap.
        dots: (x, y, day, cover) of each measured day.
        band: points of the polygon of the forecast's interval; empty without a forecast.
        expected: points of the forecast's line.
        forecast: its days.
        threshold: y of the alarm's threshold; None when nobody said one.
        labels: (x, text) under the axis; ``top``: the cover at the upper edge.
    """

    lines: tuple[str, ...]
    dots: tuple[tuple[float, float, date, float], ...]
    band: str
    expected: str
    forecast: tuple[Forecast, ...]
    threshold: float | None
    labels: tuple[tuple[float, str], ...]
    top: float


def forecast_of(days: Sequence[DailyCover]) -> tuple[Forecast, ...]:
    """The forecast that the detector gave with the latest day, when it gave one.

    ``data`` holds ``forecast`` with ``forecast_low`` and ``forecast_high`` for ``forecast_days``
    ahead (7 when it does not say); the days between follow the same growth.
    """
    good = [d for d in days if d.cover is not None]
    if not good:
        return ()
    last = good[-1]
    values = [_part(last.data.get(name)) for name in ("forecast", "forecast_low", "forecast_high")]
    if values[0] is None or last.cover is None:
        return ()
    end, low, high = values[0], values[1], values[2]
    ahead = last.data.get("forecast_days", 7)
    count = min(ahead, _LONGEST_FORECAST) if isinstance(ahead, int) and ahead > 0 else 7
    base = max(last.cover, 1e-4)

    def on(value: float, n: int) -> float:
        return float(min(1.0, base * (max(value, 1e-4) / base) ** (n / count)))

    return tuple(
        Forecast(last.day + timedelta(days=n), on(end, n), on(end if low is None else low, n),
                 on(end if high is None else high, n))
        for n in range(1, count + 1)
    )  # fmt: skip


def _part(value: Any) -> float | None:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def chart_of(days: Sequence[DailyCover]) -> Chart:
    """The chart of a rule's days, in order."""
    forecast = forecast_of(days)
    first = days[0].day
    last = forecast[-1].day if forecast else days[-1].day
    span = max((last - first).days, 1)
    threshold = next(
        (t for d in reversed(days) if (t := _part(d.data.get("threshold"))) is not None), None
    )
    highest = [d.cover or 0.0 for d in days] + [f.high for f in forecast] + [threshold or 0.0]
    top = min(1.0, max(0.05, max(highest) * 1.15))

    def x(day: date) -> float:
        return round(30 + (day - first).days / span * (WIDTH - 50), 1)

    def y(cover: float) -> float:
        return round(FOOT - cover / top * (FOOT - 14), 1)

    runs: list[list[str]] = [[]]
    dots = []
    for one in days:
        if one.cover is None:
            runs.append([])
            continue
        runs[-1].append(f"{x(one.day)},{y(one.cover)}")
        dots.append((x(one.day), y(one.cover), one.day, one.cover))
    start = runs[-1][-1:] or ([f"{dots[-1][0]},{dots[-1][1]}"] if dots else [])
    upper = [f"{x(f.day)},{y(f.high)}" for f in forecast]
    lower = [f"{x(f.day)},{y(f.low)}" for f in reversed(forecast)]
    step = max(1, span // 6)
    labels = tuple(
        (x(first + timedelta(days=n)), f"{first + timedelta(days=n):%m-%d}")
        for n in range(0, span + 1, step)
    )
    return Chart(
        tuple(" ".join(run) for run in runs if run), tuple(dots),
        " ".join([*start, *upper, *lower]) if forecast else "",
        " ".join([*start, *(f"{x(f.day)},{y(f.cover)}" for f in forecast)]) if forecast else "",
        forecast, None if threshold is None else y(threshold), labels, top,
    )  # fmt: skip
