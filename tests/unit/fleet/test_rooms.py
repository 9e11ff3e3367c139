"""What clouds say of their machines, in the forms that their APIs have."""

from decimal import Decimal
from typing import Any

import pytest

from control_plane.adapters.kubernetes.rooms import measured
from control_plane.adapters.openstack.rooms import compute, storage
from control_plane.provisioning.fleet.model import Measured


def inventory(total: int, reserved: int, ratio: float) -> dict[str, Any]:
    return {"total": total, "reserved": reserved, "allocation_ratio": ratio, "step_size": 1}


def test_placement_gives_what_is_not_reserved_times_its_ratio() -> None:
    providers = [
        (
            {"VCPU": inventory(32, 2, 4.0), "MEMORY_MB": inventory(65536, 512, 1.5)},
            {"VCPU": 10, "MEMORY_MB": 20480, "DISK_GB": 40},
        ),
        ({"VCPU": inventory(8, 0, 1.0)}, {}),
        ({"CUSTOM_IRON": inventory(1, 0, 1.0)}, {"CUSTOM_IRON": 1}),
    ]
    assert compute(providers) == {
        "vcpus": Measured(Decimal(128), Decimal(10)),
        "ram_gb": Measured(Decimal("95.25"), Decimal(20)),
    }
    assert compute([]) == {}


def test_pools_of_volumes() -> None:
    thin = {
        "total_capacity_gb": 100.0, "free_capacity_gb": 90, "provisioned_capacity_gb": 150.5,
        "thin_provisioning_support": True, "max_over_subscription_ratio": "20.0",
    }  # fmt: skip
    thick = {"total_capacity_gb": 50, "free_capacity_gb": 20, "thin_provisioning_support": False}
    pools = [{"name": "a", "capabilities": thin}, {"name": "b", "capabilities": thick}]
    assert storage(pools) == Measured(Decimal(2050), Decimal("180.5"))


@pytest.mark.parametrize("said", ["unknown", "infinite", None, True])
def test_a_pool_that_does_not_know_its_size(said: object) -> None:
    assert storage([{"capabilities": {"total_capacity_gb": said}}, {}]) is None


def test_nodes_that_take_pods() -> None:
    nodes = [
        ({"cpu": "3920m", "memory": "16Gi"}, True),
        ({"cpu": "4", "memory": "8388608Ki"}, True),
        ({"cpu": "64", "memory": "1Ti"}, False),
    ]
    requests = [{"cpu": "250m", "memory": "512Mi"}, {"memory": "1G"}, {"cpu": "1"}]
    found = measured(nodes, requests)
    assert found["k8s_cpu"] == Measured(Decimal("7.92"), Decimal("1.25"))
    assert found["k8s_memory_gb"].total == 24
    assert round(found["k8s_memory_gb"].used, 4) == Decimal("1.4313")
