"""Regions in PostgreSQL."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import (
    DeploymentState,
    EngineKind,
    Region,
    RegionId,
    RegionState,
)
from control_plane.provisioning.store.tables import deployment_table, region_table
from control_plane.provisioning.store.values import amounts
from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text

_HOLDING = [s.value for s in DeploymentState if s is not DeploymentState.DESTROYED]


class RegionRows:
    """Implements ``RegionStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_region(self, region: Region, sealed_credentials: str | None) -> bool:
        made = self._db.execute(
            postgresql.insert(region_table)
            .values(
                id=region.id,
                slug=region.slug,
                title=region.title.as_json(),
                kinds=region.kinds,
                engine=region.engine.value,
                simulated=region.simulated,
                config=region.config,
                sealed_credentials=sealed_credentials,
                credential_kinds=region.has_credentials,
                capacity=region.capacity,
                data_classes=region.data_classes,
                state=region.state.value,
                created_at=region.created_at,
            )
            .on_conflict_do_nothing()
            .returning(region_table.c.id)
        )
        return made.first() is not None

    def region(self, reference: str) -> Region | None:
        t = region_table.c
        row = self._db.execute(
            sa.select(region_table).where(sa.or_(t.id == reference, t.slug == reference))
        ).one_or_none()
        return None if row is None else _region(row)

    def regions(self, request: PageRequest) -> Page[Region]:
        query = sa.select(region_table).order_by(region_table.c.slug).limit(request.limit + 1)
        after = request.key(1)
        if after is not None:
            query = query.where(region_table.c.slug > after[0])
        rows = [_region(row) for row in self._db.execute(query)]
        return page_of(rows, request, lambda r: (r.slug,))

    def sealed_credentials(self, region_id: str) -> str | None:
        found: str | None = self._db.execute(
            sa.select(region_table.c.sealed_credentials).where(region_table.c.id == region_id)
        ).scalar_one_or_none()
        return found

    def held(self, region_id: str) -> dict[str, Decimal]:
        t = deployment_table.c
        part = sa.func.jsonb_each_text(t.footprint).table_valued("key", "value")
        rows = self._db.execute(
            sa.select(part.c.key, sa.func.sum(sa.cast(part.c.value, sa.Numeric)).label("total"))
            .select_from(deployment_table.join(part, sa.true()))
            .where(t.region_id == region_id, t.state.in_(_HOLDING))
            .group_by(part.c.key)
        )
        return {row.key: Decimal(row.total) for row in rows}


def _region(row: sa.Row[Any]) -> Region:
    return Region(
        RegionId(row.id), row.slug, Text(**row.title), frozenset(row.kinds),
        EngineKind(row.engine), row.simulated, row.config, amounts(row.capacity),
        frozenset(row.data_classes), RegionState(row.state), frozenset(row.credential_kinds),
        row.created_at,
    )  # fmt: skip
