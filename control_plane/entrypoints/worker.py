"""``borough worker``: takes operations up until it is asked to end."""

import os

from control_plane.bootstrap import open_platform
from control_plane.bootstrap.work import local_processes, make_worker
from control_plane.settings import Settings
from foundation.serving.ending import at_end, leave
from foundation.serving.processes import run_file, start_logging


def work(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; the second one ends it at once."""
    start_logging(settings)
    with open_platform(settings) as platform:
        worker = make_worker(platform)
        at_end(worker.end)
        file = settings.home / "run" / f"worker-{os.getpid()}.json"
        with run_file(file, id=worker.id, name=worker.name), local_processes(platform):
            worker.run()
    # What still runs was given back and is fenced: no thread of it may hold the process.
    leave()
