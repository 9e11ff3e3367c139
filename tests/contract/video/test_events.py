"""The life of an event on a real database."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.video import NOON, EventWorld, picture, signal
from workloads.video_analytics.events.model import (
    CLIP,
    JPEG,
    Change,
    Event,
    EventFilter,
    EventState,
    Reported,
    Severity,
    Verdict,
)
from workloads.video_analytics.events.ports import Fenced
from workloads.video_analytics.vision.model import Phase, RuleKind, Signal


def _report(world: EventWorld, *signals: Signal, camera: str = "cam_gate") -> list[str]:
    refs = world.events.report(world.fence, camera, [Reported(s) for s in signals])
    return [ref.id for ref in refs]


def _all(world: EventWorld, **wanted: object) -> list[Event]:
    found = world.events.events(world.chief, EventFilter(**wanted), PageRequest())  # type: ignore[arg-type]
    return list(found.items)


def _rows(world: EventWorld, table: str) -> int:
    with world.database.transaction():
        return int(
            world.database.execute(
                sa.select(sa.func.count()).select_from(sa.table(table))
            ).scalar_one()
        )


def test_an_event_goes_from_active_over_updated_to_ended(world: EventWorld) -> None:
    assert _report(world, signal(phase=Phase.CANDIDATE)) == []
    assert _all(world) == []
    [event_id] = _report(world, signal(score=0.5, data={"direction": "in"}))
    [event] = _all(world)
    assert (event.state, event.kind, event.severity) == (
        EventState.ACTIVE, RuleKind.LINE_CROSSING, Severity.WARNING,
    )  # fmt: skip
    assert (event.path, event.camera, event.rule_name) == ("/city/water/", "Cam_Gate", "Gate line")
    _report(world, signal(phase=Phase.UPDATED, after=3, score=0.4, data={"count": 2}))
    [event] = _all(world)
    assert (event.id, event.state, event.score) == (event_id, EventState.UPDATED, 0.5)
    assert event.data == {"direction": "in", "count": 2}
    _report(world, signal(phase=Phase.ENDED, after=8))
    [event] = _all(world)
    assert (event.state, event.seconds) == (EventState.ENDED, 8.0)
    assert [e.change for e in world.events.history(world.viewer, event_id)] == [
        Change.ACTIVE, Change.ENDED,
    ]  # fmt: skip


def test_repeated_and_older_reports_change_nothing(world: EventWorld) -> None:
    signals = [signal(), signal(phase=Phase.UPDATED, after=3), signal(phase=Phase.ENDED, after=8)]
    first = _report(world, *signals)
    before = _all(world)
    assert _report(world, *signals) == first
    assert _report(world, signal(phase=Phase.UPDATED, after=2)) == [first[0]]
    assert _report(world, signal(phase=Phase.ACTIVE, after=99)) == [first[0]]
    assert _all(world) == before
    assert len(set(first)) == 1


def test_another_key_beginning_or_version_is_another_event(world: EventWorld) -> None:
    found = _report(
        world, signal(), signal(key="b"), signal(version=2),
        signal(began=NOON + timedelta(seconds=1)), signal("rul_bag"),
    )  # fmt: skip
    assert len(set(found)) == 5
    assert {e.severity for e in _all(world, kinds=(RuleKind.OBJECT_ABANDONED,))} == {
        Severity.CRITICAL
    }


def test_what_was_never_active_is_no_event(world: EventWorld) -> None:
    assert _report(world, signal(phase=Phase.UPDATED), signal(phase=Phase.ENDED, key="b")) == []
    assert _all(world) == []


def test_an_old_token_keeps_nothing_of_its_report(world: EventWorld) -> None:
    old = world.fence
    world.fence = world.fences.take(old.shard)
    with pytest.raises(Fenced):
        world.events.report(old, "cam_gate", [Reported(signal())])
    assert _all(world) == []
    [event_id] = _report(world, signal())
    clip = world.files.put(b"clip", CLIP)
    with pytest.raises(Fenced):
        world.events.attach(old, event_id, clip)
    world.events.attach(world.fence, event_id, clip)
    assert world.events.event(world.viewer, event_id).clip == clip


def test_unknown_cameras_and_rules_are_refused(world: EventWorld) -> None:
    with pytest.raises(NotFound, match="camera"):
        _report(world, signal(), camera="cam_gone")
    with pytest.raises(NotFound, match="rule"):
        _report(world, signal(), signal("rul_gone"))
    assert _all(world) == []


def _at_once(many: int, work: Callable[[int], None]) -> list[BaseException]:
    wrong: list[BaseException] = []
    begin = threading.Barrier(many)

    def run(n: int) -> None:
        begin.wait()
        try:
            work(n)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return wrong


def test_many_reports_of_the_same_events_at_once_make_each_once(world: EventWorld) -> None:
    shot = world.files.put(picture(), JPEG)
    keys = [f"k{n}" for n in range(12)]

    def work(n: int) -> None:
        order = keys if n % 2 else keys[::-1]
        for phase, after in ((Phase.ACTIVE, 0), (Phase.UPDATED, 2 + n), (Phase.ENDED, 20)):
            told = [Reported(signal(phase=phase, after=after, key=k), shot) for k in order]
            world.events.report(world.fence, "cam_gate", told)

    assert _at_once(6, work) == []
    assert len(_all(world)) == 12
    assert {e.state for e in _all(world)} == {EventState.ENDED}
    assert _rows(world, "video_evidence") == 12
    for event in _all(world):
        changes = [e.change for e in world.events.history(world.viewer, event.id)]
        assert changes.count(Change.ACTIVE) == changes.count(Change.ENDED) == 1
        assert changes.count(Change.EVIDENCE) == 1
    assert _rows(world, "kernel_outbox") == 36


def test_a_picture_without_an_event_is_kept_and_found_again(world: EventWorld) -> None:
    """A worker dies between evidence and event; the next one reports the same."""
    shot = world.files.put(picture(), JPEG)
    assert _all(world) == []
    again = world.files.put(picture(), JPEG)
    assert again == shot
    world.events.report(world.fence, "cam_gate", [Reported(signal(), again)])
    [event] = _all(world)
    assert event.evidence == (shot,)
    assert world.events.verify(world.operator, event.id) == [(shot, True)]


def test_evidence_is_verified_against_its_digest(world: EventWorld) -> None:
    event_id = world.happen()
    [ref] = world.events.event(world.chief, event_id).evidence
    [file] = list(world.files._root.rglob(ref.sha256))  # noqa: SLF001 - to damage it
    file.write_bytes(picture(10))
    assert world.events.verify(world.operator, event_id) == [(ref, False)]
    file.unlink()
    assert world.events.verify(world.operator, event_id) == [(ref, False)]


def test_every_viewing_of_evidence_is_written_down(world: EventWorld) -> None:
    event_id = world.happen()
    [ref] = world.events.event(world.chief, event_id).evidence
    found, file = world.events.view(world.operator, event_id, ref.sha256)
    with file:
        assert file.read() == picture()
    assert found == ref
    [entry] = world.audited("evidence.view")
    assert (entry["actor_name"], entry["subject"]) == ("wang", event_id)
    with pytest.raises(Forbidden):
        world.events.view(world.viewer, event_id, ref.sha256)
    with pytest.raises(NotFound):
        world.events.view(world.operator, event_id, "0" * 64)
    assert len(world.audited("evidence.view")) == 1


def test_a_neighbour_sees_nothing(world: EventWorld) -> None:
    event_id = world.happen()
    [ref] = world.events.event(world.chief, event_id).evidence
    other = world.neighbour
    assert world.events.events(other, EventFilter(), PageRequest()).items == ()
    for refused in (
        lambda: world.events.event(other, event_id),
        lambda: world.events.history(other, event_id),
        lambda: world.events.acknowledge(other, event_id),
        lambda: world.events.judge(other, event_id, Verdict.TRUE),
        lambda: world.events.view(other, event_id, ref.sha256),
        lambda: world.events.verify(other, event_id),
        lambda: world.events.hold(other, event_id, "x"),
    ):
        with pytest.raises(NotFound):
            refused()
    assert world.events.changes(other, "0-0")[0] == []


def test_an_event_stays_with_the_department_whose_camera_saw_it(world: EventWorld) -> None:
    event_id = world.happen()
    world.cameras.add("cam_gate", "/city/roads/")
    assert world.events.event(world.viewer, event_id).path == "/city/water/"
    with pytest.raises(NotFound):
        world.events.event(world.neighbour, event_id)


def test_acknowledging_and_judging_are_kept_and_measured(
    world: EventWorld, clock: SettableClock
) -> None:
    clock.set(NOON + timedelta(minutes=5))
    first, second, _third = (world.happen(key=k) for k in "abc")
    world.events.acknowledge(world.operator, first, " seen ")
    event = world.events.acknowledge(world.chief, first, "again")
    assert event.acknowledged is not None
    assert (event.acknowledged.name, event.acknowledged.text) == ("wang", "seen")
    with pytest.raises(Forbidden):
        world.events.acknowledge(world.viewer, second)
    with pytest.raises(Invalid):
        world.events.acknowledge(world.operator, second, "x" * 3000)
    world.events.judge(world.operator, first, Verdict.TRUE)
    world.events.judge(world.operator, second, Verdict.TRUE)
    world.events.judge(world.operator, second, Verdict.FALSE_ALARM, "a cat")
    [rate] = world.events.rates(world.viewer)
    assert (rate.rule, rate.version, rate.events, rate.judged, rate.false_alarms, rate.rate) == (
        "rul_line", 1, 3, 2, 1, 0.5,
    )  # fmt: skip
    assert [e.id for e in _all(world, verdict=Verdict.FALSE_ALARM)] == [second]
    assert len(_all(world, acknowledged=False)) == 1


def test_a_legal_hold_has_a_reason_and_an_end(world: EventWorld) -> None:
    event_id = world.happen()
    with pytest.raises(Forbidden):
        world.events.hold(world.operator, event_id, "court")
    with pytest.raises(Invalid):
        world.events.hold(world.chief, event_id, " ")
    held = world.events.hold(world.chief, event_id, "court 12/26")
    assert held.hold is not None
    assert held.hold.reason == "court 12/26"
    assert world.events.release(world.chief, event_id).hold is None
    assert [e["detail"]["reason"] for e in world.audited("event.hold")] == ["court 12/26"]


def test_a_stream_misses_no_change_of_a_slow_transaction(world: EventWorld) -> None:
    """Numbers are given out before the commit: a reader that went on by them would miss some."""
    _, cursor = world.events.changes(world.viewer)
    slow, go_on = threading.Event(), threading.Event()

    def report_slowly() -> None:
        with world.database.transaction():
            _report(world, signal(key="slow"))
            slow.set()
            go_on.wait(10)

    thread = threading.Thread(target=report_slowly)
    thread.start()
    assert slow.wait(10)
    _report(world, signal(key="fast"))
    seen, cursor = world.events.changes(world.viewer, cursor)
    go_on.set()
    thread.join()
    more, cursor = world.events.changes(world.viewer, cursor)
    ids = [entry.event_id for entry in (*seen, *more)]
    assert len(ids) == len(set(ids)) == 2
    assert world.events.changes(world.viewer, cursor)[0] == []
    with pytest.raises(Invalid):
        world.events.changes(world.viewer, "nonsense")


def test_lists_are_filtered_and_paged(world: EventWorld) -> None:
    ids = [_report(world, signal(began=NOON + timedelta(minutes=n)))[0] for n in range(5)]
    page = world.events.events(world.viewer, EventFilter(), PageRequest(limit=2))
    assert [e.id for e in page.items] == [ids[4], ids[3]]
    rest = world.events.events(world.viewer, EventFilter(), PageRequest(page.next, 2))
    assert [e.id for e in rest.items] == [ids[2], ids[1]]
    since = NOON + timedelta(minutes=3)
    assert [e.id for e in _all(world, since=since)] == [ids[4], ids[3]]
    assert _all(world, camera_id="cam_weir") == []


def test_an_erased_event_takes_no_new_evidence(world: EventWorld) -> None:
    event_id = world.happen()
    with world.database.transaction():
        world.database.execute(sa.text("UPDATE video_event SET erased_at = now()"))
    world.events.attach(world.fence, event_id, world.files.put(b"late", CLIP))
    assert len(world.events.event(world.chief, event_id).evidence) == 1
    with pytest.raises(Conflict):
        world.events.hold(world.chief, event_id, "too late")
