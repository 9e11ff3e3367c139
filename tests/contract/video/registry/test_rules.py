"""Rules in versions, and permits, on a real database."""

from dataclasses import replace
from datetime import date

import psycopg.errors
import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from foundation.kernel.paging import PageRequest
from tests.contract.video.registry.conftest import ADMIN, HEALTH, WATER, Registry, text
from tests.harness.video import person
from workloads.video_analytics.rules.model import Hours, Wish
from workloads.video_analytics.rules.ports import RuleQuery
from workloads.video_analytics.rules.service import PermitWish
from workloads.video_analytics.vision.model import Point, RuleKind

LINE = (Point(0.1, 0.5), Point(0.9, 0.5))
FIELD = (Point(0.1, 0.1), Point(0.9, 0.1), Point(0.9, 0.9))


def crossing(**changes: object) -> Wish:
    return replace(Wish(RuleKind.LINE_CROSSING, text("Gate"), LINE), **changes)


def test_an_edit_is_a_new_version_and_the_old_one_stays(registry: Registry) -> None:
    camera = registry.camera()
    rule = registry.rules.create(ADMIN, camera.id, crossing())
    newer = registry.rules.change(
        ADMIN, rule.id, crossing(parameters={"direction": "to_left"}), version=1
    )
    assert (rule.version, newer.version) == (1, 2)
    assert [dict(one.parameters) for one in registry.rules.versions(ADMIN, rule.id)] == [
        {"direction": "to_left"}, {},
    ]  # fmt: skip
    assert registry.cameras.camera(ADMIN, camera.id).version == 3
    same = crossing(parameters={"direction": "to_left"})
    assert registry.rules.change(ADMIN, rule.id, same).version == 2
    with pytest.raises(PreconditionFailed):
        registry.rules.change(ADMIN, rule.id, crossing(), version=1)
    with pytest.raises(Invalid):
        registry.rules.change(ADMIN, rule.id, Wish(RuleKind.MOTION, text("Gate")))
    for statement in ("UPDATE video_rule_version SET note = 'x'", "TRUNCATE video_rule_version"):
        with (
            pytest.raises(sa.exc.DBAPIError) as caught,
            registry.database.transaction(),
        ):
            registry.database.execute(sa.text(statement))
        assert isinstance(caught.value.orig, psycopg.errors.RaiseException)


def test_specs_are_what_is_in_force(registry: Registry) -> None:
    camera, other = registry.camera(), registry.camera("Other")
    rule = registry.rules.create(ADMIN, camera.id, crossing())
    night = Hours(frozenset(range(7)), "22:00", "06:00")
    registry.rules.create(ADMIN, camera.id, crossing(schedule=(night,)))
    off = registry.rules.create(ADMIN, camera.id, crossing())
    registry.rules.enable(ADMIN, off.id, enabled=False)
    # 09:00 UTC is 17:00 in Shanghai.
    specs = registry.rules.specs([camera.id, other.id])
    [spec] = specs[camera.id]
    assert (spec.id, spec.version, spec.points) == (rule.id, 1, LINE)
    assert spec.parameters["direction"] == "any"
    registry.clock.advance(hours=6)
    assert len(registry.rules.specs([camera.id])[camera.id]) == 2
    registry.rules.remove(ADMIN, rule.id)
    assert len(registry.rules.specs([camera.id])[camera.id]) == 1
    assert [one.id for one in registry.rules.versions(ADMIN, rule.id)] == [rule.id]
    assert registry.rules.known([rule.id])[rule.id].kind is RuleKind.LINE_CROSSING
    registry.cameras.remove(ADMIN, camera.id)
    assert registry.rules.specs([camera.id]) == {}


def test_who_may_do_what(registry: Registry) -> None:
    camera = registry.camera()
    rule = registry.rules.create(ADMIN, camera.id, crossing())
    neighbour, viewer = person("administrator", HEALTH), person("viewer", WATER)
    with pytest.raises(NotFound):
        registry.rules.rule(neighbour, rule.id)
    with pytest.raises(NotFound):
        registry.rules.create(neighbour, camera.id, crossing())
    with pytest.raises(NotFound):
        registry.rules.versions(neighbour, rule.id)
    with pytest.raises(Forbidden):
        registry.rules.enable(viewer, rule.id, enabled=False)
    with pytest.raises(Forbidden):
        registry.rules.create(viewer, camera.id, crossing())
    assert registry.rules.rules(neighbour, RuleQuery(), PageRequest()).items == ()


def test_a_rule_is_copied_to_a_group_once(registry: Registry) -> None:
    one = registry.camera("One", groups=("gates",))
    two = registry.camera("Two", groups=("gates",))
    registry.camera("Three", groups=("roads",))
    registry.camera("Four", HEALTH, groups=("gates",))
    operator = person("operator", WATER)
    rule = registry.rules.create(operator, one.id, crossing())
    assert [made.camera_id for made in registry.rules.copy(operator, rule.id, group="gates")] == [
        two.id
    ]
    assert registry.rules.copy(operator, rule.id, group="gates") == []
    with pytest.raises(Invalid):
        registry.rules.copy(operator, rule.id, group="nothing")


def test_a_camera_has_only_so_many_rules(registry: Registry) -> None:
    camera = registry.camera()
    for _ in range(50):
        registry.rules.create(ADMIN, camera.id, crossing())
    with pytest.raises(Conflict):
        registry.rules.create(ADMIN, camera.id, crossing())


def test_only_a_site_takes_a_permit(registry: Registry) -> None:
    rule = registry.rules.create(ADMIN, registry.camera().id, crossing())
    wish = PermitWish("N-1", date(2026, 11, 3), date(2026, 11, 1), start="25:00")
    with pytest.raises(Invalid) as caught:
        registry.rules.grant_permit(ADMIN, rule.id, wish)
    assert {one.field for one in caught.value.problems} == {"rule", "last", "start"}
