"""The use cases of drift."""

from control_plane.provisioning.drift.service.deciding import Deciding
from control_plane.provisioning.drift.service.looking import ADOPT, CHECK, REPAIR, Needs, Unseen

__all__ = ["ADOPT", "CHECK", "REPAIR", "Drift", "Needs", "Unseen"]


class Drift(Deciding):
    """Findings of drift, and what is done about them, as surfaces and jobs use them."""
