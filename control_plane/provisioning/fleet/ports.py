"""What the fleet needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from control_plane.provisioning.fleet.model import Closure, Measured, Room, Sight
from control_plane.provisioning.model import RegionState
from control_plane.provisioning.ports import RegionAccess


class RoomReader(Protocol):
    """Asks one kind of region how much its machines have and what is in use."""

    def read(self, region: RegionAccess) -> Mapping[str, Measured]:
        """Return it by quota resource; what the region does not say is left out.

        Raises:
            Unavailable: It does not answer.
        """
        ...


class FleetStore(Protocol):
    """What was seen of regions; every call joins the open transaction."""

    def put_sight(self, sight: Sight) -> None:
        """Keep how a kind of a region answered, in place of the last answer."""
        ...

    def sights(self, region_id: str) -> list[Sight]: ...

    def put_rooms(self, region_id: str, rooms: Sequence[Room]) -> None:
        """Keep what was measured, in place of what was measured of these resources before."""
        ...

    def rooms(self, region_id: str) -> list[Room]: ...

    def closure(self, region_id: str) -> Closure | None: ...

    def close(self, region_id: str, closure: Closure) -> None:
        """Set the region's state, and why."""
        ...

    def open(self, region_id: str) -> None:
        """Let the region be active again."""
        ...

    def overdue(self, at: datetime) -> list[tuple[str, RegionState]]:
        """Maintenances whose end has passed, by region."""
        ...
