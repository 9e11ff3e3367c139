"""A decoder in which FFmpeg crashes or hangs for cameras whose address says so.

Everything else is the real decoder: the crash is a real SIGSEGV in the camera's own thread, the
hang a real call that does not come back.
"""

import ctypes
import sys
import time
from typing import Any

from workloads.video_analytics.workers import decoder, sources
from workloads.video_analytics.workers.model import Feed

_open = sources.open_feed


def _bad(feed: Feed, limits: Any) -> Any:
    if "segfault" in feed.url:
        time.sleep(0.5)
        ctypes.string_at(0)
    if "hang" in feed.url:
        time.sleep(3600)
    if "freeze" in feed.url:  # holds the interpreter's lock: the whole process stands still
        ctypes.PyDLL(None).sleep(3600)
    return _open(feed, limits)


if __name__ == "__main__":
    sources.open_feed = _bad
    decoder._HANGS["open"] = 3  # noqa: SLF001 - a test does not wait so long
    decoder.main(sys.argv[1:])
