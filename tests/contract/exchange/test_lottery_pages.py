"""What everybody sees of a lottery, without signing in."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import SettableClock
from tests.harness.exchange import SYSTEM
from tests.harness.exchange_lottery import Table
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.lottery.verify import verify


@pytest.fixture
def table(exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency]) -> Table:
    made = Table(exchange, clock)
    made.register(agencies)
    return made


@pytest.fixture
def client(exchange: Exchange) -> FlaskClient:
    return create_app(parts(exchange), exchange.settings).test_client()


def test_before_and_after_the_draw(exchange: Exchange, table: Table, client: FlaskClient) -> None:
    draft = exchange.lotteries.create(SYSTEM, table.rules())
    assert client.get(f"/draws/{draft.id}").status_code == 404
    assert client.get(f"/api/v1/lotteries/{draft.id}/record").status_code == 404
    opened = client.get(f"/draws/{table.opened().id}")
    assert opened.status_code == 200
    assert "takes applications" in opened.text
    lottery = table.drawn("A", "B", "C", "D", "E")
    page, api = f"/draws/{lottery.id}", f"/api/v1/lotteries/{lottery.id}"
    proven = verify(client.get(f"{api}/bundle").data)
    winner = proven.outcomes[0].winners[0]
    assert winner in client.get(page).text
    mine = client.get(page, query_string={"pseudonym": winner})
    assert "This application has won a place." in mine.text
    ordinary = {one.pseudonym for one in proven.entries if one.pool == "ordinary"}
    loser = min(ordinary - set(proven.outcomes[0].winners))
    text = client.get(page, query_string={"pseudonym": loser}, headers={"Accept-Language": "zh"})
    assert "该申请未中签" in text.text
    assert client.get(page, query_string={"pseudonym": "nobody"}).status_code == 404
    assert client.get(f"{api}/proofs/{winner}").json["won"] is True  # type: ignore[index]
    assert client.get(f"{api}/proofs/nobody").status_code == 404
    record = client.get(f"{api}/record").json
    assert record is not None
    assert len(record["applications"]) == 5
    assert record["state"] == "drawn"


def test_an_aborted_one_says_why(exchange: Exchange, table: Table, client: FlaskClient) -> None:
    lottery = table.opened()
    exchange.lotteries.abort(SYSTEM, lottery.id, reason="no budget <b>")
    assert "no budget &lt;b&gt;" in client.get(f"/draws/{lottery.id}").text
    answer = client.get(f"/api/v1/lotteries/{lottery.id}/bundle")
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
