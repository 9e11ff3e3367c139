"""Flows are counted once from receipts, and each sees those of their agencies."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Invalid
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, person
from tests.harness.exchange_receipts import draft, written
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.flows.model import Grain, Outcome, Query, Seen, Sort
from workloads.data_exchange.receipts.model import Draft, ReceiptKind

pytestmark = pytest.mark.usefixtures("agencies")


def calls(at: datetime, count: int = 1, **changes: object) -> list[Draft]:
    return [replace(draft(at), **changes) for _ in range(count)]  # type: ignore[arg-type]


def counted(exchange: Exchange, *drafts: Draft) -> None:
    written(exchange, drafts)
    while exchange.receipts.sign_checkpoint() is not None:
        pass


def look(exchange: Exchange, query: Query | None = None, actor: Actor = SYSTEM) -> Seen:
    return exchange.tracking.flows.look(actor, query or Query())


def test_a_call_is_counted_once_with_its_outcome_and_latency(
    exchange: Exchange, clock: SettableClock
) -> None:
    at = clock.now()
    told = [
        *calls(at, 18, milliseconds=40, rows=2, size=100),
        *calls(at, 2, milliseconds=9_000, rows=2, size=100),
        *calls(at, 3, status=403, rows=0, size=9),
        *calls(at, 1, status=504, rows=0, size=9),
        *calls(at, 1, status=0, kind=ReceiptKind.ENDED, rows=0, size=5),
        *calls(at, 5, status=0, kind=ReceiptKind.BEGUN),
    ]
    counted(exchange, *told)
    exchange.receipts.sign_checkpoint()
    clock.advance(seconds=1)
    seen = look(exchange)
    (flow,) = seen.flows
    assert (flow.consumer, flow.provider, flow.service) == (HOUSING, CIVIL, "")
    assert (flow.calls.answered, flow.calls.refused, flow.calls.failed) == (20, 3, 2)
    assert (flow.calls.rows, flow.calls.size) == (40, 20 * 100 + 4 * 9 + 5)
    assert flow.calls.p50 is not None
    assert flow.calls.p95 is not None
    assert 30 <= flow.calls.p50 <= 50
    assert 7_000 <= flow.calls.p95 <= 10_000
    assert seen.total.calls == 25
    assert [(one.start, one.calls.failed) for one in seen.steps] == [
        (at.replace(minute=0, second=0, microsecond=0), 2)
    ]
    assert not seen.more
    days = look(exchange, Query(at - timedelta(days=3), clock.now(), Grain.DAY))
    assert days.flows[0].calls.calls == 25


def test_what_a_rolled_back_checkpoint_counted_is_not_counted(
    exchange: Exchange, clock: SettableClock
) -> None:
    written(exchange, calls(clock.now(), 3))

    def lose() -> None:
        with exchange.base.database.transaction():
            exchange.receipts.sign_checkpoint()
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        lose()
    assert exchange.receipts.sign_checkpoint() is not None
    clock.advance(seconds=1)
    assert look(exchange).total.calls == 3


def test_an_agency_sees_its_own_flows_alone(exchange: Exchange, clock: SettableClock) -> None:
    at = clock.now()
    counted(
        exchange,
        *calls(at, 1),
        *calls(at, 2, consumer=TAX),
        *calls(at, 4, consumer=TAX, provider=HOUSING),
    )
    clock.advance(seconds=1)

    def seen(actor: Actor) -> set[tuple[str, str]]:
        return {(one.consumer, one.provider) for one in look(exchange, actor=actor).flows}

    everything = {(HOUSING, CIVIL), (TAX, CIVIL), (TAX, HOUSING)}
    assert seen(person("auditor")) == everything
    assert seen(person("officer", HOUSING)) == {(HOUSING, CIVIL), (TAX, HOUSING)}
    assert seen(person("steward", "/city/")) == everything
    assert seen(person("reviewer")) == set()
    mine = look(exchange, actor=person("officer", HOUSING))
    assert mine.total.calls == 5
    assert sum(one.calls.calls for one in mine.steps) == 5
    # Asking for another's agency shows what one has with it, no more.
    theirs = look(exchange, Query(agency=TAX), person("officer", HOUSING))
    assert [(one.consumer, one.provider) for one in theirs.flows] == [(TAX, HOUSING)]


def test_flows_are_chosen_and_sorted(exchange: Exchange, clock: SettableClock) -> None:
    at = clock.now()
    counted(
        exchange,
        *calls(at, 5, milliseconds=5),
        *calls(at, 2, service="svc_2", milliseconds=500),
        *calls(at, 3, consumer=TAX, status=502, milliseconds=2000),
    )
    clock.advance(seconds=1)

    def who(query: Query) -> list[tuple[str, str, int]]:
        found = look(exchange, query).flows
        return [(one.consumer, one.service, one.calls.calls) for one in found]

    assert who(Query()) == [(HOUSING, "", 7), (TAX, "", 3)]
    assert who(Query(sort=Sort.FAILED)) == [(TAX, "", 3), (HOUSING, "", 7)]
    assert who(Query(by_service=True)) == [
        (HOUSING, "svc_1", 5), (TAX, "svc_1", 3), (HOUSING, "svc_2", 2),
    ]  # fmt: skip
    assert who(Query(by_service=True, sort=Sort.P95))[0] == (TAX, "svc_1", 3)
    assert who(Query(outcome=Outcome.FAILED)) == [(TAX, "", 3)]
    assert who(Query(agency=TAX)) == [(TAX, "", 3)]
    assert who(Query(level=Level.NATIONAL)) == [(TAX, "", 3)]
    assert who(Query(level=Level.DISTRICT)) == []
    assert look(exchange, Query(limit=1)).more
    assert who(Query(at + timedelta(hours=2), at + timedelta(hours=3))) == []


def test_days_are_the_citys(exchange: Exchange, clock: SettableClock) -> None:
    at = clock.now().replace(hour=15, minute=59)  # 23:59 in Shanghai
    counted(exchange, *calls(at), *calls(at + timedelta(minutes=2), 2))
    seen = look(exchange, Query(at - timedelta(days=1), at + timedelta(days=2), Grain.DAY))
    midnight = at.replace(hour=16, minute=0, second=0, microsecond=0)
    assert [(one.start, one.calls.calls) for one in seen.steps] == [
        (midnight - timedelta(days=1), 1), (midnight, 2),
    ]  # fmt: skip


def test_what_is_too_old_is_forgotten(exchange: Exchange, clock: SettableClock) -> None:
    at = clock.now()
    counted(exchange, *calls(at))
    clock.advance(days=36)
    exchange.tracking.flows.forget()
    end = at + timedelta(hours=1)
    assert look(exchange, Query(at - timedelta(hours=1), end)).flows == ()
    assert len(look(exchange, Query(at - timedelta(days=1), end, Grain.DAY)).flows) == 1
    clock.advance(days=1100)
    exchange.tracking.flows.forget()
    assert look(exchange, Query(at - timedelta(days=1), end, Grain.DAY)).flows == ()


def test_all_that_is_wrong_is_named(exchange: Exchange, clock: SettableClock) -> None:
    now = clock.now()
    with pytest.raises(Invalid) as caught:
        look(exchange, Query(now, now - timedelta(days=1), agency="city", limit=0))
    assert {one.field for one in caught.value.problems} == {"end", "agency", "limit"}
    with pytest.raises(Invalid):
        look(exchange, Query(now - timedelta(days=36), now, Grain.HOUR))
    with pytest.raises(Invalid):
        look(exchange, Query(now - timedelta(days=401), now))
