"""Change detection in the layout of CDnet, on drawn videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from foundation.kernel.errors import Invalid
from tests.harness.video_scenes import Mover, play, street
from workloads.video_analytics.evaluate import change


def _write(folder: Path, seconds: float = 8, first: int = 40) -> Path:
    car = Mover(-20, 60, 36, 22, vx=40, grey=215, start=2)
    for name in ("input", "groundtruth"):
        (folder / name).mkdir(parents=True)
    frames = list(play(street(160, 120), [car], seconds, 12.5))
    for number, (frame, truth) in enumerate(frames, 1):
        cv2.imwrite(str(folder / "input" / f"in{number:06d}.jpg"), frame.luma)
        truth[:10] = 85
        truth[10:14] = 170
        cv2.imwrite(str(folder / "groundtruth" / f"gt{number:06d}.png"), truth)
    (folder / "temporalROI.txt").write_text(f"{first} {len(frames)}\n")
    roi = np.full((120, 160), 255, np.uint8)
    roi[:10] = 0
    cv2.imwrite(str(folder / "ROI.bmp"), roi)
    return folder


def test_the_seven_figures_of_known_counts() -> None:
    truth = np.array([[255, 255, 255, 255, 0, 0, 50, 50, 85, 170]], np.uint8)
    found = np.array([[255, 255, 255, 0, 0, 255, 255, 0, 255, 255]], np.uint8)
    counts = change.Counts()
    counts.add(found, truth, None)
    assert (counts.tp, counts.fn, counts.fp, counts.tn, counts.shadow) == (3, 1, 2, 2, 1)
    assert counts.measures() == pytest.approx({
        "recall": 0.75, "specificity": 0.5, "fpr": 0.5, "fnr": 0.25, "pwc": 37.5,
        "f_measure": 2 * 0.75 * 0.6 / 1.35, "precision": 0.6,
    })  # fmt: skip
    counts.add(found, truth, np.zeros_like(truth))
    assert counts.tp == 3
    assert set(change.Counts().measures().values()) == {None}


def test_a_data_set_is_averaged_as_cdnet_does(tmp_path: Path) -> None:
    for name in ("baseline/one", "baseline/two", "shadow/three"):
        _write(tmp_path / name)
    videos = change.find(tmp_path)
    assert [(v.category, v.name) for v in videos] == [
        ("baseline", "one"), ("baseline", "two"), ("shadow", "three"),
    ]  # fmt: skip
    results = [change.measure(video, 12.5) for video in videos]
    for result in results:
        assert result.frames == 100 - 40 + 1
        assert (result.measures["f_measure"] or 0) > 0.85
    *categories, overall = change.averages(results)
    assert [c.name for c in categories] == ["baseline", "shadow"]
    recalls = [c.measures["recall"] or 0 for c in categories]
    assert overall.measures["recall"] == pytest.approx(sum(recalls) / 2)


def test_one_video_and_one_category_will_do(tmp_path: Path) -> None:
    _write(tmp_path / "baseline" / "highway")
    assert [v.name for v in change.find(tmp_path / "baseline")] == ["highway"]
    (video,) = change.find(tmp_path / "baseline" / "highway")
    assert video.category == ""


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "c" / "one"), _write(tmp_path / "c" / "two")
    (one / "ROI.bmp").unlink()
    (one / "temporalROI.txt").write_text("fifty to sixty")
    (two / "groundtruth" / "gt000050.png").unlink()
    (two / "input" / "in000060.jpg").unlink()
    with pytest.raises(Invalid) as caught:
        change.find(tmp_path)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {
        str(one / "ROI.bmp"), str(one / "temporalROI.txt"),
        str(two / "groundtruth" / "gt000050.png"), str(two / "input" / "in000060.jpg"),
    }  # fmt: skip


def test_what_is_missing_by_the_hundred_is_counted(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one")
    (folder / "temporalROI.txt").write_text("1 400")
    with pytest.raises(Invalid, match="580 more files are missing"):
        change.find(folder)


def test_a_broken_picture_and_a_mask_of_another_size(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one")
    (video,) = change.find(folder)
    (folder / "input" / "in000045.jpg").write_bytes(b"no picture")
    with pytest.raises(Invalid, match=r"in000045\.jpg: is not a picture"):
        change.measure(video, 25)
    folder = _write(tmp_path / "two")
    cv2.imwrite(str(folder / "groundtruth" / "gt000041.png"), np.zeros((5, 5), np.uint8))
    (video,) = change.find(folder)
    with pytest.raises(Invalid, match=r"gt000041\.png: is not 160 × 120"):
        change.measure(video, 25)


def test_a_folder_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="has no folder with input/"):
        change.find(tmp_path)
