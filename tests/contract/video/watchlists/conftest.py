"""Watch lists on a real database: a department, people, and faces that a test decides."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import psycopg
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from tests.conftest import SettableClock
from tests.fakes.audit import FakeAudit
from tests.fakes.video_models import FakeReader
from workloads.video_analytics.departments.store import PostgresDepartments, department_table
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.watchlists.service import Watchlists
from workloads.video_analytics.watchlists.store import PostgresWatchlists

TRAFFIC, WATER = "/city/traffic/", "/city/water/"
TEMPLATE = "borough_video_watchlists"


def somebody(name: str, role: str = "administrator", path: str = "/") -> Actor:
    grant = Grant(f"video_{role}", path)
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, (grant,))


ANN, BEN = somebody("ann"), somebody("ben")
AUDITOR = somebody("aud", "auditor", TRAFFIC)
OPERATOR = somebody("ope", "operator", TRAFFIC)
ELSEWHERE = somebody("els", "administrator", WATER)
PROGRAM = Actor(
    PrincipalId("svc_1"), "svc", ActorKind.SERVICE, (Grant("video_administrator", "/"),)
)


@dataclass
class World:
    database: Database
    clock: SettableClock
    audit: FakeAudit
    watchlists: Watchlists
    vault: SecretBox = field(default_factory=lambda: SecretBox([b"k" * 32]))


@contextlib.contextmanager
def _fresh(postgres: EmbeddedPostgres) -> Iterator[Database]:
    admin_url = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    name = ids.new("test")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        there = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if there is None:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
            template = Database(postgres.url(TEMPLATE))
            SCHEMA.upgrade(template)
            template.close()
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    database = Database(postgres.url(name), pool_size=3)
    yield database
    database.close()
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def world(postgres: EmbeddedPostgres, clock: SettableClock) -> Iterator[World]:
    with _fresh(postgres) as database:
        with database.engine.begin() as connection:
            for path in (TRAFFIC, WATER):
                values = {"path": path, "name": {"en": path, "zh": path}, "external": ""}
                known = {"id": f"dep_{path}", **values}
                columns = {name: known[name] for name in known if name in department_table.c}
                connection.execute(department_table.insert().values(**columns))
        audit, vault = FakeAudit(), SecretBox([b"k" * 32])
        service = Watchlists(
            PostgresWatchlists(database), database, clock, audit, PostgresDepartments(database),
            vault, FakeReader(),
        )  # fmt: skip
        yield World(database, clock, audit, service, vault)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other))
