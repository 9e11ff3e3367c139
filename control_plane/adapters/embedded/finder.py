"""Finds what is in the simulated region that no deployment owns."""

from collections.abc import Sequence

from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.embedded.things import Thing
from control_plane.provisioning.imports import model
from control_plane.provisioning.imports.model import Found
from control_plane.provisioning.ports import RegionAccess


class EmbeddedFinder:
    """Implements ``Finder`` over the simulated region.

    Args:
        region: Where the objects are.
    """

    def __init__(self, region: SimulatedRegion) -> None:
        self._region = region

    def find(self, region: RegionAccess, project: str = "") -> Sequence[Found]:
        """See the port."""
        things = self._region.outside(region.id)
        found = [Found(t.type, t.physical_id, t.name, _project(t), dict(t.inputs)) for t in things]
        chosen = [f for f in found if not project or f.project == project]
        return sorted(chosen, key=lambda f: (f.type, f.id))


def _project(thing: Thing) -> str:
    if thing.type == model.PROJECT:
        return thing.physical_id
    return str(thing.inputs.get("projectId") or thing.place)
