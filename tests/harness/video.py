"""Borough Video for tests: its own database on the tests' server, and people who may do things."""

import contextlib
from collections.abc import Iterator

import psycopg

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS, schema, seconds

# Permits are about sites: a stand-in of the detector's own parameters, as long as there are none.
PARAMETERS.setdefault(
    RuleKind.CONSTRUCTION,
    schema("Construction", "施工", {"seconds": seconds("At work for", "持续", 60)}, points="field"),
)

TEMPLATE = "borough_video"


def _admin(postgres: EmbeddedPostgres) -> psycopg.Connection:
    url = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True)


@contextlib.contextmanager
def video_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh database with the video schema, until the end of the block."""
    name = ids.new("test")
    with _admin(postgres) as admin:
        there = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if there is None:
            admin.execute(f"CREATE DATABASE {TEMPLATE}")
            database = Database(postgres.url(TEMPLATE))
            SCHEMA.upgrade(database)
            database.close()
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    with _admin(postgres) as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def person(role: str, path: str = "/") -> Actor:
    """Somebody with one role of Borough Video."""
    grant = Grant(f"video_{role}", path)
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (grant,))
