"""What an OpenStack region's machines have, as Placement and Cinder say.

Placement (https://docs.openstack.org/api-ref/placement/) is what Nova schedules by: for each
provider ``(total - reserved) * allocation_ratio`` may be given out, and ``usages`` is what is.
Nova's own hypervisor figures left the API with microversion 2.88.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from control_plane.provisioning.fleet.model import Measured
from control_plane.provisioning.ports import RegionAccess

_NONE = Decimal(0)
#: Placement's resource classes by quota resource, and how many of their units one of ours has.
_CLASSES: Mapping[str, tuple[str, Decimal]] = {
    "vcpus": ("VCPU", Decimal(1)),
    "ram_gb": ("MEMORY_MB", Decimal(1024)),
}


class OpenStackRooms:
    """Asks Placement and Cinder."""

    def read(self, region: RegionAccess) -> Mapping[str, Measured]:
        """See the port."""
        from control_plane.adapters.openstack.reader import (  # noqa: PLC0415 - see the collector
            CloudReader,
        )

        reader = CloudReader(region)
        try:
            found = compute(reader.providers())
            pools = reader.pools() if "block-storage" in reader.services() else []
        finally:
            reader.close()
        volumes = storage(pools)
        return found if volumes is None else {**found, "volume_gb": volumes}


def compute(
    providers: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]],
) -> dict[str, Measured]:
    """Sum the providers of a region.

    Args:
        providers: of each its inventories and its usages, by resource class.
    """
    total = dict.fromkeys(_CLASSES, _NONE)
    used = dict.fromkeys(_CLASSES, _NONE)
    seen = set()
    for inventories, usages in providers:
        for name, (resource_class, factor) in _CLASSES.items():
            one = inventories.get(resource_class)
            if one is None:
                continue
            seen.add(name)
            whole = Decimal(one["total"]) - Decimal(one.get("reserved", 0))
            total[name] += whole * Decimal(str(one.get("allocation_ratio", 1))) / factor
            used[name] += Decimal(usages.get(resource_class, 0)) / factor
    return {name: Measured(total[name], used[name]) for name in sorted(seen)}


def storage(pools: Iterable[Mapping[str, Any]]) -> Measured | None:
    """Sum the pools of volumes; None when none of them knows its size.

    ``max_over_subscription_ratio`` widens a pool that provisions thinly; what was promised counts
    then, and not what is written.
    """
    total = used = _NONE
    known = False
    for pool in pools:
        facts = pool.get("capabilities") or {}
        capacity = _number(facts.get("total_capacity_gb"))
        if capacity is None:
            continue
        known = True
        thin = facts.get("thin_provisioning_support") is True
        ratio = _number(facts.get("max_over_subscription_ratio")) if thin else None
        total += capacity * (ratio or Decimal(1))
        promised = _number(facts.get("provisioned_capacity_gb") if thin else None)
        free = _number(facts.get("free_capacity_gb"))
        used += (
            promised if promised is not None else capacity - (capacity if free is None else free)
        )
    return Measured(total, max(_NONE, used)) if known else None


def _number(value: object) -> Decimal | None:
    """A number; Cinder also says ``unknown`` and ``infinite``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None
