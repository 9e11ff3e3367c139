from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from control_plane.adapters.kubernetes.collector import KubernetesCollector
from control_plane.adapters.kubernetes.kinds import Thing
from control_plane.metering.model import quantity_of
from control_plane.provisioning.model import (
    DeploymentId,
    InventoryState,
    MeterQuantity,
    PastUsage,
    RegionId,
    Resource,
    ResourceId,
)
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.time import Interval

DAY = datetime(2026, 11, 21, tzinfo=UTC)
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def cpu(count: int) -> tuple[MeterQuantity, ...]:
    return (MeterQuantity("urn::web", "kubernetes.cpu_requested_hours", {}, Decimal(count)),)


WEB = Resource(
    ResourceId("res_1"), DeploymentId("dep_1"), RegionId("reg_1"), "ten_1", "/city/health/",
    "urn::web", DEPLOYMENT, "application", "health/web", InventoryState.CREATED, "", cpu(2), at(1),
)  # fmt: skip


class FakeCluster:
    def __init__(self, *things: Thing) -> None:
        self._things = things
        self.closed = False

    def things(self, type_: str) -> Sequence[Thing]:
        return self._things if type_ == DEPLOYMENT else ()

    def close(self) -> None:
        self.closed = True


def used(
    cluster: FakeCluster, resource: Resource, start: float, end: float, *at_work: str
) -> Decimal:
    collector = KubernetesCollector(
        lambda region: RegionAccess(region, frozenset({"kubernetes"})),
        lambda _region, _since: [resource],
        lambda _region: frozenset(at_work),
        lambda _access: cluster,
    )
    window = Interval(at(start), at(end))
    seen = list(collector.observe("reg_1", window))
    assert cluster.closed
    assert {each.resource for each in seen} <= {"res_1"}
    return sum((quantity_of(each.per_hour, each.interval) for each in seen), Decimal(0))


def test_a_workload_counts_from_its_creation_to_its_deletion() -> None:
    there = Thing("health/web", at(1.5))
    assert used(FakeCluster(there), WEB, 0, 4) == 5
    gone = replace(WEB, state=InventoryState.DELETED, deleted_at=at(5))
    assert used(FakeCluster(), gone, 4, 8) == 2


def test_a_workload_that_was_scaled_counts_as_it_was() -> None:
    scaled = replace(WEB, hourly=cpu(5), history=(PastUsage(at(3), cpu(2)),))
    assert used(FakeCluster(Thing("health/web", at(1))), scaled, 0, 4) == 2 * 2 + 5


def test_what_is_made_counts_before_its_operation_has_ended() -> None:
    planned = replace(WEB, physical_id="", state=InventoryState.PLANNED)
    there = Thing("health/web", at(1), "dep_1", "application")
    assert used(FakeCluster(there), planned, 0, 2) == 2
    others = Thing("health/web", at(1), "dep_2", "application")
    assert used(FakeCluster(others), planned, 0, 2) == 0


def test_what_vanished_is_not_charged_to_anybody() -> None:
    assert used(FakeCluster(), WEB, 2, 4) == 0


def test_it_counts_until_its_return_is_confirmed() -> None:
    assert used(FakeCluster(), WEB, 2, 4, "dep_1") == 4
    gone = replace(WEB, state=InventoryState.DELETED, deleted_at=at(5))
    assert used(FakeCluster(), gone, 4, 8) == 2
