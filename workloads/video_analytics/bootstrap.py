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
from workloads.video_analytics.watchlists.faces import FolderFaces
from workloads.video_analytics.watchlists.service import Watchlists
from workloads.video_analytics.watchlists.store import PostgresWatchlists

#: The role that somebody always has on everything.
ADMINISTRATOR = "video_administrator"


@dataclass(frozen=True, slots=True)
class Video:
    """The services of one process; ``open_video`` makes and ends it."""

    settings: Settings
    base: Base
    people: People
    watchlists: Watchlists

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.base.audit, self.base.gate, self.base.operations, self.people, self.watchlists)


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
    places = PostgresDepartments(database)
    watchlists = Watchlists(
        PostgresWatchlists(database), database, base.clock, base.audit, places, base.secrets,
        FolderFaces(settings.models_folder),
    )  # fmt: skip
    return Video(settings, base, base.people(places, ADMINISTRATOR), watchlists)


def add_first_administrator(video: Video) -> None:
    """Add the administrator of the settings when there is none yet; several may try at once."""
    settings, database = video.settings, video.base.database
    if settings.administrator_password:
        with database.transaction():
            database.lock("video:first-administrator")
            video.people.ensure_administrator(
                login=settings.administrator, password=settings.administrator_password
            )


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
        video.people.grant(actor, principal_id=person.id, role=ADMINISTRATOR, path="/")


def upgrade_database(settings: Settings) -> str:
    """Bring the database to the newest schema; answers what was done, for people.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    from foundation.operations.jobs.durable import migrate  # noqa: PLC0415 - web needs no DBOS

    with open_database(settings) as database:
        before = SCHEMA.is_current(database)
        SCHEMA.upgrade(database)
        migrate(database.engine)
    return f"The database {'had' if before else 'has'} the newest schema."
