"""Policies of the network: open ports and public addresses."""

from collections.abc import Iterator
from typing import Any

from control_plane.provisioning.graph import Json, ResourceNode
from control_plane.provisioning.policies.checks.settings import none, texts
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from control_plane.provisioning.usage_map import CONTAINER
from foundation.kernel.text import Text

_ANYWHERE = {"0.0.0.0/0", "::/0"}
_ALL_PORTS = (1, 65535)
_GUARDED = [
    "22 SSH", "23 Telnet", "445 SMB", "1433 SQL Server", "1521 Oracle", "2379 etcd",
    "3306 MySQL", "3389 RDP", "5432 PostgreSQL", "5900 VNC", "6379 Redis", "6443 Kubernetes",
    "9200 Elasticsearch", "11211 memcached", "27017 MongoDB",
]  # fmt: skip
_PORT = r"^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"


def guarded_ports(subject: Subject, settings: Settings) -> Iterator[Issue]:
    """Ports of administrators and databases are never open to the whole internet."""
    guarded = [_named(entry) for entry in settings["ports"]]
    for node in subject.graph.resources:
        for low, high in _open_ports(node):
            names = ", ".join(name for port, name in guarded if low <= port <= high)
            if names:
                yield Issue(
                    node.logical_name,
                    Text(f"Opens {names} to the whole internet.", f"向整个互联网开放了 {names}。"),
                )


def public_exposure(subject: Subject, settings: Settings) -> Iterator[Issue]:
    """What the internet reaches is looked at."""
    yield from public_objects(subject)
    expected = {int(port) for port in settings["expected_ports"]}
    for node in subject.graph.resources:
        for low, high in _open_ports(node):
            if low == high and low in expected:
                continue
            ports = str(low) if low == high else f"{low}–{high}"
            yield Issue(
                node.logical_name,
                Text(
                    f"Port {ports} can be reached from the whole internet.",
                    f"整个互联网均可访问端口 {ports}。",
                ),
            )


def public_objects(subject: Subject) -> Iterator[Issue]:
    """Containers whose objects are read without a key."""
    for node in subject.graph.resources:
        if node.type == CONTAINER and ".r:*" in str(node.inputs.get("containerRead") or ""):
            yield Issue(
                node.logical_name,
                Text("Anyone may read it without a key.", "任何人无需密钥即可读取。"),
            )


def public_addresses(subject: Subject, settings: Settings) -> Iterator[Issue]:
    """Public addresses are few and show the city to the world."""
    del settings
    for node in subject.graph.resources:
        if _is_public_address(node):
            yield Issue(node.logical_name, Text("Takes a public address.", "占用一个公网地址。"))


def _named(entry: str) -> tuple[int, str]:
    port, _, name = entry.partition(" ")
    return int(port), name or port


def _port(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value else default


def _open_ports(node: ResourceNode) -> Iterator[tuple[int, int]]:
    """Port ranges of this resource that the whole internet may reach."""
    inputs = node.inputs
    if node.type == "openstack:networking/secGroupRule:SecGroupRule":
        inward = inputs.get("direction") == "ingress"
        unbounded = not inputs.get("remoteIpPrefix") and not inputs.get("remoteGroupId")
        if inward and (unbounded or str(inputs.get("remoteIpPrefix")) in _ANYWHERE):
            low = _port(inputs.get("portRangeMin"), _ALL_PORTS[0])
            yield low, _port(inputs.get("portRangeMax"), _ALL_PORTS[1])
    if node.type == "kubernetes:networking.k8s.io/v1:NetworkPolicy":
        yield from _policy_ports(inputs.get("spec"))


def _policy_ports(spec: Json) -> Iterator[tuple[int, int]]:
    rules = spec.get("ingress") if isinstance(spec, dict) else None
    for rule in _objects(rules):
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


POLICIES = (
    Policy(
        "network.guarded_port",
        Text("Open ports", "开放端口"),
        Text(
            "Ports by which administrators and databases are reached are not open to the whole "
            "internet.",
            "管理端口与数据库端口不得向整个互联网开放。",
        ),
        texts("ports", Text("Guarded ports", "受保护端口"), _GUARDED, _PORT + "( .{1,40})?$"),
        graph=guarded_ports,
    ),
    Policy(
        "network.public_exposure",
        Text("Public exposure", "公网暴露"),
        Text(
            "Whatever the whole internet reaches, and whatever anyone may read, is put before "
            "people.",
            "整个互联网可访问的端口，以及任何人可读取的存储，须提请人员关注。",
        ),
        texts(
            "expected_ports",
            Text("Ports that need no mention", "无需提示的端口"),
            [],
            _PORT + "$",
        ),
        graph=public_exposure,
    ),
    Policy(
        "network.public_address",
        Text("Public addresses", "公网地址"),
        Text(
            "Public addresses are few; each one is put before people.",
            "公网地址数量有限，每次占用均须提请人员关注。",
        ),
        none(),
        graph=public_addresses,
    ),
)
