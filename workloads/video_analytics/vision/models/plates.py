"""Number plates of mainland China: a detector with four corners, and PP-OCR's reading.

The detector is of RetinaFace's kind (https://arxiv.org/abs/1905.00641): for two boxes at each cell
of three grids it gives whether there is a plate, and how box and corners lie to it, in shares of a
tenth of the box's size. The plate is straightened from the frame itself, not from the scaled
picture: what is small there cannot be read. The reading gives a character or none for each of its
columns, the same ones in a row being one (CTC, https://doi.org/10.1145/1143844.1143891).
"""

import re
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.models import pictures
from workloads.video_analytics.vision.models.ports import Plate

_SIDE = 768
_MEAN = np.array([104, 117, 123], np.float32)
_GRIDS = ((8, (24, 48)), (16, (96, 192)), (32, (384, 768)))  # stride, sides of boxes, pixels
_CENTRE, _SIZE = 0.1, 0.2
_LEAST = 0.6
_OVERLAP = 0.4
_STRAIGHT = (168, 48)  # width, height of what is read
_SMALLEST = 16.0  # pixels of a plate's width in the frame; below nothing can be read

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_LETTER = "A-HJ-NP-Z"  # I and O are not given out
#: GA 36-2018: province, authority, and five characters (six for new energy); the last may tell a
#: trailer, a learner, the police, or who may go to Hong Kong and Macau. Plates of embassies and of
#: the armed forces have other forms and are not read.
_FORM = re.compile(f"[{_PROVINCES}][{_LETTER}][{_LETTER}0-9]{{4,5}}[{_LETTER}0-9挂学警港澳]")


class Plates:
    """Implements ``PlateModel``.

    Args:
        detector, reading: the model files.
        side: pixels of the longer side that the detector sees.
    """

    def __init__(self, detector: bytes, reading: bytes, *, side: int = _SIDE) -> None:
        self._detector = pictures.session(detector)
        self._reading = pictures.session(reading)
        kept = self._reading.get_modelmeta().custom_metadata_map["character"]
        self._characters = ["", *kept.splitlines(), " "]
        self._side = side

    def read(self, bgr: Image) -> list[Plate]:
        """The plates in the picture whose text has the form of one, the surest first."""
        found = []
        for corners in self._find(bgr):
            text, score = self._text(_straightened(bgr, corners))
            if has_form(text):
                points = pictures.points_of(corners, 1.0, bgr)
                low, high = corners.min(axis=0), corners.max(axis=0)
                box = pictures.box_of(np.concatenate([low, high]), 1.0, bgr)
                found.append(Plate(text, box, (points[0], points[1], points[2], points[3]), score))
        return sorted(found, key=lambda plate: -plate.score)

    def _find(self, bgr: Image) -> list[NDArray[np.float32]]:
        """The corners of each plate in pixels of the frame, from the upper left, clockwise."""
        seen, scale = pictures.fit(bgr, self._side, _MEAN.tolist())
        tensor = pictures.channels_first(seen.astype(np.float32) - _MEAN)
        places, scores, corners = (
            output[0] for output in pictures.run(self._detector, ("loc", "conf", "landms"), tensor)
        )
        sure = np.flatnonzero(scores[:, 1] >= _LEAST)
        priors = _priors(seen.shape[0], seen.shape[1])[sure]
        centre = priors[:, :2] + places[sure, :2] * _CENTRE * priors[:, 2:]
        size = priors[:, 2:] * np.exp(places[sure, 2:] * _SIZE)
        boxes = np.hstack([centre - size / 2, centre + size / 2])
        points = corners[sure].reshape(-1, 4, 2) * _CENTRE
        points = priors[:, None, :2] + points * priors[:, None, 2:]
        kept = pictures.distinct(boxes, scores[sure, 1], None, _OVERLAP)
        found = [_ordered(points[index] / scale) for index in kept]
        return [each for each in found if np.ptp(each[:, 0]) >= _SMALLEST]

    def _text(self, plate: Image) -> tuple[str, float]:
        """What stands on a straightened plate, and how sure each character is in the mean."""
        tensor = pictures.channels_first((plate.astype(np.float32) / 255 - 0.5) / 0.5)
        columns = pictures.run(self._reading, (self._reading.get_outputs()[0].name,), tensor)[0][0]
        best = columns.argmax(axis=1)
        new = np.flatnonzero((best != 0) & (best != np.concatenate([[0], best[:-1]])))
        marks = [(self._characters[best[i]], float(columns[i, best[i]])) for i in new]
        marks = [(mark, sure) for mark, sure in marks if mark not in {" ", "·", "•", ".", "-"}]
        if not marks:
            return "", 0.0
        return "".join(mark for mark, _ in marks).upper(), min(1.0, _mean([s for _, s in marks]))


def has_form(text: str) -> bool:
    """Whether a text has the form of a plate of mainland China."""
    return _FORM.fullmatch(text) is not None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _priors(height: int, width: int) -> NDArray[np.float32]:
    """The boxes that the detector's answers are relative to: centre x, y and sides, in pixels."""
    made = []
    for stride, sides in _GRIDS:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        centres = (np.stack([columns, rows], axis=-1).reshape(-1, 1, 2) + 0.5) * stride
        centres = np.repeat(centres, len(sides), axis=1)
        lengths = np.broadcast_to(np.array(sides)[None, :, None], (*centres.shape[:2], 2))
        made.append(np.concatenate([centres, lengths], axis=2).reshape(-1, 4))
    return np.vstack(made).astype(np.float32)


def _ordered(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Four corners from the upper left, clockwise, whatever order they come in."""
    total, difference = points.sum(axis=1), points[:, 0] - points[:, 1]
    order = [total.argmin(), difference.argmax(), total.argmax(), difference.argmin()]
    return points[order].astype(np.float32)


def _straightened(bgr: Image, corners: NDArray[np.float32]) -> Image:
    width, height = _STRAIGHT
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    way = cv2.getPerspectiveTransform(corners, target)
    made = cv2.warpPerspective(
        bgr, way, _STRAIGHT, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(made, np.uint8)
