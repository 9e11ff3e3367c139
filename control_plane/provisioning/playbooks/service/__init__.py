"""Use cases of playbooks."""

from control_plane.provisioning.playbooks.service.core import Limits, Needs
from control_plane.provisioning.playbooks.service.runs import RUN, Wish
from control_plane.provisioning.playbooks.service.work import Working


class PlaybookRuns(Working):
    """What can be run on servers, the ways in, the runs, and their work."""


__all__ = ["RUN", "Limits", "Needs", "PlaybookRuns", "Wish"]
