"""The handlers of the whole platform, for ``tests.harness.worker``.

tests.harness.platform:jobs:HOME
"""

from pathlib import Path

from control_plane.bootstrap import open_platform
from control_plane.bootstrap.work import handlers
from control_plane.settings import Settings
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.jobs import Job, Schedule


def jobs(database: Database, _clock: Clock, home: str) -> tuple[dict[str, Job], list[Schedule]]:
    """All that a worker of the platform in that home folder does; nothing by schedule.

    The platform stays open for as long as the process lives.
    """
    settings = Settings(home=Path(home), database_url=database.url, simulated_time=True)
    opened = open_platform(settings, upgrade=False)
    _kept.append(opened)
    return handlers(opened.__enter__()), []


_kept: list[object] = []
