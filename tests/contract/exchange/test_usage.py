"""What is metered: once, by the hour, and told as it was counted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from foundation.kernel.errors import Conflict, Forbidden, Invalid
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import parse_instant
from tests.conftest import SettableClock
from tests.harness.exchange import HOUSING, person
from tests.harness.exchange_licences import BASE, Holder, made_type, offered
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.licences.desk import audience
from workloads.data_exchange.proofs.sdjwt import Binding
from workloads.data_exchange.usage.model import CALLS, DATASET_HOURS, LICENCES, QUERY, size_of

ADMIN = person("administrator")
T0 = datetime(2026, 11, 3, 9, 50, tzinfo=UTC)


def told(exchange: Exchange) -> dict[tuple[str, str], Decimal]:
    """What is in the outbox, by meter and size."""
    sums: dict[tuple[str, str], Decimal] = {}
    with exchange.base.database.transaction():
        for message in exchange.outbox.pending(1000):
            data = message.payload["data"]
            key = (data["meter"], data["dimensions"].get("size", ""))
            sums[key] = sums.get(key, Decimal(0)) + Decimal(data["quantity"])
            assert parse_instant(data["start"]) < parse_instant(data["end"])
    return sums


def test_calls_by_interface_and_size(exchange: Exchange, clock: SettableClock) -> None:
    clock.set(T0)
    for size in (10, 10_000, 10_001, 1_000_000, 100_000_000, 100_000_001):
        exchange.usage.note(CALLS, clock.now(), interface=QUERY, size=size_of(size))
    clock.advance(minutes=20)
    exchange.usage.note(CALLS, clock.now(), interface=QUERY, size="small")
    later = clock.advance(hours=1)
    lines = exchange.usage.lines(ADMIN, T0 - timedelta(days=1), later, PageRequest(limit=2)).items
    assert [(one.dimensions["size"], one.quantity) for one in lines] == [("huge", 1), ("large", 1)]


def test_what_is_told_adds_up(
    exchange: Exchange, clock: SettableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange.usage.telling, "_resource", "res_1")
    clock.set(T0)
    for _ in range(3):
        for _ in range(5):
            exchange.usage.note(CALLS, clock.now(), interface=QUERY, size="small")
        exchange.usage.tell()
        assert exchange.usage.tell() == 0
        clock.advance(minutes=7)
    exchange.usage.tell()
    assert told(exchange) == {(CALLS, "small"): Decimal(15)}


def test_what_is_rolled_back_is_not_counted(exchange: Exchange, clock: SettableClock) -> None:
    def undone() -> None:
        with exchange.base.database.transaction():
            exchange.usage.note(CALLS, clock.now(), interface=QUERY, size="small")
            raise LookupError

    with pytest.raises(LookupError):
        undone()
    end = clock.advance(hours=2)
    assert exchange.usage.lines(ADMIN, None, end, PageRequest()).items == ()


def test_hours_of_what_stands(exchange: Exchange, clock: SettableClock) -> None:
    clock.set(T0)
    exchange.usage.note_standing(DATASET_HOURS, lambda: 4)  # from now on
    clock.advance(minutes=30)
    exchange.usage.note_standing(DATASET_HOURS, lambda: 4)
    exchange.usage.note_standing(DATASET_HOURS, lambda: 4)  # the same instant again
    clock.set(T0)  # a clock that went back counts nothing twice
    exchange.usage.note_standing(DATASET_HOURS, lambda: 4)
    end = clock.advance(hours=3)
    lines = exchange.usage.lines(ADMIN, None, end, PageRequest()).items
    assert [one.hour.hour for one in lines] == [9, 10]
    assert sum(one.quantity for one in lines) == Decimal(2)


@pytest.mark.usefixtures("agencies")
def test_a_licence_is_counted_when_it_is_issued_and_when_it_is_verified(
    exchange: Exchange, clock: SettableClock
) -> None:
    made = made_type(exchange, copies=2)
    _, offer = offered(exchange, made)
    holder, desk = Holder(copies=2), exchange.licensing.desk
    text = holder.take(exchange, offer, clock.now()).credentials[0]
    holder.take(exchange, offer, clock.now())  # the answer was lost: the same once more
    with pytest.raises(Invalid):
        exchange.licensing.offers.claim(offer.token, "x", [])
    asked = desk.ask(person("officer", HOUSING), HOUSING)
    binding = Binding(asked.nonce, audience(BASE, asked.id))
    shown = holder.show(text, {"name"}, binding, clock.now())
    desk.answer(person("officer", HOUSING), asked.id, shown, BASE)
    with pytest.raises(Conflict):
        desk.answer(person("officer", HOUSING), asked.id, shown, BASE)
    lines = exchange.usage.lines(ADMIN, None, clock.advance(hours=1), PageRequest()).items
    counted = {(one.meter, one.dimensions["act"]): one.quantity for one in lines}
    assert counted == {(LICENCES, "issued"): 1, (LICENCES, "verified"): 1}


def test_who_may(exchange: Exchange, clock: SettableClock) -> None:
    with pytest.raises(Forbidden):
        exchange.usage.lines(person("officer"), None, None, PageRequest())
    with pytest.raises(Invalid):
        exchange.usage.lines(ADMIN, clock.now(), clock.now(), PageRequest())
