"""Policies: functions over a program's resource graph, and the pack that every plan is held to.

A mandatory finding keeps a plan from being approved; an advisory one is put before the approver.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from control_plane.kernel.text import Text
from control_plane.provisioning.graph import Graph, Json, ResourceNode, is_secret
from control_plane.provisioning.model import Finding, Severity


@dataclass(frozen=True, slots=True)
class Subject:
    """What policies look at.

    Attributes:
        graph: the resources that the program declares.
        deployment_id: which every resource must carry.
        data_class: of the tenancy; empty where there is none (a blueprint's samples).
        region_data_classes: what may be kept in the region; empty likewise.
        blueprint_data_classes: what the blueprint may carry.
    """

    graph: Graph
    deployment_id: str
    data_class: str
    region_data_classes: frozenset[str]
    blueprint_data_classes: frozenset[str]


Policy = Callable[[Subject], Iterator[Finding]]

_ANYWHERE = {"0.0.0.0/0", "::/0"}
#: Ways in for administrators and databases; from the whole internet they are an open door.
_GUARDED_PORTS = {
    22: "SSH", 23: "Telnet", 445: "SMB", 1433: "SQL Server", 1521: "Oracle", 2379: "etcd",
    3306: "MySQL", 3389: "RDP", 5432: "PostgreSQL", 5900: "VNC", 6379: "Redis", 6443: "Kubernetes",
    9200: "Elasticsearch", 11211: "memcached", 27017: "MongoDB",
}  # fmt: skip
#: Resources that clouds let carry a tag, metadata, label or description.
_MARKED = {
    "openstack:compute/instance:Instance",
    "openstack:blockstorage/volume:Volume",
    "openstack:networking/network:Network",
    "openstack:networking/subnet:Subnet",
    "openstack:networking/router:Router",
    "openstack:networking/floatingIp:FloatingIp",
    "openstack:networking/secGroup:SecGroup",
    "openstack:loadbalancer/loadBalancer:LoadBalancer",
    "openstack:identity/project:Project",
}


def evaluate(subject: Subject) -> tuple[Finding, ...]:
    """What all policies say, mandatory findings first, in a stable order."""
    found = {f for policy in PACK for f in policy(subject)}
    return tuple(sorted(found, key=lambda f: (f.severity != "mandatory", f.policy, f.subject)))


def data_class(subject: Subject) -> Iterator[Finding]:
    """Data of a class stay where that class may be kept."""
    wanted = subject.data_class
    if not wanted:
        return
    if wanted not in subject.region_data_classes:
        yield Finding(
            "residency.region", Severity.MANDATORY, "",
            Text(f"The region may not keep {wanted} data.",
                 f"该资源区不允许存放 {wanted} 级数据。"),
        )  # fmt: skip
    if wanted not in subject.blueprint_data_classes:
        yield Finding(
            "residency.blueprint", Severity.MANDATORY, "",
            Text(f"The blueprint may not carry {wanted} data.",
                 f"该蓝图不允许承载 {wanted} 级数据。"),
        )  # fmt: skip


def exposure(subject: Subject) -> Iterator[Finding]:
    """What the internet reaches is looked at; guarded ports are never open to all of it."""
    for node in subject.graph.resources:
        for low, high in _open_ports(node):
            guarded = [name for port, name in _GUARDED_PORTS.items() if low <= port <= high]
            if guarded:
                names = ", ".join(guarded)
                yield Finding(
                    "network.guarded_port", Severity.MANDATORY, node.logical_name,
                    Text(f"Opens {names} to the whole internet.", f"向整个互联网开放了 {names}。"),
                )  # fmt: skip
            else:
                ports = str(low) if low == high else f"{low}–{high}"
                yield Finding(
                    "network.public_exposure", Severity.ADVISORY, node.logical_name,
                    Text(f"Port {ports} can be reached from the whole internet.",
                         f"整个互联网均可访问端口 {ports}。"),
                )  # fmt: skip
        if _is_public_address(node):
            yield Finding(
                "network.public_address", Severity.ADVISORY, node.logical_name,
                Text("Takes a public address.", "占用一个公网地址。"),
            )  # fmt: skip


def marks(subject: Subject) -> Iterator[Finding]:
    """Every resource that can say whose it is does so, or an orphan could never be found."""
    for node in subject.graph.resources:
        kubernetes = node.kind == "kubernetes"
        where: Any = node.inputs.get("metadata") if kubernetes else node.inputs
        if not (kubernetes or node.type in _MARKED):
            continue
        if not _mentions(where, subject.deployment_id):
            yield Finding(
                "tags.deployment", Severity.MANDATORY, node.logical_name,
                Text("Does not carry the deployment's id as tag, label, metadata or description.",
                     "未通过标签、元数据或描述携带部署编号。"),
            )  # fmt: skip


def plain_secrets(subject: Subject) -> Iterator[Finding]:
    """What goes into a Kubernetes Secret is a secret to the platform as well."""
    for node in subject.graph.resources:
        if node.type != "kubernetes:core/v1:Secret":
            continue
        for part in ("data", "stringData"):
            values = node.inputs.get(part)
            if isinstance(values, Mapping) and any(_is_plain(v) for v in values.values()):
                yield Finding(
                    "secrets.plain", Severity.MANDATORY, node.logical_name,
                    Text("Holds a value that the program does not mark as secret.",
                         "包含程序未标记为机密的值。"),
                )  # fmt: skip


def workload_rights(subject: Subject) -> Iterator[Finding]:
    """Containers get no rights on their node."""
    for node in subject.graph.resources:
        if node.kind == "kubernetes" and _asks_for_node(node.inputs):
            yield Finding(
                "workload.node_access", Severity.MANDATORY, node.logical_name,
                Text("Asks for rights on the node (privileged, host network, process or path).",
                     "要求节点权限（特权、主机网络、进程或路径）。"),
            )  # fmt: skip


PACK: tuple[Policy, ...] = (data_class, exposure, marks, plain_secrets, workload_rights)
"""The policies that every plan and every published sample is held to."""


def _port(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value else default


_ALL_PORTS = (1, 65535)


def _open_ports(node: ResourceNode) -> Iterator[tuple[int, int]]:
    """Port ranges of this resource that the whole internet may reach."""
    inputs = node.inputs
    if node.type == "openstack:networking/secGroupRule:SecGroupRule":
        inward = inputs.get("direction") == "ingress"
        unbounded = not inputs.get("remoteIpPrefix") and not inputs.get("remoteGroupId")
        if inward and (unbounded or inputs.get("remoteIpPrefix") in _ANYWHERE):
            low = _port(inputs.get("portRangeMin"), _ALL_PORTS[0])
            yield low, _port(inputs.get("portRangeMax"), _ALL_PORTS[1])
    if node.type == "kubernetes:networking.k8s.io/v1:NetworkPolicy":
        yield from _policy_ports(inputs.get("spec"))


def _policy_ports(spec: Json) -> Iterator[tuple[int, int]]:
    rules = spec.get("ingress") if isinstance(spec, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        if not isinstance(rule, dict):
            continue
        blocks = [
            peer["ipBlock"].get("cidr")
            for peer in _objects(rule.get("from"))
            if isinstance(peer.get("ipBlock"), dict)
        ]
        if not _ANYWHERE.intersection(str(block) for block in blocks):
            continue
        ports = list(_objects(rule.get("ports")))
        if not ports:
            yield _ALL_PORTS
        for port in ports:
            low = _port(port.get("port"), 0)
            yield (low, _port(port.get("endPort"), low)) if low else _ALL_PORTS


def _objects(value: Json) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict):
            yield item


def _is_public_address(node: ResourceNode) -> bool:
    if node.type == "openstack:networking/floatingIp:FloatingIp":
        return True
    spec = node.inputs.get("spec")
    return (
        node.type == "kubernetes:core/v1:Service"
        and isinstance(spec, dict)
        and spec.get("type") == "LoadBalancer"
    )


def _mentions(value: Any, text: str) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return any(_mentions(item, text) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_mentions(item, text) for item in value)
    return isinstance(value, str) and text in value


def _is_plain(value: Json) -> bool:
    return isinstance(value, str) and bool(value) and not is_secret(value)


def _asks_for_node(value: Any) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        for name in ("privileged", "hostNetwork", "hostPID", "hostIPC"):
            if value.get(name) is True:
                return True
        if isinstance(value.get("hostPath"), Mapping):
            return True
        return any(_asks_for_node(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_asks_for_node(item) for item in value)
    return False
