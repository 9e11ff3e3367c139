"""Borough Exchange as it runs: its server on loopback, agencies, and people who publish."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.api import limits
from tests.harness.exchange import CIVIL, SYSTEM, exchange_database, furnish
from tests.harness.serving import served
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.settings import Settings


@dataclass(frozen=True)
class Running:
    """The product and what is in it; each login's password is the login and ``-demo-only``."""

    url: str
    exchange: Exchange


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("home")
    with (
        exchange_database(postgres) as url,
        open_exchange(Settings(home=home, database_url=url), upgrade=False) as exchange,
    ):
        furnish(exchange)
        for login, role, path in (
            ("steward", "steward", CIVIL), ("reviewer", "reviewer", "/"),
            ("chief", "administrator", "/"),
        ):  # fmt: skip
            person = exchange.people.create_person(
                SYSTEM, login=login, name=login.title(), path="/", password=f"{login}-demo-only"
            )
            exchange.people.grant(
                SYSTEM, principal_id=person.id, role=f"exchange_{role}", path=path
            )
        plenty = limits.Rate(1e6, 1_000_000)
        app = create_app(
            parts(exchange), exchange.settings, rate_limits=limits.Limits(plenty, plenty)
        )
        with served(app) as address:
            yield Running(address, exchange)
