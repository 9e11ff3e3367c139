"""How often other connectors may ask: each has its own measure, and strangers share one."""

import pytest
from flask.testing import FlaskClient

from foundation.surface.api import limits
from tests.conftest import SettableClock
from tests.harness.exchange import HOUSING, SYSTEM, TAX
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.dataspace.model import PATH
from workloads.data_exchange.dataspace.participants import TOKEN
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts

pytestmark = pytest.mark.usefixtures("agencies")
#: Nothing comes back while a test runs.
_LIMITS = limits.Limits(limits.Rate(1e-6, 4), limits.Rate(1e-6, 2))


@pytest.fixture
def client(exchange: Exchange) -> FlaskClient:
    for path in (HOUSING, TAX):
        exchange.keys.generate(SYSTEM, path)
        exchange.dataspacing.participants.register(
            SYSTEM, f"urn:test:{path}", agency=path, address="https://peer.example/dsp"
        )
    app = create_app(parts(exchange), exchange.settings, rate_limits=_LIMITS)
    return app.test_client()


def shown(exchange: Exchange, clock: SettableClock, path: str) -> dict[str, str]:
    """What a participant shows with a question."""
    now = int(clock.now().timestamp())
    claims = {
        "iss": f"urn:test:{path}", "aud": exchange.dataspacing.participants.own, "iat": now,
        "exp": now + 60, "jti": "j1",
    }  # fmt: skip
    return {"Authorization": f"Bearer {exchange.keys.sign(path, claims, TOKEN)}"}


def test_each_participant_has_its_own_measure(
    exchange: Exchange, clock: SettableClock, client: FlaskClient
) -> None:
    where = f"{PATH}/negotiations/none"
    housing, tax = (shown(exchange, clock, path) for path in (HOUSING, TAX))
    for left in (3, 2, 1, 0):
        answer = client.get(where, headers=housing)
        assert (answer.status_code, answer.headers["RateLimit-Remaining"]) == (404, str(left))
    late = client.get(where, headers=housing)
    assert late.status_code == 429
    assert int(late.headers["Retry-After"]) > 0
    told = late.get_json()
    assert (told["@type"], told["code"]) == ("ContractNegotiationError", "too_many_requests")
    # Nothing else of the same participant passes either, and another one goes on.
    assert client.get(f"{PATH}/catalog/datasets/x", headers=housing).status_code == 429
    assert client.get(where, headers=tax).status_code == 404


def test_strangers_take_nothing_from_participants(
    exchange: Exchange, clock: SettableClock, client: FlaskClient
) -> None:
    where = f"{PATH}/negotiations/request"
    forged = {"Authorization": "Bearer a.b.c", "Content-Type": "application/json"}
    found = [client.post(where, data="{}", headers=forged).status_code for _ in range(4)]
    assert found == [404, 404, 429, 429]
    assert client.get(f"{PATH}/transfers/none").status_code == 429
    known = shown(exchange, clock, TAX)
    assert client.get(f"{PATH}/transfers/none", headers=known).status_code == 404
