"""What the inventory's resources in an OpenStack region used, from OpenStack's own times."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from control_plane.adapters.openstack.lives import (
    Hourly,
    Life,
    alike,
    instant,
    server_life,
)
from control_plane.metering.model import Observation
from control_plane.provisioning.graph import ResourceNode
from control_plane.provisioning.model import Resource
from control_plane.provisioning.ports import RegionAccess
from control_plane.provisioning.usage_map import (
    CONTAINER,
    FLOATING_IP,
    LOAD_BALANCER,
    SERVER,
    VOLUME,
    usage,
)
from foundation.kernel.time import Interval

_SHELVING = {"shelve", "shelveOffload"}

Record = Mapping[str, Any]


class Cloud(Protocol):
    """What the collector reads; ``CloudReader`` is one."""

    def servers(self, changed_since: datetime | None = None) -> Sequence[Record]: ...

    def actions(self, server: str) -> Sequence[Record]: ...

    def action(self, server: str, request: str) -> Record: ...

    def volumes(self) -> Sequence[Record]: ...

    def floating_ips(self) -> Sequence[Record]: ...

    def load_balancers(self) -> Sequence[Record]: ...

    def close(self) -> None: ...


def connect(access: RegionAccess) -> Cloud:
    """Connect to a region's OpenStack."""
    from control_plane.adapters.openstack.reader import (  # noqa: PLC0415 - keystoneauth is large
        CloudReader,
    )

    return CloudReader(access)


class OpenStackCollector:
    """Implements metering's ``Collector``.

    Args:
        access: A region with its credentials, by id.
        inventory: The resources of a region that lived at a time or later.
        at_work: The deployments of a region that an operation works on now.
        connect: Makes the connection to a region.
    """

    def __init__(
        self,
        access: Callable[[str], RegionAccess],
        inventory: Callable[[str, datetime], Sequence[Resource]],
        at_work: Callable[[str], frozenset[str]],
        connect: Callable[[RegionAccess], Cloud] = connect,
    ) -> None:
        self._access = access
        self._inventory = inventory
        self._at_work = at_work
        self._connect = connect

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """See the port."""
        # Asked before the inventory: what has settled since is then in the inventory.
        at_work = self._at_work(region_id)
        known = [r for r in self._inventory(region_id, window.start) if r.type in _TYPES]
        if not known:
            return []
        access = self._access(region_id)
        cloud = self._connect(access)
        try:
            return list(_Reading(cloud, access.config, known, at_work, window).observations())
        finally:
            cloud.close()


class _Reading:
    """One look at a region."""

    def __init__(
        self,
        cloud: Cloud,
        facts: Mapping[str, Any],
        known: Sequence[Resource],
        at_work: frozenset[str],
        window: Interval,
    ) -> None:
        self._at_work = at_work
        self._cloud = cloud
        self._facts = facts
        self._known = known
        self._window = window

    def observations(self) -> Iterator[Observation]:
        """Everything that was used in the window."""
        for type_ in sorted({r.type for r in self._known}):
            resources = [r for r in self._known if r.type == type_]
            own = {SERVER: self._servers, CONTAINER: self._recorded}
            lives = own.get(type_, self._things)
            for resource, life in lives(type_, resources):
                for part, hourly in life.parts(resource, self._window):
                    for each in hourly:
                        yield Observation(
                            resource.id, each.meter, each.dimensions, each.per_hour, part
                        )

    def _servers(
        self, _type: str, resources: Sequence[Resource]
    ) -> Iterator[tuple[Resource, Life]]:
        living = {str(s["id"]): s for s in self._cloud.servers()}
        changed = {str(s["id"]): s for s in self._cloud.servers(self._window.start)}
        for resource, record in _claimed(resources, {**changed, **living}):
            if record is None:
                gone = self._gone(resource)
                if gone is not None:
                    yield resource, gone
                continue
            server = str(record["id"])
            size = self._size(resource, record)
            # Of a server that nothing ever happened to, the record says it all.
            told = server in changed or resource.history or _resized(resource, size)
            actions = self._cloud.actions(server) if told else ()
            events = {
                str(a["request_id"]): self._cloud.action(server, str(a["request_id"]))["events"]
                for a in actions
                if a["action"] in _SHELVING
            }
            life = server_life(record, actions, events, size)
            if life is not None:
                yield resource, life

    def _gone(self, resource: Resource) -> Life | None:
        """A server that neither lives nor ended in the window; None when it ended before."""
        if resource.deleted_at is None or self._cloud.actions(resource.physical_id):
            return None
        # OpenStack has cleaned its deleted rows up; what the inventory knows holds.
        return Life(resource.created_at, resource.deleted_at)

    def _size(self, resource: Resource, record: Record) -> Hourly | None:
        """What a server uses by the flavor that it has now; None when it is gone."""
        flavor = (record.get("flavor") or {}).get("id")
        if flavor is None or record.get("OS-SRV-USG:terminated_at"):
            return None
        inputs = {"flavorId": flavor}
        return usage(ResourceNode(resource.urn, resource.name, SERVER, inputs), self._facts)

    def _things(self, type_: str, resources: Sequence[Resource]) -> Iterator[tuple[Resource, Life]]:
        records = {str(t["id"]): t for t in _LISTS[type_](self._cloud)}
        for resource, record in _claimed(resources, records):
            if record is not None:
                created = instant(record.get("created_at")) or resource.created_at
                yield resource, Life(created)
            elif resource.deleted_at is not None or resource.deployment_id in self._at_work:
                # Nothing keeps account of its end: it counts until the platform has confirmed it.
                yield resource, Life(resource.created_at, resource.deleted_at)
            # Gone behind the platform's back: nobody knows when; drift shows it.

    @staticmethod
    def _recorded(_type: str, resources: Sequence[Resource]) -> Iterator[tuple[Resource, Life]]:
        """What only its own project may look at: it counts as the inventory has it.

        Between its creation and the end of that operation it does not count yet.
        """
        for resource in resources:
            if resource.physical_id:
                yield resource, Life(resource.created_at, resource.deleted_at)


def _claimed(
    resources: Sequence[Resource], records: Mapping[str, Record]
) -> Iterator[tuple[Resource, Record | None]]:
    """Each resource with what OpenStack has of it; None when that is nothing.

    While an operation works, things are there whose ids the inventory does not have yet: they are
    known by the marks that every blueprint puts on what it makes.
    """
    claimed = {r.physical_id for r in resources}
    unclaimed: dict[tuple[str, str], list[Record]] = {}
    for name, record in records.items():
        if name not in claimed:
            unclaimed.setdefault(_marks(record), []).append(record)
    for resource in resources:
        known = records.get(resource.physical_id)
        if known is not None or resource.physical_id:
            yield resource, known
        if resource.deleted_at is None:
            for record in unclaimed.get((resource.deployment_id, resource.name), ()):
                yield resource, record


def _marks(record: Record) -> tuple[str, str]:
    """The deployment and the logical name that a thing carries; empty when it carries none."""
    marks = dict(record.get("metadata") or {})
    for tag in record.get("tags") or ():
        name, _, value = str(tag).partition("=")
        marks[name] = value
    return str(marks.get("borough.deployment", "")), str(marks.get("borough.resource", ""))


def _resized(resource: Resource, size: Hourly | None) -> bool:
    return size is not None and not alike(size, resource.hourly)


_LISTS: Mapping[str, Callable[[Cloud], Sequence[Record]]] = {
    VOLUME: lambda cloud: cloud.volumes(),
    "openstack:blockstorage/volumeV3:VolumeV3": lambda cloud: cloud.volumes(),
    FLOATING_IP: lambda cloud: cloud.floating_ips(),
    LOAD_BALANCER: lambda cloud: cloud.load_balancers(),
}
_TYPES = frozenset({SERVER, CONTAINER, *_LISTS})
