"""The HTTP API: every feature's resources in one Flask application."""

#: The features with an API; each module exports ``api``, or several as ``apis``.
FEATURES = (
    "foundation.access.api",
    "foundation.access.workload_identity.api",
    "foundation.operations.api",
    "control_plane.tenancy.api",
    "control_plane.tenancy.migration.api",
    "control_plane.provisioning.api",
    "control_plane.provisioning.bindings.api",
    "control_plane.provisioning.drift.api",
    "control_plane.provisioning.fleet.api",
    "control_plane.provisioning.imports.api",
    "control_plane.provisioning.playbooks.api",
    "control_plane.provisioning.policies.api",
    "control_plane.provisioning.registry.api",
    "control_plane.provisioning.campaigns.api",
    "control_plane.metering.api",
    "control_plane.billing.api",
    "marketplace.api",
)
