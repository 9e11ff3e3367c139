"""The disks of a graph, whatever cloud they are in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning.graph import Graph, ResourceNode
from control_plane.provisioning.policies.checks.marks import marks_of

_VOLUME = "openstack:blockstorage/volume:Volume"
_SERVER = "openstack:compute/instance:Instance"
_CLAIM = "kubernetes:core/v1:PersistentVolumeClaim"
_STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"


@dataclass(frozen=True, slots=True)
class Disk:
    """One disk that keeps data.

    Attributes:
        resource: logical name of the resource that it is or belongs to.
        type: the cloud's type of volume or storage class; empty for the usual one.
        marks: what it says of itself, by name.
    """

    resource: str
    type: str
    marks: Mapping[str, str]


def disks(graph: Graph) -> Iterator[Disk]:
    """All disks that a program declares."""
    for node in graph.resources:
        if node.type == _VOLUME:
            yield Disk(node.logical_name, _text(node.inputs.get("volumeType")), marks_of(node))
        elif node.type == _SERVER:
            yield from _of_server(node)
        elif node.type == _CLAIM:
            spec = node.inputs.get("spec")
            yield Disk(node.logical_name, _class(spec), marks_of(node))
        elif node.type == _STATEFUL_SET:
            yield from _of_set(node)


def _of_server(node: ResourceNode) -> Iterator[Disk]:
    """Disks that a server is started from; the size's own scratch disk is not among them."""
    for device in _objects(node.inputs.get("blockDevices")):
        if device.get("destinationType") == "volume" and device.get("sourceType") != "volume":
            yield Disk(node.logical_name, _text(device.get("volumeType")), marks_of(node))


def _of_set(node: ResourceNode) -> Iterator[Disk]:
    spec = node.inputs.get("spec")
    if not isinstance(spec, Mapping):
        return
    for template in _objects(spec.get("volumeClaimTemplates")):
        own = ResourceNode(node.urn, node.logical_name, _CLAIM, template)
        yield Disk(
            node.logical_name, _class(template.get("spec")), {**marks_of(node), **marks_of(own)}
        )


def _class(spec: Any) -> str:  # noqa: ANN401 - JSON
    return _text(spec.get("storageClassName")) if isinstance(spec, Mapping) else ""


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return value if isinstance(value, str) else ""


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, Mapping):
            yield item
