"""The use cases of provisioning."""

from control_plane.provisioning.service.blueprints import Sample, Validation
from control_plane.provisioning.service.core import Collaborators
from control_plane.provisioning.service.lifecycle import Lifecycle
from control_plane.provisioning.service.policy_tests import PolicyTest, PolicyTests
from control_plane.provisioning.service.reality import Reality
from control_plane.provisioning.service.regions import Regions
from control_plane.provisioning.service.trials import Trials

__all__ = ["Collaborators", "PolicyTest", "Provisioning", "Sample", "Validation"]


class Provisioning(Regions, Trials, PolicyTests, Lifecycle, Reality):
    """Regions, blueprints, plans and deployments, as surfaces and features above use them."""
