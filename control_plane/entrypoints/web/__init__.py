"""The web surface: every feature's pages in one Flask application.

``control_plane.entrypoints.app`` calls ``register`` after the API's mechanics are installed.
"""

from flask import Flask

from control_plane.billing.pages import pages as billing
from control_plane.entrypoints.web.home import pages as home
from control_plane.provisioning.bindings.pages import pages as bindings
from control_plane.provisioning.campaigns.pages import pages as campaigns
from control_plane.provisioning.drift.pages import pages as drift
from control_plane.provisioning.fleet.pages import pages as fleet
from control_plane.provisioning.imports.pages import pages as imports
from control_plane.provisioning.pages import pages as provisioning
from control_plane.provisioning.playbooks.pages import pages as playbooks
from control_plane.provisioning.policies.pages import pages as policies
from control_plane.provisioning.registry.pages import pages as registry
from control_plane.tenancy.migration.pages import pages as migration
from control_plane.tenancy.pages import pages as tenancy
from foundation.access.pages import pages as access
from foundation.access.workload_identity.pages import pages as identity
from foundation.operations.pages import pages as operations
from foundation.surface.web.install import Theme, install
from marketplace.pages import pages as marketplace

FEATURES = (
    home, access, identity, operations, tenancy, migration, provisioning, policies, fleet, billing,
    marketplace, registry, campaigns, drift, bindings, imports, playbooks,
)  # fmt: skip


def register(app: Flask, theme: Theme | None = None) -> None:
    """Put the pages into the application.

    Args:
        app: has the services provided, and ``surface.auth`` installed.
        theme: the city's name and accent; Borough's own without it.
    """
    install(app, theme)
    for pages in FEATURES:
        app.register_blueprint(pages)
