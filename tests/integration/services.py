"""A tenancy on the devcloud's Kubernetes alone, for the blueprints that live there."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes

from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult
from control_plane.provisioning.ports import RegionAccess, Run
from tests.integration.lives import make_run, succeeded, yes

ROOT = Path(__file__).resolve().parents[2]
TENANCY = {"platforms": ["kubernetes"], "vcpus": 8, "ram_gb": 16, "volume_gb": 200, "pods": 50}

#: What a region on the devcloud says of Kubernetes so that the services can be put there.
FACTS: dict[str, Any] = {
    "storage_class": "standard",
    "postgresql_image": "borough/postgresql:15",
    "cache_image": "borough/cache-and-queue:1",
    "queue_image": "borough/cache-and-queue:1",
    "notebook_image": "borough/notebook:1",
}


def build_images() -> None:
    """Build and load the services' images, as far as the cluster has them not; minutes once."""
    tool = ROOT / "devcloud" / "kubernetes" / "service_images.py"
    subprocess.run([sys.executable, str(tool)], check=True)


def build_workload_image(workload: str) -> str:
    """A bundled workload's image, built and loaded when the cluster does not have it; minutes once.

    Args:
        workload: its blueprint's name.

    Returns:
        Its name, which says what is in it: a run of the tests builds it at most once.
    """
    tool = ROOT / "devcloud" / "kubernetes" / "workload_images.py"
    command = [sys.executable, str(tool), workload]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]


def region(kubeconfig: Path, **facts: str) -> RegionAccess:
    """The devcloud as a region of Kubernetes alone.

    Args:
        kubeconfig: of its cluster.
        facts: more than ``FACTS``.
    """
    return RegionAccess(
        "reg_services",
        frozenset({"kubernetes"}),
        {"kubernetes": {**FACTS, **facts}},
        {"kubernetes": {"kubeconfig": kubeconfig.read_text(encoding="utf-8")}},
    )


class Service:
    """One deployment in a namespace, and commands inside its pods.

    Attributes:
        made: the outcome of the last apply.
    """

    def __init__(
        self,
        engine: PulumiEngine,
        kube: kubernetes.client.ApiClient,
        where: RegionAccess,
        tenancy: ApplyResult,
        *,
        blueprint: str,
        name: str,
        namespace: str,
        kubectl: Path,
    ) -> None:
        self._engine, self._kube, self._where, self._tenancy = engine, kube, where, tenancy
        self._blueprint, self.name, self.namespace = blueprint, name, namespace
        self.made: ApplyResult | None = None
        self._inputs: dict[str, Any] = {}
        self._kubectl = kubectl

    def run(self, **inputs: Any) -> Run:
        """The run with these inputs."""
        return make_run(
            self._blueprint, self.name, self._where, inputs, self._tenancy, of=self.namespace
        )

    def apply(self, **inputs: Any) -> ApplyResult:
        """Make it so."""
        self._inputs = inputs
        self.made = succeeded(self._engine.apply(self.run(**inputs), confirm=yes))
        return self.made

    def pods(self, component: str) -> list[Any]:
        """The component's pods, newest first."""
        found = kubernetes.client.CoreV1Api(self._kube).list_namespaced_pod(
            self.namespace,
            label_selector=(
                f"app.kubernetes.io/name={self.name},app.kubernetes.io/component={component}"
            ),
        )
        return sorted(found.items, key=lambda p: p.metadata.creation_timestamp, reverse=True)

    def execute(self, component: str, command: Sequence[str]) -> str:
        """What a command says in the first running pod of a component.

        Raises:
            AssertionError: it failed; the message is what it said.
        """
        running = [p for p in self.pods(component) if p.status.phase == "Running"]
        done = subprocess.run(
            [
                *(str(self._kubectl), "--namespace", self.namespace, "exec"),
                *(running[0].metadata.name, "--", *command),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_now(self, suffix: str) -> None:
        """Start a run of a CronJob now, as its schedule would."""
        batch: Any = kubernetes.client.BatchV1Api(self._kube)
        cron = batch.read_namespaced_cron_job(f"{self.name}-{suffix}", self.namespace)
        body = {
            "metadata": {
                "name": f"{self.name}-{suffix}-now",
                "namespace": self.namespace,
                # As `kubectl create job --from` does: it goes with its CronJob.
                "ownerReferences": [
                    {
                        "apiVersion": "batch/v1",
                        "kind": "CronJob",
                        "name": cron.metadata.name,
                        "uid": cron.metadata.uid,
                    }
                ],
            },
            "spec": cron.spec.job_template.spec,
        }
        batch.create_namespaced_job(self.namespace, body)

    def job(self, suffix: str) -> Any:
        """How a job of that name is."""
        batch = kubernetes.client.BatchV1Api(self._kube)
        return batch.read_namespaced_job_status(f"{self.name}-{suffix}", self.namespace).status

    def log(self, pod: Any) -> str:
        """What a pod said."""
        core = kubernetes.client.CoreV1Api(self._kube)
        return str(core.read_namespaced_pod_log(pod.metadata.name, self.namespace))

    def destroy(self) -> None:
        """Return it."""
        run = self.run(**self._inputs)
        self._engine.recover(run)
        succeeded(self._engine.destroy(run))
