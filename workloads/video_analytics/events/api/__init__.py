"""Events over HTTP."""

from workloads.video_analytics.events.api.events import api as events
from workloads.video_analytics.events.api.exports import api as exports
from workloads.video_analytics.events.api.linkages import api as linkages
from workloads.video_analytics.events.api.receivers import api as receivers

apis = (events, receivers, linkages, exports)
