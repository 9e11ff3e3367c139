"""An event starts actions, each once; people take care of incidents."""

from typing import Any

import pytest

from foundation.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.video import WATER, EventWorld, signal
from workloads.video_analytics.events.linkage.model import (
    Action,
    ActionKind,
    IncidentState,
    Outcome,
)
from workloads.video_analytics.events.model import Change, Reported
from workloads.video_analytics.events.notification.model import Matching, ReceiverKind
from workloads.video_analytics.vision.model import RuleKind

TURN = Action(ActionKind.PTZ, camera="cam_weir", preset="gate")
OPEN = Action(ActionKind.INCIDENT, title="Left bag at the gate")


@pytest.fixture
def world(world: EventWorld) -> EventWorld:
    world.actions.presets = {"cam_weir": {"gate"}}
    return world


def _rule(world: EventWorld, *then: Action, pause: int = 0, **when: Any) -> str:
    made = world.linkages.add(world.operator, WATER, "rule", Matching(**when), then, pause)
    return made.id


def _event(
    world: EventWorld, key: str = "a", camera: str = "cam_gate", rule: str = "rul_bag"
) -> str:
    [ref] = world.events.report(world.fence, camera, [Reported(signal(rule, key=key))])
    return ref.id


def _outcomes(world: EventWorld, event_id: str) -> list[Outcome]:
    return [d.outcome for d in world.linkages.deeds(world.viewer, event_id)]


def test_an_event_starts_each_action_once(world: EventWorld) -> None:
    receiver, _ = world.receivers.add(
        world.operator, WATER, "x", ReceiverKind.WEBHOOK, "https://x.example/",
        Matching(kinds=(RuleKind.FACE,)),
    )  # fmt: skip
    hook = Action(ActionKind.WEBHOOK, receiver=receiver.id)
    _rule(world, TURN, OPEN, hook, kinds=(RuleKind.OBJECT_ABANDONED,))
    event_id = _event(world)
    other = _event(world, rule="rul_line")
    world.relay()
    with world.database.transaction():  # the relay died before it noted that it was done
        for message in world.outbox.pending(10):
            world.linkages.receive(message)
    assert world.linkages.act() == 3
    assert world.linkages.act() == 0
    assert _outcomes(world, event_id) == [Outcome.DONE] * 3
    assert world.linkages.deeds(world.viewer, other) == []
    assert world.actions.turned == [("cam_weir", "gate")]
    [incident] = world.linkages.incidents(world.viewer, PageRequest()).items
    assert (incident.title, incident.event_id, incident.path) == (OPEN.title, event_id, WATER)
    [sent] = world.receivers.deliveries(world.operator, PageRequest()).items
    assert (sent.receiver_id, sent.change) == (receiver.id, "linked")
    history = [e.change for e in world.events.history(world.viewer, event_id)]
    assert history.count(Change.LINKED) == 3
    assert len(world.audited("linkage.act")) == 3


def test_how_an_action_failed_is_kept(world: EventWorld, clock: SettableClock) -> None:
    _rule(world, Action(ActionKind.PTZ, camera="cam_weir", preset="nowhere"))
    event_id = _event(world)
    world.relay()
    world.linkages.act()
    [deed] = world.linkages.deeds(world.viewer, event_id)
    assert (deed.outcome, deed.detail) == (Outcome.FAILED, "there is no such preset")
    world.actions.broken = True
    _rule(world, TURN)
    event_id = _event(world, "b")
    world.relay()
    world.linkages.act()
    assert Outcome.PENDING in _outcomes(world, event_id)
    for _ in range(3):
        clock.advance(seconds=11)
        world.linkages.act()
    assert _outcomes(world, event_id) == [Outcome.FAILED, Outcome.FAILED]


def test_turning_cameras_do_not_turn_each_other_for_ever(
    world: EventWorld, clock: SettableClock
) -> None:
    world.actions.presets["cam_gate"] = {"weir"}
    _rule(world, TURN, cameras=("cam_gate",))
    _rule(world, Action(ActionKind.PTZ, camera="cam_gate", preset="weir"), cameras=("cam_weir",))
    turns = []
    camera = "cam_gate"
    for n in range(6):  # each turn makes the turned camera see motion
        event_id = _event(world, f"k{n}", camera)
        world.relay()
        world.linkages.act()
        turns.append(_outcomes(world, event_id)[0])
        camera = "cam_weir" if camera == "cam_gate" else "cam_gate"
        clock.advance(seconds=2)
    assert turns == [Outcome.DONE, *[Outcome.SKIPPED] * 1, Outcome.DONE, *turns[3:]]
    assert ("cam_gate", "weir") not in world.actions.turned
    assert set(turns[1::2]) == {Outcome.SKIPPED}


def test_a_rule_rests_after_it_acted(world: EventWorld, clock: SettableClock) -> None:
    _rule(world, OPEN, pause=60)
    results = []
    for n, wait in enumerate((0, 10, 60)):
        clock.advance(seconds=wait)
        event_id = _event(world, f"k{n}")
        world.relay()
        world.linkages.act()
        results += _outcomes(world, event_id)
    assert results == [Outcome.DONE, Outcome.SKIPPED, Outcome.DONE]
    assert _event(world, "other", "cam_weir")
    world.relay()
    assert world.linkages.act() == 1


def test_what_was_told_too_late_starts_nothing(world: EventWorld, clock: SettableClock) -> None:
    _rule(world, OPEN)
    event_id = _event(world)
    clock.advance(hours=2)
    world.relay()
    assert world.linkages.act() == 0
    assert _outcomes(world, event_id) == [Outcome.SKIPPED]


def test_wrong_rules_are_refused_with_every_wrong_field(world: EventWorld) -> None:
    with pytest.raises(Invalid) as wrong:
        _rule(world, Action(ActionKind.PTZ, camera="cam_road", preset=""),
              Action(ActionKind.WEBHOOK, receiver="rcv_x"), pause=-1)  # fmt: skip
    assert {p.field for p in wrong.value.problems} == {
        "then.0.camera", "then.0.preset", "then.1.receiver", "pause_seconds",
    }  # fmt: skip
    with pytest.raises(NotFound):
        world.linkages.add(world.neighbour, WATER, "x", Matching(), [OPEN])
    rule = _rule(world, OPEN)
    with pytest.raises(NotFound):
        world.linkages.remove(world.neighbour, rule)
    world.linkages.switch(world.operator, rule, enabled=False)
    _event(world)
    world.relay()
    assert world.linkages.act() == 0
    world.linkages.remove(world.operator, rule)
    assert world.linkages.linkages(world.viewer) == []


def test_an_incident_goes_its_way_and_ends_with_a_report(world: EventWorld) -> None:
    event_id = _event(world)
    incident = world.linkages.open(world.operator, event_id)
    assert (incident.title, incident.state) == ("Left bags: Cam_Gate", IncidentState.WARNING)

    def step(state: IncidentState, **more: Any) -> Any:
        return world.linkages.step(world.operator, incident.id, state, **more)

    with pytest.raises(Conflict):
        step(IncidentState.ACTING)
    with pytest.raises(Invalid, match="assigned_to"):
        step(IncidentState.ASSIGNED)
    step(IncidentState.ASSIGNED, assigned_to="patrol 3")
    with pytest.raises(PreconditionFailed):
        step(IncidentState.ACTING, version=1)
    step(IncidentState.ACTING, version=2)
    with pytest.raises(Invalid, match="note"):
        step(IncidentState.CLOSED)
    closed = step(IncidentState.CLOSED, note="an umbrella; its owner came back")
    assert (closed.report, closed.assigned_to) == ("an umbrella; its owner came back", "patrol 3")
    assert [s.state for s in closed.steps] == list(IncidentState)
    with pytest.raises(Conflict):
        step(IncidentState.ASSIGNED, assigned_to="x")
    with pytest.raises(NotFound):
        world.linkages.incident(world.neighbour, incident.id)
