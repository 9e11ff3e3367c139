"""Milliseconds of one look with each optional model, beside OpenCV's MOG2 on the same frames.

One thread. The ratio says how many looks at the whole frame with MOG2 (full size) one look with the
model costs; the clips are the sample data, plates and faces are looked for where there are none.
"""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np

from tests.harness.models import clip_or_skip, models_or_skip
from workloads.video_analytics.vision.model import Box, Image, Point, RuleKind
from workloads.video_analytics.vision.models.ports import Face

FRAMES = 40


def _frames() -> list[Image]:
    clip = cv2.VideoCapture(str(clip_or_skip("one-by-one-person-detection.mp4")))
    found = []
    for number in range(FRAMES * 20):
        there, picture = clip.read()
        if there and number % 20 == 0:
            found.append(np.asarray(picture, np.uint8))
    return found


def _milliseconds(work: Callable[[Image], object], frames: list[Image]) -> float:
    work(frames[0])
    taken = []
    for frame in frames:
        began = time.perf_counter()
        work(frame)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def test_one_look_with_each_model() -> None:
    cv2.setNumThreads(1)
    frames = _frames()
    objects = models_or_skip(RuleKind.OBJECT_CLASS).objects
    faces = models_or_skip(RuleKind.FACE).faces
    plates = models_or_skip(RuleKind.PLATE).plates
    assert objects
    assert faces
    assert plates
    peer = _milliseconds(cv2.createBackgroundSubtractorMOG2().apply, frames)
    marks = [
        Point(x, y) for x, y in ((0.45, 0.4), (0.55, 0.4), (0.5, 0.5), (0.46, 0.6), (0.54, 0.6))
    ]
    face = Face(Box(0.4, 0.3, 0.2, 0.4), 1.0, tuple(marks))
    looks: dict[str, Callable[[Image], object]] = {
        "classes (NanoDet, 416 × 256)": objects.detect,
        "faces (CenterFace, 640 × 384)": faces.detect,
        "face embedding (dlib, 150 × 150)": lambda frame: faces.embed(frame, face),
        "plates (detector, 768 × 448)": plates.read,
    }
    print(f"\n{'MOG2, 768 × 432, one thread':36} {peer:7.2f} ms")
    for name, work in looks.items():
        taken = _milliseconds(work, frames)
        print(f"{name:36} {taken:7.2f} ms   {taken / peer:6.2f} × MOG2")
