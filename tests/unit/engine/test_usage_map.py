"""What resources use per hour, and take of quotas."""

from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.graph import ResourceNode
from control_plane.provisioning.usage_map import kubernetes_quantity, quota, usage

REGION: dict[str, Any] = {
    "openstack": {
        "volume_type": "standard",
        "flavors": {"m": {"id": "f-1", "vcpus": 2, "ram_gb": 4}},
    }
}


def node(type_: str, **inputs: Any) -> ResourceNode:
    return ResourceNode("urn", "name", type_, inputs)


def used(type_: str, **inputs: Any) -> dict[str, Any]:
    found = usage(node(type_, **inputs), REGION)
    return {m.meter: (dict(m.dimensions), m.per_hour) for m in found}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        ("1.5", "1.5"),
        ("1k", "1000"),
        ("2Ki", "2048"),
        ("3Mi", "3145728"),
        ("1Gi", "1073741824"),
        ("1G", "1000000000"),
        ("2Ti", "2199023255552"),
    ],
)
def test_quantities_of_kubernetes(text: str, value: str) -> None:
    assert kubernetes_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "5X", "five", "5KiB"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        kubernetes_quantity(text)


def test_a_server_by_its_flavor() -> None:
    server = "openstack:compute/instance:Instance"
    expected = {
        "server.instance_hours": ({"flavor": "m"}, Decimal(1)),
        "server.vcpu_hours": ({}, Decimal(2)),
        "server.ram_gb_hours": ({}, Decimal(4)),
    }
    assert used(server, flavorId="f-1") == expected
    assert used(server, flavorId="m") == expected
    # A flavor that the region does not list is counted by its own id; its size is not known.
    assert used(server, flavorId="x") == {"server.instance_hours": ({"flavor": "x"}, Decimal(1))}
    assert quota(node(server, flavorId="f-1"), REGION) == {
        "instances": 1,
        "vcpus": 2,
        "ram_gb": 4,
    }


def test_flavors_may_be_a_list() -> None:
    region = {"openstack": {"flavors": [{"size": "s", "vcpus": 1, "ram_gb": 2}]}}
    found = usage(node("openstack:compute/instance:Instance", flavorId="s"), region)
    assert {m.meter: m.per_hour for m in found}["server.vcpu_hours"] == 1


def test_volumes_addresses_and_balancers() -> None:
    volume = "openstack:blockstorage/volume:Volume"
    assert used(volume, size=20) == {"volume.gb_hours": ({"type": "standard"}, Decimal(20))}
    assert used(volume, size=5, volumeType="fast")["volume.gb_hours"][0] == {"type": "fast"}
    assert quota(node(volume, size=20), REGION) == {"volume_gb": 20}
    assert used("openstack:networking/floatingIp:FloatingIp") == {
        "floating_ip.hours": ({}, Decimal(1))
    }
    assert used("openstack:loadbalancer/loadBalancer:LoadBalancer") == {
        "load_balancer.hours": ({}, Decimal(1))
    }


def test_workloads_by_what_their_pods_request() -> None:
    box = {"resources": {"requests": {"cpu": "250m", "memory": "512Mi"}}}
    spec = {"replicas": 4, "template": {"spec": {"containers": [box, box]}}}
    found = usage(node("kubernetes:apps/v1:Deployment", spec=spec), {})
    assert [m.per_hour for m in found] == [Decimal(2), Decimal(4)]
    assert quota(node("kubernetes:apps/v1:Deployment", spec=spec), {}) == {
        "k8s_cpu": Decimal(2),
        "k8s_memory_gb": Decimal(4),
    }
    without = {"template": {"spec": {"containers": [{"name": "a"}]}}}
    assert usage(node("kubernetes:apps/v1:Deployment", spec=without), {}) == ()


def test_claims_and_services() -> None:
    claim = {"resources": {"requests": {"storage": "10Gi"}}, "storageClassName": "fast"}
    found = usage(node("kubernetes:core/v1:PersistentVolumeClaim", spec=claim), {})
    assert [(dict(m.dimensions), m.per_hour) for m in found] == [({"class": "fast"}, Decimal(10))]
    service = "kubernetes:core/v1:Service"
    assert usage(node(service, spec={"type": "ClusterIP"}), {}) == ()
    assert len(usage(node(service, spec={"type": "LoadBalancer"}), {})) == 1


def test_what_is_not_metered_uses_nothing() -> None:
    assert usage(node("openstack:networking/network:Network"), REGION) == ()
    assert quota(node("openstack:networking/network:Network"), REGION) == {}
