"""Where the files of transfers lie: on a volume, in a bucket of the region's, or nowhere."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from kube import Cluster, Object

#: Who writes, reads and sweeps them.
PARTS = ("gateway", "worker")
_GIB = 1024**3
#: Of a volume, what stays free: a twentieth, and not more than the workload's own default.
_SPARE, _SPARE_MOST = 20, _GIB
_MOUNT = "/transfers"


class Files:
    """The place of the files of batches.

    Args:
        cluster: where the workload runs.

    Attributes:
        environment: what the parts of ``PARTS`` are told, by names without the prefix.
        mounts: of their containers.
        volumes: of their pods.
        together: further fields of their pods: what one node mounts keeps them on one.

    Raises:
        ValueError: a bucket is ordered where there is no object storage.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._inputs = cluster.context.inputs
        self.environment: dict[str, Object] = {}
        self.mounts: list[Object] = []
        self.volumes: list[Object] = []
        self.together: Object = {}
        if self.there:
            (self._volume if self._inputs["transfers"] == "volume" else self._bucket)()

    @property
    def there(self) -> bool:
        """Whether there is a place at all; without one the workload refuses transfers."""
        return bool(self._inputs["transfers"] != "none")

    def _told(self, **values: object) -> None:
        self.environment |= {name: {"value": str(value)} for name, value in values.items()}

    def _volume(self) -> None:
        size = self._inputs["transfers_gb"] * _GIB
        self._told(
            # A folder in it: the volume's own belongs to the cluster.
            TRANSFER_FOLDER=f"{_MOUNT}/files",
            TRANSFER_RESERVE=min(size // _SPARE, _SPARE_MOST),
            TRANSFER_QUOTA=size,
        )
        claim = {"claimName": self._claim().metadata.name}
        self.mounts = [{"name": "transfers", "mountPath": _MOUNT}]
        self.volumes = [{"name": "transfers", "persistentVolumeClaim": claim}]
        if not self._cluster.facts.get("shared_volumes"):
            self.together = {"affinity": self._on_one_node()}

    def _claim(self) -> Any:  # noqa: ANN401
        cluster = self._cluster
        shared, kind = cluster.facts.get("shared_volumes"), cluster.facts.get("storage_class")
        metadata = cluster.metadata("transfers", "transfers", "gateway", cluster.waiting())
        # What is sent expires; who sent it has it still.
        metadata["labels"]["borough.dev/backup"] = "none"
        return k8s.core.v1.PersistentVolumeClaim(
            "transfers",
            metadata=metadata,
            spec={
                "accessModes": ["ReadWriteMany" if shared else "ReadWriteOnce"],
                "resources": {"requests": {"storage": f"{self._inputs['transfers_gb']}Gi"}},
                **({"storageClassName": kind} if kind else {}),
            },
            opts=cluster.options,
        )

    def _on_one_node(self) -> Object:
        parts = {
            "key": "app.kubernetes.io/component",
            "operator": "In",
            "values": list(PARTS),
        }
        labels = {"app.kubernetes.io/name": self._cluster.name}
        return {
            "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": labels, "matchExpressions": [parts]},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        }

    def _bucket(self) -> None:
        """Declare a bucket and a key to it, as the blueprint object-storage does."""
        # Loaded by those who order one: most deployments live on Kubernetes alone.
        import pulumi_openstack as osk  # noqa: PLC0415

        context = self._cluster.context
        facts, place = context.facts("openstack"), context.deployment["tenancy_outputs"]
        url = (facts.get("object_storage") or {}).get("s3_url")
        if not url or "openstack" not in context.region["kinds"]:
            raise ValueError("the region has no object storage with an S3 address for transfers")
        if not place.get("project_id"):
            raise ValueError("the tenancy has no project in OpenStack, so no bucket for transfers")
        options = pulumi.ResourceOptions(
            provider=osk.Provider(
                "tenant",
                auth_url=facts["auth_url"],
                region=facts.get("region_name"),
                user_name=place["user_name"],
                user_domain_name=facts.get("domain", "Default"),
                password=context.secret("tenancy", "user_password"),
                tenant_id=place["project_id"],
            )
        )
        size = self._inputs["transfers_gb"] * _GIB
        made = osk.objectstorage.Container(
            "transfers",
            name=f"{context.name}-transfers",
            # They go with the deployment, as those on a volume do.
            force_destroy=True,
            metadata={"Quota-Bytes": str(size), **_headers(context.marks("transfers"))},
            opts=options,
        )
        key = osk.identity.Ec2CredentialV3(
            "transfers-key", project_id=place["project_id"], opts=options
        )
        self._told(
            TRANSFER_S3_ENDPOINT=url,
            TRANSFER_S3_REGION=facts.get("region_name") or "us-east-1",
            TRANSFER_QUOTA=size,
        )
        self.environment["TRANSFER_S3_BUCKET"] = {"value": made.name}
        self._keep(key)

    def _keep(self, key: Any) -> None:  # noqa: ANN401
        """Declare the Secret of the bucket's key, which only the parts that need it are told."""
        cluster = self._cluster
        secret = k8s.core.v1.Secret(
            "transfers-credentials",
            metadata=cluster.metadata("transfers-credentials", "transfers"),
            string_data={
                "access-key": pulumi.Output.secret(key.access),
                "secret-key": pulumi.Output.secret(key.secret),
            },
            opts=cluster.options,
        )
        for name, entry in (("ACCESS", "access-key"), ("SECRET", "secret-key")):
            reference = {"name": secret.metadata.name, "key": entry}
            self.environment[f"TRANSFER_S3_{name}_KEY"] = {"valueFrom": {"secretKeyRef": reference}}


def _headers(marks: Mapping[str, str]) -> dict[str, str]:
    """Return marks as the store keeps them; the last one says that it is not charged by itself."""
    found = {name.title().replace(".", "-"): value for name, value in marks.items()}
    return {**found, "Borough-Included": "true"}
