"""What policies say of an order: what forbids it, what a waiver lets pass, and when that ends."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from control_plane.provisioning.model import Exemption, Finding, Severity
from foundation.kernel.errors import Invalid, NeedsApproval
from foundation.kernel.text import Text
from marketplace.model import Order, OrderKind, OrderState, Wish
from tests.contract.marketplace.conftest import FINANCE, MEMBER, World

WAIVER = Exemption(
    "wai_1", "usr_owner", "Owner", "until the move", datetime(2027, 1, 1, tzinfo=UTC)
)
WAIVABLE = Finding(
    "backups.declared", Severity.WAIVABLE, "volume",
    Text("Does not say how it is backed up.", "未声明备份方式。"),
)  # fmt: skip
WAIVED = replace(WAIVABLE, waiver=WAIVER)
DEAR = Finding(
    "budget.price", Severity.WAIVABLE, "", Text("Costs more than foreseen.", "超出预算。")
)


def refused(world: World, order_id: str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid):
        world.run(world.market.submit(MEMBER, order_id))
    failed = world.market.order(MEMBER, order_id)
    assert failed.state is OrderState.FAILED
    assert failed.failure is not None
    return [(e["field"], e["code"]) for e in failed.failure["errors"]]


def test_a_waivable_finding_stops_an_order_until_it_is_waived(world: World) -> None:
    world.provisioner.findings = (WAIVABLE,)
    draft = world.market.create_order(MEMBER, world.wish())
    assert refused(world, draft.id) == [("findings.backups.declared", "waivable")]
    world.provisioner.findings = (WAIVED,)
    world.run(world.market.retry(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    assert order.state is OrderState.IN_APPROVAL
    review = world.market.approval(FINANCE, order.id)
    assert [f["waiver"] for f in review.findings] == [WAIVER.document()]
    assert review.may_decide
    world.market.approve(FINANCE, order.id, order.digest)
    assert world.fulfil(order).state is OrderState.ACTIVE


def test_the_waiver_is_part_of_what_is_approved(world: World) -> None:
    world.provisioner.findings = (WAIVED,)
    first = world.planned()
    plan = world.market.order_plan(MEMBER, first.id)
    assert plan.document["provisioning"]["findings"] == [WAIVED.document()]
    world.provisioner.findings = (replace(WAIVED, waiver=replace(WAIVER, id="wai_2")),)
    assert world.planned(name="other").digest != first.digest


def lapsed(world: World) -> Order:
    """An approved order whose waiver ended before it was carried out."""
    world.provisioner.findings = (WAIVED,)
    order = world.approved()
    world.provisioner.findings = (WAIVABLE,)
    with pytest.raises(NeedsApproval) as refusal:
        world.fulfil(order)
    (difference,) = refusal.value.details["difference"]
    assert (difference["kind"], difference["subject"]) == ("finding", "backups.declared volume")
    assert difference["message"]["en"] == (
        "Policy finding backups.declared volume was Does not say how it is backed up. "
        "(waived until 2027-01-01T00:00:00Z) and is now Does not say how it is backed up."
    )
    return world.market.order(MEMBER, order.id)


def test_a_waiver_that_ended_after_the_approval(world: World) -> None:
    now = lapsed(world)
    assert now.state is OrderState.IN_APPROVAL
    assert world.provisioner.applied == []
    assert world.money()[0] == 0
    assert world.quota("vcpus") == (0, 0)


def test_nobody_approves_what_a_policy_forbids(world: World) -> None:
    now = lapsed(world)
    review = world.market.approval(FINANCE, now.id)
    assert not review.may_decide
    assert "once a waiver holds" in review.why_not
    with pytest.raises(Invalid) as refusal:
        world.market.approve(FINANCE, now.id, now.digest)
    assert [(p.field, p.code) for p in refusal.value.problems] == [
        ("findings.backups.declared", "waivable")
    ]
    assert world.market.order(MEMBER, now.id).state is OrderState.IN_APPROVAL
    assert world.market.reject(FINANCE, now.id, now.digest, "no waiver").state == "rejected"


def test_an_order_goes_on_with_another_waiver(world: World) -> None:
    now = lapsed(world)
    world.provisioner.findings = (replace(WAIVED, waiver=replace(WAIVER, id="wai_2")),)
    world.market.withdraw(MEMBER, now.id)
    world.market.reopen(MEMBER, now.id)
    world.run(world.market.submit(MEMBER, now.id))
    again = world.market.order(MEMBER, now.id)
    world.market.approve(FINANCE, again.id, again.digest)
    assert world.fulfil(again).state is OrderState.ACTIVE


def test_what_is_said_of_the_price_counts_alike(world: World) -> None:
    world.provisioner.price_findings = (DEAR,)
    quote = world.market.quote(MEMBER, world.wish())
    assert [f["policy"] for f in quote.findings] == ["budget.price"]
    draft = world.market.create_order(MEMBER, world.wish())
    assert refused(world, draft.id) == [("findings.budget.price", "waivable")]
    world.provisioner.price_findings = (replace(DEAR, waiver=WAIVER),)
    world.run(world.market.retry(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    assert world.market.order_plan(MEMBER, order.id).document["findings"] == [
        world.provisioner.price_findings[0].document()
    ]
    world.market.approve(FINANCE, order.id, order.digest)
    world.provisioner.price_findings = (DEAR,)
    with pytest.raises(NeedsApproval):
        world.fulfil(order)
    assert not world.market.approval(FINANCE, order.id).may_decide


def test_nothing_is_said_of_the_price_of_a_return(world: World) -> None:
    instance = world.active().instance_id
    world.provisioner.price_findings = (DEAR,)
    wish = Wish(kind=OrderKind.DELETE, instance=instance, justification="Not needed.")
    draft = world.market.create_order(MEMBER, wish)
    world.run(world.market.submit(MEMBER, draft.id))
    assert world.market.order(MEMBER, draft.id).state is OrderState.IN_APPROVAL


def test_several_findings_of_one_policy_are_all_shown_as_differences(world: World) -> None:
    other = replace(WAIVED, message=Text("Nor says it who may restore it.", "未声明恢复人。"))
    world.provisioner.findings = (WAIVED, other)
    order = world.approved()
    world.provisioner.findings = (WAIVED, replace(other, waiver=None))
    with pytest.raises(NeedsApproval) as refusal:
        world.fulfil(order)
    subjects = [d["subject"] for d in refusal.value.details["difference"]]
    assert subjects == ["backups.declared volume (2)"]
