from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from foundation.kernel.database import Database
from foundation.kernel.errors import Forbidden, Unavailable
from foundation.kernel.outbox import Outbox
from foundation.kernel.paging import PageRequest
from foundation.operations.jobs.relay import relay
from foundation.usage.store import PostgresTold
from foundation.usage.telling import Telling
from tests.conftest import SettableClock
from tests.harness.leases import one
from tests.harness.video import person
from workloads.video_analytics.events.ports import Fence, Fenced
from workloads.video_analytics.usage.service import TOPIC, Usage
from workloads.video_analytics.usage.store import PostgresUsage, told_table
from workloads.video_analytics.vision.model import Tier
from workloads.video_analytics.workers.store import PostgresShards

T0 = datetime(2026, 11, 3, 8, 50, tzinfo=UTC)
ADMIN = person("administrator")


class FakePlatform:
    """Takes usage as the platform does: an event is known by source and id."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.down = False
        self.loses_answers = 0

    def push(self, events: Any) -> dict[str, str]:
        if self.down:
            raise Unavailable("the platform does not answer")
        found = {}
        for event in events:
            found[event["id"]] = "duplicate" if event["id"] in self.known else "accepted"
            self.known[event["id"]] = dict(event)
        if self.loses_answers:
            self.loses_answers -= 1
            raise Unavailable("the platform does not answer")
        return found

    def total(self, meter: str, **dimensions: str) -> Decimal:
        data = [event["data"] for event in self.known.values()]
        return sum(
            (Decimal(d["quantity"]) for d in data
             if d["meter"] == meter and d["dimensions"] == dimensions), Decimal(0),
        )  # fmt: skip


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
def usage(video: Database, clock: SettableClock, platform: FakePlatform) -> Usage:
    clock.set(T0 + timedelta(hours=3))
    shards = PostgresShards(video)
    shards.beat(one("a"))
    assert shards.take("wrk_a", {1}) == {1: 1}
    telling = Telling(
        PostgresTold(video, told_table), video, clock, Outbox(video, clock),
        program="borough-video", topic=TOPIC, resource="res_1", platform=platform,
    )  # fmt: skip
    return Usage(PostgresUsage(video), video, clock, shards, telling)


FENCE = Fence(1, 1)


def deliver(usage: Usage, video: Database, clock: SettableClock) -> None:
    relay(Outbox(video, clock), video, (usage.telling.receive,)).work()


def test_hours_are_cut_at_the_hour_and_by_what_they_are_sold_as(usage: Usage) -> None:
    usage.note_hours(FENCE, "cam_1", Tier.LOW_RATE, T0, T0 + timedelta(minutes=30))
    usage.note_hours(FENCE, "cam_2", Tier.FULL, T0, T0 + timedelta(minutes=10))
    usage.note_hours(FENCE, "cam_3", Tier.KEY_FRAMES, T0, T0 + timedelta(minutes=10))
    lines = usage.lines(ADMIN, T0 - timedelta(hours=1), None, PageRequest()).items
    assert [(x.hour.hour, x.tier, x.quantity) for x in lines] == [
        (8, "advanced", Decimal("0.166666667")), (8, "basic", Decimal("0.333333333")),
        (9, "basic", Decimal("0.333333333")),
    ]  # fmt: skip


def test_what_two_workers_note_of_the_same_time_counts_once(usage: Usage) -> None:
    usage.note_hours(FENCE, "cam_1", Tier.FULL, T0, T0 + timedelta(minutes=5))
    usage.note_hours(
        FENCE, "cam_1", Tier.FULL, T0 + timedelta(minutes=3), T0 + timedelta(minutes=7)
    )
    usage.note_hours(FENCE, "cam_1", Tier.FULL, T0, T0 + timedelta(minutes=6))
    (line,) = usage.lines(ADMIN, T0 - timedelta(hours=1), None, PageRequest()).items
    assert line.quantity == Decimal("0.116666667")


def test_an_old_fence_counts_nothing(usage: Usage, video: Database) -> None:
    shards = PostgresShards(video)
    shards.give_back("wrk_a", {1})
    shards.beat(one("b"))
    shards.take("wrk_b", {1})
    with pytest.raises(Fenced):
        usage.note_hours(FENCE, "cam_1", Tier.FULL, T0, T0 + timedelta(minutes=5))
    assert usage.lines(ADMIN, T0 - timedelta(hours=1), None, PageRequest()).items == ()


def test_the_future_is_not_counted(usage: Usage, clock: SettableClock) -> None:
    clock.set(T0 + timedelta(minutes=1))
    usage.note_hours(FENCE, "cam_1", Tier.FULL, T0, T0 + timedelta(hours=5))
    (line,) = usage.lines(ADMIN, T0 - timedelta(hours=1), None, PageRequest()).items
    assert line.quantity == Decimal("0.016666667")


def test_all_of_it_reaches_the_platform_once(
    usage: Usage, video: Database, clock: SettableClock, platform: FakePlatform
) -> None:
    at = T0
    for n in range(7):
        usage.note_hours(FENCE, "cam_1", Tier.FULL, at, at + timedelta(seconds=7))
        at += timedelta(seconds=7)
        usage.note_alarm(f"evt_{n}", T0)
        usage.note_alarm(f"evt_{n}", T0)
        usage.tell()
        deliver(usage, video, clock)
        platform.down = n == 2
        platform.loses_answers = int(n == 4)
        if platform.down or platform.loses_answers:
            with pytest.raises(Unavailable):
                usage.telling.push()
        else:
            usage.telling.push()
    assert usage.tell() == 0
    usage.telling.push()
    assert platform.total("video.camera_hours", tier="advanced") == Decimal("0.013611111")
    assert platform.total("video.alarms") == 7
    event = next(iter(platform.known.values()))
    assert event["specversion"] == "1.0"
    assert event["type"] == "dev.borough.usage.v1"
    assert event["data"]["resource"] == "res_1"
    assert usage.telling.push() == 0


def test_a_page_goes_on_where_the_last_one_ended(usage: Usage) -> None:
    for n in range(5):
        start = T0 - timedelta(hours=n)
        usage.note_hours(FENCE, f"cam_{n}", Tier.FULL, start, start + timedelta(minutes=1))
    first = usage.lines(ADMIN, T0 - timedelta(days=1), None, PageRequest(limit=3))
    rest = usage.lines(ADMIN, T0 - timedelta(days=1), None, PageRequest(first.next, limit=3))
    found = [line.hour for line in (*first.items, *rest.items)]
    assert len(found) == 5
    assert found == sorted(found)
    assert rest.next is None


def test_a_viewer_does_not_see_it(usage: Usage) -> None:
    with pytest.raises(Forbidden):
        usage.lines(person("viewer"), None, None, PageRequest())
