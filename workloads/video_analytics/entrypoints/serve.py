"""``borough-video serve``: the API and the pages of one process."""

import contextlib

import click
import sqlalchemy as sa

from foundation.serving.app import Parts
from foundation.serving.metrics import Gauge
from foundation.serving.processes import run_file, start_logging
from foundation.serving.server import Server, address_of, bind
from foundation.surface.cli.contexts import RUN_FILE
from foundation.surface.cli.exits import Failure
from foundation.surface.runtime import Runtime
from workloads.video_analytics.bootstrap import Video, add_first_administrator, open_video
from workloads.video_analytics.entrypoints.app import create_app
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.settings import Settings


def serve(settings: Settings) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Raises:
        Failure: the address cannot be listened on.
    """
    start_logging(settings)
    try:
        listening = bind(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise Failure(f"cannot listen on {where}: {error.strerror}") from None
    with contextlib.ExitStack() as stack:
        video = stack.enter_context(open_video(settings))
        add_first_administrator(video)
        server = Server(create_app(parts(video), settings), listening, settings.web_threads)
        url = address_of(listening)
        stack.enter_context(run_file(settings.home / RUN_FILE, url=url))
        click.echo(f"Borough Video answers at {settings.public_url or url}")
        server.run_until_signal()


def parts(video: Video) -> Parts:
    """What the application is made of."""
    base = video.base
    return Parts(
        runtime=Runtime(base.database, base.clock, base.secrets),
        authenticator=base.authenticator,
        services=video.services,
        ready={
            "database": lambda: _answers(video),
            "schema": lambda: SCHEMA.is_current(base.database),
        },
        gauges=gauges(video),
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
    )  # fmt: skip


def _answers(video: Video) -> bool:
    with video.base.database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT true")).scalar())
