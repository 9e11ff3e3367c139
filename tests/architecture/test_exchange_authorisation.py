"""Borough Exchange: every endpoint × (no one, another department, each role)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.api import limits
from tests.architecture import exchange_objects as objects
from tests.architecture.authorisation import Authorisation
from tests.architecture.harness import PUBLIC, Asker, Cast, Services, Things
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.exchange import exchange_database
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.checks.ports import Answer, Ask, Refused
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.settings import Settings


class Known:
    """Registries of one agency that know nobody."""

    def __init__(self, path: str) -> None:
        self._path = path

    def provider(self, _service: str) -> str:
        return self._path

    def ask(self, _ask: Ask, *, patience: float) -> Answer:
        raise Refused(f"nobody in {patience} s", "rcp_none")


@pytest.fixture(scope="module")
def golden() -> Path:
    return Path(__file__).with_name("exchange_authorisation.golden.yaml")


@pytest.fixture(scope="module")
def exchange(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Exchange]:
    with exchange_database(postgres) as url:
        settings = Settings(home=tmp_path_factory.mktemp("home"), database_url=url)
        catalogue = FakeCatalogue(households(objects.C))
        with open_exchange(
            settings, upgrade=False, catalogue=catalogue, registries=Known(objects.A)
        ) as exchange:
            yield exchange


@pytest.fixture(scope="module")
def app(exchange: Exchange) -> APIFlask:
    plenty = limits.Rate(1e6, 1_000_000)
    app = create_app(parts(exchange), exchange.settings, rate_limits=limits.Limits(plenty, plenty))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture(scope="module")
def things(exchange: Exchange) -> Things:
    return objects.make(exchange)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast(
        "workloads.data_exchange",
        "exchange_administrator",
        objects.A,
        objects.B,
        frozenset({*PUBLIC, *objects.PUBLIC}),
        asked_by_services=objects.ELSEWHERE,
    )


@pytest.fixture(scope="module")
def asker(app: APIFlask, exchange: Exchange, things: Things, cast: Cast) -> Asker:
    services = Services(exchange.people, exchange.base.gate, exchange.base.database)
    return Asker(app, services, things, cast)


class TestExchange(Authorisation):
    """The shared checks."""
