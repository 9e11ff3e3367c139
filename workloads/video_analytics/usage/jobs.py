"""What usage does by itself."""

from foundation.operations.jobs import Schedule
from workloads.video_analytics.usage.service import Usage


def schedules(usage: Usage, *, tell_seconds: float) -> list[Schedule]:
    """What was counted goes to the outbox, and from there to the platform."""
    return [
        Schedule("video.usage.tell", tell_seconds, usage.tell),
        Schedule("video.usage.push", max(1.0, min(30.0, tell_seconds)), usage.push),
    ]
