"""Billing in PostgreSQL: rating and statements are statements over sets, never loops over rows."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.billing.model import (
    Charge,
    Evidence,
    HourlyQuantity,
    LineKey,
    Price,
    PriceBook,
    StatementHead,
    StatementLine,
    StatementState,
    Terms,
    Unpriced,
)
from control_plane.kernel import canonical, ids
from control_plane.kernel.database import Database, metadata, on_create
from control_plane.kernel.text import Text
from control_plane.kernel.time import Interval, month

_INSTANT = sa.DateTime(timezone=True)

book_table = sa.Table(
    "billing_price_book",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("title", postgresql.JSONB, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
)

price_table = sa.Table(
    "billing_price",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("book", sa.ForeignKey(book_table.c.slug), nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.Column("specificity", sa.Integer, nullable=False),
    sa.Column("unit_price", sa.Numeric, nullable=False),
    sa.Column("starts", _INSTANT, nullable=False),
    sa.Column("ends", _INSTANT),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Index("ix_billing_price_book_meter", "book", "meter"),
    sa.CheckConstraint("unit_price >= 0", name="unit_price"),
)

terms_table = sa.Table(
    "billing_terms",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False, index=True),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("contract_version", sa.Integer, nullable=False),
    sa.Column("book", sa.ForeignKey(book_table.c.slug), nullable=False),
    sa.Column("discount", sa.Numeric, nullable=False),
    sa.Column("starts", _INSTANT, nullable=False),
    sa.Column("ends", _INSTANT),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.UniqueConstraint("contract_id", "contract_version"),
    sa.CheckConstraint("discount BETWEEN 0 AND 1", name="discount"),
)

statement_table = sa.Table(
    "billing_statement",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("total", sa.Numeric, nullable=False),
    sa.Column("number", sa.Text, unique=True),
    sa.Column("issued_at", _INSTANT),
    sa.Column("rated_at", _INSTANT),
    sa.UniqueConstraint("path", "period", "currency"),
    sa.CheckConstraint("state IN ('open', 'issued')", name="state"),
    sa.CheckConstraint("(state = 'issued') = (number IS NOT NULL)", name="numbered"),
)

line_table = sa.Table(
    "billing_statement_line",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("statement_id", sa.ForeignKey(statement_table.c.id), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("key", postgresql.JSONB, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Column("list_cost", sa.Numeric, nullable=False),
    sa.Column("cost", sa.Numeric, nullable=False),
    sa.Column("amount", sa.Numeric, nullable=False),
)

charge_table = sa.Table(
    "billing_charge",
    metadata,
    sa.Column("hour", _INSTANT, primary_key=True),
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("resource_id", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Column("price_id", sa.Text, nullable=False),
    sa.Column("list_unit_price", sa.Numeric, nullable=False),
    sa.Column("unit_price", sa.Numeric, nullable=False),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("contract_version", sa.Integer, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("list_cost", sa.Numeric, nullable=False),
    sa.Column("contracted_cost", sa.Numeric, nullable=False),
    sa.Column("effective_cost", sa.Numeric, nullable=False),
    sa.Column("billed_cost", sa.Numeric, nullable=False),
    sa.Column("corrects", sa.Boolean, nullable=False),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("rated_at", _INSTANT, nullable=False),
    sa.Column("statement_line_id", sa.Text),
    sa.Index("ix_billing_charge_account_hour", "account", "hour"),
    sa.Index("ix_billing_charge_statement_line_id", "statement_line_id"),
    postgresql_partition_by="RANGE (hour)",
)

# A charge is never changed but to say, once, on which line it was billed; an issued statement and
# its lines never change at all.
on_create(
    charge_table,
    """
CREATE FUNCTION billing_keep_charge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.statement_line_id IS NULL
     AND to_jsonb(OLD) - 'statement_line_id' = to_jsonb(NEW) - 'statement_line_id' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'billing_charge is append-only';
END $$;
CREATE TRIGGER billing_charge_kept BEFORE UPDATE OR DELETE ON billing_charge
  FOR EACH ROW EXECUTE FUNCTION billing_keep_charge()""",
)
on_create(
    statement_table,
    """
CREATE FUNCTION billing_keep_issued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) ->> 'state' = 'open' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'an issued statement never changes';
END $$;
CREATE TRIGGER billing_statement_kept BEFORE UPDATE OR DELETE ON billing_statement
  FOR EACH ROW EXECUTE FUNCTION billing_keep_issued()""",
)
on_create(
    line_table,
    """
CREATE TRIGGER billing_statement_line_kept BEFORE UPDATE OR DELETE ON billing_statement_line
  FOR EACH ROW EXECUTE FUNCTION billing_keep_issued()""",
)
# Of prices (and terms) that begin together, the one that was written last holds.
on_create(
    price_table,
    """
CREATE VIEW billing_price_validity AS
SELECT id, book, meter, dimensions, specificity, unit_price, reason, created_at, starts,
       least(ends, lead(starts) OVER (PARTITION BY book, meter, dimensions ORDER BY starts)) AS ends
FROM (SELECT DISTINCT ON (book, meter, dimensions, starts) * FROM billing_price
      ORDER BY book, meter, dimensions, starts, created_at DESC, id DESC) newest""",
)
on_create(
    terms_table,
    """
CREATE VIEW billing_terms_validity AS
SELECT id, path, contract_id, contract_version, book, discount, created_at, starts,
       least(ends, lead(starts) OVER (PARTITION BY path ORDER BY starts)) AS ends
FROM (SELECT DISTINCT ON (path, starts) * FROM billing_terms
      ORDER BY path, starts, contract_version DESC, created_at DESC, id DESC) newest""",
)


# The tariff: for each kind of quantity in the window and each span between two changes of prices or
# terms, the terms of the nearest organisation and the most specific price of their book. It is
# small, so that the records meet it in one hash join.
_TARIFF = """
hourly AS MATERIALIZED (
  SELECT * FROM metering_hourly
  WHERE hour >= :start AND hour < :end AND starts_with(path, :path)
), kinds AS (
  SELECT DISTINCT path, meter, dimensions FROM hourly
), bounds AS (
  SELECT CAST(:start AS timestamptz) AS at
  UNION SELECT starts FROM billing_price UNION SELECT ends FROM billing_price
  UNION SELECT starts FROM billing_terms UNION SELECT ends FROM billing_terms
), spans AS (
  SELECT at AS since, lead(at, 1, CAST(:end AS timestamptz)) OVER (ORDER BY at) AS until
  FROM bounds WHERE at >= :start AND at < :end
), accounts AS (
  SELECT DISTINCT ON (k.path, s.since) k.path, s.since, s.until, t.path AS account,
         t.contract_id, t.contract_version, t.book, t.discount
  FROM (SELECT DISTINCT path FROM kinds) k CROSS JOIN spans s
  JOIN billing_terms_validity t ON starts_with(k.path, t.path)
   AND t.starts <= s.since AND (t.ends IS NULL OR t.ends > s.since)
  ORDER BY k.path, s.since, length(t.path) DESC
), tariff AS MATERIALIZED (
  SELECT DISTINCT ON (k.path, k.meter, k.dimensions, a.since)
         k.path, k.meter, k.dimensions, a.since, a.until, a.account, a.contract_id,
         a.contract_version, b.currency, p.id AS price_id, p.unit_price AS list_unit_price,
         p.unit_price * (1 - a.discount) AS unit_price
  FROM kinds k JOIN accounts a ON a.path = k.path
  JOIN billing_price_validity p ON p.book = a.book AND p.meter = k.meter
   AND k.dimensions @> p.dimensions
   AND p.starts <= a.since AND (p.ends IS NULL OR p.ends > a.since)
  JOIN billing_price_book b ON b.slug = a.book
  ORDER BY k.path, k.meter, k.dimensions, a.since, p.specificity DESC, p.id
)"""

_KEY = (
    "account, path, tenancy_id, resource_id, meter, dimensions, price_id, list_unit_price, "
    "unit_price, contract_id, contract_version, currency"
)

_RATE = f"""
WITH {_TARIFF}, due AS (
  SELECT t.account, h.path, h.tenancy_id, h.resource_id, h.meter, h.dimensions, t.price_id,
         t.list_unit_price, t.unit_price, t.contract_id, t.contract_version, t.currency,
         h.hour, h.quantity
  FROM hourly h JOIN tariff t ON t.path = h.path AND t.meter = h.meter
   AND t.dimensions = h.dimensions AND h.hour >= t.since AND h.hour < t.until
), charged AS (
  SELECT {_KEY}, hour, sum(quantity) AS quantity FROM billing_charge
  WHERE hour >= :start AND hour < :end AND starts_with(path, :path) GROUP BY {_KEY}, hour
), difference AS (
  SELECT {_KEY}, hour, coalesce(due.quantity, 0) - coalesce(charged.quantity, 0) AS quantity,
         charged.quantity IS NOT NULL AS corrects
  FROM due FULL JOIN charged USING ({_KEY}, hour)
), added AS (
  INSERT INTO billing_charge ({_KEY}, hour, quantity, list_cost, contracted_cost, effective_cost,
                              billed_cost, corrects, run_id, rated_at)
  SELECT {_KEY}, hour, quantity, quantity * list_unit_price, quantity * unit_price,
         quantity * unit_price, quantity * unit_price, corrects, :run, :at
  FROM difference WHERE quantity <> 0
  RETURNING account, currency
) SELECT account, currency, count(*) AS charges FROM added GROUP BY account, currency
"""

_UNPRICED = f"""
WITH {_TARIFF}
SELECT h.path, h.meter, h.dimensions, sum(h.quantity) AS quantity
FROM hourly h JOIN metering_meter m ON m.name = h.meter AND m.billable
LEFT JOIN tariff t ON t.path = h.path AND t.meter = h.meter AND t.dimensions = h.dimensions
 AND h.hour >= t.since AND h.hour < t.until
WHERE t.price_id IS NULL GROUP BY h.path, h.meter, h.dimensions ORDER BY h.path, h.meter
"""

_LINE_KEY = (
    "tenancy_id, resource_id, meter, dimensions, price_id, unit_price, list_unit_price, "
    "contract_id, contract_version"
)
_MONTH = "to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM')"
_ALL = "/"


class PostgresBilling:
    """The billing store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def _rows(self, sql: str, **parameters: Any) -> list[sa.Row[Any]]:  # noqa: ANN401
        return list(self._db.execute(sa.text(sql), parameters))

    # --- prices ---------------------------------------------------------------------------------

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

    # --- rating ---------------------------------------------------------------------------------

    def lock_rating(self) -> None:
        self._db.lock("billing rating")

    def rate(self, window: Interval, run_id: str, at: datetime) -> tuple[int, set[tuple[str, str]]]:
        self._rows(
            "SELECT borough_ensure_month('billing_charge', CAST(:start AS timestamptz))",
            start=window.start,
        )
        rows = self._rows(_RATE, start=window.start, end=window.end, path=_ALL, run=run_id, at=at)
        return sum(r.charges for r in rows), {(r.account, r.currency) for r in rows}

    def unpriced(self, path: str, window: Interval) -> list[Unpriced]:
        rows = self._rows(_UNPRICED, start=window.start, end=window.end, path=path)
        return [Unpriced(r.path, r.meter, r.dimensions, r.quantity) for r in rows]

    # --- statements -----------------------------------------------------------------------------

    def open_statement(self, path: str, period: str, currency: str, rated_at: datetime) -> str:
        statement = postgresql.insert(statement_table).values(
            id=ids.new("stm"), path=path, period=period, currency=currency,
            state=StatementState.OPEN, total=0, rated_at=rated_at,
        )  # fmt: skip
        self._db.execute(
            statement.on_conflict_do_update(
                index_elements=["path", "period", "currency"],
                set_={"rated_at": rated_at},
                where=statement_table.c.state == StatementState.OPEN,
            )
        )
        row = self._db.execute(
            sa.select(statement_table.c.id).where(
                statement_table.c.path == path,
                statement_table.c.period == period,
                statement_table.c.currency == currency,
            )
        ).one()
        return str(row.id)

    def statement(self, statement_id: str, *, lock: bool = False) -> StatementHead | None:
        query = sa.select(statement_table).where(statement_table.c.id == statement_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _head(row)

    def statements(self, paths: Sequence[str], period: str | None) -> list[StatementHead]:
        t = statement_table.c
        query = sa.select(statement_table).where(
            sa.or_(sa.false(), *(t.path.startswith(path, autoescape=True) for path in paths))
        )
        if period is not None:
            query = query.where(t.period == period)
        return [_head(r) for r in self._db.execute(query.order_by(t.period.desc(), t.path))]

    def open_lines(
        self, head: StatementHead, until: datetime
    ) -> list[tuple[LineKey, Decimal, Decimal, Decimal]]:
        rows = self._rows(
            f"""SELECT {_LINE_KEY}, {_MONTH} AS charge_month, sum(quantity) AS quantity,
                   sum(list_cost) AS list_cost, sum(billed_cost) AS cost
            FROM billing_charge
            WHERE account = :account AND currency = :currency AND hour < :until
              AND statement_line_id IS NULL
            GROUP BY {_LINE_KEY}, {_MONTH}
            HAVING sum(quantity) <> 0 OR sum(billed_cost) <> 0
            ORDER BY charge_month, tenancy_id, resource_id, meter, dimensions, price_id""",
            account=head.path,
            currency=head.currency,
            until=until,
        )
        return [(_line_key(r), r.quantity, r.list_cost, r.cost) for r in rows]

    def issued_lines(self, statement_id: str) -> list[StatementLine]:
        t = line_table.c
        rows = self._db.execute(
            sa.select(line_table).where(t.statement_id == statement_id).order_by(t.position)
        )
        return [
            StatementLine(r.id, _key_from_json(r.key), r.quantity, r.list_cost, r.cost, r.amount)
            for r in rows
        ]

    def issue(
        self, head: StatementHead, lines: Sequence[StatementLine], until: datetime, at: datetime
    ) -> StatementHead:
        number = self._next_number(head.period[:4])
        if lines:
            self._db.execute(
                line_table.insert(),
                [
                    {
                        "id": line.id,
                        "statement_id": head.id,
                        "position": position,
                        "key": canonical.plain(line.key),
                        "quantity": line.quantity,
                        "list_cost": line.list_cost,
                        "cost": line.cost,
                        "amount": line.amount,
                    }
                    for position, line in enumerate(lines)
                ],
            )
        self._bind(head, until)
        self._db.execute(
            statement_table.update()
            .where(statement_table.c.id == head.id)
            .values(
                state=StatementState.ISSUED,
                number=number,
                issued_at=at,
                total=sum((line.amount for line in lines), Decimal(0)),
            )
        )
        issued = self.statement(head.id)
        if issued is None:  # it was locked by the caller
            raise RuntimeError("the statement vanished while it was issued")
        return issued

    def _bind(self, head: StatementHead, until: datetime) -> None:
        """Say of each charge on which line it was billed; offsetting ones go with the statement."""
        self._rows_none(
            """UPDATE billing_charge c SET statement_line_id = coalesce(l.id, :statement)
            FROM (SELECT hour, id FROM billing_charge
                  WHERE account = :account AND currency = :currency AND hour < :until
                    AND statement_line_id IS NULL) due
            JOIN billing_charge d ON d.hour = due.hour AND d.id = due.id
            LEFT JOIN billing_statement_line l ON l.statement_id = :statement
             AND l.key ->> 'tenancy_id' = d.tenancy_id AND l.key ->> 'resource_id' = d.resource_id
             AND l.key ->> 'meter' = d.meter AND l.key -> 'dimensions' = d.dimensions
             AND l.key ->> 'price_id' = d.price_id
             AND CAST(l.key ->> 'unit_price' AS numeric) = d.unit_price
             AND l.key ->> 'contract_id' = d.contract_id
             AND CAST(l.key ->> 'contract_version' AS integer) = d.contract_version
             AND l.key ->> 'charge_month' = to_char(d.hour AT TIME ZONE 'UTC', 'YYYY-MM')
            WHERE c.hour = due.hour AND c.id = due.id""",
            statement=head.id,
            account=head.path,
            currency=head.currency,
            until=until,
        )

    def _rows_none(self, sql: str, **parameters: Any) -> None:  # noqa: ANN401
        self._db.execute(sa.text(sql), parameters)

    def _next_number(self, year: str) -> str:
        # Under a lock until the commit: numbers have no gaps and no doubles.
        self._db.lock(f"billing number {year}")
        rows = self._rows(
            "SELECT count(*) AS taken FROM billing_statement WHERE starts_with(number, :year)",
            year=f"{year}-",
        )
        return f"{year}-{rows[0].taken + 1:06d}"

    # --- explanation ----------------------------------------------------------------------------

    def charges(
        self, head: StatementHead, line: StatementLine, until: datetime, limit: int
    ) -> tuple[int, list[Charge]]:
        issued = head.state is StatementState.ISSUED
        bound = "c.statement_line_id = :line" if issued else "c.statement_line_id IS NULL"
        where = f"""c.account = :account AND c.currency = :currency AND c.hour < :until AND {bound}
            AND {_match("c")}"""
        parameters = {
            **_key_parameters(line.key),
            "account": head.path,
            "currency": head.currency,
            "until": until,
            **({"line": line.id} if issued else {}),
        }
        count = self._rows(
            f"SELECT count(*) AS n FROM billing_charge c WHERE {where}", **parameters
        )
        rows = self._rows(
            f"SELECT c.* FROM billing_charge c WHERE {where} ORDER BY c.hour, c.id LIMIT :limit",
            **parameters,
            limit=limit,
        )
        found = [
            Charge(
                r.id, r.hour, r.quantity, r.list_cost, r.contracted_cost, r.effective_cost,
                r.billed_cost, r.run_id, r.corrects,
            )
            for r in rows
        ]  # fmt: skip
        return count[0].n, found

    def evidence(self, line: StatementLine, limit: int) -> tuple[int, Decimal, list[Evidence]]:
        # Records of the hours that the line charged: a line at another price has other hours.
        period = month(line.key.charge_month)
        sql = """FROM metering_record r JOIN metering_event e
              ON e.source = r.event_source AND e.id = r.event_id
            WHERE r.resource_id = :resource_id AND r.tenancy_id = :tenancy_id AND r.meter = :meter
              AND r.dimensions = CAST(:dimensions AS jsonb) AND r.hour >= :start AND r.hour < :end
              AND r.hour IN (SELECT c.hour FROM billing_charge c
                             WHERE c.resource_id = r.resource_id AND c.meter = r.meter
                               AND c.dimensions = r.dimensions AND c.price_id = :price_id
                               AND c.hour >= :start AND c.hour < :end)"""
        parameters = {**_key_parameters(line.key), "start": period.start, "end": period.end}
        for unused in ("unit_price", "contract_id", "contract_version", "charge_month"):
            parameters.pop(unused)
        head = self._rows(
            f"SELECT count(*) AS n, coalesce(sum(r.quantity), 0) AS q {sql}",
            **parameters,
        )[0]
        rows = self._rows(
            f"""SELECT r.hour, r.quantity, r.event_source, r.event_id, e.received_at {sql}
            ORDER BY r.hour, r.id LIMIT :limit""",
            **parameters,
            limit=limit,
        )
        return head.n, head.q, [Evidence(**row._mapping) for row in rows]  # noqa: SLF001


def _match(table: str) -> str:
    return f"""{table}.tenancy_id = :tenancy_id AND {table}.resource_id = :resource_id
        AND {table}.meter = :meter AND {table}.dimensions = CAST(:dimensions AS jsonb)
        AND {table}.price_id = :price_id AND {table}.unit_price = :unit_price
        AND {table}.contract_id = :contract_id AND {table}.contract_version = :contract_version
        AND to_char({table}.hour AT TIME ZONE 'UTC', 'YYYY-MM') = :charge_month"""


def _key_parameters(key: LineKey) -> dict[str, Any]:
    return {
        "tenancy_id": key.tenancy_id,
        "resource_id": key.resource_id,
        "meter": key.meter,
        "dimensions": canonical.dumps(key.dimensions),
        "price_id": key.price_id,
        "unit_price": key.unit_price,
        "contract_id": key.contract_id,
        "contract_version": key.contract_version,
        "charge_month": key.charge_month,
    }


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


def _head(row: sa.Row[Any]) -> StatementHead:
    return StatementHead(
        row.id, row.path, row.period, row.currency, StatementState(row.state), row.total,
        row.number, row.issued_at, row.rated_at,
    )  # fmt: skip


def _line_key(row: sa.Row[Any]) -> LineKey:
    return LineKey(
        row.tenancy_id, row.resource_id, row.meter, row.dimensions, row.price_id, row.unit_price,
        row.list_unit_price, row.contract_id, row.contract_version, row.charge_month,
    )  # fmt: skip


def _key_from_json(value: dict[str, Any]) -> LineKey:
    return LineKey(
        **{
            **value,
            "unit_price": Decimal(value["unit_price"]),
            "list_unit_price": Decimal(value["list_unit_price"]),
        }
    )
