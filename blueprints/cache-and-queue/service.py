"""What the cache and the queue have in common: one server that keeps to its volume."""

from pathlib import Path
from typing import Any, ClassVar

import pulumi
import pulumi_kubernetes as k8s
from kube import Cluster, Object, container, digest, labelled

_SCRIPTS = Path(__file__).parent / "scripts"
_GROUP_READS = 0o440
_USER = 65532


class Service:
    """One server with a Service, its configuration, its credentials, and who may reach it.

    Attributes:
        NAME: of the component, and the end of its name.
        PORT: TLS only.
    """

    NAME: ClassVar[str]
    PORT: ClassVar[int]

    def __init__(
        self,
        cluster: Cluster,
        account: Any,  # noqa: ANN401
        certificate: pulumi.Output[str],
        key: pulumi.Output[str],
    ) -> None:
        self.cluster, self.context = cluster, cluster.context
        self.inputs = cluster.context.inputs
        self._account, self._certificate, self._key = account, certificate, key

    # What each of them says ------------------------------------------------------------------

    @property
    def image(self) -> str:
        """The image that the region names."""
        raise NotImplementedError

    @property
    def size(self) -> dict[str, str]:
        """What it requests."""
        raise NotImplementedError

    @property
    def settings(self) -> str:
        """Its configuration file."""
        raise NotImplementedError

    @property
    def secrets(self) -> dict[str, pulumi.Output[str]]:
        """Its credentials, by file."""
        raise NotImplementedError

    @property
    def volume_gb(self) -> int:
        """Its volume; 0 for none."""
        raise NotImplementedError

    # What is the same ------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """Where it answers."""
        return f"{self.cluster.named(self.NAME)}.{self.cluster.namespace}.svc"

    def declare(self) -> None:
        """Declare all of it."""
        cluster, name = self.cluster, self.NAME
        texts = {
            path.name: path.read_text(encoding="utf-8")
            for path in sorted(_SCRIPTS.iterdir())
            if path.name.startswith(name)
        }
        texts[f"{name}.conf"] = self.settings
        scripts = k8s.core.v1.ConfigMap(
            f"{name}-scripts",
            metadata=cluster.metadata(f"{name}-scripts", f"{name}-scripts", name),
            data=texts,
            opts=cluster.options,
        )
        credentials = k8s.core.v1.Secret(
            f"{name}-credentials",
            metadata=cluster.metadata(f"{name}-credentials", f"{name}-credentials", name),
            string_data={**self.secrets, "tls.crt": self._certificate, "tls.key": self._key},
            opts=cluster.options,
        )
        self._server(scripts, credentials, digest(texts))
        k8s.core.v1.Service(
            f"{name}-service",
            metadata=cluster.metadata(f"{name}-service", name, name, cluster.waiting()),
            spec={
                "type": "ClusterIP",
                "selector": cluster.selector(name),
                "ports": [{"name": name, "port": self.PORT, "targetPort": name, "protocol": "TCP"}],
            },
            opts=cluster.options,
        )
        cluster.opening(f"reach-{name}", name, [self.PORT], everyone=self.inputs["reach"] == "city")

    def _server(self, scripts: Any, credentials: Any, started_with: str) -> None:  # noqa: ANN401
        cluster, name = self.cluster, self.NAME
        ready = {"exec": {"command": ["/bin/sh", f"/scripts/{name}-ready.sh"]}}
        box = container(
            name,
            self.image,
            f"{name}.sh",
            self.size,
            env=[{"name": "HOST", "value": self.host}],
            ports=[{"name": name, "containerPort": self.PORT}],
            startupProbe={
                **ready,
                "periodSeconds": 3,
                "timeoutSeconds": 5,
                "failureThreshold": 100,
            },
            readinessProbe={**ready, "periodSeconds": 5, "timeoutSeconds": 5},
            livenessProbe={**ready, "periodSeconds": 20, "timeoutSeconds": 10},
            volumeMounts=[
                {"name": "data", "mountPath": "/data"},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container
                {"name": "scripts", "mountPath": "/scripts", "readOnly": True},
                {"name": "credentials", "mountPath": "/credentials", "readOnly": True},
            ],
        )
        pod = cluster.pod(
            self._account,
            int(cluster.facts.get(f"{name}_uid", _USER)),
            [box],
            [
                {"name": "data", **self._data()},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                {"name": "scripts", "configMap": {"name": scripts.metadata.name}},
                {
                    "name": "credentials",
                    "secret": {
                        "secretName": credentials.metadata.name,
                        "defaultMode": _GROUP_READS,
                    },
                },
            ],
            terminationGracePeriodSeconds=60,
        )
        k8s.apps.v1.StatefulSet(
            name,
            metadata=cluster.metadata(name, name, name, cluster.waiting()),
            spec={
                "replicas": 1,
                "serviceName": cluster.named(name),
                "selector": {"matchLabels": cluster.selector(name)},
                "template": {
                    "metadata": labelled(
                        cluster, name, name, **{"borough.dev/started-with": started_with}
                    ),
                    "spec": pod,
                },
            },
            opts=cluster.options,
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{name}-budget",
            metadata=cluster.metadata(f"{name}-budget", name, name),
            spec={"selector": {"matchLabels": cluster.selector(name)}, "maxUnavailable": 1},
            opts=cluster.options,
        )

    def _data(self) -> Object:
        if not self.volume_gb:
            return {"emptyDir": {"sizeLimit": "64Mi"}}
        claim = self.cluster.claim(
            f"{self.NAME}-data", f"{self.NAME}-data", self.volume_gb, self.NAME, "none"
        )
        return {"persistentVolumeClaim": {"claimName": claim.metadata.name}}
