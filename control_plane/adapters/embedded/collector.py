"""What the objects of the simulated region used, from the region's own log of actions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from control_plane.adapters.embedded.region import OUTSIDE
from control_plane.adapters.embedded.tables import ACTION
from control_plane.metering.model import Observation
from control_plane.provisioning.graph import ResourceNode
from control_plane.provisioning.model import Resource
from control_plane.provisioning.usage_map import usage
from foundation.kernel.database import Database
from foundation.kernel.time import Interval


class EmbeddedCollector:
    """Reads the use of a simulated region.

    An object is used from its creation to its deletion; a change counts from its instant. A stopped
    server keeps what it was given, so it goes on counting.

    Args:
        database: Where the region is kept.
        facts: The plain facts of a region by id, as the engine was given them.
        inventory: The resources of a region that lived at that time or later.
    """

    def __init__(
        self,
        database: Database,
        facts: Callable[[str], Mapping[str, Any]],
        inventory: Callable[[str, datetime], Sequence[Resource]],
    ) -> None:
        self._db = database
        self._facts = facts
        self._inventory = inventory

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """See the port."""
        facts = self._facts(region_id)
        end = window.end or window.start
        with self._db.transaction():
            # Something that was removed by hand and is made again may have its old name and id.
            newest = sa.func.max(ACTION.c.id)
            ended = (
                sa.select(ACTION.c.physical_id)
                .where(ACTION.c.region == region_id, ACTION.c.at < end)
                .group_by(ACTION.c.physical_id)
                .having(
                    newest.filter(ACTION.c.action == "delete", ACTION.c.at <= window.start)
                    > sa.func.coalesce(newest.filter(ACTION.c.action == "create"), 0)
                )
            )
            rows = self._db.execute(
                sa.select(ACTION)
                .where(
                    ACTION.c.region == region_id,
                    ACTION.c.at < end,
                    ACTION.c.physical_id.not_in(ended),
                )
                .order_by(ACTION.c.physical_id, ACTION.c.id)
            ).all()
        names = _Names(self._inventory(region_id, window.start))
        found: list[Observation] = []
        for _, grouped in groupby(rows, key=lambda row: row.physical_id):
            actions = list(grouped)
            name = names.of(actions[0])
            if name is not None:
                found += _lived(name, actions, facts, end)
        return found


class _Names:
    """The platform's ids of objects.

    In the middle of an operation the inventory does not know an object's own id yet, but what it
    is to the deployment.
    """

    def __init__(self, known: Sequence[Resource]) -> None:
        self._settled = {each.physical_id: each.id for each in known if each.physical_id}
        self._unsettled = {
            (str(each.deployment_id), each.urn): each.id for each in known if not each.physical_id
        }

    def of(self, action: sa.Row[Any]) -> str | None:
        """What it is known by; none of what nobody has taken in: nobody pays for that."""
        own: str = action.physical_id
        known = self._settled.get(own) or self._unsettled.get((action.deployment, action.urn))
        return known or (None if action.deployment == OUTSIDE else own)


def _lived(
    name: str, actions: list[sa.Row[Any]], facts: Mapping[str, Any], end: datetime
) -> Iterator[Observation]:
    """The spans between an object's actions, each with what it used then."""
    ends = [action.at for action in actions[1:]] + [end]
    for action, until in zip(actions, ends, strict=True):
        if action.action == "delete" or until <= action.at:
            continue
        node = ResourceNode(action.urn, action.name, action.type, action.inputs)
        for quantity in usage(node, facts):
            yield Observation(
                name,
                quantity.meter,
                quantity.dimensions,
                quantity.per_hour,
                Interval(action.at, until),
            )
