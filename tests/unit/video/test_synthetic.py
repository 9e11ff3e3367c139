"""Scenes: a seed gives the same frames, the truth is where things are, and files are read."""

import json
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from workloads.video_analytics.entrypoints.cli import video
from workloads.video_analytics.evaluate import intervals
from workloads.video_analytics.synthetic import rivers, sets, sites, trials
from workloads.video_analytics.synthetic.canvas import MOVING, SHADOW
from workloads.video_analytics.synthetic.river import River
from workloads.video_analytics.synthetic.scene import Scene
from workloads.video_analytics.synthetic.writing import truth_of, write_clip


def short(name: str, seconds: float = 2.0) -> Scene:
    scene = sets.CLIPS[name]()
    return Scene(
        **{**{n: getattr(scene, n) for n in Scene.__dataclass_fields__}, "seconds": seconds}
    )


def test_the_same_seed_gives_the_same_frames_and_another_gives_others() -> None:
    first, again = (list(islice(sets.left(5).pictures(), 12)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.frame.luma, other.frame.luma)
        assert one.frame.at == other.frame.at
    different = next(iter(sets.left(6).pictures()))
    assert not np.array_equal(first[0].frame.luma, different.frame.luma)


def test_the_truth_marks_what_is_no_background() -> None:
    scene = sets.CLIPS["left-square-1"]()
    pictures = list(scene.pictures())
    assert not pictures[0].truth.any()
    truth = scene.truths[0]
    assert truth.box is not None
    last = pictures[-1]
    rows, columns = np.nonzero(last.truth == MOVING)
    assert abs(columns.min() / 320 - truth.box.x) < 0.02
    assert abs((rows.max() + 1) / 180 - (truth.box.y + truth.box.height)) < 0.02
    there = last.truth == MOVING
    change = np.abs(last.frame.luma.astype(int) - pictures[0].frame.luma)
    assert change[there].mean() > 5 * change[~there].mean()
    walking = pictures[int((truth.began - 1) * scene.fps)].truth
    assert (walking == SHADOW).sum() > 20


def test_every_scene_has_unique_names_its_truth_within_its_time_and_a_first_frame() -> None:
    for name, make in {**sets.CLIPS, **sites.CLIPS}.items():
        scene = make()
        assert all(0 <= t.began < t.ended <= scene.seconds for t in scene.truths), name
        picture = next(iter(scene.pictures()))
        assert picture.frame.luma.shape == picture.truth.shape == (180, 320)
        assert picture.frame.at == scene.began
        assert json.loads(json.dumps(truth_of(scene)))["seconds"] == scene.seconds


def test_trials_differ_in_size_and_rate_and_are_what_their_number_says() -> None:
    sizes, rates = set(), set()
    for name, make in trials.CLIPS.items():
        scene = make()
        assert scene.name == name
        assert all(0 <= t.began < t.ended <= scene.seconds for t in scene.truths), name
        sizes.add((scene.width, scene.height))
        rates.add(scene.fps)
    assert len(sizes) > 3
    assert min(rates) <= 2
    assert max(rates) >= 12
    poor = next(s for s in (make() for make in trials.CLIPS.values()) if s.crf > 30)
    received = list(islice(poor.pictures(), 8))
    drawn = list(islice(replace(poor, crf=0).pictures(), 8))
    assert [picture.frame.at for picture in received] == [picture.frame.at for picture in drawn]
    assert received[7].frame.luma.shape == (poor.height, poor.width)
    off = np.abs(received[7].frame.luma.astype(int) - drawn[7].frame.luma).mean()
    assert 0.5 < off < 12  # worse, and the same picture


def test_a_river_has_the_cover_that_it_says() -> None:
    river = River(seed=3, days=2, minutes=240, cover=0.2)
    water_rows = 0.42 * 180
    for n, picture in enumerate(river.pictures()):
        covered = (picture.truth == MOVING).sum()
        assert covered == pytest.approx(river.covers()[n // 6] * 320 * 180 * 0.58, rel=0.1)
        assert not picture.truth[: int(water_rows * 0.8)].any()
    assert {name for name, each in rivers.RIVERS.items() if each.growth <= 0}


def test_a_clip_is_written_as_video_truth_and_masks_of_cdnet(tmp_path: Path) -> None:
    scene = short("left-square-1")
    write_clip(scene, "one", tmp_path, masks=True)
    with av.open(str(tmp_path / "one.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    given = [picture.frame.colour for picture in scene.pictures()]
    assert len(frames) == len(given) == 10
    assert np.abs(frames[5].astype(int) - given[5]).mean() < 6
    folder = tmp_path / "cdnet" / "synthetic" / "one"
    assert (folder / "temporalROI.txt").read_text() == "1 10\n"
    assert len(list((folder / "input").glob("in00*.jpg"))) == 10
    mask = cv2.imread(str(folder / "groundtruth" / "gt000010.png"), cv2.IMREAD_UNCHANGED)
    assert mask.shape == (180, 320)
    assert set(np.unique(mask)) <= {0, 50, 255}
    assert cv2.imread(str(folder / "ROI.bmp"), cv2.IMREAD_UNCHANGED).min() == 255
    truth = json.loads((tmp_path / "one.json").read_text())
    assert truth["rule"]["kind"] == "object_abandoned"
    assert truth["events"][0]["box"] is not None


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(video, ["synthesize", *words])
    return result.exit_code, result.output


def test_the_command_names_its_clips_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    code, output = run("--names", "--set", "sites")
    assert (code, output.split()) == (0, list(sites.CLIPS))
    code, output = run(str(tmp_path / "new"), "--only", "nothing", "--only", "left-square-1")
    assert (code, "nothing" in output, (tmp_path / "new").exists()) == (2, True, False)
    assert run()[0] == 2
    assert run(str(tmp_path), "--set", "trains")[0] == 2
    (tmp_path / "kept.txt").write_text("mine")
    code, output = run(str(tmp_path))
    assert (code, "something already" in output) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_labels_that_the_command_writes_are_read_by_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("taken-20", "switch-49"):
        scene = short(name)
        monkeypatch.setitem(sets.CLIPS, name, partial(replace, scene))
    assert run(str(tmp_path / "out"), "--only", "taken-20", "--only", "switch-49")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "labels.csv", "switch-49.json", "switch-49.mp4", "taken-20.json", "taken-20.mp4",
    ]  # fmt: skip
    [label] = intervals.read_labels(tmp_path / "out" / "labels.csv")
    assert (label.clip, label.kind, label.begin) == ("taken-20", "object_removed", 32.0)


def test_the_command_says_when_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, output = run(str(tmp_path / "file" / "below"), "--only", "walks-off-44")
    assert (code, "cannot write" in output) == (1, True)


def test_the_command_writes_rivers_as_pictures_with_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rivers.RIVERS, "tiny", River(days=1, minutes=480))
    assert run(str(tmp_path / "out"), "--set", "rivers", "--only", "tiny")[0] == 0
    folder = tmp_path / "out" / "tiny"
    assert len(list(folder.glob("2026-*Z.jpg"))) == 3
    assert json.loads((folder / "river.json").read_text())["covers"] == pytest.approx(
        [0.05], rel=0.2
    )
