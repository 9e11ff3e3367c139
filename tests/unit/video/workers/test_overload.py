"""Too much to do: the lowest give way first, visibly, and come back; nothing grows meanwhile."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.harness.clips import film
from tests.unit.video.workers.conftest import Lanes
from workloads.video_analytics.vision.model import RuleKind, RuleSpec
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.decoder import Sender
from workloads.video_analytics.workers.orders import Picture

SLOW = RuleSpec("rul_slow", 1, RuleKind.MOTION, (), {"seconds": 3600, "cost": 0.06})


@pytest.fixture(autouse=True)
def _python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))


@pytest.mark.rehearsal
def test_the_lowest_give_way_first_and_all_come_back(
    lanes_with: Callable[..., Lanes], tmp_path: Path
) -> None:
    lanes = lanes_with(calm_seconds=1.0)
    path = film(tmp_path / "film.mp4", seconds=10, rate=5)
    names = [f"cam_{n}" for n in range(8)]
    for n, name in enumerate(names):
        lanes.watch(name, path, pace="loop", rules=(SLOW,), priority=n)
    lanes.watch("full", path, pace="loop", tier="full", rules=(SLOW,), priority=0)
    lanes.heard.wait(lambda: lanes.heard.state("cam_0")[0] == "degraded", 40)
    first = [h["camera"] for h, _ in lanes.heard.of("health") if h["state"] == "degraded"]
    assert first[0] == "cam_0"
    # Two of seven times as many frames as one core takes: it cannot go on without giving up.
    lanes.heard.wait(lambda: any(b["pressure"] >= 8 for b, _ in lanes.heard.of("beat")[-1:]), 60)
    assert lanes.heard.state("full")[0] == "online"
    degraded = [n for n in names if lanes.heard.state(n)[0] == "degraded"]
    assert len(degraded) >= 7
    told = [h for h, _ in lanes.heard.of("health", "cam_0") if h["state"] == "degraded"]
    assert told[-1]["detail"] in {"fewer frames", "key frames only", "health only"}
    for name in names[3:]:
        lanes.crew.tell(0, {"do": "drop", "camera": name, "close": True})
    left = [*names[:3], "full"]
    lanes.heard.wait(
        lambda: all(lanes.heard.state(n)[0] == "online" for n in left)
        and lanes.heard.of("beat")[-1][0]["pressure"] == 0, 90,
    )  # fmt: skip


def test_the_newest_frame_takes_the_place_of_one_that_was_not_taken() -> None:
    out, into = os.pipe()
    sender = Sender(into)
    picture = np.zeros((4, 4), np.uint8)
    for n in range(10):
        sender.frame("cam_1", Picture(float(n), picture, True, 0.0, 0.0, 0.0, 0), False)
    threading.Thread(target=sender.run, daemon=True).start()
    message = wire.read(out)
    assert message is not None
    assert (message.header["at"], message.header["dropped"]) == (9.0, 9)
    sender.frame("cam_1", Picture(10.0, picture, True, 0.0, 0.0, 0.0, 0), False)
    message = wire.read(out)
    assert message is not None
    assert (message.header["at"], message.header["dropped"]) == (10.0, 0)


def test_one_that_waits_loses_nothing_and_stops_waiting_when_it_is_stopped() -> None:
    sender = Sender(os.pipe()[1])
    picture = Picture(1.0, np.zeros((4, 4), np.uint8), True, 0.0, 0.0, 0.0, 0)
    sender.frame("cam_1", picture, True)
    waiting = threading.Thread(target=sender.frame, args=("cam_1", picture, True), daemon=True)
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    sender.forget("cam_1")
    waiting.join(3)
    assert not waiting.is_alive()


@pytest.mark.parametrize(
    "data", [b"\xff" * 8, b"\0\0\0\2\0\0\0\0[]", b"\0\0\0\2\0\0\0\0{}", b"\0\0\0\3\0\0\0\0abc",
             b'\0\0\0\x0f\0\0\0\0{"parts": [-1]}'],
)  # fmt: skip
def test_nonsense_of_a_child_is_refused_and_allocates_nothing(data: bytes) -> None:
    out, into = os.pipe()
    os.write(into, data)
    os.close(into)
    with pytest.raises(wire.Garbled):
        wire.read(out)
    os.close(out)


def test_a_message_comes_as_it_went() -> None:
    out, into = os.pipe()
    wire.write(into, {"is": "x", "n": np.float32(1.5)}, b"one", b"", memoryview(b"three"))
    message = wire.read(out)
    assert message is not None
    assert message.header["n"] == 1.5
    assert [bytes(part) for part in message.parts] == [b"one", b"", b"three"]
    os.close(into)
    assert wire.read(out) is None
    os.close(out)
