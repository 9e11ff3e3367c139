"""How what a receiver or a linkage rule means is kept and shown."""

from dataclasses import asdict
from typing import Any

from workloads.video_analytics.events.notification.model import Matching


def matching_json(wanted: Matching) -> dict[str, Any]:
    """As JSON; ``Matching.parse`` reads it."""
    value = asdict(wanted)
    if wanted.hours is not None:
        value["hours"] = {
            "start": wanted.hours.start.isoformat("minutes"),
            "end": wanted.hours.end.isoformat("minutes"),
            "timezone": wanted.hours.timezone,
        }
    return value
