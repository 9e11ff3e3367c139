"""Statements: open ones are summed from charges, issued ones are kept; and what explains a line."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.billing.model import (
    Charge,
    Evidence,
    LineKey,
    StatementHead,
    StatementLine,
    StatementState,
)
from control_plane.billing.store.rows import Rows
from control_plane.billing.store.tables import line_table, statement_table
from foundation.kernel import canonical, ids
from foundation.kernel.database import within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import month

_LINE_KEY = (
    "tenancy_id, resource_id, meter, dimensions, price_id, unit_price, list_unit_price, "
    "contract_id, contract_version"
)


class Statements(Rows):
    """Statements, their lines, and what explains a line."""

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
        rows = self._db.execute(_listed(paths, period).order_by(t.period.desc(), t.path))
        return [_head(r) for r in rows]

    def statement_page(
        self, paths: Sequence[str], period: str | None, request: PageRequest
    ) -> Page[StatementHead]:
        t = statement_table.c
        query = _listed(paths, period)
        after = request.key(3)
        if after is not None:
            later = sa.tuple_(t.path, t.id) > sa.tuple_(*after[1:])
            query = query.where((t.period < after[0]) | ((t.period == after[0]) & later))
        rows = self._db.execute(
            query.order_by(t.period.desc(), t.path, t.id).limit(request.limit + 1)
        )
        heads = [_head(r) for r in rows]
        return page_of(heads, request, lambda head: (head.period, head.path, head.id))

    def open_lines(
        self, head: StatementHead, until: datetime
    ) -> list[tuple[LineKey, Decimal, Decimal, Decimal]]:
        where, parameters = self._on(head, until, "c.day")
        # Sums of numbers first: the names are joined to the few rows that are left.
        rows = self._rows(
            f"""WITH sums AS MATERIALIZED (
              SELECT c.series_id, c.tariff_id, date_trunc('month', c.day, 'UTC') AS month,
                     sum(c.quantity) AS quantity
              FROM billing_charge_day c WHERE {where}
              GROUP BY c.series_id, c.tariff_id, month
            ), lines AS (
              SELECT {_LINE_KEY}, to_char(g.month AT TIME ZONE 'UTC', 'YYYY-MM') AS charge_month,
                     sum(g.quantity) AS quantity
              FROM sums g JOIN metering_series s ON s.id = g.series_id
              JOIN billing_tariff t ON t.id = g.tariff_id GROUP BY {_LINE_KEY}, charge_month
            )
            SELECT *, quantity * list_unit_price AS list_cost, quantity * unit_price AS cost
            FROM lines WHERE quantity <> 0
            ORDER BY charge_month, tenancy_id, resource_id, meter, dimensions, price_id,
                     contract_id, contract_version, unit_price""",
            **parameters,
        )
        return [(_line_key(r), r.quantity, r.list_cost, r.cost) for r in rows]

    def _on(self, head: StatementHead, until: datetime, at: str) -> tuple[str, dict[str, Any]]:
        """Which charges ``c`` (``at`` is their time) are on a statement: condition, parameters.

        Issuing stops all rating, so every charge is of a step before or after it. A statement has
        the charges of its account, of hours before its month's end and steps until its own, that
        are on no statement issued before it. Among those, one with a later end and a later step
        than another holds all that the other does, and stands for it.
        """
        issued = self._rows(
            """SELECT id, step_id, period FROM billing_statement
            WHERE path = :account AND currency = :currency AND state = 'issued'
            ORDER BY step_id DESC, period DESC""",
            account=head.path,
            currency=head.currency,
        )
        own = next((row for row in issued if row.id == head.id), None)
        before: list[tuple[datetime, int]] = []
        for row in issued[issued.index(own) + 1 :] if own else issued:
            end = month(row.period).end
            if end is not None and not any(end <= other for other, _ in before):
                before.append((end, row.step_id))
        parameters = {"account": head.path, "currency": head.currency, "until": until}
        clauses = [
            f"{at} < :until",
            "c.series_id IN (SELECT id FROM metering_series WHERE starts_with(path, :account))",
            (
                "c.tariff_id IN (SELECT id FROM billing_tariff"
                " WHERE account = :account AND currency = :currency)"
            ),
        ]
        if own:
            clauses.append("c.step_id <= :own")
            parameters["own"] = own.step_id
        for index, (end, step) in enumerate(before):
            clauses.append(f"({at} >= :end{index} OR c.step_id > :step{index})")
            parameters |= {f"end{index}": end, f"step{index}": step}
        return " AND ".join(clauses), parameters

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
        self, head: StatementHead, lines: Sequence[StatementLine], at: datetime
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
        self._db.execute(
            statement_table.update()
            .where(statement_table.c.id == head.id)
            .values(
                state=StatementState.ISSUED,
                number=number,
                issued_at=at,
                step_id=self._rows("SELECT coalesce(max(id), 0) AS step FROM billing_rating_step")[
                    0
                ].step,
                total=sum((line.amount for line in lines), Decimal(0)),
            )
        )
        issued = self.statement(head.id)
        if issued is None:  # it was locked by the caller
            raise RuntimeError("the statement vanished while it was issued")
        return issued

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
        on, parameters = self._on(head, until, "c.hour")
        where = f"{on} AND {_LINE}"
        parameters |= _key_parameters(line.key)
        count = self._rows(
            f"SELECT count(*) AS n FROM billing_charge c WHERE {where}", **parameters
        )
        rows = self._rows(
            f"""SELECT c.hour, c.quantity, c.list_cost, c.contracted_cost, c.effective_cost,
              c.billed_cost, c.run_id, c.corrects
            FROM billing_charge_detail c WHERE {where}
            ORDER BY c.hour, c.step_id, c.series_id, c.tariff_id LIMIT :limit""",
            **parameters,
            limit=limit,
        )
        return count[0].n, [Charge(**row._mapping) for row in rows]  # noqa: SLF001

    def evidence(self, line: StatementLine, limit: int) -> tuple[int, Decimal, list[Evidence]]:
        # Records of the hours that the line charged: a line at another price has other hours.
        sql = f"""FROM metering_record r
            WHERE {_SERIES.format("r")} AND (r.series_id, r.hour) IN (
              SELECT c.series_id, c.hour FROM billing_charge c WHERE {_LINE})"""
        parameters = _key_parameters(line.key)
        head = self._rows(
            f"SELECT count(*) AS n, coalesce(sum(r.quantity), 0) AS q {sql}", **parameters
        )[0]
        rows = self._rows(
            f"""SELECT r.hour, r.quantity, e.source AS event_source, e.id AS event_id, e.received_at
            FROM (SELECT r.* {sql} ORDER BY r.hour, r.event_number LIMIT :limit) r
            JOIN metering_event e ON e.number = r.event_number
            ORDER BY r.hour, r.event_number""",
            **parameters,
            limit=limit,
        )
        return head.n, head.q, [Evidence(**row._mapping) for row in rows]  # noqa: SLF001


_SERIES = """{0}.series_id IN (
  SELECT id FROM metering_series
  WHERE tenancy_id = :tenancy_id AND resource_id = :resource_id AND meter = :meter
    AND dimensions = CAST(:dimensions AS jsonb))
AND {0}.hour >= :month_start AND {0}.hour < :month_end"""

# The charges ``c`` that a line's key speaks of.
_LINE = f"""{_SERIES.format("c")} AND c.tariff_id IN (
  SELECT id FROM billing_tariff
  WHERE price_id = :price_id AND unit_price = :unit_price AND contract_id = :contract_id
    AND contract_version = :contract_version)"""


def _key_parameters(key: LineKey) -> dict[str, Any]:
    charged = month(key.charge_month)
    return {
        "tenancy_id": key.tenancy_id,
        "resource_id": key.resource_id,
        "meter": key.meter,
        "dimensions": canonical.dumps(key.dimensions),
        "price_id": key.price_id,
        "unit_price": key.unit_price,
        "contract_id": key.contract_id,
        "contract_version": key.contract_version,
        "month_start": charged.start,
        "month_end": charged.end,
    }


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


def _listed(paths: Sequence[str], period: str | None) -> sa.Select[Any]:
    t = statement_table.c
    below = within(t.path, paths)
    query = sa.select(statement_table).where(below)
    return query if period is None else query.where(t.period == period)
