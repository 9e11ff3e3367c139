"""Borough Exchange for tests: its own database, its services, and people who may do things."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.product import product_database
from workloads.data_exchange.agencies.model import Agency, Level
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.checks.ports import Registries
from workloads.data_exchange.migrations import SCHEMA
from workloads.data_exchange.settings import Settings

SYSTEM = Actor.system("test")
#: The agencies of tests: who provides, who uses, and one that has no part in it.
CIVIL, HOUSING, TAX = "/city/civil-affairs/", "/city/housing/", "/city/tax/"


def exchange_database(postgres: EmbeddedPostgres) -> contextlib.AbstractContextManager[str]:
    """The URL of a fresh database with the exchange's schema, until the end of the block."""
    return product_database(postgres, SCHEMA, "borough_exchange")


@contextlib.contextmanager
def opened(
    postgres: EmbeddedPostgres,
    home: Path,
    clock: Clock | None = None,
    registries: Registries | None = None,
    **settings: object,
) -> Iterator[Exchange]:
    """The services on a database of their own."""
    with exchange_database(postgres) as url:
        given = Settings(home=home, database_url=url, **settings)  # type: ignore[arg-type]
        catalogue = FakeCatalogue(households(CIVIL))
        with open_exchange(
            given, upgrade=False, clock=clock, catalogue=catalogue, registries=registries
        ) as exchange:
            yield exchange


def furnish(exchange: Exchange) -> dict[str, Agency]:
    """The agencies of the tests, by path."""
    found = {}
    for parent, slug, zh, level in (
        ("/", "city", "市", Level.MUNICIPAL),
        ("/city/", "civil-affairs", "民政局", Level.MUNICIPAL),
        ("/city/", "housing", "住建局", Level.MUNICIPAL),
        ("/city/", "tax", "税务局", Level.NATIONAL),
    ):
        name = Text(slug.replace("-", " ").title(), zh)
        made = exchange.agencies.create(SYSTEM, parent=parent, slug=slug, name=name, level=level)
        found[made.path] = made
    return found


def person(role: str, path: str = "/") -> Actor:
    """Somebody with one role of Borough Exchange, such as ``steward``."""
    grant = Grant(f"exchange_{role}", path)
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (grant,))
