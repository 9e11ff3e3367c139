"""Pages and API, and the workers, of one image, with the volume that they share."""

from typing import Any, ClassVar

import pulumi_kubernetes as k8s
from database import Database
from kube import Cluster, Object
from workload import Workload

PORT = 8090
#: What one of them requests; memory is also its limit.
SIZES = {
    "xs": {"cpu": "250m", "memory": "1Gi"},
    "s": {"cpu": "1", "memory": "2Gi"},
    "m": {"cpu": "2", "memory": "4Gi"},
    "l": {"cpu": "4", "memory": "8Gi"},
}
_API = {"cpu": "250m", "memory": "512Mi"}
_USER = 65532
#: A worker gives its shards back and finishes what it writes.
_GRACE_SECONDS = 45
#: Shards move at each change: slowly back, so that they do not wander.
_CALM_SECONDS = 600


class Video:
    """The workload on its database.

    Attributes:
        url: where its pages answer.
    """

    ADMINISTRATOR: ClassVar[str] = "administrator"

    def __init__(self, cluster: Cluster, account: Any, database: Database) -> None:  # noqa: ANN401
        self._cluster = cluster
        self._inputs = cluster.context.inputs
        self._evidence = self._claim()
        self._workload = Workload(
            cluster,
            account,
            database,
            command="borough-video",
            prefix="BOROUGH_VIDEO_",
            image=str(cluster.facts.get("video_image", "borough/video-analytics:1")),
            user=int(cluster.facts.get("video_uid", _USER)),
            environment={
                "HOME": {"value": "/data"},
                "HOST": {"value": "0.0.0.0"},  # noqa: S104 - in its pod; a NetworkPolicy opens it
                "PORT": {"value": str(PORT)},
                "ADMINISTRATOR": {"value": self.ADMINISTRATOR},
                "MOST_CAMERAS": {"value": str(self._inputs["cameras"])},
                "HIGHEST_TIER": {"value": self._inputs["tier"]},
                "USAGE_SECONDS": {"value": str(cluster.facts.get("video_usage_seconds", 300))},
            },
        )
        self._serving()
        self._working()
        outside = self._inputs["reach"] == "city"
        self.url = self._workload.service("service", "api", PORT, outside=outside)

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

    def _box(self, verb: str, size: dict[str, str], **more: Any) -> Object:  # noqa: ANN401
        mounts = [{"name": "data", "mountPath": "/data"}]
        return self._workload.box([verb], size, mounts, **more)

    def _pod(self, box: Object, **more: Any) -> Object:  # noqa: ANN401
        cluster = self._cluster
        # A volume that only one node can mount keeps all its pods on one node.
        parts = {
            "key": "app.kubernetes.io/component",
            "operator": "In",
            "values": ["api", "worker"],
        }
        together = {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {
                            "matchLabels": {"app.kubernetes.io/name": cluster.name},
                            "matchExpressions": [parts],
                        },
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }
        claim = {"claimName": self._evidence.metadata.name}
        return self._workload.pod(
            box,
            [{"name": "data", "persistentVolumeClaim": claim}],
            **({} if cluster.facts.get("shared_volumes") else {"affinity": together}),
            **more,
        )

    def _serving(self) -> None:
        box = self._box("serve", _API, ports=[{"name": "http", "containerPort": PORT}])
        pod = self._pod(box, terminationGracePeriodSeconds=30)
        self._workload.serving("api", box, 2, pod)
        everyone = self._inputs["reach"] == "city"
        self._cluster.opening("reach-api", "api", [PORT], everyone=everyone)

    def _working(self) -> None:
        box = self._box("worker", SIZES[self._inputs["worker_size"]])
        pod = self._pod(box, terminationGracePeriodSeconds=_GRACE_SECONDS)
        most = self._inputs["workers_most"]
        # Above one, their number is the autoscaler's.
        made = self._workload.deployment("worker", 1 if most == 1 else None, pod)
        if most > 1:
            self._workload.scaling("worker", made, 1, most, _CALM_SECONDS)
        self._workload.closed("worker")
