"""Pages and API, the worker, and the gateways, of one image."""

from typing import Any, ClassVar

from database import Database
from files import PARTS, Files
from kube import Cluster, Object
from workload import Workload

PORT = 8091
GATEWAY_PORT = 8092
#: What a gateway requests; memory is also its limit.
SIZES = {
    "xs": {"cpu": "250m", "memory": "256Mi"},
    "s": {"cpu": "1", "memory": "512Mi"},
    "m": {"cpu": "2", "memory": "1Gi"},
}
_API = {"cpu": "250m", "memory": "512Mi"}
_WORKER = {"cpu": "250m", "memory": "512Mi"}
_PREFIX = "BOROUGH_EXCHANGE_"
_USER = 65532
_GRACE_SECONDS = 45
_CALM_SECONDS = 300


class Exchange:
    """The workload on its database.

    Attributes:
        url: where its pages and its API answer.
        gateway_url: where calls for data go.
    """

    ADMINISTRATOR: ClassVar[str] = "administrator"

    def __init__(self, cluster: Cluster, account: Any, database: Database) -> None:  # noqa: ANN401
        self._cluster = cluster
        self._inputs = cluster.context.inputs
        self._everyone = self._inputs["reach"] == "city"
        self._files = Files(cluster)
        self._workload = Workload(
            cluster,
            account,
            database,
            command="borough-exchange",
            prefix=_PREFIX,
            image=str(cluster.facts.get("exchange_image", "borough/data-exchange:1")),
            user=int(cluster.facts.get("exchange_uid", _USER)),
            environment={
                "HOME": {"value": "/tmp/home"},  # noqa: S108 - of the container; it keeps no files
                "HOST": {"value": "0.0.0.0"},  # noqa: S104 - in its pod; a NetworkPolicy opens it
                "PORT": {"value": str(PORT)},
                "GATEWAY_PORT": {"value": str(GATEWAY_PORT)},
                "CHECKS_GATEWAY_URL": {"value": self._inside()},
                "ADMINISTRATOR": {"value": self.ADMINISTRATOR},
                "TRANSFERS": {"value": str(self._files.there).lower()},
                "USAGE_SECONDS": {"value": str(cluster.facts.get("exchange_usage_seconds", 300))},
                "PROVIDER_NETWORKS": {
                    "value": str(cluster.facts.get("exchange_provider_networks", ""))
                },
                "LOCAL_PROVIDERS": {
                    "value": str(cluster.facts.get("exchange_local_providers", False)).lower()
                },
            },
        )
        self._serving()
        self._working()
        self._passing()
        self.url = self._workload.service("service", "api", PORT, outside=self._everyone)
        self.gateway_url = self._workload.service(
            "gateway-service",
            "gateway",
            GATEWAY_PORT,
            outside=self._everyone,
            suffix="gateway",
        )

    def _inside(self) -> str:
        """Return where the worker's checks reach the gateways."""
        cluster = self._cluster
        return f"http://{cluster.named('gateway')}.{cluster.namespace}.svc:{GATEWAY_PORT}"

    def _answering(self, verb: str, part: str, size: dict[str, str], port: int) -> Object:
        self._cluster.opening(f"reach-{part}", part, [port], everyone=self._everyone)
        mounts = self._files.mounts if part in PARTS else ()
        ports = [{"name": "http", "containerPort": port}]
        return self._workload.box([verb], size, mounts, ports=ports)

    def _with_files(self, box: Object) -> Object:
        """Return the pod of a part that keeps files of transfers, and of which none is cut off."""
        told = self._files.environment.items()
        box["env"] += [{"name": f"{_PREFIX}{name}", **value} for name, value in told]
        return self._workload.pod(
            box,
            self._files.volumes,
            terminationGracePeriodSeconds=_GRACE_SECONDS,
            **self._files.together,
        )

    def _serving(self) -> None:
        box = self._answering("serve", "api", _API, PORT)
        pod = self._workload.pod(box, terminationGracePeriodSeconds=30)
        self._workload.serving("api", box, 2, pod)

    def _working(self) -> None:
        box = self._workload.box(["worker"], _WORKER, self._files.mounts)
        self._workload.deployment("worker", 1, self._with_files(box))
        self._workload.closed("worker")

    def _passing(self) -> None:
        """Declare the gateways, which are scaled apart from all else."""
        box = self._answering(
            "gateway", "gateway", SIZES[self._inputs["gateway_size"]], GATEWAY_PORT
        )
        pod = self._with_files(box)
        most = self._inputs["gateways_most"]
        made = self._workload.serving("gateway", box, 1 if most == 1 else None, pod)
        if most > 1:
            self._workload.scaling("gateway", made, 2, most, _CALM_SECONDS)
