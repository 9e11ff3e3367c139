"""Provisioning in PostgreSQL."""

from control_plane.provisioning.store.deployments import DeploymentRows
from control_plane.provisioning.store.regions import RegionRows
from control_plane.provisioning.store.revisions import RevisionRows

__all__ = ["PostgresProvisioning"]


class PostgresProvisioning(RegionRows, RevisionRows, DeploymentRows):
    """The provisioning store on PostgreSQL."""
