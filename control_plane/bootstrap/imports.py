"""Builds imports: provisioning, and what finds things in regions."""

from control_plane.adapters.embedded.finder import EmbeddedFinder
from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.openstack.finder import OpenStackFinder
from control_plane.provisioning.drift.service import Drift
from control_plane.provisioning.imports.service import Imports, Needs
from control_plane.provisioning.model import EngineKind
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.access.service import AuditLog
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.service import Operations


def build_imports(
    database: Database,
    clock: Clock,
    audit: AuditLog,
    operations: Operations,
    tenancy: TenancyService,
    provisioning: Provisioning,
    drift: Drift,
) -> Imports:
    """The service of this process."""
    return Imports(
        Needs(
            db=database,
            audit=audit,
            tenancy=tenancy,
            operations=operations,
            provisioning=provisioning,
            reservations=drift,
            finders={
                EngineKind.EMBEDDED: EmbeddedFinder(SimulatedRegion(database, clock)),
                EngineKind.PULUMI: OpenStackFinder(),
            },
        )
    )
