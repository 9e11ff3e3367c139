"""What is metered: once, by the hour, and told as it was counted."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from foundation.kernel.errors import Forbidden, Invalid
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import parse_instant
from tests.conftest import SettableClock
from tests.harness.exchange import person
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.usage.model import CALLS, DATASET_HOURS, QUERY, size_of

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


def test_who_may(exchange: Exchange, clock: SettableClock) -> None:
    with pytest.raises(Forbidden):
        exchange.usage.lines(person("officer"), None, None, PageRequest())
    with pytest.raises(Invalid):
        exchange.usage.lines(ADMIN, clock.now(), clock.now(), PageRequest())
