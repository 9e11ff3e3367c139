"""Borough Exchange as it runs: its server on loopback, agencies, people of each side."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.surface.api import limits
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, exchange_database, furnish
from tests.harness.serving import served
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.checks.ports import Registries
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.settings import Settings

PASSWORD = "-demo-only"
#: Login, role and agency of each person.
PEOPLE = (
    ("operator", "administrator", "/"),
    ("officer", "officer", HOUSING),
    ("reviewer", "reviewer", HOUSING),
    ("signer", "steward", HOUSING),
    ("steward", "steward", CIVIL),
)


@dataclass(frozen=True)
class Running:
    """The product and who is in it.

    Attributes:
        tokens: an API token of each person, by login.
    """

    url: str
    exchange: Exchange
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with run(postgres, tmp_path_factory.mktemp("home")) as made:
        yield made


@contextlib.contextmanager
def run(
    postgres: EmbeddedPostgres, home: Path, registries: Registries | None = None, **more: Any
) -> Iterator[Running]:
    """The product with its people, until the end of the block.

    Args:
        more: for ``open_exchange``: another clock, or another catalogue than one with households.
    """
    more = {"catalogue": FakeCatalogue(households(CIVIL)), **more}
    with (
        exchange_database(postgres) as url,
        open_exchange(
            Settings(home=home, database_url=url), upgrade=False, registries=registries, **more
        ) as exchange,
    ):
        furnish(exchange)
        tokens = {login: _person(exchange, login, role, path) for login, role, path in PEOPLE}
        for path in (CIVIL, HOUSING):
            exchange.keys.generate(SYSTEM, path)
        plenty = limits.Rate(1e6, 1_000_000)
        app = create_app(
            parts(exchange), exchange.settings, rate_limits=limits.Limits(plenty, plenty)
        )
        with served(app) as address:
            yield Running(address, exchange, tokens)


def _person(exchange: Exchange, login: str, role: str, path: str) -> str:
    person = exchange.people.create_person(
        SYSTEM, login=login, name=login.title(), path=path, password=f"{login}{PASSWORD}"
    )
    exchange.people.grant(SYSTEM, principal_id=person.id, role=f"exchange_{role}", path=path)
    actor = Actor(person.id, person.name, person.kind)
    return exchange.base.gate.create_token(actor, name="test")[1]
