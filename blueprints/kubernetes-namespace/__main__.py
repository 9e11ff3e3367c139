"""A namespace that a department runs its own containers in: bounded, closed, and with roles."""

import hashlib
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from platform_context import Context
from pulumi import ResourceOptions

_LONGEST = 63

context = Context()
ordered = context.inputs
cluster = k8s.Provider(
    "cluster",
    kubeconfig=context.secret("region", "kubernetes", "kubeconfig"),
    # Take back fields that somebody else changed: that is how drift is repaired.
    enable_patch_force=True,
)
options = ResourceOptions(provider=cluster)


def namespace_name() -> str:
    """Return a name that no other deployment's namespace has: names are the whole cluster's."""
    full = f"{context.deployment['tenancy_outputs']['namespace']}-{context.name}"
    if len(full) <= _LONGEST:
        return full
    end = hashlib.sha256(full.encode()).hexdigest()[:8]
    return f"{full[: _LONGEST - len(end) - 1].rstrip('-')}-{end}"


def metadata(resource: str, name: str) -> dict[str, Any]:
    """Return the metadata of an object in the namespace."""
    return {
        "name": name,
        "namespace": namespace.metadata.name,
        "labels": context.labels(resource),
    }


namespace = k8s.core.v1.Namespace(
    "namespace",
    metadata={
        "name": namespace_name(),
        "labels": {
            **context.labels("namespace"),
            "pod-security.kubernetes.io/enforce": ordered["pod_security"],
            "pod-security.kubernetes.io/warn": "restricted",
        },
    },
    opts=options,
)
k8s.core.v1.ResourceQuota(
    "quota",
    # Marked: it is the department's to fill, so it counts against its organisation's own quota.
    metadata={
        **metadata("quota", "quota"),
        "annotations": {"borough.dev/reserved": "true"},
    },
    spec={
        "hard": {
            "requests.cpu": str(ordered["vcpus"]),
            "requests.memory": f"{ordered['ram_gb']}Gi",
            "limits.cpu": str(ordered["vcpus"] * 2),
            "limits.memory": f"{ordered['ram_gb'] * 2}Gi",
            "requests.storage": f"{ordered['volume_gb']}Gi",
            "pods": str(ordered["pods"]),
            "services.loadbalancers": str(ordered["load_balancers"]),
            "services.nodeports": "0",
        }
    },
    opts=options,
)
k8s.core.v1.LimitRange(
    "limits",
    metadata=metadata("limits", "limits"),
    spec={
        "limits": [
            {
                "type": "Container",
                "default": {"cpu": "500m", "memory": "256Mi"},
                "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
            }
        ]
    },
    opts=options,
)


def policy(resource: str, spec: dict[str, Any]) -> None:
    """Declare a network policy."""
    k8s.networking.v1.NetworkPolicy(
        resource, metadata=metadata(resource, resource), spec=spec, opts=options
    )


def senders(of: str) -> list[dict[str, Any]]:
    """Return who may come in through an opening."""
    if of == "city":
        return [{"namespaceSelector": {}}]
    if of == "internet":
        return [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]
    mine = {"borough.dev/tenancy": context.deployment["tenancy"]}
    return [{"namespaceSelector": {"matchLabels": mine}}]


# Nothing comes in and nothing goes out but what is opened here.
policy("default-deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})
policy(
    "inside",
    {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [{"podSelector": {}}]}],
        "egress": [
            {"to": [{"podSelector": {}}]},
            {
                "to": [
                    {
                        "namespaceSelector": {
                            "matchLabels": {"kubernetes.io/metadata.name": "kube-system"}
                        }
                    }
                ],
                "ports": [{"protocol": p, "port": 53} for p in ("UDP", "TCP")],
            },
        ],
    },
)
if ordered["egress"] != "none":
    wide = ordered["egress"] == "internet"
    policy(
        "egress",
        {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": senders("internet" if wide else "city")}],
        },
    )
for number, opening in enumerate(ordered["openings"], start=1):
    chosen = {"app.kubernetes.io/name": opening["application"]} if "application" in opening else {}
    policy(
        f"opening-{number}",
        {
            "podSelector": {"matchLabels": chosen} if chosen else {},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": senders(opening["from"]),
                    "ports": [{"protocol": "TCP", "port": port} for port in opening["ports"]],
                }
            ],
        },
    )

account = k8s.core.v1.ServiceAccount(
    "account",
    metadata=metadata("account", "deployer"),
    automount_service_account_token=False,
    opts=options,
)


def bind(resource: str, role: str, subject: dict[str, Any]) -> None:
    """Give one of Kubernetes' own roles in this namespace."""
    k8s.rbac.v1.RoleBinding(
        resource,
        metadata=metadata(resource, resource),
        role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        subjects=[subject],
        opts=options,
    )


bind(
    "deployer",
    "edit",
    {
        "kind": "ServiceAccount",
        "name": account.metadata.name,
        "namespace": namespace.metadata.name,
    },
)
for group in ordered["groups"]:
    bind(
        f"group-{group['role']}-{hashlib.sha256(group['name'].encode()).hexdigest()[:8]}",
        group["role"],
        {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": group["name"]},
    )
pulumi.export("namespace", namespace.metadata.name)
pulumi.export("service_account", account.metadata.name)
pulumi.export("groups", [group["name"] for group in ordered["groups"]])
