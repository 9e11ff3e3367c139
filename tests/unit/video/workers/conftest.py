"""A crew of real lanes and decoders, with what they said."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workloads.video_analytics.vision.model import CameraView, Point, RuleKind, RuleSpec, Signal
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.crew import Crew
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.wire import Header, Message

LOOPBACK = {"addresses": [], "networks": ["127.0.0.0/8"], "only": False}
RULE = RuleSpec("rul_1", 1, RuleKind.MOTION, (), {"seconds": 2})


@dataclass
class Heard:
    messages: list[tuple[Header, list[bytes]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, _lane: int, message: Message) -> None:
        with self.changed:
            self.messages.append((message.header, [bytes(part) for part in message.parts]))
            self.changed.notify_all()

    def of(self, kind: str, camera: str = "") -> list[tuple[Header, list[bytes]]]:
        with self.changed:
            return [
                (header, parts) for header, parts in self.messages
                if header["is"] == kind and camera in {"", header.get("camera")}
            ]  # fmt: skip

    def signals(self, camera: str) -> list[Signal]:
        reports = self.of("report", camera)
        return [wire.signal_in(one) for header, _ in reports for one in header["signals"]]

    def state(self, camera: str) -> tuple[str, str]:
        found = self.of("health", camera)
        return (found[-1][0]["state"], found[-1][0]["detail"]) if found else ("", "")

    def states(self, camera: str) -> list[str]:
        return [header["state"] for header, _ in self.of("health", camera)]

    def wait(self, condition: Callable[[], Any], seconds: float = 30.0) -> Any:
        until = time.monotonic() + seconds
        with self.changed:
            while not (found := condition()):
                left = until - time.monotonic()
                assert left > 0, f"it did not come; heard: {self.messages[-8:]}"[:3000]
                self.changed.wait(min(left, 0.2))
            return found


@dataclass
class Lanes:
    crew: Crew
    heard: Heard

    def watch(
        self, camera: str, url: str | Path, kind: str = "file", pace: str = "fast", **other: Any
    ) -> None:
        masks = tuple(tuple(Point(*p) for p in mask) for mask in other.pop("masks", ()))
        rules = other.pop("rules", (RULE,))
        memory = other.pop("memory", b"")
        self.crew.tell(0, {
            "do": "watch", "camera": camera, "view": wire.view_out(CameraView(camera, masks=masks)),
            "url": str(url), "kind": kind, "pace": "live" if kind != "file" else pace,
            "tier": "low_rate", "priority": 5, "version": 1, "progress": {},
            "reach": None if kind == "file" else LOOPBACK,
            "rules": [wire.rule_out(rule) for rule in rules], **other,
        }, memory)  # fmt: skip


@pytest.fixture
def lanes_with() -> Iterator[Callable[..., Lanes]]:
    made: list[Crew] = []

    def make(**options: Any) -> Lanes:
        heard = Heard()
        given = {"analyser": "tests.fakes.analyser:make", "first_retry": 0.3, "longest_retry": 1.0}
        crew = Crew(1, LaneOptions(**(given | options)), heard, lambda _lane: None)
        crew.start()
        made.append(crew)
        return Lanes(crew, heard)

    yield make
    for crew in made:
        crew.stop(3)


@pytest.fixture
def lanes(lanes_with: Callable[..., Lanes]) -> Lanes:
    return lanes_with()
