"""What the real clouds say of their machines."""

from typing import Any

import kubernetes
import pytest

from control_plane.adapters.kubernetes.rooms import KubernetesRooms
from control_plane.adapters.openstack.rooms import OpenStackRooms
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Unavailable
from tests.integration.conftest import Devcloud


@pytest.fixture
def access(devcloud: Devcloud, osdev: Any) -> RegionAccess:
    auth = osdev.config.config["auth"]
    return RegionAccess(
        "reg_devcloud",
        frozenset({"openstack", "kubernetes"}),
        {"openstack": {"auth_url": devcloud.auth_url, "region_name": devcloud.region}},
        {
            "openstack": {
                "user_name": auth["username"],
                "password": auth["password"],
                "project_name": auth["project_name"],
            },
            "kubernetes": {"kubeconfig": devcloud.kubeconfig.read_text()},
        },
    )


def running(osdev: Any) -> set[str]:
    return {s.id for s in osdev.compute.servers(all_projects=True) if s.status == "ACTIVE"}


def test_openstack_says_what_its_machines_have(access: RegionAccess, osdev: Any) -> None:
    # Other tests have their servers there too: those count that run before and after.
    before = running(osdev)
    found = OpenStackRooms().read(access)
    after = running(osdev)
    hosts = len(list(osdev.compute.hypervisors()))
    assert hosts > 0
    assert found["vcpus"].total >= hosts
    assert found["ram_gb"].total > 0
    assert 0 <= found["vcpus"].used <= found["vcpus"].total
    assert found["vcpus"].used >= len(before & after)


def test_kubernetes_says_what_its_nodes_have(
    access: RegionAccess, kube: kubernetes.client.ApiClient
) -> None:
    found = KubernetesRooms().read(access)
    (node, *_) = kubernetes.client.CoreV1Api(kube).list_node().items
    assert found["k8s_cpu"].total >= kubernetes.utils.parse_quantity(node.status.allocatable["cpu"])
    assert found["k8s_memory_gb"].total > 0
    assert found["k8s_cpu"].used <= found["k8s_cpu"].total


def test_a_cloud_that_is_not_there_is_unavailable(access: RegionAccess) -> None:
    config = {"openstack": {"auth_url": "http://127.0.0.1:9/v3"}}
    with pytest.raises(Unavailable):
        OpenStackRooms().read(RegionAccess("reg_x", access.kinds, config, access.credentials))
    secret = {"kubernetes": {"kubeconfig": "apiVersion: v1"}}
    with pytest.raises(Unavailable):
        KubernetesRooms().read(RegionAccess("reg_x", access.kinds, {}, secret))
