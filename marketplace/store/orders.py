"""Policies, orders, their plans, approvals and transitions in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import canonical
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from marketplace.model import (
    OPEN,
    Approval,
    ApprovalId,
    Decision,
    InstanceId,
    Order,
    OrderId,
    OrderKind,
    OrderPlan,
    OrderPlanId,
    OrderState,
    Policy,
    Transition,
    Wish,
    policy_from,
)
from marketplace.store.tables import (
    approval_table,
    order_plan_table,
    order_table,
    policy_table,
    transition_table,
)

_WORKED_ON = (
    OrderState.SUBMITTED, OrderState.PLANNING, OrderState.APPROVED, OrderState.PROVISIONING,
    OrderState.STUCK,
)  # fmt: skip


class OrderRows:
    """Policies, orders and what belongs to them."""

    _db: Database

    def add_policy(self, policy: Policy, by: str, at: datetime) -> bool:
        made = self._db.execute(
            postgresql.insert(policy_table)
            .values(
                slug=policy.slug,
                version=policy.version,
                document=canonical.plain(policy),
                created_by=by,
                created_at=at,
            )
            .on_conflict_do_nothing()
            .returning(policy_table.c.version)
        ).first()
        return made is not None

    def policy(self, slug: str, version: int | None = None) -> Policy | None:
        t = policy_table.c
        query = sa.select(t.document).where(t.slug == slug)
        if version is not None:
            query = query.where(t.version == version)
        document = self._db.execute(query.order_by(t.version.desc()).limit(1)).scalar_one_or_none()
        return None if document is None else policy_from(document)

    def add_order(self, order: Order) -> None:
        self._db.execute(order_table.insert().values(id=order.id, **_columns(order)))

    def order(self, order_id: str, *, lock: bool = False) -> Order | None:
        query = sa.select(order_table).where(order_table.c.id == order_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _order(row)

    def save_order(self, order: Order) -> None:
        self._db.execute(
            order_table.update().where(order_table.c.id == order.id).values(**_columns(order))
        )

    def orders(
        self,
        paths: Sequence[str],
        requester_id: str,
        filters: Mapping[str, str],
        request: PageRequest,
    ) -> Page[Order]:
        t = order_table.c
        below = within(t.path, paths)
        mine = sa.or_(t.state != OrderState.DRAFT.value, t.requester_id == requester_id)
        query = sa.select(order_table).where(below, mine)
        for name, value in filters.items():
            query = query.where(order_table.c[name] == value)
        after = request.key(1)
        if after is not None:
            query = query.where(t.id < after[0])
        rows = self._db.execute(query.order_by(t.id.desc()).limit(request.limit + 1))
        return page_of([_order(row) for row in rows], request, lambda item: (item.id,))

    def lock_name(self, tenancy_id: str, region_id: str, name: str) -> None:
        key = f"marketplace:{tenancy_id}:{region_id}:{name}"
        self._db.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(key, 0))))

    def orders_named(self, tenancy_id: str, region_id: str, name: str) -> list[Order]:
        t = order_table.c
        over = [OrderState.ACTIVE.value, OrderState.WITHDRAWN.value]
        rows = self._db.execute(
            sa.select(order_table)
            .where(
                t.tenancy_id == tenancy_id,
                t.wish["region"].astext == region_id,
                t.wish["name"].astext == name,
                t.state.not_in(over),
            )
            .order_by(t.id.desc())
        )
        return [_order(row) for row in rows]

    def open_order(self, instance_id: str) -> Order | None:
        t = order_table.c
        row = self._db.execute(
            sa.select(order_table).where(
                t.instance_id == instance_id, t.state.in_([state.value for state in OPEN])
            )
        ).one_or_none()
        return None if row is None else _order(row)

    def overdue(self, now: datetime) -> list[str]:
        t = order_table.c
        rows = self._db.execute(
            sa.select(t.id)
            .where(t.state == OrderState.IN_APPROVAL.value, t.deadline <= now)
            .order_by(t.id)
        )
        return [row.id for row in rows]

    def at_work(self) -> list[Order]:
        t = order_table.c
        rows = self._db.execute(
            sa.select(order_table)
            .where(t.state.in_([state.value for state in _WORKED_ON]), t.operation_id != "")
            .order_by(t.id)
        )
        return [_order(row) for row in rows]

    def add_transition(self, transition: Transition) -> None:
        t = transition_table
        following = (
            sa.select(sa.func.coalesce(sa.func.max(t.c.seq), 0) + 1)
            .where(t.c.order_id == transition.order_id)
            .scalar_subquery()
        )
        self._db.execute(
            t.insert().values(
                order_id=transition.order_id,
                seq=following,
                before=None if transition.before is None else transition.before.value,
                after=transition.after.value,
                by_id=transition.by_id,
                by_name=transition.by_name,
                at=transition.at,
                why=transition.why,
                details=dict(transition.details),
            )
        )

    def transitions(self, order_id: str) -> list[Transition]:
        t = transition_table.c
        rows = self._db.execute(
            sa.select(transition_table).where(t.order_id == order_id).order_by(t.seq)
        )
        return [
            Transition(
                r.order_id, r.seq, None if r.before is None else OrderState(r.before),
                OrderState(r.after), r.by_id, r.by_name, r.at, r.why, r.details,
            )
            for r in rows
        ]  # fmt: skip

    def add_order_plan(self, plan: OrderPlan) -> None:
        self._db.execute(
            order_plan_table.insert().values(
                id=plan.id,
                order_id=plan.order_id,
                round=plan.round,
                digest=plan.digest,
                provisioning_plan=plan.provisioning_plan,
                document=plan.document,
                created_at=plan.created_at,
            )
        )

    def order_plan(self, plan_id: str) -> OrderPlan | None:
        row = self._db.execute(
            sa.select(order_plan_table).where(order_plan_table.c.id == plan_id)
        ).one_or_none()
        return None if row is None else _order_plan(row)

    def order_plan_of(self, order_id: str, digest: str) -> OrderPlan | None:
        t = order_plan_table.c
        row = self._db.execute(
            sa.select(order_plan_table)
            .where(t.order_id == order_id, t.digest == digest)
            .order_by(t.id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _order_plan(row)

    def add_approval(self, approval: Approval) -> None:
        self._db.execute(
            approval_table.insert().values(
                id=approval.id,
                order_id=approval.order_id,
                digest=approval.digest,
                step=approval.step,
                approver_id=approval.approver_id,
                approver_name=approval.approver_name,
                decision=approval.decision.value,
                reason=approval.reason,
                at=approval.at,
            )
        )

    def approvals(self, order_id: str) -> list[Approval]:
        t = approval_table.c
        rows = self._db.execute(
            sa.select(approval_table).where(t.order_id == order_id).order_by(t.at, t.id)
        )
        return [
            Approval(
                ApprovalId(r.id), r.order_id, r.digest, r.step, r.approver_id, r.approver_name,
                Decision(r.decision), r.reason, r.at, r.lapsed_at,
            )
            for r in rows
        ]  # fmt: skip

    def lapse_approvals(self, order_id: str, digest: str, at: datetime) -> None:
        t = approval_table.c
        self._db.execute(
            approval_table.update()
            .where(t.order_id == order_id, t.digest == digest, t.lapsed_at.is_(None))
            .values(lapsed_at=at)
        )


def _columns(order: Order) -> dict[str, Any]:
    return {
        "kind": order.kind.value,
        "state": order.state.value,
        "wish": canonical.plain(order.wish),
        "offering": order.wish.offering,
        "path": order.path,
        "tenancy_id": order.tenancy_id,
        "version": order.version,
        "round": order.round,
        "requester_id": order.requester_id,
        "requester_name": order.requester_name,
        "instance_id": order.instance_id,
        "deployment_id": order.deployment_id,
        "contract_id": order.contract_id,
        "plan_id": order.plan_id,
        "digest": order.digest,
        "operation_id": order.operation_id,
        "failure": order.failure,
        "lapse": None if order.lapse is None else list(order.lapse),
        "deadline": order.deadline,
        "approved_at": order.approved_at,
        "active_at": order.active_at,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def _order(row: sa.Row[Any]) -> Order:
    return Order(
        id=OrderId(row.id),
        kind=OrderKind(row.kind),
        state=OrderState(row.state),
        wish=_wish(row.wish),
        path=row.path,
        tenancy_id=row.tenancy_id,
        version=row.version,
        round=row.round,
        requester_id=row.requester_id,
        requester_name=row.requester_name,
        instance_id=InstanceId(row.instance_id),
        created_at=row.created_at,
        updated_at=row.updated_at,
        deployment_id=row.deployment_id,
        contract_id=row.contract_id,
        plan_id=row.plan_id,
        digest=row.digest,
        operation_id=row.operation_id,
        failure=row.failure,
        lapse=None if row.lapse is None else tuple(row.lapse),
        deadline=row.deadline,
        approved_at=row.approved_at,
        active_at=row.active_at,
    )


def _wish(document: Mapping[str, Any]) -> Wish:
    ends_at = document["ends_at"]
    return replace(
        Wish(**document),
        kind=OrderKind(document["kind"]),
        ends_at=None if ends_at is None else parse_instant(ends_at),
    )


def _order_plan(row: sa.Row[Any]) -> OrderPlan:
    return OrderPlan(
        OrderPlanId(row.id), OrderId(row.order_id), row.round, row.digest, row.provisioning_plan,
        row.document, row.created_at,
    )  # fmt: skip
