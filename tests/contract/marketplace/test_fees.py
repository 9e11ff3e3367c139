"""Fixed and one-time parts of plans are billed: exactly, once, and until the return."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from control_plane.billing.model import Statement
from control_plane.metering.model import UsageRecord
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import Interval
from marketplace.jobs import FULFIL_STEPS
from marketplace.model import Component, ComponentKind, Order, OrderKind, OrderState, Wish
from tests.conftest import SettableClock
from tests.contract.marketplace.conftest import (
    BEGIN,
    FINANCE,
    MEMBER,
    PLATFORM,
    World,
    build,
    text,
    web_application,
)
from tests.contract.marketplace.test_jobs import contexts, finish

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)
JANUARY = datetime(2027, 1, 1, tzinfo=UTC)
DAY = 24 * 3600


def place(world: World) -> None:
    """A plan whose fees count servers, beside the one with a fee for the whole service."""
    offering = web_application()
    plain, cared = offering.plans
    per_server = (
        Component(
            "patching", ComponentKind.FIXED, text("Patching"), "service.months",
            {"item": "patching"}, quantity_input="servers",
        ),
        Component(
            "install", ComponentKind.ONE_TIME, text("Installation"), "service.once",
            {"item": "install"}, quantity_input="servers",
        ),
    )  # fmt: skip
    each = replace(plain, slug="each", components=(*plain.components, *per_server))
    world.market.define_offering(PLATFORM, replace(offering, plans=(plain, cared, each)))
    world.price("service.months", "35", item="patching")
    world.price("service.once", "800", item="install")


def bill(world: World, period: str) -> Statement:
    world.billing.rate(period)
    (head,) = [h for h in world.billing.statements(FINANCE) if h.period == period]
    return world.billing.statement(FINANCE, head.id)


def items(statement: Statement) -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and unrounded cost by item."""
    return {
        line.key.dimensions["item"]: (line.quantity, line.cost)
        for line in statement.lines
        if line.key.meter.startswith("service.")
    }


def near(found: Decimal, wanted: Decimal) -> bool:
    return abs(found - wanted) < Decimal("0.00001")


def seconds(start: datetime, end: datetime) -> Decimal:
    return Decimal(int((end - start).total_seconds()))


def put(world: World, kind: OrderKind, instance: str, plan: str = "", **inputs: Any) -> Order:
    """Change or return a service, all the way."""
    wish = Wish(kind=kind, instance=instance, plan=plan, inputs=inputs, justification="Needed.")
    draft = world.market.create_order(MEMBER, wish)
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    return world.fulfil(world.market.approve(FINANCE, order.id, order.digest))


def records(world: World) -> list[UsageRecord]:
    window = Interval(BEGIN, JANUARY)
    return list(world.metering.records(PLATFORM, window, PageRequest(limit=200)).items)


def test_a_service_is_billed_from_its_activation_on(world: World) -> None:
    began = world.clock.advance(minutes=17, seconds=33)
    order = world.active(plan="cared")
    world.clock.set(DECEMBER)
    statement = bill(world, "2026-11")
    november = items(statement)
    part = seconds(began, DECEMBER) / (30 * DAY)
    assert near(november["care"][1], 50 * part)
    assert november["setup"] == (Decimal(1), Decimal(300))
    world.billing.issue(FINANCE, statement.head.id)
    world.clock.set(JANUARY)
    # A whole month is one, however many events it is made of.
    assert items(bill(world, "2026-12")) == {"care": (Decimal(1), Decimal(50))}
    assert items(bill(world, "2026-11")) == november
    assert world.market.order(MEMBER, order.id).state is OrderState.ACTIVE


def test_a_statement_is_explained_back_to_the_order_and_its_approval(world: World) -> None:
    order = world.active(plan="cared")
    world.clock.set(DECEMBER)
    for line in bill(world, "2026-11").lines:
        why = world.billing.explain(FINANCE, line.id)
        assert (why.origin.resource["id"], why.origin.resource["type"]) == (
            order.instance_id, "service",
        )  # fmt: skip
        assert why.origin.order["id"] == order.id
        assert why.origin.contract["number"] == "CT-HEALTH"
        assert [a["approver"] for a in why.origin.approvals] == ["finance"]
        assert why.evidence_quantity == line.quantity


def test_a_month_is_whole_when_it_is_issued_at_its_end(world: World) -> None:
    world.active(plan="cared")
    world.clock.set(DECEMBER)
    world.billing.rate("2026-11")
    (head,) = world.billing.statements(FINANCE)
    issued = items(world.billing.issue(FINANCE, head.id))
    assert near(issued["care"][1], 50 * (1 - Decimal(57) / 720))


def test_nothing_is_due_before_the_service_is_there(world: World) -> None:
    world.approved(plan="cared")
    world.clock.advance(days=5)
    assert world.market.charge_fees() == 0
    assert records(world) == []


def test_a_failed_order_owes_nothing(world: World) -> None:
    order = world.approved(plan="cared")
    world.market.fail(order.id, order.round, {"code": "x", "detail": "no room"})
    world.clock.advance(days=5)
    assert world.market.charge_fees() == 0


def test_a_change_counts_from_its_instant_and_a_return_ends_it(world: World) -> None:
    place(world)
    began = world.clock.now()
    first = world.active(plan="each")
    world.clock.set(datetime(2026, 11, 12, 3, 4, 5, tzinfo=UTC))
    changed = world.clock.now()
    order = put(world, OrderKind.CHANGE, first.instance_id, servers=5)
    world.clock.set(datetime(2026, 11, 20, 23, 59, 59, 123456, tzinfo=UTC))
    ended = world.clock.now()
    put(world, OrderKind.DELETE, first.instance_id)
    world.clock.set(JANUARY)
    found = items(bill(world, "2026-11"))
    month = 30 * DAY
    micros = Decimal((ended - changed) // (DECEMBER - BEGIN).resolution) / 10**6
    assert near(
        found["patching"][1], 35 * (2 * seconds(began, changed) + 5 * micros) / Decimal(month)
    )
    # Three servers are new: two were installed before.
    assert found["install"] == (Decimal(5), Decimal(4000))
    assert order.state is OrderState.ACTIVE
    world.billing.rate("2026-12")
    assert {h.period for h in world.billing.statements(FINANCE)} == {"2026-11"}


def test_what_was_paid_once_is_not_asked_for_again(world: World) -> None:
    place(world)
    first = world.active(plan="each")
    grown = Wish(kind=OrderKind.CHANGE, instance=first.instance_id, inputs={"servers": 3})
    assert world.market.quote(MEMBER, grown).price.one_time.amount == 800
    shrunk = replace(grown, inputs={"servers": 1})
    assert world.market.quote(MEMBER, shrunk).price.one_time.amount == 0
    put(world, OrderKind.CHANGE, first.instance_id, servers=1)
    # A server that comes back was installed once.
    back = replace(grown, inputs={"servers": 2})
    assert world.market.quote(MEMBER, back).price.one_time.amount == 0
    other = replace(grown, plan="cared", inputs={})
    assert world.market.quote(MEMBER, other).price.one_time.amount == 300


@pytest.mark.parametrize("step", FULFIL_STEPS)
def test_a_worker_that_dies_leaves_no_fee_out_and_none_twice(world: World, step: str) -> None:
    for number, context in enumerate(("before", "after")):
        order = world.approved(plan="cared", name=f"web-{number}")
        operation = world.operations.get(PLATFORM, order.operation_id)
        finish(world, operation, contexts(operation, step)[context == "after"])
    began = world.clock.now()
    world.clock.set(DECEMBER)
    # What belongs to two services, each its own.
    lines = [line for line in bill(world, "2026-11").lines if line.key.meter == "service.months"]
    assert [near(line.cost, 50 * seconds(began, DECEMBER) / (30 * DAY)) for line in lines] == [
        True, True,
    ]  # fmt: skip
    once = [line for line in bill(world, "2026-11").lines if line.key.meter == "service.once"]
    assert [line.cost for line in once] == [300, 300]


def test_charging_at_the_same_moment_counts_once(database_url: str, clock: SettableClock) -> None:
    database = Database(database_url, pool_size=8)
    world = build(database, clock)
    world.active(plan="cared")
    clock.set(JANUARY)
    gate = threading.Barrier(6)

    def charge(_: int) -> int:
        gate.wait()
        return world.market.charge_fees()

    with ThreadPoolExecutor(6) as pool:
        made = sum(pool.map(charge, range(6)))
    assert made == 28 + 31  # 3 to 30 November, and December
    assert world.market.charge_fees() == 0
    assert items(bill(world, "2026-12"))["care"] == (Decimal(1), Decimal(50))
    database.close()


def test_a_transaction_that_fails_charges_nothing(world: World) -> None:
    """The days are charged with their events, or neither."""
    world.active(plan="cared")
    world.clock.set(DECEMBER)

    def charge_and_fail() -> None:
        with world.database.transaction():
            world.market.charge_fees()
            raise Conflict("cut off")

    before = len(records(world))
    with pytest.raises(Conflict):
        charge_and_fail()
    assert len(records(world)) == before
    assert world.market.charge_fees() == 28


def test_a_clock_that_goes_back_charges_nothing_twice(world: World) -> None:
    world.active(plan="cared")
    now = world.clock.now()
    world.clock.set(DECEMBER)
    assert world.market.charge_fees() == 28
    world.clock.set(now)
    assert world.market.charge_fees() == 0
    instance = next(iter({r.resource_id for r in records(world)}))
    put(world, OrderKind.DELETE, instance)
    world.clock.set(JANUARY)
    assert world.market.charge_fees() == 0


@pytest.mark.parametrize(
    "change",
    [
        "TRUNCATE marketplace_fee",
        "DELETE FROM marketplace_fee",
        "UPDATE marketplace_fee SET quantity = 0",
        "UPDATE marketplace_fee SET ends = NULL",
        "TRUNCATE marketplace_ledger",
        "TRUNCATE marketplace_approval",
        "TRUNCATE marketplace_transition",
        "TRUNCATE marketplace_order_plan",
        "TRUNCATE marketplace_order CASCADE",
        "TRUNCATE marketplace_contract_version",
        "TRUNCATE marketplace_policy",
        "UPDATE marketplace_approval SET lapsed_at = now(), decision = 'rejected'",
        "UPDATE marketplace_ledger SET committed = 0",
    ],
)
def test_what_is_written_of_money_is_only_added_to(world: World, change: str) -> None:
    world.active(plan="cared")
    with pytest.raises(DBAPIError, match="append-only"), world.database.transaction():
        world.database.execute(sa.text(change))
