"""A server of our own making: StatefulSets with volumes of their own, and a nightly dump.

The primary and the replica are a StatefulSet each, for neither takes the other's role by itself;
where the region has the CloudNativePG operator, ``cloudnative`` is used, which can.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from kube import Cluster, Object, container, digest, labelled
from people import People
from platform_context import Context

PORT = 5432
ADMINISTRATOR = "postgres"
#: What one server requests; memory is also its limit.
SIZES = {
    "s": {"cpu": "250m", "memory": "1Gi"},
    "m": {"cpu": "1", "memory": "4Gi"},
    "l": {"cpu": "2", "memory": "8Gi"},
    "xl": {"cpu": "4", "memory": "16Gi"},
}
MEMORY_MB = {"s": 1024, "m": 4096, "l": 8192, "xl": 16384}
_TOOL = {"cpu": "100m", "memory": "128Mi"}
_SCRIPTS = Path(__file__).parent / "scripts"
GROUP_READS = 0o440


@dataclass(frozen=True, slots=True)
class Place:
    """Where it answers.

    Attributes:
        host: of the primary.
        read_host: of the replica; empty for none.
        authority: the certificate that clients trust; None where the operator keeps its own.
        kept_by: ``statefulset`` or ``cloudnativepg``.
    """

    host: str
    read_host: str
    authority: pulumi.Output[str] | None
    kept_by: str


def image(context: Context) -> str:
    """Return the image that the region names: one with PostgreSQL's programs and a shell."""
    return str(context.facts("kubernetes").get("postgresql_image", "postgres:17"))


def user(context: Context) -> int:
    """Return the numeric user of that image; it must have a name there (999 in the official)."""
    return int(context.facts("kubernetes").get("postgresql_uid", 999))


def declare(
    cluster: Cluster, people: People, pair: tuple[pulumi.Output[str], pulumi.Output[str]]
) -> Place:
    """Declare all of it."""
    made = _Server(cluster, pair)
    primary = made.node("primary")
    made.service("service", "", "primary")
    users = users_job(made.tools, people, primary, replicated=bool(made.read_host))
    if made.read_host:
        made.node("replica", users)
        made.service("service-read", "read", "replica")
    _budget(cluster, replicated=bool(made.read_host))
    if cluster.context.inputs["backup_keep_days"]:
        made.backups(users)
    return Place(made.host, made.read_host, pulumi.Output.unsecret(pair[0]), "statefulset")


@dataclass(frozen=True, slots=True)
class Tools:
    """What pods of this image need.

    Attributes:
        cluster: where they go.
        account: as whom.
        scripts: what they run.
        credentials: the volume of that name: ``superuser``, ``authority.crt`` and what more the
            servers need.
        host: the primary.
    """

    cluster: Cluster
    account: Any
    scripts: Any
    credentials: Object
    host: str

    @property
    def volumes(self) -> list[Object]:
        """Return the volumes of ``mounts``."""
        return [
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "scripts", "configMap": {"name": self.scripts.metadata.name}},
            {"name": "credentials", **self.credentials},
        ]

    @property
    def mounts(self) -> list[Object]:
        """Return where a container has them."""
        return [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
            {"name": "scripts", "mountPath": "/scripts", "readOnly": True},
            {"name": "credentials", "mountPath": "/credentials", "readOnly": True},
        ]

    @property
    def environment(self) -> list[Object]:
        """Return what the scripts know."""
        return [
            {"name": "PRIMARY", "value": self.host},
            {"name": "AUTHORITY", "value": "/credentials/authority.crt"},
        ]


def scripts_of(cluster: Cluster) -> tuple[Any, str]:
    """Declare the scripts and settings; answer them, and what changes when servers must restart."""
    texts = {
        **{path.name: path.read_text(encoding="utf-8") for path in sorted(_SCRIPTS.iterdir())},
        "postgresql.conf": _settings(cluster.context),
        "pg_hba.conf": _HBA,
    }
    # What the servers read at their start; the other scripts are read at each run.
    started_with = ("common.sh", "primary.sh", "replica.sh", "postgresql.conf", "pg_hba.conf")
    made = k8s.core.v1.ConfigMap(
        "scripts",
        metadata=cluster.metadata("scripts", "scripts"),
        data=texts,
        opts=cluster.options,
    )
    return made, digest({name: texts[name] for name in started_with})


class _Server:
    def __init__(
        self, cluster: Cluster, pair: tuple[pulumi.Output[str], pulumi.Output[str]]
    ) -> None:
        context = cluster.context
        self._cluster, self._context = cluster, context
        self.host = f"{cluster.named()}.{cluster.namespace}.svc"
        self.read_host = (
            f"{cluster.named('read')}.{cluster.namespace}.svc" if context.inputs["replica"] else ""
        )
        scripts, self._version = scripts_of(cluster)
        credentials = k8s.core.v1.Secret(
            "credentials",
            metadata=cluster.metadata("credentials", "credentials"),
            string_data={
                "superuser": context.derive("superuser"),
                "replication": context.derive("replication"),
                # It is public, but what is in a Secret is handled as one.
                "authority.crt": pair[0],
                "tls.key": pair[1],
            },
            opts=cluster.options,
        )
        # PostgreSQL takes a key that root owns and its group reads.
        mounted = {"secretName": credentials.metadata.name, "defaultMode": GROUP_READS}
        self.tools = Tools(cluster, cluster.account(), scripts, {"secret": mounted}, self.host)

    def node(self, role: str, *before: Any) -> Any:  # noqa: ANN401
        """Declare one server with its volume."""
        cluster, context = self._cluster, self._context
        dumped = "daily" if context.inputs["backup_keep_days"] else "none"
        claim = cluster.claim(
            f"data-{role}",
            f"{role}-data",
            context.inputs["volume_gb"],
            role,
            dumped if role == "primary" else "copy-of-primary",
        )
        ready = {"exec": {"command": ["/bin/sh", "-c", _READY]}}
        box = container(
            "postgresql",
            image(context),
            f"{role}.sh",
            SIZES[context.inputs["size"]],
            env=self.tools.environment,
            ports=[{"name": "postgresql", "containerPort": PORT}],
            # The first start of a replica copies everything: two hours for that.
            startupProbe={
                **ready,
                "periodSeconds": 5,
                "timeoutSeconds": 5,
                "failureThreshold": 1440,
            },
            readinessProbe={**ready, "periodSeconds": 5, "timeoutSeconds": 5},
            livenessProbe={
                **ready,
                "periodSeconds": 20,
                "timeoutSeconds": 5,
                "failureThreshold": 6,
            },
            volumeMounts=[
                {"name": "data", "mountPath": "/data"},
                {"name": "run", "mountPath": "/var/run/postgresql"},
                {"name": "memory", "mountPath": "/dev/shm"},  # noqa: S108 - of the container
                *self.tools.mounts,
            ],
        )
        pod = cluster.pod(
            self.tools.account,
            user(context),
            [box],
            [
                {"name": "data", "persistentVolumeClaim": {"claimName": claim.metadata.name}},
                {"name": "run", "emptyDir": {}},
                {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "256Mi"}},
                *self.tools.volumes,
            ],
            # It ends its clients' work and writes everything down first.
            terminationGracePeriodSeconds=120,
            affinity=_apart(cluster),
        )
        return k8s.apps.v1.StatefulSet(
            role,
            metadata=cluster.metadata(role, role, role, cluster.waiting()),
            spec={
                "replicas": 1,
                "serviceName": cluster.named() if role == "primary" else cluster.named("read"),
                "selector": {"matchLabels": cluster.selector(role)},
                "template": {
                    "metadata": labelled(
                        cluster, role, role, **{"borough.dev/started-with": self._version}
                    ),
                    "spec": pod,
                },
            },
            opts=cluster.after(*before),
        )

    def service(self, resource: str, suffix: str, role: str) -> None:
        """Declare the name by which a server is reached, and who may reach it."""
        cluster = self._cluster
        k8s.core.v1.Service(
            resource,
            metadata=cluster.metadata(resource, suffix, role, cluster.waiting()),
            spec={
                "type": "ClusterIP",
                "selector": cluster.selector(role),
                "ports": [
                    {
                        "name": "postgresql",
                        "port": PORT,
                        "targetPort": "postgresql",
                        "protocol": "TCP",
                    }
                ],
            },
            opts=cluster.options,
        )
        everyone = self._context.inputs["reach"] == "city"
        cluster.opening(f"reach-{role}", role, [PORT], everyone=everyone)

    def backups(self, *before: Any) -> None:  # noqa: ANN401
        """Declare the nightly dump, and the volume that keeps it."""
        cluster, inputs = self._cluster, self._context.inputs
        claim = cluster.claim("backups", "backups", inputs["backup_volume_gb"], "backup", "copies")
        box = container(
            "backup",
            image(self._context),
            "backup.sh",
            {"cpu": "100m", "memory": "256Mi"},
            env=[
                *self.tools.environment,
                {"name": "KEEP_DAYS", "value": str(inputs["backup_keep_days"])},
            ],
            volumeMounts=[{"name": "backups", "mountPath": "/backups"}, *self.tools.mounts],
        )
        pod = cluster.pod(
            self.tools.account,
            user(self._context),
            [box],
            [
                {"name": "backups", "persistentVolumeClaim": {"claimName": claim.metadata.name}},
                *self.tools.volumes,
            ],
            restartPolicy="OnFailure",
        )
        k8s.batch.v1.CronJob(
            "backup",
            metadata=cluster.metadata("backup", "backup", "backup"),
            spec={
                "schedule": f"17 {inputs['backup_hour']} * * *",
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 3600,
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 2,
                "jobTemplate": {
                    "spec": {
                        "backoffLimit": 2,
                        "activeDeadlineSeconds": 14400,
                        "template": {
                            "metadata": labelled(cluster, "backup", "backup"),
                            "spec": pod,
                        },
                    }
                },
            },
            opts=cluster.after(*before),
        )


def users_job(
    tools: Tools,
    people: People,
    *before: Any,  # noqa: ANN401
    replicated: bool | None,
) -> Any:  # noqa: ANN401
    """Declare the job that makes databases, users and credentials; another wish is another job.

    Args:
        tools: what it runs with.
        people: what is wanted.
        before: what it waits for.
        replicated: whether a replica follows; None: somebody else keeps replication.
    """
    cluster, context = tools.cluster, tools.cluster.context
    files = people.sql(replication=replicated)
    statements = k8s.core.v1.Secret(
        "users-sql",
        metadata=cluster.metadata("users-sql", "users-sql"),
        string_data=files,
        opts=cluster.options,
    )
    box = container(
        "users",
        image(context),
        "users.sh",
        _TOOL,
        env=tools.environment,
        volumeMounts=[{"name": "sql", "mountPath": "/sql", "readOnly": True}, *tools.mounts],
    )
    wanted = digest(people.wanted, replicated, (_SCRIPTS / "users.sh").read_text(encoding="utf-8"))
    pod = cluster.pod(
        tools.account,
        user(context),
        [box],
        [
            {
                "name": "sql",
                "secret": {"secretName": statements.metadata.name, "defaultMode": GROUP_READS},
            },
            *tools.volumes,
        ],
        restartPolicy="OnFailure",
    )
    return k8s.batch.v1.Job(
        "users",
        # A job cannot be changed: another wish has another name.
        metadata=cluster.metadata("users", f"users-{wanted[:8]}", "users", cluster.waiting()),
        spec={
            "backoffLimit": 4,
            "activeDeadlineSeconds": 900,
            "template": {
                "metadata": labelled(cluster, "users", "users", **{"borough.dev/wanted": wanted}),
                "spec": pod,
            },
        },
        opts=cluster.after(statements, *before),
    )


_READY = ". /scripts/common.sh; exec pg_isready -q -h /var/run/postgresql"


def _apart(cluster: Cluster) -> Object:
    """Put the servers on different nodes where there are several."""
    term = {
        "labelSelector": {
            "matchLabels": {"app.kubernetes.io/name": cluster.name},
            "matchExpressions": [
                {
                    "key": "app.kubernetes.io/component",
                    "operator": "In",
                    "values": ["primary", "replica"],
                }
            ],
        },
        "topologyKey": "kubernetes.io/hostname",
    }
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": term}
            ]
        }
    }


def _budget(cluster: Cluster, *, replicated: bool) -> None:
    """Let maintenance of nodes end one server at a time; a single one may be ended."""
    servers = {
        "matchLabels": {"app.kubernetes.io/name": cluster.name},
        "matchExpressions": [
            {
                "key": "app.kubernetes.io/component",
                "operator": "In",
                "values": ["primary", "replica"],
            }
        ],
    }
    k8s.policy.v1.PodDisruptionBudget(
        "budget",
        metadata=cluster.metadata("budget", "servers"),
        spec={
            "selector": servers,
            **({"minAvailable": 1} if replicated else {"maxUnavailable": 1}),
        },
        opts=cluster.options,
    )


_HBA = """\
# Only over TLS and with a password; inside the container as the operating system's user.
local   all          postgres                    peer
hostssl replication  replication  all            scram-sha-256
hostssl all          all          all            scram-sha-256
"""


def _settings(context: Context) -> str:
    """Return the server's settings; memory after PostgreSQL's own advice (a quarter is cache)."""
    memory = MEMORY_MB[context.inputs["size"]]
    volume = context.inputs["volume_gb"]
    return f"""\
listen_addresses = '*'
port = {PORT}
unix_socket_directories = '/var/run/postgresql'
ssl = on
ssl_cert_file = '/credentials/authority.crt'
ssl_key_file = '/credentials/tls.key'
ssl_min_protocol_version = 'TLSv1.2'
max_connections = 200
shared_buffers = '{memory // 4}MB'
effective_cache_size = '{memory * 3 // 4}MB'
dynamic_shared_memory_type = 'posix'
wal_level = 'replica'
max_wal_senders = 5
# A replica that is away may hold back so much, and no more: the volume must not fill up.
max_slot_wal_keep_size = '{max(volume // 4, 1)}GB'
max_wal_size = '{max(min(volume // 10, 4), 1)}GB'
hot_standby = on
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] %q%u@%d '
log_connections = on
log_disconnections = on
timezone = 'UTC'
"""
