"""Rules and permits over HTTP."""

from workloads.video_analytics.rules.api.permits import api as permits
from workloads.video_analytics.rules.api.rules import api as rules

apis = (rules, permits)
