"""Bindings over a real database and a database service in the simulated region."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.bindings import jobs
from control_plane.provisioning.bindings.model import Binding, BindingState
from control_plane.provisioning.bindings.service import Bindings, Needs
from control_plane.provisioning.bindings.store import PostgresBindings
from control_plane.provisioning.model import Deployment, DeploymentState
from control_plane.provisioning.store.tables import deployment_table
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError
from tests.conftest import SettableClock
from tests.contract.provisioning.conftest import PLATFORM, World, _admin, parts
from tests.fakes.owners import FakeOwners

BLUEPRINTS = Path(__file__).parents[4] / "blueprints"
DATABASE: Mapping[str, Any] = {
    "size": "s", "volume_gb": 10, "databases": ["app", "reports"], "backup_keep_days": 0,
    "users": [{"name": "legacy", "database": "app", "access": "owner", "credentials": [1]}],
}  # fmt: skip


class _Now:
    """A context that does each step at once; ``before`` may cut it off like a killed worker."""

    def __init__(self, binding: Binding, before: Callable[[str], None]) -> None:
        self.operation_id = binding.operation
        self.subject = binding.id
        self.inputs: Mapping[str, Any] = {}
        self._before = before

    def step(self, name: str, work: Callable[[], Any], **_: Any) -> Any:
        self._before(name)
        return work()

    cleanup = step

    def emit(self, _type: str, _data: Mapping[str, Any] | None = None) -> None: ...

    def progress(self, _fraction: float) -> None: ...

    def cancelled(self) -> bool:
        return False


class Killed(Exception):
    """The worker's process died here."""


@dataclass
class Office:
    """A department with a database service."""

    world: World
    bindings: Bindings
    owners: FakeOwners
    deployment: Deployment

    def do(self, binding: Binding, before: Callable[[str], None] = lambda _: None) -> Binding:
        """Carry out what was begun, as a worker does; answers the binding afterwards."""
        ctx: Any = _Now(binding, before)
        state = "succeeded"
        try:
            jobs.apply(self.bindings, self.world.service, ctx)
        except BoroughError:
            state = "failed"
            raise
        except Killed:
            state = "queued"
            raise
        finally:
            with self.world.database.transaction():
                self.world.database.execute(
                    sa.text("UPDATE operations_operation SET state = :state WHERE id = :id"),
                    {"state": state, "id": binding.operation},
                )
        return self.now(binding)

    def now(self, binding: Binding) -> Binding:
        return self.bindings.binding(PLATFORM, binding.id)

    def made(self, name: str = "portal", **wish: Any) -> Binding:
        return self.do(self.bindings.create(PLATFORM, self.deployment.id, name=name, **wish))

    def known(self) -> Binding:
        """A binding of the user that is there from the beginning; nothing has to be applied."""
        at = self.world.clock.now()
        found = Binding(
            ids.new("bnd"), self.deployment.id, self.deployment.tenancy_id, self.deployment.path,
            "legacy", "app", "owner", BindingState.ACTIVE, (1,), (1,), 1, 0, 0, None, "", "",
            "somebody", at, at, None,
        )  # fmt: skip
        with self.world.database.transaction():
            PostgresBindings(self.world.database).put(found)
        return found

    def alter(self, **inputs: Any) -> None:
        """Another wish than what was applied, as nobody but a mistake leaves it."""
        with self.world.database.transaction():
            self.world.database.execute(
                sa.update(deployment_table)
                .where(deployment_table.c.id == self.deployment.id)
                .values(inputs={**self.deployment.inputs, **inputs})
            )

    def users(self) -> dict[str, list[int]]:
        """What the deployment's inputs say of its users."""
        there = self.world.service.deployment(PLATFORM, self.deployment.id)
        listed: Any = there.inputs["users"]
        return {user["name"]: user["credentials"] for user in listed}


@pytest.fixture(scope="session")
def furnished(postgres: EmbeddedPostgres, furnished: str, host: ProgramHost, cache: Path) -> str:
    """The name of a database with a database service in it already, made once."""
    name = ids.new("binding")
    with _admin(postgres) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {furnished} STRATEGY FILE_COPY")
    database = Database(postgres.url(name), pool_size=2)
    made = parts(database, SettableClock(), host, cache)
    made["service"].publish_bundled([BLUEPRINTS / "postgresql"])
    tenancies = made["tenancies"]
    world = World(
        **made,
        region=made["service"].region(PLATFORM, "east"),
        health=tenancies.tenancy(PLATFORM, "health-test"),
        water=tenancies.tenancy(PLATFORM, "water-test"),
    )
    plan = world.plan(
        name="data", blueprint="postgresql", inputs=DATABASE, owner="instance:ins_data"
    )
    done = world.apply(plan)
    assert done.state is DeploymentState.ACTIVE, done.error
    database.close()
    return name


@pytest.fixture
def office(world: World) -> Office:
    owners = FakeOwners()
    bindings = Bindings(
        Needs(
            store=PostgresBindings(world.database), db=world.database, clock=world.clock,
            audit=world.audit, operations=world.operations, provisioning=world.service,
            owners=owners,
        )
    )  # fmt: skip
    with world.database.transaction():
        there = world.store.named(world.health.id, world.region.id, "data")
    assert there is not None
    return Office(world, bindings, owners, there)
