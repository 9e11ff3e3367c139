"""The registry of cameras on a real database."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
)
from foundation.kernel.paging import PageRequest
from tests.contract.video.registry.conftest import ADMIN, HEALTH, WATER, Registry, text
from tests.harness.video import person
from workloads.video_analytics.cameras.model import (
    SHARDS,
    Health,
    HealthState,
    Limits,
    Place,
    Settings,
    SourceKind,
    shard_of,
)
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras, SourceWish
from workloads.video_analytics.cameras.store import PostgresCameras
from workloads.video_analytics.departments.store import PostgresDepartments
from workloads.video_analytics.vision.model import Point, Tier

ALL = range(SHARDS)


def test_the_address_is_sealed_and_only_a_worker_gets_it(registry: Registry) -> None:
    camera = registry.camera()
    assert camera.source.location == "rtsp://10.1.2.3/stream1"
    assert camera.has_credentials
    [watched] = registry.cameras.watched([shard_of(camera.id)])
    assert watched.opening().url == "rtsp://viewer:s3cret%21@10.1.2.3/stream1"
    with registry.database.transaction():
        row = registry.database.execute(
            sa.text("SELECT row_to_json(c)::text FROM video_camera c")
        ).scalar_one()
    told = [row, repr(watched), repr(camera), repr(registry.audit.entries)]
    assert not any("s3cret" in one or "viewer" in one for one in told)


def test_credentials_in_the_address_are_taken_out_of_it(registry: Registry) -> None:
    url = "rtsp://admin:p%40ss@10.1.2.3:8554/user=admin&password=p@ss&channel=1"
    made = registry.cameras.create(
        ADMIN, Settings(text("Gate"), WATER), SourceWish(SourceKind.RTSP, url)
    )
    assert made.source.location == "rtsp://10.1.2.3:8554/user=…&password=…&channel=1"
    [watched] = registry.cameras.watched(ALL)
    assert watched.opening().url == url


def test_every_wrong_field_is_named(registry: Registry) -> None:
    wrong = Settings(
        text("x" * 201), WATER, code="no blanks", groups=("Not a group",),
        place=Place(latitude=91.0), timezone="Mars/Olympus", priority=10,
        masks=((Point(0, 0), Point(1, 1)), (Point(0, 0), Point(2, 0), Point(0, 1))),
    )  # fmt: skip
    with pytest.raises(Invalid) as caught:
        registry.cameras.create(ADMIN, wrong, SourceWish(SourceKind.RTSP, "http://10.1.2.3/"))
    assert {problem.field for problem in caught.value.problems} == {
        "name.en", "name.zh", "code", "groups.0", "place.latitude", "place.longitude", "timezone",
        "priority", "masks.0", "masks.1.1", "source.url",
    }  # fmt: skip


def test_who_may_do_what(registry: Registry) -> None:
    camera = registry.camera()
    neighbour, viewer = person("administrator", HEALTH), person("viewer", WATER)
    with pytest.raises(NotFound):
        registry.cameras.camera(neighbour, camera.id)
    with pytest.raises(NotFound):
        registry.cameras.change(neighbour, camera.id, camera.settings)
    with pytest.raises(Forbidden):
        registry.cameras.remove(viewer, camera.id)
    assert registry.cameras.cameras(neighbour, CameraQuery(), PageRequest()).items == ()
    operator = person("operator", WATER)
    with pytest.raises(NotFound):  # into a department of others
        registry.cameras.change(operator, camera.id, replace(camera.settings, path=HEALTH))
    with pytest.raises(NotFound):  # the root and what is not there are no departments
        registry.cameras.change(ADMIN, camera.id, replace(camera.settings, path="/"))


def test_a_change_lets_the_version_grow_and_says_what_not_how(registry: Registry) -> None:
    camera = registry.camera()
    changed = registry.cameras.change(
        ADMIN, camera.id, replace(camera.settings, tier=Tier.FULL), version=1
    )
    assert changed.version == 2
    assert registry.audit.entries[-1]["details"] == {"fields": ["tier"]}
    assert registry.cameras.change(ADMIN, camera.id, changed.settings).version == 2
    with pytest.raises(PreconditionFailed):
        registry.cameras.change(ADMIN, camera.id, camera.settings, version=1)


def test_kept_credentials_go_to_no_other_host(registry: Registry) -> None:
    camera = registry.camera()
    same = SourceWish(SourceKind.RTSP, "rtsp://10.1.2.3/stream2")
    registry.cameras.change(ADMIN, camera.id, camera.settings, same)
    [watched] = registry.cameras.watched(ALL)
    assert watched.opening().url == "rtsp://viewer:s3cret%21@10.1.2.3/stream2"
    for url in ("rtsp://10.6.6.6/stream1", "rtsp://10.1.2.3:8554/stream1"):
        with pytest.raises(Invalid) as caught:
            registry.cameras.change(
                ADMIN, camera.id, camera.settings, SourceWish(SourceKind.RTSP, url)
            )
        assert [one.field for one in caught.value.problems] == ["source.password"]
    anew = SourceWish(SourceKind.RTSP, "rtsp://10.6.6.6/stream1", "viewer", "other")
    assert registry.cameras.change(ADMIN, camera.id, camera.settings, anew).has_credentials


def test_codes_are_unique_and_free_again_after_removal(registry: Registry) -> None:
    first = registry.camera("One", code="310101-7")
    with pytest.raises(Conflict):
        registry.camera("Two", code="310101-7")
    second = registry.camera("Two", code="310101-8")
    with pytest.raises(Conflict):
        registry.cameras.change(ADMIN, second.id, replace(second.settings, code="310101-7"))
    registry.cameras.remove(ADMIN, first.id)
    registry.camera("Three", code="310101-7")


def test_a_removed_camera_is_known_by_name_alone(registry: Registry) -> None:
    camera = registry.camera()
    registry.cameras.remove(ADMIN, camera.id)
    with pytest.raises(NotFound):
        registry.cameras.camera(ADMIN, camera.id)
    assert registry.cameras.watched(ALL) == []
    known = registry.cameras.known([camera.id])[camera.id]
    assert (known.settings.name, known.source.location) == (text("Bridge"), "")
    registry.cameras.note_health(camera.id, Health(HealthState.ONLINE, registry.clock.now()))
    assert registry.cameras.known([camera.id])[camera.id].health is None


def test_only_enabled_cameras_of_the_shards_are_watched(registry: Registry) -> None:
    one, off = registry.camera("One"), registry.camera("Off", enabled=False)
    assert [w.view.id for w in registry.cameras.watched(ALL)] == [one.id]
    others = [shard for shard in ALL if shard not in {shard_of(one.id), shard_of(off.id)}]
    assert registry.cameras.watched(others) == []
    assert registry.cameras.watched([]) == []


def test_health_has_a_since_and_a_history(registry: Registry) -> None:
    camera, clock = registry.camera(), registry.clock
    start = clock.now()
    assert registry.cameras.state(camera) is None
    told = [
        (0, HealthState.ONLINE), (10, HealthState.ONLINE), (20, HealthState.DARK),
        (15, HealthState.NO_SIGNAL),  # late to arrive: it changes nothing
        (30, HealthState.DARK), (40, HealthState.ONLINE),
    ]  # fmt: skip
    for seconds, state in told:
        registry.cameras.note_health(
            camera.id, Health(state, start + timedelta(seconds=seconds), fps=5.0)
        )
    seen = registry.cameras.camera(ADMIN, camera.id)
    assert seen.health is not None
    assert (seen.health.state, seen.health.fps) == (HealthState.ONLINE, 5.0)
    assert seen.since == start + timedelta(seconds=40)
    assert seen.version == 1
    history = registry.cameras.history(ADMIN, camera.id)
    assert [(one.state, (one.since - start).seconds) for one in history] == [
        (HealthState.ONLINE, 40), (HealthState.DARK, 20), (HealthState.ONLINE, 0),
    ]  # fmt: skip
    clock.advance(days=181)
    assert registry.cameras.prune() == 3


def test_what_is_shown_is_the_same_in_lists_and_models(registry: Registry) -> None:
    clock = registry.clock
    cameras = {
        "fresh": registry.camera("fresh"), "stale": registry.camera("stale"),
        "blind": registry.camera("blind"), "unseen": registry.camera("unseen"),
        "off": registry.camera("off", enabled=False),
    }  # fmt: skip
    registry.cameras.note_health(cameras["stale"].id, Health(HealthState.ONLINE, clock.now()))
    registry.cameras.note_health(cameras["blind"].id, Health(HealthState.NO_SIGNAL, clock.now()))
    clock.advance(seconds=61)
    registry.cameras.note_health(cameras["fresh"].id, Health(HealthState.MOVED, clock.now()))
    expected = {
        "fresh": HealthState.MOVED, "stale": HealthState.LATE, "blind": HealthState.NO_SIGNAL,
        "unseen": None, "off": HealthState.OFF,
    }  # fmt: skip
    for name, camera in cameras.items():
        seen = registry.cameras.camera(ADMIN, camera.id)
        assert registry.cameras.state(seen) is expected[name]
        query = CameraQuery(state=expected[name] or "unseen")
        listed = registry.cameras.cameras(ADMIN, query, PageRequest()).items
        assert [one.id for one in listed] == [camera.id], name
    overview = registry.cameras.overview(ADMIN)
    assert (overview.total, overview.unseen, len(overview.states)) == (5, 1, 4)


def test_filters_and_pages(registry: Registry) -> None:
    for at in range(7):
        path = WATER if at % 2 else HEALTH
        registry.camera(f"Camera {at} 100%", path, groups=("river",) if at < 3 else ("road",))
    page, seen = PageRequest(limit=3), []
    while True:
        found = registry.cameras.cameras(ADMIN, CameraQuery(), page)
        seen += [one.id for one in found.items]
        if found.next is None:
            break
        page = PageRequest(found.next, 3)
    assert len(seen) == len(set(seen)) == 7

    def count(**query: str) -> int:
        return len(registry.cameras.cameras(ADMIN, CameraQuery(**query), PageRequest()).items)

    assert (count(group="river"), count(path=WATER), count(path="/city/")) == (3, 3, 7)
    assert (count(text="camera 3"), count(text="0%"), count(text="_")) == (1, 7, 0)
    groups = registry.cameras.groups(person("viewer", WATER))
    assert [(one.name, one.cameras) for one in groups] == [("river", 1), ("road", 2)]


def test_no_more_and_no_closer_than_was_ordered(registry: Registry) -> None:
    ordered = Cameras(
        PostgresCameras(registry.database), registry.database, registry.clock, registry.audit,
        PostgresDepartments(registry.database), registry.vault, registry.cameras.addresses,
        Limits.of(2, "basic"),
    )  # fmt: skip
    wish = SourceWish(SourceKind.RTSP, "rtsp://10.1.2.3/stream1")
    first = ordered.create(ADMIN, Settings(text("One"), WATER), wish)
    with pytest.raises(Invalid) as caught:
        ordered.create(ADMIN, Settings(text("Two"), WATER, tier=Tier.FULL), wish)
    assert [one.field for one in caught.value.problems] == ["tier"]
    with pytest.raises(Invalid):
        ordered.change(ADMIN, first.id, replace(first.settings, tier=Tier.FULL))
    ordered.create(ADMIN, Settings(text("Two"), WATER), wish)
    with pytest.raises(QuotaExceeded):
        ordered.create(ADMIN, Settings(text("Three"), WATER), wish)
    ordered.remove(ADMIN, first.id)
    ordered.create(ADMIN, Settings(text("Three"), WATER), wish)
