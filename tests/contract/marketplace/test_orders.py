"""The way of an order, from a draft to a service and back."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from control_plane.provisioning.standing import Standing, StandingKind
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
)
from foundation.kernel.paging import PageRequest
from marketplace.jobs import fulfil_order
from marketplace.model import Availability, InstanceState, OrderKind, OrderState, Wish
from tests.contract.marketplace.conftest import (
    COLLEAGUE,
    FINANCE,
    HEAD,
    MEMBER,
    NEIGHBOUR,
    PLATFORM,
    SECOND_FINANCE,
    SECURITY,
    TWO_STEPS,
    World,
    person,
    text,
    web_application,
    yuan,
)
from tests.fakes.context import FakeContext
from tests.fakes.provisioner import SCHEMA, forbidden

#: Two servers at 1 an hour and 100 GB at 0.001, for 730 hours.
MONTH = Decimal(1533)
#: Begun months of 730 hours from 3 November 2026, nine o'clock, to 1 November 2027.
MONTHS = 12


def fields(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [problem.field for problem in error.value.problems]


def states(world: World, order_id: str) -> list[str]:
    return [t.after.value for t in world.market.history(PLATFORM, order_id)]


def test_the_whole_way(world: World) -> None:
    order = world.active()
    assert states(world, order.id) == [
        "draft", "submitted", "planning", "in_approval", "approved", "provisioning", "active",
    ]  # fmt: skip
    instance = world.market.instance(MEMBER, order.instance_id)
    assert instance.state is InstanceState.ACTIVE
    assert instance.outputs == {"url": "https://appointments.east.example"}
    assert instance.held == {"instances": 2, "vcpus": 4, "volume_gb": 100}
    assert instance.monthly == yuan(MONTH)
    assert world.money() == (0, MONTH * MONTHS, 200_000 - MONTH * MONTHS)
    assert world.quota("vcpus") == (0, 4)
    deployment, resources = world.market.instance_deployment(MEMBER, instance.id)
    assert deployment.id == order.deployment_id
    assert len(resources) == 3


def test_every_transition_says_who_when_and_why(world: World) -> None:
    order = world.active()
    history = world.market.history(MEMBER, order.id)
    assert [t.by_name for t in history[:2]] == ["requester", "requester"]
    assert history[4].by_name == "finance"
    assert history[4].why == "approved by finance"
    assert all(t.at == world.clock.now() for t in history)
    assert [t.seq for t in history] == [1, 2, 3, 4, 5, 6, 7]
    noted = [e["action"] for e in world.audit.entries if e["subject"] == order.id]
    assert noted == ["order.create", "order.submit", "approval.decide", "order.activate"]


def test_money_and_quota_are_held_between_approval_and_activation(world: World) -> None:
    world.approved()
    assert world.money() == (MONTH * MONTHS, 0, 200_000 - MONTH * MONTHS)
    assert world.quota("vcpus") == (4, 0)


def test_a_draft_is_saved_and_edited(world: World) -> None:
    draft = world.market.create_order(MEMBER, Wish(tenancy=world.health.slug))
    assert draft.wish.tenancy == world.health.id
    changed = world.market.update_order(MEMBER, draft.id, world.wish(), version=draft.version)
    assert changed.wish.name == "appointments"
    with pytest.raises(PreconditionFailed):
        world.market.update_order(MEMBER, draft.id, world.wish(), version=draft.version)
    world.market.submit(MEMBER, draft.id)
    with pytest.raises(Conflict):
        world.market.update_order(MEMBER, draft.id, world.wish(), version=3)


def test_a_draft_is_its_writers_alone(world: World) -> None:
    draft = world.market.create_order(MEMBER, world.wish())
    for other in (COLLEAGUE, HEAD, NEIGHBOUR):
        with pytest.raises(NotFound):
            world.market.order(other, draft.id)
        assert world.market.orders(other, PageRequest()).items == ()
    assert [o.id for o in world.market.orders(MEMBER, PageRequest()).items] == [draft.id]


def test_another_departments_order_is_unknown(world: World) -> None:
    order = world.planned()
    assert world.market.order(COLLEAGUE, order.id) == order
    for act in (
        lambda: world.market.order(NEIGHBOUR, order.id),
        lambda: world.market.history(NEIGHBOUR, order.id),
        lambda: world.market.order_plan(NEIGHBOUR, order.id),
        lambda: world.market.approval(NEIGHBOUR, order.id),
        lambda: world.market.withdraw(NEIGHBOUR, order.id),
        lambda: world.market.approve(NEIGHBOUR, order.id, order.digest),
        lambda: world.market.contract(NEIGHBOUR, world.contract.id),
    ):
        with pytest.raises(NotFound):
            act()
    assert world.market.orders(NEIGHBOUR, PageRequest()).items == ()
    with pytest.raises(NotFound):
        world.market.create_order(NEIGHBOUR, world.wish())


def test_every_invalid_field_is_named_at_once(world: World) -> None:
    draft = world.market.create_order(
        MEMBER,
        world.wish(
            name="No Name", justification=" ", region="west", inputs={"servers": 9, "colour": 1},
            ends_at=world.clock.now() - timedelta(days=1), system="sys_none",
        ),
    )  # fmt: skip
    with pytest.raises(Invalid) as error:
        world.market.submit(MEMBER, draft.id)
    assert fields(error) == [
        "region", "system", "ends_at", "inputs.servers", "name", "justification",
    ]  # fmt: skip
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish(inputs={"servers": 99, "size": "x", "colour": 1}))
    assert sorted(set(fields(error))) == ["inputs.colour", "inputs.servers", "inputs.size"]
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, Wish(tenancy=world.health.id))
    assert fields(error) == ["offering", "plan", "region", "name"]


def test_a_secret_does_not_come_into_an_order(world: World) -> None:
    revision = world.provisioner.revision
    properties = {**SCHEMA["properties"], "password": {"type": "string", "x-secret": True}}
    document = {**revision.document, "inputs": {**SCHEMA, "properties": properties}}
    world.provisioner.revision = replace(revision, document=document)
    with pytest.raises(Invalid) as error:
        world.market.create_order(MEMBER, world.wish(inputs={"password": "x", "servers": 1}))
    assert [(p.field, p.code) for p in error.value.problems] == [("inputs.password", "secret")]


def test_an_offering_that_cannot_be_ordered_says_why(world: World) -> None:
    note = text("Comes with the next release")
    world.market.define_offering(
        PLATFORM,
        web_application(availability=Availability.PLANNED, availability_note=note),
    )
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish())
    assert error.value.problems[0].message == "cannot be ordered: Comes with the next release"


def test_what_is_made_from_a_retired_blueprint_cannot_be_ordered(world: World) -> None:
    kept = world.active()
    draft = world.market.create_order(MEMBER, world.wish(name="later"))
    waiting = world.planned(name="waiting")
    world.provisioner.standing = Standing(
        "web-application", StandingKind.RETIRED, successor="container-application"
    )
    for ask in (
        lambda: world.market.quote(MEMBER, world.wish(name="third")),
        lambda: world.market.submit(MEMBER, draft.id),
    ):
        with pytest.raises(Invalid) as refused:
            ask()
        assert fields(refused) == ["offering"]
        assert "retired; use container-application instead" in refused.value.message
    # What was planned before is finished, and what runs is still changed and returned.
    assert world.market.order(MEMBER, waiting.id).state is OrderState.IN_APPROVAL
    change = world.wish(kind=OrderKind.CHANGE, instance=kept.instance_id, inputs={"servers": 3})
    assert world.market.quote(MEMBER, change).price.month.amount > 0


def test_a_quote_shows_price_quota_and_who_approves(world: World) -> None:
    world.tenancies.set_quota(PLATFORM, scope="/city/health/", limits={"vcpus": 10})
    quote = world.market.quote(MEMBER, world.wish(plan="cared"))
    assert (quote.price.month, quote.price.year) == (yuan(MONTH + 50), yuan((MONTH + 50) * 12))
    assert quote.price.one_time == yuan(300)
    assert quote.encumbrance == yuan((MONTH + 50) * MONTHS + 300)
    assert quote.remaining == yuan(200_000)
    assert [(q.level, q.limit, q.after) for q in quote.quota if q.resource == "vcpus"] == [
        ("city", None, 4), ("bureau", 10, 4), ("tenancy", None, 4),
    ]  # fmt: skip
    assert [step.slug for step in quote.approvals] == ["finance"]
    assert quote.lead_time.count == 0
    assert quote.inputs == {"size": "m", "servers": 2, "volume_gb": 100}


def test_lead_time_is_measured(world: World) -> None:
    for name, minutes in (("one", 4), ("two", 6), ("three", 20)):
        order = world.approved(name=name)
        world.clock.advance(minutes=minutes)
        world.fulfil(order)
    lead = world.market.usage(MEMBER, "web-application").lead_time
    assert (lead.count, lead.median_seconds) == (3, 360)
    assert lead.p95_seconds == pytest.approx(18.6 * 60)


def test_an_order_until_a_date_holds_less(world: World) -> None:
    end = world.clock.now() + timedelta(hours=730 * 2 + 1)
    world.approved(ends_at=end)
    assert world.money()[0] == MONTH * 3


# Contracts ------------------------------------------------------------------------------------


def test_nothing_is_ordered_without_a_valid_contract(world: World) -> None:
    neighbour = person("n", ("member", "/city/water/"))
    wish = world.wish(tenancy=world.water.id)
    with pytest.raises(Invalid) as error:
        world.market.quote(neighbour, wish)
    assert [(p.field, p.code) for p in error.value.problems] == [("contract", "no_contract")]
    world.clock.advance(days=400)
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish())
    assert [(p.field, p.message) for p in error.value.problems] == [
        ("contract", "CT-HEALTH has ended")
    ]


def test_a_contract_covers_its_lots_only(world: World) -> None:
    offering = web_application(slug="disks", category="storage")
    world.market.define_offering(PLATFORM, offering)
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish(offering="disks"))
    assert fields(error) == ["contract"]


def test_an_approval_after_the_contracts_end_is_refused(world: World) -> None:
    order = world.planned()
    terms = replace(
        world.contract.terms,
        term=replace(world.contract.terms.term, end=world.clock.now() + timedelta(hours=2)),
    )
    world.market.amend_contract(FINANCE, world.contract.id, terms=terms, reason="ended early")
    world.clock.advance(hours=3)
    with pytest.raises(Conflict, match="not in force"):
        world.market.approve(FINANCE, order.id, order.digest)


# Approval -------------------------------------------------------------------------------------


def test_whoever_ordered_never_approves(world: World) -> None:
    both = person("both", ("member", "/city/health/"), ("finance", "/city/"))
    order = world.planned(both)
    with pytest.raises(Forbidden, match="whoever ordered"):
        world.market.approve(both, order.id, order.digest)
    with pytest.raises(Forbidden):
        world.market.reject(both, order.id, order.digest, "no")
    world.market.approve(FINANCE, order.id, order.digest)


def test_only_the_right_role_approves(world: World) -> None:
    order = world.planned()
    for other in (COLLEAGUE, PLATFORM, SECURITY, person("local", ("finance", "/city/health/"))):
        with pytest.raises(Forbidden):
            world.market.approve(other, order.id, order.digest)


def test_steps_follow_each_other_and_nobody_decides_twice(world: World) -> None:
    world.market.set_policy(PLATFORM, TWO_STEPS)
    order = world.planned()
    with pytest.raises(Forbidden, match="Finance"):
        world.market.approve(SECURITY, order.id, order.digest)
    both = person("both", ("finance", "/city/"), ("approver", "/city/"))
    after = world.market.approve(both, order.id, order.digest)
    assert after.state is OrderState.IN_APPROVAL
    assert world.quota("vcpus") == (0, 0)
    with pytest.raises(Conflict, match="already"):
        world.market.approve(both, order.id, order.digest)
    after = world.market.approve(SECURITY, order.id, order.digest)
    assert after.state is OrderState.APPROVED


def test_the_policy_counts_the_amount(world: World) -> None:
    dear = replace(TWO_STEPS.steps[1], from_monthly=MONTH + 1)
    world.market.set_policy(PLATFORM, replace(TWO_STEPS, steps=(TWO_STEPS.steps[0], dear)))
    assert [s.slug for s in world.market.approval(FINANCE, world.planned().id).missing] == [
        "finance"
    ]
    large = world.planned(name="large", inputs={"servers": 3})
    assert [s.slug for s in world.market.approval(FINANCE, large.id).missing] == [
        "finance", "security",
    ]  # fmt: skip


def test_the_approvers_list_shows_what_waits_for_them(world: World) -> None:
    order = world.planned()
    (review,) = world.market.approvals(FINANCE, PageRequest(), mine=True).items
    assert (review.order.id, review.may_decide) == (order.id, True)
    assert review.encumbrance == yuan(MONTH * MONTHS)
    assert world.market.approvals(COLLEAGUE, PageRequest(), mine=True).items == ()
    (seen,) = world.market.approvals(COLLEAGUE, PageRequest()).items
    assert not seen.may_decide


def test_a_rejection_has_a_reason_and_the_order_can_come_again(world: World) -> None:
    order = world.planned()
    with pytest.raises(Invalid):
        world.market.reject(FINANCE, order.id, order.digest, "  ")
    rejected = world.market.reject(FINANCE, order.id, order.digest, "Too large")
    assert rejected.state is OrderState.REJECTED
    assert world.market.history(MEMBER, order.id)[-1].why == "Too large"
    draft = world.market.reopen(MEMBER, order.id)
    smaller = world.market.update_order(
        MEMBER, order.id, world.wish(inputs={"servers": 1}), version=draft.version
    )
    world.run(world.market.submit(MEMBER, smaller.id))
    again = world.market.order(MEMBER, order.id)
    assert world.market.approve(FINANCE, order.id, again.digest).state is OrderState.APPROVED


def test_an_order_is_withdrawn_until_it_is_approved(world: World) -> None:
    order = world.planned()
    with pytest.raises(Forbidden):
        world.market.withdraw(COLLEAGUE, order.id)
    assert world.market.withdraw(HEAD, order.id, "not needed").state is OrderState.WITHDRAWN
    with pytest.raises(Conflict):
        world.market.approve(FINANCE, order.id, order.digest)
    with pytest.raises(Conflict):
        world.market.withdraw(MEMBER, world.approved().id)


def test_an_order_that_nobody_approves_expires(world: World) -> None:
    order = world.planned()
    world.clock.advance(days=30)
    with pytest.raises(Conflict, match="time for approval is over"):
        world.market.approve(FINANCE, order.id, order.digest)
    assert world.market.expire_overdue() == [order.id]
    assert world.market.order(MEMBER, order.id).state is OrderState.EXPIRED
    assert world.market.expire_overdue() == []


def test_what_a_policy_forbids_never_waits_for_approval(world: World) -> None:
    world.provisioner.findings = (forbidden("server-0"),)
    draft = world.market.create_order(MEMBER, world.wish())
    with pytest.raises(Invalid, match="must not be open to the internet"):
        world.run(world.market.submit(MEMBER, draft.id))
    failed = world.market.order(MEMBER, draft.id)
    assert failed.state is OrderState.FAILED
    assert failed.failure is not None
    assert failed.failure["errors"][0]["field"] == "findings.network.public_exposure"


def test_what_has_no_price_is_not_approved(world: World) -> None:
    (plain, cared) = web_application().plans
    small = replace(plain, slug="s", inputs={**plain.inputs, "size": "s"})
    world.market.define_offering(PLATFORM, web_application(plans=(plain, cared, small)))
    draft = world.market.create_order(MEMBER, world.wish(plan="s"))
    with pytest.raises(Invalid, match="has no price"):
        world.run(world.market.submit(MEMBER, draft.id))


def test_a_plan_is_not_made_another_one_by_its_inputs(world: World) -> None:
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish(inputs={"size": "l", "servers": 3}))
    assert [(p.field, p.message) for p in error.value.problems] == [
        ("inputs.size", "is m in plan M")
    ]


# What is short --------------------------------------------------------------------------------


def test_too_little_money_leaves_the_order_waiting(world: World) -> None:
    terms = replace(world.contract.terms, ceiling=yuan(MONTH * MONTHS * 2 - 1))
    world.market.amend_contract(FINANCE, "CT-HEALTH", terms=terms, reason="less")
    world.approved(name="one")
    second = world.planned(name="two")
    with pytest.raises(QuotaExceeded, match=r"CT-HEALTH has .* left"):
        world.market.approve(FINANCE, second.id, second.digest)
    assert world.market.order(MEMBER, second.id).state is OrderState.IN_APPROVAL
    assert world.market.approval(FINANCE, second.id).given == ()
    assert world.quota("vcpus") == (4, 0)


def test_too_little_quota_leaves_the_money_alone(world: World) -> None:
    world.tenancies.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 7})
    world.approved(name="one")
    second = world.planned(name="two")
    with pytest.raises(QuotaExceeded, match="City has 3 of 7"):
        world.market.approve(FINANCE, second.id, second.digest)
    assert world.money()[0] == MONTH * MONTHS


# Failure and retry ----------------------------------------------------------------------------


def test_a_failure_gives_back_and_can_be_retried(world: World) -> None:
    order = world.approved()
    world.provisioner.refuse = "no host has room"
    with pytest.raises(BoroughError, match="no host has room"):
        world.fulfil(order)
    failed = world.market.order(MEMBER, order.id)
    assert (failed.state, world.money()[:2], world.quota("vcpus")) == (
        OrderState.FAILED, (0, 0), (0, 0),
    )  # fmt: skip
    assert world.market.instance(MEMBER, order.instance_id).state is InstanceState.FAILED
    with pytest.raises(Conflict):
        world.market.withdraw(MEMBER, order.id)
    world.provisioner.refuse = ""
    # Nothing has changed, so that nobody is asked again.
    world.run(world.market.retry(MEMBER, order.id))
    assert world.market.order(MEMBER, order.id).state is OrderState.APPROVED
    assert world.fulfil(order).state is OrderState.ACTIVE
    assert world.quota("vcpus") == (0, 4)
    assert world.money()[:2] == (0, MONTH * MONTHS)


def test_a_retry_of_something_else_asks_again(world: World) -> None:
    order = world.approved()
    world.provisioner.refuse = "no host has room"
    with pytest.raises(BoroughError, match="no host"):
        world.fulfil(order)
    world.provisioner.refuse = ""
    world.price("server.instance_hours", "3", flavor="m")
    world.run(world.market.retry(MEMBER, order.id))
    assert world.market.order(MEMBER, order.id).state is OrderState.IN_APPROVAL


def test_a_cancelled_order_fails_and_nothing_is_held(world: World) -> None:
    order = world.approved()
    context = FakeContext(world.operations.get(PLATFORM, order.operation_id))
    context.stop = True
    with pytest.raises(BoroughError, match="cancelled"):
        fulfil_order(world.market, context)  # type: ignore[arg-type]
    assert world.market.order(MEMBER, order.id).state is OrderState.FAILED
    assert world.quota("vcpus") == (0, 0)
    assert world.market.withdraw(MEMBER, order.id).state is OrderState.WITHDRAWN


# Change and return ----------------------------------------------------------------------------


def change(instance: str, **inputs: object) -> Wish:
    return Wish(
        kind=OrderKind.CHANGE, instance=instance, inputs=inputs, justification="More visitors."
    )


def test_a_change_is_priced_by_its_difference(world: World) -> None:
    first = world.active()
    wish = change(first.instance_id, servers=3)
    quote = world.market.quote(MEMBER, wish)
    assert quote.before == yuan(MONTH)
    assert quote.price.month == yuan(MONTH + 730)
    assert quote.encumbrance == yuan(730 * MONTHS)
    draft = world.market.create_order(COLLEAGUE, wish)
    world.run(world.market.submit(COLLEAGUE, draft.id))
    order = world.market.order(MEMBER, draft.id)
    world.market.approve(FINANCE, order.id, order.digest)
    assert world.money()[:2] == (730 * MONTHS, MONTH * MONTHS)
    assert world.quota("vcpus") == (2, 4)
    assert world.fulfil(order).state is OrderState.ACTIVE
    assert world.money()[:2] == (0, (MONTH + 730) * MONTHS)
    assert world.quota("vcpus") == (0, 6)
    instance = world.market.instance(MEMBER, first.instance_id)
    assert (instance.state, instance.monthly) == (InstanceState.ACTIVE, yuan(MONTH + 730))
    assert instance.inputs["servers"] == 3
    assert instance.order_id == first.id
    assert instance.latest_order_id == order.id


def test_a_smaller_service_gives_money_and_quota_back_when_it_is_smaller(world: World) -> None:
    first = world.active()
    draft = world.market.create_order(MEMBER, change(first.instance_id, servers=1))
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    world.market.approve(FINANCE, order.id, order.digest)
    assert (world.money()[:2], world.quota("vcpus")) == ((0, MONTH * MONTHS), (0, 4))
    world.fulfil(order)
    # The begun month stays owed.
    assert world.money()[:2] == (0, MONTH * MONTHS - 730 * (MONTHS - 1))
    assert world.quota("vcpus") == (0, 2)


def test_a_returned_service_is_gone_and_its_name_is_free(world: World) -> None:
    first = world.active()
    wish = Wish(kind=OrderKind.DELETE, instance=first.instance_id, justification="Replaced.")
    draft = world.market.create_order(MEMBER, wish)
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    assert world.market.approval(FINANCE, order.id).price.month == yuan(0)
    world.market.approve(FINANCE, order.id, order.digest)
    world.fulfil(order)
    instance = world.market.instance(MEMBER, first.instance_id)
    assert (instance.state, instance.held, instance.deleted_at) == (
        InstanceState.DELETED, {}, world.clock.now(),
    )  # fmt: skip
    assert world.quota("vcpus") == (0, 0)
    assert world.money()[:2] == (0, MONTH)
    world.active()


def test_a_service_is_returned_even_after_its_contract(world: World) -> None:
    first = world.active()
    world.clock.advance(days=400)
    wish = Wish(kind=OrderKind.DELETE, instance=first.instance_id, justification="Over.")
    draft = world.market.create_order(MEMBER, wish)
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    world.market.approve(FINANCE, order.id, order.digest)
    assert world.fulfil(order).state is OrderState.ACTIVE


def test_what_is_submitted_runs_its_program_once_in_the_plan(world: World) -> None:
    """So that one which hangs is waited for once."""
    draft = world.market.create_order(MEMBER, world.wish(inputs={"servers": 99}))
    with pytest.raises(Invalid) as error:
        world.market.submit(MEMBER, draft.id)
    assert "inputs.servers" in fields(error)
    world.planned()
    assert world.provisioner.evaluated == 0
    world.market.quote(MEMBER, world.wish(name="another"))
    assert world.provisioner.evaluated == 1


def test_a_service_is_named_as_requests_name_it(world: World) -> None:
    with pytest.raises(Invalid) as error:
        world.market.create_order(MEMBER, Wish(kind=OrderKind.CHANGE))
    assert fields(error) == ["service"]
    order = world.approved()
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish(instance=order.instance_id))
    assert fields(error) == ["service"]
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, change(order.instance_id, servers=3))
    assert "service" in fields(error)


def test_one_order_at_a_time_lays_claim_to_a_service(world: World) -> None:
    first = world.active()
    drafts = [
        world.market.create_order(MEMBER, change(first.instance_id, servers=n)) for n in (3, 4)
    ]
    world.market.submit(MEMBER, drafts[0].id)
    with pytest.raises(Conflict, match="under way"):
        world.market.submit(MEMBER, drafts[1].id)


def test_a_failed_change_leaves_the_service_to_be_changed_again(world: World) -> None:
    first = world.active()
    draft = world.market.create_order(MEMBER, change(first.instance_id, servers=3))
    world.run(world.market.submit(MEMBER, draft.id))
    order = world.market.order(MEMBER, draft.id)
    world.market.approve(FINANCE, order.id, order.digest)
    world.provisioner.refuse = "no host"
    with pytest.raises(BoroughError, match="no host"):
        world.fulfil(order)
    assert world.quota("vcpus") == (0, 4)
    assert world.money()[:2] == (0, MONTH * MONTHS)
    world.provisioner.refuse = ""
    world.run(world.market.retry(MEMBER, order.id))
    assert world.fulfil(order).state is OrderState.ACTIVE
    assert world.quota("vcpus") == (0, 6)


def test_an_approved_name_is_taken_once(world: World) -> None:
    first = world.planned()
    with pytest.raises(Conflict):
        world.planned(MEMBER)
    world.market.approve(FINANCE, first.id, first.digest)
    with pytest.raises(Invalid) as error:
        world.market.quote(MEMBER, world.wish())
    assert fields(error) == ["name"]


def test_a_second_finance_officer_may_approve_what_the_first_ordered(world: World) -> None:
    clerk = person("clerk", ("member", "/city/health/"), ("finance", "/city/"))
    order = world.planned(clerk)
    assert world.market.approve(SECOND_FINANCE, order.id, order.digest).state is OrderState.APPROVED


def test_an_unknown_digest_is_refused(world: World) -> None:
    order = world.planned()
    with pytest.raises(NeedsApproval):
        world.market.approve(FINANCE, order.id, "sha256:" + "0" * 64)
