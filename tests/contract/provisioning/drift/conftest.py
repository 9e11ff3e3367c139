"""Drift over a real database and the simulated region, which tests disturb behind its back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.drift import jobs
from control_plane.provisioning.drift.model import Finding
from control_plane.provisioning.drift.service import Drift, Needs
from control_plane.provisioning.drift.store import PostgresDrift
from control_plane.provisioning.graph import Beside, Json
from control_plane.provisioning.model import Deployment, DeploymentState
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError
from foundation.kernel.paging import PageRequest
from foundation.operations.model import Operation
from tests.conftest import SettableClock
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, _admin, parts
from tests.fakes.owners import FakeOwners

KUBERNETES: Mapping[str, Any] = {
    "platform": "kubernetes", "servers": 2, "size": "s", "volume_gb": 20,
}  # fmt: skip


class _Now:
    """A context that does each step at once."""

    def __init__(self, operation: Operation, before: Callable[[str], None]) -> None:
        self.operation_id = operation.id
        self.subject = operation.subject
        self.inputs = operation.inputs
        self.steps: list[str] = []
        self._before = before

    def step(self, name: str, work: Callable[[], Any], **_: Any) -> Any:
        self._before(name)
        self.steps.append(name)
        return work()

    cleanup = step

    def emit(self, _type: str, _data: Mapping[str, Any] | None = None) -> None: ...

    def progress(self, _fraction: float) -> None: ...

    def cancelled(self) -> bool:
        return False


@dataclass
class City:
    """A world in which somebody changes things by hand."""

    world: World
    drift: Drift
    store: PostgresDrift
    owners: FakeOwners

    def deploy(self, **wish: Any) -> Deployment:
        done = self.world.apply(self.world.plan(**wish))
        assert done.state is DeploymentState.ACTIVE, done.error
        return done

    def urn(self, deployment: Deployment, name: str) -> str:
        things = self.world.engine.region.things(deployment.id)
        return next(t.urn for t in things if t.name == name)

    def tamper(self, deployment: Deployment, name: str, path: str, value: Json) -> None:
        self.world.engine.region.tamper(deployment.id, self.urn(deployment, name), path, value)

    def remove(self, deployment: Deployment, name: str) -> None:
        self.world.engine.region.remove(deployment.id, self.urn(deployment, name))

    def add(self, deployment: Deployment, holder: str, type_: str, beside: Beside) -> None:
        """Add something by hand to the deployment's thing of a type."""
        region = self.world.engine.region
        urn = next(t.urn for t in region.things(deployment.id) if t.type == holder)
        region.add_beside(deployment.id, urn, type_, beside)

    def standing(self, deployment: Deployment) -> list[Finding]:
        _, found = self.drift.of_deployment(PLATFORM, deployment.id)
        return list(found)

    def every(self, deployment: Deployment, state: str) -> list[Finding]:
        filters = {"deployment_id": deployment.id, "state": state}
        return list(self.drift.findings(PLATFORM, PageRequest(limit=200), filters).items)

    def do(self, operation: Operation, before: Callable[[str], None] = lambda _: None) -> Any:
        """Carry an operation out; its end is written down, as a worker does."""
        ctx: Any = _Now(operation, before)
        state = "succeeded"
        try:
            return jobs.handlers(self.drift)[operation.kind].run(ctx)
        except BoroughError:
            state = "failed"
            raise
        finally:
            self.end(operation, state)

    def end(self, operation: Operation, state: str) -> None:
        with self.world.database.transaction():
            self.world.database.execute(
                sa.text("UPDATE operations_operation SET state = :state, ended_at = now()"
                        " WHERE id = :id"), {"state": state, "id": operation.id},
            )  # fmt: skip

    def check(self, deployment: Deployment) -> Any:
        return self.do(self.drift.request_check(PLATFORM, deployment.id))["outcome"]

    def repair(self, deployment: Deployment, **how: Any) -> Any:
        return self.do(self.drift.request_repair(PLATFORM, deployment.id, **how))

    def adopt(self, deployment: Deployment, *findings: Finding) -> Any:
        return self.do(
            self.drift.request_adopt(
                PLATFORM, deployment.id, findings=[f.id for f in findings], reason="it is wanted"
            )
        )

    def now(self, deployment: Deployment) -> Deployment:
        return self.world.service.deployment(PLATFORM, deployment.id)

    def quota(self, resource: str) -> Any:
        levels = self.world.tenancies.quota_view(PLATFORM, self.world.health.id)
        found = {q.resource: q.used for q in levels[-1].quotas}
        return found.get(resource, 0)

    def limit(self, **limits: str) -> None:
        self.world.tenancies.set_quota(PLATFORM, scope=self.world.health.id, limits=limits)


def _drift(world: World, owners: FakeOwners) -> Drift:
    return Drift(
        Needs(
            store=PostgresDrift(world.database), db=world.database, clock=world.clock,
            audit=world.audit, tenancy=world.tenancies, operations=world.operations,
            provisioning=world.service, owners=owners, interval=timedelta(hours=1), key=b"k" * 32,
        )
    )  # fmt: skip


@pytest.fixture(scope="session")
def furnished(postgres: EmbeddedPostgres, furnished: str, host: ProgramHost, cache: Path) -> str:
    """The name of a database with two applications in it already, made once."""
    name = ids.new("drifting")
    with _admin(postgres) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {furnished} STRATEGY FILE_COPY")
    database = Database(postgres.url(name), pool_size=2)
    made = parts(database, SettableClock(), host, cache)
    tenancies = made["tenancies"]
    world = World(
        **made,
        region=made["service"].region(PLATFORM, "east"),
        health=tenancies.tenancy(PLATFORM, "health-test"),
        water=tenancies.tenancy(PLATFORM, "water-test"),
    )
    for label, inputs in (("web", SMALL), ("app", KUBERNETES)):
        made = world.apply(world.plan(name=label, owner=f"instance:ins_{label}", inputs=inputs))
        assert made.state is DeploymentState.ACTIVE, made.error
    database.close()
    return name


@pytest.fixture
def city(world: World) -> City:
    owners = FakeOwners()
    drift = _drift(world, owners)
    return City(world, drift, PostgresDrift(world.database), owners)


def _there(city: City, name: str) -> Deployment:
    with city.world.database.transaction():
        region = city.world.region.id
        found = city.world.store.named(city.world.health.id, region, name)
    assert found is not None
    return found


@pytest.fixture
def web(city: City) -> Deployment:
    """Two small servers with a volume and a balancer, ordered as a service."""
    return _there(city, "web")


@pytest.fixture
def app(city: City) -> Deployment:
    """Two containers with a volume, ordered as a service."""
    return _there(city, "app")
