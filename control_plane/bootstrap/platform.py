"""All services of one process, wired to the adapters that its settings name."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from control_plane.adapters.embedded.collector import EmbeddedCollector
from control_plane.adapters.embedded.engine import EmbeddedEngine
from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.oidc import IssuerKeys, JoseTokens, fetcher
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.cli import PulumiSettings, backend_url
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.adapters.region_turns import RegionTurns
from control_plane.adapters.shiftable_clock import KNOWN_FOR, ShiftableClock
from control_plane.adapters.stack_locks import StackLocks
from control_plane.billing.service import Billing
from control_plane.billing.store import PostgresBilling
from control_plane.bootstrap.bindings import build_bindings
from control_plane.bootstrap.campaigns import build_campaigns
from control_plane.bootstrap.drift import build_drift
from control_plane.bootstrap.imports import build_imports
from control_plane.bootstrap.links import (
    LateFees,
    LateProvenance,
    MeteredRegions,
    Places,
    Resources,
)
from control_plane.bootstrap.playbooks import build_playbooks, catalogue
from control_plane.bootstrap.regions import RealRegions, probes, room_readers
from control_plane.bootstrap.registry import build_registry
from control_plane.bootstrap.workloads import PlatformAuthenticator
from control_plane.metering.ports import Collector
from control_plane.metering.service import Metering
from control_plane.metering.store import PostgresMetering
from control_plane.migrations import SCHEMA
from control_plane.provisioning.bindings.service import Bindings
from control_plane.provisioning.campaigns.service import Campaigns
from control_plane.provisioning.drift.service import Drift
from control_plane.provisioning.fleet.service import Fleet
from control_plane.provisioning.fleet.service import Needs as FleetNeeds
from control_plane.provisioning.fleet.store import PostgresFleet
from control_plane.provisioning.imports.service import Imports
from control_plane.provisioning.model import EngineKind
from control_plane.provisioning.playbooks.service import PlaybookRuns
from control_plane.provisioning.policies.service import Policies
from control_plane.provisioning.policies.store import PostgresPolicies
from control_plane.provisioning.ports import Engine, Limits
from control_plane.provisioning.registry.service import Registry
from control_plane.provisioning.service import Collaborators, Provisioning
from control_plane.provisioning.store import PostgresProvisioning
from control_plane.settings import Settings
from control_plane.tenancy.migration.service import Migration
from control_plane.tenancy.migration.store import PostgresMigration
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.access.service import AuditLog, Gate, People
from foundation.access.workload_identity.service import WorkloadIdentity
from foundation.access.workload_identity.store import PostgresIdentities
from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.outbox import Outbox
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from foundation.serving.base import build_base, open_database
from foundation.serving.base import upgrade_database as upgrade
from foundation.surface.auth import Authenticator
from marketplace.service import Marketplace
from marketplace.service.core import Needs
from marketplace.store import PostgresMarketplace

_PLATFORM = Actor.system("platform")


@dataclass(frozen=True, slots=True)
class Platform:
    """The services of one process; ``open_platform`` makes and ends it."""

    settings: Settings
    database: Database
    clock: Clock
    secrets: SecretBox
    programs: ProgramHost
    audit: AuditLog
    people: People
    gate: Gate
    identity: WorkloadIdentity
    authenticator: Authenticator
    operations: Operations
    tenancy: TenancyService
    migration: Migration
    policies: Policies
    provisioning: Provisioning
    fleet: Fleet
    metering: Metering
    billing: Billing
    marketplace: Marketplace
    registry: Registry
    campaigns: Campaigns
    drift: Drift
    bindings: Bindings
    imports: Imports
    playbooks: PlaybookRuns

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.identity,
            *(self.audit, self.people, self.gate, self.operations, self.tenancy, self.migration),
            *(
                self.policies,
                self.provisioning,
                self.fleet,
                self.metering,
                self.billing,
                self.marketplace,
                self.registry,
                self.campaigns,
                self.drift,
                self.bindings,
                self.imports,
                self.playbooks,
            ),
        )

    def is_current(self) -> bool:
        """Whether the database has the newest schema; for readiness."""
        return SCHEMA.is_current(self.database)

    def shift_clock(self, at: datetime) -> None:
        """Let it be ``at`` now, in all processes of the platform; for demonstrations.

        Raises:
            Conflict: the settings do not allow simulated time.
        """
        self._shiftable().shift_to(at)

    def reset_clock(self) -> None:
        """Let it be the true time again.

        Raises:
            Conflict: the settings do not allow simulated time.
        """
        self._shiftable().reset()
        # Until then another process may still do its work at the shifted time.
        time.sleep(2 * KNOWN_FOR)

    def make_by_hand(self, region: str, type_: str, inputs: Mapping[str, Any], place: str) -> str:
        """Make an object in a simulated region that no deployment owns; for demonstrations.

        Args:
            region: id or slug.
            type_: Pulumi type token.
            inputs: as a program would declare them.
            place: id of the project that it is in.

        Returns:
            Its id in the region.

        Raises:
            NotFound: there is no such region.
            Conflict: the region is not simulated.
        """
        there = self.provisioning.region(_PLATFORM, region)
        if there.engine is not EngineKind.EMBEDDED:
            raise Conflict(f"the region {there.slug} is not simulated")
        simulated = SimulatedRegion(self.database, self.clock)
        return simulated.plant(there.id, type_, inputs, place=place).physical_id

    def _shiftable(self) -> ShiftableClock:
        if not isinstance(self.clock, ShiftableClock):
            raise Conflict("the platform's time is real: BOROUGH_SIMULATED_TIME is off")
        return self.clock

    def blueprint_folders(self) -> list[Path]:
        """The folders whose blueprints are published at the start."""
        named = [Path(part) for part in self.settings.blueprint_paths.split(":") if part]
        roots = named or [Path(__file__).parents[2] / "blueprints"]
        return sorted(found.parent for root in roots for found in root.glob("*/blueprint.yaml"))


@contextlib.contextmanager
def open_platform(settings: Settings, *, upgrade: bool = True) -> Iterator[Platform]:
    """The platform of this process, until the end of the block.

    Args:
        settings: of this process.
        upgrade: bring the database to the newest schema first.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(open_database(settings))
        if upgrade:
            SCHEMA.upgrade(database)
        yield _build(settings, database, stack)


def upgrade_database(settings: Settings) -> str:
    """Bring the database to the newest schema; answers what was done, for people.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    return upgrade(settings, SCHEMA)


def database_is_current(settings: Settings) -> bool:
    """Whether the database has the newest schema.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with open_database(settings) as database:
        return SCHEMA.is_current(database)


def add_administrator(settings: Settings, login: str, name: str, password: str) -> None:
    """Add a person with all rights on the whole platform.

    Raises:
        Invalid: names every wrong field.
        Conflict: the login is taken.
        Unavailable: the embedded database cannot be started.
    """
    with open_platform(settings) as platform:
        platform.people.add_administrator(login, name, password)


def empty_embedded(settings: Settings) -> None:
    """Throw the embedded database away and make an empty one; for demonstrations.

    Raises:
        Invalid: the settings name a database of somebody's own.
    """
    if settings.database_url:
        raise Invalid([Problem("database_url", "is not the embedded database")])
    with EmbeddedPostgres(settings.home / "postgres") as server:
        server.empty()


def _build(settings: Settings, database: Database, stack: contextlib.ExitStack) -> Platform:
    clock: Clock = ShiftableClock(database) if settings.simulated_time else SystemClock()
    base = build_base(settings, database, clock)
    secrets, audit, gate, operations = base.secrets, base.audit, base.gate, base.operations
    tenancy = TenancyService(PostgresTenancy(database), database, clock, audit)
    people = base.people(Places(tenancy), "platform_administrator")
    identity = WorkloadIdentity(
        PostgresIdentities(database),
        JoseTokens(IssuerKeys(fetcher(settings.identity_private_hosts.split(",")))),
        people,
        gate,
        audit,
        database,
        clock,
    )
    policies = Policies(
        PostgresPolicies(database), database, clock, audit, tenancy, base.principals
    )
    programs = ProgramHost()
    stack.callback(programs.close)
    content = catalogue(settings)
    fleet_rows = PostgresFleet(database)
    provisioning = Provisioning(
        Collaborators(
            store=PostgresProvisioning(database),
            db=database,
            clock=clock,
            audit=audit,
            tenancy=tenancy,
            operations=operations,
            secrets=secrets,
            policies=policies,
            engines=_engines(settings, database, clock, secrets, programs, stack),
            probes=probes(),
            cache=settings.home / "cache" / "blueprints",
            limits=Limits(
                seconds=settings.evaluate_timeout_seconds,
                memory_bytes=settings.engine_memory_mb * 1024 * 1024,
                operation_seconds=settings.engine_timeout_seconds,
            ),
            playbooks=content.problems_of,
            measured=lambda region: {room.resource: room.free for room in fleet_rows.rooms(region)},
        )
    )
    fleet = Fleet(
        FleetNeeds(fleet_rows, provisioning, tenancy, database, clock, audit, room_readers())
    )
    provenance, fees = LateProvenance(), LateFees()
    directory = Resources(provisioning)
    metering = Metering(
        db=database,
        clock=clock,
        store=PostgresMetering(database),
        directory=directory,
        regions=MeteredRegions(provisioning, _collectors(database, provisioning)),
        operations=operations,
        late_days=settings.late_usage_days,
    )
    billing = Billing(
        db=database,
        clock=clock,
        store=PostgresBilling(database),
        metering=metering,
        provenance=provenance,
        operations=operations,
        fees=fees,
    )
    marketplace = Marketplace(
        Needs(
            store=PostgresMarketplace(database),
            db=database,
            clock=clock,
            audit=audit,
            outbox=Outbox(database, clock),
            tenancy=tenancy,
            provisioning=provisioning,
            billing=billing,
            metering=metering,
            operations=operations,
        )
    )
    provenance.answer, fees.charge = marketplace.origin, marketplace.charge_fees
    directory.services = marketplace.metered
    drift = build_drift(
        settings, database, clock, audit, secrets, operations, tenancy, provisioning, marketplace
    )
    return Platform(
        settings, database, clock, secrets, programs, audit,
        people, gate, identity, PlatformAuthenticator(base.authenticator, provisioning),
        operations, tenancy,
        Migration(PostgresMigration(database), tenancy, database, clock, audit),
        policies, provisioning, fleet, metering, billing,
        marketplace,
        campaigns=build_campaigns(database, clock, audit, operations, provisioning),
        registry=build_registry(
            settings, database, clock, secrets, audit, operations, provisioning
        ),
        drift=drift,
        bindings=build_bindings(database, clock, audit, operations, provisioning, marketplace),
        imports=build_imports(
            database, clock, audit, operations, tenancy, provisioning, drift
        ),
        playbooks=build_playbooks(
            settings, database, base, tenancy, provisioning, programs, content
        ),
    )  # fmt: skip


def _engines(
    settings: Settings,
    database: Database,
    clock: Clock,
    secrets: SecretBox,
    programs: ProgramHost,
    stack: contextlib.ExitStack,
) -> Mapping[EngineKind, Engine]:
    locks = StackLocks(database.url)
    stack.callback(locks.close)
    turns = RegionTurns(database.url, settings.region_operations)
    stack.callback(turns.close)
    pulumi = PulumiEngine(
        programs,
        PulumiSettings(
            home=settings.home / "pulumi",
            backend_url=backend_url(database.url),
            search_path=settings.pulumi_path,
            install=settings.pulumi_install,
            parallel=settings.engine_parallel,
            service_parallel=settings.engine_service_parallel,
        ),
        database=database,
        key=secrets.derive("engine mask"),
        locks=locks,
        turns=turns,
    )
    return {
        EngineKind.EMBEDDED: EmbeddedEngine(programs, database, clock, secrets, locks),
        EngineKind.PULUMI: pulumi,
    }


def _collectors(
    database: Database, provisioning: Provisioning
) -> Mapping[EngineKind, Callable[[], Collector]]:
    def facts(region: str) -> Mapping[str, object]:
        return provisioning.region_access(region).config

    return {
        EngineKind.EMBEDDED: lambda: EmbeddedCollector(
            database, facts, provisioning.resources_in_region
        ),
        EngineKind.PULUMI: lambda: RealRegions(provisioning),
    }
