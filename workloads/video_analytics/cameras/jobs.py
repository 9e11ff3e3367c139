"""What the registry does by itself."""

from foundation.operations.jobs import Schedule
from workloads.video_analytics.cameras.service import Cameras

_SECONDS = 3600


def schedules(cameras: Cameras) -> list[Schedule]:
    """Every hour changes of health that are too old are forgotten."""
    return [Schedule("cameras.prune", _SECONDS, cameras.prune)]
