"""Price books, prices and the terms of contracts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.billing.model import HourlyQuantity, Price, PriceBook, Terms
from control_plane.billing.store.rows import Rows
from control_plane.billing.store.tables import book_table, price_table, terms_table
from foundation.kernel import canonical, ids
from foundation.kernel.text import Text
from foundation.kernel.time import Interval


class Prices(Rows):
    """Price books, prices and terms; all are only added."""

    def put_book(self, book: PriceBook) -> None:
        statement = postgresql.insert(book_table).values(
            slug=book.slug, title=book.title.as_json(), currency=book.currency
        )
        self._db.execute(
            statement.on_conflict_do_update(
                index_elements=["slug"], set_={"title": statement.excluded.title}
            )
        )

    def books(self) -> list[PriceBook]:
        rows = self._db.execute(sa.select(book_table).order_by(book_table.c.slug))
        return [PriceBook(r.slug, Text(**r.title), r.currency) for r in rows]

    def add_prices(self, prices: Sequence[Price], created_at: datetime) -> None:
        if prices:
            self._db.execute(
                price_table.insert(),
                [
                    {
                        "id": p.id,
                        "book": p.book,
                        "meter": p.meter,
                        "dimensions": dict(p.dimensions),
                        "specificity": len(p.dimensions),
                        "unit_price": p.unit_price,
                        "starts": p.starts,
                        "ends": p.ends,
                        "reason": p.reason,
                        "created_at": created_at,
                    }
                    for p in prices
                ],
            )

    def prices(self, book: str, at: datetime | None) -> list[Price]:
        rows = self._rows(
            """SELECT * FROM billing_price_validity WHERE book = :book
            AND (CAST(:at AS timestamptz) IS NULL
                 OR (starts <= :at AND (ends IS NULL OR ends > :at)))
            ORDER BY meter, dimensions, starts""",
            book=book,
            at=at,
        )
        return [_price(row) for row in rows]

    def price(self, price_id: str) -> Price | None:
        # From the table: a price that a later one replaced still explains its charges.
        rows = self._rows("SELECT * FROM billing_price WHERE id = :id", id=price_id)
        return _price(rows[0]) if rows else None

    def add_terms(self, terms: Terms, created_at: datetime) -> None:
        self._db.execute(
            postgresql.insert(terms_table)
            .values(
                id=ids.new("trm"),
                path=terms.path,
                contract_id=terms.contract_id,
                contract_version=terms.contract_version,
                book=terms.book,
                discount=terms.discount,
                starts=terms.validity.start,
                ends=terms.validity.end,
                created_at=created_at,
            )
            .on_conflict_do_nothing()
        )

    def terms_at(self, path: str, at: datetime) -> Terms | None:
        rows = self._rows(
            """SELECT * FROM billing_terms_validity WHERE starts_with(:path, path)
            AND starts <= :at AND (ends IS NULL OR ends > :at)
            ORDER BY length(path) DESC LIMIT 1""",
            path=path,
            at=at,
        )
        if not rows:
            return None
        r = rows[0]
        return Terms(
            r.path, r.contract_id, r.contract_version, r.book, r.discount,
            Interval(r.starts, r.ends),
        )  # fmt: skip

    def price_for(self, terms: Terms, quantity: HourlyQuantity, at: datetime) -> Price | None:
        rows = self._rows(
            """SELECT * FROM billing_price_validity WHERE book = :book AND meter = :meter
            AND CAST(:dimensions AS jsonb) @> dimensions
            AND starts <= :at AND (ends IS NULL OR ends > :at)
            ORDER BY specificity DESC, id LIMIT 1""",
            book=terms.book,
            meter=quantity.meter,
            dimensions=canonical.dumps(quantity.dimensions),
            at=at,
        )
        return _price(rows[0]) if rows else None


def _price(row: sa.Row[Any]) -> Price:
    return Price(
        row.id,
        row.book,
        row.meter,
        row.dimensions,
        row.unit_price,
        row.starts,
        row.ends,
        row.reason,
    )
