"""The composition root: the one place that knows which adapter stands behind which port."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from foundation.access.service import People
from foundation.adapters.clock import SystemClock
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.serving.base import Base, build_base, open_database
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.settings import Settings


@dataclass(frozen=True, slots=True)
class Video:
    """The services of one process; ``open_video`` makes and ends it."""

    settings: Settings
    base: Base
    people: People

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.base.audit, self.base.gate, self.base.operations, self.people)


@contextlib.contextmanager
def open_video(settings: Settings, *, upgrade: bool = True) -> Iterator[Video]:
    """The services of this process, until the end of the block.

    Args:
        settings: of this process.
        upgrade: bring the database to the newest schema first.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with open_database(settings) as database:
        if upgrade:
            SCHEMA.upgrade(database)
        yield build(settings, database)


def build(settings: Settings, database: Database) -> Video:
    """All services on a database."""
    base = build_base(settings, database, SystemClock())
    return Video(settings, base, base.people(PostgresDepartments(database)))


def add_administrator(settings: Settings, login: str, name: str, password: str) -> None:
    """Add a person with all rights.

    Raises:
        Invalid: names every wrong field.
        Conflict: the login is taken.
        Unavailable: the embedded database cannot be started.
    """
    actor = Actor.system("administrator")
    with open_video(settings) as video, video.base.database.transaction():
        person = video.people.create_person(
            actor, login=login, name=name, path="/", password=password
        )
        video.people.grant(actor, principal_id=person.id, role="video_administrator", path="/")
