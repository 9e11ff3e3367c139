"""Waivers from their grant to their end, and what rests on them."""

from datetime import timedelta
from typing import Any

import pytest

from control_plane.provisioning.model import Finding, Plan, plan_from
from control_plane.provisioning.policies.model import Waiver, WaiverState
from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NeedsApproval, NotFound
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import format_instant
from tests.conftest import SettableClock
from tests.contract.policies.conftest import OWNER, add_person, judged, pack, request, waive
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, person


def blocked(plan: Plan) -> list[tuple[str, str]]:
    return [(f.policy, f.subject) for f in plan.blocked]


def later(world: World, **delta: float) -> None:
    assert isinstance(world.clock, SettableClock)
    world.clock.advance(**delta)


def wrong(world: World, **changed: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        waive(world, **changed)
    return {p.field for p in caught.value.problems}


# What a waiver does ------------------------------------------------------------------------------


def test_a_waivable_finding_forbids_approval_until_a_waiver_holds(strict: World) -> None:
    plan = strict.plan()
    assert blocked(plan) == [("backups.declared", "data")]
    granted = waive(strict)
    again = strict.again(plan)
    assert again.blocked == ()
    assert again.digest != plan.digest
    finding = next(f for f in again.findings if f.policy == "backups.declared")
    assert finding.waiver == granted.exemption()
    assert finding.document()["waiver"] == {
        "id": granted.id,
        "owner": OWNER,
        "owner_name": "Owner",
        "reason": granted.reason,
        "ends_at": format_instant(strict.clock.now() + timedelta(days=30)),
    }
    assert plan_from(again.id, again.document(), again.capacity, again.created_at) == again
    texts = [d.message.en for d in strict.service.difference(plan, again)]
    assert texts == [f"Another waiver holds for it: {finding.message.en}"]
    assert strict.apply(again).state == "active"


def test_an_estimate_knows_the_waivers_of_its_tenancy(strict: World) -> None:
    waive(strict)

    def findings(**more: str) -> list[bool]:
        estimate = strict.service.evaluate(
            PLATFORM, blueprint="web-application", inputs=SMALL, region="east",
            data_class="internal", **more,
        )  # fmt: skip
        return [f.blocks for f in estimate.findings if f.policy == "backups.declared"]

    assert findings(tenancy=strict.health.id) == [False]
    assert findings(tenancy=strict.water.id) == [True]
    assert findings() == [True]


def test_what_a_policy_forbids_is_not_applied(strict: World) -> None:
    with pytest.raises(Conflict, match=r"backups\.declared"):
        strict.apply(strict.plan())


def test_a_waiver_that_ended_between_plan_and_apply(strict: World) -> None:
    def expire(_granted: Waiver) -> None:
        later(strict, hours=2)

    def revoke(granted: Waiver) -> None:
        strict.policies.revoke(PLATFORM, granted.id, "the old system is gone")

    for ending in (expire, revoke):
        granted = waive(strict, ends_at=strict.clock.now() + timedelta(hours=2))
        plan = strict.plan()
        assert plan.blocked == ()
        ending(granted)
        with pytest.raises(NeedsApproval, match="holds no longer") as refused:
            strict.apply(plan)
        (difference,) = refused.value.details["difference"]
        assert difference["subject"] == "backups.declared"
        assert difference["before"]["waiver"]["id"] == granted.id
        assert difference["after"]["waiver"] is None
        assert difference["message"]["en"].startswith("No waiver holds for it any more:")
        there = strict.service.deployment(PLATFORM, plan.deployment_id)
        assert there.state == "pending"
        assert strict.engine.region.things(plan.deployment_id) == []
        assert blocked(strict.again(plan)) == [("backups.declared", "data")]


def relied(findings: tuple[Finding, ...]) -> set[str]:
    return {f.waiver.id for f in findings if f.waiver}


def test_another_waiver_changes_nothing_while_the_first_one_holds(strict: World) -> None:
    first = waive(strict, ends_at=strict.clock.now() + timedelta(hours=2))
    before = judged(strict)
    assert relied(before) == {first.id}
    later(strict, minutes=1)
    second = waive(strict)
    assert judged(strict) == before
    later(strict, hours=2)
    assert relied(judged(strict)) == {second.id}


def test_what_a_waiver_is_for(strict: World) -> None:
    deployment = strict.plan().deployment_id
    for about, covered in (
        ({"tenancy": "health-test"}, True),
        ({"tenancy": "water-test"}, False),
        ({"tenancy": "", "path": "/city/health/"}, True),
        ({"tenancy": "", "path": "/city/"}, True),
        ({"tenancy": "", "path": "/city/water/"}, False),
        ({"resource": "da*"}, True),
        ({"resource": "server-*"}, False),
        ({"tenancy": "", "deployment": deployment}, True),
    ):
        granted = waive(strict, **about)
        assert bool(relied(judged(strict, deployment=deployment))) is covered, about
        if "deployment" in about:
            assert (granted.kind, granted.path) == ("deployment", "/city/health/")
            assert relied(judged(strict, deployment="dep_other")) == set()
        strict.policies.revoke(PLATFORM, granted.id, "another one is tried")


def test_what_prepares_a_tenancy_is_named_as_the_plan_names_it(strict: World) -> None:
    waive(strict, resource="tenancy/*")
    assert relied(judged(strict)) == set()
    assert len(relied(judged(strict, under="tenancy/"))) == 1


# Who grants them, and how they end --------------------------------------------------------------


def test_every_wrong_field_is_named(strict: World) -> None:
    now = strict.clock.now()
    assert wrong(strict, owner="nobody", reason=" ", ends_at=now, resource="", policy="x.y") == {
        "owner", "reason", "ends_at", "resource", "policy",
    }  # fmt: skip
    assert wrong(strict, ends_at=now + timedelta(days=367)) == {"ends_at"}
    assert wrong(strict, path="/city/", owner="nobody", ends_at=now) == {
        "subject", "owner", "ends_at",
    }  # fmt: skip
    assert wrong(strict, path="/city/") == {"subject"}
    assert wrong(strict, tenancy="") == {"subject"}
    add_person(strict, "usr_gone", "gone", "disabled")
    assert wrong(strict, owner="gone") == {"owner"}


def test_only_waivable_findings_are_waived(strict: World) -> None:
    assert wrong(strict, policy="tags.deployment") == {"policy"}
    assert waive(strict, policy="network.public_exposure").policy == "network.public_exposure"
    strict.policies.switch_pack(PLATFORM, "sensitive-data", enabled=False)
    assert wrong(strict, policy="network.public_exposure") == {"policy"}
    strict.policies.switch_pack(PLATFORM, "backups-for-all", enabled=False)
    assert wrong(strict) == {"policy"}


def test_nobody_grants_a_waiver_to_themselves(strict: World) -> None:
    me = Actor(OWNER, "Owner", ActorKind.PERSON, PLATFORM.grants)
    with pytest.raises(Forbidden, match="themselves"):
        strict.policies.waive(me, request(strict))


def test_what_is_not_there_cannot_be_waived_for(strict: World) -> None:
    for about in ({"tenancy": "none"}, {"tenancy": "", "deployment": "dep_none"},
                  {"tenancy": "", "path": "/city/none/"}):  # fmt: skip
        with pytest.raises(NotFound):
            waive(strict, **about)


def test_who_may_look_and_who_may_grant(strict: World) -> None:
    granted = waive(strict)
    roles = set(policy.table_of("control_plane").roles) - {"platform_administrator"}
    for role in sorted(roles):
        here, elsewhere = person(role, "/city/health/"), person(role, "/city/water/")
        assert strict.policies.waiver(here, granted.id) == granted
        assert [w.id for w in strict.policies.waivers(here, PageRequest()).items] == [granted.id]
        assert strict.policies.waivers(elsewhere, PageRequest()).items == ()
        with pytest.raises(NotFound):
            strict.policies.waiver(elsewhere, granted.id)
        with pytest.raises(NotFound):
            strict.policies.revoke(elsewhere, granted.id, "no")
        with pytest.raises(NotFound):
            strict.policies.waive(elsewhere, request(strict))
        with pytest.raises(Forbidden):
            strict.policies.waive(here, request(strict))
        with pytest.raises(Forbidden):
            strict.policies.revoke(here, granted.id, "no")


def test_an_administrator_of_one_part_grants_there_alone(strict: World) -> None:
    water = person("platform_administrator", "/city/water/")
    with pytest.raises(NotFound):
        strict.policies.waive(water, request(strict))
    strict.policies.waive(water, request(strict, tenancy="water-test"))


def test_a_waiver_ends_on_its_day_and_stays_in_the_books(strict: World) -> None:
    granted = waive(strict)
    assert strict.policies.waiver_state(granted) is WaiverState.ACTIVE
    with pytest.raises(Invalid):
        strict.policies.revoke(PLATFORM, granted.id, " ")
    later(strict, days=30)
    assert strict.policies.waiver_state(granted) is WaiverState.EXPIRED
    with pytest.raises(Conflict, match="has ended"):
        strict.policies.revoke(PLATFORM, granted.id, "too late")
    assert strict.policies.waivers(PLATFORM, PageRequest()).items == ()
    every = strict.policies.waivers(PLATFORM, PageRequest(), state=WaiverState.EXPIRED)
    assert every.items == (granted,)


def test_revoking_is_said_once_and_audited(strict: World) -> None:
    granted = waive(strict)
    revoked = strict.policies.revoke(PLATFORM, granted.id, "not needed")
    assert strict.policies.revoke(PLATFORM, granted.id, "again") == revoked
    assert strict.policies.waiver(PLATFORM, granted.id) == revoked
    assert (revoked.revoked_because, revoked.revoked_by) == ("not needed", PLATFORM.id)
    noted = [
        (e["action"], e["subject"], e["path"])
        for e in strict.audit.entries
        if e["action"] in {"policy.waive", "policy.revoke"}
    ]
    assert noted == [
        ("policy.waive", granted.id, "/city/health/"),
        ("policy.revoke", granted.id, "/city/health/"),
    ]


def test_the_first_to_end_comes_first_page_by_page(strict: World) -> None:
    now = strict.clock.now()
    days = [9, 3, 7, 3, 1]
    made = [waive(strict, ends_at=now + timedelta(days=d)) for d in days]
    seen: list[Waiver] = []
    page = strict.policies.waivers(PLATFORM, PageRequest(limit=2))
    while True:
        seen += page.items
        if page.next is None:
            break
        page = strict.policies.waivers(PLATFORM, PageRequest(page.next, 2))
    assert seen == sorted(made, key=lambda w: (w.ends_at, w.id))
    chosen = strict.policies.waivers(PLATFORM, PageRequest(), filters={"subject": "ten_none"})
    assert chosen.items == ()


def test_the_pack_decides_and_not_the_waiver(strict: World) -> None:
    """A waiver for what has become mandatory does not hold."""
    waive(strict)
    entry = {"severity": "mandatory", "settings": {"data_classes": ["internal"]}}
    strict.policies.publish_pack(PLATFORM, pack(2, policies={"backups.declared": entry}))
    findings = judged(strict)
    assert [(f.policy, f.subject) for f in findings if f.blocks] == [("backups.declared", "data")]
    assert relied(findings) == set()
