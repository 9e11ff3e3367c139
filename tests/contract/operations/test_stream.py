"""Events of an operation as a stream: what is asked wrongly costs nobody else their stream."""

import pytest

from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.money import HEALTH, City
from tests.fakes.money_api import application

_MORE_THAN_THERE_ARE = 8


@pytest.mark.parametrize("seen", ["abc", "-1", "²", "9" * 25, "9" * 5000])
def test_a_wrong_place_is_refused_and_takes_no_stream(
    database: Database, clock: SettableClock, seen: str
) -> None:
    city = City(database, clock)
    operation = city.operations.start(
        "sample.build", subject="x", path=HEALTH, inputs={}, actor=Actor.system("test")
    )
    city.operations.cancel(Actor.system("test"), operation.id)
    headers = {"Authorization": "Bearer health", "Accept": "text/event-stream"}
    events = f"/api/v1/operations/{operation.id}/events"
    with application(city).test_client() as client:
        for _ in range(_MORE_THAN_THERE_ARE):
            refused = client.get(events, headers={**headers, "Last-Event-ID": seen})
            assert refused.status_code == 422, refused.text
        stream = client.get(events, headers=headers, buffered=False)
        assert stream.mimetype == "text/event-stream"
        stream.close()
