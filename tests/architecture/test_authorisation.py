"""The control plane: every endpoint × (no one, another department, each role, who ordered)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher

from control_plane.bootstrap import Platform, open_platform
from control_plane.entrypoints.app import create_app
from control_plane.entrypoints.serve import parts
from control_plane.settings import Settings
from foundation.access.passwords import Argon2Passwords
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface.api import limits
from tests.architecture import objects
from tests.architecture.authorisation import Authorisation
from tests.architecture.harness import NEIGHBOUR, PUBLIC, Asker, Cast, Services, Things


@pytest.fixture(scope="module")
def golden() -> Path:
    return Path(__file__).with_name("authorisation.golden.yaml")


@pytest.fixture(scope="module")
def platform(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    with objects.database(postgres) as url:
        settings = Settings(
            home=tmp_path_factory.mktemp("home"), database_url=url, simulated_time=True
        )
        with open_platform(settings) as platform:
            # Seventy passwords at full strength cost seconds; that they have it is asked elsewhere.
            weak = Argon2Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
            platform.people._passwords = platform.gate._passwords = weak  # noqa: SLF001
            yield platform


@pytest.fixture(scope="module")
def app(platform: Platform) -> APIFlask:
    plenty = limits.Rate(1e6, 1_000_000)
    app = create_app(parts(platform), platform.settings, rate_limits=limits.Limits(plenty, plenty))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture(scope="module")
def made(platform: Platform) -> tuple[Things, str]:
    return objects.make(platform)


@pytest.fixture(scope="module")
def things(made: tuple[Things, str]) -> Things:
    return made[0]


@pytest.fixture(scope="module")
def cast(made: tuple[Things, str]) -> Cast:
    return Cast(
        "control_plane",
        "platform_administrator",
        objects.A,
        objects.B,
        frozenset({*PUBLIC, "POST /api/v1/token-exchange"}),
        {"requester": made[1]},  # who ordered A's service
        objects.ASKED_BY_SERVICES,
    )


@pytest.fixture(scope="module")
def asker(app: APIFlask, platform: Platform, things: Things, cast: Cast) -> Asker:
    services = Services(platform.people, platform.gate, platform.database)
    return Asker(app, services, things, cast)


class TestControlPlane(Authorisation):
    """The shared checks."""


def test_a_neighbour_reports_no_usage_of_another_department(
    cast: Cast,
    answers: dict[str, dict[str, tuple[str, str]]],
) -> None:
    """A batch is answered as a whole; each of its events has an outcome of its own."""
    found = {who: text for who, (_, text) in answers["POST /api/v1/usage-events"].items()}
    assert '"accepted"' in found[cast.administrator]
    assert '"accepted"' not in found[NEIGHBOUR]
