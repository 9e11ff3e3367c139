"""Provisioning over a real database, the embedded engine and the bundled blueprints."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from control_plane.adapters.embedded.engine import EmbeddedEngine
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import EngineEvent
from control_plane.provisioning.model import Deployment, EngineKind, Plan, Region
from control_plane.provisioning.policies.service import Policies
from control_plane.provisioning.policies.store import PostgresPolicies
from control_plane.provisioning.ports import RegionProbe
from control_plane.provisioning.service import Collaborators, Provisioning
from control_plane.provisioning.store import PostgresProvisioning
from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.access.store import PrincipalStore
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.scratch import Scratch
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from tests.conftest import Databases, SettableClock
from tests.fakes.audit import FakeAudit

BLUEPRINTS = Path(__file__).parents[3] / "blueprints"
BUNDLED = (BLUEPRINTS / "tenancy", BLUEPRINTS / "web-application")
SMALL: Mapping[str, Any] = {"platform": "openstack", "servers": 2, "size": "s", "volume_gb": 20}
FACTS: Mapping[str, Any] = {
    "openstack": {
        "auth_url": "https://identity.region.example/v3",
        "region_name": "east",
        "external_network_id": "6f6d8a8e-0000-4000-8000-000000000001",
        "images": {"default": "debian-12"},
        "flavors": {
            "s": {"id": "1", "vcpus": 1, "ram_gb": 2, "ram_mb": 2048, "disk_gb": 20},
            "m": {"id": "2", "vcpus": 2, "ram_gb": 4, "ram_mb": 4096, "disk_gb": 40},
            "l": {"id": "3", "vcpus": 4, "ram_gb": 8, "ram_mb": 8192, "disk_gb": 40},
        },
        "volume_type": "standard",
        "roles": {"member": "r1", "load-balancer_member": "r2"},
    },
    "kubernetes": {"storage_class": "standard"},
}
CAPACITY: Mapping[str, Any] = {"instances": 20, "vcpus": 40, "ram_gb": 80, "volume_gb": 2000}


def person(role: str, path: str = "/") -> Actor:
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (Grant(role, path),))


PLATFORM = person("platform_administrator")


def text(name: str) -> Text:
    return Text(name, f"{name}（中）")


@pytest.fixture(scope="session")
def host() -> Iterator[ProgramHost]:
    host = ProgramHost()
    host.start()
    yield host
    host.close()


@dataclass
class World:
    """A city with two bureaus, a tenancy each, and a simulated region."""

    database: Database
    clock: Clock
    audit: FakeAudit
    engine: EmbeddedEngine
    tenancies: TenancyService
    operations: Operations
    policies: Policies
    principals: PrincipalStore
    service: Provisioning
    region: Region
    health: Tenancy
    water: Tenancy
    probes: dict[str, RegionProbe]
    store: PostgresProvisioning
    events: list[EngineEvent] = field(default_factory=list)

    def plan(self, **changed: Any) -> Plan:
        wish: dict[str, Any] = {
            "tenancy": self.health.id,
            "action": "create",
            "region": "east",
            "blueprint": "web-application",
            "inputs": SMALL,
        }
        return self.service.make_plan(**{**wish, **changed})

    def again(self, plan: Plan, **changed: Any) -> Plan:
        """The same wish, planned anew."""
        wish = {
            "tenancy": plan.tenancy_id,
            "action": plan.action,
            "deployment": plan.deployment_id,
            "blueprint": plan.revision,
            "inputs": plan.inputs,
        }
        return self.service.make_plan(**{**wish, **changed})

    def apply(self, plan: Plan, operation: str = "") -> Deployment:
        return self.service.apply(
            plan.id,
            operation=operation or ids.new("op"),
            digest=plan.digest,
            on_event=self.events.append,
        )


def parts(database: Database, clock: Clock, host: ProgramHost, cache: Path) -> dict[str, Any]:
    """What a world is made of."""
    audit = FakeAudit()
    box = SecretBox([b"k" * 32])
    locks = StackLocks(database.url)
    engine = EmbeddedEngine(host, database, clock, box, locks)
    tenancies = TenancyService(PostgresTenancy(database), database, clock, audit)
    operations = Operations(PostgresOperations(database), database, clock, audit)
    probes: dict[str, RegionProbe] = {}
    store = PostgresProvisioning(database)
    principals = PrincipalStore(database)
    policies = Policies(PostgresPolicies(database), database, clock, audit, tenancies, principals)
    service = Provisioning(
        Collaborators(
            store=store,
            db=database,
            clock=clock,
            audit=audit,
            tenancy=tenancies,
            operations=operations,
            secrets=box,
            policies=policies,
            engines={EngineKind.EMBEDDED: engine},
            probes=probes,
            cache=cache,
        )
    )
    return {
        "database": database,
        "clock": clock,
        "audit": audit,
        "engine": engine,
        "tenancies": tenancies,
        "operations": operations,
        "policies": policies,
        "principals": principals,
        "service": service,
        "probes": probes,
        "store": store,
    }


@pytest.fixture(scope="session")
def cache() -> Iterator[Path]:
    """A folder for unpacked blueprints that every user of the machine may read."""
    with Scratch("borough-blueprints-") as scratch:
        scratch.path.chmod(0o755)
        yield scratch.path


@pytest.fixture
def empty(database: Database, clock: Clock, host: ProgramHost, cache: Path) -> dict[str, Any]:
    """Nothing is published and there is no region."""
    return parts(database, clock, host, cache)


@pytest.fixture(scope="session")
def furnished(postgres: EmbeddedPostgres, host: ProgramHost, cache: Path) -> str:
    """The name of a database with a city, a region and the bundled blueprints, made once."""
    name = ids.new("furnished")
    with _admin(postgres) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE borough STRATEGY FILE_COPY")
    database = Database(postgres.url(name), pool_size=2)
    furnish(parts(database, SettableClock(), host, cache))
    database.close()
    return name


def _admin(postgres: EmbeddedPostgres) -> psycopg.Connection[Any]:
    url = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True)


def furnish(empty: dict[str, Any]) -> None:
    """A city with two bureaus, a tenancy each, and a simulated region."""
    tenancies: TenancyService = empty["tenancies"]
    service: Provisioning = empty["service"]
    tenancies.create_organisation(
        PLATFORM, parent=None, slug="city", name=text("City"), kind="city"
    )
    for slug in ("health", "water"):
        path = tenancies.create_organisation(
            PLATFORM, parent="/city/", slug=slug, name=text(slug), kind="bureau"
        ).path
        tenancies.create_tenancy(PLATFORM, organisation=path, slug=f"{slug}-test", name=text(slug))
    service.publish_bundled(BUNDLED)
    service.add_region(
        PLATFORM,
        slug="east",
        title=text("East, simulated"),
        kinds=["openstack", "kubernetes"],
        engine="embedded",
        config=FACTS,
        capacity=CAPACITY,
        data_classes=["public", "internal"],
    )


@pytest.fixture
def world(
    postgres: EmbeddedPostgres,
    databases: Databases,
    furnished: str,
    clock: Clock,
    host: ProgramHost,
    cache: Path,
) -> Iterator[World]:
    name = databases.take(furnished)
    database = Database(postgres.url(name), pool_size=8)
    made = parts(database, clock, host, cache)
    tenancies: TenancyService = made["tenancies"]
    yield World(
        **made,
        region=made["service"].region(PLATFORM, "east"),
        health=tenancies.tenancy(PLATFORM, "health-test"),
        water=tenancies.tenancy(PLATFORM, "water-test"),
    )
    database.close()
    databases.give_back(name)
