"""What a cluster's nodes can give to pods, and what pods have asked for.

https://kubernetes.io/docs/tasks/administer-cluster/reserve-compute-resources/: ``allocatable`` is
what the scheduler gives out; it counts requests, not what is really used.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from control_plane.provisioning.fleet.model import Measured
from control_plane.provisioning.ports import RegionAccess

_GIB = Decimal(1024**3)
#: Kubernetes' names by quota resource, and how many of their units one of ours has.
_NAMES: Mapping[str, tuple[str, Decimal]] = {
    "k8s_cpu": ("cpu", Decimal(1)),
    "k8s_memory_gb": ("memory", _GIB),
}


class KubernetesRooms:
    """Asks the cluster's nodes and pods."""

    def read(self, region: RegionAccess) -> Mapping[str, Measured]:
        """See the port."""
        from control_plane.adapters.kubernetes.reader import (  # noqa: PLC0415 - 1 s of imports
            ClusterReader,
        )

        reader = ClusterReader(region)
        try:
            return measured(reader.nodes(), reader.requests())
        finally:
            reader.close()


def measured(
    nodes: Iterable[tuple[Mapping[str, str], bool]], requests: Iterable[Mapping[str, str]]
) -> dict[str, Measured]:
    """Sum what the nodes that take pods can give, and what pods ask for."""
    from kubernetes import utils  # noqa: PLC0415 - 1 s of imports

    number: Callable[[str], Decimal] = utils.parse_quantity
    giving = [allocatable for allocatable, takes in nodes if takes]
    asked = list(requests)
    found = {}
    for name, (theirs, factor) in _NAMES.items():
        total = sum((Decimal(number(n[theirs])) for n in giving if theirs in n), Decimal(0))
        used = sum((Decimal(number(r[theirs])) for r in asked if theirs in r), Decimal(0))
        found[name] = Measured(total / factor, used / factor)
    return found
