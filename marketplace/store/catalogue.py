"""The catalogue in PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import canonical
from foundation.kernel.database import Database
from marketplace.model import (
    Category,
    InstanceState,
    LeadTime,
    Offering,
    OrderKind,
    offering_from,
    text_from,
)
from marketplace.store.tables import category_table, instance_table, offering_table, order_table

_MEASURED = 100


class CatalogueRows:
    """Categories and offerings."""

    _db: Database

    def put_category(self, category: Category) -> None:
        values = {
            "slug": category.slug,
            "position": category.position,
            "name": category.name.as_json(),
            "description": category.description.as_json(),
        }
        self._db.execute(
            postgresql.insert(category_table)
            .values(values)
            .on_conflict_do_update(index_elements=["slug"], set_=values)
        )

    def categories(self) -> list[Category]:
        t = category_table.c
        rows = self._db.execute(sa.select(category_table).order_by(t.position, t.slug))
        return [
            Category(r.slug, text_from(r.name), text_from(r.description), r.position) for r in rows
        ]

    def put_offering(self, offering: Offering) -> None:
        values = {
            "slug": offering.slug,
            "category": offering.category,
            "position": offering.position,
            "document": canonical.plain(offering),
        }
        self._db.execute(
            postgresql.insert(offering_table)
            .values(values)
            .on_conflict_do_update(index_elements=["slug"], set_=values)
        )

    def offering(self, slug: str) -> Offering | None:
        document = self._db.execute(
            sa.select(offering_table.c.document).where(offering_table.c.slug == slug)
        ).scalar_one_or_none()
        return None if document is None else offering_from(document)

    def offerings(self) -> list[Offering]:
        t = offering_table.c
        rows = self._db.execute(
            sa.select(t.document)
            .join(category_table, category_table.c.slug == t.category)
            .order_by(category_table.c.position, category_table.c.slug, t.position, t.slug)
        )
        return [offering_from(row.document) for row in rows]

    def lead_time(self, offering: str) -> LeadTime:
        t = order_table.c
        seconds = sa.extract("epoch", t.active_at - t.approved_at).label("seconds")
        latest = (
            sa.select(seconds)
            .where(
                t.offering == offering,
                t.kind == OrderKind.APPLY.value,
                t.active_at.is_not(None),
                t.approved_at.is_not(None),
            )
            .order_by(t.active_at.desc())
            .limit(_MEASURED)
            .subquery()
        )
        row = self._db.execute(
            sa.select(
                sa.func.count().label("measured"),
                sa.func.percentile_cont(0.5).within_group(latest.c.seconds).label("median"),
                sa.func.percentile_cont(0.95).within_group(latest.c.seconds).label("p95"),
            ).select_from(latest)
        ).one()
        if not row.measured:
            return LeadTime(0)
        return LeadTime(row.measured, float(row.median), float(row.p95))

    def active_instances(self, offering: str) -> int:
        t = instance_table.c
        return int(
            self._db.execute(
                sa.select(sa.func.count()).where(
                    t.offering == offering, t.state == InstanceState.ACTIVE.value
                )
            ).scalar_one()
        )
