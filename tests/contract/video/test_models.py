"""What every model tells of a picture: fakes and, where they were fetched, the real ones.

The real ones are also held to what was counted by eye, and to plates whose text is known.
"""

import tarfile
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from tests.fakes.video_models import FakeFaces, FakeObjects, FakePlates
from tests.harness.models import clip_or_skip, models_or_skip, package_or_skip
from workloads.video_analytics.vision.model import Box, Image, Point, RuleKind
from workloads.video_analytics.vision.models.catalogue import EMBEDDING
from workloads.video_analytics.vision.models.plates import has_form
from workloads.video_analytics.vision.models.ports import (
    Face,
    FaceModel,
    Found,
    ObjectModel,
    Plate,
    PlateModel,
)

PERSONS, CARS = "one-by-one-person-detection.mp4", "car-detection.mp4"
_BOX = Box(0.2, 0.2, 0.1, 0.1)
_CORNERS = (Point(0.2, 0.2), Point(0.3, 0.2), Point(0.3, 0.3), Point(0.2, 0.3))


@pytest.fixture(params=["fake", "real"])
def objects(request: pytest.FixtureRequest) -> ObjectModel:
    if request.param == "fake":
        return FakeObjects(Found(_BOX, "car", 0.6), Found(_BOX, "person", 0.9))
    found = models_or_skip(RuleKind.OBJECT_CLASS).objects
    assert found is not None
    return found


@pytest.fixture(params=["fake", "real"])
def faces(request: pytest.FixtureRequest) -> FaceModel:
    if request.param == "fake":
        return FakeFaces(Face(_BOX, 0.9, _CORNERS), Face(_BOX, 0.7, _CORNERS))
    found = models_or_skip(RuleKind.FACE).faces
    assert found is not None
    return found


@pytest.fixture(params=["fake", "real"])
def plates(request: pytest.FixtureRequest) -> PlateModel:
    if request.param == "fake":
        return FakePlates(Plate("苏A12345", _BOX, _CORNERS, 0.9))
    found = models_or_skip(RuleKind.PLATE).plates
    assert found is not None
    return found


ODD = [(1, 1), (48, 48), (31, 700), (700, 31), (135, 241)]


@pytest.fixture(params=ODD, ids=str)
def odd(request: pytest.FixtureRequest) -> Image:
    """A picture of an unusual size."""
    random = np.random.default_rng(3)
    return random.integers(0, 255, (*request.param, 3), np.uint8)


def _sound(boxes: list[Box], scores: list[float]) -> None:
    for box in boxes:
        assert 0 <= box.x <= box.x + box.width <= 1.000001
        assert 0 <= box.y <= box.y + box.height <= 1.000001
    assert all(0 < score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


def test_things_of_known_classes_the_surest_first(objects: ObjectModel, odd: Image) -> None:
    before = odd.copy()
    found = objects.detect(odd)
    _sound([thing.box for thing in found], [thing.score for thing in found])
    assert {thing.kind for thing in found} <= set(objects.classes)
    np.testing.assert_array_equal(odd, before)


def test_faces_and_what_tells_them_apart(faces: FaceModel, odd: Image) -> None:
    found = faces.detect(odd)
    _sound([face.box for face in found], [face.score for face in found])
    assert faces.space
    for face in [*found, Face(Box(0, 0, 1, 1), 1, tuple(Point(0.5, 0.5) for _ in range(5)))]:
        embedding = faces.embed(odd, face)
        assert embedding.shape == (128,)
        assert np.isfinite(embedding).all()


def test_plates_have_the_form_of_one(plates: PlateModel, odd: Image) -> None:
    found = plates.read(odd)
    _sound([plate.box for plate in found], [plate.score for plate in found])
    assert all(has_form(plate.text) for plate in found)


# What is seen in the sample clips ---------------------------------------------------------------


def _every(name: str, step: int) -> Iterator[Image]:
    clip = cv2.VideoCapture(str(clip_or_skip(name)))
    at = 0
    while True:
        there, picture = clip.read()
        if not there:
            return
        if at % step == 0:
            yield np.asarray(picture, np.uint8)
        at += 1


def test_the_persons_of_the_clip_are_seen_and_nobody_else() -> None:
    """Counted by eye: of 56 frames, every 25th, 41 show a person and 15 show none."""
    model = models_or_skip(RuleKind.OBJECT_CLASS).objects
    assert model is not None
    seen = [
        sum(thing.kind == "person" and thing.score >= 0.4 for thing in model.detect(picture))
        for picture in _every(PERSONS, 25)
    ]
    assert len(seen) == 56
    assert max(seen) == 1
    assert sum(seen) >= 39
    assert seen[:3] == [0, 0, 0]
    assert sum(count == 0 for count in seen) >= 15


def test_no_plates_are_read_where_there_are_none_to_read() -> None:
    model = models_or_skip(RuleKind.PLATE).plates
    assert model is not None
    read = [
        p for clip in (PERSONS, CARS) for picture in _every(clip, 75) for p in model.read(picture)
    ]
    assert read == []


# Plates that were drawn -------------------------------------------------------------------------

TEXTS = ["苏E05EV8", "京A12345", "沪B7K680", "川A9Z3W7", "粤BD12345", "浙CF68901"]


def _glyph(character: str) -> Image:
    """A character in OpenCV's own font for all scripts, cut to its ink."""
    if not hasattr(cv2, "FontFace"):
        pytest.skip("this OpenCV (below 5) brings no font with Chinese characters")
    drawn = np.zeros((200, 200, 3), np.uint8)
    cv2.putText(drawn, character, (30, 150), (255, 255, 255), cv2.FontFace("uni"), 130, weight=800)
    rows, columns = np.nonzero(drawn[:, :, 0] > 100)
    return drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 0]


def _drawn(text: str) -> Image:
    """A plate of 440 × 140: white on blue, or black on green with eight characters (GA 36-2018)."""
    green = len(text) == 8
    made = np.full((140, 440, 3), (90, 200, 120) if green else (170, 80, 10), np.uint8)
    ink = (20, 20, 20) if green else (255, 255, 255)
    cv2.rectangle(made, (4, 4), (435, 135), ink, 2)
    cell = 400 / (len(text) + 0.35)
    at = 20.0
    for index, character in enumerate(text):
        wide = int(cell * (0.3 if character == "1" else 0.82))
        glyph = cv2.resize(_glyph(character), (wide, 92), interpolation=cv2.INTER_AREA)
        left, share = int(at + (cell - wide) / 2), glyph[:, :, None] / 255
        place = made[24:116, left : left + wide]
        place[:] = (place * (1 - share) + np.array(ink) * share).astype(np.uint8)
        at += cell * (1.35 if index == 1 else 1)
    return made


def _scene(text: str, wide: int, *, turn: float = 0.0) -> tuple[Image, np.ndarray]:
    """A plate of so many pixels at the back of a car, turned by degrees, and its corners."""
    random = np.random.default_rng(len(text) * wide)
    scene = cv2.GaussianBlur(random.integers(60, 140, (720, 1280, 3), np.uint8), (0, 0), 5)
    cv2.rectangle(scene, (400, 150), (900, 620), (60, 60, 70), -1)
    angle = np.radians(turn)
    across = np.array([np.cos(angle), np.sin(angle)]) * wide
    down = np.array([-np.sin(angle), np.cos(angle)]) * wide * 0.32
    first = np.array([560.0, 420.0])
    corners = np.array([first, first + across, first + across + down, first + down], np.float32)
    flat = np.array([[0, 0], [440, 0], [440, 140], [0, 140]], np.float32)
    smooth = cv2.GaussianBlur(_drawn(text), (0, 0), 440 / wide * 0.35)
    way = cv2.getPerspectiveTransform(flat, corners)
    cv2.warpPerspective(smooth, way, (1280, 720), scene, borderMode=cv2.BORDER_TRANSPARENT)
    noisy = scene + random.normal(0, 4, scene.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), corners / (1280, 720)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("wide", "turn"), [(90, 0), (140, 8), (220, -6)])
def test_drawn_plates_are_read_right(text: str, wide: int, turn: float) -> None:
    """Simulated: the plates are drawn. Real ones differ; this is no figure of accuracy."""
    model = models_or_skip(RuleKind.PLATE).plates
    assert model is not None
    picture, corners = _scene(text, wide, turn=turn)
    found = model.read(picture)
    assert [plate.text for plate in found] == [text]
    assert found[0].score > 0.9
    np.testing.assert_allclose(np.array(found[0].corners), corners, atol=0.012)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("苏A12345", True), ("苏AD12345", True), ("粤Z1234港", True), ("京A1234警", True),
        ("苏A1234", False), ("苏A1234567", False), ("XA12345", False), ("苏112345", False),
        ("苏I12345", False), ("苏A1O345", False), ("苏A12345 ", False), ("", False),
        ("苏A港2345", False), ("苏a12345", False),
    ],
)  # fmt: skip
def test_the_form_of_a_plate(text: str, fine: bool) -> None:  # noqa: FBT001
    assert has_form(text) is fine


# Faces of photographs in a package --------------------------------------------------------------


@pytest.fixture(scope="module")
def photographs() -> list[Image]:
    """Six photographs that the package of the embedding ships; each shows several people."""
    archive = package_or_skip(EMBEDDING.package.file)
    found = []
    with tarfile.open(archive) as tar:
        for number in range(1, 7):
            file = tar.extractfile(f"package/demo/sample{number}.jpg")
            assert file is not None
            picture = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
            found.append(np.asarray(picture, np.uint8))
    return found


def _smaller(picture: Image) -> Image:
    small = cv2.resize(picture, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _darker(picture: Image) -> Image:
    return np.asarray(cv2.convertScaleAbs(picture, alpha=0.6, beta=10), np.uint8)


def _coarser(picture: Image) -> Image:
    small = cv2.resize(picture, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 40])
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("other", [_smaller, _darker, _coarser])
def test_faces_are_found_and_told_apart(
    photographs: list[Image], other: Callable[[Image], Image]
) -> None:
    """22 faces; people of one photograph are different ones: none is taken for another."""
    model = models_or_skip(RuleKind.FACE).faces
    assert model is not None
    same, different = [], []
    for picture in photographs:
        changed = other(picture)
        first = sorted(model.detect(picture), key=lambda face: face.box.x)
        second = sorted(model.detect(changed), key=lambda face: face.box.x)
        vectors = [model.embed(picture, face) for face in first]
        again = [model.embed(changed, face) for face in second]
        assert len(vectors) == len(again)
        for i, one in enumerate(vectors):
            for j, two in enumerate(again):
                (same if i == j else different).append(float(np.linalg.norm(one - two)))
    assert len(same) == 22
    assert max(same) < 0.5 < min(different)
