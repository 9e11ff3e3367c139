"""The devcloud is there: each part answers as the real thing does, through the fixtures."""

import subprocess
import uuid
from pathlib import Path

import kubernetes
import pytest
from openstack.connection import Connection

from tests.integration import seeds


def test_openstack_keeps_a_project_and_its_quota(osdev: Connection) -> None:
    name = f"devcloud-{uuid.uuid4().hex[:8]}"
    project = osdev.identity.create_project(name=name)
    try:
        osdev.set_compute_quotas(project.id, cores=3)
        assert osdev.get_compute_quotas(project.id).cores == 3
    finally:
        osdev.identity.delete_project(project)
    assert not list(osdev.identity.projects(name=name))


def test_openstack_is_seeded(osdev: Connection) -> None:
    flavors = {flavor.name for flavor in osdev.compute.flavors()}
    assert set(seeds.FLAVORS) <= flavors
    (image,) = osdev.image.images(name=seeds.IMAGE)
    assert image.status == "active"
    (network,) = osdev.network.networks(name=seeds.EXTERNAL_NETWORK)
    assert network.is_router_external


def test_kubernetes_enforces_a_quota(kube: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(kube)
    name = f"devcloud-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": name}})
    try:
        core.create_namespaced_resource_quota(
            name, {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "0"}}}
        )
        with pytest.raises(kubernetes.client.ApiException, match="exceeded quota") as refusal:
            _until_refused(core, name)
        assert refusal.value.status == 403
    finally:
        core.delete_namespace(name)


def _until_refused(core: kubernetes.client.CoreV1Api, namespace: str) -> None:
    """Create config maps until one is refused; the quota counts a moment after its creation."""
    for number in range(50):
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"c{number}"}})


def test_pulumi_is_the_built_one_with_both_plugins(
    pulumi_environment: dict[str, str],
) -> None:
    done = subprocess.run(
        ["pulumi", "version"],
        env=pulumi_environment,
        executable=str(_tool(pulumi_environment, "pulumi")),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "v3.220.0"
    for plugin in ("openstack", "kubernetes"):
        assert _tool(pulumi_environment, f"pulumi-resource-{plugin}").is_file()


def _tool(environment: dict[str, str], name: str) -> Path:
    return Path(environment["BOROUGH_DEVCLOUD_HOME"], "bin", name)
