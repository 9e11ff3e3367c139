"""The whole platform for a worker of ``tests.harness.worker``, by the URL of its database."""

import contextlib
import tempfile
from pathlib import Path

import sqlalchemy as sa

from control_plane.bootstrap import Platform, open_platform
from control_plane.kernel.database import Database
from control_plane.kernel.settings import Settings, from_environment
from control_plane.kernel.time import Clock
from control_plane.operations.jobs import Job, Schedule
from marketplace import jobs as marketplace_jobs

ENTRY = "tests.functional.kill_world:jobs"

_open = contextlib.ExitStack()


def home_of(url: str) -> Path:
    """The folder that all processes of a test share: key ring and caches."""
    return Path(tempfile.gettempdir()) / f"borough-{sa.make_url(url).database}"


def settings_of(url: str) -> Settings:
    """The settings of every process of a test."""
    return from_environment({"BOROUGH_HOME": str(home_of(url)), "BOROUGH_DATABASE_URL": url})


def jobs(database: Database, _clock: Clock) -> tuple[dict[str, Job], list[Schedule]]:
    """The jobs of orders, as a worker of the product has them; the process's end closes it all."""
    url = database.engine.url.render_as_string(hide_password=False)
    platform: Platform = _open.enter_context(open_platform(settings_of(url), upgrade=False))
    return marketplace_jobs.handlers(platform.marketplace), []
