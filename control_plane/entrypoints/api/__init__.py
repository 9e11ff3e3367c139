"""The HTTP API: every feature's resources in one Flask application."""

from importlib import import_module

from apiflask import APIFlask

#: The features with an API; each module exports ``api``, or several as ``apis``.
FEATURES = (
    "control_plane.access.api",
    "control_plane.access.workload_identity.api",
    "control_plane.operations.api",
    "control_plane.tenancy.api",
    "control_plane.tenancy.migration.api",
    "control_plane.provisioning.api",
    "control_plane.provisioning.bindings.api",
    "control_plane.provisioning.drift.api",
    "control_plane.provisioning.fleet.api",
    "control_plane.provisioning.policies.api",
    "control_plane.provisioning.registry.api",
    "control_plane.provisioning.campaigns.api",
    "control_plane.metering.api",
    "control_plane.billing.api",
    "marketplace.api",
)


def register(app: APIFlask, features: tuple[str, ...] = FEATURES) -> None:
    """Put the resources of features into the application.

    Args:
        app: has the services provided, and the mechanics of ``surface.api`` installed.
        features: names of modules.
    """
    for name in features:
        module = import_module(name)
        for blueprint in getattr(module, "apis", None) or (module.api,):
            app.register_blueprint(blueprint)
