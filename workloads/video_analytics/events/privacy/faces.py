"""Where faces are in a picture, by the optional model of the folder."""

import threading
from collections.abc import Sequence
from pathlib import Path

from workloads.video_analytics.vision.model import Box, Image, RuleKind
from workloads.video_analytics.vision.models.load import load
from workloads.video_analytics.vision.models.ports import FaceModel
from workloads.video_analytics.vision.models.presence import FolderModels


class FolderFaces:
    """Implements ``pictures.Faces``; a model that is fetched later is used from then on.

    Args:
        folder: of the models.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._present = FolderModels(folder)
        self._lock = threading.Lock()
        self._model: FaceModel | None = None

    def find(self, image: Image) -> Sequence[Box] | None:
        """Where faces are; None without a model."""
        with self._lock:
            if self._model is None and self._present.present("faces"):
                self._model = load(self._folder, [RuleKind.FACE]).faces
            if self._model is None:
                return None
            return [face.box for face in self._model.detect(image)]
