"""What the objects of the simulated region used, from the region's own log of actions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from control_plane.adapters.embedded.tables import ACTION
from control_plane.kernel.database import Database
from control_plane.kernel.time import Interval
from control_plane.metering.model import Observation
from control_plane.provisioning.graph import ResourceNode
from control_plane.provisioning.usage_map import usage


class EmbeddedCollector:
    """Reads the use of a simulated region.

    An object is used from its creation to its deletion; a change counts from its instant. A stopped
    server keeps what it was given, so it goes on counting.

    Args:
        database: Where the region is kept.
        facts: The plain facts of a region by id, as the engine was given them.
    """

    def __init__(self, database: Database, facts: Callable[[str], Mapping[str, Any]]) -> None:
        self._db = database
        self._facts = facts

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """See the port."""
        facts = self._facts(region_id)
        end = window.end or window.start
        with self._db.transaction():
            ended = sa.select(ACTION.c.physical_id).where(
                ACTION.c.region == region_id,
                ACTION.c.action == "delete",
                ACTION.c.at <= window.start,
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
        found: list[Observation] = []
        for _, actions in groupby(rows, key=lambda row: row.physical_id):
            found += _lived(list(actions), facts, end)
        return found


def _lived(
    actions: list[sa.Row[Any]], facts: Mapping[str, Any], end: datetime
) -> Iterator[Observation]:
    """The spans between an object's actions, each with what it used then."""
    ends = [action.at for action in actions[1:]] + [end]
    for action, until in zip(actions, ends, strict=True):
        if action.action == "delete" or until <= action.at:
            continue
        node = ResourceNode(action.urn, action.name, action.type, action.inputs)
        for quantity in usage(node, facts):
            yield Observation(
                action.physical_id,
                quantity.meter,
                quantity.dimensions,
                quantity.per_hour,
                Interval(action.at, until),
            )
