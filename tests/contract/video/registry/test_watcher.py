"""What a worker tells its lanes of rules and watch lists, with a database and a settable clock."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import Invalid
from tests.contract.video.registry.conftest import ADMIN, HEALTH, WATER, Registry, text
from workloads.video_analytics.cameras.model import Health, Watched
from workloads.video_analytics.cameras.reach import Opening
from workloads.video_analytics.rules.model import Hours, Wish
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.watchlists.model import Wish as ListWish
from workloads.video_analytics.workers.store import PostgresMemories
from workloads.video_analytics.workers.watcher import Watcher

SECOND = Actor(
    PrincipalId("per_second"), "second", ActorKind.PERSON, (Grant("video_administrator", "/"),)
)


class FakeCrew:
    """Two lanes that only listen."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return 2

    def tell(self, number: int, order: dict[str, Any], *parts: bytes) -> None:
        self.orders.append({**order, "lane": number, "bytes": sum(map(len, parts))})

    def heard(self, *what: str) -> list[dict[str, Any]]:
        found = [one for one in self.orders if one["do"] in what]
        self.orders.clear()
        return found


def watcher(registry: Registry) -> tuple[Watcher, FakeCrew]:
    crew = FakeCrew()
    made = Watcher(
        registry.cameras, registry.rules, registry.lists, PostgresMemories(registry.database),
        registry.database, registry.clock, refresh=0,
    )  # fmt: skip
    made.use(crew)  # type: ignore[arg-type] - what a crew is asked for here
    made.hold(dict.fromkeys(range(512), 1))
    return made, crew


def faces(registry: Registry, path: str = WATER, days: int = 30) -> str:
    ends = registry.clock.now() + timedelta(days=days)
    made = registry.lists.create(ADMIN, ListWish("faces", "Missing", path, "Order 12", ends))
    for number in (1, 2):
        registry.lists.add_face(
            ADMIN, made.id, label=f"case {number}", picture=f"person {number}".encode()
        )
    return made.id


def of_faces(*lists: str) -> Wish:
    return Wish(RuleKind.FACE, text("Missing"), parameters={"watchlists": list(lists)})


def test_a_list_reaches_the_lanes_only_when_a_second_person_agreed_and_until_it_ends(
    registry: Registry,
) -> None:
    listed = faces(registry)
    camera = registry.camera()
    registry.rules.create(ADMIN, camera.id, of_faces(listed))
    watching, crew = watcher(registry)
    watching.sync()
    assert crew.heard("list") == []
    registry.lists.approve(SECOND, listed)
    watching.sync()
    [told] = crew.heard("list")
    assert (told["id"], told["cameras"], told["bytes"]) == (listed, [camera.id], 2 * 128 * 4)

    registry.lists.remove_entry(ADMIN, listed, told["entries"][0])
    watching.sync()
    [less] = crew.heard("list")
    assert less["entries"] == told["entries"][1:]

    registry.clock.advance(days=30)
    watching.sync()
    assert [one["keys"] for one in crew.heard("list", "lists")] == [[]]


def test_a_list_that_is_closed_is_taken_back_without_a_change_of_the_camera(
    registry: Registry,
) -> None:
    listed = faces(registry)
    registry.lists.approve(SECOND, listed)
    registry.rules.create(ADMIN, registry.camera().id, of_faces(listed))
    watching, crew = watcher(registry)
    watching.sync()
    assert len(crew.heard("list")) == 1
    registry.lists.close(ADMIN, listed, "found")
    watching.sync()
    assert [one["keys"] for one in crew.heard("watch", "list", "lists")] == [[]]


def test_hours_begin_and_end_without_a_change_of_the_camera(registry: Registry) -> None:
    camera = registry.camera()
    night = Hours(frozenset(range(7)), "22:00", "06:00")
    wish = Wish(RuleKind.MOTION, text("At night"), schedule=(night,))
    rule = registry.rules.create(ADMIN, camera.id, wish)
    watching, crew = watcher(registry)
    watching.sync()  # 09:00 UTC is 17:00 in Shanghai
    assert [one["rules"] for one in crew.heard("watch", "change")] == [[]]
    registry.clock.advance(hours=6)
    watching.sync()
    [change] = crew.heard("watch", "change")
    assert (change["do"], [one["id"] for one in change["rules"]]) == ("change", [rule.id])
    watching.sync()
    assert crew.heard("watch", "change") == []
    registry.clock.advance(hours=8)
    watching.sync()
    assert [one["rules"] for one in crew.heard("watch", "change")] == [[]]


def test_a_rule_takes_only_lists_of_its_kind_that_its_department_may_use(
    registry: Registry,
) -> None:
    own, elsewhere, city = faces(registry), faces(registry, HEALTH), faces(registry, "/city/")
    ends = registry.clock.now() + timedelta(days=1)
    plates = registry.lists.create(ADMIN, ListWish("plates", "Stolen", WATER, "Order 1", ends))
    camera = registry.camera()
    for wrong in (elsewhere, plates.id, "wal_nobody"):
        with pytest.raises(Invalid) as caught:
            registry.rules.create(ADMIN, camera.id, of_faces(own, wrong))
        assert [one.field for one in caught.value.problems] == ["parameters.watchlists"]
    rule = registry.rules.create(ADMIN, camera.id, of_faces(own, city))
    with pytest.raises(Invalid):
        registry.rules.change(ADMIN, rule.id, of_faces(elsewhere))
    with pytest.raises(Invalid):
        registry.rules.create(
            ADMIN, camera.id,
            Wish(RuleKind.FACE, text("x"), parameters={"watchlists": [{}, 3]}),
        )  # fmt: skip


@dataclass
class SlowNames:
    """The registry on a network that does not answer for the names of some cameras."""

    registry: Registry
    slow: set[str]
    answered: threading.Event

    def watched(self, shards: Collection[int]) -> Sequence[Watched]:
        return [
            replace(one, opener=self._wait) if one.view.id in self.slow else one
            for one in self.registry.cameras.watched(shards)
        ]

    def _wait(self) -> Opening:
        self.answered.wait(30)
        return Opening("rtsp://192.0.2.1/late")

    def note_health(self, camera_id: str, health: Health) -> None:
        self.registry.cameras.note_health(camera_id, health)

    def note_healths(self, found: Mapping[str, Health]) -> None:
        self.registry.cameras.note_healths(found)


def test_a_name_that_is_not_answered_keeps_no_other_camera_waiting(registry: Registry) -> None:
    slow = {registry.camera().id for _ in range(3)}
    quick = registry.camera().id
    names = SlowNames(registry, slow, threading.Event())
    crew = FakeCrew()
    watching = Watcher(
        names, registry.rules, registry.lists, PostgresMemories(registry.database),
        registry.database, registry.clock,
    )  # fmt: skip
    watching.use(crew)  # type: ignore[arg-type] - what a crew is asked for here
    watching.hold(dict.fromkeys(range(512), 1))
    began = time.monotonic()
    watching.sync()
    watching.sync()  # those that are waited for are not opened twice
    assert time.monotonic() - began < 15
    assert [one["camera"] for one in crew.heard("watch")] == [quick]
    names.answered.set()
    until = time.monotonic() + 10
    while len(crew.orders) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    assert {one["camera"] for one in crew.heard("watch")} == slow
