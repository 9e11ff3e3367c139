"""What lanes say of many cameras' health is written at their beat, in one go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conftest import SettableClock
from tests.contract.video.registry.conftest import ADMIN, Registry
from tests.fakes.video import FakeFences
from workloads.video_analytics.cameras.model import HealthState
from workloads.video_analytics.events.ports import Fence
from workloads.video_analytics.vision.model import Tier
from workloads.video_analytics.workers.wire import Header, Message
from workloads.video_analytics.workers.writer import Sinks, Writer


@dataclass
class Hours:
    """Counts what was noted."""

    noted: list[tuple[str, Tier, datetime, datetime]] = field(default_factory=list)

    def note_hours(
        self, _fence: Fence, camera_id: str, tier: Tier, start: datetime, end: datetime
    ) -> None:
        self.noted.append((camera_id, tier, start, end))

    def note_alarm(self, _event_id: str, _at: datetime) -> None: ...


@dataclass
class World:
    """A writer of three cameras, each in a shard of its own."""

    registry: Registry
    cameras: Sequence[str]
    fences: FakeFences
    held: dict[str, Fence]
    hours: Hours
    lost: list[int]
    writer: Writer

    def say(self, camera: str, state: str = "online", tier: str | None = "low_rate") -> None:
        self.writer.take(Message({
            "is": "health", "camera": camera, "state": state, "detail": "", "fps": 5.0, "lag": 0.1,
            "tier_now": tier, "offset": 0.0,
        }, ()))  # fmt: skip

    def beat(self) -> None:
        header: Header = {"is": "beat"}
        self.writer.take(Message(header, ()))

    def states(self) -> list[HealthState | None]:
        found = [self.registry.cameras.camera(ADMIN, c).health for c in self.cameras]
        return [one.state if one else None for one in found]


@pytest.fixture
def world(registry: Registry) -> World:
    cameras = [registry.camera(f"Camera {n}").id for n in range(3)]
    fences = FakeFences(registry.database)
    held = {camera: fences.take(n) for n, camera in enumerate(cameras)}
    hours, lost = Hours(), list[int]()
    nothing: Any = None
    sinks = Sinks(
        registry.database, registry.clock, registry.cameras, nothing, nothing, nothing, hours,
        nothing, fences, timedelta(seconds=60),
    )  # fmt: skip
    return World(registry, cameras, fences, held, hours, lost, Writer(sinks, held.get, lost.append))


def test_it_is_written_at_the_beat(world: World) -> None:
    for camera, state in zip(world.cameras, ("online", "no_signal", "dark"), strict=True):
        world.say(camera, state)
    assert world.states() == [None, None, None]
    world.beat()
    assert world.states() == [HealthState.ONLINE, HealthState.NO_SIGNAL, HealthState.DARK]


def test_a_shard_that_is_anothers_costs_its_own_cameras_alone(world: World) -> None:
    world.fences.take(1)
    for camera in world.cameras:
        world.say(camera)
    world.beat()
    assert world.states() == [HealthState.ONLINE, None, HealthState.ONLINE]
    assert world.lost == [1]


def test_hours_are_counted_once_a_minute_and_when_the_tier_changes(
    world: World, clock: SettableClock
) -> None:
    first = clock.now()
    one = world.cameras[0]
    for seconds in (0, 30, 61, 70, 80):
        clock.set(first + timedelta(seconds=seconds))
        world.say(one, tier="key_frames" if seconds >= 70 else "low_rate")
        world.beat()
    second = timedelta(seconds=1)
    assert world.hours.noted == [
        (one, Tier.LOW_RATE, first, first + 61 * second),
        (one, Tier.LOW_RATE, first + 61 * second, first + 70 * second),
    ]
    clock.set(first + 90 * second)
    world.say(one, "no_signal", None)
    world.beat()
    assert world.hours.noted[-1] == (one, Tier.KEY_FRAMES, first + 70 * second, clock.now())
    assert len(world.hours.noted) == 3
