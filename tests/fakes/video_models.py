"""Models that see what a test says; held to the contract in tests/contract/video/test_models.py."""

from collections.abc import Callable, Sequence

import numpy as np

from foundation.kernel.errors import Invalid, Problem
from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.models.classes import CLASSES
from workloads.video_analytics.vision.models.ports import Embedding, Face, Found, Plate
from workloads.video_analytics.watchlists.ports import Embedded


class FakeObjects:
    """Sees ``things``; counts how often it was asked, and keeps the last picture."""

    classes: Sequence[str] = CLASSES

    def __init__(self, *things: Found) -> None:
        self.things = list(things)
        self.asked = 0
        self.picture: Image | None = None

    def detect(self, bgr: Image) -> list[Found]:
        self.asked += 1
        self.picture = bgr
        return sorted(self.things, key=lambda thing: -thing.score)


class FakeFaces:
    """Sees ``faces``; ``who`` gives the embedding of each."""

    space = "fake"

    def __init__(self, *faces: Face, who: Callable[[Face], Embedding] | None = None) -> None:
        self.faces = list(faces)
        self.who = who or (lambda _: person(0))
        self.embedded = 0

    def detect(self, bgr: Image) -> list[Face]:
        del bgr
        return sorted(self.faces, key=lambda face: -face.score)

    def embed(self, bgr: Image, face: Face) -> Embedding:
        del bgr
        self.embedded += 1
        return self.who(face)


class FakePlates:
    """Reads ``plates``."""

    def __init__(self, *plates: Plate) -> None:
        self.plates = list(plates)

    def read(self, bgr: Image) -> list[Plate]:
        del bgr
        return sorted(self.plates, key=lambda plate: -plate.score)


class FakeReader:
    """Reads ``person 3`` as the face of person 3; everything else shows none."""

    def read(self, picture: bytes) -> Embedded:
        word, _, number = picture.partition(b" ")
        if word != b"person":
            raise Invalid([Problem("picture", "shows no face: it must show exactly one")])
        return Embedded(person(int(number)), "fake")


def person(number: int, *, apart: float = 0.0) -> Embedding:
    """The embedding of somebody; ``apart`` is the distance to the same person's usual one."""
    made = np.zeros(128, np.float32)
    made[number] = 1.0
    made[127] = apart
    return made
