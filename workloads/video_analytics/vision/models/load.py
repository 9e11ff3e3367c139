"""The models of a folder, ready to be asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.models import folder as shelves
from workloads.video_analytics.vision.models.catalogue import (
    EMBEDDING,
    FACES,
    OBJECTS,
    PLATES,
    READING,
)
from workloads.video_analytics.vision.models.ports import FaceModel, ObjectModel, PlateModel


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a process; None where a file is absent or is not the pinned one.

    Attributes:
        objects, faces, plates: see the ports.
    """

    objects: ObjectModel | None = None
    faces: FaceModel | None = None
    plates: PlateModel | None = None

    def missing(self, kinds: Iterable[RuleKind]) -> tuple[str, ...]:
        """What rules of these kinds ask for and is not there: ``no model: plate``."""
        there = {
            RuleKind.OBJECT_CLASS: self.objects,
            RuleKind.FACE: self.faces,
            RuleKind.PLATE: self.plates,
        }
        absent = {kind for kind in kinds if kind in there and there[kind] is None}
        return tuple(f"no model: {kind.value}" for kind in sorted(absent))


#: Nothing is there: what tiers without models look with.
NONE = Models()


def load(folder: Path, kinds: Iterable[RuleKind] = tuple(RuleKind)) -> Models:
    """The models that rules of these kinds need, as far as they are in the folder.

    A file that is not exactly the catalogue's is as if it were not there.
    """
    wanted = set(kinds)
    return Models(
        objects=_objects(folder) if RuleKind.OBJECT_CLASS in wanted else None,
        faces=_faces(folder) if RuleKind.FACE in wanted else None,
        plates=_plates(folder) if RuleKind.PLATE in wanted else None,
    )


# The networks are imported where they are loaded: most processes of the product see no pictures.


def _objects(folder: Path) -> ObjectModel | None:
    content = shelves.content(folder, OBJECTS)
    if content is None:
        return None
    from workloads.video_analytics.vision.models.nanodet import NanoDet  # noqa: PLC0415

    return NanoDet(content)


def _faces(folder: Path) -> FaceModel | None:
    detector, embedding = shelves.content(folder, FACES), shelves.content(folder, EMBEDDING)
    if detector is None or embedding is None:
        return None
    from workloads.video_analytics.vision.models.faces import CenterFace  # noqa: PLC0415

    return CenterFace(detector, embedding)


def _plates(folder: Path) -> PlateModel | None:
    detector, reading = shelves.content(folder, PLATES), shelves.content(folder, READING)
    if detector is None or reading is None:
        return None
    from workloads.video_analytics.vision.models.plates import Plates  # noqa: PLC0415

    return Plates(detector, reading)
