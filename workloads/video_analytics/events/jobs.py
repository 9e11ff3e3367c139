"""What events do by themselves: sending, acting, exporting, erasing.

Whoever runs these also runs the foundation's ``relay`` with ``hearers``: it hands on what reports
have published.
"""

from foundation.operations.jobs import Receiver, Schedule
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.privacy.exports import Exports
from workloads.video_analytics.events.privacy.retention import Retaining

_HOUR = 3600


def hearers(receivers: Receivers, linkages: Linkages) -> list[Receiver]:
    """Who hears what was published; each notes what is to be done, in the relay's transaction."""
    return [receivers.receive, linkages.receive]


def schedules(
    receivers: Receivers, linkages: Linkages, exports: Exports, retaining: Retaining
) -> list[Schedule]:
    """What is done again and again, by one worker at a time."""
    return [
        Schedule("video.notify", 1, receivers.send_due),
        Schedule("video.link", 1, linkages.act),
        Schedule("video.export", 5, exports.make_approved),
        Schedule("video.expire", _HOUR, exports.expire),
        Schedule("video.retain", _HOUR, retaining.sweep),
    ]
