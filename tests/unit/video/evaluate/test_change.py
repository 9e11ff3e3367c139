"""Change detection in the layout of CDnet, on drawn videos."""

import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from foundation.kernel.errors import Invalid
from tests.harness.video_scenes import Mover, play, street
from workloads.video_analytics.evaluate import cdnet, change, places


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
    videos = cdnet.find(tmp_path)
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
    assert [v.name for v in cdnet.find(tmp_path / "baseline")] == ["highway"]
    (video,) = cdnet.find(tmp_path / "baseline" / "highway")
    assert video.category == ""


def test_what_is_missing_is_named_and_does_not_count(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "c" / "one"), _write(tmp_path / "c" / "two")
    (one / "ROI.bmp").unlink()
    (one / "temporalROI.txt").unlink()
    (two / "groundtruth" / "gt000050.png").unlink()
    (two / "input" / "in000060.jpg").unlink()
    first, second = cdnet.find(tmp_path)
    assert first.notes == (
        "no temporalROI.txt: all frames with a mask count",
        "no ROI.bmp: all of the picture counts",
    )
    assert (first.first, first.last, first.missing) == (1, 100, ())
    assert second.missing == (
        f"{two / 'input'}: in000060", f"{two / 'groundtruth'}: gt000050",
    )  # fmt: skip
    assert second.notes[0] == "2 of 61 frames do not count, for want of:"
    result = change.measure(second, 12.5)
    assert (result.frames, result.missing) == (59, 2)


def test_the_half_of_a_truth_that_is_published_is_measured(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one")
    (folder / "temporalROI.txt").write_bytes(b"\xef\xbb\xbf40 400\r\n")
    (video,) = cdnet.find(folder)
    assert len(video.missing) == 600
    assert video.notes[-1] == "  … and 580 more"
    assert change.measure(video, 12.5).frames == 61


def test_a_video_without_anything_to_measure_is_named(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "c" / "one"), _write(tmp_path / "c" / "two")
    (one / "temporalROI.txt").write_text("fifty to sixty")
    (two / "temporalROI.txt").write_text("400 500")
    with pytest.raises(Invalid) as caught:
        cdnet.find(tmp_path)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {str(one / "temporalROI.txt"), str(two)}
    for name in ("input", "groundtruth"):
        (tmp_path / "half" / "v" / name).mkdir(parents=True)
        with pytest.raises(Invalid):
            cdnet.find(tmp_path / "half")


def test_a_gap_in_the_frames_is_so_much_time(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one", seconds=4, first=5)
    for number in range(20, 30):
        (folder / "input" / f"in{number:06d}.jpg").unlink()
    (video,) = cdnet.find(folder)
    assert change.measure(video, 12.5).missing == 10


def test_an_archive_is_read_as_the_folder_is(tmp_path: Path) -> None:
    folder = _write(tmp_path / "data set" / "dataset" / "baseline" / "a road", seconds=4, first=5)
    (tmp_path / "data set" / "results").mkdir()
    path = tmp_path / "all of it.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((tmp_path / "data set").rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("__MACOSX/dataset/baseline/a road/input/in000001.jpg", b"x")
    measured = []
    for root in (tmp_path / "data set", places.opened(path)):
        (video,) = cdnet.find(root)
        assert (video.category, video.name) == ("baseline", folder.name)
        measured.append(change.measure(video, 12.5).counts)
    assert measured[0] == measured[1]
    broken = tmp_path / "broken.zip"
    broken.write_bytes(path.read_bytes()[:900])
    with pytest.raises(Invalid, match="is neither a folder nor a zip archive"):
        places.opened(broken)


@pytest.mark.parametrize("how", ["plain", "deep", "full", "palette", "colour", "opaque", "01"])
def test_a_mask_is_the_same_however_it_was_written(tmp_path: Path, how: str) -> None:
    truth = np.array([[0, 50, 85, 170, 255, 255]], np.uint8)
    if how == "01":
        truth = np.array([[0, 255]], np.uint8)
    path = tmp_path / "gt000001.png"
    if how == "palette":
        path.write_bytes(_palette(truth))
    else:
        three = np.dstack([truth] * 3)
        written: dict[str, np.ndarray] = {
            "plain": truth, "deep": truth.astype(np.uint16), "colour": three,
            "full": truth.astype(np.uint16) * 257, "01": truth // 255,
            "opaque": np.dstack([three, np.full_like(truth, 255)]),
        }  # fmt: skip
        assert cv2.imwrite(str(path), written[how])
    assert cdnet.mask(path).tolist() == truth.tolist()


def _palette(truth: np.ndarray) -> bytes:
    """A PNG with a palette: OpenCV writes none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    levels = sorted(set(truth.ravel().tolist()))
    high, wide = truth.shape
    rows = b"".join(b"\0" + bytes(levels.index(n) for n in row) for row in truth.tolist())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", b"".join(bytes([n, n, n]) for n in levels))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_levels_between_are_the_nearest_and_a_region_fits_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "gt.png"
    cv2.imwrite(str(path), np.array([[3, 48, 90, 165, 250, 130]], np.uint8))
    assert cdnet.mask(path).tolist() == [[0, 50, 85, 170, 255, 170]]
    roi = tmp_path / "ROI.jpg"
    cv2.imwrite(str(roi), np.repeat(np.array([[0, 255]], np.uint8), 8, axis=1).repeat(16, axis=0))
    assert cdnet.region(roi, (32, 32))[4].tolist() == [0] * 16 + [255] * 16


def test_a_broken_picture_and_a_mask_of_another_size(tmp_path: Path) -> None:
    folder = _write(tmp_path / "one")
    (video,) = cdnet.find(folder)
    (folder / "input" / "in000045.jpg").write_bytes(b"no picture")
    with pytest.raises(Invalid, match=r"in000045\.jpg: is not a picture"):
        change.measure(video, 25)
    folder = _write(tmp_path / "two")
    cv2.imwrite(str(folder / "groundtruth" / "gt000041.png"), np.zeros((5, 5), np.uint8))
    (video,) = cdnet.find(folder)
    with pytest.raises(Invalid, match=r"gt000041\.png: is not 160 × 120"):
        change.measure(video, 25)


def test_a_folder_with_nothing_in_it(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="has no folder with input/"):
        cdnet.find(tmp_path)
