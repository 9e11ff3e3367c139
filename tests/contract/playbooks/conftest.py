"""A city with servers that are only remembered, in a region that counts as real."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.model import (
    Deployment,
    DeploymentId,
    DeploymentState,
    PlanId,
)
from control_plane.provisioning.playbooks.catalogue import Catalogue
from control_plane.provisioning.playbooks.jobs import handlers
from control_plane.provisioning.playbooks.model import Run
from control_plane.provisioning.playbooks.service import Limits, Needs, PlaybookRuns, Wish
from control_plane.provisioning.playbooks.store import PostgresRuns
from control_plane.provisioning.store.tables import deployment_table, region_table
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError
from foundation.kernel.secretbox import SecretBox
from tests.contract.provisioning.conftest import (
    World,
    cache,
    empty,
    furnished,
    host,
    person,
    world,
)
from tests.fakes.context import FakeContext
from tests.fakes.playbooks import FakeRunner, FakeServers

__all__ = ["cache", "empty", "furnished", "host", "world"]

FOLDER = Path(__file__).parents[2] / "harness" / "playbooks"
MEMBER = person("member", "/city/health/")
BOSS = person("department_administrator", "/city/health/")
STRANGER = person("department_administrator", "/city/water/")
OPERATOR = person("operator")
SECRET = "correct horse battery"


@dataclass
class Yard:
    """A deployment with four servers, and what runs on them."""

    world: World
    runs: PlaybookRuns
    runner: FakeRunner
    servers: FakeServers
    deployment: str
    tenancy: str
    content: Catalogue

    def start(self, actor: Actor = MEMBER, **changed: Any) -> Run:
        inputs = {"words": "hello", **changed.pop("inputs", {})}
        return self.runs.start(
            actor, self.deployment, Wish(changed.pop("playbook", "contract"), inputs, **changed)
        )

    def context(self, run: Run, before: Callable[[str], None] = lambda _: None) -> FakeContext:
        operation = self.world.operations.get(OPERATOR, self.now(run).operation)
        return FakeContext(operation, before)

    def work(self, run: Run, context: FakeContext | None = None) -> str:
        """Do the work of a run; answers the code of its error."""
        try:
            handlers(self.runs)["playbook.run"].run(context or self.context(run))  # type: ignore[arg-type]
        except BoroughError as error:
            return error.code
        return ""

    def now(self, run: Run) -> Run:
        return self.runs.run(OPERATOR, run.id)[0]

    def states(self, run: Run) -> list[str]:
        return [h.state.value for h in self.runs.run(OPERATOR, run.id)[1]]

    def set(self, **values: Any) -> None:
        """Write into the deployment's row, as an apply would."""
        with self.world.database.transaction():
            self.world.database.execute(
                deployment_table.update()
                .where(deployment_table.c.id == self.deployment)
                .values(**values)
            )

    def dump(self) -> str:
        """Everything that the database holds."""
        with self.world.database.transaction():
            names = self.world.database.execute(
                sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ).scalars()
            rows = [str(row) for name in list(names) for row in self._rows(name)]
        return "\n".join(rows)

    def _rows(self, name: str) -> list[Any]:
        everything = sa.select(sa.text("*")).select_from(sa.table(name))
        return list(self.world.database.execute(everything))


@pytest.fixture
def yard(world: World) -> Yard:
    # As an apply would have left it; no engine has to work for that.
    made = Deployment(
        DeploymentId(ids.new("dep")), world.health.id, world.health.path, world.region.id,
        "web-application", world.service.find_revision("web-application").digest, "shop", {},
        DeploymentState.ACTIVE, {}, (), PlanId(ids.new("pln")), "", "", "", "", {}, {},
        world.clock.now(), world.clock.now(),
    )  # fmt: skip
    with world.database.transaction():
        world.store.add_deployment(made, "sealed")
    servers = FakeServers()
    addresses = [f"192.0.2.{n}" for n in range(1, 5)]
    for address in addresses:
        servers.keys[address, 22] = f"ssh-ed25519 key-of-{address}"
    runner = FakeRunner(servers)
    content = Catalogue(FOLDER)
    runs = PlaybookRuns(
        Needs(
            store=PostgresRuns(world.database),
            db=world.database,
            clock=world.clock,
            audit=world.audit,
            secrets=SecretBox([b"k" * 32]),
            operations=world.operations,
            provisioning=world.service,
            tenancy=world.tenancies,
            playbooks=content,
            runner=runner,
            limits=Limits(at_once=1, minutes=5),
        )
    )
    yard = Yard(world, runs, runner, servers, made.id, made.tenancy_id, content)
    with world.database.transaction():
        world.database.execute(region_table.update().values(simulated=False))
    yard.set(outputs={"server_ids": ["a", "b", "c", "d"], "server_addresses": addresses})
    runs.set_access(BOSS, made.tenancy_id, user="debian")
    return yard
