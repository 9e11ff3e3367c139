"""Declared services: the order that is needed, and never a second one."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from foundation.kernel.errors import Conflict, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from marketplace.model import OrderKind, OrderState, Wish
from marketplace.service.declaring import Declared, Standing
from tests.contract.marketplace.conftest import (
    COLLEAGUE,
    FINANCE,
    MEMBER,
    NEIGHBOUR,
    PLATFORM,
    World,
)
from tests.fakes.provisioner import forbidden


def declare(world: World, actor: Any = MEMBER, **changed: Any) -> Declared:
    present = changed.pop("present", True)
    check = changed.pop("check", False)
    return world.market.declare(actor, world.wish(**changed), present=present, check=check)


def submit(world: World, declared: Declared) -> None:
    assert declared.order is not None
    world.run(world.market.submit(MEMBER, declared.order.id))


def orders(world: World) -> list[tuple[str, str]]:
    page = world.market.orders(MEMBER, PageRequest(limit=100))
    return [(order.kind.value, order.state.value) for order in page.items]


def test_a_new_service_is_ordered_once(world: World) -> None:
    first = declare(world)
    assert first.standing is Standing.DRAFTED
    assert first.order is not None
    assert {"plan", "offering"} <= {change.field for change in first.changes}
    again = declare(world)
    assert again.order == first.order
    submit(world, first)
    waiting = declare(world)
    assert waiting.standing is Standing.UNDER_WAY
    assert waiting.order is not None
    assert (waiting.order.id, waiting.order.state) == (first.order.id, OrderState.IN_APPROVAL)
    assert declare(world, justification="Other words.").order == waiting.order
    assert orders(world) == [("apply", "in_approval")]


def test_another_content_takes_the_place_of_what_waits(world: World) -> None:
    first = declare(world)
    assert first.order is not None
    draft = declare(world, inputs={"servers": 3})
    assert draft.order is not None
    assert (draft.order.id, draft.order.wish.inputs["servers"]) == (first.order.id, 3)
    submit(world, draft)
    waiting = world.market.order(MEMBER, first.order.id)
    newer = declare(world, inputs={"servers": 4})
    assert newer.order is not None
    assert newer.order.id == first.order.id
    assert newer.order.state is OrderState.DRAFT
    with pytest.raises(NotFound):  # it is its writer's draft again
        world.market.approve(FINANCE, waiting.id, waiting.digest)
    submit(world, newer)
    planned = world.market.order(MEMBER, first.order.id)
    assert planned.digest != waiting.digest
    assert orders(world) == [("apply", "in_approval")]


def test_what_others_ordered_is_not_replaced(world: World) -> None:
    submit(world, declare(world))
    same = declare(world, COLLEAGUE)
    assert same.standing is Standing.UNDER_WAY
    with pytest.raises(Conflict, match="under way"):
        declare(world, COLLEAGUE, inputs={"servers": 5})
    with pytest.raises(NotFound):
        declare(world, NEIGHBOUR)


def test_what_is_approved_is_not_replaced(world: World) -> None:
    world.approved()
    assert declare(world).standing is Standing.UNDER_WAY
    with pytest.raises(Conflict, match="under way"):
        declare(world, inputs={"servers": 5})


def test_a_service_that_is_as_declared(world: World) -> None:
    world.active()
    found = declare(world)
    assert (found.standing, found.order, found.changes) == (Standing.UNCHANGED, None, ())
    assert found.instance is not None
    assert len(orders(world)) == 1


def test_a_service_is_changed_and_changed_back(world: World) -> None:
    world.active()
    more = declare(world, inputs={"servers": 3})
    assert more.order is not None
    assert more.order.kind is OrderKind.CHANGE
    assert [(c.field, c.before, c.after) for c in more.changes] == [("inputs.servers", 2, 3)]
    assert declare(world, inputs={"servers": 3}).order == more.order
    submit(world, more)
    waiting = declare(world, inputs={"servers": 3})
    assert waiting.standing is Standing.UNDER_WAY
    # As it is after all: the change is taken back.
    assert declare(world).standing is Standing.UNCHANGED
    assert world.market.order(MEMBER, more.order.id).state is OrderState.WITHDRAWN
    again = declare(world, inputs={"servers": 3})
    assert again.order is not None
    submit(world, again)
    order = world.market.order(MEMBER, again.order.id)
    world.fulfil(world.market.approve(FINANCE, order.id, order.digest))
    assert declare(world, inputs={"servers": 3}).standing is Standing.UNCHANGED
    # What a file no longer names is as the plan has it.
    back = declare(world)
    assert [(c.field, c.before, c.after) for c in back.changes] == [("inputs.servers", 3, 2)]


def test_a_service_is_returned_once(world: World) -> None:
    assert declare(world, present=False).standing is Standing.UNCHANGED
    assert orders(world) == []
    world.active()
    gone = declare(world, present=False)
    assert gone.order is not None
    assert gone.order.kind is OrderKind.DELETE
    assert declare(world, present=False).order == gone.order
    submit(world, gone)
    order = world.market.order(MEMBER, gone.order.id)
    assert declare(world, present=False).standing is Standing.UNDER_WAY
    world.fulfil(world.market.approve(FINANCE, order.id, order.digest))
    assert declare(world, present=False).standing is Standing.UNCHANGED
    anew = declare(world)
    assert anew.order is not None
    assert anew.order.kind is OrderKind.APPLY


def test_a_refusal_stands_until_the_content_differs(world: World) -> None:
    submit(world, declare(world))
    (waiting,) = world.market.orders(MEMBER, PageRequest()).items
    world.market.reject(FINANCE, waiting.id, waiting.digest, "too dear")
    refused = declare(world)
    assert refused.standing is Standing.REJECTED
    assert refused.order is not None
    assert refused.order.id == waiting.id
    smaller = declare(world, inputs={"servers": 1})
    assert smaller.standing is Standing.DRAFTED
    assert smaller.order is not None
    assert smaller.order.id != waiting.id


def test_an_order_that_nobody_decided_is_asked_for_again(world: World) -> None:
    submit(world, declare(world))
    (waiting,) = world.market.orders(MEMBER, PageRequest()).items
    world.clock.advance(days=31)
    assert world.market.expire_overdue() == [waiting.id]
    again = declare(world)
    assert again.order is not None
    assert (again.order.id, again.order.state) == (waiting.id, OrderState.DRAFT)


def test_a_failed_order_is_the_same_order(world: World) -> None:
    declared = declare(world)
    assert declared.order is not None
    world.provisioner.findings = (forbidden("server-0"),)
    with pytest.raises(Invalid):
        submit(world, declared)
    world.provisioner.findings = ()
    failed = declare(world)
    assert (failed.standing, failed.order and failed.order.id) == (
        Standing.FAILED, declared.order.id,
    )  # fmt: skip
    other = declare(world, inputs={"servers": 3})
    assert other.order is not None
    assert (other.order.id, other.order.state) == (declared.order.id, OrderState.DRAFT)


def test_what_failed_half_made_is_retried_or_returned(world: World) -> None:
    order = world.approved()
    world.provisioner.refuse = "no host has room"
    with pytest.raises(Exception, match="no host has room"):
        world.fulfil(order)
    world.provisioner.refuse = ""
    failed = declare(world)
    assert failed.standing is Standing.FAILED
    assert failed.order is not None
    assert failed.order.id == order.id
    with pytest.raises(Conflict, match="retry it"):
        declare(world, inputs={"servers": 3})


def test_everything_that_is_wrong_is_named_at_once_and_nothing_is_kept(world: World) -> None:
    wrong = world.wish(
        plan="xxl", region="west", name="A b", contract="none", justification="",
        inputs={"servers": 99},
    )  # fmt: skip
    with pytest.raises(Invalid) as told:
        world.market.declare(MEMBER, wrong)
    fields = {problem.field for problem in told.value.problems}
    assert fields >= {"plan", "region", "name", "contract", "justification"}
    with pytest.raises(Invalid, match="tenancy"):
        world.market.declare(MEMBER, Wish())
    checked = declare(world, check=True)
    assert (checked.standing, checked.order) == (Standing.DRAFTED, None)
    assert orders(world) == []


def test_what_a_service_is_does_not_change(world: World) -> None:
    world.active()
    other = replace(world.market.offering(PLATFORM, "web-application"), slug="other-application")
    world.market.define_offering(PLATFORM, other)
    with pytest.raises(Invalid) as told:
        declare(world, offering="other-application")
    assert {problem.field for problem in told.value.problems} == {"offering"}


def test_two_pipelines_at_once_order_once(world: World) -> None:
    found: list[Declared] = []
    errors: list[BaseException] = []
    gate = threading.Barrier(6)

    def run() -> None:
        gate.wait()
        try:
            made = declare(world)
            found.append(made)
            assert made.order is not None
            world.market.submit(MEMBER, made.order.id)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    allowed = [error for error in errors if type(error).__name__ != "PreconditionFailed"]
    assert not allowed
    assert len({made.order.id for made in found if made.order}) == 1
    assert orders(world) == [("apply", "submitted")]
