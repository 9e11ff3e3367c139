"""Fees in PostgreSQL."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database
from marketplace.model import ComponentKind, Fee, FeeKey, InstanceId, OrderId
from marketplace.store.tables import fee_table

_SAVE = (
    fee_table.update()
    .where(
        fee_table.c.order_id == sa.bindparam("of_order"),
        fee_table.c.component == sa.bindparam("of_component"),
    )
    .values(charged_until=sa.bindparam("until"), ends=sa.bindparam("end"))
)


class FeeRows:
    """What runs by the month, and what was charged once."""

    _db: Database

    def add_fees(self, fees: Sequence[Fee]) -> None:
        if fees:
            self._db.execute(fee_table.insert(), [_columns(fee) for fee in fees])

    def save_fees(self, fees: Sequence[Fee]) -> None:
        if not fees:
            return
        rows = [
            {
                "of_order": fee.order_id,
                "of_component": fee.component,
                "until": fee.charged_until,
                "end": fee.ends,
            }
            for fee in fees
        ]
        self._db.execute(_SAVE, rows)

    def running_fees(self, instance_id: str) -> list[Fee]:
        return self._fees(fee_table.c.instance_id == instance_id)

    def fees_due(self, until: datetime, limit: int) -> list[Fee]:
        return self._fees(fee_table.c.charged_until < until, limit)

    def _fees(self, chosen: sa.ColumnElement[bool], limit: int | None = None) -> list[Fee]:
        t = fee_table.c
        rows = self._db.execute(
            sa.select(fee_table)
            .where(chosen, t.ends.is_(None))
            .order_by(t.order_id, t.component)
            .limit(limit)
            .with_for_update()
        )
        return [_fee(row) for row in rows]

    def paid_once(self, instance_id: str) -> Mapping[FeeKey, Decimal]:
        t = fee_table.c
        rows = self._db.execute(
            sa.select(fee_table).where(
                t.instance_id == instance_id, t.kind == ComponentKind.ONE_TIME.value
            )
        )
        paid: dict[FeeKey, Decimal] = defaultdict(Decimal)
        for row in rows:
            fee = _fee(row)
            paid[fee.key] += fee.quantity
        return paid


def _columns(fee: Fee) -> dict[str, Any]:
    return {
        "order_id": fee.order_id,
        "component": fee.component,
        "instance_id": fee.instance_id,
        "kind": fee.kind.value,
        "meter": fee.meter,
        "dimensions": dict(fee.dimensions),
        "quantity": fee.quantity,
        "starts": fee.starts,
        "charged_until": fee.charged_until,
        "ends": fee.ends,
    }


def _fee(row: sa.Row[Any]) -> Fee:
    return Fee(
        OrderId(row.order_id), row.component, InstanceId(row.instance_id), ComponentKind(row.kind),
        row.meter, row.dimensions, row.quantity, row.starts, row.charged_until, row.ends,
    )  # fmt: skip
