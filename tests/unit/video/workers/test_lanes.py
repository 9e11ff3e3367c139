"""Real lanes with real decoders on bad and good cameras: only the bad one is affected."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.harness.clips import film, mjpeg_camera, restamped
from tests.unit.video.workers.conftest import RULE, Lanes
from workloads.video_analytics.vision.model import Phase

BAD = (sys.executable, "-m", "tests.harness.bad_decoder")


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "good.mp4", seconds=8)


@pytest.fixture(autouse=True)
def _python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))


def ended(lanes: Lanes, camera: str) -> None:
    lanes.heard.wait(lambda: lanes.heard.state(camera) == ("no_signal", "played to the end"))


def test_every_event_comes_once_with_picture_clip_and_track(lanes: Lanes, good: Path) -> None:
    lanes.watch("cam", good)
    ended(lanes, "cam")
    signals = lanes.heard.signals("cam")
    begun = [one.key for one in signals if one.phase is Phase.ACTIVE]
    assert len(begun) == len(set(begun))
    assert len(begun) in {4, 5}  # eight seconds of periods of two, wherever the first one began
    assert sum(one.phase is Phase.ENDED for one in signals) == len(begun) - 1
    for header, parts in lanes.heard.of("report", "cam"):
        for one in header["signals"]:
            if one["phase"] == "active":
                image = cv2.imdecode(np.frombuffer(parts[one["picture"]], np.uint8), 1)
                assert image.shape == (180, 320, 3)
            assert header["memory"] is not None
    assert lanes.heard.of("memory", "cam")[-1][0]["progress"]["ended"] is True


def test_a_clip_holds_the_seconds_around_the_event(
    lanes_with: Callable[..., Lanes], good: Path
) -> None:
    lanes = lanes_with(before=1.0, after=1.0)
    lanes.watch("cam", good, pace="once")
    header, parts = lanes.heard.wait(lambda: lanes.heard.of("clip", "cam"))[1 - 1]
    assert header["events"][0][0] == RULE.id
    with av.open(io.BytesIO(parts[0])) as clip:
        frames = list(clip.decode(video=0))
    assert 8 <= len(frames) <= 31


def test_masked_parts_are_neither_analysed_nor_kept(lanes: Lanes, tmp_path: Path) -> None:
    lanes.watch(
        "cam", film(tmp_path / "m.mp4", seconds=3), masks=[[(0, 0), (1, 0), (1, 1), (0, 1)]]
    )
    ended(lanes, "cam")
    header, parts = lanes.heard.of("report", "cam")[0]
    picture = cv2.imdecode(np.frombuffer(parts[header["signals"][0]["picture"]], np.uint8), 1)
    assert picture.max() < 12
    with av.open(io.BytesIO(lanes.heard.wait(lambda: lanes.heard.of("clip"))[0][1][0])) as clip:
        assert max(frame.to_ndarray(format="gray").max() for frame in clip.decode(video=0)) < 30


@pytest.mark.parametrize("name", ["empty.mp4", "text.mp4", "noise.ts", "concat.mp4", "list.m3u8"])
def test_a_file_that_is_no_film_breaks_its_own_camera_only(
    lanes: Lanes, good: Path, tmp_path: Path, name: str
) -> None:
    content = {
        "empty.mp4": b"", "text.mp4": b"what is this" * 100,
        "noise.ts": np.random.default_rng(1).bytes(200_000),
        "concat.mp4": f"ffconcat version 1.0\nfile {good}\n".encode(),
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:8,\n{good}\n".encode(),
    }[name]  # fmt: skip
    (tmp_path / name).write_bytes(content)
    lanes.watch("bad", tmp_path / name)
    lanes.watch("cam", good)
    ended(lanes, "cam")
    lanes.heard.wait(lambda: lanes.heard.state("bad")[0] == "broken")
    assert lanes.heard.signals("bad") == []
    assert str(tmp_path) not in lanes.heard.state("bad")[1]
    assert lanes.crew.restarts == 0


def test_a_truncated_film_is_seen_as_far_as_it_goes(lanes: Lanes, tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.ts", seconds=8)
    cut = tmp_path / "cut.ts"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    lanes.watch("cam", cut)
    ended(lanes, "cam")
    assert 2 <= sum(one.phase is Phase.ACTIVE for one in lanes.heard.signals("cam")) <= 3


def test_raw_pictures_of_48_by_48(lanes: Lanes, tmp_path: Path) -> None:
    raw = tmp_path / "tiny-48x48@10.yuv"
    raw.write_bytes(bytes(range(256)) * (48 * 48 * 3 // 2 * 40 // 256))
    lanes.watch("cam", raw)
    ended(lanes, "cam")
    begun = [one for one in lanes.heard.signals("cam") if one.phase is Phase.ACTIVE]
    assert len(begun) in {2, 3}
    header, parts = lanes.heard.of("report", "cam")[0]
    picture = cv2.imdecode(np.frombuffer(parts[header["signals"][0]["picture"]], np.uint8), 1)
    assert picture.shape[:2] == (48, 48)


def test_8k_is_scaled_down_before_it_is_handed_over(lanes: Lanes, tmp_path: Path) -> None:
    huge = film(tmp_path / "8k.mp4", width=7680, height=4320, seconds=0.4, rate=5, codec="mpeg4")
    lanes.watch("cam", huge)
    ended(lanes, "cam")
    header, parts = lanes.heard.of("report", "cam")[0]
    picture = cv2.imdecode(np.frombuffer(parts[header["signals"][0]["picture"]], np.uint8), 1)
    assert picture.shape[:2] == (720, 1280)


def _wrongly_stamped(folder: Path, wrong: str) -> Path:
    if wrong == "backward":  # a recorder that was started anew into the same file
        half = film(folder / "half.ts", seconds=4).read_bytes()
        (folder / "bad.ts").write_bytes(half + half)
        return folder / "bad.ts"
    if wrong == "same":
        whole = film(folder / "whole.flv", seconds=8, codec="flv")
        return restamped(
            whole, folder / "bad.flv", lambda n, ms: ms if n < 40 else ms // 1000 * 1000
        )
    whole = film(folder / "whole.ts", seconds=8)
    a_day = 90_000 * 86_400
    return restamped(whole, folder / "bad.ts", lambda n, pts: pts if n < 40 else pts + a_day)


@pytest.mark.parametrize("wrong", ["backward", "jump", "same"])
def test_wrong_stamps_neither_stop_nor_repeat_anything(
    lanes: Lanes, tmp_path: Path, wrong: str
) -> None:
    bad = _wrongly_stamped(tmp_path, wrong)
    lanes.watch("cam", bad)
    ended(lanes, "cam")
    signals = lanes.heard.signals("cam")
    times = [one.at for one in signals]
    assert times == sorted(times)
    begun = [one.key for one in signals if one.phase is Phase.ACTIVE]
    assert len(begun) == len(set(begun))
    assert 3 <= len(begun) <= 6


def test_a_camera_that_stops_answering_is_without_signal_until_it_answers_again(
    lanes_with: Callable[..., Lanes], good: Path
) -> None:
    lanes = lanes_with(open_seconds=2.0, read_seconds=1.0)
    with mjpeg_camera(hang_after=25) as url:
        lanes.watch("bad", url, "mjpeg")
        lanes.watch("cam", good, pace="loop")
        lanes.heard.wait(lambda: lanes.heard.state("bad")[0] == "online")
        lanes.heard.wait(lambda: lanes.heard.state("bad")[0] == "no_signal")
        since = len(lanes.heard.of("health", "bad"))
        lanes.heard.wait(lambda: "online" in lanes.heard.states("bad")[since:])
    assert set(lanes.heard.states("cam")[1:]) <= {"online"}
    assert lanes.heard.of("beat")[-1][0]["deaths"] == 0


def test_a_camera_that_never_answers_costs_nobody_else(
    lanes_with: Callable[..., Lanes], good: Path
) -> None:
    lanes = lanes_with(open_seconds=1.0, read_seconds=1.0)
    with mjpeg_camera(hang_after=0) as url:
        lanes.watch("bad", url.replace("//", "//viewer:s3cret@"), "mjpeg")
        lanes.watch("cam", good)
        ended(lanes, "cam")
        lanes.heard.wait(lambda: lanes.heard.state("bad")[1] not in {"", "not connected yet"})
    assert lanes.heard.state("bad")[0] == "no_signal"
    assert "s3cret" not in str(lanes.heard.messages)


def test_a_crash_of_the_decoder_costs_the_camera_that_caused_it(
    lanes_with: Callable[..., Lanes], good: Path
) -> None:
    lanes = lanes_with(decoder=BAD)
    lanes.watch("cam", good, pace="loop")
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online")
    lanes.watch("bad", "/segfault.mp4")
    lanes.heard.wait(lambda: lanes.heard.state("bad")[0] == "broken")
    assert lanes.heard.state("bad")[1] == "its pictures crashed the decoder"
    count = len(lanes.heard.signals("cam"))
    lanes.heard.wait(lambda: len(lanes.heard.signals("cam")) >= count + 2)
    assert "broken" not in lanes.heard.states("cam")
    begun = [one.key for one in lanes.heard.signals("cam") if one.phase is Phase.ACTIVE]
    assert len(begun) == len(set(begun))


@pytest.mark.parametrize("how", ["hang", pytest.param("freeze", marks=pytest.mark.rehearsal)])
def test_a_call_that_does_not_come_back_costs_the_camera_that_made_it(
    lanes_with: Callable[..., Lanes], good: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    lanes = lanes_with(decoder=BAD)
    lanes.watch("cam", good, pace="loop")
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online")
    lanes.watch("bad", f"/{how}.mp4")
    lanes.heard.wait(lambda: [h for h, _ in lanes.heard.of("beat") if h["deaths"]], 40)
    lanes.heard.wait(lambda: lanes.heard.state("bad")[0] == "broken", 60)
    count = len(lanes.heard.signals("cam"))
    lanes.heard.wait(lambda: len(lanes.heard.signals("cam")) >= count + 2)
    assert "broken" not in lanes.heard.states("cam")


def test_a_killed_decoder_is_started_anew_and_nothing_comes_twice(lanes: Lanes, good: Path) -> None:
    lanes.watch("cam", good, pace="once")
    beat = lanes.heard.wait(lambda: lanes.heard.of("beat"))[0][0]
    os.kill(beat["decoder"], signal.SIGKILL)
    ended(lanes, "cam")
    begun = [one.key for one in lanes.heard.signals("cam") if one.phase is Phase.ACTIVE]
    assert len(begun) == len(set(begun))
    assert len(begun) in {4, 5}
    assert lanes.heard.of("beat")[-1][0]["deaths"] == 1


def test_another_lane_goes_on_where_one_was_dropped(lanes: Lanes, good: Path) -> None:
    lanes.watch("cam", good, pace="once")
    lanes.heard.wait(lambda: len(lanes.heard.signals("cam")) >= 2)
    lanes.crew.tell(0, {"do": "drop", "camera": "cam", "close": False})
    header, parts = lanes.heard.wait(lambda: lanes.heard.of("dropped", "cam"))[0]
    time.sleep(0.5)
    lanes.watch("cam", good, pace="once", progress=header["progress"], memory=parts[0])
    ended(lanes, "cam")
    begun = [one.key for one in lanes.heard.signals("cam") if one.phase is Phase.ACTIVE]
    assert len(begun) == len(set(begun))
    assert len(begun) in {4, 5}


def test_live_pictures_are_written_while_somebody_looks(
    lanes_with: Callable[..., Lanes], good: Path, tmp_path: Path
) -> None:
    lanes = lanes_with(live=str(tmp_path))
    lanes.watch("cam", good, pace="loop")
    lanes.heard.wait(lambda: lanes.heard.state("cam")[0] == "online")
    time.sleep(1)
    assert not (tmp_path / "cam.jpg").exists()
    (tmp_path / "cam.want").touch()
    lanes.heard.wait((tmp_path / "cam.jpg").exists)
    image = cv2.imdecode(np.frombuffer((tmp_path / "cam.jpg").read_bytes(), np.uint8), 1)
    assert image.shape == (180, 320, 3)
