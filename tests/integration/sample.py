"""The program that the tests of faults cut off (``city_sample``), and what it makes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes
from openstack.connection import Connection

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.cli import PulumiSettings, backend_url
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import ApplyResult, Preview
from control_plane.provisioning.ports import (
    DeploymentContext,
    Limits,
    Program,
    RegionAccess,
    Run,
    StackRef,
)
from foundation.kernel.database import Database

FOLDER = Path(__file__).parent / "city_sample"


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


@contextmanager
def pulumi_engine(
    host: ProgramHost, search_path: str, database_url: str, folder: Path, **settings: Any
) -> Iterator[PulumiEngine]:
    """An engine as the platform wires it, with its state in a database of the test's."""
    database, locks = Database(database_url), StackLocks(database_url)
    try:
        yield PulumiEngine(
            host,
            PulumiSettings(
                home=folder / "pulumi",
                backend_url=backend_url(database_url),
                search_path=search_path,
                install=False,
                environment={"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"},
                **settings,
            ),
            database=database,
            key=b"integration".ljust(32),
            locks=locks,
        )
    finally:
        locks.close()
        database.close()


def search_path(home: Path) -> str:
    """Where the devcloud's Pulumi is."""
    return os.pathsep.join([str(home / "bin")])


def sample_run(name: str, osdev: Connection, auth_url: str, kubeconfig: str) -> Run:
    """The sample under a name of its own, in a region that is reached at these addresses."""
    deployment = f"dep_{name.replace('-', '_')}"
    return Run(
        stack=StackRef(deployment, "city-sample", deployment),
        program=Program(FOLDER, "sha256:city-sample"),
        inputs={"maps": 3},
        region=RegionAccess(
            "reg_devcloud",
            frozenset({"openstack", "kubernetes"}),
            {
                "openstack": {
                    "auth_url": auth_url,
                    "region_name": "RegionOne",
                    "flavor_id": osdev.compute.find_flavor("city.small").id,
                    "image_id": osdev.image.find_image("debian-12").id,
                }
            },
            {"openstack": {"password": "admin-secret"}, "kubernetes": {"kubeconfig": kubeconfig}},
        ),
        deployment=DeploymentContext(deployment, name, name, {}, "sample-seed-".ljust(40, "x")),
        limits=Limits(operation_seconds=300),
    )


def in_the_clouds(name: str, osdev: Connection, kube: kubernetes.client.ApiClient) -> set[str]:
    """The id of everything of that name that is really there, as ``service/id``."""
    found = {
        *(f"network/{x.id}" for x in osdev.network.networks(name=name)),
        *(f"subnet/{x.id}" for x in osdev.network.subnets(name=name)),
        *(f"volume/{x.id}" for x in osdev.block_storage.volumes(name=name)),
        *(f"server/{x.id}" for x in osdev.compute.servers(name=f"^{name}$")),
    }
    for group in osdev.network.security_groups(name=name):
        found.add(f"group/{group.id}")
        rules = osdev.network.security_group_rules(security_group_id=group.id, direction="ingress")
        found |= {f"rule/{x.id}" for x in rules}
    core = kubernetes.client.CoreV1Api(kube)
    if not core.list_namespace(field_selector=f"metadata.name={name}").items:
        return found
    found.add(f"namespace/{name}")
    for kind in ("config_map", "secret", "service_account"):
        things = getattr(core, f"list_namespaced_{kind}")(name).items
        ours = (x for x in things if "borough.dev/deployment" in (x.metadata.labels or {}))
        found |= {f"{kind}/{name}/{x.metadata.name}" for x in ours}
    return found


_SERVICES = {
    "openstack:networking/network:Network": "network",
    "openstack:networking/subnet:Subnet": "subnet",
    "openstack:networking/secGroup:SecGroup": "group",
    "openstack:networking/secGroupRule:SecGroupRule": "rule",
    "openstack:blockstorage/volume:Volume": "volume",
    "openstack:compute/instance:Instance": "server",
    "kubernetes:core/v1:Namespace": "namespace",
    "kubernetes:core/v1:ConfigMap": "config_map",
    "kubernetes:core/v1:Secret": "secret",
    "kubernetes:core/v1:ServiceAccount": "service_account",
}
RESOURCES = 12


def in_the_state(result: ApplyResult) -> set[str]:
    """The same of what the engine says that there is."""
    return {f"{_SERVICES[o.type]}/{o.physical_id}" for o in result.outcomes if o.physical_id}
