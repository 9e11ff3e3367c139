"""dlib's face embedding, a residual network of 29 layers, built as ONNX from its weights alone.

The weights come as a manifest without a graph; the names say where each belongs
(``conv64_down/conv1/conv/filters``). The network is that of dlib's ``dnn_face_recognition_ex``:
http://dlib.net/dnn_face_recognition_ex.cpp.html. Where a block halves the picture, its shortcut is
a 2 × 2 mean; where it adds channels, the shortcut's are filled up with zeros; where the halves
differ by a pixel, the shorter one is filled up with zeros to the right and below.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.models.making.tfjs import Graph

Array = NDArray[np.float32]

SIZE = 150  # width and height of a face, pixels
VALUES = 128  # of an embedding
_FIRST = "conv32_down"
BLOCKS = (
    "conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3",
    "conv128_down", "conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2",
    "conv256_down_out",
)  # fmt: skip


def build(weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The network: ``faces`` [n, 3, 150, 150] prepared to ``embedding`` [n, 128].

    Raises:
        KeyError: a weight is missing.
    """
    return _Network(weights).model()


class _Network:
    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = weights
        self._graph = Graph()

    def model(self) -> bytes:
        graph = self._graph
        at = graph.add("Relu", self._layer("faces", _FIRST, stride=2))
        size, channels = (SIZE - 7) // 2 + 1, self._channels(_FIRST)
        at = graph.add("MaxPool", at, kernel_shape=[3, 3], strides=[2, 2])
        size = (size - 3) // 2 + 1
        for block in BLOCKS:
            if "_down" in block:
                at, size = self._halving(at, block, size, channels)
            else:
                at = self._keeping(at, block)
            channels = self._channels(f"{block}/conv2")
        at = graph.add("ReduceMean", at, axes=[2, 3], keepdims=0)
        at = graph.add("MatMul", at, graph.constant(self._weights["fc"]))
        shape: list[Any] = ["faces", 3, SIZE, SIZE]
        return graph.model({"faces": shape}, {"embedding": (at, ["faces", VALUES])})

    def _channels(self, layer: str) -> int:
        return int(self._weights[f"{layer}/conv/filters"].shape[3])

    def _layer(self, at: str, name: str, *, stride: int = 1) -> str:
        """A convolution, and a factor and a summand for each channel, which it takes in."""
        of = self._weights
        factor, summand = of[f"{name}/scale/weights"], of[f"{name}/scale/biases"]
        filters = of[f"{name}/conv/filters"].transpose(3, 2, 0, 1) * factor.reshape(-1, 1, 1, 1)
        bias = of[f"{name}/conv/bias"] * factor + summand
        side = filters.shape[2]
        around = [side // 2] * 4 if stride == 1 else [0] * 4
        return self._graph.add(
            "Conv", at, self._graph.constant(filters), self._graph.constant(bias),
            kernel_shape=[side, side], strides=[stride, stride], pads=around,
        )  # fmt: skip

    def _keeping(self, at: str, block: str) -> str:
        inner = self._graph.add("Relu", self._layer(at, f"{block}/conv1"))
        inner = self._layer(inner, f"{block}/conv2")
        return self._graph.add("Relu", self._graph.add("Add", inner, at))

    def _halving(self, at: str, block: str, size: int, channels: int) -> tuple[str, int]:
        graph = self._graph
        inner = graph.add("Relu", self._layer(at, f"{block}/conv1", stride=2))
        inner = self._layer(inner, f"{block}/conv2")
        inner_size, short_size = (size - 3) // 2 + 1, size // 2
        short = graph.add("AveragePool", at, kernel_shape=[2, 2], strides=[2, 2])
        side = max(inner_size, short_size)
        added = self._channels(f"{block}/conv2") - channels
        inner = self._filled(inner, 0, side - inner_size)
        short = self._filled(short, added, side - short_size)
        return graph.add("Relu", graph.add("Add", inner, short)), side

    def _filled(self, at: str, channels: int, pixels: int) -> str:
        """Zeros after the last channels, to the right and below."""
        if not channels and not pixels:
            return at
        pads = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], np.int64)
        return self._graph.add("Pad", at, self._graph.constant(pads))
