"""Deployments, plans and inventory in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import (
    IMPORT_OWNER,
    TENANCY_BLUEPRINT,
    Deployment,
    DeploymentId,
    DeploymentState,
    Hold,
    InventoryState,
    MeterQuantity,
    PastUsage,
    Plan,
    PlanId,
    RegionId,
    Resource,
    ResourceId,
    plan_from,
)
from control_plane.provisioning.store.tables import deployment_table, plan_table, resource_table
from control_plane.provisioning.store.values import amounts
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant
from foundation.operations.model import Superseded


class DeploymentRows:
    """Implements ``DeploymentStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_deployment(self, deployment: Deployment, sealed_seed: str) -> bool:
        d = deployment
        made = self._db.execute(
            postgresql.insert(deployment_table)
            .values(
                id=d.id, tenancy_id=d.tenancy_id, path=d.path, region_id=d.region_id,
                blueprint=d.blueprint, revision=d.revision, name=d.name, inputs=d.inputs,
                state=d.state.value, outputs=d.outputs, secret_outputs=d.secret_outputs,
                sealed_seed=sealed_seed, plan_id=d.plan_id, owner=d.owner, operation=d.operation,
                last_operation=d.last_operation, error=d.error, footprint=d.footprint,
                tags=d.tags, created_at=d.created_at, updated_at=d.updated_at,
            )
            .on_conflict_do_nothing()
            .returning(deployment_table.c.id)
        )  # fmt: skip
        return made.first() is not None

    def deployment(self, deployment_id: str) -> Deployment | None:
        return self._one_deployment(deployment_table.c.id == deployment_id)

    def named(self, tenancy_id: str, region_id: str, name: str) -> Deployment | None:
        t = deployment_table.c
        return self._one_deployment(
            (t.tenancy_id == tenancy_id)
            & (t.region_id == region_id)
            & (t.name == name)
            & (t.state != DeploymentState.DESTROYED.value)
        )

    def landing(self, tenancy_id: str, region_id: str) -> Deployment | None:
        t = deployment_table.c
        return self._one_deployment(
            (t.tenancy_id == tenancy_id)
            & (t.region_id == region_id)
            & (t.blueprint == TENANCY_BLUEPRINT)
            & (t.state != DeploymentState.DESTROYED.value)
        )

    def _one_deployment(self, wanted: sa.ColumnElement[bool]) -> Deployment | None:
        row = self._db.execute(sa.select(deployment_table).where(wanted)).one_or_none()
        return None if row is None else _deployment(row)

    def residents(self, landing: Deployment) -> list[Deployment]:
        t = deployment_table.c
        idle = [DeploymentState.DESTROYED.value, DeploymentState.PENDING.value]
        rows = self._db.execute(
            sa.select(deployment_table)
            .where(
                t.tenancy_id == landing.tenancy_id,
                t.region_id == landing.region_id,
                t.id != landing.id,
                t.state.notin_(idle),
            )
            .order_by(t.id)
        )
        return [_deployment(row) for row in rows]

    def deployments(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Deployment]:
        t = deployment_table.c
        query = sa.select(deployment_table).where(within(t.path, paths)).order_by(t.id.desc())
        for name in ("tenancy_id", "region_id", "blueprint", "state", "owner"):
            if name in filters:
                query = query.where(t[name] == filters[name])
        if "imported" in filters:
            p = plan_table.c
            # Whoever has an owner was ordered: few are left whose plans have to be read.
            query = query.where(
                sa.or_(t.owner == "", t.owner.startswith(IMPORT_OWNER)),
                t.state != DeploymentState.DESTROYED.value,
                sa.exists().where(p.deployment_id == t.id, p.document.has_key("imports")),
            )
        after = request.key(1)
        if after is not None:
            query = query.where(t.id < after[0])
        rows = [_deployment(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda d: (d.id,))

    def sealed_seed(self, deployment_id: str) -> str:
        found: str = self._db.execute(
            sa.select(deployment_table.c.sealed_seed).where(deployment_table.c.id == deployment_id)
        ).scalar_one()
        return found

    def sealed_outputs(self, deployment_id: str) -> str | None:
        t = deployment_table.c
        found: str | None = self._db.execute(
            sa.select(t.sealed_outputs).where(t.id == deployment_id)
        ).scalar_one_or_none()
        return found

    def take(
        self, deployment_id: str, operation: str, state: DeploymentState, at: datetime
    ) -> Hold | None:
        t = deployment_table.c
        row = self._db.execute(
            sa.select(t.state, t.state_before, t.operation, t.fence)
            .where(t.id == deployment_id)
            .with_for_update()
        ).one()
        if row.operation not in {"", operation}:
            return None
        if row.state == DeploymentState.DESTROYED.value and state is DeploymentState.APPLYING:
            return None
        resumed = row.operation == operation
        before = DeploymentState(row.state_before if resumed else row.state)
        self._db.execute(
            deployment_table.update()
            .where(t.id == deployment_id)
            .values(
                operation=operation, fence=row.fence + 1, state=state.value,
                state_before=before.value, updated_at=at,
            )
        )  # fmt: skip
        return Hold(DeploymentId(deployment_id), operation, row.fence + 1, before, resumed)

    def write(self, hold: Hold, at: datetime, values: Mapping[str, Any]) -> None:
        t = deployment_table.c
        done = self._db.execute(
            deployment_table.update()
            .where(t.id == hold.deployment_id, t.fence == hold.fence, t.operation == hold.operation)
            .values(updated_at=at, **values)
        )
        if not done.rowcount:
            raise Superseded(f"{hold.operation} holds {hold.deployment_id} no more")

    def let_go(self, hold: Hold, at: datetime, values: Mapping[str, Any]) -> None:
        ended = {"operation": "", "state_before": None, "last_operation": hold.operation}
        self.write(hold, at, {**ended, **values})

    # Plans ------------------------------------------------------------------------------------

    def add_plan(self, plan: Plan) -> Plan:
        t = plan_table.c
        self._db.execute(
            postgresql.insert(plan_table)
            .values(
                id=plan.id, digest=plan.digest, deployment_id=plan.deployment_id,
                document=plan.document(), capacity=plan.capacity, created_at=plan.created_at,
            )
            .on_conflict_do_nothing(index_elements=["deployment_id", "digest"])
        )  # fmt: skip
        row = self._db.execute(
            sa.select(plan_table).where(
                t.deployment_id == plan.deployment_id, t.digest == plan.digest
            )
        ).one()
        return replace(plan, id=PlanId(row.id), created_at=row.created_at)

    def plan(self, reference: str) -> Plan | None:
        t = plan_table.c
        column = t.digest if reference.startswith("sha256:") else t.id
        row = self._db.execute(
            sa.select(plan_table).where(column == reference).order_by(t.id.desc()).limit(1)
        ).one_or_none()
        if row is None:
            return None
        room = {k: None if v is None else Decimal(v) for k, v in row.capacity.items()}
        return plan_from(row.id, row.document, room, row.created_at)

    def newest_plan(self, deployment_id: str) -> Plan | None:
        t = plan_table.c
        found = self._db.execute(
            sa.select(t.id).where(t.deployment_id == deployment_id).order_by(t.id.desc()).limit(1)
        ).scalar_one_or_none()
        return None if found is None else self.plan(found)

    # Inventory --------------------------------------------------------------------------------

    def resources(self, deployment_id: str) -> list[Resource]:
        t = resource_table.c
        rows = self._db.execute(
            sa.select(resource_table)
            .where(t.deployment_id == deployment_id, t.deleted_at.is_(None))
            .order_by(t.urn)
        )
        return [_resource(row) for row in rows]

    def put_resource(self, resource: Resource) -> None:
        r = resource
        values: dict[str, Any] = {
            "type": r.type, "name": r.name, "physical_id": r.physical_id, "state": r.state.value,
            "error": r.error, "hourly": [m.document() for m in r.hourly],
            "deleted_at": r.deleted_at,
            "history": [
                {"until": past.until, "hourly": [m.document() for m in past.hourly]}
                for past in r.history
            ],
        }  # fmt: skip
        self._db.execute(
            postgresql.insert(resource_table)
            .values(
                id=r.id, deployment_id=r.deployment_id, region_id=r.region_id,
                tenancy_id=r.tenancy_id, path=r.path, urn=r.urn, created_at=r.created_at, **values,
            )
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )  # fmt: skip

    def forget_resource(self, resource_id: str) -> None:
        self._db.execute(resource_table.delete().where(resource_table.c.id == resource_id))

    def inventory(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Resource]:
        t = resource_table.c
        query = sa.select(resource_table).where(within(t.path, paths))
        for name in ("deployment_id", "tenancy_id", "region_id", "type", "state"):
            if name in filters:
                query = query.where(t[name] == filters[name])
        if "state" not in filters:
            query = query.where(t.deleted_at.is_(None))
        after = request.key(2)
        if after is not None:
            made = parse_instant(after[0], "cursor")
            query = query.where(sa.tuple_(t.created_at, t.id) < sa.tuple_(made, after[1]))
        query = query.order_by(t.created_at.desc(), t.id.desc()).limit(request.limit + 1)
        rows = [_resource(row) for row in self._db.execute(query)]
        return page_of(rows, request, lambda r: (format_instant(r.created_at), r.id))

    def resolve(self, names: Sequence[str]) -> dict[str, Resource]:
        t = resource_table.c
        wanted = sorted(set(names))
        rows = self._db.execute(
            sa.select(resource_table)
            .where(
                sa.or_(t.id.in_(wanted), sa.and_(t.physical_id != "", t.physical_id.in_(wanted)))
            )
            .order_by(t.id)
        )
        # A Deployment and its Service may share a name, which is their id: the metered one is
        # meant, and a living one rather than one that is gone.
        found: dict[str, Resource] = {}
        resources = sorted(
            map(_resource, rows), key=lambda r: (bool(r.hourly), r.deleted_at is None, r.id)
        )
        for resource in resources:
            found[resource.id] = resource
            found[resource.physical_id] = resource
        return {name: found[name] for name in wanted if name in found}

    def imported(self, deployment_id: str) -> dict[str, str]:
        t = plan_table.c
        rows = self._db.execute(
            sa.select(t.document["imports"]).where(
                t.deployment_id == deployment_id, t.document.has_key("imports")
            )
        )
        return {urn: physical for found in rows.scalars() for urn, physical in found.items()}

    def claimed(self, region_id: str, physical_ids: Collection[str]) -> dict[str, str]:
        self._db.lock(f"provisioning-import:{region_id}")
        wanted = set(physical_ids)
        r, p, d = resource_table.c, plan_table.c, deployment_table.c
        unfinished = self._db.execute(
            sa.select(d.id, p.document["imports"].label("imports"))
            .join(plan_table, p.id == d.plan_id)
            .where(
                d.region_id == region_id,
                d.state.not_in([DeploymentState.ACTIVE.value, DeploymentState.DESTROYED.value]),
                p.document.has_key("imports"),
            )
        )
        found = {i: str(row.id) for row in unfinished for i in row.imports.values() if i in wanted}
        living = self._db.execute(
            sa.select(r.physical_id, r.deployment_id).where(
                r.region_id == region_id, r.deleted_at.is_(None), r.physical_id.in_(wanted)
            )
        )
        return found | {row.physical_id: row.deployment_id for row in living}

    def at_work(self, region_id: str) -> frozenset[str]:
        t = deployment_table.c
        rows = self._db.execute(sa.select(t.id).where(t.region_id == region_id, t.operation != ""))
        return frozenset(rows.scalars())

    def in_region(self, region_id: str, since: datetime) -> list[Resource]:
        t = resource_table.c
        rows = self._db.execute(
            sa.select(resource_table)
            .where(
                t.region_id == region_id,
                sa.or_(t.deleted_at.is_(None), t.deleted_at >= since),
            )
            .order_by(t.id)
        )
        return [_resource(row) for row in rows]


def _deployment(row: sa.Row[Any]) -> Deployment:
    return Deployment(
        DeploymentId(row.id), row.tenancy_id, row.path, RegionId(row.region_id), row.blueprint,
        row.revision, row.name, row.inputs, DeploymentState(row.state), row.outputs,
        tuple(row.secret_outputs), None if row.plan_id is None else PlanId(row.plan_id),
        row.owner, row.operation, row.last_operation, row.error, amounts(row.footprint), row.tags,
        row.created_at, row.updated_at,
    )  # fmt: skip


def _resource(row: sa.Row[Any]) -> Resource:
    return Resource(
        ResourceId(row.id), DeploymentId(row.deployment_id), RegionId(row.region_id),
        row.tenancy_id, row.path, row.urn, row.type, row.name, row.physical_id,
        InventoryState(row.state), row.error, _hourly(row.hourly), row.created_at, row.deleted_at,
        tuple(
            PastUsage(parse_instant(past["until"]), _hourly(past["hourly"]))
            for past in row.history
        ),
    )  # fmt: skip


def _hourly(documents: Sequence[Mapping[str, Any]]) -> tuple[MeterQuantity, ...]:
    return tuple(
        MeterQuantity(m["resource"], m["meter"], m["dimensions"], Decimal(m["per_hour"]))
        for m in documents
    )
