"""Imports over a real database and the simulated region, in which somebody made a project."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.embedded.finder import EmbeddedFinder
from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.provisioning.imports import jobs, model
from control_plane.provisioning.imports.model import Proposal
from control_plane.provisioning.imports.service import Imports, Needs, Wish
from control_plane.provisioning.model import Deployment, EngineKind, Plan
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import BLUEPRINTS, FACTS, PLATFORM, World
from tests.fakes.reservations import FakeReservations

EXTERNAL = FACTS["openstack"]["external_network_id"]


class _Now:
    """A context that does each step at once."""

    def __init__(self, operation: Operation, before: Callable[[str], None]) -> None:
        self.operation_id = operation.id
        self.subject = operation.subject
        self.inputs = operation.inputs
        self._before = before

    def step(self, name: str, work: Callable[[], Any], **_: Any) -> Any:
        self._before(name)
        return work()

    cleanup = step

    def emit(self, _type: str, _data: Mapping[str, Any] | None = None) -> None: ...

    def progress(self, _fraction: float) -> None: ...

    def cancelled(self) -> bool:
        return False


@dataclass
class Handmade:
    """A project in the simulated region, with a network, two servers, a volume and an address."""

    region: SimulatedRegion
    where: str
    ids: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, type_: str, /, **inputs: Any) -> str:
        made = self.region.plant(self.where, type_, inputs, place=self.ids.get("project", ""))
        self.ids[name] = made.physical_id
        return made.physical_id

    def there(self) -> set[str]:
        """The ids of all that somebody made and that is still there, owned or not."""
        mine = set(self.ids.values())
        with self.region._db.transaction():  # noqa: SLF001 - looks behind everything
            rows = self.region._db.execute(sa.text("SELECT physical_id FROM embedded_resource"))  # noqa: SLF001
            return {row.physical_id for row in rows} & mine

    def make(self) -> None:
        project = self.put("project", model.PROJECT, name="Old Portal", description="by hand")
        self.put(
            "compute", model.COMPUTE_QUOTA, projectId=project, cores=20, ram=51200, instances=10
        )
        self.put("storage", model.STORAGE_QUOTA, projectId=project, gigabytes=500, volumes=10)
        self.put("limits", model.NETWORK_QUOTA, projectId=project, floatingip=5)
        network = self.put("network", model.NETWORK, name="lan", adminStateUp=True)
        subnet = self.put(
            "subnet", model.SUBNET, name="lan-v4", networkId=network, cidr="10.9.0.0/24",
            ipVersion=4,
        )  # fmt: skip
        router = self.put("router", model.ROUTER, name="out", externalNetworkId=EXTERNAL)
        self.put("interface", model.INTERFACE, routerId=router, subnetId=subnet)
        for name in ("web", "batch"):
            group = self.put(f"{name}-group", model.GROUP, name=name)
            self.put(
                f"{name}-rule", model.RULE, securityGroupId=group, direction="ingress",
                ethertype="IPv4", protocol="tcp", portRangeMin=80, portRangeMax=80,
                remoteIpPrefix="0.0.0.0/0",
            )  # fmt: skip
            port = self.put(
                f"{name}-port", model.PORT, name="", networkId=network, adminStateUp=True,
                fixedIps=[{"subnetId": subnet}], securityGroupIds=[group],
            )  # fmt: skip
            self.put(
                f"{name}-server", model.SERVER, name=f"{name}-1", flavorId="1",
                imageId="debian-12", networks=[{"port": port}],
            )  # fmt: skip


@dataclass
class City:
    """The world, with imports."""

    world: World
    imports: Imports
    reservations: FakeReservations
    handmade: Handmade

    @property
    def project(self) -> str:
        return self.handmade.ids["project"]

    def proposals(self) -> dict[str, Proposal]:
        found = self.imports.propose(PLATFORM, "east", self.project)
        return {f"{p.blueprint}/{p.name}": p for p in found.items}

    def wish(self, proposal: Proposal, **changed: Any) -> Wish:
        return Wish(**{
            "tenancy": "health-test", "region": "east", "blueprint": proposal.blueprint,
            "inputs": proposal.inputs, "ids": proposal.ids, "name": proposal.name,
            "creations": True, **changed,
        })  # fmt: skip

    def plan(self, proposal: Proposal, **changed: Any) -> Plan:
        return self.imports.plan(PLATFORM, self.wish(proposal, **changed))

    def take(self, proposal: Proposal, **changed: Any) -> Deployment:
        plan = self.plan(proposal, **changed)
        self.do(self.imports.request_apply(PLATFORM, plan.id, plan.digest))
        return self.world.service.deployment(PLATFORM, plan.deployment_id)

    def do(self, operation: Operation, before: Callable[[str], None] = lambda _n: None) -> Any:
        ctx: Any = _Now(operation, before)
        try:
            return jobs.handlers(self.imports)[operation.kind].run(ctx)
        finally:
            database = self.world.database
            with database.transaction():
                database.execute(sa.text("UPDATE operations_operation SET state = 'succeeded'"))


@pytest.fixture
def city(world: World) -> City:
    world.service.publish_bundled([BLUEPRINTS / "virtual-server"])
    region = world.engine.region
    reservations = FakeReservations()
    imports = Imports(
        Needs(
            db=world.database, audit=world.audit, tenancy=world.tenancies,
            operations=world.operations, provisioning=world.service, reservations=reservations,
            finders={EngineKind.EMBEDDED: EmbeddedFinder(region)},
        )
    )  # fmt: skip
    handmade = Handmade(region, world.region.id)
    handmade.make()
    return City(world, imports, reservations, handmade)
