"""What imports need from outside."""

from collections.abc import Sequence
from typing import Protocol

from control_plane.provisioning.imports.model import Found
from control_plane.provisioning.ports import RegionAccess


class Finder(Protocol):
    """Reads what is in a region, whoever made it."""

    def find(self, region: RegionAccess, project: str = "") -> Sequence[Found]:
        """All that can be imported, ordered by type and id.

        Args:
            region: with its credentials.
            project: only what is in this project, with its quotas; empty for every project,
                without quotas.

        Raises:
            Unavailable: it does not answer.
        """
        ...


class Reservations(Protocol):
    """Who gives quota back when a deployment is gone that nobody ordered."""

    def hold_quota(self, deployment: str, key: str) -> None:
        """Note a reservation; in the open transaction."""
        ...
