"""``borough serve``: the API and the pages of one process."""

import contextlib

from control_plane.bootstrap import Platform, open_platform
from control_plane.entrypoints.app import Parts, create_app
from control_plane.settings import PROGRAM, Settings
from foundation.operations.service import Operations
from foundation.serving.answering import answer, listen
from foundation.serving.base import answers
from foundation.serving.face import theme
from foundation.serving.metrics import Gauge
from foundation.serving.processes import Companion, start_logging
from foundation.surface.runtime import Runtime


def serve(settings: Settings, *, with_worker: bool = False) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        settings: of this process.
        with_worker: also keep a worker running, as a child.

    Raises:
        Failure: the address cannot be listened on.
    """
    start_logging(settings)
    listening = listen(settings)
    with contextlib.ExitStack() as stack:
        platform = stack.enter_context(open_platform(settings))
        application = create_app(parts(platform), settings, behind_proxy=settings.trust_proxy)
        if with_worker:
            stack.enter_context(Companion("-m", "control_plane.entrypoints.cli.main", "worker"))
        answer(application, listening, settings, "Borough")


def parts(platform: Platform) -> Parts:
    """What the application is made of."""
    return Parts(
        runtime=Runtime(platform.database, platform.clock, platform.secrets),
        authenticator=platform.authenticator,
        services=platform.services,
        ready={"database": lambda: answers(platform.database), "schema": platform.is_current},
        gauges=gauges(platform.operations),
        theme=theme(platform.settings, PROGRAM),
    )


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
