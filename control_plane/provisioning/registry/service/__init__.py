"""The use cases of the registry of blueprints."""

from control_plane.provisioning.registry.service.comparing import IMPACT, Comparing
from control_plane.provisioning.registry.service.core import Needs

__all__ = ["IMPACT", "Needs", "Registry"]


class Registry(Comparing):
    """Where blueprints come from, and what a newer revision changes."""
