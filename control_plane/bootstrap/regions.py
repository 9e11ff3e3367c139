"""What reads and asks real regions, by their kinds."""

from collections.abc import Iterable, Mapping
from itertools import chain

from control_plane.adapters.kubernetes.collector import KubernetesCollector
from control_plane.adapters.kubernetes.probe import KubernetesProbe
from control_plane.adapters.kubernetes.rooms import KubernetesRooms
from control_plane.adapters.openstack.collector import OpenStackCollector
from control_plane.adapters.openstack.probe import OpenStackProbe
from control_plane.adapters.openstack.rooms import OpenStackRooms
from control_plane.metering.model import Observation
from control_plane.metering.ports import Collector
from control_plane.provisioning.fleet.ports import RoomReader
from control_plane.provisioning.ports import RegionProbe
from control_plane.provisioning.service import Provisioning
from foundation.kernel.time import Interval


def probes() -> Mapping[str, RegionProbe]:
    """What asks a region whether it answers, by kind."""
    return {"openstack": OpenStackProbe(), "kubernetes": KubernetesProbe()}


def room_readers() -> Mapping[str, RoomReader]:
    """What asks a region's machines how much they have, by kind."""
    return {"openstack": OpenStackRooms(), "kubernetes": KubernetesRooms()}


class RealRegions:
    """Implements metering's ``Collector`` over everything that a real region has."""

    def __init__(self, provisioning: Provisioning) -> None:
        access, inventory = provisioning.region_access, provisioning.resources_in_region
        at_work = provisioning.deployments_at_work
        self._collectors: tuple[Collector, ...] = (
            OpenStackCollector(access, inventory, at_work),
            KubernetesCollector(access, inventory, at_work),
        )

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """See the port. A collector whose kind the region lacks finds nothing in the inventory."""
        return chain.from_iterable(c.observe(region_id, window) for c in self._collectors)
