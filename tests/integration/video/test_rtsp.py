"""Cameras over RTSP: real lanes and decoders read a real server of another make (gortsplib).

It needs Go to build the server, and nothing else of the devcloud.
"""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.rtsp import RtspCamera, server
from tests.unit.video.workers.conftest import Lanes, lanes_with
from workloads.video_analytics.samples import FOLDER

__all__ = ["lanes_with"]

SECRET = "s3cret%2F!"  # as it stands in an address


@pytest.fixture(scope="session")
def program() -> Path:
    return server()


@pytest.fixture
def camera(program: Path, tmp_path: Path) -> Iterator[RtspCamera]:
    film = FOLDER / "car-detection.mp4"
    made = RtspCamera(program, film, tmp_path / "rtsp.log", "viewer", "s3cret/!")
    yield made
    made.stop()


@pytest.fixture
def lanes(lanes_with: Callable[..., Lanes], monkeypatch: pytest.MonkeyPatch) -> Lanes:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    return lanes_with(open_seconds=4.0, read_seconds=3.0)


def watch(lanes: Lanes, camera: RtspCamera, password: str = SECRET) -> None:
    lanes.watch("cam", camera.url_for("viewer", password), "rtsp")


def frames_come(lanes: Lanes, seconds: float = 30.0) -> None:
    """Frames that are looked at from now on."""
    before = len(lanes.heard.of("beat"))

    def come() -> bool:
        beats = [header for header, _ in lanes.heard.of("beat")[before + 1 :]]
        return sum(beat["frames"] for beat in beats) >= 5

    lanes.heard.wait(come, seconds)


def test_a_camera_is_read_with_its_credentials_over_tcp(lanes: Lanes, camera: RtspCamera) -> None:
    watch(lanes, camera)
    frames_come(lanes)
    assert lanes.heard.state("cam")[0] == "online"
    header = lanes.heard.wait(lambda: [
        one for one, _ in lanes.heard.of("health", "cam") if one["fps"] > 1
    ])[-1]  # fmt: skip
    assert 3 <= header["fps"] <= 6  # the tier asks for five a second
    assert header["lag"] < 2


def test_wrong_credentials_are_no_signal_and_are_told_without_themselves(
    lanes: Lanes, camera: RtspCamera
) -> None:
    watch(lanes, camera, "wrong-pass")
    lanes.heard.wait(lambda: lanes.heard.state("cam")[1] not in {"", "not connected yet"})
    state, detail = lanes.heard.state("cam")
    assert state == "no_signal"
    assert "wrong-pass" not in detail
    assert "rtsp" not in detail
    time.sleep(2)
    assert camera.played() == 0


def test_a_path_that_is_not_there_is_no_signal(lanes: Lanes, camera: RtspCamera) -> None:
    lanes.watch("cam", camera.url_for("viewer", SECRET) + "-not", "rtsp")
    lanes.heard.wait(lambda: lanes.heard.state("cam")[1] not in {"", "not connected yet"})
    assert lanes.heard.state("cam")[0] == "no_signal"


def test_a_camera_that_hangs_is_found_out_and_read_again_when_it_wakes(
    lanes: Lanes, camera: RtspCamera
) -> None:
    watch(lanes, camera)
    frames_come(lanes)
    camera.fall_silent()
    began = time.monotonic()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "no_signal", 20)
    assert time.monotonic() - began < 12  # three seconds of silence, and the machine's own
    camera.wake()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online", 30)
    frames_come(lanes)


def test_a_camera_that_is_switched_off_comes_back_when_it_does(
    lanes: Lanes, camera: RtspCamera
) -> None:
    watch(lanes, camera)
    frames_come(lanes)
    camera.stop()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "no_signal", 20)
    camera.start()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online", 30)
    frames_come(lanes)


def test_a_server_without_pictures_is_no_signal_and_goes_on_when_they_come(
    lanes: Lanes, camera: RtspCamera
) -> None:
    watch(lanes, camera)
    frames_come(lanes)
    camera.feeder_dies()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "no_signal", 30)
    camera.stop()
    camera.start()
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online", 30)


def test_tries_grow_apart_while_a_camera_refuses(
    lanes_with: Callable[..., Lanes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    lanes = lanes_with(first_retry=0.4, longest_retry=60.0)
    came: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(30)
        lanes.watch("cam", f"rtsp://127.0.0.1:{listening.getsockname()[1]}/cam", "rtsp")
        while len(came) < 6:
            connection, _ = listening.accept()
            came.append(time.monotonic())
            connection.close()
    gaps = [later - before for before, later in itertools.pairwise(came)]
    # Doubling, each by half at random: the last is at least four times the first.
    assert gaps[-1] > 3 * gaps[0], gaps
    assert lanes.heard.state("cam")[0] in {"no_signal", "broken"}
