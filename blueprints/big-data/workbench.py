"""What the notebook and the jobs share: the volume, the image, the way to object storage."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from kube import Cluster, Object, digest

_SCRIPTS = Path(__file__).parent / "scripts"
_GROUP_READS = 0o440
USER = 65532


class Workbench:
    """Everything that pods of this deployment mount.

    Attributes:
        cluster: where they go.
        account: as whom they run.
        certificate: of the notebook.
        claim_name: the volume at ``/data``.
        started_with: another text when the scripts are others.
    """

    def __init__(
        self, cluster: Cluster, pair: tuple[pulumi.Output[str], pulumi.Output[str]]
    ) -> None:
        context = cluster.context
        self.cluster, self.inputs = cluster, context.inputs
        self.account = cluster.account()
        self.certificate = pair[0]
        claim = cluster.claim("data", "data", self.inputs["volume_gb"], "data", "none")
        self.claim_name = claim.metadata.name
        texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(_SCRIPTS.iterdir())}
        self.started_with = digest(texts)
        self._scripts = k8s.core.v1.ConfigMap(
            "scripts",
            metadata=cluster.metadata("scripts", "scripts"),
            data=texts,
            opts=cluster.options,
        )
        self._credentials = k8s.core.v1.Secret(
            "credentials",
            metadata=cluster.metadata("credentials", "credentials"),
            string_data={
                "token": context.derive("notebook"),
                "tls.crt": pair[0],
                "tls.key": pair[1],
            },
            opts=cluster.options,
        )

    @property
    def image(self) -> str:
        """The image that the region names: one with Python, Jupyter, DuckDB and boto3."""
        return str(self.cluster.facts.get("notebook_image", "quay.io/jupyter/scipy-notebook:2026"))

    @property
    def user(self) -> int:
        """The numeric user of that image's processes."""
        return int(self.cluster.facts.get("notebook_uid", USER))

    @property
    def environment(self) -> list[Object]:
        """What programs know: where data lie, and how objects are reached."""
        found: list[Object] = [
            {"name": "HOME", "value": "/tmp"},  # noqa: S108 - of the container
            {"name": "DATA", "value": "/data"},
        ]
        bucket = self.inputs.get("bucket")
        if not bucket:
            return found
        endpoint = self.inputs.get("endpoint") or self.cluster.facts.get("object_storage_url", "")
        if not endpoint:
            raise ValueError(
                "the region names no object storage for containers (object_storage_url): give the "
                "endpoint of the bucket"
            )
        found += [
            {"name": "BUCKET", "value": bucket},
            {"name": "AWS_ENDPOINT_URL_S3", "value": endpoint},
            {"name": "AWS_DEFAULT_REGION", "value": "us-east-1"},
        ]
        # Keys come from a Secret that the department puts beside, never through the platform.
        for variable, key in (
            ("AWS_ACCESS_KEY_ID", "access_key"),
            ("AWS_SECRET_ACCESS_KEY", "secret_key"),
        ):
            reference = {"name": self.inputs["bucket_secret"], "key": key, "optional": True}
            found.append({"name": variable, "valueFrom": {"secretKeyRef": reference}})
        return found

    def size(self, vcpus: int) -> dict[str, str]:
        """Return what so many cores request: four times as much memory in GiB."""
        return {"cpu": str(vcpus), "memory": f"{vcpus * 4}Gi"}

    @property
    def mounts(self) -> list[Object]:
        """Where a container has them; the token and the key are for the notebook alone."""
        return [
            {"name": "data", "mountPath": "/data"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
            {"name": "scripts", "mountPath": "/scripts", "readOnly": True},
        ]

    @property
    def volumes(self) -> list[Object]:
        """The volumes of ``mounts``."""
        return [
            {"name": "data", "persistentVolumeClaim": {"claimName": self.claim_name}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}},
            {"name": "scripts", "configMap": {"name": self._scripts.metadata.name}},
        ]

    @property
    def credentials(self) -> Object:
        """The volume with the notebook's token and key."""
        return {
            "name": "credentials",
            "secret": {
                "secretName": self._credentials.metadata.name,
                "defaultMode": _GROUP_READS,
            },
        }

    def together(self) -> dict[str, Any]:
        """Return the wish to be on the node where the volume is already mounted."""
        term = {
            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": self.cluster.name}},
            "topologyKey": "kubernetes.io/hostname",
        }
        return {
            "podAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 100, "podAffinityTerm": term}
                ]
            }
        }
