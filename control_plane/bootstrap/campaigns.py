"""Campaigns, wired to their adapters."""

from control_plane.provisioning.campaigns.service import Campaigns, Needs
from control_plane.provisioning.campaigns.store import PostgresCampaigns
from control_plane.provisioning.ports import Audit
from control_plane.provisioning.registry.store import PostgresRegistry
from control_plane.provisioning.service import Provisioning
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.service import Operations


def build_campaigns(
    database: Database,
    clock: Clock,
    audit: Audit,
    operations: Operations,
    provisioning: Provisioning,
) -> Campaigns:
    """The campaigns of this process."""
    return Campaigns(
        Needs(
            store=PostgresCampaigns(database),
            users=PostgresRegistry(database),
            db=database,
            clock=clock,
            audit=audit,
            operations=operations,
            provisioning=provisioning,
        )
    )
