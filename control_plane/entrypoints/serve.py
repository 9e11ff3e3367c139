"""``borough serve``: the API and the pages of one process."""

import contextlib

import click
import sqlalchemy as sa

from control_plane.bootstrap import Platform, open_platform
from control_plane.entrypoints.app import Parts, create_app
from control_plane.settings import Settings
from foundation.kernel.errors import Invalid, Problem
from foundation.operations.service import Operations
from foundation.serving.metrics import Gauge
from foundation.serving.processes import Companion, run_file, start_logging
from foundation.serving.server import Server, address_of, bind
from foundation.surface.cli.contexts import RUN_FILE
from foundation.surface.cli.exits import Failure
from foundation.surface.runtime import Runtime
from foundation.surface.web.install import Theme


def serve(settings: Settings, *, with_worker: bool = False) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        settings: of this process.
        with_worker: also keep a worker running, as a child.

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
        platform = stack.enter_context(open_platform(settings))
        application = create_app(parts(platform), settings, behind_proxy=settings.trust_proxy)
        server = Server(application, listening, settings.web_threads)
        url = address_of(listening)
        stack.enter_context(run_file(settings.home / RUN_FILE, url=url))
        if with_worker:
            stack.enter_context(Companion("-m", "control_plane.entrypoints.cli.main", "worker"))
        click.echo(f"Borough answers at {settings.public_url or url}")
        server.run_until_signal()


def parts(platform: Platform) -> Parts:
    """What the application is made of."""
    return Parts(
        runtime=Runtime(platform.database, platform.clock, platform.secrets),
        authenticator=platform.authenticator,
        services=platform.services,
        ready={"database": lambda: _answers(platform), "schema": platform.is_current},
        gauges=gauges(platform.operations),
        theme=theme(platform.settings),
    )


def theme(settings: Settings) -> Theme:
    """The city's face, as the settings have it.

    Raises:
        Invalid: names every setting that is wrong.
    """
    try:
        return Theme.of(settings.city_name, settings.city_name_zh, settings.city_accent)
    except Invalid as error:
        wrong = [Problem(f"BOROUGH_{p.field.upper()}", p.message) for p in error.problems]
        raise Invalid(wrong) from None


def gauges(operations: Operations) -> tuple[Gauge, ...]:
    """The figures that services are asked for when the metrics are read, not before."""
    return (
        Gauge(
            "borough_operations", "Operations by state, of those that have not ended.",
            "state", lambda: dict(operations.open_by_state()),
        ),
        Gauge(
            "borough_workers", "Workers that have spoken within their lease.",
            "state", lambda: {"alive": operations.workers_alive()},
        ),
    )  # fmt: skip


def _answers(platform: Platform) -> bool:
    with platform.database.engine.connect() as connection:
        return bool(connection.execute(sa.text("SELECT true")).scalar())
