"""What models tell of a picture. A detector asks these; what stands behind them may be absent.

Pictures are BGR, height × width × 3, as decoded and masked; what comes back lies in fractions of
them. Models keep nothing of what they see, and may be asked from several threads.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Box, Image, Point

#: What tells a face from others: a vector whose distance to another says how alike they are.
Embedding = NDArray[np.float32]


class Found(NamedTuple):
    """A thing of a known class; score 0 to 1."""

    box: Box
    kind: str
    score: float


class Face(NamedTuple):
    """A face, whoever's it is; landmarks are both eyes, the nose and the corners of the mouth."""

    box: Box
    score: float
    landmarks: tuple[Point, ...]


class Plate(NamedTuple):
    """A number plate that was read; corners from the upper left, clockwise; score 0 to 1."""

    text: str
    box: Box
    corners: tuple[Point, Point, Point, Point]
    score: float


class ObjectModel(Protocol):
    """Finds things of the classes in ``classes``."""

    classes: Sequence[str]

    def detect(self, bgr: Image) -> list[Found]:
        """What is in the picture, the surest first."""
        ...


class FaceModel(Protocol):
    """Finds faces, and tells how alike two are.

    Attributes:
        space: names what embeddings are of; those of another space cannot be compared.
    """

    space: str

    def detect(self, bgr: Image) -> list[Face]:
        """The faces in the picture, the surest first."""
        ...

    def embed(self, bgr: Image, face: Face) -> Embedding:
        """What tells this face from others; Euclidean distance, alike below about 0.5."""
        ...


class PlateModel(Protocol):
    """Finds number plates and reads them."""

    def read(self, bgr: Image) -> list[Plate]:
        """The plates in the picture whose text has the form of one, the surest first."""
        ...


class WatchedFace(NamedTuple):
    """A face that is looked for."""

    entry: str
    embedding: Embedding


class FaceList(NamedTuple):
    """A watch list of faces that is in force.

    Attributes:
        space: of its embeddings.
        until: from then on it is not.
    """

    id: str
    space: str
    until: datetime
    faces: Sequence[WatchedFace]


class PlateList(NamedTuple):
    """A watch list of plates that is in force; (entry, pattern) with ``*`` and ``?``."""

    id: str
    until: datetime
    patterns: Sequence[tuple[str, str]]


class Watched(NamedTuple):
    """The watch lists in force that a camera's rules name; all others are not known here."""

    faces: Sequence[FaceList] = ()
    plates: Sequence[PlateList] = ()
