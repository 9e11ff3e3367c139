"""kill -9 of the worker at every point of every step of an order's two workflows.

Each time a second worker finishes, and what is left is what an order without a death leaves: one
service, one set of objects in the region, one encumbrance, one use of the quota, one line of each
deed in the audit log, and the same usage.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.bootstrap import Platform, open_platform
from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import City
from control_plane.entrypoints.demo.loader import load
from control_plane.settings import Settings
from foundation.access.model import AuditQuery
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.paging import PageRequest
from foundation.kernel.scratch import Scratch
from foundation.operations.jobs.durable import migrate
from marketplace.jobs import FULFIL_STEPS, PLAN_STEPS
from marketplace.model import OrderState, Wish
from tests.conftest import memory
from tests.harness.processes import WorkerProcess, preload, wait_until, workers
from tests.harness.worker import POINTS

preload("tests.harness.platform")
SYSTEM = Actor.system("test")
_ROOM = 12
ORDERED = [f"{step}:{point}" for step in PLAN_STEPS for point in POINTS]
APPROVED = [f"{step}:{point}" for step in FULFIL_STEPS for point in POINTS]
#: Of the five points of a step the two between which its effect lies. The other three differ in
#: what operations themselves have noted; ``tests/contract/operations`` kills at all of them.
TELLING = ("before-effect", "after-effect")
#: A change of the code is tried at these; all points are a rehearsal.
SHORT = {
    "price:after-effect", "operation:claimed", "apply:after-effect", "operation:before-finish@2",
}  # fmt: skip
#: Of the operation itself; the plan's comes first, the fulfilment's second.
AROUND = ["operation:claimed", "operation:before-finish", "operation:finished"]


def _person(name: str, role: str, path: str) -> Actor:
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, (Grant(role, path),))


REQUESTER = _person("requester", "member", "/city/health/")
APPROVER = _person("approver", "finance", "/city/")


@dataclass
class Left:
    """What an order has left; two orders for the same leave the same."""

    objects: Counter[str]
    created: Counter[tuple[str, str]]
    instances: int
    audit: Counter[str]
    ledger: Counter[tuple[str, Decimal, Decimal]]
    quota: dict[str, Decimal]


class Orders:
    """A city in which orders are made for the same thing again and again."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform = platform
        self.folder = folder
        self.entry = f"tests.harness.platform:jobs:{platform.settings.home}"
        self.deployments: list[str] = []
        systems = platform.tenancy.systems(SYSTEM, PageRequest(limit=200)).items
        self.system = next(one.id for one in systems if one.slug == "appointments")

    def order(self, name: str) -> str:
        """A submitted order."""
        market = self.platform.marketplace
        wish = Wish(
            offering="web-application", plan="m", tenancy="health-production", region="east",
            name=name, inputs={"servers": 2, "volume_gb": 100, "exposure": "city"},
            system=self.system, contract="CT-HEALTH", justification="It is needed.",
        )  # fmt: skip
        made = market.create_order(REQUESTER, wish)
        market.submit(REQUESTER, made.id)
        return made.id

    def state(self, order_id: str) -> OrderState:
        return self.platform.marketplace.order(REQUESTER, order_id).state

    def approve(self, order_id: str) -> None:
        review = self.platform.marketplace.approval(APPROVER, order_id)
        self.platform.marketplace.approve(APPROVER, order_id, review.plan.digest)

    def reach(self, order_id: str, state: OrderState) -> None:
        try:
            wait_until(lambda: self.state(order_id) is state, 90)
        except AssertionError:
            work = self.platform.operations.list(SYSTEM, PageRequest(), subject=order_id).items
            raise AssertionError(self.state(order_id), work) from None

    def settle(self, order_id: str) -> None:
        """Until both operations of an order have ended."""

        def ended() -> bool:
            work = self.platform.operations.list(SYSTEM, PageRequest(), subject=order_id).items
            return len(work) == 2 and all(one.state.ended for one in work)

        wait_until(ended, 90)

    def quota(self) -> dict[str, tuple[Decimal, Decimal]]:
        levels = self.platform.tenancy.quota_view(SYSTEM, "health-production")
        return {q.resource: (q.reserved, q.used) for q in levels[-1].quotas}

    def left(self, order_id: str, before: dict[str, tuple[Decimal, Decimal]]) -> Left:
        platform = self.platform
        order = platform.marketplace.order(REQUESTER, order_id)
        found = platform.provisioning.deployments(
            SYSTEM, PageRequest(), {"owner": f"instance:{order.instance_id}"}
        ).items
        assert len(found) == 1
        self.deployments.append(found[0].id)
        if len(self.deployments) > _ROOM:
            # The region has room for twenty load balancers of a tenancy.
            platform.provisioning.destroy(self.deployments.pop(0), operation=f"op_{order_id}")
        with platform.database.transaction():
            actions = platform.database.execute(
                sa.text("SELECT type, name, action FROM embedded_action WHERE deployment = :d"),
                {"d": found[0].id},
            ).all()
        resources = platform.provisioning.resources(SYSTEM, found[0].id)
        after = self.quota()
        assert all(reserved == before[name][0] for name, (reserved, _) in after.items())
        entries = platform.audit.entries(
            SYSTEM, AuditQuery(subject=order_id), PageRequest(limit=200)
        )
        ledger = platform.marketplace.ledger(APPROVER, "CT-HEALTH", PageRequest(limit=200))
        instances = platform.marketplace.instances(SYSTEM, PageRequest(limit=200)).items
        return Left(
            Counter(resource.type for resource in resources if resource.deleted_at is None),
            Counter((a.type, a.name) for a in actions if a.action == "create"),
            len([i for i in instances if i.id == order.instance_id]),
            Counter(entry.action for entry in entries.items),
            Counter(
                (line.entry.value, line.encumbered.amount, line.committed.amount)
                for line in ledger.items if line.order_id == order_id
            ),
            {name: used - before[name][1] for name, (_, used) in after.items()},
        )  # fmt: skip


def _roomy(city: City) -> City:
    """The same city with money and quota for a hundred such orders."""
    return replace(
        city,
        frameworks=tuple(replace(one, ceiling=one.ceiling * 100) for one in city.frameworks),
        contracts=tuple(
            replace(one, ceiling=one.ceiling * 50) if one.number == "CT-HEALTH" else one
            for one in city.contracts
        ),
        regions=tuple(
            replace(one, capacity={name: n * 100 for name, n in one.capacity.items()})
            for one in city.regions
        ),
        quotas=tuple(
            replace(one, limits={name: n * 100 for name, n in one.limits.items()})
            for one in city.quotas
        ),
    )


@pytest.fixture(scope="module")
def orders() -> Iterator[Orders]:
    with ExitStack() as stack:
        folder = stack.enter_context(Scratch("borough-orders-", memory())).path
        settings = Settings(home=folder / "home", simulated_time=True)
        platform = stack.enter_context(open_platform(settings))
        migrate(platform.database.engine)
        now = datetime.now(UTC)  # noqa: TID251 - the platform's own clock
        for _ in load(platform, _roomy(load_city()), now):
            pass
        yield Orders(platform, folder)


Start = Callable[..., WorkerProcess]


@pytest.fixture
def start(orders: Orders, tmp_path: Path) -> Iterator[Start]:
    with workers(orders.platform.database.url, orders.entry, tmp_path) as begin:
        yield begin


@pytest.fixture(scope="module")
def expected(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What an order leaves whose worker did not die; it passes every point there is."""
    folder = tmp_path_factory.mktemp("reference")
    before = orders.quota()
    with workers(orders.platform.database.url, orders.entry, folder) as begin:
        worker = begin("reference")
        order = orders.order("reference")
        orders.reach(order, OrderState.IN_APPROVAL)
        orders.approve(order)
        orders.reach(order, OrderState.ACTIVE)
        wait_until(lambda: worker.passed().count("operation:finished") == 2)
        assert sorted(worker.passed()) == sorted([*ORDERED, *APPROVED, *AROUND, *AROUND])
        assert worker.end() == 0
    left = orders.left(order, before)
    assert left.instances == 1
    assert left.objects
    assert set(left.created.values()) == {1}
    return left


def _telling(points: list[str]) -> list[str]:
    return [point for point in points if point.endswith(TELLING)]


def _at(points: list[str]) -> list[Any]:
    return [
        point if point in SHORT else pytest.param(point, marks=pytest.mark.rehearsal)
        for point in points
    ]


@pytest.mark.parametrize("point", _at([*_telling(ORDERED), *AROUND]))
def test_killed_while_it_is_planned(
    point: str, orders: Orders, expected: Left, start: Start
) -> None:
    before = orders.quota()
    order = orders.order("planned-" + point.replace(":", "-"))
    start("killed", "--kill", point).wait_killed()
    second = start("second")
    orders.reach(order, OrderState.IN_APPROVAL)
    orders.approve(order)
    orders.reach(order, OrderState.ACTIVE)
    orders.settle(order)
    assert orders.left(order, before) == expected
    assert second.end() == 0


@pytest.mark.parametrize("point", _at([*_telling(APPROVED), *(f"{point}@2" for point in AROUND)]))
def test_killed_while_it_is_carried_out(
    point: str, orders: Orders, expected: Left, start: Start
) -> None:
    before = orders.quota()
    order = orders.order("carried-" + point.replace(":", "-").replace("@", "-"))
    killed = start("killed", "--kill", point)
    orders.reach(order, OrderState.IN_APPROVAL)
    wait_until(lambda: "operation:finished" in killed.passed())
    orders.approve(order)
    killed.wait_killed()
    second = start("second")
    orders.reach(order, OrderState.ACTIVE)
    orders.settle(order)
    assert orders.left(order, before) == expected
    assert second.end() == 0


def test_their_usage_is_the_same(orders: Orders, expected: Left) -> None:
    """One hour later each of them has used what one order uses in an hour, once."""
    assert expected
    platform = orders.platform
    assert isinstance(platform.clock, ShiftableClock)
    hour = platform.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    platform.clock.shift_to(hour + timedelta(hours=1, minutes=5))
    region = platform.provisioning.regions(SYSTEM, PageRequest()).items[0]
    platform.metering.collect_region(region.id)
    used: dict[str, Counter[tuple[str, str]]] = {}
    for deployment in orders.deployments:
        resources = {r.id for r in platform.provisioning.resources(SYSTEM, deployment)}
        used[deployment] = _used(platform, resources, hour)
    first, *others = used.values()
    assert first
    assert others == [first] * len(others)


def _used(platform: Platform, resources: set[str], hour: datetime) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    with platform.database.transaction():
        rows: Any = platform.database.execute(
            sa.text(
                "SELECT s.meter, r.quantity FROM metering_record r"
                " JOIN metering_series s ON s.id = r.series_id"
                " WHERE s.resource_id = ANY(:resources) AND r.hour = :hour"
            ),
            {"resources": sorted(resources), "hour": hour},
        )
        for row in rows:
            # An event is spread over the hours that it touches, to nine decimals.
            found[row.meter, str(round(row.quantity, 6))] += 1
    return found
