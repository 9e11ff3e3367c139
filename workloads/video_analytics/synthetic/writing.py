"""Scenes as files that anybody's tools read: MP4, masks in the layout of CDnet, lists of events."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from workloads.video_analytics.synthetic.river import WATER, River
from workloads.video_analytics.synthetic.scene import Picture, Scene
from workloads.video_analytics.vision.model import Point, RuleKind


def write_clip(scene: Scene, name: str, folder: Path, *, masks: bool = False) -> None:
    """``NAME.mp4`` and ``NAME.json``, and with masks also ``cdnet/synthetic/NAME``.

    The JSON holds ``began`` (UTC of the first frame), ``rule`` (kind, points, parameters), and
    ``events``: kind, begin and end in seconds of the clip, and box. The layout of masks is that
    of changedetection.net: ``input/in000001.jpg``, ``groundtruth/gt000001.png``, ``ROI.bmp`` and
    ``temporalROI.txt``.

    Raises:
        OSError: a file cannot be written.
    """
    pictures: Iterable[Picture] = scene.pictures()
    if masks:
        pictures = _with_masks(pictures, folder / "cdnet" / "synthetic" / name)
    _write_video(scene, pictures, folder / f"{name}.mp4")
    (folder / f"{name}.json").write_text(json.dumps(truth_of(scene), indent=1) + "\n")


def truth_of(scene: Scene) -> dict[str, Any]:
    """What is true of a scene, as plain JSON."""
    return {
        "began": scene.began.isoformat(),
        "seconds": scene.seconds,
        "frames_per_second": scene.fps,
        "rule": {
            "kind": scene.kind.value,
            "points": _plain(scene.points),
            "parameters": scene.parameters,
        },
        "events": [
            {
                "kind": truth.kind.value,
                "begin": round(truth.began, 2),
                "end": round(truth.ended, 2),
                "box": truth.box and [round(float(n), 4) for n in truth.box],
            }
            for truth in scene.truths
        ],
    }


def write_labels(scenes: Mapping[str, Scene], path: Path) -> None:
    """What is true of all clips as one CSV, which ``borough-video evaluate`` reads as labels.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("clip", "kind", "begin", "end"))
        for name, scene in scenes.items():
            for truth in scene.truths:
                rows.writerow((name, truth.kind.value, f"{truth.began:.2f}", f"{truth.ended:.2f}"))


def write_river(river: River, folder: Path) -> None:
    """A picture per frame, named by its UTC time, and ``river.json`` with the cover of each day.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True)
    for picture in river.pictures():
        at = picture.frame.at.strftime("%Y-%m-%dT%H-%M-%SZ")
        _save(folder / f"{at}.jpg", picture.frame.colour)
    truth = {
        "kind": RuleKind.VEGETATION.value,
        "points": _plain(WATER),
        "growth": river.growth,
        "covers": [round(cover, 5) for cover in river.covers()],
    }
    (folder / "river.json").write_text(json.dumps(truth, indent=1) + "\n")


def _plain(points: Iterable[Point]) -> list[list[float]]:
    return [[point.x, point.y] for point in points]


def _write_video(scene: Scene, pictures: Iterable[Picture], path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.options = {"crf": "20"}
        for picture in pictures:
            assert picture.frame.colour is not None  # noqa: S101 - scenes have colour
            frame = av.VideoFrame.from_ndarray(picture.frame.colour, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _with_masks(pictures: Iterable[Picture], folder: Path) -> Iterator[Picture]:
    for part in ("input", "groundtruth"):
        (folder / part).mkdir(parents=True)
    count = 0
    for picture in pictures:
        count += 1
        _save(folder / "input" / f"in{count:06}.jpg", picture.frame.colour)
        _save(folder / "groundtruth" / f"gt{count:06}.png", picture.truth)
        if count == 1:
            _save(folder / "ROI.bmp", np.full_like(picture.truth, 255))
        yield picture
    (folder / "temporalROI.txt").write_text(f"1 {count}\n")


def _save(path: Path, image: np.ndarray | None) -> None:
    if image is None or not cv2.imwrite(str(path), image):
        raise OSError(f"cannot write {path}")
