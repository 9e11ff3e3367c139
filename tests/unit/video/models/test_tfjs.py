"""TensorFlow.js graphs as ONNX: every operator against NumPy, at the graph's size and at others."""

import base64
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from workloads.video_analytics.vision.models.making import residual, tfjs
from workloads.video_analytics.vision.models.making.tfjs import Unsupported, convert, weights

RANDOM = np.random.default_rng(7)


class Document:
    """A graph model under construction; what is constant goes into the weights."""

    def __init__(self, size: int = 8) -> None:
        dims = [{"size": str(n)} for n in (1, 3, size, size)]
        self.nodes: list[dict[str, Any]] = [
            {"name": "x", "op": "Placeholder", "attr": {"shape": {"shape": {"dim": dims}}}}
        ]
        self.entries: list[dict[str, Any]] = []
        self.data = b""

    def const(self, name: str, values: Any, kind: str = "float32") -> str:
        array = np.asarray(values, "<f4" if kind == "float32" else "<i4")
        self.nodes.append({"name": name, "op": "Const"})
        self.entries.append({"name": name, "shape": list(array.shape), "dtype": kind})
        self.data += array.tobytes()
        return name

    def axes(self, name: str, *values: int) -> str:
        return self.const(name, values, "int32")

    def op(self, name: str, op: str, *inputs: str, **attr: Any) -> str:
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attr})
        return name

    def json(self) -> dict[str, Any]:
        return {
            "modelTopology": {"node": self.nodes},
            "weightsManifest": [{"paths": ["w.bin"], "weights": self.entries}],
        }

    def run(self, output: str, picture: np.ndarray, shape: list[Any]) -> np.ndarray:
        made = convert(self.json(), self.data, {output: ("out", shape)})
        session = ort.InferenceSession(made, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(["out"], {"x": picture})[0])


def _numbers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def _word(text: str) -> dict[str, str]:
    return {"s": base64.b64encode(text.encode()).decode()}


def _picture(size: int) -> np.ndarray:
    return RANDOM.normal(size=(1, 3, size, size)).astype(np.float32)


def _convolved(picture: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Channels first, without padding: the definition, cell by cell."""
    height, width, _, out = kernel.shape
    rows = (picture.shape[2] - height) // stride + 1
    columns = (picture.shape[3] - width) // stride + 1
    made = np.zeros((1, out, rows, columns), np.float32)
    for row in range(rows):
        for column in range(columns):
            part = picture[
                0,
                :,
                row * stride : row * stride + height,
                column * stride : column * stride + width,
            ]
            made[0, :, row, column] = np.einsum("chw,hwco->o", part, kernel)
    return made


def _network() -> tuple[Document, np.ndarray, np.ndarray]:
    """Pad, convolve by two, add a bias, LeakyRelu: as graphs that came from ONNX have it."""
    document = Document()
    kernel = RANDOM.normal(size=(3, 3, 3, 4)).astype(np.float32)
    bias = RANDOM.normal(size=4).astype(np.float32)
    document.const("pads", [[0, 0], [0, 0], [1, 1], [1, 1]], "int32")
    document.axes("last", 0, 2, 3, 1)
    document.axes("first", 0, 3, 1, 2)
    document.const("kernel", kernel)
    document.const("bias", bias)
    document.op("padded", "Pad", "x", "pads")
    document.op("nhwc", "Transpose", "padded", "last")
    document.op(
        "conv", "Conv2D", "nhwc", "kernel", strides=_numbers(1, 2, 2, 1),
        dilations=_numbers(1, 1, 1, 1), padding=_word("VALID"),
    )  # fmt: skip
    document.op("sum", "Add", "conv", "bias")
    document.op("nchw", "Transpose", "sum", "first")
    document.op("leaky", "LeakyRelu", "nchw", alpha={"f": 0.1})
    return document, kernel, bias


def _expected(picture: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    padded = np.pad(picture, [(0, 0), (0, 0), (1, 1), (1, 1)])
    made = _convolved(padded, kernel, 2) + bias[:, None, None]
    return np.where(made > 0, made, made * 0.1)


@pytest.mark.parametrize("size", [8, 16, 24])
def test_a_convolution_is_the_one_of_its_definition_at_every_size(size: int) -> None:
    document, kernel, bias = _network()
    picture = _picture(size)
    made = document.run("leaky", picture, [1, 4, "h", "w"])
    np.testing.assert_allclose(made, _expected(picture, kernel, bias), atol=1e-5)


def test_pictures_that_are_asked_for_channels_last_are_given_so() -> None:
    document, kernel, bias = _network()
    picture = _picture(8)
    made = document.run("sum", picture, [1, "h", "w", 4])
    padded = np.pad(picture, [(0, 0), (0, 0), (1, 1), (1, 1)])
    wanted = (_convolved(padded, kernel, 2) + bias[:, None, None]).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(made, wanted, atol=1e-5)


@pytest.mark.parametrize("size", [8, 16])
def test_cells_become_a_list_whatever_their_number(size: int) -> None:
    document, kernel, bias = _network()
    document.op("sigmoid", "Sigmoid", "leaky")
    document.axes("shape", 1, 4, 16)
    document.op("cells", "Reshape", "sigmoid", "shape")
    document.axes("order", 0, 2, 1)
    document.op("list", "Transpose", "cells", "order")
    picture = _picture(size)
    made = document.run("list", picture, [1, "n", 4])
    leaky = _expected(picture, kernel, bias)
    wanted = (1 / (1 + np.exp(-leaky))).reshape(1, 4, -1).transpose(0, 2, 1)
    np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_resizing_pooling_joining_and_splitting() -> None:
    document, kernel, bias = _network()
    document.op("again", "Transpose", "leaky", "last")
    document.axes("size", 8, 8)
    document.op(
        "up", "ResizeBilinear", "again", "size", half_pixel_centers={"b": True},
        align_corners={"b": False},
    )  # fmt: skip
    document.op(
        "pool", "MaxPool", "up", ksize=_numbers(1, 2, 2, 1), strides=_numbers(1, 2, 2, 1),
        padding=_word("VALID"),
    )  # fmt: skip
    document.const("axis", 3, "int32")
    document.op("both", "ConcatV2", "again", "pool", "axis")
    document.axes("parts", 3, 5)
    document.op("split", "SplitV", "both", "parts", "axis")
    picture = _picture(8)
    made = document.run("split:1", picture, [1, "h", "w", 5])
    leaky = _expected(picture, kernel, bias)
    pooled = _doubled(leaky).reshape(1, 4, 4, 2, 4, 2).max(axis=(3, 5))
    wanted = np.concatenate([leaky, pooled], axis=1).transpose(0, 2, 3, 1)[..., 3:]
    np.testing.assert_allclose(made, wanted, atol=1e-5)


def _doubled(picture: np.ndarray) -> np.ndarray:
    """Twice as large, bilinear between the centres of pixels, the edges going on."""
    for axis in (2, 3):
        size = picture.shape[axis]
        at = np.clip((np.arange(2 * size) + 0.5) / 2 - 0.5, 0, size - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, size - 1)
        shape = [-1 if n == axis else 1 for n in range(4)]
        share = (at - low).reshape(shape).astype(np.float32)
        picture = np.take(picture, low, axis) * (1 - share) + np.take(picture, high, axis) * share
    return picture


def test_what_is_constant_is_done_while_converting() -> None:
    document = Document()
    document.const("nowhere", np.zeros((0, 1)), "int32")
    document.axes("length", 3)
    document.const("values", np.zeros(0), "int32")
    document.const("rest", 0, "int32")
    document.op("zeros", "SparseToDense", "nowhere", "length", "values", "rest")
    document.axes("shape", 1, 3, 64)
    document.op("target", "AddV2", "shape", "zeros")
    document.op("out", "Reshape", "x", "target")
    picture = _picture(8)
    made = document.run("out", picture, [1, 3, "n"])
    np.testing.assert_array_equal(made, picture.reshape(1, 3, 64))


def test_the_same_graph_gives_the_same_bytes() -> None:
    document, _, _ = _network()
    outputs = {"leaky": ("out", [1, 4, "h", "w"])}
    first = convert(document.json(), document.data, outputs)
    assert first == convert(document.json(), document.data, outputs)


@pytest.mark.parametrize(
    ("op", "attr", "named"),
    [
        ("Erf", {}, "operator Erf of odd"),
        ("MaxPool", {"padding": _word("SAME"), "ksize": _numbers(1, 2, 2, 1)}, "only VALID"),
        ("ResizeBilinear", {"align_corners": {"b": True}}, "centres of pixels"),
    ],
)
def test_what_is_not_known_is_refused(op: str, attr: dict[str, Any], named: str) -> None:
    document, _, _ = _network()
    document.axes("size", 8, 8)
    document.op("odd", op, "sum", "size", **attr)
    with pytest.raises(Unsupported, match=named):
        convert(document.json(), document.data, {"odd": ("out", [1])})


def test_quantised_weights_are_unpacked() -> None:
    halves = np.array([1.5, -2.25], "<f2")
    bytes_ = np.array([0, 10, 255], "u1")
    manifest = [
        {
            "weights": [
                {"name": "h", "shape": [2], "dtype": "float32",
                 "quantization": {"dtype": "float16"}},
                {"name": "q", "shape": [3, 1], "dtype": "float32",
                 "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
                {"name": "i", "shape": [], "dtype": "int32"},
            ]
        }
    ]  # fmt: skip
    found = weights(manifest, halves.tobytes() + bytes_.tobytes() + np.int32(9).tobytes())
    np.testing.assert_array_equal(found["h"], [1.5, -2.25])
    np.testing.assert_array_equal(found["q"], [[-1.0], [4.0], [126.5]])
    assert found["i"] == 9
    with pytest.raises(ValueError, match="buffer"):
        weights(manifest, b"\0")


def _residual_weights() -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    channels = 3
    for block in ("conv32_down", *residual.BLOCKS):
        out = int("".join(c for c in block.split("_")[0] if c.isdigit()))
        convs = [block] if block == "conv32_down" else [f"{block}/conv1", f"{block}/conv2"]
        for conv in convs:
            side = 7 if block == "conv32_down" else 3
            spread = 1 / np.sqrt(side * side * channels)
            shape = (side, side, channels, out)
            found[f"{conv}/conv/filters"] = RANDOM.normal(0, spread, shape).astype(np.float32)
            for name in ("conv/bias", "scale/biases"):
                found[f"{conv}/{name}"] = RANDOM.normal(0, 0.1, out).astype(np.float32)
            found[f"{conv}/scale/weights"] = RANDOM.uniform(0.5, 1.5, out).astype(np.float32)
            channels = out
    found["fc"] = RANDOM.normal(size=(256, 128)).astype(np.float32)
    return found


def _residual_expected(of: dict[str, np.ndarray], picture: np.ndarray) -> np.ndarray:
    """The network by its definition, layer by layer, with factors and summands apart."""

    def layer(at: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        kernel = of[f"{name}/conv/filters"]
        around = kernel.shape[0] // 2 if stride == 1 else 0
        at = np.pad(at, [(0, 0), (0, 0), (around, around), (around, around)])
        made = _convolved(at, kernel, stride) + of[f"{name}/conv/bias"][:, None, None]
        factor, summand = of[f"{name}/scale/weights"], of[f"{name}/scale/biases"]
        return made * factor[:, None, None] + summand[:, None, None]

    at = np.maximum(layer(picture, "conv32_down", 2), 0)
    side = (at.shape[2] - 3) // 2 + 1
    windows = [at[:, :, i : i + 2 * side - 1 : 2, j : j + 2 * side - 1 : 2]
               for i in range(3) for j in range(3)]  # fmt: skip
    at = np.max(windows, axis=0)
    for block in residual.BLOCKS:
        down = "_down" in block
        inner = np.maximum(layer(at, f"{block}/conv1", 2 if down else 1), 0)
        inner = layer(inner, f"{block}/conv2")
        if down:
            half = at.shape[2] // 2
            at = at[:, :, : 2 * half, : 2 * half]
            at = at.reshape(1, -1, half, 2, half, 2).mean(axis=(3, 5))
            side, more = max(half, inner.shape[2]), inner.shape[1] - at.shape[1]
            inner = _filled(inner, side, 0)
            at = _filled(at, side, more)
        at = np.maximum(inner + at, 0)
    return at.mean(axis=(2, 3)) @ of["fc"]


def _filled(at: np.ndarray, side: int, channels: int) -> np.ndarray:
    lacking = side - at.shape[2]
    return np.pad(at, [(0, 0), (0, channels), (0, lacking), (0, lacking)])


def test_the_face_network_is_the_one_of_its_definition() -> None:
    of = _residual_weights()
    picture = _picture(residual.SIZE)
    session = ort.InferenceSession(residual.build(of), providers=["CPUExecutionProvider"])
    made = np.asarray(session.run(None, {"faces": picture})[0])
    wanted = _residual_expected(of, picture)
    np.testing.assert_allclose(made, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def test_a_list_of_weights_that_lacks_some_is_refused() -> None:
    of = _residual_weights()
    del of["conv64_down/conv2/scale/weights"]
    with pytest.raises(KeyError, match="conv64_down/conv2/scale/weights"):
        residual.build(of)


def test_models_are_read_as_json() -> None:
    assert tfjs.read(b'{"a": [1]}') == {"a": [1]}
