"""What a resource uses while it exists: its meters per hour, and its share of quotas.

Pure functions of a graph's node (or of a resource's type and inputs) and the plain facts of its
region. Price estimates, plans and the collector of the embedded region all use them, so that what
was estimated is what is metered. Meters are those of the demonstration's ``meters.yaml``; a meter
that a deployment does not know is simply not priced.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from control_plane.provisioning.graph import Graph, Json, ResourceNode
from control_plane.provisioning.model import MeterQuantity

_HOUR = Decimal(1)
_UNITS = {
    "": Decimal(1),
    "k": Decimal(1000),
    "m": Decimal("0.001"),
    **{name: Decimal(1000) ** n for n, name in enumerate("MGTPE", start=2)},
    **{f"{name}i": Decimal(1024) ** n for n, name in enumerate("KMGTPE", start=1)},
}
_GIB = Decimal(1024) ** 3

Facts = Mapping[str, Json]


def kubernetes_quantity(text: Json) -> Decimal:
    """Return a Kubernetes quantity (``500m``, ``2Gi``) in its base unit.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

    Raises:
        ValueError: The text is no quantity.
    """
    raw = str(text)
    digits = raw.rstrip("kKmMGTPEi")
    unit = raw[len(digits) :]
    if unit not in _UNITS or not digits:
        raise ValueError(f"{raw!r} is not a quantity")
    return Decimal(digits) * _UNITS[unit]


def usage(node: ResourceNode, region: Facts) -> tuple[MeterQuantity, ...]:
    """Return what one resource uses in an hour, ordered by meter; nothing when it is not metered.

    What a workload that meters itself runs on is part of its own price: objects with the label
    ``borough.dev/included``, and containers of object storage with ``Borough-Included`` among their
    metadata, take of quotas and are not charged by themselves.

    Args:
        node: The resource.
        region: Its region's plain facts, as ``RegionAccess.config``.
    """
    if _is_included(node.inputs):
        return ()
    found = _METERS.get(node.type, _nothing)(node.inputs, region)
    return tuple(
        MeterQuantity(node.urn, meter, dimensions, quantity)
        for meter, dimensions, quantity in sorted(found, key=lambda f: f[0])
        if quantity
    )


def _is_included(inputs: "Inputs") -> bool:
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict):
        return False
    labels = metadata.get("labels")
    label = labels.get("borough.dev/included") if isinstance(labels, dict) else None
    return "true" in {label, metadata.get("Borough-Included")}


def usage_of(graph: Graph, region: Facts) -> tuple[MeterQuantity, ...]:
    """Return what all resources of a graph use in an hour, ordered by URN and meter."""
    return tuple(q for node in graph.resources for q in usage(node, region))


def quota(node: ResourceNode, region: Facts) -> dict[str, Decimal]:
    """Return what one resource takes of its organisation's quota, by quota resource."""
    return {
        k: v for k, v in _QUOTAS.get(node.type, _takes_nothing)(node.inputs, region).items() if v
    }


def quota_of(graph: Graph, region: Facts) -> dict[str, Decimal]:
    """Return what a whole graph takes of quotas, without the zeroes."""
    total: dict[str, Decimal] = {}
    for node in graph.resources:
        for name, amount in quota(node, region).items():
            total[name] = total.get(name, Decimal(0)) + amount
    return dict(sorted(total.items()))


Found = list[tuple[str, dict[str, str], Decimal]]
Inputs = Mapping[str, Json]


def _nothing(_inputs: Inputs, _region: Facts) -> Found:
    return []


def _takes_nothing(_inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return {}


def flavor(inputs: Inputs, region: Facts) -> tuple[str, Mapping[str, Any]]:
    """Return the size of a server and that size's facts (``vcpus``, ``ram_gb``, ``disk_gb``).

    A flavor that the region does not list is its own id, of unknown size.
    """
    wanted = inputs.get("flavorId") or inputs.get("flavorName")
    for size, facts in flavors(region).items():
        if wanted in {size, facts.get("id"), facts.get("name")}:
            return size, facts
    return str(wanted), {}


def flavors(region: Facts) -> dict[str, Mapping[str, Any]]:
    """Return the region's sizes of servers by name; it may list them either way."""
    openstack: Any = region.get("openstack") or {}
    listed = openstack.get("flavors") or {}
    if isinstance(listed, Mapping):
        return dict(listed)
    return {str(f["size"]): f for f in listed}


def bare_model(inputs: Inputs, region: Facts) -> tuple[str, Mapping[str, Any]] | None:
    """Return the model of a physical server and what the region has registered of it.

    None when its flavor stands for no model, so that it is a virtual server.
    """
    openstack: Any = region.get("openstack") or {}
    wanted = inputs.get("flavorId") or inputs.get("flavorName")
    for model, facts in (openstack.get("bare_servers") or {}).items():
        if wanted in {facts.get("id"), facts.get("name")}:
            return str(model), facts
    return None


def _server(inputs: Inputs, region: Facts) -> Found:
    bare = bare_model(inputs, region)
    if bare is not None:
        return [("bare_server.hours", {"model": bare[0]}, _HOUR)]
    size, facts = flavor(inputs, region)
    return [
        ("server.instance_hours", {"flavor": size}, _HOUR),
        ("server.vcpu_hours", {}, Decimal(facts.get("vcpus", 0))),
        ("server.ram_gb_hours", {}, Decimal(str(facts.get("ram_gb", 0)))),
    ]


def _server_quota(inputs: Inputs, region: Facts) -> dict[str, Decimal]:
    bare = bare_model(inputs, region)
    facts = flavor(inputs, region)[1] if bare is None else bare[1]
    return {
        "bare_servers": Decimal(0 if bare is None else 1),
        "instances": Decimal(1),
        "vcpus": Decimal(facts.get("vcpus", 0)),
        "ram_gb": Decimal(str(facts.get("ram_gb", 0))),
    }


def _volume(inputs: Inputs, region: Facts) -> Found:
    openstack: Any = region.get("openstack") or {}
    own = inputs.get("volumeType") or openstack.get("volume_type") or "standard"
    kind = _called(openstack.get("volume_types"), own)
    return [("volume.gb_hours", {"type": kind}, Decimal(str(inputs.get("size", 0))))]


def _called(names: Any, own: Json) -> str:  # noqa: ANN401 - JSON
    """Return what the platform calls a kind of storage by the region's own name of it."""
    for ours, theirs in (names or {}).items():
        if theirs == own:
            return str(ours)
    return str(own)


def bounded(inputs: Inputs) -> Decimal:
    """Return the GB that a container may hold: its quota in bytes, in GB of 1024³ as volumes."""
    metadata: Any = inputs.get("metadata") or {}
    return Decimal(str(metadata.get("Quota-Bytes") or 0)) / _GIB


def _container(inputs: Inputs, region: Facts) -> Found:
    openstack: Any = region.get("openstack") or {}
    policies = (openstack.get("object_storage") or {}).get("policies")
    kind = _called(policies, inputs.get("storagePolicy") or "standard")
    return [("object.gb_hours", {"class": kind}, bounded(inputs))]


def _container_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return {"object_gb": bounded(inputs)}


def _volume_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return {"volume_gb": Decimal(str(inputs.get("size", 0)))}


def _floating_ip(_inputs: Inputs, _region: Facts) -> Found:
    return [("floating_ip.hours", {}, _HOUR)]


def _balancer(_inputs: Inputs, _region: Facts) -> Found:
    return [("load_balancer.hours", {}, _HOUR)]


def requested(inputs: Inputs) -> tuple[Decimal, Decimal]:
    """Return processors and GiB of memory that all pods of a workload request together."""
    spec: Any = inputs.get("spec") or {}
    pod = ((spec.get("template") or {}).get("spec")) or {}
    replicas = Decimal(str(spec.get("replicas", 1)))
    cpu = memory = Decimal(0)
    for container in pod.get("containers") or []:
        requests = (container.get("resources") or {}).get("requests") or {}
        cpu += kubernetes_quantity(requests.get("cpu", "0"))
        memory += kubernetes_quantity(requests.get("memory", "0"))
    return cpu * replicas, memory / _GIB * replicas


def _workload(inputs: Inputs, _region: Facts) -> Found:
    cpu, memory = requested(inputs)
    return [
        ("kubernetes.cpu_requested_hours", {}, cpu),
        ("kubernetes.ram_requested_gb_hours", {}, memory),
    ]


def _workload_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    cpu, memory = requested(inputs)
    return {"k8s_cpu": cpu, "k8s_memory_gb": memory}


def claimed(inputs: Inputs) -> Decimal:
    """Return the GiB that a claim of a volume asks for."""
    spec: Any = inputs.get("spec") or {}
    requests = (spec.get("resources") or {}).get("requests") or {}
    return kubernetes_quantity(requests.get("storage", "0")) / _GIB


def _claim(inputs: Inputs, _region: Facts) -> Found:
    spec: Any = inputs.get("spec") or {}
    kind = spec.get("storageClassName") or "standard"
    return [("kubernetes.pvc_gb_hours", {"class": str(kind)}, claimed(inputs))]


def _claim_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return {"volume_gb": claimed(inputs)}


def _is_balanced(inputs: Inputs) -> bool:
    spec: Any = inputs.get("spec") or {}
    return bool(spec.get("type") == "LoadBalancer")


def _service(inputs: Inputs, _region: Facts) -> Found:
    return [("kubernetes.load_balancer_hours", {}, _HOUR)] if _is_balanced(inputs) else []


def _service_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return {"load_balancers": Decimal(1)} if _is_balanced(inputs) else {}


RESERVED = "borough.dev/reserved"
"""The annotation of a namespace's quota that somebody else fills: all of it counts."""


def reserved(inputs: Inputs) -> dict[str, Decimal]:
    """Return what a namespace's quota keeps for it, by quota resource; nothing when unmarked.

    Quotas of namespaces that the platform itself fills bound what is counted one by one.
    """
    metadata: Any = inputs.get("metadata") or {}
    if (metadata.get("annotations") or {}).get(RESERVED) != "true":
        return {}
    spec: Any = inputs.get("spec") or {}
    hard = spec.get("hard") or {}

    def amount(name: str, unit: Decimal = Decimal(1)) -> Decimal:
        return kubernetes_quantity(hard.get(name, "0")) / unit

    return {
        "k8s_cpu": amount("requests.cpu"),
        "k8s_memory_gb": amount("requests.memory", _GIB),
        "volume_gb": amount("requests.storage", _GIB),
        "load_balancers": amount("services.loadbalancers"),
    }


def _reserved_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    return reserved(inputs)


def _reservation(inputs: Inputs, _region: Facts) -> Found:
    kept = reserved(inputs)
    if not kept:
        return []
    return [
        ("kubernetes.cpu_requested_hours", {}, kept["k8s_cpu"]),
        ("kubernetes.ram_requested_gb_hours", {}, kept["k8s_memory_gb"]),
        ("kubernetes.pvc_gb_hours", {"class": "standard"}, kept["volume_gb"]),
    ]


def operated(inputs: Inputs) -> tuple[Decimal, Decimal, Decimal]:
    """Return processors, GiB of memory and GiB of disk of a database that an operator makes."""
    spec: Any = inputs.get("spec") or {}
    instances = Decimal(str(spec.get("instances", 1)))
    requests = (spec.get("resources") or {}).get("requests") or {}
    disk = (spec.get("storage") or {}).get("size", "0")
    each = (
        kubernetes_quantity(requests.get("cpu", "0")),
        kubernetes_quantity(requests.get("memory", "0")) / _GIB,
        kubernetes_quantity(disk) / _GIB,
    )
    return each[0] * instances, each[1] * instances, each[2] * instances


def _operated(inputs: Inputs, _region: Facts) -> Found:
    cpu, memory, disk = operated(inputs)
    spec: Any = inputs.get("spec") or {}
    kind = (spec.get("storage") or {}).get("storageClass") or "standard"
    return [
        ("kubernetes.cpu_requested_hours", {}, cpu),
        ("kubernetes.ram_requested_gb_hours", {}, memory),
        ("kubernetes.pvc_gb_hours", {"class": str(kind)}, disk),
    ]


def _operated_quota(inputs: Inputs, _region: Facts) -> dict[str, Decimal]:
    cpu, memory, disk = operated(inputs)
    return {"k8s_cpu": cpu, "k8s_memory_gb": memory, "volume_gb": disk}


def _one(name: str) -> Callable[[Inputs, Facts], dict[str, Decimal]]:
    return lambda _inputs, _region: {name: Decimal(1)}


SERVER = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
FLOATING_IP = "openstack:networking/floatingIp:FloatingIp"
LOAD_BALANCER = "openstack:loadbalancer/loadBalancer:LoadBalancer"
CONTAINER = "openstack:objectstorage/container:Container"
OPERATED_DATABASE = "kubernetes:postgresql.cnpg.io/v1:Cluster"

_METERS: Mapping[str, Callable[[Inputs, Facts], Found]] = {
    SERVER: _server,
    VOLUME: _volume,
    "openstack:blockstorage/volumeV3:VolumeV3": _volume,
    FLOATING_IP: _floating_ip,
    LOAD_BALANCER: _balancer,
    CONTAINER: _container,
    "kubernetes:apps/v1:Deployment": _workload,
    "kubernetes:apps/v1:StatefulSet": _workload,
    "kubernetes:core/v1:PersistentVolumeClaim": _claim,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:core/v1:ResourceQuota": _reservation,
    OPERATED_DATABASE: _operated,
}

_QUOTAS: Mapping[str, Callable[[Inputs, Facts], dict[str, Decimal]]] = {
    SERVER: _server_quota,
    VOLUME: _volume_quota,
    "openstack:blockstorage/volumeV3:VolumeV3": _volume_quota,
    FLOATING_IP: _one("floating_ips"),
    LOAD_BALANCER: _one("load_balancers"),
    CONTAINER: _container_quota,
    "kubernetes:apps/v1:Deployment": _workload_quota,
    "kubernetes:apps/v1:StatefulSet": _workload_quota,
    "kubernetes:core/v1:PersistentVolumeClaim": _claim_quota,
    "kubernetes:core/v1:Service": _service_quota,
    "kubernetes:core/v1:ResourceQuota": _reserved_quota,
    OPERATED_DATABASE: _operated_quota,
    "kubernetes:core/v1:Namespace": _one("namespaces"),
}
