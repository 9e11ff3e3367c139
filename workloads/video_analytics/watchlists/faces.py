"""The face of a picture, by the optional models of the folder."""

import threading
from pathlib import Path

import cv2
import numpy as np

from foundation.kernel.errors import Invalid, Problem, Unavailable
from workloads.video_analytics.vision.model import Image, RuleKind
from workloads.video_analytics.vision.models.load import load
from workloads.video_analytics.vision.models.ports import FaceModel
from workloads.video_analytics.vision.models.sizes import size_of
from workloads.video_analytics.watchlists.ports import Embedded

_PIXELS_MAX = 25_000_000
_FACE_MIN = 60  # pixels of width


class FolderFaces:
    """Implements ``FaceReader``; the models are loaded when they are first needed.

    Args:
        folder: of the models.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._model: FaceModel | None = None

    def read(self, picture: bytes) -> Embedded:
        """What tells the one face of a picture from others."""
        bgr = _decoded(picture)
        with self._lock:  # one at a time: it is seldom, and each takes a lot of memory
            model = self._loaded()
            faces = model.detect(bgr)
            if len(faces) != 1:
                number = "no face" if not faces else f"{len(faces)} faces"
                raise _wrong(f"shows {number}: it must show exactly one")
            if faces[0].box.width * bgr.shape[1] < _FACE_MIN:
                raise _wrong(f"shows a face that is less than {_FACE_MIN} pixels wide")
            return Embedded(model.embed(bgr, faces[0]), model.space)

    def _loaded(self) -> FaceModel:
        if self._model is None:
            self._model = load(self._folder, [RuleKind.FACE]).faces
        if self._model is None:
            raise Unavailable("no model: face", retry_after=3600)
        return self._model


def _decoded(picture: bytes) -> Image:
    size = size_of(picture)
    if size is None:
        raise _wrong("must be a JPEG or PNG picture")
    if not 0 < size[0] * size[1] <= _PIXELS_MAX:
        raise _wrong(f"must have at most {_PIXELS_MAX // 1_000_000} million pixels")
    try:
        found = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        found = None
    if found is None:
        raise _wrong("cannot be read as a picture")
    return np.asarray(found, np.uint8)


def _wrong(message: str) -> Invalid:
    return Invalid([Problem("picture", message)])
