"""The use cases of the registry of blueprints."""

from control_plane.provisioning.registry.service.comparing import IMPACT, Comparing
from control_plane.provisioning.registry.service.core import Needs
from control_plane.provisioning.registry.service.sources import SYNC, Sources

__all__ = ["IMPACT", "SYNC", "Needs", "Registry"]


class Registry(Comparing, Sources):
    """Where blueprints come from, and what a newer revision changes."""
