"""What the fleet does by itself."""

from control_plane.provisioning.fleet.service import Fleet
from foundation.operations.jobs import Schedule

_SECONDS = 300


def schedules(fleet: Fleet) -> list[Schedule]:
    """Every region is looked at every five minutes."""
    return [Schedule("fleet.look", _SECONDS, fleet.look_at_all)]
