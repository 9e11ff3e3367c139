"""What every engine promises."""

import json
import threading
import time
from typing import Any

import pytest

from control_plane.provisioning.graph import (
    ApplyState,
    DriftKind,
    EngineEvent,
    EventKind,
    Op,
    Preview,
    Progress,
    ResourceState,
    is_secret,
    is_unknown,
)
from control_plane.provisioning.ports import EngineError, ProgramError, StackBusyError
from foundation.kernel import canonical
from foundation.kernel.errors import NeedsApproval

PASSWORD = "open-sesame-0815"
World = Any


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


def ops(preview: Preview) -> dict[str, str]:
    return {c.name: c.op.value for c in preview.changes}


def states(result: Any) -> dict[str, str]:
    return {o.name: o.state.value for o in result.outcomes}


def paths(preview: Preview, name: str) -> dict[str, Any]:
    change = next(c for c in preview.changes if c.name == name)
    return {p.path: (p.before, p.after) for p in change.properties}


def test_evaluate_gives_the_graph_with_unknowns_secrets_and_dependencies(world: World) -> None:
    graph = world.engine.evaluate(world.run(things=2))
    first, second = graph.resources
    assert (first.logical_name, second.logical_name) == ("thing-0", "thing-1")
    assert second.type == "sample:index:Thing"
    assert second.inputs["size"] == 1
    assert is_unknown(second.inputs["uses"])
    assert is_secret(second.inputs["password"])
    assert first.urn in second.depends_on
    assert second.provider == "pulumi:providers:sample"
    assert is_unknown(graph.outputs["last"])
    assert is_secret(graph.outputs["secret"])
    assert PASSWORD not in repr(graph)
    assert graph == world.engine.evaluate(world.run(things=2))
    assert world.labels() == []


def test_preview_of_something_new_touches_nothing(world: World) -> None:
    preview = world.engine.preview(world.run())
    assert ops(preview) == {"thing-0": "create", "thing-1": "create"}
    assert paths(preview, "thing-0")["size"] == (None, 1)
    assert preview.counts() == {"create": 2}
    assert world.labels() == []


def test_previews_of_the_same_are_equal_to_the_byte(world: World) -> None:
    first, second = (canonical.dumps(world.engine.preview(world.run()).document()) for _ in "12")
    assert first == second
    assert PASSWORD not in first


def test_another_secret_gives_another_preview_without_showing_it(world: World) -> None:
    one = world.engine.preview(world.run())
    other = world.engine.preview(world.run(password="another-password"))
    assert one.document() != other.document()
    assert "another-password" not in canonical.dumps(other.document())
    before = paths(one, "thing-0")["password"][1]
    after = paths(other, "thing-0")["password"][1]
    assert is_secret(before)
    assert is_secret(after)
    assert before != after


def test_the_whole_life(world: World) -> None:
    engine, run = world.engine, world.run(things=2)
    made = engine.apply(run, confirm=yes)
    assert made.state is ApplyState.SUCCEEDED, made.error
    assert states(made) == {"thing-0": "created", "thing-1": "created"}
    assert all(o.physical_id for o in made.outcomes)
    assert world.labels() == ["shop-0", "shop-1"]
    assert made.outputs["size"] == 1
    assert made.secret_outputs == {"secret": f"pw:{PASSWORD}"}
    assert PASSWORD not in json.dumps([dict(o.outputs) for o in made.outcomes])
    assert engine.outputs(run) == (dict(made.outputs), dict(made.secret_outputs))

    again = engine.apply(run, confirm=yes)
    assert states(again) == {"thing-0": "same", "thing-1": "same"}
    assert [o.physical_id for o in again.outcomes] == [o.physical_id for o in made.outcomes]

    larger = world.run(things=2, size=5)
    preview = engine.preview(larger)
    assert ops(preview) == {"thing-0": "update", "thing-1": "update"}
    assert paths(preview, "thing-1") == {"size": (1, 5)}
    changed = engine.apply(larger, confirm=yes)
    assert states(changed) == {"thing-0": "updated", "thing-1": "updated"}
    assert changed.outputs["size"] == 5

    fewer = world.run(things=1, size=5)
    assert ops(engine.preview(fewer)) == {"thing-0": "same", "thing-1": "delete"}
    gone = engine.apply(fewer, confirm=yes)
    assert states(gone) == {"thing-0": "same", "thing-1": "deleted"}
    assert world.labels() == ["shop-0"]

    ended = engine.destroy(fewer)
    assert ended.state is ApplyState.SUCCEEDED
    assert states(ended) == {"thing-0": "deleted"}
    assert world.labels() == []
    with pytest.raises(EngineError):
        engine.outputs(fewer)


def test_a_property_that_cannot_change_in_place_replaces_and_so_do_dependents(
    world: World,
) -> None:
    engine = world.engine
    made = engine.apply(world.run(), confirm=yes)
    green = world.run(colour="green")
    preview = engine.preview(green)
    assert ops(preview) == {"thing-0": "replace", "thing-1": "replace"}
    first = next(c for c in preview.changes if c.name == "thing-0")
    assert {p.path for p in first.properties if p.forces_replacement} == {"colour"}
    replaced = engine.apply(green, confirm=yes)
    assert states(replaced) == {"thing-0": "replaced", "thing-1": "replaced"}
    assert world.labels() == ["shop-0", "shop-1"]
    old, new = ({o.physical_id for o in r.outcomes} for r in (made, replaced))
    assert not old & new


def test_destroying_nothing_succeeds(world: World) -> None:
    result = world.engine.destroy(world.run())
    assert (result.state, result.outcomes) == (ApplyState.SUCCEEDED, ())


def test_outputs_of_no_stack(world: World) -> None:
    with pytest.raises(EngineError):
        world.engine.outputs(world.run())


def test_confirm_sees_what_will_be_done_and_may_refuse(world: World) -> None:
    engine = world.engine
    planned = engine.preview(world.run())
    seen: list[Preview] = []

    def refuse(preview: Preview) -> None:
        seen.append(preview)
        raise NeedsApproval("the plan is another", difference=[])

    with pytest.raises(NeedsApproval):
        engine.apply(world.run(), confirm=refuse)
    assert seen == [planned]
    assert world.labels() == []
    assert engine.apply(world.run(), confirm=yes).state is ApplyState.SUCCEEDED


def test_a_program_that_fails_touches_nothing(world: World) -> None:
    run = world.run(raises=True)
    for call in (
        world.engine.evaluate,
        world.engine.preview,
        lambda r: world.engine.apply(r, confirm=yes),
    ):
        with pytest.raises(ProgramError, match="make no sense"):
            call(run)
    assert world.labels() == []


def test_what_the_cloud_refuses_is_a_result_and_can_be_retried(world: World) -> None:
    world.refuse("thing-1")
    result = world.engine.apply(world.run(things=3), confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "no more things" in result.error
    found = {o.name: o for o in result.outcomes}
    assert found["thing-0"].state is ResourceState.CREATED
    assert found["thing-1"].state is ResourceState.FAILED
    assert "no more things" in found["thing-1"].error
    assert world.labels() == ["shop-0"]

    world.heal()
    again = world.engine.apply(world.run(things=3), confirm=yes)
    assert again.state is ApplyState.SUCCEEDED
    assert states(again) == {"thing-0": "same", "thing-1": "created", "thing-2": "created"}
    assert world.labels() == ["shop-0", "shop-1", "shop-2"]


def test_a_deletion_that_the_cloud_refuses_leaves_the_rest_known(world: World) -> None:
    world.engine.apply(world.run(), confirm=yes)
    world.refuse("thing-0", "delete")
    result = world.engine.destroy(world.run())
    assert result.state is ApplyState.FAILED
    assert states(result)["thing-1"] == "deleted"
    assert states(result)["thing-0"] == "failed"
    assert world.labels() == ["shop-0"]
    world.heal()
    assert world.engine.destroy(world.run()).state is ApplyState.SUCCEEDED
    assert world.labels() == []


def test_progress_is_told_per_resource(world: World) -> None:
    events: list[EngineEvent] = []
    world.refuse("thing-1")
    world.engine.apply(world.run(), confirm=yes, on_event=events.append)
    steps = [(e.name, e.op, e.progress) for e in events if e.kind is EventKind.RESOURCE]
    making = [s for s in steps if s[1] is Op.CREATE]
    assert making == [
        ("thing-0", Op.CREATE, Progress.STARTED),
        ("thing-0", Op.CREATE, Progress.DONE),
        ("thing-1", Op.CREATE, Progress.STARTED),
        ("thing-1", Op.CREATE, Progress.FAILED),
    ]
    assert "apply" in [e.message for e in events if e.kind is EventKind.PHASE]
    assert PASSWORD not in repr(events)


def test_cancel_stops_after_the_running_step(world: World) -> None:
    cancel = threading.Event()

    def stop(event: EngineEvent) -> None:
        if event.name == "thing-0" and event.progress is Progress.DONE and event.op is Op.CREATE:
            cancel.set()

    result = world.engine.apply(world.run(things=4), confirm=yes, on_event=stop, cancel=cancel)
    assert result.state is ApplyState.CANCELLED
    assert world.labels()[0] == "shop-0"
    assert len(world.labels()) < 4
    again = world.engine.apply(world.run(things=4), confirm=yes)
    assert again.state is ApplyState.SUCCEEDED
    assert len(world.labels()) == 4


def test_one_operation_per_stack_at_a_time(world: World) -> None:
    begun, go_on = threading.Event(), threading.Event()
    result: list[Any] = []

    def wait(_preview: Preview) -> None:
        begun.set()
        assert go_on.wait(30)

    worker = threading.Thread(
        target=lambda: result.append(world.engine.apply(world.run(), confirm=wait))
    )
    worker.start()
    assert begun.wait(60)
    with pytest.raises(StackBusyError):
        world.engine.apply(world.run(), confirm=yes)
    with pytest.raises(StackBusyError):
        world.engine.destroy(world.run())
    go_on.set()
    worker.join(60)
    assert result[0].state is ApplyState.SUCCEEDED
    assert len(world.labels()) == 2


def test_an_operation_that_hangs_is_cancelled_and_recovered(world: World) -> None:
    cancel = threading.Event()
    world.hang("thing-1")

    def stop(event: EngineEvent) -> None:
        if (event.name, event.progress) == ("thing-1", Progress.STARTED):
            threading.Timer(1.0, cancel.set).start()

    begin = time.monotonic()
    result = world.engine.apply(world.run(), confirm=yes, cancel=cancel, on_event=stop)
    assert time.monotonic() - begin < 60
    assert result.state is ApplyState.CANCELLED
    assert states(result)["thing-1"] in {"unknown", "failed"}
    world.heal()
    world.engine.recover(world.run())
    again = world.engine.apply(world.run(), confirm=yes)
    assert again.state is ApplyState.SUCCEEDED, again.error
    assert world.labels() == ["shop-0", "shop-1"]


def test_drift_is_found_again_until_it_is_repaired(world: World) -> None:
    engine, run = world.engine, world.run(things=3)
    engine.apply(run, confirm=yes)
    assert engine.refresh(run) == ()
    world.tamper("thing-0", 9)
    world.remove("thing-2")
    for _ in "12":
        changed, missing = engine.refresh(run)
        assert (changed.name, changed.kind) == ("thing-0", DriftKind.CHANGED)
        assert [(p.path, p.before, p.after) for p in changed.properties] == [("size", 1, 9)]
        assert (missing.name, missing.kind) == ("thing-2", DriftKind.MISSING)
    assert engine.preview(run).effective == ()
    preview = engine.preview(run, refresh=True)
    assert ops(preview) == {"thing-0": "update", "thing-1": "same", "thing-2": "create"}
    repaired = engine.apply(run, confirm=yes, refresh=True)
    assert repaired.state is ApplyState.SUCCEEDED
    assert engine.refresh(run) == ()
    assert world.labels() == ["shop-0", "shop-1", "shop-2"]


def test_drift_may_be_written_into_the_state(world: World) -> None:
    engine, run = world.engine, world.run()
    engine.apply(run, confirm=yes)
    world.tamper("thing-0", 9)
    assert len(engine.refresh(run, accept=True)) == 1
    assert engine.refresh(run) == ()
    assert ops(engine.preview(run)) == {"thing-0": "update", "thing-1": "same"}


def test_one_things_drift_may_be_written_into_the_state(world: World) -> None:
    engine, run = world.engine, world.run(things=3)
    engine.apply(run, confirm=yes)
    world.tamper("thing-0", 9)
    world.tamper("thing-1", 9)
    world.remove("thing-2")
    first, second, third = engine.refresh(run)
    assert [f.name for f in engine.refresh(run, only=[second.urn])] == ["thing-1"]
    engine.refresh(run, accept=True, only=[first.urn, third.urn])
    assert [f.name for f in engine.refresh(run)] == ["thing-1"]
    assert ops(engine.preview(run)) == {"thing-0": "update", "thing-1": "same", "thing-2": "create"}


def test_a_preview_after_half_the_work_goes_not_beyond_what_was_approved(world: World) -> None:
    approved = world.engine.preview(world.run(things=3))
    world.refuse("thing-2")
    world.engine.apply(world.run(things=3), confirm=yes)
    world.heal()
    rest = world.engine.preview(world.run(things=3))
    assert rest != approved
    assert rest.beyond(approved) == ()
    more = world.engine.preview(world.run(things=4))
    assert [c.name for c in more.beyond(approved)] == ["thing-3"]
    larger = world.engine.preview(world.run(things=3, size=7))
    assert {c.name for c in larger.beyond(approved)} >= {"thing-0", "thing-2"}


def test_recover_is_harmless(world: World) -> None:
    world.engine.recover(world.run())
    world.engine.apply(world.run(), confirm=yes)
    world.engine.recover(world.run())
    assert ops(world.engine.preview(world.run())) == {"thing-0": "same", "thing-1": "same"}


def test_a_program_that_says_another_thing_each_time_is_not_applied(world: World) -> None:
    run = world.run(things=2, dice=True)
    result = world.engine.apply(run, confirm=yes)
    assert result.state is ApplyState.FAILED
    assert "thing-0" in result.error
    assert world.labels() == []
