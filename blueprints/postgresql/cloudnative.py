"""By the CloudNativePG operator, where the region says that it is there.

The operator elects the primary anew when one is lost, and keeps its own certificates. Databases,
users and credentials are brought by the same job as without it. The region's facts are
``cloudnativepg``: ``{namespace, snapshot_class}`` or ``{namespace, object_store: {endpoint, bucket,
secret}}``; ``secret`` has the keys ``access_key`` and ``secret_key`` and lies in the namespace.
"""

from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from kube import Cluster, Object
from people import People
from server import (
    ADMINISTRATOR,
    GROUP_READS,
    PORT,
    SIZES,
    Place,
    Tools,
    image,
    scripts_of,
    users_job,
)

_API = "postgresql.cnpg.io/v1"
_STATUS_PORT = 8000


def declare(cluster: Cluster, people: People) -> Place:
    """Declare the operator's objects, and the job that makes the users."""
    context = cluster.context
    facts: Object = cluster.facts["cloudnativepg"]
    replicated = bool(context.inputs["replica"])
    secret = k8s.core.v1.Secret(
        "credentials",
        metadata=cluster.metadata("credentials", "credentials"),
        type="kubernetes.io/basic-auth",
        string_data={
            "username": pulumi.Output.secret(ADMINISTRATOR),
            "password": context.derive("superuser"),
        },
        opts=cluster.options,
    )
    keeps = context.inputs["backup_keep_days"]
    backup = _backup(cluster, facts, keeps) if keeps else {}
    kind = cluster.facts.get("storage_class")
    size = SIZES[context.inputs["size"]]
    database = k8s.apiextensions.CustomResource(
        "cluster",
        api_version=_API,
        kind="Cluster",
        metadata=cluster.metadata("cluster", component="primary", notes=cluster.waiting()),
        spec={
            "instances": 2 if replicated else 1,
            "imageName": cluster.facts.get("cloudnativepg_image", image(context)),
            "enableSuperuserAccess": True,
            "superuserSecret": {"name": secret.metadata.name},
            "storage": {
                "size": f"{context.inputs['volume_gb']}Gi",
                **({"storageClass": kind} if kind else {}),
            },
            "resources": {"requests": dict(size), "limits": {"memory": size["memory"]}},
            "bootstrap": {"initdb": {"dataChecksums": True, "localeCType": "C.UTF-8"}},
            "inheritedMetadata": {
                "labels": {**cluster.selector("primary"), **context.labels("cluster")}
            },
            **({"backup": backup} if backup else {}),
        },
        opts=cluster.after(secret),
    )
    if backup:
        k8s.apiextensions.CustomResource(
            "scheduled-backup",
            api_version=_API,
            kind="ScheduledBackup",
            metadata=cluster.metadata("scheduled-backup", "backup"),
            spec={
                # Six fields: the first one is seconds.
                "schedule": f"0 17 {context.inputs['backup_hour']} * * *",
                "backupOwnerReference": "cluster",
                "method": "volumeSnapshot" if "volumeSnapshot" in backup else "barmanObjectStore",
                "cluster": {"name": cluster.named()},
            },
            opts=cluster.after(database),
        )
    _opening(cluster, facts)
    host = f"{cluster.named('rw')}.{cluster.namespace}.svc"
    # The operator writes its authority into a Secret of this name.
    sources = [
        {
            "secret": {
                "name": secret.metadata.name,
                "items": [{"key": "password", "path": "superuser"}],
            }
        },
        {
            "secret": {
                "name": cluster.named("ca"),
                "items": [{"key": "ca.crt", "path": "authority.crt"}],
            }
        },
    ]
    credentials = {"projected": {"sources": sources, "defaultMode": GROUP_READS}}
    scripts, _ = scripts_of(cluster)
    tools = Tools(cluster, cluster.account(), scripts, credentials, host)
    users_job(tools, people, database, replicated=None)
    read = f"{cluster.named('ro')}.{cluster.namespace}.svc" if replicated else ""
    return Place(host, read, None, "cloudnativepg")


def _backup(cluster: Cluster, facts: Object, days: int) -> Object:
    if facts.get("snapshot_class"):
        return {"volumeSnapshot": {"className": facts["snapshot_class"]}}
    store: dict[str, Any] | None = facts.get("object_store")
    if not store:
        raise ValueError(
            "the region's CloudNativePG has no place for backups: neither snapshot_class nor "
            "object_store; order it without backups (backup_keep_days: 0)"
        )
    return {
        "retentionPolicy": f"{days}d",
        "barmanObjectStore": {
            "endpointURL": store["endpoint"],
            "destinationPath": f"s3://{store['bucket']}/{cluster.context.deployment['id']}",
            "s3Credentials": {
                "accessKeyId": {"name": store["secret"], "key": "access_key"},
                "secretAccessKey": {"name": store["secret"], "key": "secret_key"},
            },
        },
    }


def _opening(cluster: Cluster, facts: Object) -> None:
    """Let clients in, the servers among themselves, and the operator."""
    everyone = cluster.context.inputs["reach"] == "city"
    sender: Object = {"namespaceSelector": {}} if everyone else {"podSelector": {}}
    operator = {
        "namespaceSelector": {
            "matchLabels": {"kubernetes.io/metadata.name": facts.get("namespace", "cnpg-system")}
        }
    }
    k8s.networking.v1.NetworkPolicy(
        "reach",
        metadata=cluster.metadata("reach", "reach", "primary"),
        spec={
            "podSelector": {"matchLabels": {"cnpg.io/cluster": cluster.named()}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [sender], "ports": [{"protocol": "TCP", "port": PORT}]},
                {
                    "from": [operator],
                    "ports": [{"protocol": "TCP", "port": p} for p in (PORT, _STATUS_PORT)],
                },
            ],
        },
        opts=cluster.options,
    )
