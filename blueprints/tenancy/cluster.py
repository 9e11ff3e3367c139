"""The Kubernetes part: namespace, limits, isolation, access."""

import pulumi
import pulumi_kubernetes as k8s
from platform_context import Context
from pulumi import ResourceOptions


def declare(context: Context) -> None:
    """Declare the namespace and all that bounds it."""
    cluster = k8s.Provider(
        "cluster",
        kubeconfig=context.secret("region", "kubernetes", "kubeconfig"),
        # Take back fields that somebody else changed: that is how drift is repaired.
        enable_patch_force=True,
        enable_config_map_mutable=True,
    )
    namespace = k8s.core.v1.Namespace(
        "namespace",
        metadata={
            "name": context.name,
            "labels": {
                **context.labels("namespace"),
                "pod-security.kubernetes.io/enforce": "restricted",
            },
        },
        opts=ResourceOptions(provider=cluster),
    )
    _limits(context, namespace, cluster)
    _isolation(context, namespace, cluster)
    account = _access(context, namespace, cluster)
    pulumi.export("namespace", namespace.metadata.name)
    pulumi.export("service_account", account.metadata.name)


def _metadata(
    context: Context, namespace: k8s.core.v1.Namespace, resource: str, name: str
) -> dict[str, pulumi.Input[object]]:
    return {
        "name": name,
        "namespace": namespace.metadata.name,
        "labels": context.labels(resource),
    }


def _limits(context: Context, namespace: k8s.core.v1.Namespace, cluster: k8s.Provider) -> None:
    ordered = context.inputs
    k8s.core.v1.ResourceQuota(
        "quota",
        metadata=_metadata(context, namespace, "quota", "tenancy"),
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
        opts=ResourceOptions(provider=cluster),
    )
    k8s.core.v1.LimitRange(
        "limits",
        metadata=_metadata(context, namespace, "limits", "tenancy"),
        spec={
            "limits": [
                {
                    "type": "Container",
                    "default": {"cpu": "500m", "memory": "256Mi"},
                    "defaultRequest": {"cpu": "100m", "memory": "128Mi"},
                }
            ]
        },
        opts=ResourceOptions(provider=cluster),
    )


def _isolation(context: Context, namespace: k8s.core.v1.Namespace, cluster: k8s.Provider) -> None:
    """Let pods of the tenancy talk to each other; others only where a deployment opens a port."""
    k8s.networking.v1.NetworkPolicy(
        "isolation",
        metadata=_metadata(context, namespace, "isolation", "isolation"),
        spec={
            "podSelector": {},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
        },
        opts=ResourceOptions(provider=cluster),
    )


def _access(
    context: Context, namespace: k8s.core.v1.Namespace, cluster: k8s.Provider
) -> k8s.core.v1.ServiceAccount:
    account = k8s.core.v1.ServiceAccount(
        "account",
        metadata=_metadata(context, namespace, "account", "deployer"),
        automount_service_account_token=False,
        opts=ResourceOptions(provider=cluster),
    )
    role = k8s.rbac.v1.Role(
        "role",
        metadata=_metadata(context, namespace, "role", "deployer"),
        rules=[
            {
                "apiGroups": ["", "apps", "batch", "autoscaling", "networking.k8s.io", "policy"],
                "resources": [
                    "configmaps",
                    "secrets",
                    "services",
                    "persistentvolumeclaims",
                    "pods",
                    "pods/log",
                    "deployments",
                    "statefulsets",
                    "jobs",
                    "cronjobs",
                    "ingresses",
                    "networkpolicies",
                    "horizontalpodautoscalers",
                    "poddisruptionbudgets",
                ],
                "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
            },
            {
                "apiGroups": [""],
                "resources": ["events", "resourcequotas", "limitranges"],
                "verbs": ["get", "list", "watch"],
            },
        ],
        opts=ResourceOptions(provider=cluster),
    )
    k8s.rbac.v1.RoleBinding(
        "role-binding",
        metadata=_metadata(context, namespace, "role-binding", "deployer"),
        role_ref={
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": role.metadata.name,
        },
        subjects=[
            {
                "kind": "ServiceAccount",
                "name": account.metadata.name,
                "namespace": namespace.metadata.name,
            }
        ],
        opts=ResourceOptions(provider=cluster),
    )
    return account
