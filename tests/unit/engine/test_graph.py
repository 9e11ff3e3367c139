"""Previews, what goes beyond an approved one, and differences of trees."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.adapters.embedded.passes import assign, merged
from control_plane.adapters.program_host.trees import differences, leaves
from control_plane.provisioning.graph import UNKNOWN, Change, Op, Preview, fits, secret_marker
from foundation.kernel import canonical

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab.[", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab.c", min_size=1, max_size=3), inner)
    ),
    max_leaves=8,
)
TREES = st.dictionaries(st.sampled_from(["a", "b", "c.d", "e"]), JSON, max_size=4)


def change(op: Op, before: dict[str, Any], after: dict[str, Any], urn: str = "u") -> Change:
    return Change(urn, "t", "n", op, differences(before, after))


def preview(*changes: Change) -> Preview:
    return Preview(changes)


@given(TREES)
def test_a_tree_does_not_differ_from_itself(tree: dict[str, Any]) -> None:
    assert differences(tree, tree) == ()


@given(TREES, TREES)
def test_differences_both_ways_are_each_others_mirror(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    forth = {(p.path, repr(p.before), repr(p.after)) for p in differences(one, other)}
    back = {(p.path, repr(p.after), repr(p.before)) for p in differences(other, one)}
    assert forth == back


@given(TREES)
def test_each_leaf_has_a_path_of_its_own_that_leads_to_it(tree: dict[str, Any]) -> None:
    found = list(leaves(tree))
    assert len({path for path, _ in found}) == len(found)


def test_names_with_dots_are_quoted() -> None:
    tree = {"metadata": {"labels": {"borough.dev/of": "x"}}, "ports": [{"port": 80}]}
    assert dict(leaves(tree)) == {
        'metadata.labels["borough.dev/of"]': "x",
        "ports[0].port": 80,
    }


@pytest.mark.parametrize("path", ["a.b", "list[0].x", 'labels["a.b/c"]', "new", "list[1]"])
def test_assign_reaches_what_leaves_names(path: str) -> None:
    tree = {"a": {"b": 1}, "list": [{"x": 1}], "labels": {"a.b/c": 1}}
    changed = assign(tree, path, 9)
    assert dict(leaves(changed))[path] == 9
    assert tree == {"a": {"b": 1}, "list": [{"x": 1}], "labels": {"a.b/c": 1}}


def test_merged_keeps_what_was_asked_and_adds_what_the_cloud_made() -> None:
    asked = {"metadata": {"name": "x", "labels": {"a": "1"}}, "n": [1], "s": {"$clear": "p"}}
    made = {"metadata": {"uid": "7"}, "n": [2], "id": "3"}
    assert merged(asked, made) == {
        "metadata": {"name": "x", "labels": {"a": "1"}, "uid": "7"},
        "n": [2],
        "s": {"$clear": "p"},
        "id": "3",
    }


def test_unknowns_fit_whatever_they_become() -> None:
    assert fits({"a": [UNKNOWN], "b": secret_marker("unknown")}, {"a": ["x"], "b": "y"})
    assert not fits({"a": ["x"]}, {"a": [UNKNOWN]})
    assert not fits({"a": 1}, {"a": 1, "b": 2})
    assert not fits([1], [1, 2])
    assert not fits(secret_marker("1"), secret_marker("2"))


def test_a_preview_digests_what_it_does_and_not_what_stays() -> None:
    made = change(Op.CREATE, {}, {"a": 1})
    same = Change("v", "t", "m", Op.SAME)
    assert canonical.digest(preview(made).document()) == canonical.digest(
        preview(made, same).document()
    )
    assert preview(made, same).counts() == {"create": 1, "same": 1}


@pytest.mark.parametrize(
    ("approved", "fresh", "allowed"),
    [
        (change(Op.CREATE, {}, {"a": 1}), change(Op.CREATE, {}, {"a": 1}), True),
        (change(Op.CREATE, {}, {"a": 1}), change(Op.CREATE, {}, {"a": 2}), False),
        (change(Op.CREATE, {}, {"a": 1}), change(Op.CREATE, {}, {"a": 1, "b": 1}), False),
        (change(Op.CREATE, {}, {"a": UNKNOWN}), change(Op.CREATE, {}, {"a": "id"}), True),
        # What a cut-off create left behind is brought to what was approved.
        (change(Op.CREATE, {}, {"a": 1, "b": 2}), change(Op.UPDATE, {"b": 3}, {"b": 2}), True),
        (change(Op.CREATE, {}, {"a": 1, "b": 2}), change(Op.UPDATE, {"b": 3}, {"b": 4}), False),
        (change(Op.CREATE, {}, {"a": 1}), change(Op.REPLACE, {"a": 0}, {"a": 1}), True),
        (change(Op.CREATE, {}, {"a": 1}), Change("u", "t", "n", Op.DELETE), False),
        (change(Op.UPDATE, {"a": 0}, {"a": 1}), change(Op.UPDATE, {"a": 0}, {"a": 1}), True),
        (change(Op.UPDATE, {"a": 0}, {"a": 1}), change(Op.REPLACE, {"a": 0}, {"a": 1}), False),
        (change(Op.REPLACE, {"a": 0}, {"a": 1}), change(Op.CREATE, {}, {"a": 1}), True),
        (Change("u", "t", "n", Op.DELETE), Change("u", "t", "n", Op.DELETE), True),
        (Change("u", "t", "n", Op.SAME), change(Op.UPDATE, {"a": 0}, {"a": 1}), False),
        (Change("u", "other", "n", Op.CREATE), change(Op.CREATE, {}, {}), False),
    ],
)
def test_beyond(approved: Change, fresh: Change, allowed: bool) -> None:  # noqa: FBT001
    assert (preview(fresh).beyond(preview(approved)) == ()) is allowed


def test_what_nobody_approved_is_beyond() -> None:
    new = change(Op.CREATE, {}, {"a": 1})
    assert preview(new).beyond(preview()) == (new,)
    assert preview(Change("u", "t", "n", Op.SAME)).beyond(preview()) == ()
