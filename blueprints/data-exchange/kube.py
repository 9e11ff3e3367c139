"""Kubernetes objects of one deployment: its provider, names, marks, and pods without rights.

Every bundled blueprint that lives on Kubernetes alone has this same file, so that each of them is
complete by itself.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from platform_context import Context
from pulumi import ResourceOptions

Object = dict[str, Any]


class Cluster:
    """Where a deployment's objects go: the namespace of its tenancy.

    Attributes:
        context: what was ordered.
        namespace: in which everything is made.
        name: what names of objects begin with.
        options: with the region's provider.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.facts = context.facts("kubernetes")
        self.namespace: str = context.deployment["tenancy_outputs"]["namespace"]
        self.name = context.name
        self.provider = k8s.Provider(
            "cluster",
            kubeconfig=context.secret("region", "kubernetes", "kubeconfig"),
            # Take back fields that somebody else changed: that is how drift is repaired.
            enable_patch_force=True,
            enable_config_map_mutable=True,
            enable_secret_mutable=True,
        )
        self.options = ResourceOptions(provider=self.provider)

    def after(self, *resources: pulumi.Resource) -> ResourceOptions:
        """Return options of what is made after these."""
        return ResourceOptions(provider=self.provider, depends_on=list(resources))

    def selector(self, component: str) -> dict[str, str]:
        """Return the labels that pods of one component have, and no others."""
        return {
            "app.kubernetes.io/name": self.name,
            "app.kubernetes.io/component": component,
        }

    def named(self, suffix: str = "") -> str:
        """Return the name of an object of this deployment."""
        return f"{self.name}-{suffix}" if suffix else self.name

    def metadata(
        self,
        resource: str,
        suffix: str = "",
        component: str = "",
        notes: Mapping[str, str] | None = None,
    ) -> Object:
        """Return name, namespace, labels and annotations of an object.

        Args:
            resource: its logical name.
            suffix: of its name in the cluster.
            component: what it is part of.
            notes: annotations.
        """
        labels = self.selector(component) if component else {"app.kubernetes.io/name": self.name}
        return {
            "name": self.named(suffix),
            "namespace": self.namespace,
            "labels": {**labels, **self.context.labels(resource)},
            "annotations": dict(notes or {}),
        }

    def waiting(self, **notes: str) -> dict[str, str]:
        """Return the annotations of what becomes ready by its pods.

        Where no node runs pods (a region without workers), nothing ever becomes ready.
        """
        if not self.facts.get("await_pods", True):
            notes["pulumi.com/skipAwait"] = "true"
        return notes

    def claim(self, resource: str, suffix: str, gigabytes: int, component: str, backup: str) -> Any:  # noqa: ANN401
        """Declare a volume that one pod mounts; it can grow and not shrink.

        Args:
            resource: logical name.
            suffix: of its name.
            gigabytes: its size.
            component: whose it is.
            backup: how it is backed up, for the policies; ``none`` where it is not.
        """
        kind = self.facts.get("storage_class")
        metadata = self.metadata(resource, suffix, component, self.waiting())
        metadata["labels"]["borough.dev/backup"] = backup
        return k8s.core.v1.PersistentVolumeClaim(
            resource,
            metadata=metadata,
            spec={
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": f"{gigabytes}Gi"}},
                **({"storageClassName": kind} if kind else {}),
            },
            opts=self.options,
        )

    def account(self) -> Any:  # noqa: ANN401
        """Declare the pods' own account, which may do nothing."""
        return k8s.core.v1.ServiceAccount(
            "account",
            metadata=self.metadata("account"),
            automount_service_account_token=False,
            opts=self.options,
        )

    def opening(
        self, resource: str, component: str, ports: Sequence[int], *, everyone: bool
    ) -> None:
        """Declare who reaches a component's ports: this namespace, or all of the cluster's.

        Args:
            resource: logical name.
            component: whose pods.
            ports: TCP.
            everyone: pods of every namespace, and not of this one alone.
        """
        sender: Object = {"namespaceSelector": {}} if everyone else {"podSelector": {}}
        k8s.networking.v1.NetworkPolicy(
            resource,
            metadata=self.metadata(resource, resource, component),
            spec={
                "podSelector": {"matchLabels": self.selector(component)},
                "policyTypes": ["Ingress"],
                "ingress": [
                    {"from": [sender], "ports": [{"protocol": "TCP", "port": p} for p in ports]}
                ],
            },
            opts=self.options,
        )

    def pod(
        self,
        account: Any,  # noqa: ANN401
        user: int,
        containers: Sequence[Object],
        volumes: Sequence[Object],
        **more: Any,  # noqa: ANN401
    ) -> Object:
        """Return the specification of a pod that passes restricted pod security.

        Args:
            account: its service account.
            user: numeric id of user and group that its processes run as and its volumes belong to.
            containers: see ``container``.
            volumes: of the pod.
            more: further fields of the specification.
        """
        return {
            "serviceAccountName": account.metadata.name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "runAsGroup": user,
                "fsGroup": user,
                # A volume that has its group already is not gone through again: that takes long,
                # and PostgreSQL refuses files that a group may write.
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": list(containers),
            "volumes": list(volumes),
            **more,
        }


def container(
    name: str,
    image: str,
    script: str,
    size: Mapping[str, str],
    **more: Any,  # noqa: ANN401
) -> Object:
    """Return a container that runs a script from ``/scripts`` and may write to volumes only.

    Args:
        name: of the container.
        image: its image.
        script: file of the scripts' folder.
        size: ``cpu`` and ``memory`` that it requests; memory is also its limit, and it may use
            twice the processors while they are free.
        more: further fields.
    """
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", f"/scripts/{script}"],
        "resources": {
            "requests": dict(size),
            "limits": {"cpu": _twice(size["cpu"]), "memory": size["memory"]},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        **more,
    }


def _twice(cpu: str) -> str:
    return f"{int(cpu[:-1]) * 2}m" if cpu.endswith("m") else str(int(cpu) * 2)


def digest(*parts: object) -> str:
    """Return a short text that is another one when something of this is another.

    For annotations of pod templates: pods start anew when what they read at their start changed.
    """
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def labelled(cluster: Cluster, component: str, resource: str, **notes: str) -> Object:
    """Return the metadata of a component's pod template."""
    return {
        "labels": {**cluster.selector(component), **cluster.context.labels(resource)},
        "annotations": notes,
    }
