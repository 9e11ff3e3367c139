"""Pages and API, and the workers, of one image."""

from typing import Any, ClassVar

import pulumi
import pulumi_kubernetes as k8s
from database import Database
from kube import Cluster, Object, container, digest, labelled

PORT = 8090
#: What one of them requests; memory is also its limit.
SIZES = {
    "xs": {"cpu": "250m", "memory": "1Gi"},
    "s": {"cpu": "1", "memory": "2Gi"},
    "m": {"cpu": "2", "memory": "4Gi"},
    "l": {"cpu": "4", "memory": "8Gi"},
}
_API = {"cpu": "250m", "memory": "512Mi"}
_MIGRATION = {"cpu": "100m", "memory": "256Mi"}
_USER = 65532
#: A worker gives its shards back and finishes what it writes.
_GRACE_SECONDS = 45


class Video:
    """The workload on its database.

    Attributes:
        url: where its pages answer.
    """

    ADMINISTRATOR: ClassVar[str] = "administrator"

    def __init__(self, cluster: Cluster, account: Any, database: Database) -> None:  # noqa: ANN401
        self._cluster, self._account, self._database = cluster, account, database
        self._inputs = cluster.context.inputs
        self._image = str(cluster.facts.get("video_image", "borough/video-analytics:1"))
        self._evidence = self._claim()
        migration = self._migration()
        self._serving(migration)
        self._working(migration)
        self.url = self._service()

    # Where it keeps what ---------------------------------------------------------------------

    def _claim(self) -> Any:  # noqa: ANN401
        """Declare the volume of pictures and clips, which pages and workers share."""
        cluster = self._cluster
        shared = cluster.facts.get("shared_volumes")
        kind = cluster.facts.get("storage_class")
        metadata = cluster.metadata("evidence", "evidence", "api", cluster.waiting())
        metadata["labels"]["borough.dev/backup"] = "none"
        return k8s.core.v1.PersistentVolumeClaim(
            "evidence",
            metadata=metadata,
            spec={
                "accessModes": ["ReadWriteMany" if shared else "ReadWriteOnce"],
                "resources": {"requests": {"storage": f"{self._inputs['evidence_gb']}Gi"}},
                **({"storageClassName": kind} if kind else {}),
            },
            opts=cluster.options,
        )

    def _secret(self, key: str) -> Object:
        name = self._database.credentials.metadata.name
        return {"valueFrom": {"secretKeyRef": {"name": name, "key": key}}}

    def _environment(self) -> list[Object]:
        platform = str(self._cluster.facts.get("platform_url", ""))
        deployment = self._cluster.context.deployment["id"]
        named: dict[str, Object] = {
            "HOME": {"value": "/data"},
            "HOST": {"value": "0.0.0.0"},  # noqa: S104 - in its pod; a NetworkPolicy opens it
            "PORT": {"value": str(PORT)},
            "DATABASE_URL": self._secret("database-url"),
            "SECRET_KEYS": self._secret("secret-keys"),
            "ADMINISTRATOR": {"value": self.ADMINISTRATOR},
            "ADMINISTRATOR_PASSWORD": self._secret("administrator-password"),
            "MOST_CAMERAS": {"value": str(self._inputs["cameras"])},
            "HIGHEST_TIER": {"value": self._inputs["tier"]},
            "PLATFORM_URL": {"value": platform},
            "USAGE_SECONDS": {"value": str(self._cluster.facts.get("video_usage_seconds", 300))},
            "PLATFORM_TOKEN": self._secret("platform-token"),
            "PLATFORM_RESOURCE": {"value": deployment},
        }
        return [{"name": f"BOROUGH_VIDEO_{name}", **value} for name, value in named.items()]

    def _box(self, verb: list[str], size: dict[str, str], **more: Any) -> Object:  # noqa: ANN401
        return container(
            verb[0],
            self._image,
            "",
            size,
            # The image's own program, not a script.
            command=["borough-video"],
            args=verb,
            env=self._environment(),
            volumeMounts=[
                {"name": "data", "mountPath": "/data"},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
            ],
            **more,
        )

    def _pod(self, box: Object, **more: Any) -> Object:  # noqa: ANN401
        cluster = self._cluster
        # A volume that only one node can mount keeps all its pods on one node.
        chosen = {"app.kubernetes.io/name": cluster.name}
        together = {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {
                            "matchLabels": chosen,
                            "matchExpressions": [
                                {
                                    "key": "app.kubernetes.io/component",
                                    "operator": "In",
                                    "values": ["api", "worker"],
                                }
                            ],
                        },
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }
        return cluster.pod(
            self._account,
            int(cluster.facts.get("video_uid", _USER)),
            [box],
            [
                {
                    "name": "data",
                    "persistentVolumeClaim": {"claimName": self._evidence.metadata.name},
                },
                {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
            ],
            **({} if cluster.facts.get("shared_volumes") else {"affinity": together}),
            **more,
        )

    # What runs -------------------------------------------------------------------------------

    def _migration(self) -> Any:  # noqa: ANN401
        """Declare the job that brings the schema to that of the image, before the image runs."""
        cluster = self._cluster
        mark = digest(self._image)
        box = self._box(["db", "upgrade"], _MIGRATION)
        box["volumeMounts"] = [box["volumeMounts"][1]]
        # A Job cannot change: it is told nothing that may, and its name is that of its image.
        kept = ("BOROUGH_VIDEO_DATABASE_URL", "BOROUGH_VIDEO_SECRET_KEYS")
        box["env"] = [e for e in box["env"] if e["name"] in kept]
        box["env"].append({"name": "BOROUGH_VIDEO_HOME", "value": "/tmp/home"})  # noqa: S108
        pod = cluster.pod(
            self._account,
            int(cluster.facts.get("video_uid", _USER)),
            [box],
            [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
            restartPolicy="OnFailure",
        )
        return k8s.batch.v1.Job(
            "migration",
            metadata=cluster.metadata(
                "migration", f"migration-{mark[:8]}", "migration", cluster.waiting()
            ),
            spec={
                "backoffLimit": 20,
                "template": {
                    "metadata": labelled(cluster, "migration", "migration"),
                    "spec": pod,
                },
            },
            opts=cluster.after(self._database.server),
        )

    def _serving(self, migration: Any) -> None:  # noqa: ANN401
        cluster = self._cluster
        probe = {"httpGet": {"path": "/readyz", "port": "http"}}
        alive = {"httpGet": {"path": "/healthz", "port": "http"}}
        box = self._box(
            ["serve"],
            _API,
            ports=[{"name": "http", "containerPort": PORT}],
            startupProbe={**alive, "periodSeconds": 3, "failureThreshold": 100},
            readinessProbe={**probe, "periodSeconds": 5, "timeoutSeconds": 5},
            livenessProbe={**alive, "periodSeconds": 20, "timeoutSeconds": 10},
        )
        self._deployment("api", 2, self._pod(box, terminationGracePeriodSeconds=30), migration)
        self._budget("api")
        cluster.opening("reach-api", "api", [PORT], everyone=self._inputs["reach"] == "city")

    def _working(self, migration: Any) -> None:  # noqa: ANN401
        cluster = self._cluster
        box = self._box(["worker"], SIZES[self._inputs["worker_size"]])
        pod = self._pod(box, terminationGracePeriodSeconds=_GRACE_SECONDS)
        most = self._inputs["workers_most"]
        # Above one, their number is the autoscaler's.
        made = self._deployment("worker", 1 if most == 1 else None, pod, migration)
        self._budget("worker")
        if most > 1:
            k8s.autoscaling.v2.HorizontalPodAutoscaler(
                "worker-scaling",
                metadata=cluster.metadata("worker-scaling", "worker", "worker"),
                spec={
                    "scaleTargetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": made.metadata.name,
                    },
                    "minReplicas": 1,
                    "maxReplicas": most,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "averageUtilization": 70},
                            },
                        }
                    ],
                    # Shards move at each change: slowly back, so that they do not wander.
                    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
                },
                opts=cluster.options,
            )
        k8s.networking.v1.NetworkPolicy(
            "reach-worker",
            metadata=cluster.metadata("reach-worker", "reach-worker", "worker"),
            spec={
                "podSelector": {"matchLabels": cluster.selector("worker")},
                "policyTypes": ["Ingress"],
                "ingress": [],
            },
            opts=cluster.options,
        )

    def _deployment(
        self, part: str, replicas: int | None, pod: Object, after: pulumi.Resource
    ) -> Any:  # noqa: ANN401
        cluster = self._cluster
        return k8s.apps.v1.Deployment(
            part,
            metadata=cluster.metadata(part, part, part, cluster.waiting()),
            spec={
                **({} if replicas is None else {"replicas": replicas}),
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
                "selector": {"matchLabels": cluster.selector(part)},
                "template": {"metadata": labelled(cluster, part, part), "spec": pod},
            },
            opts=cluster.after(after),
        )

    def _budget(self, part: str) -> None:
        cluster = self._cluster
        k8s.policy.v1.PodDisruptionBudget(
            f"{part}-budget",
            metadata=cluster.metadata(f"{part}-budget", part, part),
            spec={"selector": {"matchLabels": cluster.selector(part)}, "maxUnavailable": 1},
            opts=cluster.options,
        )

    def _service(self) -> pulumi.Output[str] | str:
        """Declare where the pages answer, and return their address.

        A region with ``node_address`` is reached through its nodes' ports, one with
        ``ingress_domain`` through its Ingress, any other from inside the cluster.
        """
        cluster = self._cluster
        node = cluster.facts.get("node_address")
        domain = cluster.facts.get("ingress_domain")
        outside = self._inputs["reach"] == "city"
        service = k8s.core.v1.Service(
            "service",
            metadata=cluster.metadata("service", "", "api", cluster.waiting()),
            spec={
                "type": "NodePort" if node and outside else "ClusterIP",
                "selector": cluster.selector("api"),
                "ports": [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}],
            },
            opts=cluster.options,
        )
        if node and outside:
            port = service.spec.ports[0].node_port
            return port.apply(lambda number: f"http://{node}:{number}/")
        if domain and outside:
            host = f"{cluster.name}-{cluster.namespace}.{domain}"
            self._ingress(host)
            return f"https://{host}/"
        return f"http://{cluster.named()}.{cluster.namespace}.svc:{PORT}/"

    def _ingress(self, host: str) -> None:
        cluster = self._cluster
        kind = cluster.facts.get("ingress_class")
        backend: Object = {"service": {"name": cluster.named(), "port": {"name": "http"}}}
        k8s.networking.v1.Ingress(
            "ingress",
            metadata=cluster.metadata("ingress", "", "api", cluster.waiting()),
            spec={
                **({"ingressClassName": kind} if kind else {}),
                "tls": [{"hosts": [host]}],
                "rules": [
                    {
                        "host": host,
                        "http": {
                            "paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]
                        },
                    }
                ],
            },
            opts=cluster.options,
        )
