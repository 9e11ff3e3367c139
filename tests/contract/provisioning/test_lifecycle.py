"""Deprecated and retired blueprints, and the version that a breaking change needs."""

from datetime import timedelta
from typing import Any

import pytest

from control_plane.provisioning.standing import StandingKind
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.conftest import START, SettableClock
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, person
from tests.contract.provisioning.test_blueprints import DOCUMENT, folder

WEB = "web-application"
LATER = START + timedelta(days=30)


def estimate(world: World) -> list[str]:
    found = world.service.evaluate(PLATFORM, blueprint=WEB, inputs=SMALL, region="east")
    return [f.policy for f in found.findings]


def test_a_deprecated_blueprint_warns_and_later_refuses(world: World, clock: SettableClock) -> None:
    world.service.publish(PLATFORM, folder())
    said = world.service.deprecate(
        PLATFORM, WEB, ends_at=LATER, successor="note", reason="The old way."
    )
    assert said.kind is StandingKind.DEPRECATED
    assert world.service.standing(PLATFORM, WEB) == said
    assert world.service.standings(PLATFORM) == {WEB: said}
    assert world.audit.entries[-1]["action"] == "blueprint.deprecate"
    assert "blueprint.deprecated" in estimate(world)
    plan = world.plan()
    [finding] = [f for f in plan.findings if f.policy == "blueprint.deprecated"]
    assert "note" in finding.message.en
    assert "note" in finding.message.zh
    assert not plan.blocked
    made = world.apply(plan)
    clock.set(LATER)
    with pytest.raises(Conflict, match="takes nothing new since 2026-12-03; use note instead"):
        world.plan(tenancy=world.water.id)
    changed = world.again(plan, action="change", deployment=made.id)
    assert changed.deployment_id == made.id


def test_a_retired_blueprint_takes_nothing_new_and_what_there_is_stays(world: World) -> None:
    plan = world.plan()
    made = world.apply(plan)
    retired = world.service.retire(PLATFORM, WEB, reason="Nobody keeps it any more.")
    assert retired.kind is StandingKind.RETIRED
    with pytest.raises(Conflict, match="is retired"):
        world.plan(tenancy=world.water.id)
    with pytest.raises(Conflict, match="is retired"):
        world.service.deprecate(PLATFORM, WEB, ends_at=LATER)
    assert world.again(plan, action="change", deployment=made.id).changes
    world.apply(world.again(plan, action="delete", deployment=made.id))
    world.service.reinstate(PLATFORM, WEB, reason="It is kept again.")
    assert world.plan(tenancy=world.water.id).changes
    with pytest.raises(Conflict, match="neither"):
        world.service.reinstate(PLATFORM, WEB)


def test_what_was_begun_before_is_finished_after(world: World) -> None:
    plan = world.plan()
    world.service.retire(PLATFORM, WEB)
    assert world.again(plan).digest == plan.digest
    assert world.apply(plan).state == "active"


def test_every_wrong_word_is_named(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        world.service.deprecate(PLATFORM, WEB, ends_at=START, successor="moon", reason="x" * 501)
    assert {p.field for p in caught.value.problems} == {"ends_at", "successor", "reason"}
    with pytest.raises(Invalid, match="itself"):
        world.service.retire(PLATFORM, WEB, successor=WEB)
    world.service.publish(PLATFORM, folder())
    world.service.retire(PLATFORM, "note")
    with pytest.raises(Invalid, match="is retired itself"):
        world.service.retire(PLATFORM, WEB, successor="note")
    with pytest.raises(NotFound):
        world.service.retire(PLATFORM, "moon")
    with pytest.raises(Conflict, match="every tenancy"):
        world.service.retire(PLATFORM, "tenancy")


def test_only_those_who_may_say_so(world: World) -> None:
    for role in ("member", "department_administrator", "auditor", "finance"):
        with pytest.raises(Forbidden):
            world.service.retire(person(role), WEB)
        with pytest.raises(Forbidden):
            world.service.reinstate(person(role), WEB)
        with pytest.raises(Forbidden):
            world.service.deprecate(person(role), WEB, ends_at=LATER)


def narrow(version: str) -> dict[str, bytes]:
    text = {**DOCUMENT["inputs"]["properties"]["text"], "maxLength": 10}
    return folder(version=version, inputs={**DOCUMENT["inputs"], "properties": {"text": text}})


def test_a_breaking_change_needs_a_higher_first_number(empty: dict[str, Any]) -> None:
    service = empty["service"]
    service.publish(PLATFORM, folder())
    found = service.validate_blueprint(PLATFORM, narrow("1.1.0"))
    assert not found.ok
    assert [(p.field, p.code) for p in found.problems] == [
        ("blueprint.yaml.inputs.text", "breaking")
    ]
    with pytest.raises(Invalid, match=r"publish it as 2\.0\.0 or higher"):
        service.publish(PLATFORM, narrow("1.1.0"))
    service.publish(PLATFORM, narrow("2.0.0"))
    # A repair of the first line is held against that line.
    service.publish(PLATFORM, folder(version="1.0.1"))


def test_a_revision_is_tried_on_what_runs(world: World) -> None:
    made = world.apply(world.plan())
    old = world.service.try_deployment(made.id, made.revision)
    assert len(old.resources) > 3
    assert world.service.try_deployment(made.id, made.revision) == old
    landing = world.service.find_revision("tenancy")
    with pytest.raises(Invalid):
        world.service.try_deployment(made.id, landing.digest)
    revision = world.service.find_revision(WEB)
    sample = revision.document["samples"][0]
    assert world.service.try_sample(revision, sample["inputs"]).resources
