"""The workload's own PostgreSQL: one server that keeps to its volume."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pulumi_kubernetes as k8s
from kube import Cluster, Object, container, digest, labelled

PORT = 5432
_SIZE = {"cpu": "250m", "memory": "1Gi"}
_SCRIPTS = Path(__file__).parent / "scripts"
_GROUP_READS = 0o440
_SETTINGS = """\
listen_addresses = '*'
unix_socket_directories = '/tmp'
shared_buffers = 256MB
effective_cache_size = 512MB
max_connections = 200
wal_compression = on
"""
#: Only the workload's own pods get through the NetworkPolicy; they sign in by password.
_HBA = """\
local all all peer
host {name} {name} all scram-sha-256
"""


class Database:
    """The server, its volume, its password, and who may reach it.

    Args:
        cluster: where it runs.
        account: of its pods.
        name: of the database and of who owns it.
        parts: of the workload that reach it, besides the migration.

    Attributes:
        credentials: the Secret that holds the workload's passwords and its database's address.
    """

    def __init__(
        self,
        cluster: Cluster,
        account: Any,  # noqa: ANN401
        name: str,
        parts: Sequence[str],
    ) -> None:
        self._cluster, self._account = cluster, account
        context = cluster.context
        host = f"{cluster.named('database')}.{cluster.namespace}.svc"
        password = context.derive("database")
        self.credentials = k8s.core.v1.Secret(
            "credentials",
            metadata=cluster.metadata("credentials", "credentials"),
            string_data={
                "database-password": password,
                "database-url": password.apply(
                    lambda text: f"postgresql://{name}:{text}@{host}:{PORT}/{name}"
                ),
                "administrator-password": context.derive("administrator"),
                "secret-keys": context.derive("keys").apply(_ring),
                "platform-token": context.derive("platform").apply(
                    lambda key: f"bwl_{context.deployment['id']}.{key}"
                ),
            },
            opts=cluster.options,
        )
        texts = {
            **{path.name: path.read_text(encoding="utf-8") for path in sorted(_SCRIPTS.iterdir())},
            "postgresql.conf": _SETTINGS,
            "pg_hba.conf": _HBA.format(name=name),
        }
        scripts = k8s.core.v1.ConfigMap(
            "scripts",
            metadata=cluster.metadata("scripts", "scripts", "database"),
            data=texts,
            opts=cluster.options,
        )
        claim = cluster.claim(
            "database-data", "database-data", context.inputs["database_gb"], "database", "none"
        )
        self.server = self._server(name, scripts, claim, digest(texts))
        k8s.core.v1.Service(
            "database-service",
            metadata=cluster.metadata("database-service", "database", "database"),
            spec={
                "type": "ClusterIP",
                "selector": cluster.selector("database"),
                "ports": [
                    {"name": "postgres", "port": PORT, "targetPort": "postgres", "protocol": "TCP"}
                ],
            },
            opts=cluster.options,
        )
        self._opening([*parts, "migration"])

    def _server(self, name: str, scripts: Any, claim: Any, started_with: str) -> Any:  # noqa: ANN401
        cluster = self._cluster
        ready = {"exec": {"command": ["/bin/sh", "/scripts/ready.sh"]}}
        box = container(
            "database",
            str(cluster.facts.get("postgresql_image", "postgres:17")),
            "database.sh",
            _SIZE,
            env=[{"name": "DATABASE_NAME", "value": name}],
            ports=[{"name": "postgres", "containerPort": PORT}],
            startupProbe={**ready, "periodSeconds": 3, "failureThreshold": 100},
            readinessProbe={**ready, "periodSeconds": 5},
            livenessProbe={**ready, "periodSeconds": 20},
            volumeMounts=[
                {"name": "data", "mountPath": "/data"},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
                {"name": "scripts", "mountPath": "/scripts", "readOnly": True},
                {"name": "credentials", "mountPath": "/credentials", "readOnly": True},
            ],
        )
        volumes: list[Object] = [
            {"name": "data", "persistentVolumeClaim": {"claimName": claim.metadata.name}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "scripts", "configMap": {"name": scripts.metadata.name}},
            {
                "name": "credentials",
                "secret": {
                    "secretName": self.credentials.metadata.name,
                    "defaultMode": _GROUP_READS,
                    "items": [{"key": "database-password", "path": "database-password"}],
                },
            },
        ]
        pod = cluster.pod(
            self._account,
            int(cluster.facts.get("postgresql_uid", 999)),
            [box],
            volumes,
            terminationGracePeriodSeconds=60,
        )
        return k8s.apps.v1.StatefulSet(
            "database",
            metadata=cluster.metadata("database", "database", "database", cluster.waiting()),
            spec={
                "replicas": 1,
                "serviceName": cluster.named("database"),
                "selector": {"matchLabels": cluster.selector("database")},
                "template": {
                    "metadata": labelled(
                        cluster,
                        "database",
                        "database",
                        **{"borough.dev/started-with": started_with},
                    ),
                    "spec": pod,
                },
            },
            opts=cluster.options,
        )

    def _opening(self, parts: Sequence[str]) -> None:
        cluster = self._cluster
        own = [{"podSelector": {"matchLabels": cluster.selector(part)}} for part in parts]
        k8s.networking.v1.NetworkPolicy(
            "reach-database",
            metadata=cluster.metadata("reach-database", "reach-database", "database"),
            spec={
                "podSelector": {"matchLabels": cluster.selector("database")},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": own, "ports": [{"protocol": "TCP", "port": PORT}]}],
            },
            opts=cluster.options,
        )


def _ring(text: str) -> str:
    """Return a key of 32 bytes in base 64, of a derived password: its HMAC has just as many."""
    return text.removeprefix("Bo1-").replace("-", "+").replace("_", "/") + "="
