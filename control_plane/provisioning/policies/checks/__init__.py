"""The policies that come with the platform, by subject, and their catalogue."""

from collections.abc import Mapping

from control_plane.provisioning.policies.checks import (
    backups,
    budget,
    encryption,
    marks,
    network,
    placement,
    workload,
)
from control_plane.provisioning.policies.model import Policy

CATALOGUE: Mapping[str, Policy] = {
    policy.id: policy
    for module in (network, encryption, marks, placement, budget, backups, workload)
    for policy in module.POLICIES
}
"""Every policy by its id, in the order in which people read them."""
