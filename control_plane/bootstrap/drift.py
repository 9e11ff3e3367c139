"""Builds the looking after drift: provisioning's findings, and the marketplace that is told."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from control_plane.provisioning.drift.service import Drift, Needs
from control_plane.provisioning.drift.store import PostgresDrift
from control_plane.provisioning.graph import Json
from control_plane.provisioning.service import Provisioning
from control_plane.settings import Settings
from control_plane.tenancy.service import TenancyService
from foundation.access.service import AuditLog
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from marketplace.service import Marketplace


class Services:
    """Drift's owners of deployments: the marketplace's services."""

    def __init__(self, marketplace: Marketplace) -> None:
        self._marketplace = marketplace

    def adopted(
        self, owner: str, inputs: Mapping[str, Json], change: Mapping[str, Decimal]
    ) -> None:
        """Tell a service what it is by now; other owners keep nothing of it."""
        kind, _, name = owner.partition(":")
        if kind == "instance":
            self._marketplace.adopted(name, inputs, change)


def build_drift(  # noqa: PLR0913, PLR0917 - all that it is built of
    settings: Settings,
    database: Database,
    clock: Clock,
    audit: AuditLog,
    secrets: SecretBox,
    operations: Operations,
    tenancy: TenancyService,
    provisioning: Provisioning,
    marketplace: Marketplace,
) -> Drift:
    """The service of this process."""
    return Drift(
        Needs(
            store=PostgresDrift(database),
            db=database,
            clock=clock,
            audit=audit,
            tenancy=tenancy,
            operations=operations,
            provisioning=provisioning,
            owners=Services(marketplace),
            interval=timedelta(minutes=settings.drift_minutes),
            key=secrets.derive("drift mask"),
        )
    )
