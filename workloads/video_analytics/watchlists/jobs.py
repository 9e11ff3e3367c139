"""What watch lists do by themselves."""

from foundation.operations.jobs import Schedule
from workloads.video_analytics.watchlists.service import Watchlists

_SECONDS = 300


def schedules(watchlists: Watchlists) -> list[Schedule]:
    """Every five minutes the entries of lists that are over are destroyed."""
    return [Schedule("watchlists.expire", _SECONDS, watchlists.expire)]
