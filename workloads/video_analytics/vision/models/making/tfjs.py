"""TensorFlow.js graph models as ONNX, without TensorFlow.

A graph model is a ``GraphDef`` as JSON (``modelTopology.node``, each with ``name``, ``op``,
``input`` and ``attr``) and a manifest of weights that lie one after the other in binary files:
https://github.com/tensorflow/tfjs/tree/master/tfjs-converter#format-conversion-details. Weights
may be quantised: ``float16`` are plain halves, ``uint8`` and ``uint16`` mean ``q · scale + min``.

Constant nodes are folded. TensorFlow's pictures are height × width × channels and ONNX's are
channels first: a value carries whether it is stored swapped, and a transposition between the two
changes the mark alone. The operators are those that the models of the catalogue use; others are
refused, never passed over. The picture's height and width stay open in what is made: multiples
of the largest stride give all that the fixed size gives.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Node = Mapping[str, Any]

OPSET = 13
_IR = 8
_TYPES = {
    "float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "u1", "float16": "<f2", "uint16": "<u2",
}  # fmt: skip
_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_TO_CHANNELS_LAST = [0, 2, 3, 1]
_PICTURE = 4  # axes of a batch of pictures


class Unsupported(ValueError):
    """The graph has something that this converter does not know."""


def weights(manifest: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, Array]:
    """The arrays of a weight manifest by name; values are float32, int32 or bool.

    Args:
        manifest: its groups.
        data: the bytes of the groups' files, one after the other.

    Raises:
        ValueError: the data ends before the manifest does.
    """
    found: dict[str, Array] = {}
    at = 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        packed = entry.get("quantization")
        kind = np.dtype(_TYPES[packed["dtype"] if packed else entry["dtype"]])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        values = np.frombuffer(data, kind, count, at)
        at += count * kind.itemsize
        found[entry["name"]] = _unpacked(values, packed, entry["dtype"]).reshape(entry["shape"])
    return found


def _unpacked(values: Array, packed: Mapping[str, Any] | None, kind: str) -> Array:
    if packed is None:
        return values
    if packed["dtype"] == "float16":
        return values.astype(np.float32)
    scaled = values.astype(np.float32) * np.float32(packed["scale"]) + np.float32(packed["min"])
    return scaled.astype(_TYPES[kind])


class Graph:
    """An ONNX graph under construction; numbered names make the same calls give the same bytes."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._held: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, values: Array) -> str:
        """Put values into the graph; answers their name."""
        self._count += 1
        name = f"c{self._count}"
        self._held.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - ONNX's
        """Add an operator with one output; answers its name."""
        return self.split(op, *inputs, count=1, **attributes)[0]

    def split(self, op: str, *inputs: str, count: int, **attributes: Any) -> list[str]:  # noqa: ANN401
        """Add an operator with several outputs."""
        self._count += 1
        names = [f"t{self._count}_{index}" for index in range(count)]
        self._nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names

    def model(
        self, inputs: Mapping[str, Sequence[Any]], outputs: Mapping[str, tuple[str, Sequence[Any]]]
    ) -> bytes:
        """The model as bytes.

        Args:
            inputs: the shapes of the inputs by name; a text is an open size.
            outputs: by name what is given out, and its shape.
        """
        ends = [
            helper.make_node("Identity", [value], [name]) for name, (value, _) in outputs.items()
        ]
        graph = helper.make_graph(
            self._nodes + ends,
            "borough",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()],
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
                for n, (_, s) in outputs.items()
            ],
            self._held,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR
        )
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


@dataclass(frozen=True, slots=True)
class _Value:
    """What a node gives.

    Attributes:
        shape: as TensorFlow sees it, for the size that the graph names.
        known: the values when they are constant, else None.
        name: in the ONNX graph.
        swapped: it is a picture that is stored channels first though TensorFlow's is channels last.
    """

    shape: tuple[int, ...]
    known: Array | None = None
    name: str = ""
    swapped: bool = False


def convert(
    document: Mapping[str, Any], data: bytes, outputs: Mapping[str, tuple[str, Sequence[Any]]]
) -> bytes:
    """A graph model with one picture as its input, as ONNX.

    Args:
        document: the JSON of the model.
        data: its weights.
        outputs: for each output of the graph the name and shape that it gets.

    Raises:
        Unsupported: an operator, or a use of one, that is not known.
    """
    return _Conversion(document, data).model(outputs)


class _Conversion:
    def __init__(self, document: Mapping[str, Any], data: bytes) -> None:
        self._nodes = {node["name"]: node for node in document["modelTopology"]["node"]}
        self._weights = weights(document["weightsManifest"], data)
        self._graph = Graph()
        self._done: dict[str, list[_Value]] = {}
        self._inputs: dict[str, list[Any]] = {}

    def model(self, outputs: Mapping[str, tuple[str, Sequence[Any]]]) -> bytes:
        made = {
            name: (self._plain(self._value(node)), shape) for node, (name, shape) in outputs.items()
        }
        return self._graph.model(self._inputs, made)

    def _value(self, reference: str) -> _Value:
        """What a node gives; those that it rests on are made first, without recursion."""
        name, _, index = reference.partition(":")
        waiting = [name]
        while waiting:
            node = self._nodes[waiting[-1]]
            open_ = [n for n in map(_node_of, _inputs(node)) if n not in self._done]
            if open_:
                waiting += open_
                continue
            waiting.pop()
            if node["name"] not in self._done:
                self._done[node["name"]] = self._make(node)
        return self._done[name][int(index or 0)]

    def _make(self, node: Node) -> list[_Value]:
        if node["op"] == "Const":
            values = self._weights[node["name"]]
            return [_Value(values.shape, values)]
        if node["op"] == "Placeholder":
            return [self._input(node)]
        inputs = [self._value(reference) for reference in _inputs(node)]
        known = [value.known for value in inputs]
        if inputs and all(values is not None for values in known):
            return [_Value(a.shape, a) for a in _fold(node, [a for a in known if a is not None])]
        maker = self._makers.get(node["op"])
        if maker is None:
            raise Unsupported(f"operator {node['op']} of {node['name']}")
        made = maker(self, node, inputs)
        return made if isinstance(made, list) else [made]

    def _input(self, node: Node) -> _Value:
        shape = [int(dim["size"]) for dim in node["attr"]["shape"]["shape"]["dim"]]
        if len(shape) != _PICTURE or shape[1] not in {1, 3}:
            raise Unsupported("an input that is no picture with its channels first")
        self._inputs[node["name"]] = [1, shape[1], "height", "width"]
        return _Value((1, *shape[1:]), name=node["name"])

    # How a value is stored ------------------------------------------------------------------

    def _plain(self, value: _Value) -> str:
        if value.known is not None:
            return self._graph.constant(value.known)
        if not value.swapped:
            return value.name
        return self._graph.add("Transpose", value.name, perm=_TO_CHANNELS_LAST)

    def _swapped(self, value: _Value) -> str:
        known = value.known
        if known is not None:
            if known.ndim == _PICTURE:
                known = known.transpose(_TO_CHANNELS_FIRST)
            elif known.ndim == 1 and known.size > 1:
                known = known.reshape(-1, 1, 1)
            return self._graph.constant(known)
        if value.swapped:
            return value.name
        return self._graph.add("Transpose", value.name, perm=_TO_CHANNELS_FIRST)

    # Operators ------------------------------------------------------------------------------

    def _identity(self, _node: Node, inputs: list[_Value]) -> _Value:
        return inputs[0]

    def _transpose(self, _node: Node, inputs: list[_Value]) -> _Value:
        value, order = inputs[0], [int(axis) for axis in _known(inputs[1])]
        shape = tuple(value.shape[axis] for axis in order)
        if order == _TO_CHANNELS_LAST and not value.swapped:
            return _Value(shape, name=value.name, swapped=True)
        if order == _TO_CHANNELS_FIRST and value.swapped:
            return _Value(shape, name=value.name)
        return _Value(shape, name=self._graph.add("Transpose", self._plain(value), perm=order))

    def _convolution(self, node: Node, inputs: list[_Value]) -> _Value:
        kernel = _known(inputs[1])  # height, width, channels in, channels out
        strides, dilations = _pair(node, "strides"), _pair(node, "dilations")
        _require_valid(node)
        batch, *size, channels = inputs[0].shape
        spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilations, strict=False)]
        out = [
            (length - span) // stride + 1
            for length, span, stride in zip(size, spans, strides, strict=True)
        ]
        name = self._graph.add(
            "Conv",
            self._swapped(inputs[0]),
            self._graph.constant(kernel.transpose(3, 2, 0, 1)),
            strides=strides,
            dilations=dilations,
            group=channels // kernel.shape[2],
            kernel_shape=list(kernel.shape[:2]),
        )
        return _Value((batch, *out, kernel.shape[3]), name=name, swapped=True)

    def _pool(self, node: Node, inputs: list[_Value]) -> _Value:
        kernel, strides = _pair(node, "ksize"), _pair(node, "strides")
        _require_valid(node)
        batch, *size, channels = inputs[0].shape
        out = [(n - k) // s + 1 for n, k, s in zip(size, kernel, strides, strict=True)]
        name = self._graph.add(
            "MaxPool", self._swapped(inputs[0]), kernel_shape=kernel, strides=strides
        )
        return _Value((batch, *out, channels), name=name, swapped=True)

    def _pad(self, node: Node, inputs: list[_Value]) -> _Value:
        value, pads = inputs[0], _known(inputs[1]).astype(np.int64)
        filled = _known(inputs[2]) if node["op"] == "PadV2" else np.float32(0)
        shape = tuple(n + int(a) + int(b) for n, (a, b) in zip(value.shape, pads, strict=True))
        stored = pads[_TO_CHANNELS_FIRST] if value.swapped else pads
        name = self._graph.add(
            "Pad",
            value.name,
            self._graph.constant(stored.T.reshape(-1)),
            self._graph.constant(np.asarray(filled, np.float32)),
        )
        return _Value(shape, name=name, swapped=value.swapped)

    def _add(self, _node: Node, inputs: list[_Value]) -> _Value:
        shape = np.broadcast_shapes(*(value.shape for value in inputs))
        swapped = len(shape) == _PICTURE and any(value.swapped for value in inputs)
        stored = self._swapped if swapped else self._plain
        name = self._graph.add("Add", *(stored(value) for value in inputs))
        return _Value(shape, name=name, swapped=swapped)

    def _leaky(self, node: Node, inputs: list[_Value]) -> _Value:
        value = inputs[0]
        name = self._graph.add("LeakyRelu", value.name, alpha=float(node["attr"]["alpha"]["f"]))
        return _Value(value.shape, name=name, swapped=value.swapped)

    def _sigmoid(self, _node: Node, inputs: list[_Value]) -> _Value:
        value = inputs[0]
        name = self._graph.add("Sigmoid", value.name)
        return _Value(value.shape, name=name, swapped=value.swapped)

    def _concatenate(self, _node: Node, inputs: list[_Value]) -> _Value:
        *parts, last = inputs
        axis = int(_known(last)) % len(parts[0].shape)
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        swapped = len(shape) == _PICTURE and any(part.swapped for part in parts)
        stored = self._swapped if swapped else self._plain
        where = _TO_CHANNELS_FIRST.index(axis) if swapped else axis
        name = self._graph.add("Concat", *(stored(part) for part in parts), axis=where)
        return _Value(tuple(shape), name=name, swapped=swapped)

    def _resize(self, node: Node, inputs: list[_Value]) -> _Value:
        attributes = node["attr"]
        if not attributes.get("half_pixel_centers", {}).get("b"):
            raise Unsupported("a resize that is not by the centres of pixels")
        batch, *size, channels = inputs[0].shape
        out = [int(length) for length in _known(inputs[1])]
        scales = np.array([1, 1, *(b / a for a, b in zip(size, out, strict=True))], np.float32)
        name = self._graph.add(
            "Resize",
            self._swapped(inputs[0]),
            "",
            self._graph.constant(scales),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        return _Value((batch, *out, channels), name=name, swapped=True)

    def _split(self, _node: Node, inputs: list[_Value]) -> list[_Value]:
        value, sizes = inputs[0], _known(inputs[1]).astype(np.int64)
        axis = int(_known(inputs[2])) % len(value.shape)
        names = self._graph.split(
            "Split", self._plain(value), self._graph.constant(sizes), count=len(sizes), axis=axis
        )
        shapes = [(*value.shape[:axis], int(n), *value.shape[axis + 1 :]) for n in sizes]
        return [_Value(shape, name=name) for shape, name in zip(shapes, names, strict=True)]

    def _reshape(self, _node: Node, inputs: list[_Value]) -> _Value:
        """Leading axes that stay are left as they are, and one other takes what there is."""
        value, shape = inputs[0], [int(n) for n in _known(inputs[1])]
        kept = next(
            (i for i, (a, b) in enumerate(zip(value.shape, shape, strict=False)) if a != b),
            len(shape),
        )
        if len(shape) - kept > 1:
            raise Unsupported(f"a reshape of {value.shape} into {shape}")
        wanted = np.array([*[0] * kept, *[-1] * (len(shape) - kept)], np.int64)
        name = self._graph.add("Reshape", self._plain(value), self._graph.constant(wanted))
        return _Value(tuple(shape), name=name)

    _makers: ClassVar[
        Mapping[str, Callable[["_Conversion", Node, list[_Value]], _Value | list[_Value]]]
    ] = {
        "Add": _add, "AddV2": _add, "ConcatV2": _concatenate, "Conv2D": _convolution,
        "Identity": _identity, "LeakyRelu": _leaky, "MaxPool": _pool, "Pad": _pad, "PadV2": _pad,
        "Reshape": _reshape, "ResizeBilinear": _resize, "Sigmoid": _sigmoid, "SplitV": _split,
        "Transpose": _transpose,
    }  # fmt: skip


def _inputs(node: Node) -> list[str]:
    """What it computes with; a ``^`` marks what must merely have happened before."""
    return [name for name in node.get("input", []) if not name.startswith("^")]


def _node_of(reference: str) -> str:
    return reference.partition(":")[0]


def _known(value: _Value) -> Array:
    if value.known is None:
        raise Unsupported("a size or an axis that depends on the picture")
    return value.known


def _pair(node: Node, name: str) -> list[int]:
    """Height and width of an attribute of four numbers, batch and channels being 1."""
    found = [int(n) for n in node["attr"].get(name, {}).get("list", {}).get("i", [1, 1, 1, 1])]
    return found[1:3]


def _require_valid(node: Node) -> None:
    if base64.b64decode(node["attr"]["padding"]["s"]) != b"VALID":
        raise Unsupported(f"padding of {node['name']}: only VALID is independent of the size")


def _fold(node: Node, values: list[Array]) -> list[Array]:
    """A node of constants, done now."""
    done = _FOLDS.get(node["op"])
    if done is None:
        raise Unsupported(f"operator {node['op']} of constants")
    return done(*values)


def _dense(places: Array, shape: Array, values: Array, rest: Array) -> Array:
    made = np.full(shape.astype(int), rest, values.dtype)
    if places.size:
        made[tuple(places.reshape(-1, len(shape)).T)] = values
    return made


_FOLDS: Mapping[str, Callable[..., list[Array]]] = {
    "Add": lambda a, b: [a + b],
    "AddV2": lambda a, b: [a + b],
    "ConcatV2": lambda *given: [np.concatenate(given[:-1], axis=int(given[-1]))],
    "Identity": lambda a: [a],
    "Reshape": lambda a, shape: [a.reshape(shape)],
    "SparseToDense": lambda *given: [_dense(*given)],
    "SplitV": lambda a, sizes, axis: list(np.split(a, np.cumsum(sizes)[:-1], int(axis))),
    "Transpose": lambda a, order: [a.transpose(order)],
}


def read(text: bytes) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a model or of a manifest."""
    return json.loads(text)
