"""Builds the bindings: provisioning's credentials, and the marketplace that is told."""

from control_plane.bootstrap.drift import Services
from control_plane.provisioning.bindings.service import Bindings, Needs
from control_plane.provisioning.bindings.store import PostgresBindings
from control_plane.provisioning.service import Provisioning
from foundation.access.service import AuditLog
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from marketplace.service import Marketplace


def build_bindings(
    database: Database,
    clock: Clock,
    audit: AuditLog,
    operations: Operations,
    provisioning: Provisioning,
    marketplace: Marketplace,
) -> Bindings:
    """The service of this process."""
    return Bindings(
        Needs(
            store=PostgresBindings(database),
            db=database,
            clock=clock,
            audit=audit,
            operations=operations,
            provisioning=provisioning,
            owners=Services(marketplace),
        )
    )
