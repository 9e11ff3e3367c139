"""What every engine promises of objects that somebody else made."""

from typing import Any

import pytest

from control_plane.provisioning.graph import ApplyState, Preview
from control_plane.provisioning.ports import NotThereError
from foundation.kernel.errors import NeedsApproval
from tests.contract.engine.test_engine import PASSWORD, ops, paths, states, yes

World = Any


def two(world: World, **other: Any) -> dict[str, str]:
    """Two things that were made by hand, by the URN that they are to have."""
    run = world.run(things=2)
    first = world.plant(run, "thing-0", **other)
    second = world.plant(run, "thing-1", **{"uses": first, **other})
    return {world.urn("thing-0"): first, world.urn("thing-1"): second}


def test_what_is_as_the_program_says_is_taken_in_unchanged(world: World) -> None:
    run, existing = world.run(things=2), two(world)
    preview = world.engine.preview_import(run, existing)
    assert ops(preview) == {"thing-0": "same", "thing-1": "same"}
    assert world.engine.preview(run).counts() == {"create": 2}  # nothing was kept of it
    shown: list[Preview] = []
    result = world.engine.import_existing(run, existing, confirm=shown.append)
    assert result.state is ApplyState.SUCCEEDED, result.error
    assert shown == [preview]
    assert {o.urn: o.physical_id for o in result.outcomes} == existing
    assert states(result) == {"thing-0": "same", "thing-1": "same"}
    assert result.outputs["last"] == existing[world.urn("thing-1")]
    assert world.engine.preview(run).effective == ()
    assert world.engine.refresh(run) == ()
    assert world.labels() == ["shop-0", "shop-1"]
    assert world.engine.outputs(run) == (result.outputs, result.secret_outputs)


def test_what_differs_is_shown_and_then_changed_in_place(world: World) -> None:
    run, existing = world.run(things=2), two(world, label="by hand", size=7)
    preview = world.engine.preview_import(run, existing)
    assert ops(preview) == {"thing-0": "update", "thing-1": "update"}
    assert paths(preview, "thing-0") == {"label": ("by hand", "shop-0"), "size": (7, 1)}
    result = world.engine.import_existing(run, existing, confirm=yes)
    assert states(result) == {"thing-0": "updated", "thing-1": "updated"}
    assert {o.urn: o.physical_id for o in result.outcomes} == existing
    assert world.labels() == ["shop-0", "shop-1"]
    assert world.engine.preview(run).effective == ()
    # From now on it is like any other: a change in place, and its end.
    assert ops(world.engine.preview(world.run(things=2, size=3))) == {
        "thing-0": "update", "thing-1": "update"
    }  # fmt: skip
    assert world.engine.destroy(run).state is ApplyState.SUCCEEDED
    assert world.labels() == []


def test_what_would_replace_is_shown_and_nothing_is_touched(world: World) -> None:
    run, existing = world.run(things=2), two(world, colour="red", label="by hand")
    seen: list[Preview] = []

    def refuse(preview: Preview) -> None:
        seen.append(preview)
        raise NeedsApproval("not so")

    with pytest.raises(NeedsApproval):
        world.engine.import_existing(run, existing, confirm=refuse)
    assert set(ops(seen[0]).values()) == {"replace"}
    (colour,) = [p for p in seen[0].changes[0].properties if p.path == "colour"]
    assert (colour.before, colour.after, colour.forces_replacement) == ("red", "blue", True)
    assert world.labels() == ["by hand", "by hand"]
    assert world.engine.preview(run).counts() == {"create": 2}


def test_half_of_what_a_program_declares(world: World) -> None:
    run, existing = world.run(things=2), two(world)
    half = {world.urn("thing-0"): existing[world.urn("thing-0")]}
    assert ops(world.engine.preview_import(run, half)) == {"thing-0": "same", "thing-1": "create"}
    result = world.engine.import_existing(run, half, confirm=yes)
    assert states(result) == {"thing-0": "same", "thing-1": "created"}
    assert world.labels() == ["shop-0", "shop-1", "shop-1"]
    # The other is there twice now: what was made goes, what nobody took stays.
    assert world.engine.destroy(run).state is ApplyState.SUCCEEDED
    assert world.labels() == ["shop-1"]


def test_what_is_not_there_is_named(world: World) -> None:
    run, existing = world.run(things=2), two(world)
    gone = {**existing, world.urn("thing-1"): "nowhere"}
    for wrong in (gone, {**existing, world.urn("thing-9"): "nowhere"}):
        with pytest.raises(NotThereError) as raised:
            world.engine.import_existing(run, wrong, confirm=yes)
        (missing,) = raised.value.details["missing"]
        assert missing.rpartition("::")[2] in {"thing-1", "thing-9"}
        assert "nowhere" in raised.value.message
    assert world.engine.preview(run).counts() == {"create": 2}
    assert world.labels() == ["shop-0", "shop-1"]


def test_a_failed_import_is_completed_by_the_same_call(world: World) -> None:
    run, existing = world.run(things=3), two(world, label="by hand")
    world.refuse("thing-2", "create")
    failed = world.engine.import_existing(run, existing, confirm=yes)
    assert failed.state is ApplyState.FAILED
    assert world.labels() == ["shop-0", "shop-1"]
    world.heal()
    world.engine.recover(run)
    done = world.engine.import_existing(run, existing, confirm=yes)
    assert done.state is ApplyState.SUCCEEDED, done.error
    assert states(done)["thing-2"] == "created"
    assert existing.items() <= {o.urn: o.physical_id for o in done.outcomes}.items()
    assert world.engine.preview(run).effective == ()
    assert PASSWORD not in repr(done.outcomes)


def test_what_is_released_stays_and_is_nobodys(world: World) -> None:
    run, existing = world.run(things=3), two(world)
    world.engine.release(run, list(existing))  # a stack that never existed
    world.engine.import_existing(run, existing, confirm=yes)
    world.engine.release(run, list(existing))
    world.engine.release(run, list(existing))
    assert world.engine.destroy(run).state is ApplyState.SUCCEEDED
    assert world.labels() == ["shop-0", "shop-1"]
    # And may be taken in again.
    again = world.engine.import_existing(world.run(things=2), existing, confirm=yes)
    assert states(again) == {"thing-0": "same", "thing-1": "same"}
