"""``borough serve``, ``worker``, ``db`` and ``config``: these are the platform, not its clients."""

import sys

import click

from control_plane.settings import PROGRAM, from_environment
from foundation.serving import ending
from foundation.serving.verbs import Verbs

_VERBS = Verbs(PROGRAM, from_environment, "control_plane.bootstrap")

administrator = _VERBS.administrator()
config = _VERBS.config()
db = _VERBS.db()


@click.command()
@click.option("--with-worker", is_flag=True, help="Also keep a worker running, as a child process.")
def serve(*, with_worker: bool) -> None:
    """Run the web and API process, on BOROUGH_HOST and BOROUGH_PORT.

    SIGTERM lets running requests finish. `borough config` lists the settings.
    """
    ending.listen()
    from control_plane.entrypoints import serve as process  # noqa: PLC0415 - loads the platform

    _VERBS.run(lambda settings: process.serve(settings, with_worker=with_worker))
    sys.exit(0)


@click.command()
def worker() -> None:
    """Run a worker: it plans, provisions, collects and rates. Run as many as you like.

    SIGTERM lets running steps finish and gives the rest to other workers.
    """
    ending.listen()
    from control_plane.entrypoints import worker as process  # noqa: PLC0415 - loads the platform

    _VERBS.run(process.work)
