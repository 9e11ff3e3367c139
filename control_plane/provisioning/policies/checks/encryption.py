"""Policies of encryption: on disks, in the cluster's own store, and on the way."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from control_plane.provisioning.graph import Graph, ResourceNode
from control_plane.provisioning.policies.checks.settings import data_classes, listed, settings
from control_plane.provisioning.policies.checks.storage import disks
from control_plane.provisioning.policies.model import Issue, Policy, Settings, Subject
from foundation.kernel.text import Text

_LISTENER = "openstack:loadbalancer/listener:Listener"
_REDIRECT = "openstack:loadbalancer/l7Policy:L7Policy"
_INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
_GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"


def volumes(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Disks are of a type that the region encrypts."""
    if subject.data_class not in settings_["data_classes"]:
        return
    known = [
        *_names(subject.facts_of("openstack").get("encrypted_volume_types")),
        *_names(subject.facts_of("kubernetes").get("encrypted_storage_classes")),
        *settings_["types"],
    ]
    for disk in disks(subject.graph):
        if not any(fnmatchcase(disk.type, pattern) for pattern in known):
            name = disk.type or "(the region's usual one)"
            named = disk.type or "（资源区默认类型）"
            yield Issue(
                disk.resource,
                Text(
                    f"Its type of volume, {name}, is not known to be encrypted.",
                    f"其卷类型 {named} 未确认加密。",
                ),
            )


def cluster_secrets(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """Secrets are kept in clusters that encrypt their store."""
    sealed = subject.facts_of("kubernetes").get("secrets_encrypted") is True
    if sealed or subject.data_class not in settings_["data_classes"]:
        return
    for node in subject.graph.resources:
        if node.type == "kubernetes:core/v1:Secret":
            yield Issue(
                node.logical_name,
                Text(
                    "The cluster is not known to encrypt the secrets that it keeps.",
                    "该集群未确认对其保存的机密加密。",
                ),
            )


def transport(subject: Subject, settings_: Settings) -> Iterator[Issue]:
    """What is reached over the network is reached with TLS."""
    if subject.data_class not in settings_["data_classes"]:
        return
    redirected = _redirected(subject.graph)
    for node in subject.graph.resources:
        if _is_plain(node) and node.urn not in redirected:
            yield Issue(node.logical_name, Text("Answers without TLS.", "未使用 TLS 提供服务。"))


def _redirected(graph: Graph) -> set[str]:
    """Listeners that only send people on."""
    return {
        urn
        for node in graph.resources
        if node.type == _REDIRECT and str(node.inputs.get("action", "")).startswith("REDIRECT")
        for urn in node.depends_on
    }


def _is_plain(node: ResourceNode) -> bool:
    if node.type == _LISTENER:
        return node.inputs.get("protocol") == "HTTP"
    spec = node.inputs.get("spec")
    if not isinstance(spec, Mapping):
        return False
    if node.type == _INGRESS:
        return not spec.get("tls")
    return node.type == _GATEWAY and any(
        isinstance(each, Mapping) and each.get("protocol") == "HTTP"
        for each in _names(spec.get("listeners"))
    )


def _names(value: Any) -> Collection[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list | tuple) else ()


POLICIES = (
    Policy(
        "encryption.volumes",
        Text("Encryption of volumes", "卷加密"),
        Text(
            "Disks are of a type that the region encrypts: one of its encrypted_volume_types "
            "(OpenStack) or encrypted_storage_classes (Kubernetes), or one that is named here.",
            "磁盘须使用资源区加密的类型：资源区声明的 encrypted_volume_types（OpenStack）或 "
            "encrypted_storage_classes（Kubernetes），或此处列出的类型。",
        ),
        settings(
            {
                "data_classes": data_classes(["sensitive"]),
                "types": listed(Text("Other encrypted types", "其他加密类型"), []),
            }
        ),
        graph=volumes,
    ),
    Policy(
        "encryption.cluster_secrets",
        Text("Encryption of a cluster's secrets", "集群机密加密"),
        Text(
            "Secrets are only kept in Kubernetes clusters that encrypt their store (etcd): the "
            "region says so by secrets_encrypted.",
            "机密只存放在对其存储（etcd）加密的 Kubernetes 集群中，由资源区以 secrets_encrypted "
            "声明。",
        ),
        settings({"data_classes": data_classes(["sensitive"])}),
        graph=cluster_secrets,
    ),
    Policy(
        "encryption.transport",
        Text("Encryption on the way (TLS)", "传输加密（TLS）"),
        Text(
            "Load balancers, ingresses and gateways answer with TLS, or only send people on to "
            "where they do.",
            "负载均衡、Ingress 与网关须以 TLS 提供服务，或仅跳转至 TLS 地址。",
        ),
        settings({"data_classes": data_classes(["internal", "sensitive"])}),
        graph=transport,
    ),
)
