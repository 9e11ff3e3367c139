"""How each file of the catalogue is made of what its package holds; the same bytes every time."""

from collections.abc import Callable, Mapping, Sequence

import onnx

from workloads.video_analytics.vision.models.catalogue import Making
from workloads.video_analytics.vision.models.making import residual, tfjs

_STRIDES = (8, 16, 32)
_CLASSES = 80
_SIDES = 44  # four sides, eleven bins each


def make(making: Making, parts: Sequence[bytes]) -> bytes:
    """A model file.

    Args:
        making: how.
        parts: what the members hold, in the catalogue's order.

    Raises:
        ValueError: the parts are not what they should be.
    """
    return _RECIPES[making](parts)


def _copy(parts: Sequence[bytes]) -> bytes:
    return parts[0]


def _face_detector(parts: Sequence[bytes]) -> bytes:
    """The file fixes its input at 10 × 3 × 32 × 32 though the network takes any size; set free.

    It also names its weights as inputs, which keeps the runtime from folding them, and holds some
    that nothing uses.
    """
    model = onnx.load_from_string(parts[0])
    used = {name for node in model.graph.node for name in node.input}
    weights = [tensor for tensor in model.graph.initializer if tensor.name in used]
    names = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    del model.graph.initializer[:], model.graph.input[:]
    model.graph.initializer.extend(weights)
    model.graph.input.extend(inputs)
    for value, stride in [(v, 1) for v in model.graph.input] + [(v, 4) for v in model.graph.output]:
        batch, _, height, width = value.type.tensor_type.shape.dim
        ending = "" if stride == 1 else f"_{stride}"
        batch.dim_param, height.dim_param, width.dim_param = "n", f"h{ending}", f"w{ending}"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString(deterministic=True))


def _object_detector(parts: Sequence[bytes]) -> bytes:
    graph, data = parts
    outputs: Mapping[str, tuple[str, Sequence[object]]] = {
        **{
            node: (f"scores_{stride}", [1, f"cells_{stride}", _CLASSES])
            for node, stride in zip(("Identity", "Identity_1", "Identity_2"), _STRIDES, strict=True)
        },
        **{
            node: (f"sides_{stride}", [1, f"cells_{stride}", _SIDES])
            for node, stride in zip(
                ("Identity_3", "Identity_4", "Identity_5"), _STRIDES, strict=True
            )
        },
    }
    return tfjs.convert(tfjs.read(graph), data, outputs)


def _face_embedding(parts: Sequence[bytes]) -> bytes:
    manifest, data = parts
    return residual.build(tfjs.weights(tfjs.read(manifest), data))


_RECIPES: Mapping[Making, Callable[[Sequence[bytes]], bytes]] = {
    "copy": _copy,
    "face_detector": _face_detector,
    "object_detector": _object_detector,
    "face_embedding": _face_embedding,
}
