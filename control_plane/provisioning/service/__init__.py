"""The use cases of provisioning."""

from control_plane.provisioning.service.blueprints import Blueprints, Sample, Validation
from control_plane.provisioning.service.core import Collaborators
from control_plane.provisioning.service.deployments import Deployments
from control_plane.provisioning.service.planning import Planning
from control_plane.provisioning.service.regions import Regions

__all__ = ["Collaborators", "Provisioning", "Sample", "Validation"]


class Provisioning(Regions, Blueprints, Planning, Deployments):
    """Regions, blueprints, plans and deployments, as surfaces and features above use them."""
