from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.adapters.openstack.collector import OpenStackCollector
from control_plane.metering.model import quantity_of
from control_plane.provisioning.graph import ResourceNode
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
from control_plane.provisioning.usage_map import CONTAINER, LOAD_BALANCER, SERVER, VOLUME, usage
from foundation.kernel.time import Interval
from tests.fakes.openstack import FLAVORS, FakeOpenStack

DAY = datetime(2026, 11, 21, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "openstack": {
        "flavors": {
            "s": {"id": FLAVORS["s"], "vcpus": 1, "ram_gb": 2},
            "m": {"id": FLAVORS["m"], "vcpus": 2, "ram_gb": 4},
        }
    }
}


def at(hour: float) -> datetime:
    return DAY + timedelta(hours=hour)


def uses(flavor: str) -> tuple[MeterQuantity, ...]:
    node = ResourceNode("urn::server", "server", SERVER, {"flavorId": FLAVORS[flavor]})
    return usage(node, FACTS)


def resource(type_: str = SERVER, **changed: Any) -> Resource:
    values: dict[str, Any] = {
        "id": ResourceId("res_1"),
        "deployment_id": DeploymentId("dep_1"),
        "region_id": RegionId("reg_1"),
        "tenancy_id": "ten_1",
        "path": "/city/health/",
        "urn": "urn::server",
        "type": type_,
        "name": "server",
        "physical_id": "server-1",
        "state": InventoryState.CREATED,
        "error": "",
        "hourly": uses("s"),
        "created_at": at(0),
        "deleted_at": None,
        "history": (),
        **changed,
    }
    return Resource(**values)


def collect(
    cloud: FakeOpenStack,
    known: Sequence[Resource],
    start: float,
    end: float,
    at_work: frozenset[str] = frozenset(),
) -> Any:
    """Hours by (resource, meter, flavor) over a window, looked at when it ends."""
    cloud.now = at(end)
    collector = OpenStackCollector(
        lambda region: RegionAccess(region, frozenset({"openstack"}), FACTS),
        lambda _region, _since: known,
        lambda _region: at_work,
        lambda _access: cloud,
    )
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for seen in collector.observe("reg_1", Interval(at(start), at(end))):
        assert seen.interval.start >= at(start)
        assert seen.interval.end is not None
        assert seen.interval.end <= at(end)
        key = (seen.resource, seen.meter, seen.dimensions.get("flavor", ""))
        sums[key] += quantity_of(seen.per_hour, seen.interval)
    return sums


def hours(cloud: FakeOpenStack, known: Resource, start: float, end: float) -> dict[str, float]:
    """Instance hours by flavor."""
    found = collect(cloud, [known], start, end)
    return {
        flavor: float(amount)
        for (_, meter, flavor), amount in found.items()
        if meter == "server.instance_hours"
    }


@pytest.fixture
def cloud() -> FakeOpenStack:
    return FakeOpenStack()


def test_a_server_counts_from_the_end_of_its_creation_to_its_end(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1.5))
    cloud.delete("server-1", at(5), at(5.25))
    assert hours(cloud, resource(), 0, 4) == {"s": 2.5}
    assert hours(cloud, resource(deleted_at=at(5.3)), 4, 8) == {"s": 1.25}
    assert hours(cloud, resource(deleted_at=at(5.3)), 0, 8) == {"s": 3.75}
    assert hours(cloud, resource(deleted_at=at(5.3)), 8, 9) == {}
    assert cloud.closed == 4


def test_vcpus_and_memory_are_told_as_well(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(2), "m")
    found = collect(cloud, [resource(hourly=uses("m"))], 0, 4)
    assert {(meter, amount) for (_, meter, _), amount in found.items()} == {
        ("server.instance_hours", Decimal(2)),
        ("server.vcpu_hours", Decimal(4)),
        ("server.ram_gb_hours", Decimal(8)),
    }


def test_a_life_between_two_polls_is_not_lost(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1.1), at(1.2))
    cloud.delete("server-1", at(1.4), at(1.45))
    assert hours(cloud, resource(deleted_at=at(1.5)), 1, 2) == {"s": 0.25}


def test_a_server_that_never_ran_does_not_count(cloud: FakeOpenStack) -> None:
    cloud.fail("server-1", at(1), at(1.1))
    assert hours(cloud, resource(), 0, 4) == {}


def test_a_stopped_server_keeps_its_room_and_counts(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.stop("server-1", at(2), at(2))
    assert hours(cloud, resource(), 0, 4) == {"s": 3}


def test_a_shelved_server_does_not_count(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.shelve("server-1", at(2), at(2.5))
    cloud.unshelve("server-1", at(5), at(5), ok=False)
    cloud.unshelve("server-1", at(6), at(6.5))
    assert hours(cloud, resource(), 0, 3) == {"s": 1.5}
    assert hours(cloud, resource(), 3, 4) == {}
    assert hours(cloud, resource(), 4, 8) == {"s": 1.5}
    assert hours(cloud, resource(), 0, 8) == {"s": 3}


def test_a_resize_counts_from_its_end_even_before_it_is_written_down(
    cloud: FakeOpenStack,
) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.resize("server-1", at(3), at(3.5), "m")
    cloud.confirm("server-1", at(4.5))
    # The operation settles at 5; two polls come before.
    settled = resource(hourly=uses("m"), history=(PastUsage(at(5), uses("s")),))
    assert hours(cloud, resource(), 0, 4) == {"s": 2.5, "m": 0.5}
    assert hours(cloud, resource(), 4, 5) == {"m": 1}
    assert hours(cloud, settled, 5, 8) == {"m": 3}
    assert hours(cloud, settled, 0, 8) == {"s": 2.5, "m": 4.5}


def test_a_resize_that_was_taken_back_leaves_the_old_size(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.resize("server-1", at(3), at(3), "m")
    cloud.revert("server-1", at(4), "s")
    assert hours(cloud, resource(), 4, 8) == {"s": 4}


def test_a_resize_that_goes_on_changes_nothing_yet(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.resize("server-1", at(2), at(2), "m")
    cloud.confirm("server-1", at(2))
    settled = resource(hourly=uses("m"), history=(PastUsage(at(2.5), uses("s")),))
    cloud.resize("server-1", at(3.5), at(4.5), "s")
    assert hours(cloud, settled, 0, 4) == {"s": 1, "m": 2}


def test_rows_that_openstack_has_cleaned_up_leave_what_the_inventory_knows(
    cloud: FakeOpenStack,
) -> None:
    cloud.boot("server-1", at(1), at(1))
    cloud.purge("server-1")
    assert hours(cloud, resource(created_at=at(1), deleted_at=at(3)), 0, 4) == {"s": 2}


def test_what_the_inventory_does_not_know_is_not_metered(cloud: FakeOpenStack) -> None:
    cloud.boot("somebody-else", at(1), at(1))
    cloud.boot("server-1", at(1), at(1))
    found = collect(cloud, [resource()], 0, 4)
    assert {key[0] for key in found} == {"res_1"}


def test_what_is_made_counts_before_its_operation_has_ended(cloud: FakeOpenStack) -> None:
    """A poll falls between the boot and the end of the operation: the marks tell whose it is."""
    cloud.boot("server-1", at(1), at(1.5), marks=("dep_1", "server"))
    cloud.boot("server-9", at(1), at(1.5), marks=("dep_2", "server"))
    planned = resource(physical_id="", state=InventoryState.PLANNED)
    assert hours(cloud, planned, 0, 2) == {"s": 0.5}
    assert hours(cloud, resource(), 2, 4) == {"s": 2}
    cloud.keep("loadbalancers", "lb", at(1), tags=["borough.deployment=dep_1",
                                                   "borough.resource=balancer"])  # fmt: skip
    hourly = (MeterQuantity("urn::lb", "load_balancer.hours", {}, Decimal(1)),)
    balancer = resource(LOAD_BALANCER, physical_id="", name="balancer", hourly=hourly)
    assert sum(collect(cloud, [balancer], 0, 4).values()) == 3


def test_a_replacement_counts_before_its_operation_has_ended(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1), marks=("dep_1", "server"))
    cloud.delete("server-1", at(2), at(2))
    cloud.boot("server-2", at(2.5), at(3), marks=("dep_1", "server"))
    assert hours(cloud, resource(), 0, 4) == {"s": 2}


def test_a_quiet_server_costs_no_request_of_its_own(cloud: FakeOpenStack) -> None:
    cloud.boot("server-1", at(1), at(1))
    assert hours(cloud, resource(), 2, 4) == {"s": 2}
    assert cloud.calls == ["servers", "servers"]


GIGABYTES = (MeterQuantity("urn::data", "volume.gb_hours", {"type": "standard"}, Decimal(20)),)
MORE = (MeterQuantity("urn::data", "volume.gb_hours", {"type": "standard"}, Decimal(50)),)


def test_volumes_and_balancers_count_while_they_are_there(cloud: FakeOpenStack) -> None:
    cloud.keep("volumes", "vol", at(1.5), at(6))
    volume = resource(VOLUME, physical_id="vol", hourly=GIGABYTES)
    assert sum(collect(cloud, [volume], 0, 4).values()) == 50
    gone = resource(VOLUME, physical_id="vol", hourly=GIGABYTES, deleted_at=at(6))
    assert sum(collect(cloud, [gone], 4, 8).values()) == 40
    cloud.keep("loadbalancers", "lb", at(1))
    hourly = (MeterQuantity("urn::lb", "load_balancer.hours", {}, Decimal(1)),)
    balancer = resource(LOAD_BALANCER, physical_id="lb", hourly=hourly)
    assert sum(collect(cloud, [balancer], 0, 4).values()) == 3


def test_a_volume_that_grew_counts_as_it_was_at_each_time(cloud: FakeOpenStack) -> None:
    cloud.keep("volumes", "vol", at(1))
    grown = resource(VOLUME, physical_id="vol", hourly=MORE, history=(PastUsage(at(3), GIGABYTES),))
    assert sum(collect(cloud, [grown], 0, 4).values()) == 2 * 20 + 1 * 50


def test_a_poll_in_the_middle_of_a_return_counts_nothing_twice(cloud: FakeOpenStack) -> None:
    """The server ends at 3, the poll comes at 4, the operation settles at 5."""
    cloud.boot("server-1", at(1), at(1))
    cloud.delete("server-1", at(2.9), at(3))
    assert hours(cloud, resource(), 2, 4) == {"s": 1}
    assert hours(cloud, resource(deleted_at=at(5)), 4, 6) == {}


def test_a_volume_counts_until_its_return_is_confirmed(cloud: FakeOpenStack) -> None:
    cloud.keep("volumes", "vol", at(1), at(3))
    volume = resource(VOLUME, physical_id="vol", hourly=GIGABYTES, created_at=at(1))
    gone = resource(VOLUME, physical_id="vol", hourly=GIGABYTES, created_at=at(1), deleted_at=at(5))
    during = collect(cloud, [volume], 2, 4, frozenset({"dep_1"}))
    assert sum(during.values()) == 2 * 20
    assert sum(collect(cloud, [gone], 4, 6).values()) == 1 * 20


def test_a_container_counts_as_the_inventory_has_it(cloud: FakeOpenStack) -> None:
    """Nobody but its project may look at it, so nothing is asked."""

    def limit(gb: int) -> tuple[MeterQuantity, ...]:
        inputs = {"metadata": {"Quota-Bytes": str(gb * 1024**3)}}
        return usage(ResourceNode("urn::box", "box", CONTAINER, inputs), FACTS)

    box = resource(
        CONTAINER, hourly=limit(200), deleted_at=at(3), history=(PastUsage(at(1), limit(100)),)
    )
    found = collect(cloud, [box], 0, 5)
    assert found["res_1", "object.gb_hours", ""] == 100 + 2 * 200
    assert cloud.calls == []
    # One whose creation failed is nowhere.
    assert not collect(cloud, [resource(CONTAINER, hourly=limit(9), physical_id="")], 0, 5)


def test_a_volume_that_vanished_is_not_charged_to_anybody(cloud: FakeOpenStack) -> None:
    cloud.keep("volumes", "vol", at(1), at(2))
    volume = resource(VOLUME, physical_id="vol", hourly=GIGABYTES)
    assert collect(cloud, [volume], 3, 4) == {}


STEPS = st.lists(
    st.tuples(st.sampled_from(["stop", "shelve", "resize"]), st.integers(1, 100)), max_size=6
)


@given(STEPS, st.lists(st.integers(1, 999), max_size=8), st.booleans())
def test_any_windows_together_are_the_whole(
    steps: list[tuple[str, int]],
    cuts: list[int],
    ends: bool,  # noqa: FBT001
) -> None:
    """However a life is cut into windows, its parts add up to what one window gives."""
    cloud = FakeOpenStack()
    cloud.boot("server-1", at(1), at(1.013))
    clock, size = 2.0, "s"
    history: list[PastUsage] = []
    for what, length in steps:
        done = clock + length / 60
        if what == "stop":
            cloud.stop("server-1", at(clock), at(done))
        elif what == "shelve":
            cloud.shelve("server-1", at(clock), at(clock + length / 120))
            cloud.unshelve("server-1", at(clock + length / 100), at(done))
        else:
            history.append(PastUsage(at(done), uses(size)))
            size = "m" if size == "s" else "s"
            cloud.resize("server-1", at(clock), at(done), size)
            cloud.confirm("server-1", at(done))
        clock = done + 0.1
    deleted = at(clock + 0.2) if ends else None
    if deleted:
        cloud.delete("server-1", at(clock), deleted)
    stop = clock + 1

    def known(now: float) -> Resource:
        """The inventory as it was then: it settles when an action has ended."""
        past = tuple(p for p in history if p.until <= at(now))
        upcoming = history[len(past)].hourly if len(past) < len(history) else uses(size)
        gone = deleted if deleted and deleted <= at(now) else None
        return resource(hourly=upcoming, history=past, deleted_at=gone)

    whole = collect(cloud, [known(stop)], 0, stop)
    edges = sorted({0.0, stop, *(stop * cut / 1000 for cut in cuts)})
    parts: dict[Any, Decimal] = defaultdict(Decimal)
    for begin, end in pairwise(edges):
        for key, amount in collect(cloud, [known(end)], begin, end).items():
            parts[key] += amount
    assert {k: round(v, 6) for k, v in parts.items() if round(v, 6)} == {
        k: round(v, 6) for k, v in whole.items() if round(v, 6)
    }
