"""Service instances in PostgreSQL."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest, page_of
from marketplace.model import Instance, InstanceId, InstanceState, OrderId
from marketplace.store.tables import instance_table


class InstanceRows:
    """Service instances."""

    _db: Database

    def add_instance(self, instance: Instance) -> bool:
        made = self._db.execute(
            postgresql.insert(instance_table)
            .values(id=instance.id, **_columns(instance))
            .on_conflict_do_nothing()
            .returning(instance_table.c.id)
        ).first()
        return made is not None

    def instance(self, instance_id: str, *, lock: bool = False) -> Instance | None:
        query = sa.select(instance_table).where(instance_table.c.id == instance_id)
        return self._one(query.with_for_update() if lock else query)

    def instance_named(self, tenancy_id: str, region_id: str, name: str) -> Instance | None:
        t = instance_table.c
        return self._one(
            sa.select(instance_table).where(
                t.tenancy_id == tenancy_id,
                t.region_id == region_id,
                t.name == name,
                t.state != InstanceState.DELETED.value,
            )
        )

    def instances_named(self, names: Sequence[str]) -> list[Instance]:
        t = instance_table.c
        rows = self._db.execute(
            sa.select(instance_table).where(sa.or_(t.id.in_(names), t.deployment_id.in_(names)))
        )
        return [_instance(row) for row in rows]

    def instance_of(self, deployment_id: str) -> Instance | None:
        return self._one(
            sa.select(instance_table).where(instance_table.c.deployment_id == deployment_id)
        )

    def _one(self, query: sa.Select[Any]) -> Instance | None:
        row = self._db.execute(query).one_or_none()
        return None if row is None else _instance(row)

    def save_instance(self, instance: Instance) -> None:
        self._db.execute(
            instance_table.update()
            .where(instance_table.c.id == instance.id)
            .values(**_columns(instance))
        )

    def drop_instance(self, instance_id: str) -> None:
        self._db.execute(instance_table.delete().where(instance_table.c.id == instance_id))

    def instances(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Instance]:
        t = instance_table.c
        below = within(t.path, paths)
        query = sa.select(instance_table).where(below)
        for name, value in filters.items():
            query = query.where(instance_table.c[name] == value)
        after = request.key(1)
        if after is not None:
            query = query.where(t.id < after[0])
        rows = self._db.execute(query.order_by(t.id.desc()).limit(request.limit + 1))
        return page_of([_instance(row) for row in rows], request, lambda item: (item.id,))


def _columns(instance: Instance) -> dict[str, Any]:
    return {
        "order_id": instance.order_id,
        "latest_order_id": instance.latest_order_id,
        "contract_id": instance.contract_id,
        "deployment_id": instance.deployment_id,
        "tenancy_id": instance.tenancy_id,
        "path": instance.path,
        "system_id": instance.system_id,
        "region_id": instance.region_id,
        "offering": instance.offering,
        "plan": instance.plan,
        "name": instance.name,
        "inputs": dict(instance.inputs),
        "state": instance.state.value,
        "held": dict(instance.held),
        "monthly": instance.monthly.amount,
        "currency": instance.monthly.currency,
        "outputs": dict(instance.outputs),
        "created_at": instance.created_at,
        "ends_at": instance.ends_at,
        "active_at": instance.active_at,
        "deleted_at": instance.deleted_at,
    }


def _instance(row: sa.Row[Any]) -> Instance:
    return Instance(
        id=InstanceId(row.id),
        order_id=OrderId(row.order_id),
        latest_order_id=OrderId(row.latest_order_id),
        contract_id=row.contract_id,
        deployment_id=row.deployment_id,
        tenancy_id=row.tenancy_id,
        path=row.path,
        system_id=row.system_id,
        region_id=row.region_id,
        offering=row.offering,
        plan=row.plan,
        name=row.name,
        inputs=row.inputs,
        state=InstanceState(row.state),
        held={name: Decimal(amount) for name, amount in row.held.items()},
        monthly=Money(row.monthly, row.currency),
        created_at=row.created_at,
        outputs=row.outputs,
        ends_at=row.ends_at,
        active_at=row.active_at,
        deleted_at=row.deleted_at,
    )
