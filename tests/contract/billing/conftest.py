"""The city, and its API as somebody or by the command line."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from control_plane.entrypoints.cli.main import borough as command
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.money import City
from tests.fakes.money_api import application
from tests.harness.serving import served


@pytest.fixture
def city(database: Database, clock: SettableClock) -> City:
    return City(database, clock)


class Api:
    """Requests as somebody."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def __call__(self, who: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {who}", **options.pop("headers", {})}
        return self._client.open(f"/api/v1{path}", method=method, headers=headers, **options)

    def push(self, who: str, events: Any, kind: str = "") -> Any:
        kind = kind or "application/cloudevents-batch+json"
        body = events if isinstance(events, bytes) else json.dumps(events)
        return self(who, "POST", "/usage-events", data=body, content_type=kind)


@pytest.fixture
def api(city: City) -> Iterator[Api]:
    with application(city).test_client() as client:
        yield Api(client)


@pytest.fixture
def borough(city: City, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """The command line against the API on loopback."""
    with served(application(city)) as url:

        def run(who: str, *arguments: str) -> Result:
            environment = {
                "BOROUGH_URL": url, "BOROUGH_TOKEN": who,
                "BOROUGH_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
            }  # fmt: skip
            return CliRunner().invoke(command, arguments, env=environment)

        yield run
