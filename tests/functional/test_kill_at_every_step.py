"""kill -9 of the worker at every point of every step of an order: another worker finishes.

Each time there is exactly one set of resources, of money and quota, and of audit entries.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from control_plane.access.model import AuditQuery
from control_plane.adapters.postgres.embedded import EmbeddedPostgres
from control_plane.bootstrap import Platform, open_platform
from control_plane.demonstration.files import load_city
from control_plane.entrypoints.demo.loader import load
from control_plane.kernel import ids
from control_plane.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from control_plane.kernel.money import Money
from control_plane.kernel.paging import PageRequest
from control_plane.operations.jobs.durable import migrate
from control_plane.operations.model import Operation, OperationState
from marketplace.jobs import FULFIL_STEPS, PLAN_STEPS
from marketplace.model import Order, OrderState, Wish
from tests.functional.kill_world import ENTRY, home_of, settings_of
from tests.harness.processes import WorkerProcess, workers
from tests.harness.worker import OUTSIDE, POINTS

REQUESTER = Actor(
    PrincipalId("per_requester"), "requester", ActorKind.PERSON, (Grant("member", "/city/health/"),)
)
FINANCE = Actor(PrincipalId("per_finance"), "finance", ActorKind.PERSON, (Grant("finance", "/"),))
SYSTEM = Actor.system("test")

#: Enumerated from the code: whatever steps a workflow announces are killed at.
PLAN_POINTS = [f"{step}:{point}" for step in PLAN_STEPS for point in POINTS] + list(OUTSIDE)
FULFIL_POINTS = [f"{step}:{point}" for step in FULFIL_STEPS for point in POINTS] + list(OUTSIDE)
#: ``THOROUGH=1`` kills at all of them; otherwise at the worst moment of every step, when its effect
#: is there and nothing knows it.
WORST = "after-effect"
THOROUGH = os.environ.get("THOROUGH") == "1"


def chosen(points: list[str]) -> list[str]:
    return [point for point in points if THOROUGH or point.endswith(f":{WORST}")]


@dataclass
class Scene:
    """One platform for all cases of this module; each case makes an order of its own."""

    platform: Platform
    url: str
    folder: Path
    orders: int = 0

    def submitted(self) -> tuple[Order, Operation]:
        self.orders += 1
        market = self.platform.marketplace
        draft = market.create_order(
            REQUESTER,
            Wish(
                offering="web-application", plan="s", tenancy="health-production", region="east",
                name=f"web-{self.orders}", inputs={"servers": 1, "volume_gb": 10},
                justification="To be killed.",
            ),
        )  # fmt: skip
        operation = market.submit(REQUESTER, draft.id)
        return market.order(REQUESTER, draft.id), operation

    def approved(self, order: Order) -> Operation:
        market = self.platform.marketplace
        planned = market.order(REQUESTER, order.id)
        done = market.approve(FINANCE, order.id, planned.digest)
        return self.platform.operations.get(SYSTEM, done.operation_id)

    def done(self, operation: Operation) -> Operation:
        ended = self.platform.operations.wait(operation.id, 120)
        assert ended.state is OperationState.SUCCEEDED, ended.error
        return ended

    def audit(self, order: Order) -> list[str]:
        page = self.platform.audit.entries(
            SYSTEM, AuditQuery(subject=order.id), PageRequest(limit=50)
        )
        return sorted(entry.action for entry in page.items)

    def real_resources(self, deployment: str) -> Counter[str]:
        """What the region itself has of a deployment, by type."""
        table = sa.table("embedded_resource", sa.column("deployment"), sa.column("type"))
        with self.platform.database.transaction():
            rows = self.platform.database.execute(
                sa.select(table.c.type).where(table.c.deployment == deployment)
            )
            return Counter(row.type for row in rows)


@pytest.fixture(scope="module")
def scene(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    name = ids.new("kill")
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE borough STRATEGY FILE_COPY")
    url = postgres.url(name)
    home_of(url).mkdir()
    try:
        with open_platform(settings_of(url), upgrade=False) as platform:
            migrate(platform.database.engine)
            now = datetime.now(UTC)  # noqa: TID251 - the product's own clock runs here
            for _ in load(platform, load_city(), now):
                pass
            _make_room(platform)
            yield Scene(platform, url, tmp_path_factory.mktemp("workers"))
    finally:
        shutil.rmtree(home_of(url), ignore_errors=True)
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _make_room(platform: Platform) -> None:
    """Money and quota for all cases."""
    contract = platform.marketplace.contract(SYSTEM, "CT-HEALTH").contract
    terms = replace(contract.terms, ceiling=Money(contract.terms.ceiling.amount * 8, "CNY"))
    platform.marketplace.amend_contract(SYSTEM, contract.id, terms=terms, reason="many orders")
    for scope in ("/city/", "/city/health/", "health-production"):
        (*_, level) = platform.tenancy.quota_view(SYSTEM, scope)
        limits = dict.fromkeys((quota.resource for quota in level.quotas), None)
        platform.tenancy.set_quota(SYSTEM, scope=scope, limits=limits)


@pytest.fixture
def start(scene: Scene) -> Iterator[Callable[..., WorkerProcess]]:
    with workers(scene.url, ENTRY, scene.folder) as start_worker:
        yield start_worker


def test_the_points_are_all_there_are(scene: Scene, start: Callable[..., WorkerProcess]) -> None:
    """The points below are those that whole runs really pass, and nothing else."""
    worker = start("only")
    order, operation = scene.submitted()
    scene.done(operation)
    scene.done(scene.approved(order))
    assert worker.end() == 0
    assert sorted(worker.passed()) == sorted(PLAN_POINTS + FULFIL_POINTS)
    check(scene, order)


@pytest.mark.parametrize("point", chosen(PLAN_POINTS))
def test_killed_while_planning(
    scene: Scene, start: Callable[..., WorkerProcess], point: str
) -> None:
    order, operation = scene.submitted()
    start("killed", "--kill", point).wait_killed()
    second = start("second")
    scene.done(operation)
    history = scene.platform.marketplace.history(SYSTEM, order.id)
    assert [t.after.value for t in history] == ["draft", "submitted", "planning", "in_approval"]
    scene.done(scene.approved(order))
    assert second.end() == 0
    check(scene, order)


@pytest.mark.parametrize("point", chosen(FULFIL_POINTS))
def test_killed_while_fulfilling(
    scene: Scene, start: Callable[..., WorkerProcess], point: str
) -> None:
    order, planning = scene.submitted()
    first = start("first")
    scene.done(planning)
    assert first.end() == 0
    operation = scene.approved(order)
    start("killed", "--kill", point).wait_killed()
    second = start("second")
    scene.done(operation)
    assert second.end() == 0
    check(scene, order)


def check(scene: Scene, order: Order) -> None:
    """The order is done, and everything of it is there once."""
    market, tenancy = scene.platform.marketplace, scene.platform.tenancy
    done = market.order(SYSTEM, order.id)
    assert done.state is OrderState.ACTIVE
    assert [t.after.value for t in market.history(SYSTEM, order.id)] == [
        "draft", "submitted", "planning", "in_approval", "approved", "provisioning", "active",
    ]  # fmt: skip
    assert scene.audit(order) == [
        "approval.decide",
        "order.activate",
        "order.create",
        "order.submit",
    ]
    assert scene.platform.audit.verify(SYSTEM).findings == ()
    # Resources: what the region has is what the inventory says and what was approved.
    document = market.order_plan(SYSTEM, order.id).document
    approved = Counter(c["type"] for c in document["provisioning"]["changes"])
    inventory = scene.platform.provisioning.resources(SYSTEM, done.deployment_id)
    assert Counter(r.type for r in inventory) == scene.real_resources(done.deployment_id)
    assert Counter(r.type for r in inventory) <= approved
    assert {r.state.value for r in inventory} == {"created"}
    # Money and quota: once each.
    entries = market.ledger(SYSTEM, "CT-HEALTH", PageRequest(limit=200)).items
    mine = [e.entry.value for e in entries if e.order_id == order.id]
    assert mine == ["commit", "encumber"]
    instances = market.instances(SYSTEM, PageRequest(limit=200)).items
    (*_, level) = tenancy.quota_view(SYSTEM, "health-production")
    used = {quota.resource: quota.used for quota in level.quotas}
    assert used["instances"] == len([i for i in instances if i.state.value == "active"])
    assert all(quota.reserved == 0 for quota in level.quotas)
