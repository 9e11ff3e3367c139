"""The registry on a real database: two departments, and the services that own what is tested."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from tests.fakes.audit import FakeAudit
from tests.fakes.video_models import FakeReader
from tests.harness.video import person, video_database
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.model import Camera, Settings, SourceKind
from workloads.video_analytics.cameras.service import Cameras, SourceWish
from workloads.video_analytics.cameras.store import PostgresCameras
from workloads.video_analytics.departments.service import Departments
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.rules.store import PostgresRules
from workloads.video_analytics.watchlists.service import Watchlists
from workloads.video_analytics.watchlists.store import PostgresWatchlists

ADMIN = person("administrator")
WATER, HEALTH = "/city/water/", "/city/health/"


class NoModels:
    def present(self, _name: str) -> bool:
        return False


def text(name: str) -> Text:
    return Text(name, f"{name}（中）")


@dataclass
class Registry:
    database: Database
    clock: Clock
    audit: FakeAudit
    departments: Departments
    cameras: Cameras
    rules: Rules
    vault: SecretBox
    lists: Watchlists

    def camera(self, name: str = "Bridge", path: str = WATER, **settings: object) -> Camera:
        wish = SourceWish(SourceKind.RTSP, "rtsp://10.1.2.3/stream1", "viewer", "s3cret!")
        return self.cameras.create(ADMIN, Settings(text(name), path, **settings), wish)


@pytest.fixture
def video(postgres: EmbeddedPostgres) -> Iterator[Database]:
    with video_database(postgres) as url:
        database = Database(url, pool_size=5)
        yield database
        database.close()


@pytest.fixture
def registry(video: Database, clock: Clock) -> Registry:
    audit = FakeAudit()
    places = PostgresDepartments(video)
    departments = Departments(places, video, audit)
    vault = SecretBox([bytes(32)])
    addresses = AddressPolicy(resolver=lambda _host, _port: [ipaddress.ip_address("10.1.2.3")])
    cameras = Cameras(PostgresCameras(video), video, clock, audit, places, vault, addresses)
    lists = Watchlists(
        PostgresWatchlists(video), video, clock, audit, places, vault, FakeReader()
    )  # fmt: skip
    rules = Rules(PostgresRules(video), video, clock, audit, cameras, NoModels(), lists)
    departments.create(ADMIN, parent="/", slug="city", name=text("City"))
    for slug in ("water", "health"):
        departments.create(ADMIN, parent="/city/", slug=slug, name=text(slug))
    return Registry(video, clock, audit, departments, cameras, rules, vault, lists)
