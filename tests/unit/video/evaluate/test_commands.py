"""``borough-video evaluate`` needs no service, and says what is wrong with a folder."""

import json
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result

from workloads.video_analytics import samples
from workloads.video_analytics.entrypoints.cli import video


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(video, ["evaluate", *map(str, arguments)])


def _video(folder: Path) -> None:
    for name in ("input", "groundtruth"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    for number in range(1, 41):
        picture = rng.integers(90, 100, (48, 64)).astype(np.uint8)
        truth = np.zeros((48, 64), np.uint8)
        if number > 25:
            picture[10:30, 20:50] += 100
            truth[10:30, 20:50] = 255
        cv2.imwrite(str(folder / "input" / f"in{number:06d}.jpg"), picture)
        cv2.imwrite(str(folder / "groundtruth" / f"gt{number:06d}.png"), truth)
    (folder / "temporalROI.txt").write_text("20 40")
    cv2.imwrite(str(folder / "ROI.bmp"), np.full((48, 64), 255, np.uint8))


def test_change_as_table_and_json_with_masks_kept(tmp_path: Path) -> None:
    _video(tmp_path / "set" / "baseline" / "box")
    table = _run("change", tmp_path / "set", "--grey")
    assert table.exit_code == 0, table.output
    assert "overall" in table.stdout
    found = _run("change", tmp_path / "set", "-o", "json", "--keep", tmp_path / "masks")
    rows = json.loads(found.stdout)
    rows = rows["items"] if isinstance(rows, dict) else rows
    assert [row["kind"] for row in rows] == ["video", "category", "overall"]
    assert rows[0]["f_measure"] > 0.9
    assert rows[0]["pixels"]["tp"] > 0
    masks = sorted((tmp_path / "masks" / "baseline" / "box").iterdir())
    assert len(masks) == 40
    assert masks[0].name == "bin000001.png"


def test_tracking_and_its_tracks(tmp_path: Path) -> None:
    folder = tmp_path / "seq"
    for part in ("det", "gt"):
        (folder / part).mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(
        "[Sequence]\nframeRate=25\nseqLength=20\nimWidth=640\nimHeight=480\n"
    )
    rows = [(n, 1, 10 + 4 * n, 50, 40, 90) for n in range(1, 21)]
    (folder / "gt" / "gt.txt").write_text("\n".join(f"{n},{i},{x},{y},{w},{h},1,1,1"
                                                    for n, i, x, y, w, h in rows))  # fmt: skip
    (folder / "det" / "det.txt").write_text("\n".join(f"{n},-1,{x},{y},{w},{h},0.9"
                                                      for n, _, x, y, w, h in rows))  # fmt: skip
    found = _run("tracking", folder, "-o", "json", "--keep", tmp_path / "tracks")
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    rows = rows["items"] if isinstance(rows, dict) else rows
    assert rows[-1]["name"] == "overall"
    assert rows[0]["mota"] == 1.0
    lines = (tmp_path / "tracks" / "seq.txt").read_text().splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("1,1,14.00,50.00,")


def test_events(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("kind,begin,end\nbag,10,20\n")
    (tmp_path / "found.csv").write_text("kind,at\nbag,12\n")
    found = _run("events", tmp_path / "labels.csv", tmp_path / "found.csv")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[0].split()[:3] == ["KIND", "LABELS", "EVENTS"]


def test_a_broken_layout_is_a_message_with_every_file(tmp_path: Path) -> None:
    (tmp_path / "one" / "input").mkdir(parents=True)
    found = _run("change", tmp_path)
    assert found.exit_code == 2
    for name in ("groundtruth", "temporalROI.txt", "ROI.bmp", "has no frames named"):
        assert name in found.output
    (tmp_path / "seq" / "gt").mkdir(parents=True)
    found = _run("tracking", tmp_path)
    assert found.exit_code == 2
    for name in ("seqinfo.ini", "det.txt", "gt.txt"):
        assert name in found.output


def test_a_clip_is_watched_and_what_is_told_is_measured(tmp_path: Path) -> None:
    clip = f"{samples.FOLDER / 'car-detection.mp4'}"
    (tmp_path / "rules.yaml").write_text(
        "- kind: line_crossing\n  points: [[0.0, 0.5], [1.0, 0.5]]\n"
    )
    found = _run("watch", clip, "--rate", "4", "--rules", tmp_path / "rules.yaml", "-o", "json")
    assert found.exit_code == 0, found.output
    (tmp_path / "found.json").write_text(found.stdout)
    (tmp_path / "labels.csv").write_text(  # by eye, tests/unit/video/vision/test_sample_clips.py
        "clip;kind;begin;end\n"
        + "".join(f"car-detection;line_crossing;{at}\n"
                  for at in ("0:04.4;0:08.4", "0:14.5;18.2", "15.2;18.8", "25.4;27.8"))
    )  # fmt: skip
    measured = _run("events", tmp_path / "labels.csv", tmp_path / "found.json", "-o", "json")
    rows = json.loads(measured.stdout)
    rows = rows["items"] if isinstance(rows, dict) else rows
    assert (rows[0]["hits"], rows[0]["missed"], rows[0]["false"]) == (4, 0, 0)


def test_what_cannot_be_watched_is_said(tmp_path: Path) -> None:
    clip, rules = tmp_path / "clip.mp4", tmp_path / "rules.yaml"
    clip.write_bytes(b"no film")
    broken = _run("watch", clip, "--kind", "motion")
    assert broken.exit_code == 2
    assert "clip.mp4: cannot be read" in broken.output
    assert "name a rule" in _run("watch", clip).output
    assert "is no kind of rule" in _run("watch", clip, "--kind", "magic").output
    rules.write_text(
        "- kind: loitering\n  points: [[0, 2]]\n  parameters: {seconds: long}\n  colour: red\n- 7\n"
    )
    wrong = _run("watch", clip, "--rules", rules)
    assert wrong.exit_code == 2
    for name in (":1.points", ":1.parameters.seconds", ":1.colour", ":2"):
        assert f"rules.yaml{name}" in wrong.output
    rules.write_text("[")
    assert "must be a list of rules" in _run("watch", clip, "--rules", rules).output
