"""``borough-video serve``, ``worker run`` and what prepares the service."""

from foundation.serving.verbs import Verbs
from workloads.video_analytics.settings import PROGRAM, from_environment
from workloads.video_analytics.workers.commands import worker

_HERE = "workloads.video_analytics.entrypoints"
_VERBS = Verbs(PROGRAM, from_environment, "workloads.video_analytics.bootstrap")

administrator = _VERBS.administrator()
config = _VERBS.config()
db = _VERBS.db()
serve = _VERBS.process(
    "serve", f"{_HERE}.serve", "serve",
    "Run the web and API process, on BOROUGH_VIDEO_HOST and BOROUGH_VIDEO_PORT.",
)  # fmt: skip
worker.add_command(
    _VERBS.process(
        "run", f"{_HERE}.worker", "work",
        "Run a worker until it is asked to end; several share the cameras.",
    )
)  # fmt: skip
