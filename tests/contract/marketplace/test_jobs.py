"""The workflow: a worker dies before or after any step, and another one finishes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from foundation.operations.model import Operation, OperationState
from marketplace.jobs import FULFIL_STEPS, PLAN_STEPS, handlers, schedules
from marketplace.model import InstanceState, Order, OrderKind, OrderState, Wish
from tests.contract.marketplace.conftest import FINANCE, MEMBER, PLATFORM, World
from tests.contract.marketplace.test_orders import MONTH, MONTHS, states
from tests.fakes.context import FakeContext


class _KilledError(BaseException):
    """The worker is gone: no handler of errors sees it."""


def killed_before(step: str) -> Callable[[str], None]:
    def look(name: str) -> None:
        if name == step:
            raise _KilledError

    return look


class _ForgetfulContext(FakeContext):
    """Dies after a step was done and before its answer was kept."""

    def __init__(self, operation: Operation, step: str) -> None:
        super().__init__(operation)
        self._fatal = step

    def _run(self, name: str, work: Callable[[], Any]) -> Any:
        answer = super()._run(name, work)
        if name == self._fatal:
            self._fatal = ""
            del self.kept[name]
            raise _KilledError
        return answer


def finish(world: World, operation: Operation, first: FakeContext) -> None:
    """Let the first worker die and a second one finish from what was kept."""
    work = handlers(world.market)[operation.kind].run
    with pytest.raises(_KilledError):
        work(first)  # type: ignore[arg-type]
    second = FakeContext(operation)
    second.kept = first.kept
    work(second)  # type: ignore[arg-type]


def contexts(operation: Operation, step: str) -> list[FakeContext]:
    return [FakeContext(operation, killed_before(step)), _ForgetfulContext(operation, step)]


def test_the_steps_are_those_that_are_announced(world: World) -> None:
    draft = world.market.create_order(MEMBER, world.wish())
    seen: list[str] = []
    operation = world.market.submit(MEMBER, draft.id)
    jobs = handlers(world.market)
    jobs["order.plan"].run(FakeContext(operation, seen.append))  # type: ignore[arg-type]
    assert tuple(seen) == PLAN_STEPS == jobs["order.plan"].steps
    order = world.market.order(MEMBER, draft.id)
    order = world.market.approve(FINANCE, order.id, order.digest)
    seen.clear()
    operation = world.operations.get(PLATFORM, order.operation_id)
    context = FakeContext(operation, seen.append)
    jobs["order.fulfil"].run(context)  # type: ignore[arg-type]
    assert tuple(seen) == FULFIL_STEPS == jobs["order.fulfil"].steps
    assert [name for name, _ in context.events] == ["resource.done"] * 3


@pytest.mark.parametrize("step", PLAN_STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_planning(world: World, step: str, moment: str) -> None:
    draft = world.market.create_order(MEMBER, world.wish())
    operation = world.market.submit(MEMBER, draft.id)
    finish(world, operation, contexts(operation, step)[moment == "after"])
    assert states(world, draft.id) == ["draft", "submitted", "planning", "in_approval"]
    order = world.market.order(MEMBER, draft.id)
    world.market.approve(FINANCE, order.id, order.digest)
    assert world.fulfil(order).state is OrderState.ACTIVE


@pytest.mark.parametrize("step", FULFIL_STEPS)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["apply", "change", "delete"])
def test_killed_while_fulfilling(world: World, step: str, moment: str, kind: str) -> None:
    order = _approved(world, kind)
    operation = world.operations.get(PLATFORM, order.operation_id)
    finish(world, operation, contexts(operation, step)[moment == "after"])
    assert states(world, order.id) == [
        "draft", "submitted", "planning", "in_approval", "approved", "provisioning", "active",
    ]  # fmt: skip
    noted = [e["action"] for e in world.audit.entries if e["subject"] == order.id]
    assert noted == ["order.create", "order.submit", "approval.decide", "order.activate"]
    assert world.provisioner.applied.count(operation.id) == 1
    servers = {"apply": 2, "change": 3, "delete": 0}[kind]
    assert world.quota("instances") == (0, servers)
    money = {"apply": MONTH * MONTHS, "change": (MONTH + 730) * MONTHS, "delete": MONTH}
    assert world.money()[:2] == (0, money[kind])
    _, resources = world.market.instance_deployment(PLATFORM, order.instance_id)
    assert len(resources) == (servers + 1 if servers else 0)


def _approved(world: World, kind: str) -> Order:
    if kind == "apply":
        return world.approved()
    first = world.active()
    inputs = {"servers": 3} if kind == "change" else {}
    wish = Wish(
        kind=OrderKind(kind), instance=first.instance_id, inputs=inputs, justification="Needed."
    )
    draft = world.market.create_order(MEMBER, wish)
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    return world.market.approve(FINANCE, order.id, order.digest)


def test_repeating_all_of_it_changes_nothing(world: World) -> None:
    order = world.active()
    operation = world.operations.get(PLATFORM, order.operation_id)
    before = len(world.audit.entries), world.money(), world.quota("vcpus")
    for act in (
        lambda: world.market.record(order.id, order.round),
        lambda: world.market.consume(order.id, order.round),
        lambda: world.market.activate(order.id, order.round),
        lambda: world.market.fail(order.id, order.round, {"code": "x", "detail": "late"}),
    ):
        act()
    assert (len(world.audit.entries), world.money(), world.quota("vcpus")) == before
    assert world.market.order(MEMBER, order.id).state is OrderState.ACTIVE
    assert operation.kind == "order.fulfil"


def test_a_stuck_operation_is_seen_on_the_order(world: World) -> None:
    order = world.approved()
    at = world.clock.now()
    with world.database.transaction():
        store = world.operations._store  # noqa: SLF001 - what a worker would write
        store.finish(
            order.operation_id, OperationState.STUCK, at, error={"code": "crashed", "detail": "x"}
        )
    assert world.market.settle() == [order.id]
    stuck = world.market.order(MEMBER, order.id)
    assert (stuck.state, stuck.failure) == (OrderState.STUCK, {"code": "crashed", "detail": "x"})
    # What is held stays held: an operator may take the operation up again.
    assert world.quota("vcpus") == (4, 0)
    assert world.market.settle() == []
    world.fulfil(order)
    assert world.market.order(MEMBER, order.id).state is OrderState.ACTIVE


def test_an_operation_that_ended_alone_fails_its_order(world: World) -> None:
    order = world.approved()
    with world.database.transaction():
        world.operations._store.finish(  # noqa: SLF001
            order.operation_id, OperationState.FAILED, world.clock.now(),
            error={"code": "internal", "detail": "the platform failed"},
        )  # fmt: skip
    assert world.market.settle() == [order.id]
    assert world.market.order(MEMBER, order.id).state is OrderState.FAILED
    assert world.quota("vcpus") == (0, 0)
    assert world.money()[0] == Decimal(0)


def test_the_schedules_have_names(world: World) -> None:
    assert [s.name for s in schedules(world.market)] == ["marketplace.expire", "marketplace.settle"]


def test_an_instance_is_written_down_before_anything_is_made(world: World) -> None:
    order = world.approved()
    instance = world.market.instance(MEMBER, order.instance_id)
    assert instance.state is InstanceState.PENDING
    assert instance.deployment_id == order.deployment_id
    assert world.provisioner.applied == []


def test_approved_before_the_planning_worker_s_successor_looks_again(world: World) -> None:
    """The plan was put up, its worker died, and people went on before another one took it up."""
    draft = world.market.create_order(MEMBER, world.wish())
    planning = world.market.submit(MEMBER, draft.id)
    first = _ForgetfulContext(planning, "price")
    with pytest.raises(_KilledError):
        handlers(world.market)["order.plan"].run(first)  # type: ignore[arg-type]
    put_up = world.market.order(MEMBER, draft.id)
    world.fulfil(world.market.approve(FINANCE, put_up.id, put_up.digest))
    assert world.market.order(MEMBER, draft.id).state is OrderState.ACTIVE
    second = FakeContext(planning)
    second.kept = first.kept
    handlers(world.market)["order.plan"].run(second)  # type: ignore[arg-type]
    assert world.market.order(MEMBER, draft.id).state is OrderState.ACTIVE
