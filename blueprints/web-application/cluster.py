"""On Kubernetes: a Deployment, its volume, a Service, and who may reach it."""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from platform_context import Context
from pulumi import ResourceOptions

PORT = 8080

#: Requests of one container per size; memory is also its limit.
SIZES = {
    "s": {"cpu": "100m", "memory": "128Mi"},
    "m": {"cpu": "500m", "memory": "512Mi"},
    "l": {"cpu": "1", "memory": "1Gi"},
    "xl": {"cpu": "2", "memory": "4Gi"},
}
LIMITS = {"s": "500m", "m": "1", "l": "2", "xl": "4"}


def declare(context: Context) -> None:
    """Declare the application in the namespace of its tenancy."""
    cluster = k8s.Provider(
        "cluster",
        kubeconfig=context.secret("region", "kubernetes", "kubeconfig"),
        namespace=context.deployment["tenancy_outputs"]["namespace"],
        enable_patch_force=True,
        enable_config_map_mutable=True,
    )
    options = ResourceOptions(provider=cluster)
    claim = _claim(context, options)
    account = k8s.core.v1.ServiceAccount(
        "account",
        metadata=_metadata(context, "account", context.name),
        automount_service_account_token=False,
        opts=options,
    )
    deployment = _deployment(context, claim, account, options)
    service = _service(context, options)
    _policy(context, options)
    namespace = context.deployment["tenancy_outputs"]["namespace"]
    inside = service.metadata.name.apply(lambda name: f"{name}.{namespace}.svc")
    pulumi.export("address", inside)
    pulumi.export("url", inside.apply(lambda host: f"http://{host}/"))
    pulumi.export("namespace", namespace)
    pulumi.export("deployment_name", deployment.metadata.name)
    pulumi.export("service_name", service.metadata.name)


def _metadata(
    context: Context, resource: str, name: str, notes: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": context.deployment["tenancy_outputs"]["namespace"],
        "labels": {"app.kubernetes.io/name": context.name, **context.labels(resource)},
        "annotations": notes or {},
    }


def _waiting(context: Context) -> dict[str, str]:
    """Where no node runs pods (a region without workers), nothing ever becomes ready."""
    await_pods = context.facts("kubernetes").get("await_pods", True)
    return {} if await_pods else {"pulumi.com/skipAwait": "true"}


def _claim(context: Context, options: ResourceOptions) -> k8s.core.v1.PersistentVolumeClaim:
    facts = context.facts("kubernetes")
    return k8s.core.v1.PersistentVolumeClaim(
        "data",
        metadata=_metadata(context, "data", f"{context.name}-data", _waiting(context)),
        spec={
            "accessModes": ["ReadWriteMany" if facts.get("shared_volumes") else "ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{context.inputs['volume_gb']}Gi"}},
            **({"storageClassName": facts["storage_class"]} if "storage_class" in facts else {}),
        },
        opts=options,
    )


def _deployment(
    context: Context,
    claim: k8s.core.v1.PersistentVolumeClaim,
    account: k8s.core.v1.ServiceAccount,
    options: ResourceOptions,
) -> k8s.apps.v1.Deployment:
    chosen = {"app.kubernetes.io/name": context.name}
    facts = context.facts("kubernetes")
    size = SIZES[context.inputs["size"]]
    together = {
        # A volume that only one node can mount keeps the pods on one node.
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "labelSelector": {"matchLabels": chosen},
                        "topologyKey": "kubernetes.io/hostname",
                    },
                }
            ]
        }
    }
    pod: dict[str, Any] = {
        "serviceAccountName": account.metadata.name,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **({} if facts.get("shared_volumes") else {"affinity": together}),
        "containers": [
            {
                "name": "web",
                "image": facts.get("web_image", "borough/web:1"),
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"name": "http", "containerPort": PORT}],
                "env": [{"name": "BOROUGH_APPLICATION", "value": context.name}],
                "resources": {
                    "requests": size,
                    "limits": {
                        "cpu": LIMITS[context.inputs["size"]],
                        "memory": size["memory"],
                    },
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 5},
                "livenessProbe": {
                    "tcpSocket": {"port": "http"},
                    "initialDelaySeconds": 10,
                    "periodSeconds": 20,
                },
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                **facts.get("web_container", {}),
            }
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim.metadata.name}}],
    }
    return k8s.apps.v1.Deployment(
        "application",
        metadata=_metadata(context, "application", context.name, _waiting(context)),
        spec={
            "replicas": context.inputs["servers"],
            "selector": {"matchLabels": chosen},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {"labels": {**chosen, **context.labels("application")}},
                "spec": pod,
            },
        },
        opts=options,
    )


def _service(context: Context, options: ResourceOptions) -> k8s.core.v1.Service:
    outside = context.inputs["exposure"] == "internet" and context.facts("kubernetes").get(
        "load_balancers", False
    )
    return k8s.core.v1.Service(
        "service",
        metadata=_metadata(context, "service", context.name, _waiting(context)),
        spec={
            "type": "LoadBalancer" if outside else "ClusterIP",
            "selector": {"app.kubernetes.io/name": context.name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
        opts=options,
    )


def _policy(context: Context, options: ResourceOptions) -> None:
    """Open the application's port: to the city's namespaces, or to everybody."""
    everybody = context.inputs["exposure"] == "internet"
    sender: dict[str, Any] = (
        {"ipBlock": {"cidr": "0.0.0.0/0"}} if everybody else {"namespaceSelector": {}}
    )
    k8s.networking.v1.NetworkPolicy(
        "reach",
        metadata=_metadata(context, "reach", f"{context.name}-reach"),
        spec={
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": context.name}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [sender], "ports": [{"protocol": "TCP", "port": PORT}]}],
        },
        opts=options,
    )
