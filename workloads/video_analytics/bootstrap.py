"""The composition root: the one place that knows which adapter stands behind which port."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from foundation.access.service import People
from foundation.adapters.clock import SystemClock
from foundation.kernel.database import Database
from foundation.kernel.files import own_folder
from foundation.kernel.outbox import Outbox
from foundation.serving.base import Base, build_base, open_database
from foundation.serving.base import database_is_current as is_current
from foundation.serving.base import upgrade_database as upgrade
from foundation.usage.platform import platform_of
from foundation.usage.store import PostgresTold
from foundation.usage.telling import Telling
from workloads.video_analytics import PRODUCT
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.devices import Devices
from workloads.video_analytics.cameras.live import LivePictures
from workloads.video_analytics.cameras.model import Limits
from workloads.video_analytics.cameras.onvif.client import Client
from workloads.video_analytics.cameras.onvif.discovery import Discovery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.cameras.store import PostgresCameras
from workloads.video_analytics.departments.service import Departments
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.happenings import Happenings, build_happenings
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.rules.store import PostgresRules
from workloads.video_analytics.samples import FOLDER as SAMPLES
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.usage.service import TOPIC, Usage
from workloads.video_analytics.usage.store import PostgresUsage, told_table
from workloads.video_analytics.vision.models.presence import FolderModels
from workloads.video_analytics.watchlists.faces import FolderFaces
from workloads.video_analytics.watchlists.service import Watchlists
from workloads.video_analytics.watchlists.store import PostgresWatchlists
from workloads.video_analytics.workers.keeper import Keeper, KeeperOptions
from workloads.video_analytics.workers.ports import Leases
from workloads.video_analytics.workers.service import Workers
from workloads.video_analytics.workers.store import (
    PostgresFences,
    PostgresMemories,
    PostgresShards,
)
from workloads.video_analytics.workers.writer import Sinks

#: The role that somebody always has on everything.
ADMINISTRATOR = "video_administrator"


@dataclass(frozen=True, slots=True)
class Video:
    """The services of one process; ``open_video`` makes and ends it."""

    settings: Settings
    base: Base
    people: People
    departments: Departments
    cameras: Cameras
    devices: Devices
    live: LivePictures
    rules: Rules
    happenings: Happenings
    usage: Usage
    workers: Workers
    watchlists: Watchlists

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.base.audit, self.base.gate, self.base.operations, self.people, self.departments,
            self.cameras, self.devices, self.live, self.rules, *self.happenings.services,
            self.usage, self.workers, self.watchlists,
        )  # fmt: skip


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
    addresses = AddressPolicy.of(settings.camera_networks, f"{SAMPLES},{settings.camera_folders}")
    cameras = Cameras(
        PostgresCameras(database), database, base.clock, base.audit, places, base.secrets,
        addresses,
        Limits.of(settings.most_cameras, settings.highest_tier),
    )  # fmt: skip
    devices = Devices(
        cameras,
        functools.partial(Client, policy=addresses, clock=base.clock),
        Discovery(addresses, [one for one in settings.onvif_interfaces.split(",") if one]),
        database,
        base.audit,
    )
    watchlists = Watchlists(
        PostgresWatchlists(database), database, base.clock, base.audit, places, base.secrets,
        FolderFaces(settings.models_folder),
    )  # fmt: skip
    rules = Rules(
        PostgresRules(database), database, base.clock, base.audit, cameras,
        FolderModels(settings.models_folder), watchlists,
    )  # fmt: skip
    return Video(
        settings,
        base,
        base.people(places, ADMINISTRATOR),
        Departments(places, database, base.audit),
        cameras,
        devices,
        LivePictures(settings.home / "live"),
        rules,
        build_happenings(settings, base, cameras, devices, rules, places, PostgresFences(database)),
        _usage(settings, base),
        Workers(_leases(settings, database)),
        watchlists,
    )


def _usage(settings: Settings, base: Base) -> Usage:
    database, clock = base.database, base.clock
    telling = Telling(
        PostgresTold(database, told_table), database, clock, Outbox(database, clock),
        program=PRODUCT.program, topic=TOPIC, resource=settings.platform_resource,
        platform=platform_of(settings),
    )  # fmt: skip
    return Usage(PostgresUsage(database), database, clock, PostgresFences(database), telling)


def _leases(settings: Settings, database: Database) -> Leases:
    if settings.leases == "kubernetes":
        from workloads.video_analytics.workers.kubernetes import (  # noqa: PLC0415 - 1 s of imports
            KubernetesLeases,
        )

        return KubernetesLeases.of_pod(settings.leases_namespace)
    return PostgresShards(database)


def make_keeper(video: Video, options: KeeperOptions) -> Keeper:
    """A worker of this process."""
    base, settings, found = video.base, video.settings, video.happenings
    database = base.database
    fences = PostgresFences(database)
    own_folder(settings.home / "live")
    sinks = Sinks(
        database, base.clock, video.cameras, found.events, found.files, found.timeline,
        video.usage, PostgresMemories(database), fences,
        timedelta(seconds=max(1, min(60, settings.usage_seconds))),
    )  # fmt: skip
    announce = fences.announce if settings.leases == "kubernetes" else None
    return Keeper(
        _leases(settings, database), sinks, video.rules, video.watchlists, options, announce
    )


def add_administrator(settings: Settings, login: str, name: str, password: str) -> None:
    """Add a person with all rights.

    Raises:
        Invalid: names every wrong field.
        Conflict: the login is taken.
        Unavailable: the embedded database cannot be started.
    """
    with open_video(settings) as video:
        video.people.add_administrator(login, name, password)


def upgrade_database(settings: Settings) -> str:
    """Bring the database to the newest schema; answers what was done, for people.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    return upgrade(settings, SCHEMA)


def database_is_current(settings: Settings) -> bool:
    """Whether the database has the newest schema.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    return is_current(settings, SCHEMA)
