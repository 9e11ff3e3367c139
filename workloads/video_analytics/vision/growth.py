"""How fast something grows day by day, and when it will have grown to a size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy.special import stdtrit

#: Cover outside of these is not fitted: too little to measure, or so much that growth is checked.
LEAST_COVER, MOST_COVER = 0.003, 0.75
FEWEST_DAYS = 4
_CONFIDENCE = 0.95
#: Days ahead after which a forecast says nothing.
HORIZON_DAYS = 60


@dataclass(frozen=True, slots=True)
class Growth:
    """A line through the logarithm of cover over days, with its 95 % confidence interval.

    Attributes:
        rate, low, high: growth a day; 0.08 is 8 % a day.
        days: how many it was fitted to.
        crossing: when the line reaches the threshold; None: not within ``HORIZON_DAYS``.
        earliest, latest: where the confidence band of the line reaches it.
    """

    rate: float
    low: float
    high: float
    days: int
    crossing: date | None = None
    earliest: date | None = None
    latest: date | None = None


def fit(days: Sequence[tuple[date, float]], threshold: float) -> Growth | None:
    """Fit log-linear growth by least squares.

    Args:
        days: (day, cover from 0 to 1), in any order.
        threshold: cover whose day is forecast.

    Returns:
        None with fewer than ``FEWEST_DAYS`` days that can be used.
    """
    used = [(day, cover) for day, cover in days if LEAST_COVER <= cover <= MOST_COVER]
    if len({day for day, _ in used}) < FEWEST_DAYS:
        return None
    today = max(day for day, _ in days)
    when = np.array([(day - today).days for day, _ in used], float)
    size = np.log([cover for _, cover in used])
    middle, count = when.mean(), len(used)
    spread = float(((when - middle) ** 2).sum())
    slope = float(((when - middle) * (size - size.mean())).sum() / spread)
    level = float(size.mean() - slope * middle)
    rest = float(((size - level - slope * when) ** 2).sum())
    deviation = math.sqrt(rest / (count - 2))
    quantile = float(stdtrit(count - 2, 0.5 + _CONFIDENCE / 2))
    margin = quantile * deviation / math.sqrt(spread)

    def reached(side: float) -> date | None:
        for ahead in range(HORIZON_DAYS + 1):
            band = quantile * deviation * math.sqrt(1 / count + (ahead - middle) ** 2 / spread)
            if level + slope * ahead + side * band >= math.log(threshold):
                return today + timedelta(days=ahead)
        return None

    return Growth(
        math.expm1(slope), math.expm1(slope - margin), math.expm1(slope + margin), count,
        reached(0.0), reached(1.0), reached(-1.0),
    )  # fmt: skip
