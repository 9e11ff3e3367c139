"""Faces: CenterFace finds them (https://arxiv.org/abs/1911.03599), dlib's network tells them apart.

CenterFace gives a map of centres at a quarter of the picture's size, and for each centre the box's
size as a power of e, what the centre lies beside its cell, and five landmarks as shares of the
box. By the landmarks the face is brought to where dlib's network expects it (``get_face_chip`` with
a padding of a quarter): embeddings of one person then lie closer than about 0.5.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.models import pictures
from workloads.video_analytics.vision.models.catalogue import EMBEDDING
from workloads.video_analytics.vision.models.ports import Embedding, Face

_SIDE = 640
_STRIDE = 4
_LEAST = 0.4
_OVERLAP = 0.3
_OUTPUTS = ("537", "538", "539", "540")  # centres, sizes, offsets, landmarks: the file's own names
_FACE = 150  # pixels
_PADDING = 0.25  # around the mean face, in shares of it
#: Where dlib's mean face has the middles of the eyes, the tip of the nose and the corners of the
#: mouth; the network learnt from faces that were brought there.
_MARKS = np.array(
    [[0.2255, 0.216], [0.7546, 0.216], [0.490, 0.5156], [0.254, 0.780], [0.726, 0.780]]
)
_MEAN = np.array([122.782, 117.001, 104.298], np.float32)  # RGB
_SPREAD = 256.0


class CenterFace:
    """Implements ``FaceModel``.

    Args:
        detector, embedding: the model files.
        side: pixels of the longer side that the detector sees.
    """

    space = f"dlib-resnet-v1:{EMBEDDING.sha256[:16]}"

    def __init__(self, detector: bytes, embedding: bytes, *, side: int = _SIDE) -> None:
        self._detector = pictures.session(detector)
        self._embedding = pictures.session(embedding)
        self._side = side

    def detect(self, bgr: Image) -> list[Face]:
        """The faces in the picture, the surest first."""
        seen, scale = pictures.fit(bgr, self._side, (0, 0, 0))
        tensor = pictures.channels_first(seen[:, :, ::-1])
        heat, sizes, offsets, marks = (
            output[0] for output in pictures.run(self._detector, _OUTPUTS, tensor)
        )
        rows, columns = np.nonzero(heat[0] >= _LEAST)
        scores = heat[0, rows, columns]
        size = np.exp(sizes[::-1, rows, columns].T) * _STRIDE  # width, height
        beside = offsets[::-1, rows, columns].T
        centre = (np.stack([columns, rows], axis=1) + beside + 0.5) * _STRIDE
        corners = np.hstack([centre - size / 2, centre + size / 2])
        points = marks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
        points = points * size[:, None] + corners[:, None, :2]
        return [
            Face(
                pictures.box_of(corners[i], scale, bgr),
                float(min(1.0, scores[i])),
                pictures.points_of(points[i], scale, bgr),
            )
            for i in pictures.distinct(corners, scores, None, _OVERLAP)
        ]

    def embed(self, bgr: Image, face: Face) -> Embedding:
        """What tells this face from others; alike below a distance of about 0.5."""
        chip = _chip(bgr, face)[:, :, ::-1].astype(np.float32)
        tensor = pictures.channels_first((chip - _MEAN) / _SPREAD)
        return np.asarray(pictures.run(self._embedding, ("embedding",), tensor)[0][0])


def _chip(bgr: Image, face: Face) -> Image:
    """The face straightened as those were that the network learnt from."""
    height, width = bgr.shape[:2]
    marks = np.array([(mark.x * width, mark.y * height) for mark in face.landmarks])
    move = _similarity(marks, (_MARKS + _PADDING) / (1 + 2 * _PADDING) * _FACE)
    scale = float(np.hypot(move[0, 0], move[1, 0]))
    if scale < 1:  # warping takes single pixels: smooth first, or fine lines turn to noise
        bgr, move = _around(bgr, marks, move)
        bgr = np.asarray(cv2.GaussianBlur(bgr, (0, 0), 0.4 / scale), np.uint8)
    made = cv2.warpAffine(
        bgr, move, (_FACE, _FACE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(made, np.uint8)


def _around(
    bgr: Image, marks: NDArray[np.float64], move: NDArray[np.float64]
) -> tuple[Image, NDArray[np.float64]]:
    """The part of the frame that the face can lie in, and the way from there."""
    low, high = marks.min(axis=0), marks.max(axis=0)
    beyond = 2 * float(np.max(high - low)) + 2
    height, width = bgr.shape[:2]
    left, top = np.clip(low - beyond, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(high + beyond, 1, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return bgr, move
    moved = move.copy()
    moved[:, 2] += move[:, :2] @ (left, top)
    return bgr[top:bottom, left:right], moved


def _similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turning, scaling and moving that brings points nearest to others (least squares).

    With z = x + iy it is z → a·z + b, of which a is the points' covariance over their variance.
    """
    z = source[:, 0] + 1j * source[:, 1]
    w = target[:, 0] + 1j * target[:, 1]
    flat = z - z.mean()
    spread = float(np.vdot(flat, flat).real)
    a = np.vdot(flat, w - w.mean()) / spread if spread else 1 + 0j
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
