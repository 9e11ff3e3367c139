"""``borough-video serve``: the API and the pages of one process."""

import sys

from foundation.serving.answering import answer, listen
from foundation.serving.app import Parts
from foundation.serving.base import add_first_administrator
from foundation.serving.face import theme
from foundation.serving.metrics import Gauge
from foundation.serving.processes import start_logging
from foundation.surface.runtime import Runtime
from workloads.video_analytics import PRODUCT
from workloads.video_analytics.bootstrap import Video, open_video
from workloads.video_analytics.entrypoints.app import ABOUT, create_app
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.settings import PROGRAM, Settings


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Raises:
        Failure: the address cannot be listened on.
    """
    start_logging(settings)
    listening = listen(settings)
    with open_video(settings) as video:
        add_first_administrator(video.people, video.base.database, settings)
        if not video.people.has_administrator():
            said = f"Nobody can sign in yet: {PROGRAM.name} administrator LOGIN adds somebody."
            print(said, file=sys.stderr, flush=True)  # noqa: T201 - for whoever has started it
        answer(create_app(parts(video), settings), listening, settings, PRODUCT.title)


def parts(video: Video) -> Parts:
    """What the application is made of."""
    base = video.base
    return Parts(
        runtime=Runtime(base.database, base.clock, base.secrets),
        authenticator=base.authenticator,
        services=video.services,
        ready={
            "database": base.answers,
            "schema": lambda: SCHEMA.is_current(base.database),
        },
        gauges=gauges(video),
        theme=theme(video.settings, PROGRAM, ABOUT),
    )


def gauges(video: Video) -> tuple[Gauge, ...]:
    """The figures that services are asked for when the metrics are read, not before."""
    workers = video.workers
    return (
        Gauge(
            "borough_video_worker_load_ratio", "Busy share of a worker's cores.", "worker",
            lambda: workers.figures("load"),
        ),
        Gauge(
            "borough_video_worker_cameras", "Cameras that a worker watches.", "worker",
            lambda: workers.figures("cameras"),
        ),
        Gauge(
            "borough_video_worker_degraded_cameras",
            "Cameras that a worker watches less closely than it should.", "worker",
            lambda: workers.figures("degraded"),
        ),
        Gauge(
            "borough_video_worker_lag_seconds",
            "How far nine tenths of a worker's live cameras are behind at most.", "worker",
            lambda: workers.figures("lag"),
        ),
        Gauge(
            "borough_video_worker_carries_cameras",
            "About how many cameras like its own a worker can carry; 0 until it was measured.",
            "worker", lambda: workers.figures("carries"),
        ),
    )  # fmt: skip
