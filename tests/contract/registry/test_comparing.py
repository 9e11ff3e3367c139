"""Revisions side by side, who runs which, and what a newer one would change."""

import pytest

from control_plane.provisioning.graph import Op
from control_plane.provisioning.registry.model import SampleState
from foundation.kernel.errors import Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.registry.conftest import Shelf, note

EXTRA = {"extra": {"type": "string", "title": "Extra", "x-zh": {"title": "附加"}}}


def test_a_change_in_place_is_shown_by_resource_and_property(shelf: Shelf) -> None:
    shelf.world.service.publish(PLATFORM, note("1.1.0", format="rich", more=EXTRA))
    found = shelf.registry.compare(PLATFORM, "note")
    assert (found.old_version, found.new_version) == ("1.0.0", "1.1.0")
    assert [(c.name, c.breaking) for c in found.changes] == [("extra", False)]
    assert not found.breaking
    [sample] = found.samples
    assert sample.state is SampleState.CHANGED
    [change] = sample.changes
    assert change.op is Op.UPDATE
    assert [(p.path, p.before, p.after) for p in change.properties] == [
        ("data.format", "plain", "rich")
    ]


def test_what_replaces_adds_and_removes_is_told_apart(shelf: Shelf) -> None:
    service = shelf.world.service
    more = [{"name": "short", "inputs": {"text": "hi", "copies": 2}}]
    service.publish(PLATFORM, note("1.1.0", prefix="x-", samples=more))
    [sample] = shelf.registry.compare(PLATFORM, "note").samples
    assert {c.op for c in sample.changes} == {Op.REPLACE}
    assert any(p.forces_replacement for p in sample.changes[0].properties)
    other = [{"name": "long", "inputs": {"text": "hi", "extra": "x"}}]
    service.publish(PLATFORM, note("1.2.0", more=EXTRA, samples=other))
    found = {s.name: s for s in shelf.registry.compare(PLATFORM, "note").samples}
    assert found["long"].state is SampleState.ADDED
    assert "extra" in found["long"].problem
    assert found["short"].state is SampleState.REMOVED


def test_any_two_versions_are_compared_and_the_first_has_none_before(shelf: Shelf) -> None:
    for version in ("1.1.0", "2.0.0"):
        shelf.world.service.publish(PLATFORM, note(version, format=version))
    first = shelf.registry.compare(PLATFORM, "note", new="1.0.0")
    assert (first.old, first.changes, first.samples) == ("", (), ())
    far = shelf.registry.compare(PLATFORM, "note", old="1.0.0", new="2.0.0")
    assert far.samples[0].changes[0].properties[0].after == "2.0.0"
    back = shelf.registry.compare(PLATFORM, "note", old="2.0.0", new="1.1.0")
    assert back.samples[0].changes[0].properties[0].after == "1.1.0"
    with pytest.raises(NotFound):
        shelf.registry.compare(PLATFORM, "note", new="9.0.0")
    with pytest.raises(NotFound):
        shelf.registry.compare(PLATFORM, "moon")


def test_a_review_compares_what_is_not_published(shelf: Shelf) -> None:
    requester = person("member", "/city/health/")
    validation, compared = shelf.registry.review(requester, note("1.1.0", format="rich"))
    assert validation.ok
    assert compared is not None
    assert compared.samples[0].state is SampleState.CHANGED
    with pytest.raises(NotFound):
        shelf.world.service.find_revision("note", "1.1.0")
    broken, nothing = shelf.registry.review(requester, note("1.1"))
    assert not broken.ok
    assert nothing is None


def test_who_runs_which_is_shown_as_far_as_one_may_see(shelf: Shelf) -> None:
    health = shelf.deploy()
    shelf.world.service.publish(PLATFORM, note("1.1.0"))
    water = shelf.deploy(shelf.world.water.id)
    users = shelf.registry.users(PLATFORM, "note", PageRequest()).items
    assert {u.deployment: u.version for u in users} == {health.id: "1.0.0", water.id: "1.1.0"}
    assert shelf.registry.user_counts(PLATFORM, "note") == {"1.0.0": 1, "1.1.0": 1}
    old = shelf.registry.users(PLATFORM, "note", PageRequest(), version="1.0.0").items
    assert [u.deployment for u in old] == [health.id]
    first = shelf.registry.users(PLATFORM, "note", PageRequest(limit=1))
    rest = shelf.registry.users(PLATFORM, "note", PageRequest(first.next, 1))
    assert {*(u.deployment for u in first.items), *(u.deployment for u in rest.items)} == {
        health.id, water.id,
    }  # fmt: skip
    theirs = person("member", "/city/water/")
    assert [u.deployment for u in shelf.registry.users(theirs, "note", PageRequest()).items] == [
        water.id
    ]
    assert shelf.registry.user_counts(theirs, "note") == {"1.1.0": 1}


def test_a_report_says_what_would_change_of_what_runs(shelf: Shelf) -> None:
    extra = {"extra": {**EXTRA["extra"], "default": "x"}}
    shelf.world.service.publish(PLATFORM, note("1.1.0", more=extra))
    shelf.world.service.publish(PLATFORM, note("1.2.0", format="rich", more=extra))
    three = shelf.deploy(copies=3)
    plan = shelf.world.plan(
        tenancy=shelf.world.water.id, blueprint="note", version="1.0.0", inputs={"text": "a" * 30}
    )
    long = shelf.world.apply(plan)
    narrow = {"text": {"type": "string", "maxLength": 10, "title": "T", "x-zh": {"title": "文"}}}
    target = shelf.world.service.publish(
        PLATFORM, note("2.0.0", prefix="y-", more={**extra, **narrow})
    )
    with pytest.raises(NotFound, match="nobody has asked"):
        shelf.registry.impact(PLATFORM, "note", "2.0.0")
    before = shelf.world.service.deployment(PLATFORM, three.id)
    asked = shelf.registry.request_impact(PLATFORM, "note")
    result = shelf.run(asked)
    assert list(result.kept) == ["list", "compare.1", "report"]
    made = shelf.registry.impact(PLATFORM, "note")
    assert (made.version, made.revision, made.truncated) == ("2.0.0", target.digest, False)
    assert made.totals == {"problem": 1, "replace": 1}
    rows = shelf.registry.impact_rows(PLATFORM, "note", "2.0.0", PageRequest()).items
    assert [(r.deployment, r.outcome) for r in rows] == [
        (long.id, "problem"), (three.id, "replace"),
    ]  # fmt: skip
    assert "inputs.text: must have 10 characters or fewer" in rows[0].problem
    assert rows[1].counts == {"replace": 3}
    assert (rows[1].version, rows[0].version) == ("1.2.0", "1.0.0")
    assert shelf.world.service.deployment(PLATFORM, three.id) == before
    page = shelf.registry.impact_rows(PLATFORM, "note", "2.0.0", PageRequest(limit=1))
    rest = shelf.registry.impact_rows(PLATFORM, "note", "2.0.0", PageRequest(page.next, 1))
    assert (*page.items, *rest.items) == rows


def test_a_report_covers_what_is_in_a_tenancy(shelf: Shelf) -> None:
    """A blueprint that gets the tenancy's outputs, with the real one of them."""
    made = shelf.world.apply(shelf.world.plan())
    revision = shelf.world.service.find_revision("web-application")
    rows = shelf.registry.affect(revision.digest, [made.id])
    assert [(row["counts"], row["problem"]) for row in rows] == [({}, "")]


def test_a_strange_cursor_is_refused(shelf: Shelf) -> None:
    shelf.run(shelf.registry.request_impact(PLATFORM, "note"))
    made = shelf.registry.impact(PLATFORM, "note")
    assert made.totals == {}
    with pytest.raises(Invalid):
        shelf.registry.impact_rows(PLATFORM, "note", "", PageRequest("WyJ4Il0"))


def test_reports_are_for_those_who_publish(shelf: Shelf) -> None:
    for role in ("member", "department_administrator", "auditor", "approver"):
        with pytest.raises(Forbidden):
            shelf.registry.request_impact(person(role), "note")
        with pytest.raises(Forbidden):
            shelf.registry.impact(person(role), "note")
