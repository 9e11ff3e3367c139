"""What blueprints' own tests need: their programs evaluated, without any cloud."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.ports import (
    DeploymentContext,
    Program,
    RegionAccess,
    Run,
    StackRef,
)

FOLDER = Path(__file__).parent
FACTS: dict[str, Any] = {
    "openstack": {
        "auth_url": "http://identity.example/v3",
        "region_name": "RegionOne",
        "roles": {"member": "role-1", "load-balancer_member": "role-2", "admin": "role-3"},
        "external_network_id": "net-out",
        "external_network_name": "out",
        "images": {"default": "img-1"},
        "flavors": {
            size: {"id": f"flavor-{size}", "vcpus": n, "ram_gb": 2 * n, "disk_gb": 20}
            for size, n in {"s": 1, "m": 2, "l": 4, "xl": 8}.items()
        },
        "volume_types": {"standard": "disks", "fast": "solid"},
        "object_storage": {
            "s3_url": "http://objects.example",
            "policies": {"standard": "three-copies", "archive": "erasure-coded"},
        },
        "bare_servers": {
            "general": {"id": "metal-general", "cores": 64, "memory_gb": 512, "registered": 8},
            "storage": {"id": "metal-storage", "cores": 32, "disk_tb": 200, "image": "default"},
        },
    },
    "kubernetes": {},
}
PLACE = {
    "project_id": "project-1",
    "user_name": "health-user",
    "network_id": "net-1",
    "subnet_id": "subnet-1",
    "namespace": "health",
}
SECRETS = {
    "region": "administrators-password",
    "tenancy": "tenants-password",
    "kubeconfig": "apiVersion: v1  # with a client key",
}

Evaluate = Callable[..., Graph]


@pytest.fixture(scope="session")
def program_host() -> Iterator[ProgramHost]:
    """A warm host for all blueprints."""
    host = ProgramHost()
    yield host
    host.close()


@pytest.fixture
def region_facts() -> dict[str, Any]:
    """The plain facts of the region, for a test to change."""
    return copy.deepcopy(FACTS)


@pytest.fixture
def input_schema() -> Callable[[str], dict[str, Any]]:
    """The JSON Schema of a blueprint's inputs."""

    def read(blueprint: str) -> dict[str, Any]:
        text = (FOLDER / blueprint / "blueprint.yaml").read_text(encoding="utf-8")
        found: dict[str, Any] = yaml.safe_load(text)["inputs"]
        return found

    return read


@pytest.fixture
def run_of() -> Callable[..., Run]:
    """Make a run of a blueprint; keywords but ``facts`` and ``kinds`` are its inputs."""

    def make(
        blueprint: str,
        *,
        facts: dict[str, Any] | None = None,
        kinds: frozenset[str] = frozenset({"openstack", "kubernetes"}),
        **inputs: Any,  # noqa: ANN401
    ) -> Run:
        return Run(
            stack=StackRef("dep_1", blueprint, "dep_1"),
            program=Program(FOLDER / blueprint, "sha256:test"),
            inputs=inputs,
            region=RegionAccess(
                "reg_1",
                kinds,
                facts or FACTS,
                {
                    "openstack": {"user_name": "admin", "password": SECRETS["region"]},
                    "kubernetes": {"kubeconfig": SECRETS["kubeconfig"]},
                },
            ),
            deployment=DeploymentContext(
                "dep_1",
                "shop",
                "health",
                {"department": "health"},
                "a-seed-that-is-long-enough-for-everybody",
                PLACE,
                {"user_password": SECRETS["tenancy"]},
            ),
        )

    return make


@pytest.fixture
def evaluated(program_host: ProgramHost, run_of: Callable[..., Run]) -> Evaluate:
    """Evaluate a blueprint with inputs."""

    def evaluated(blueprint: str, **settings: Any) -> Graph:  # noqa: ANN401
        return evaluate(program_host, run_of(blueprint, **settings), b"k" * 32)

    return evaluated
