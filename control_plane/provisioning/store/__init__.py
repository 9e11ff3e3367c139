"""Provisioning in PostgreSQL."""

from control_plane.provisioning.store.deployments import DeploymentRows
from control_plane.provisioning.store.regions import RegionRows
from control_plane.provisioning.store.revisions import RevisionRows
from control_plane.provisioning.store.standings import StandingRows

__all__ = ["PostgresProvisioning"]


class PostgresProvisioning(RegionRows, RevisionRows, StandingRows, DeploymentRows):
    """The provisioning store on PostgreSQL."""
