"""CLEAR MOT and IDF1 by hand, and the tracker on crowds with known truth."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from foundation.kernel.errors import Invalid
from workloads.video_analytics.evaluate import motchallenge, places, tracking
from workloads.video_analytics.evaluate.matching import Frames, Tally, tally

_BOX = np.array([[0.0, 0.0, 10.0, 20.0]])


def _frames(*rows: tuple[list[int], list[int]]) -> Frames:
    """Things and tracks side by side: the n-th of each lie on each other."""

    def boxes(ids: list[int], by: float) -> np.ndarray:
        lefts = np.array([100.0 * n + by for n in range(len(ids))]).reshape(-1, 1)
        return np.hstack([lefts, np.repeat(_BOX[:, 1:], len(ids), axis=0)])

    return [
        (np.array(truth, np.intp), boxes(truth, 0), np.array(found, np.intp), boxes(found, 1))
        for truth, found in rows
    ]


def test_figures_by_hand() -> None:
    # A thing followed by track 1 for three frames, missed once, then by track 2 for six.
    frames = _frames(*[([7], [1])] * 3, ([7], []), *[([7], [2])] * 6)
    found = tally(frames)
    assert (found.tp, found.fn, found.fp, found.idsw) == (9, 1, 0, 1)
    assert (found.mt, found.pt, found.ml) == (1, 0, 0)
    assert (found.idtp, found.idfp, found.idfn) == (6, 3, 4)
    measures = found.measures()
    assert measures["mota"] == pytest.approx(0.8)
    assert measures["idf1"] == pytest.approx(2 * 6 / (2 * 6 + 3 + 4))
    assert measures["motp"] == pytest.approx(9 / 11)  # overlap of boxes shifted by a tenth


def test_two_things_that_swap_their_tracks() -> None:
    found = tally(_frames(*[([1, 2], [11, 12])] * 5, *[([2, 1], [11, 12])] * 5))
    assert (found.tp, found.idsw) == (20, 2)
    assert found.idtp == 10


def test_a_track_on_nothing_and_things_without_tracks() -> None:
    empty = _frames(([], [3]), ([5], []))
    found = tally(empty)
    assert (found.tp, found.fp, found.fn, found.ml) == (0, 1, 1, 1)
    assert found.measures()["mota"] == -1
    assert found.measures()["idf1"] == 0
    assert tally([]).measures()["mota"] is None


def _write(folder: Path, *, seed: int = 1, people: int = 12, frames: int = 150) -> Path:
    """A crowd: people at different distances who hide each other; a detector with faults."""
    rng = np.random.default_rng(seed)
    for part in ("det", "gt"):
        (folder / part).mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname={folder.name}\nframeRate=25\nseqLength={frames}\n"
        "imWidth=1280\nimHeight=720\n"
    )
    walkers = [
        (rng.uniform(0, 1280), rng.uniform(250, 700), rng.choice([-1, 1]) * rng.uniform(20, 90))
        for _ in range(people)
    ]
    truth, found = [], []
    for frame in range(1, frames + 1):
        boxes = []
        for number, (x, foot, speed) in enumerate(walkers, 1):
            height = foot * 0.3
            boxes.append((number, x + speed * frame / 25, foot - height, height * 0.4, height))
        for number, left, top, width, height in boxes:
            hidden = max(
                (
                    max(0.0, min(left + width, x + w) - max(left, x)) / width
                    for _, x, y, w, h in boxes
                    if y + h > top + height
                ),
                default=0.0,
            )
            flag, kind = (0, 8) if number == 1 else (1, 1)
            truth.append((frame, number, left, top, width, height, flag, kind, 1 - hidden))
            hidden = min(hidden, 1.0)
            if rng.random() < 0.93 * (1 - hidden) ** 0.5:
                off = rng.normal(0, 0.03, 4) * height
                score = np.clip(rng.normal(0.9 - 0.5 * hidden, 0.08), 0.05, 1)
                found.append((frame, -1, left + off[0], top + off[1], width, height, score))
        for _ in range(rng.poisson(0.6)):
            place = rng.uniform(0, 700, 2)
            found.append((frame, -1, *place, 50, 120, rng.uniform(0.1, 0.6)))
    np.savetxt(folder / "gt" / "gt.txt", truth, fmt="%g", delimiter=",")
    np.savetxt(folder / "det" / "det.txt", found, fmt="%g", delimiter=",")
    return folder


def test_a_crowd_is_followed(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        _write(tmp_path / f"crowd-{seed}", seed=seed)
    sequences, _ = motchallenge.find(tmp_path)
    assert [s.name for s in sequences] == ["crowd-1", "crowd-2", "crowd-3"]
    total = sum((tracking.measure(s) for s in sequences), Tally())
    online = sum((tracking.measure(s, fill=0) for s in sequences), Tally())
    measures = total.measures()
    assert (measures["mota"] or 0) > 0.8
    assert (measures["idf1"] or 0) > 0.75
    assert total.fn < online.fn
    assert total.tp + total.fn == 3 * 11 * 150  # the distractor does not count


def test_distractors_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    [sequence], _ = motchallenge.find(_write(tmp_path / "crowd"))
    perfect = sequence.truth[:, :6]
    found = tally(motchallenge.comparable(sequence, perfect))
    assert (found.fp, found.fn, found.idsw) == (0, 0, 0)
    assert found.measures()["mota"] == 1.0
    assert found.measures()["idf1"] == 1.0


def test_scores_of_any_detector(tmp_path: Path) -> None:
    folder = _write(tmp_path / "crowd")
    path = folder / "det" / "det.txt"
    rows = np.loadtxt(path, delimiter=",")
    base = tracking.measure(motchallenge.find(folder)[0][0]).measures()["mota"] or 0
    margins = np.log(rows[:, 6].clip(0.01, 0.99) / (1 - rows[:, 6].clip(0.01, 0.99))) / 2
    for scores in (rows[:, 6] ** 2 * 121, margins):  # tens as of MOT15, and margins
        np.savetxt(path, np.column_stack([rows[:, :6], scores]), fmt="%g", delimiter=",")
        mota = tracking.measure(motchallenge.find(folder)[0][0]).measures()["mota"] or 0
        assert mota == pytest.approx(base, abs=0.02)
    np.savetxt(path, np.column_stack([rows[:, :6], -np.ones(len(rows))]), fmt="%g", delimiter=",")
    assert (tracking.measure(motchallenge.find(folder)[0][0]).measures()["mota"] or 0) > 0.5


def test_all_that_is_wrong_is_named(tmp_path: Path) -> None:
    one, two = _write(tmp_path / "one"), _write(tmp_path / "two")
    (one / "det" / "det.txt").unlink()
    (one / "seqinfo.ini").write_text("[Sequence]\nframeRate=0\nseqLength=many\nimWidth=10\n")
    (two / "gt" / "gt.txt").write_text("1,1,0,0,5,5,1\n2,1,zero,0,5,5,1\n")
    with pytest.raises(Invalid) as caught:
        motchallenge.find(tmp_path)
    assert {problem.field for problem in caught.value.problems} == {
        f"{one / 'seqinfo.ini'}.frameRate", f"{one / 'seqinfo.ini'}.seqLength",
        f"{one / 'seqinfo.ini'}.imHeight", str(one / "det" / "det.txt"),
        f"{two / 'gt' / 'gt.txt'}:2",
    }  # fmt: skip
    with pytest.raises(Invalid, match=r"has no folder with seqinfo\.ini"):
        motchallenge.find(tmp_path / "one" / "gt")


def test_a_frame_without_tracks_ends_no_match() -> None:
    # Two tracks lie on a thing; the one it had is kept over a frame in which nothing was found.
    box = np.array([[0.0, 0.0, 10.0, 20.0]])
    nearer, farther = (box + np.array([0, down, 0, 0]) for down in (0.5, 2.0))
    none, boxes = np.empty(0, np.intp), np.empty((0, 4))
    one, both = np.array([7]), np.array([1, 2])
    frames: Frames = [
        (one, box, np.array([1]), farther),
        (one, box, none, boxes),
        (one, box, both, np.vstack([farther, nearer])),
    ]
    found = tally(frames)
    assert (found.tp, found.fn, found.fp, found.idsw) == (2, 1, 1, 0)


def test_places_on_the_ground_are_no_classes(tmp_path: Path) -> None:
    folder = _write(tmp_path / "TUD", people=3, frames=20)
    path = folder / "gt" / "gt.txt"
    rows = np.loadtxt(path, delimiter=",")
    rows[:, 6] = 1
    ground = np.column_stack([rows[:, :7], rows[:, 2] / 90 + 0.21, rows[:, 3] / 90, 0 * rows[:, 0]])
    np.savetxt(path, ground, fmt="%g", delimiter=",", newline="\r\n")  # as MOT15 has them
    [sequence], _ = motchallenge.find(tmp_path)
    found = tally(motchallenge.comparable(sequence, ground[:, :6]))
    assert (found.tp, found.fn, found.fp) == (60, 0, 0)


def test_an_unseen_thing_counts_and_one_without_the_flag_does_not(tmp_path: Path) -> None:
    folder = _write(tmp_path / "s", people=2, frames=4)
    (folder / "gt" / "gt.txt").write_text(
        "1,1,0,0,10,20,1,1,0\n1,2,100,0,10,20,0,1,1\n1,3,200,0,10,20,1,3,1\n1,4,300,0,10,20,0,7,1\n"
    )
    [sequence], _ = motchallenge.find(folder)
    tracks = sequence.truth[:, :6]
    found = tally(motchallenge.comparable(sequence, tracks))
    # Tracks on a car and on a person that does not count are wrong, one on a static person is not.
    assert (found.tp, found.fn, found.fp) == (1, 0, 2)


def test_no_detections_and_no_truth_are_figures_too(tmp_path: Path) -> None:
    folder = _write(tmp_path / "MOT17-99-DPM", people=3, frames=10)
    (folder / "det" / "det.txt").write_text("")
    [sequence], _ = motchallenge.find(tmp_path)
    found = tracking.measure(sequence)
    assert (found.tp, found.fp, found.fn) == (0, 0, 20)
    assert found.measures()["mota"] == 0
    (folder / "gt" / "gt.txt").write_text("\n")
    [sequence], _ = motchallenge.find(tmp_path)
    assert tracking.measure(sequence).measures()["mota"] is None


def test_an_archive_with_the_folder_of_which_no_truth_is_published(tmp_path: Path) -> None:
    for name in ("train", "test"):
        _write(tmp_path / "MOT 17" / name / f"{name}-01", people=4, frames=30)
    for path in (tmp_path / "MOT 17" / "test" / "test-01" / "gt").iterdir():
        path.unlink()
    (tmp_path / "MOT 17" / "test" / "test-01" / "gt").rmdir()
    info = tmp_path / "MOT 17" / "train" / "train-01" / "seqinfo.ini"
    info.write_bytes(b"\xef\xbb\xbf" + info.read_bytes().replace(b"\n", b"\r\n"))
    path = tmp_path / "MOT17.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted((tmp_path / "MOT 17").rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
    plain, untold = motchallenge.find(tmp_path / "MOT 17")
    assert untold == [str(tmp_path / "MOT 17" / "test" / "test-01")]
    packed, _ = motchallenge.find(places.opened(path))
    assert [s.name for s in packed] == [s.name for s in plain] == ["train-01"]
    assert tracking.measure(packed[0]) == tracking.measure(plain[0])


def test_detections_below_a_score_are_left_out(tmp_path: Path) -> None:
    [sequence], _ = motchallenge.find(_write(tmp_path / "crowd", people=4, frames=40))
    assert len(tracking.track(sequence, least=2.0)) == 0
    assert 0 < len(tracking.track(sequence, least=0.7)) < len(tracking.track(sequence))


def test_margins_that_are_all_above_zero_are_no_per_cent(tmp_path: Path) -> None:
    folder = _write(tmp_path / "crowd", people=4, frames=40)
    path = folder / "det" / "det.txt"
    rows = np.loadtxt(path, delimiter=",")
    np.savetxt(path, np.column_stack([rows[:, :6], rows[:, 6] * 3]), fmt="%g", delimiter=",")
    assert (tracking.measure(motchallenge.find(folder)[0][0]).measures()["mota"] or 0) > 0.5
