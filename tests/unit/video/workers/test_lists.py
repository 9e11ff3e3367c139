"""Watch lists on their way to the lanes: which lane, which camera, and for how long."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.kernel.errors import Unavailable
from foundation.kernel.secretbox import SecretError
from tests.fakes.video_models import person
from tests.harness.clips import film
from tests.unit.video.workers.conftest import Lanes
from workloads.video_analytics.vision.model import RuleKind, RuleSpec
from workloads.video_analytics.vision.models.ports import (
    FaceList,
    PlateList,
    Watched,
    WatchedFace,
)
from workloads.video_analytics.watchlists.model import ListKind, WatchList, WatchListId
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.lists import HOLD_SECONDS, Lists, Teller, Watching

FAR = datetime(2030, 1, 1, tzinfo=UTC)
WATER, HEALTH = "/city/water/", "/city/health/"


@dataclass
class FakeLists:
    """Lists that a test changes; everything is in force."""

    watched: Watched = field(default_factory=Watched)
    path: str = WATER
    error: Exception | None = None
    asked: int = 0

    def known(self, list_ids: Collection[str]) -> Mapping[str, WatchList]:
        return {
            one: WatchList(
                WatchListId(one), ListKind.FACES, one, self.path, "law", FAR, FAR, "a", "A"
            )
            for one in list_ids
        }  # fmt: skip

    def in_force(self, list_ids: Collection[str]) -> Watched:
        self.asked += 1
        if self.error is not None:
            raise self.error
        faces, plates = self.watched
        return Watched(
            [one for one in faces if one.id in list_ids],
            [one for one in plates if one.id in list_ids],
        )


class Wired:
    """Orders go through the bytes of the wire into the lanes' lists."""

    def __init__(self) -> None:
        self.now = time.monotonic()
        self.lanes = {0: Lists(lambda: self.now), 1: Lists(lambda: self.now)}
        self.orders: list[tuple[int, dict[str, Any], int]] = []

    def __call__(self, number: int, order: dict[str, Any], *parts: bytes) -> None:
        self.orders.append((number, order, sum(map(len, parts))))
        wire.pack(order, *parts)
        heard = json.loads(json.dumps(order))
        self.lanes[number].take(heard, [memoryview(part) for part in parts])


def faces(*numbers: int, of: str = "wal_1") -> FaceList:
    return FaceList(of, "fake", FAR, [WatchedFace(f"wle_{n}", person(n)) for n in numbers])


def looks(lane: int, camera: str, *lists: str, path: str = WATER) -> Watching:
    rule = RuleSpec("rul_1", 1, RuleKind.FACE, (), {"watchlists": list(lists)})
    return Watching(lane, camera, path, (rule,))


def entries(found: Watched) -> list[str]:
    return [face.entry for one in found.faces for face in one.faces]


def test_a_lane_hears_of_the_lists_that_its_cameras_name_and_of_no_others() -> None:
    plates = PlateList("wal_3", FAR, [("wle_9", "苏A*123")])
    wired, lists = Wired(), FakeLists(Watched([faces(1), faces(2, of="wal_2")], [plates]))
    teller = Teller(lists, wired)
    plate = RuleSpec("rul_2", 1, RuleKind.PLATE, (), {"watchlists": ["wal_3"]})
    motion = RuleSpec("rul_3", 1, RuleKind.MOTION, (), {"watchlists": ["wal_2"]})
    cameras = [looks(0, "a", "wal_1"), Watching(1, "b", WATER, (plate, motion))]
    teller.tell(cameras, due=True)
    assert entries(wired.lanes[0].of("a")) == ["wle_1"]
    assert np.array_equal(wired.lanes[0].of("a").faces[0].faces[0].embedding, person(1))
    assert wired.lanes[0].of("a").plates == ()
    assert wired.lanes[1].of("b") == Watched((), (plates,))
    assert wired.lanes[0].of("b") == Watched()


def test_a_list_counts_for_cameras_of_its_department_and_below() -> None:
    wired, lists = Wired(), FakeLists(Watched([faces(1)]), path=WATER)
    cameras = [
        looks(0, "own", "wal_1"), looks(0, "below", "wal_1", path=f"{WATER}dam/"),
        looks(0, "neighbour", "wal_1", path=HEALTH), looks(0, "above", "wal_1", path="/city/"),
    ]  # fmt: skip
    Teller(lists, wired).tell(cameras, due=True)
    seen = {one.camera: entries(wired.lanes[0].of(one.camera)) for one in cameras}
    assert seen == {"own": ["wle_1"], "below": ["wle_1"], "neighbour": [], "above": []}
    # A lane without a camera that may use it does not even hear of it.
    Teller(lists, wired).tell([looks(1, "neighbour", "wal_1", path=HEALTH)], due=True)
    assert [order["do"] for lane, order, _ in wired.orders if lane == 1] == ["lists"]


def test_what_is_withdrawn_is_forgotten_at_the_next_reading() -> None:
    wired, lists = Wired(), FakeLists(Watched([faces(1, 2)]))
    teller, cameras = Teller(lists, wired), [looks(0, "a", "wal_1")]
    teller.tell(cameras, due=True)
    lists.watched = Watched([faces(2)])
    teller.tell(cameras, due=False)
    assert lists.asked == 1  # nothing is named otherwise: it is not read before its time
    teller.tell(cameras, due=True)
    assert entries(wired.lanes[0].of("a")) == ["wle_2"]
    lists.watched = Watched()
    teller.tell(cameras, due=True)
    assert wired.lanes[0].of("a") == Watched()


def test_what_has_not_changed_is_not_sent_again() -> None:
    wired, lists = Wired(), FakeLists(Watched([faces(1)]))
    teller, cameras = Teller(lists, wired), [looks(0, "a", "wal_1")]
    for _ in range(3):
        teller.tell(cameras, due=True)
    assert [order["do"] for _, order, _ in wired.orders] == ["list", "lists", "lists", "lists"]
    teller.tell([*cameras, looks(0, "b", "wal_1")], due=False)  # another camera names it: at once
    assert entries(wired.lanes[0].of("b")) == ["wle_1"]
    teller.forget(0)
    wired.lanes[0] = Lists(lambda: wired.now)
    teller.tell(cameras, due=False)
    assert entries(wired.lanes[0].of("a")) == ["wle_1"]


@pytest.mark.parametrize("error", [Unavailable("away"), SecretError("does not open")])
def test_what_cannot_be_read_again_lapses_within_a_minute(error: Exception) -> None:
    wired, lists = Wired(), FakeLists(Watched([faces(1)]))
    teller, cameras = Teller(lists, wired), [looks(0, "a", "wal_1")]
    teller.tell(cameras, due=True)
    lists.error = error
    teller.tell(cameras, due=True)
    assert entries(wired.lanes[0].of("a")) == ["wle_1"]
    assert HOLD_SECONDS < 60
    wired.now += HOLD_SECONDS + 1
    assert wired.lanes[0].of("a") == Watched()


def test_after_it_lapsed_in_the_lane_it_is_sent_whole() -> None:
    wired, lists = Wired(), FakeLists(Watched([faces(1)]))
    teller, cameras = Teller(lists, wired, lambda: wired.now), [looks(0, "a", "wal_1")]
    teller.tell(cameras, due=True)
    wired.now += HOLD_SECONDS + 1
    assert wired.lanes[0].of("a") == Watched()
    teller.tell(cameras, due=True)
    assert entries(wired.lanes[0].of("a")) == ["wle_1"]


def test_a_real_lane_gets_them_through_its_pipe_and_forgets_them_when_told(
    lanes_with: Callable[..., Lanes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
    lanes = lanes_with(analyser="tests.fakes.listening:make")
    lists = FakeLists(Watched([faces(3)], [PlateList("wal_2", FAR, [("wle_p", "苏E12345")])]))
    teller, cameras = Teller(lists, lanes.crew.tell), [looks(0, "cam", "wal_1", "wal_2")]
    lanes.watch("cam", film(tmp_path / "f.mp4", seconds=4), pace="loop")
    teller.tell(cameras, due=True)

    def seen() -> dict[str, Any]:
        return {one.data["entry"]: one.data["what"] for one in lanes.heard.signals("cam")}

    lanes.heard.wait(lambda: {"wle_3", "wle_p"} <= seen().keys())
    assert seen() == {"wle_3": person(3).tolist(), "wle_p": "苏E12345"}
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert "苏E12345".encode() not in process.read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    lists.watched = Watched()
    teller.tell(cameras, due=True)
    lanes.heard.wait(lambda: _quiet_for(lanes, 2.5), 20)


def _quiet_for(lanes: Lanes, seconds: float) -> bool:
    """Whether frames were looked at for so long, and no entry was told."""
    signals = lanes.heard.signals("cam")
    beats = [header for header, _ in lanes.heard.of("beat")]
    last = max(one.at for one in signals).timestamp()
    return time.time() - last > seconds and beats[-1]["frames"] > 0
