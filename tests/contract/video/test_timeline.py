"""The timeline on a real database."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from foundation.kernel.database import Database
from foundation.kernel.errors import Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.video import NOON, WATER, EventWorld, Places, picture, signal
from workloads.video_analytics.events.model import JPEG, Reported
from workloads.video_analytics.events.ports import Fenced
from workloads.video_analytics.timeline.model import (
    DailyCover,
    Direction,
    Found,
    Kept,
    ReadKind,
    Search,
    crossings,
)
from workloads.video_analytics.timeline.ports import ReadFilter
from workloads.video_analytics.timeline.reads import Digester, Incoming
from workloads.video_analytics.timeline.service import Timeline
from workloads.video_analytics.timeline.store import PostgresTimeline
from workloads.video_analytics.vision.model import Box, Phase, Point, TrackPiece

GATE = (Point(0.5, 0.1), Point(0.5, 0.9))


class TimelineWorld(EventWorld):
    def __init__(self, database: Database, clock: SettableClock, folder: Path) -> None:
        super().__init__(database, clock, folder, [self._hear])
        self.timeline = Timeline(
            PostgresTimeline(database), database, clock, self.fences, self.cameras, Places(),
            self.files, self.audit, Digester(b"d" * 32),
        )  # fmt: skip

    def _hear(self, *told: object) -> None:
        self.timeline.hear(*told)  # type: ignore[arg-type]

    def pass_by(
        self, track: str, *, minutes: float = 0, camera: str = "cam_gate", seconds: float = 10,
        points: tuple[tuple[float, float], ...] = ((0.1, 0.5), (0.4, 0.5), (0.9, 0.5)),
        size: float = 0.01, colour: str = "red", kind: str = "person", dwell: float = 10,
        thumbnail: bytes | None = None,
    ) -> None:  # fmt: skip
        began = NOON + timedelta(minutes=minutes)
        step = timedelta(seconds=seconds) / max(len(points) - 1, 1)
        path = tuple((began + n * step, Point(x, y)) for n, (x, y) in enumerate(points))
        piece = TrackPiece(track, path, size, colour, kind, dwell, True, Box(0.1, 0.1, 0.1, 0.2))
        shot = self.files.put(thumbnail, JPEG) if thumbnail else None
        self.timeline.keep(self.fence, camera, [Kept(piece, shot)])

    def find(self, who: object = None, **wanted: object) -> Found:
        times = {"since": NOON - timedelta(hours=1), "until": NOON + timedelta(hours=20)}
        more = {k: wanted.pop(k) for k in ("cursor", "limit") if k in wanted}
        search = Search(**{**times, **wanted})  # type: ignore[arg-type]
        return self.timeline.search(who or self.operator, search, **more)  # type: ignore[arg-type]


@pytest.fixture
def world(database: Database, clock: SettableClock, tmp_path: Path) -> TimelineWorld:
    clock.set(NOON + timedelta(hours=1))
    return TimelineWorld(database, clock, tmp_path)


def _tracks(found: Found) -> list[str]:
    return [t.track for t in found.items]


def test_a_piece_is_kept_once_and_grows(world: TimelineWorld) -> None:
    world.pass_by("t1")
    world.pass_by("t1")
    [track] = world.find().items
    assert (track.camera, track.colour, track.kind) == ("Cam_Gate", "red", "person")
    assert [p for _, p in track.path] == [Point(0.1, 0.5), Point(0.4, 0.5), Point(0.9, 0.5)]
    assert (track.ended - track.began).total_seconds() == 10
    world.pass_by("t1", seconds=30, points=((0.1, 0.5), (0.9, 0.5), (0.1, 0.5)), dwell=30)
    world.pass_by("t1", seconds=5, points=((0.1, 0.5), (0.2, 0.5)), dwell=5)
    [track] = world.find().items
    assert track.dwell_seconds == 30
    assert world.timeline.track(world.operator, track.id) == track


def test_only_a_holder_of_the_shard_keeps_pieces(world: TimelineWorld) -> None:
    old, world.fence = world.fence, world.fences.take(7)
    world.pass_by("t1")
    world.fence = old
    with pytest.raises(Fenced):
        world.pass_by("t2")
    assert _tracks(world.find()) == ["t1"]


def test_pieces_without_a_way_or_from_the_future_are_passed_over(world: TimelineWorld) -> None:
    empty = TrackPiece("t0", (), 0.1, "", "", 1, True, Box(0, 0, 1, 1))
    world.timeline.keep(world.fence, "cam_gate", [Kept(empty)])
    world.pass_by("t1", minutes=60 * 24 * 9)
    assert world.find(until=NOON + timedelta(days=60)).items == ()
    with pytest.raises(NotFound):
        world.pass_by("t2", camera="cam_gone")


def test_two_workers_keep_the_first_piece_of_a_day_at_once(world: TimelineWorld) -> None:
    wrong: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for day in range(3):
                world.pass_by(f"t{n}", minutes=-day * 1440)
                world.pass_by("same", minutes=-day * 1440)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert len(world.find(since=NOON - timedelta(days=4)).items) == 15


def test_a_search_by_size_colour_kind_and_dwell(world: TimelineWorld) -> None:
    world.pass_by("small", size=0.001)
    world.pass_by("blue", minutes=1, colour="blue")
    world.pass_by("car", minutes=2, kind="car", size=0.2)
    world.pass_by("long", minutes=3, dwell=90)
    assert _tracks(world.find()) == ["long", "car", "blue", "small"]
    assert _tracks(world.find(smallest=0.005, largest=0.05)) == ["long", "blue"]
    assert _tracks(world.find(colours=("blue",))) == ["blue"]
    assert _tracks(world.find(kinds=("car",))) == ["car"]
    assert _tracks(world.find(shortest=60)) == ["long"]
    assert _tracks(world.find(until=NOON + timedelta(minutes=2))) == ["blue", "small"]


def test_who_crossed_a_line_is_asked_afterwards(world: TimelineWorld) -> None:
    """The design's query: person-sized, over this line, between two hours, longer than 60 s."""
    world.pass_by("through", minutes=1, dwell=70)
    world.pass_by("back", minutes=2, dwell=80, points=((0.9, 0.5), (0.1, 0.5)))
    world.pass_by("beside", minutes=3, dwell=80, points=((0.1, 0.95), (0.9, 0.95)))
    world.pass_by("short of it", minutes=4, dwell=80, points=((0.1, 0.5), (0.49, 0.5)))
    world.pass_by("brief", minutes=5, dwell=10)
    world.pass_by("elsewhere", minutes=6, dwell=80, camera="cam_weir")
    asked = {"line": GATE, "cameras": ("cam_gate",), "shortest": 60, "largest": 0.06}
    assert _tracks(world.find(**asked)) == ["back", "through"]
    # Who looks down along the line has what is right in the picture on the left.
    left = world.find(**asked, direction=Direction.LEFT_TO_RIGHT)
    right = world.find(**asked, direction=Direction.RIGHT_TO_LEFT)
    assert (_tracks(left), _tracks(right)) == (["back"], ["through"])
    [through] = right.items
    assert through.crossing is not None
    assert through.crossing.at == NOON + timedelta(minutes=1, seconds=6)


def test_crossing_a_line_is_exact() -> None:
    def cross(*points: tuple[float, float], line: tuple[Point, ...] = GATE) -> list[Direction]:
        path = [(NOON + timedelta(seconds=n), Point(x, y)) for n, (x, y) in enumerate(points)]
        return [c.direction for c in crossings(path, line)]

    over, back = Direction.RIGHT_TO_LEFT, Direction.LEFT_TO_RIGHT
    assert cross((0.1, 0.5), (0.9, 0.5)) == [over]
    assert cross((0.1, 0.5), (0.9, 0.5), (0.1, 0.5)) == [over, back]
    assert cross((0.1, 0.5), (0.5, 0.5), (0.9, 0.5)) == [over]  # a stop on the line
    assert cross((0.1, 0.5), (0.5, 0.5), (0.1, 0.6)) == []  # touched and turned
    assert cross((0.5, 0.2), (0.5, 0.8)) == []  # along it
    assert cross((0.1, 0.95), (0.9, 0.95)) == []  # beyond its end
    bent = (Point(0.5, 0.1), Point(0.5, 0.5), Point(0.7, 0.9))
    assert cross((0.1, 0.5), (0.9, 0.5), line=bent) == [over]  # through the joint, once
    assert cross((0.3, 0.3)) == []


def test_cameras_are_chosen_by_id_group_and_place(world: TimelineWorld) -> None:
    world.pass_by("gate")
    world.pass_by("weir", camera="cam_weir", minutes=1)
    assert _tracks(world.find(cameras=("cam_weir",))) == ["weir"]
    assert _tracks(world.find(group="gates")) == ["gate"]
    assert _tracks(world.find(near=(31.2, 120.602, 50))) == ["weir"]
    assert _tracks(world.find(near=(31.2, 120.601, 500))) == ["weir", "gate"]
    assert world.find(near=(10.0, 10.0, 50)).items == ()
    with pytest.raises(NotFound):
        world.find(cameras=("cam_road",))


def test_a_neighbour_finds_nothing_of_others(world: TimelineWorld) -> None:
    world.pass_by("t1", thumbnail=picture())
    [track] = world.find().items
    assert world.find(world.neighbour).items == ()
    with pytest.raises(NotFound):
        world.timeline.track(world.neighbour, track.id)
    with pytest.raises(NotFound):
        world.timeline.thumbnail(world.neighbour, str(track.thumbnail))
    with world.timeline.thumbnail(world.operator, str(track.thumbnail)) as file:
        assert file.read() == picture()
    assert len(world.audited("thumbnail.view")) == 1
    assert {e["path"] for e in world.audited("timeline.search")} == {WATER, "/city/roads/"}
    with pytest.raises(NotFound):
        world.timeline.track(world.operator, "trk_1_2_nonsense")


def test_what_is_wrong_with_a_search_is_said_at_once(world: TimelineWorld) -> None:
    with pytest.raises(Invalid) as wrong:
        world.find(until=NOON - timedelta(days=1), line=(Point(0.5, 2),), smallest=0.5, largest=0.1)
    assert {p.field for p in wrong.value.problems} == {"until", "line", "camera", "largest"}
    with pytest.raises(Invalid, match="cursor"):
        world.find(cursor="nonsense")


def test_pages_follow_each_other_without_gap_or_double(world: TimelineWorld) -> None:
    for n in range(23):
        # Several at the same instant, and some far apart.
        world.pass_by(f"t{n:02}", minutes=-(n // 3) * 400)
    since = NOON - timedelta(days=30)
    seen: list[str] = []
    cursor = None
    while True:
        found = world.find(since=since, cursor=cursor, limit=5)
        seen += _tracks(found)
        cursor = found.next
        if cursor is None:
            break
    assert sorted(seen) == [f"t{n:02}" for n in range(23)]
    assert found.searched_to == since


def test_tracks_lead_to_their_events(world: TimelineWorld) -> None:
    world.pass_by("t1")
    told = signal(track="t1", after=3)
    [ref] = world.events.report(world.fence, "cam_gate", [Reported(told)])
    assert [t.event_id for t in world.find().items] == [ref.id]


def test_candidates_fit_time_and_distance(world: TimelineWorld) -> None:
    world.pass_by("here", colour="red")  # the weir is 190 m away
    world.pass_by("same", camera="cam_weir", minutes=2.5, colour="red")
    world.pass_by("other", camera="cam_weir", minutes=2.6, colour="blue", kind="car")
    world.pass_by("too soon", camera="cam_weir", minutes=0.2)
    world.pass_by("too late", camera="cam_weir", minutes=30)
    world.pass_by("not mine", camera="cam_road", minutes=5)
    [here] = [t for t in world.find().items if t.track == "here"]
    track, found = world.timeline.candidates(world.operator, here.id)
    assert track.track == "here"
    assert [c.track.track for c in found] == ["same", "other"]
    assert 185 < found[0].metres < 195
    assert found[0].likeness > found[1].likeness
    [same] = [t for t in world.find().items if t.track == "same"]
    _, before = world.timeline.candidates(world.operator, same.id, before=True)
    assert [c.track.track for c in before] == ["here"]


def _read(**more: object) -> Incoming:
    values = {"source": "gate-3/rfid", "number": "1", "at": NOON, "kind": ReadKind.RFID,
              "subject": "E280-1160", **more}  # fmt: skip
    return Incoming(**values)  # type: ignore[arg-type]


def test_reads_are_taken_once(world: TimelineWorld) -> None:
    batch = [_read(), _read(number="2", kind=ReadKind.PLATE, subject="苏E·12345")]
    assert world.timeline.push(world.operator, WATER, batch) == (2, 0)
    assert world.timeline.push(world.operator, WATER, [*batch, _read(number="3")]) == (1, 2)
    window = ReadFilter(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    page = world.timeline.reads(world.operator, window, "", PageRequest())
    assert len(page.items) == 3
    found = world.timeline.reads(world.operator, window, "苏e 12345", PageRequest()).items
    assert [r.subject for r in found] == ["苏E12345"]
    assert world.timeline.reads(world.neighbour, window, "", PageRequest()).items == ()


def test_numbers_of_id_cards_are_not_kept(world: TimelineWorld) -> None:
    card = "11010519491231002X"
    world.timeline.push(world.operator, WATER, [_read(kind=ReadKind.ID_CARD, subject=card)])
    window = ReadFilter(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    [read] = world.timeline.reads(world.operator, window, card.lower(), PageRequest()).items
    assert read.subject == "002X"
    with world.database.transaction():
        everything = [str(row) for row in world.database.execute(sa.text(
            "SELECT r::text FROM video_read r UNION ALL SELECT detail::text FROM access_audit"
        )).scalars()]  # fmt: skip
    assert everything
    assert not any(card[:10] in text for text in everything)


def test_wrong_reads_are_refused_whole(world: TimelineWorld) -> None:
    with pytest.raises(Invalid) as wrong:
        world.timeline.push(world.operator, WATER, [
            _read(), _read(source="no good!", at=NOON + timedelta(days=3)),
            _read(camera_id="cam_road", latitude=95.0, kind=ReadKind.ID_CARD, subject="12"),
        ])  # fmt: skip
    assert {p.field for p in wrong.value.problems} == {
        "reads.1.source", "reads.1.at", "reads.2.camera_id", "reads.2.latitude", "reads.2.subject",
    }  # fmt: skip
    with pytest.raises(NotFound):
        world.timeline.push(world.neighbour, WATER, [_read()])
    with pytest.raises(Forbidden):
        world.timeline.push(world.viewer, WATER, [_read()])
    with pytest.raises(NotFound):
        world.timeline.push(world.chief, "/city/nowhere/", [_read()])


def test_daily_values_of_water_come_with_signals(world: TimelineWorld) -> None:
    def day(n: int, cover: float | None, frames: int = 40) -> None:
        data = {"day": f"2026-11-{n:02}", "cover": cover, "frames": frames, "growth": 0.08}
        told = signal("rul_weed", Phase.UPDATED, key="water", data=data)
        world.events.report(world.fence, "cam_weir", [Reported(told)])

    day(1, 0.1)
    day(2, None, 3)
    day(3, 0.12)
    day(3, 0.13, 50)
    day(3, 0.5, 2)  # fewer frames say less
    first, last = (
        datetime(2026, 11, 1, tzinfo=UTC).date(),
        datetime(2026, 11, 30, tzinfo=UTC).date(),
    )
    found = world.timeline.covers(world.viewer, "rul_weed", first, last)
    assert [(c.day.day, c.cover) for c in found] == [(1, 0.1), (2, None), (3, 0.13)]
    assert found[0].data == {"growth": 0.08}
    assert world.timeline.covers(world.neighbour, "", first, last) == []
    cover = DailyCover("", "", first, 0.2, 60, {})
    world.timeline.keep_cover(world.fence, "cam_weir", "rul_weed", first, cover)
    assert world.timeline.covers(world.viewer, "", first, first)[0].cover == 0.2


def test_plates_that_a_model_read_are_reads(world: TimelineWorld) -> None:
    told = signal("rul_plate", score=0.9, data={"text": "苏E·9X88Z"})
    for _ in range(2):
        world.events.report(world.fence, "cam_gate", [Reported(told)])
    window = ReadFilter(NOON - timedelta(hours=1), NOON + timedelta(hours=1), begins="苏E9")
    [read] = world.timeline.reads(world.operator, window, "", PageRequest()).items
    assert (read.subject, read.camera_id, read.score) == ("苏E9X88Z", "cam_gate", 0.9)
