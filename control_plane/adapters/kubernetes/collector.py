"""What the inventory's workloads, claims and balancers in a cluster took, while they were there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from control_plane.adapters.kubernetes.kinds import LISTS, Thing
from control_plane.metering.model import Observation
from control_plane.provisioning.model import Resource
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.time import Interval


class Cluster(Protocol):
    """What the collector reads; ``ClusterReader`` is one."""

    def things(self, type_: str) -> Sequence[Thing]: ...

    def close(self) -> None: ...


def connect(access: RegionAccess) -> Cluster:
    """Connect to a region's cluster."""
    from control_plane.adapters.kubernetes.reader import (  # noqa: PLC0415 - 1 s of imports
        ClusterReader,
    )

    return ClusterReader(access)


class KubernetesCollector:
    """Implements metering's ``Collector``.

    Args:
        access: A region with its credentials, by id.
        inventory: The resources of a region that lived at a time or later.
        at_work: The deployments of a region that an operation works on now.
        connect: Makes the connection to a region's cluster.
    """

    def __init__(
        self,
        access: Callable[[str], RegionAccess],
        inventory: Callable[[str, datetime], Sequence[Resource]],
        at_work: Callable[[str], frozenset[str]],
        connect: Callable[[RegionAccess], Cluster] = connect,
    ) -> None:
        self._access = access
        self._inventory = inventory
        self._at_work = at_work
        self._connect = connect

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """See the port."""
        # Asked before the inventory: what has settled since is then in the inventory.
        at_work = self._at_work(region_id)
        known = [
            r
            for r in self._inventory(region_id, window.start)
            if r.type in LISTS and (r.hourly or r.history)
        ]
        if not known:
            return []
        cluster = self._connect(self._access(region_id))
        try:
            return list(_observations(cluster, known, at_work, window))
        finally:
            cluster.close()


def _observations(
    cluster: Cluster, known: Sequence[Resource], at_work: frozenset[str], window: Interval
) -> Iterator[Observation]:
    for type_ in sorted({r.type for r in known}):
        things = cluster.things(type_)
        by_id = {t.id: t for t in things}
        # While an operation works, the inventory does not have the ids yet: marks tell.
        by_marks = {(t.deployment, t.resource): t for t in things}
        for resource in known:
            if resource.type == type_:
                marks = (str(resource.deployment_id), resource.name)
                thing = by_id.get(resource.physical_id) or (
                    by_marks.get(marks) if resource.deleted_at is None else None
                )
                if thing is not None or resource.deleted_at is not None:
                    yield from _of(resource, thing.created if thing else None, window)
                elif resource.physical_id and resource.deployment_id in at_work:
                    # It counts until the platform has confirmed its end.
                    yield from _of(resource, resource.created_at, window)
                # Gone behind the platform's back: nobody knows when; drift shows it.


def _of(resource: Resource, created: datetime | None, window: Interval) -> Iterator[Observation]:
    start = resource.created_at if created is None else created.astimezone(UTC)
    changes = [past.until for past in resource.history if past.until > start]
    sizes = [past.hourly for past in resource.history if past.until > start]
    begins = [start, *changes]
    ends: list[datetime | None] = [*changes, resource.deleted_at]
    for begin, end, hourly in zip(begins, ends, [*sizes, resource.hourly], strict=True):
        if end is not None and end <= begin:
            continue
        inside = Interval(begin, end).intersection(window)
        for each in hourly if inside is not None else ():
            yield Observation(
                resource.id, each.meter, each.dimensions, each.per_hour, inside or window
            )
