"""Cameras and their devices over HTTP."""

from workloads.video_analytics.cameras.api.cameras import api as cameras
from workloads.video_analytics.cameras.api.devices import api as devices

apis = (cameras, devices)
