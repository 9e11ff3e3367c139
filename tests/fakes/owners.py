"""What holds deployments, in memory."""

from collections.abc import Mapping
from decimal import Decimal

from control_plane.provisioning.graph import Json


class FakeOwners:
    """Remembers what it was told.

    Attributes:
        told: owner, inputs and change of quota of each adoption.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Json], dict[str, Decimal]]] = []

    def adopted(
        self, owner: str, inputs: Mapping[str, Json], change: Mapping[str, Decimal]
    ) -> None:
        """See the port."""
        self.told.append((owner, dict(inputs), dict(change)))
