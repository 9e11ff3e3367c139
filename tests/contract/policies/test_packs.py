"""Packs in the database: versions, switches, scope, and trying them on a blueprint."""

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from control_plane.provisioning import content
from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies.reading import bundled
from control_plane.provisioning.ports import ProgramError
from control_plane.provisioning.service import PolicyTest
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from tests.contract.policies.conftest import add_person, judged, pack, waive
from tests.contract.provisioning.conftest import BUNDLED, PLATFORM, SMALL, World, person


def found(world: World, **changed: Any) -> set[str]:
    return {f.policy for f in judged(world, **changed)}


def test_the_bundled_packs_are_there_from_the_beginning(world: World) -> None:
    packs = {p.name: p for p in world.policies.packs(person("member", "/city/water/"))}
    assert packs == dict(bundled())
    assert all(p.enabled and p.bundled for p in packs.values())
    guarded = world.policies.policy(PLATFORM, "network.guarded_port")
    assert [(p.name, p.severity_of(guarded.id)) for p in guarded.packs] == [("city", "mandatory")]
    assert "22 SSH" in guarded.packs[0].settings_of(guarded.id)["ports"]
    with pytest.raises(NotFound):
        world.policies.policy(PLATFORM, "network.unheard_of")
    with pytest.raises(NotFound):
        world.policies.pack(PLATFORM, "unheard-of")
    with pytest.raises(NotFound):
        world.policies.pack_versions(PLATFORM, "unheard-of")


def test_a_pack_counts_up(world: World) -> None:
    first = world.policies.publish_pack(PLATFORM, pack())
    assert world.policies.publish_pack(PLATFORM, pack()) == first
    with pytest.raises(Conflict, match="enter the next one"):
        world.policies.publish_pack(PLATFORM, pack(scope={"data_classes": ["public"]}))
    with pytest.raises(Conflict, match="next version of backups-for-all is 2"):
        world.policies.publish_pack(PLATFORM, pack(3))
    second = world.policies.publish_pack(PLATFORM, pack(2, scope={"data_classes": ["public"]}))
    assert world.policies.pack(PLATFORM, "backups-for-all") == second
    assert world.policies.pack(PLATFORM, "backups-for-all", 1) == first
    assert world.policies.pack_versions(PLATFORM, "backups-for-all") == [second, first]
    assert "backups.declared" not in found(world)


def test_a_city_goes_on_from_a_bundled_pack(world: World) -> None:
    document = {**dict(bundled()["city"].document), "version": 2}
    document["policies"] = {"network.public_address": {"severity": "waivable"}}
    world.policies.publish_pack(PLATFORM, document)
    versions = world.policies.pack_versions(PLATFORM, "city")
    assert [(p.version, p.bundled) for p in versions] == [(2, False), (1, True)]
    assert "tags.required" not in found(world)
    assert "network.guarded_port" not in {
        u.id for u in world.policies.policies(PLATFORM) if u.packs
    }


def test_safety_is_not_touched(world: World) -> None:
    document = {**dict(bundled()["safety"].document), "version": 2}
    with pytest.raises(Conflict, match="cannot be replaced"):
        world.policies.publish_pack(PLATFORM, document)
    with pytest.raises(Conflict, match="always on"):
        world.policies.switch_pack(PLATFORM, "safety", enabled=False)
    assert world.policies.switch_pack(PLATFORM, "safety", enabled=True).enabled


def test_a_pack_is_switched_off_and_on(world: World) -> None:
    world.policies.publish_pack(PLATFORM, pack())
    assert "backups.declared" in found(world)
    off = world.policies.switch_pack(PLATFORM, "backups-for-all", enabled=False)
    assert not off.enabled
    assert world.policies.switch_pack(PLATFORM, "backups-for-all", enabled=False) == off
    assert "backups.declared" not in found(world)
    world.policies.publish_pack(PLATFORM, pack(2, rules=[]))
    assert not world.policies.pack(PLATFORM, "backups-for-all").enabled
    world.policies.switch_pack(PLATFORM, "backups-for-all", enabled=True)
    assert "backups.declared" in found(world)
    with pytest.raises(NotFound):
        world.policies.switch_pack(PLATFORM, "unheard-of", enabled=True)
    actions = [e["action"] for e in world.audit.entries if e["action"].startswith("policy.")]
    assert actions == ["policy.publish", "policy.disable", "policy.publish", "policy.enable"]


def test_two_who_publish_at_once_do_not_overwrite_each_other(world: World) -> None:
    def publish(n: int) -> bool:
        title = {"en": f"Number {n}", "zh": f"第 {n}"}
        try:
            world.policies.publish_pack(PLATFORM, pack(title=title))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(publish, range(6))) == 1


def test_a_pack_for_a_part_of_the_city(world: World) -> None:
    world.policies.publish_pack(PLATFORM, pack(scope={"paths": ["/city/water/"]}))
    assert "backups.declared" not in found(world)
    assert "backups.declared" in found(world, tenancy=world.water)


def test_a_rule_of_the_citys_own(world: World) -> None:
    rule = {
        "name": "two-servers", "title": {"en": "Names", "zh": "名称"},
        "message": {"en": "Is not called as the city calls servers.", "zh": "名称不合规。"},
        "severity": "mandatory", "type": "openstack:compute/instance:*",
        "require": [{"path": "name", "op": "matches", "value": ["cc-*"]}],
    }  # fmt: skip
    world.policies.publish_pack(PLATFORM, pack(rules=[rule], policies={}))
    assert "rule.backups-for-all.two-servers" not in found(world, name="cc-web")
    blocking = [(f.policy, f.subject) for f in judged(world, name="web") if f.blocks]
    assert blocking == [("rule.backups-for-all.two-servers", "server")]
    use = world.policies.policy(PLATFORM, "rule.backups-for-all.two-servers")
    assert use.rule
    assert use.packs[0].name == "backups-for-all"


def test_who_may_look_and_who_may_publish(world: World) -> None:
    for role in ("member", "approver", "finance", "auditor", "operator"):
        someone = person(role, "/city/health/")
        assert world.policies.policies(someone)
        with pytest.raises(Forbidden):
            world.policies.publish_pack(someone, pack())
        with pytest.raises(Forbidden):
            world.policies.switch_pack(someone, "city", enabled=False)
    with pytest.raises(Forbidden):
        world.policies.publish_pack(person("platform_administrator", "/city/"), pack())
    with pytest.raises(Invalid):
        world.policies.publish_pack(PLATFORM, {"name": "x"})


def test_a_price_is_judged_where_it_is_known(world: World) -> None:
    def judge(amount: str) -> list[Severity]:
        with world.database.transaction():
            findings = world.service.judge_price(tenancy="health-test", month=_yuan(amount))
        return [f.severity for f in findings if f.blocks]

    assert judge("200000") == []
    assert judge("200000.01") == [Severity.WAIVABLE]
    add_person(world, "usr_owner", "owner")
    waive(world, policy="budget.price")
    assert judge("200000.01") == []


def _yuan(amount: str) -> Money:
    return Money(Decimal(amount))


# Trying a blueprint -----------------------------------------------------------------------------


def attempt(world: World, **options: Any) -> PolicyTest:
    return world.service.try_policies(PLATFORM, content.read_folder(BUNDLED[1]), **options)


def test_a_blueprint_is_tried_with_every_class_that_it_may_carry(world: World) -> None:
    result = attempt(world)
    assert (result.name, result.problems) == ("web-application", ())
    assert {t.data_class for t in result.tries} == {"public", "internal"}
    assert not result.blocked
    worse = attempt(world, data_classes=["sensitive"])
    assert worse.blocked
    said = {f.policy for t in worse.tries for f in t.findings if f.blocks}
    assert {"residency.blueprint", "encryption.volumes", "backups.declared"} <= said


def test_inputs_region_and_path_are_tried_too(world: World) -> None:
    inputs = {**SMALL, "exposure": "internet"}
    (result,) = attempt(world, inputs=inputs, data_classes=["internal"]).tries
    assert (result.sample, result.data_class) == ("inputs", "internal")
    assert "network.public_exposure" in {f.policy for f in result.findings}
    there = attempt(world, inputs=inputs, data_classes=["sensitive"], region="east")
    assert "residency.region" in {f.policy for f in there.tries[0].findings}
    world.policies.publish_pack(PLATFORM, pack(scope={"paths": ["/city/water/"]}))
    assert not attempt(world, data_classes=["internal"]).blocked
    assert attempt(world, data_classes=["internal"], path="/city/water/").blocked


#: Says the password that it is told, so that no mask fits; but not where publishing would try it.
NOSY = b"""
from platform_context import Context

def say(password):
    if context.region["id"] != "reg_sample":
        raise ValueError("backwards it is " + password[::-1])

context = Context()
context.secret("region", "openstack", "password").apply(say)
"""


def test_a_program_on_trial_is_told_no_credentials_of_the_region(world: World) -> None:
    secrets = {"user_name": "u", "password": "very-secret", "project_name": "p"}
    world.service.add_region(
        PLATFORM, slug="real", title=Text("Real", "真实"), kinds=["openstack"], engine="embedded",
        config={"openstack": world.region.config["openstack"]}, credentials={"openstack": secrets},
    )  # fmt: skip
    files = {**content.read_folder(BUNDLED[1]), "__main__.py": NOSY}
    with pytest.raises(ProgramError) as caught:
        world.service.try_policies(PLATFORM, files, inputs=SMALL, region="real")
    said = f"{caught.value.message} {caught.value.details}"
    assert "backwards it is drowssap-elpmas" in said
    assert "terces-yrev" not in said


def test_what_cannot_be_tried_is_said(world: World) -> None:
    files = {**content.read_folder(BUNDLED[1])}
    files.pop("README.md")
    result = world.service.try_policies(PLATFORM, files)
    assert result.blocked
    assert [p.field for p in result.problems] == ["README.md"]
    assert result.tries == ()
    with pytest.raises(Invalid) as caught:
        attempt(world, data_classes=["secret", "public"])
    assert [p.field for p in caught.value.problems] == ["data_classes.0"]
    with pytest.raises(Invalid):
        attempt(world, inputs={"servers": 0})
    with pytest.raises(NotFound):
        attempt(world, region="none")
    with pytest.raises(NotFound):
        world.service.try_policies(person("member", "/city/health/"), files, path="/city/water/")
    with pytest.raises(Forbidden):
        world.service.try_policies(person("finance"), files)


def test_a_city_that_forbids_a_bundled_blueprint_still_starts(world: World, tmp_path: Path) -> None:
    rule = {
        "name": "nothing", "title": {"en": "Nothing", "zh": "无"},
        "message": {"en": "Is not allowed.", "zh": "不允许。"},
        "severity": "mandatory", "type": "openstack:*",
        "require": [{"path": "never", "op": "exists"}],
    }  # fmt: skip
    world.policies.publish_pack(PLATFORM, pack(rules=[rule]))
    for name, data in content.read_folder(BUNDLED[1]).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    document = tmp_path / "blueprint.yaml"
    newer = re.sub(r"(?m)^version: .*$", "version: 99.0.0", document.read_text())
    document.write_text(newer)
    with pytest.raises(Invalid, match="not allowed"):
        world.service.publish(PLATFORM, content.read_folder(tmp_path))
    (made,) = world.service.publish_bundled([tmp_path])
    assert made.version == "99.0.0"
    assert any(f.blocks for f in world.plan().findings)
