"""Quotas that hold in the simulated region: what the objects that set them say."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from control_plane.provisioning.usage_map import kubernetes_quantity

_GIB = Decimal(1024) ** 3


def _openstack_limits(names: Mapping[str, str], inputs: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return an OpenStack quota set's limits; -1 is none, and what is left out is 0."""
    found = {ours: Decimal(str(inputs.get(theirs, 0))) for theirs, ours in names.items()}
    return {name: limit for name, limit in found.items() if limit >= 0}


def _compute_limits(inputs: Mapping[str, Any]) -> dict[str, Decimal]:
    limits = _openstack_limits(
        {"cores": "vcpus", "ram": "ram_gb", "instances": "instances"}, inputs
    )
    if "ram_gb" in limits:
        limits["ram_gb"] /= 1024
    return limits


def _namespace_limits(inputs: Mapping[str, Any]) -> dict[str, Decimal]:
    hard = (inputs.get("spec") or {}).get("hard") or {}
    names = {
        "requests.cpu": ("k8s_cpu", Decimal(1)),
        "requests.memory": ("k8s_memory_gb", _GIB),
        "requests.storage": ("volume_gb", _GIB),
        "services.loadbalancers": ("load_balancers", Decimal(1)),
    }
    return {
        ours: kubernetes_quantity(hard[theirs]) / unit
        for theirs, (ours, unit) in names.items()
        if theirs in hard
    }


QUOTA_SETS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Decimal]]] = {
    "openstack:compute/quotaSetV2:QuotaSetV2": _compute_limits,
    "openstack:blockstorage/quoteSetV3:QuoteSetV3": lambda inputs: _openstack_limits(
        {"gigabytes": "volume_gb"}, inputs
    ),
    "openstack:networking/quotaV2:QuotaV2": lambda inputs: _openstack_limits(
        {"floatingip": "floating_ips"}, inputs
    ),
    "openstack:loadbalancer/quota:Quota": lambda inputs: _openstack_limits(
        {"loadbalancer": "load_balancers"}, inputs
    ),
    "kubernetes:core/v1:ResourceQuota": _namespace_limits,
}
