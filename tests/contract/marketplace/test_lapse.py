"""What was approved is what is done: when the world changed in between, the approval lapses."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import NeedsApproval
from foundation.kernel.text import Text
from marketplace.model import Difference, OrderState, differences
from marketplace.store.tables import order_table
from tests.contract.marketplace.conftest import FINANCE, MEMBER, PLATFORM, World


def lapsed(world: World, change: Callable[[], object]) -> list[dict[str, Any]]:
    """Approve an order, change the world, and try to carry it out; answers the difference."""
    order = world.approved()
    change()
    with pytest.raises(NeedsApproval) as error:
        world.fulfil(order)
    now = world.market.order(MEMBER, order.id)
    assert now.state is OrderState.IN_APPROVAL
    assert now.digest != order.digest
    difference = list(error.value.details["difference"])
    assert difference
    assert now.lapse == tuple(difference)
    digests = {"approved": order.digest, "current": now.digest}
    assert digests.items() <= error.value.details.items()
    # Nothing was made, nothing is held, and the old approval does not count.
    assert world.provisioner.applied == []
    assert world.money()[:2] == (0, 0)
    assert world.quota("vcpus") == (0, 0)
    assert all(a.lapsed_at for a in world.market.approval(FINANCE, order.id).given)
    with pytest.raises(NeedsApproval) as error:
        world.market.approve(FINANCE, order.id, order.digest)
    assert digests.items() <= error.value.details.items()
    # What it would be now can be approved, by the same person, and is then carried out.
    world.market.approve(FINANCE, order.id, now.digest)
    assert world.fulfil(order).state is OrderState.ACTIVE
    assert len(world.provisioner.applied) == 1
    return difference


def of(difference: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [d for d in difference if d["kind"] == kind]


def test_a_new_blueprint_revision(world: World) -> None:
    before = world.provisioner.revision

    def publish() -> None:
        world.provisioner.revision = world.provisioner.make_revision("1.1.0")

    (found,) = lapsed(world, publish)
    assert (found["kind"], found["subject"]) == ("revision", "web-application")
    assert found["before"] == f"1.0.0 ({before.digest})"
    assert found["after"] == f"1.1.0 ({world.provisioner.revision.digest})"
    assert found["message"]["en"].startswith("Blueprint revision web-application was 1.0.0 (sha256")
    assert found["message"]["zh"].startswith("蓝图版本 web-application 由 1.0.0")


def test_another_input(world: World) -> None:
    def tamper() -> None:
        # No use case changes an approved order; a row that was changed beneath us is found out.
        with world.database.transaction():
            wish = sa.text("jsonb_set(wish, '{inputs,servers}', '3')")
            world.database.execute(order_table.update().values(wish=wish))

    found = lapsed(world, tamper)
    (entry,) = of(found, "input")
    assert (entry["subject"], entry["before"], entry["after"]) == ("servers", 2, 3)
    assert entry["message"]["en"] == "Input servers was 2 and is now 3"
    assert [d["message"]["en"] for d in of(found, "resource")] == [
        "Resource urn::fake:Server::server-2 is new: create server-2"
    ]
    assert ("vcpus of the order", "4", "6") in [
        (d["subject"], d["before"], d["after"]) for d in of(found, "quota")
    ]
    assert ("month", "1533", "2263") in [
        (d["subject"], d["before"], d["after"]) for d in of(found, "price")
    ]


def test_another_price(world: World) -> None:
    found = lapsed(world, lambda: world.price("server.instance_hours", "1.5", flavor="m"))
    assert {d["kind"] for d in found} == {"price"}
    by_subject = {d["subject"]: (d["before"], d["after"]) for d in found}
    assert by_subject["month"] == ("1533", "2263")
    assert by_subject["server-0 server.instance_hours flavor=m: unit_price"] == ("1", "1.5")


def test_another_quota(world: World) -> None:
    found = lapsed(
        world,
        lambda: world.tenancies.set_quota(PLATFORM, scope="/city/health/", limits={"vcpus": 4}),
    )
    (entry,) = found
    assert (entry["kind"], entry["before"], entry["after"]) == ("quota", "no limit", "4")
    assert entry["subject"].startswith("vcpus limit of the bureau org_")


def test_other_peoples_use_changes_nothing(world: World) -> None:
    order = world.approved()
    world.tenancies.reserve("somebody", world.water.id, {"vcpus": Decimal(3)})
    assert world.fulfil(order).state is OrderState.ACTIVE


def test_time_changes_nothing(world: World) -> None:
    order = world.approved()
    world.clock.advance(days=20)
    assert world.fulfil(order).state is OrderState.ACTIVE


def test_the_engines_refusal_at_the_last_moment_lapses_too(world: World) -> None:
    order = world.approved()
    world.provisioner.surprise = True
    with pytest.raises(NeedsApproval):
        world.fulfil(order)
    now = world.market.order(MEMBER, order.id)
    assert now.state is OrderState.IN_APPROVAL
    assert now.lapse == ({"kind": "x"},)
    assert world.money()[:2] == (0, 0)


def test_a_lapsed_order_can_be_withdrawn_and_its_name_is_free(world: World) -> None:
    order = world.approved()
    world.price("server.instance_hours", "1.5", flavor="m")
    with pytest.raises(NeedsApproval):
        world.fulfil(order)
    assert world.market.withdraw(MEMBER, order.id).state is OrderState.WITHDRAWN
    world.active()


def test_a_repeated_verification_lapses_once(world: World) -> None:
    order = world.approved()
    world.price("server.instance_hours", "1.5", flavor="m")
    for _ in range(2):  # a worker dies after it and before its answer was kept
        with pytest.raises(NeedsApproval):
            world.market.verify(order.id, order.round, order.digest)
    history = [t.after.value for t in world.market.history(MEMBER, order.id)]
    assert history.count("in_approval") == 2


def test_every_part_of_a_plan_is_compared(world: World) -> None:
    """Whatever leaf of the document changes, a difference is shown: none is silent."""
    order = world.planned()
    document = world.market.order_plan(MEMBER, order.id).document
    # Twelve times the month, and quantity times unit price: their factors are compared.
    derived = re.compile(r"price\.year|price\.lines\.\d+\.amount")
    leaves = [path for path in _leaves(document) if not derived.fullmatch(path)]
    assert len(leaves) > 50
    for path in leaves:
        assert differences(document, _changed(document, path)), path


def test_a_difference_reads_well_in_both_languages() -> None:
    found = Difference("input", "size", "m", "l", Text("a", "b")).document()
    assert found["message"] == {"en": "a", "zh": "b"}


def _leaves(tree: Any, path: str = "") -> list[str]:
    if isinstance(tree, dict):
        return [p for k, v in tree.items() for p in _leaves(v, f"{path}.{k}" if path else k)]
    if isinstance(tree, list):
        return [p for n, v in enumerate(tree) for p in _leaves(v, f"{path}.{n}")]
    return [path]


def _changed(tree: Any, path: str) -> Any:
    head, _, rest = path.partition(".")
    if not head:
        return "changed"
    if isinstance(tree, list):
        return [_changed(v, rest) if n == int(head) else v for n, v in enumerate(tree)]
    return {**tree, head: _changed(tree[head], rest)}
