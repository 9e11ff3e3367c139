"""Tenancy in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.tenancy.model import (
    RESOURCES,
    DataClass,
    Organisation,
    OrganisationId,
    OrganisationKind,
    Quota,
    QuotaLevel,
    Reservation,
    ReservationState,
    System,
    SystemId,
    Tenancy,
    TenancyId,
    TenancyState,
    ancestors,
)
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text

_INSTANT = sa.DateTime(timezone=True)
_AMOUNT = sa.Numeric(18, 3)
_DATA_CLASS = "data_class IN ('public', 'internal', 'sensitive')"

organisation_table = sa.Table(
    "tenancy_organisation",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("parent_id", sa.Text, sa.ForeignKey("tenancy_organisation.id")),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.CheckConstraint("kind IN ('city', 'bureau', 'district', 'office')", name="kind"),
    sa.CheckConstraint("(kind = 'city') = (parent_id IS NULL)", name="root"),
    sa.Index("ix_tenancy_organisation_parent_id", "parent_id"),
    # There is one city; a prefix search of paths uses the pattern index.
    sa.Index("uq_tenancy_organisation_city", "kind", unique=True,
             postgresql_where=sa.text("kind = 'city'")),
    sa.Index("ix_tenancy_organisation_path_prefix", "path",
             postgresql_ops={"path": "text_pattern_ops"}),
)  # fmt: skip

system_table = sa.Table(
    "tenancy_system",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("organisation_id", sa.Text, sa.ForeignKey("tenancy_organisation.id"), nullable=False),
    sa.Column("slug", sa.Text, nullable=False),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("data_class", sa.Text, nullable=False),
    sa.Column("contact", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.UniqueConstraint("organisation_id", "slug"),
    sa.CheckConstraint(_DATA_CLASS, name="data_class"),
)

tenancy_table = sa.Table(
    "tenancy_tenancy",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("organisation_id", sa.Text, sa.ForeignKey("tenancy_organisation.id"), nullable=False),
    sa.Column("system_id", sa.Text, sa.ForeignKey("tenancy_system.id")),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("data_class", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.CheckConstraint(_DATA_CLASS, name="data_class"),
    sa.CheckConstraint("state IN ('active', 'closed')", name="state"),
    sa.Index("ix_tenancy_tenancy_organisation_id", "organisation_id"),
    sa.Index("ix_tenancy_tenancy_system_id", "system_id"),
)

# ``scope`` is an organisation's or a tenancy's id: both live in one order of locks.
quota_table = sa.Table(
    "tenancy_quota",
    metadata,
    sa.Column("scope", sa.Text, primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("limit_", _AMOUNT),
    sa.Column("reserved", _AMOUNT, nullable=False),
    sa.Column("used", _AMOUNT, nullable=False),
    sa.CheckConstraint("reserved >= 0 AND used >= 0", name="not_negative"),
    sa.CheckConstraint("limit_ IS NULL OR reserved + used <= limit_", name="within_limit"),
)

reservation_table = sa.Table(
    "tenancy_reservation",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("tenancy_id", sa.Text, sa.ForeignKey("tenancy_tenancy.id"), nullable=False),
    sa.Column("amounts", postgresql.JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('reserved', 'consumed', 'released')", name="state"),
    sa.Index("ix_tenancy_reservation_tenancy_id", "tenancy_id"),
)

_NOTHING = Decimal(0)


class PostgresTenancy:
    """The tenancy store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_organisation(self, organisation: Organisation) -> bool:
        made = self._db.execute(
            postgresql.insert(organisation_table)
            .values(
                id=organisation.id,
                parent_id=organisation.parent_id,
                slug=organisation.slug,
                name=organisation.name.as_json(),
                kind=organisation.kind.value,
                path=organisation.path,
                created_at=organisation.created_at,
            )
            .on_conflict_do_nothing()
            .returning(organisation_table.c.id)
        ).first()
        if made is not None:
            self._add_quotas([organisation.id], RESOURCES)
        return made is not None

    def organisation(self, reference: str) -> Organisation | None:
        t = organisation_table.c
        row = self._db.execute(
            sa.select(organisation_table).where(
                t.path == reference if reference.startswith("/") else t.id == reference
            )
        ).one_or_none()
        return None if row is None else _organisation(row)

    def organisations(self, paths: Sequence[str], request: PageRequest) -> Page[Organisation]:
        t = organisation_table.c
        query = sa.select(organisation_table).where(within(organisation_table.c.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(t.path > after[0])
        rows = self._db.execute(query.order_by(t.path).limit(request.limit + 1))
        return page_of([_organisation(row) for row in rows], request, lambda item: (item.path,))

    def rename_organisation(self, organisation_id: OrganisationId, name: Text) -> None:
        self._db.execute(
            organisation_table.update()
            .where(organisation_table.c.id == organisation_id)
            .values(name=name.as_json())
        )

    def add_system(self, system: System) -> bool:
        made = self._db.execute(
            postgresql.insert(system_table)
            .values(
                id=system.id,
                organisation_id=system.organisation_id,
                slug=system.slug,
                name=system.name.as_json(),
                data_class=system.data_class.value,
                contact=system.contact,
                created_at=system.created_at,
            )
            .on_conflict_do_nothing(index_elements=["organisation_id", "slug"])
            .returning(system_table.c.id)
        ).first()
        return made is not None

    def system(self, system_id: SystemId) -> System | None:
        row = self._db.execute(_systems().where(system_table.c.id == system_id)).one_or_none()
        return None if row is None else _system(row)

    def system_named(self, organisation_id: OrganisationId, slug: str) -> System | None:
        t = system_table.c
        row = self._db.execute(
            _systems().where(t.organisation_id == organisation_id, t.slug == slug)
        ).one_or_none()
        return None if row is None else _system(row)

    def systems_called(self, slug: str, near: str) -> list[System]:
        t = system_table.c
        related = sa.or_(
            organisation_table.c.path.startswith(near, autoescape=True),
            sa.literal(near).startswith(organisation_table.c.path),
        )
        return [_system(row) for row in self._db.execute(_systems().where(t.slug == slug, related))]

    def systems(self, paths: Sequence[str], request: PageRequest) -> Page[System]:
        query = _systems().where(within(organisation_table.c.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(system_table.c.id > after[0])
        rows = self._db.execute(query.order_by(system_table.c.id).limit(request.limit + 1))
        return page_of([_system(row) for row in rows], request, lambda item: (item.id,))

    def add_tenancy(self, tenancy: Tenancy) -> bool:
        made = self._db.execute(
            postgresql.insert(tenancy_table)
            .values(
                id=tenancy.id,
                organisation_id=tenancy.organisation_id,
                system_id=tenancy.system_id,
                slug=tenancy.slug,
                name=tenancy.name.as_json(),
                data_class=tenancy.data_class.value,
                state=tenancy.state.value,
                created_at=tenancy.created_at,
            )
            .on_conflict_do_nothing(index_elements=["slug"])
            .returning(tenancy_table.c.id)
        ).first()
        if made is not None:
            self._add_quotas([tenancy.id], RESOURCES)
        return made is not None

    def tenancy(self, reference: str) -> Tenancy | None:
        t = tenancy_table.c
        row = self._db.execute(
            _tenancies().where(sa.or_(t.id == reference, t.slug == reference))
        ).one_or_none()
        return None if row is None else _tenancy(row)

    def tenancies(
        self, paths: Sequence[str], request: PageRequest, *, system_id: str | None = None
    ) -> Page[Tenancy]:
        query = _tenancies().where(within(organisation_table.c.path, paths))
        if system_id is not None:
            query = query.where(tenancy_table.c.system_id == system_id)
        after = request.key(1)
        if after is not None:
            query = query.where(tenancy_table.c.id > after[0])
        rows = self._db.execute(query.order_by(tenancy_table.c.id).limit(request.limit + 1))
        return page_of([_tenancy(row) for row in rows], request, lambda item: (item.id,))

    def close_tenancy(self, tenancy_id: TenancyId) -> None:
        self._db.execute(
            tenancy_table.update()
            .where(tenancy_table.c.id == tenancy_id)
            .values(state=TenancyState.CLOSED.value)
        )

    def lock_quotas(
        self, scopes: Sequence[str], resources: Iterable[str]
    ) -> dict[tuple[str, str], Quota]:
        names = sorted(resources)
        rows = self._locked(scopes, names)
        if len(rows) < len(scopes) * len(names):  # a resource that is younger than the scope
            self._add_quotas(scopes, names)
            rows = self._locked(scopes, names)
        return {(row.scope, row.resource): _quota(row) for row in rows}

    def _locked(self, scopes: Sequence[str], names: Sequence[str]) -> Sequence[sa.Row[Any]]:
        t = quota_table.c
        # PostgreSQL locks rows as they leave the sort, so that all wait in one order.
        return self._db.execute(
            sa.select(quota_table)
            .where(t.scope.in_(scopes), t.resource.in_(names))
            .order_by(
                sa.func.array_position(sa.cast(list(scopes), postgresql.ARRAY(sa.Text)), t.scope),
                t.resource,
            )
            .with_for_update()
        ).all()

    def _add_quotas(self, scopes: Sequence[str], resources: Iterable[str]) -> None:
        rows = [
            {"scope": scope, "resource": name, "reserved": _NOTHING, "used": _NOTHING}
            for scope in scopes
            for name in sorted(resources)
        ]
        self._db.execute(postgresql.insert(quota_table).values(rows).on_conflict_do_nothing())

    def add_to_quotas(
        self, scopes: Sequence[str], changes: Mapping[str, tuple[Decimal, Decimal]]
    ) -> None:
        t = quota_table.c
        for name, (reserved, used) in sorted(changes.items()):
            self._db.execute(
                quota_table.update()
                .where(t.scope.in_(scopes), t.resource == name)
                .values(reserved=t.reserved + reserved, used=t.used + used)
            )

    def set_limit(self, scope: str, resource: str, limit: Decimal | None) -> None:
        t = quota_table.c
        self._db.execute(
            quota_table.update()
            .where(t.scope == scope, t.resource == resource)
            .values(limit_=limit)
        )

    def quota_levels(self, path: str, tenancy: Tenancy | None) -> list[QuotaLevel]:
        t = organisation_table.c
        chain = self._db.execute(
            sa.select(organisation_table).where(t.path.in_(ancestors(path))).order_by(t.path)
        )
        levels = [
            QuotaLevel(o.id, o.kind.value, o.slug, o.name, o.path, ())
            for o in map(_organisation, chain)
        ]
        if tenancy is not None:
            levels.append(
                QuotaLevel(tenancy.id, "tenancy", tenancy.slug, tenancy.name, tenancy.path, ())
            )
        found: dict[str, list[Quota]] = {level.scope_id: [] for level in levels}
        q = quota_table.c
        for row in self._db.execute(
            sa.select(quota_table).where(q.scope.in_(found)).order_by(q.resource)
        ):
            found[row.scope].append(_quota(row))
        return [
            QuotaLevel(l.scope_id, l.kind, l.slug, l.name, l.path, tuple(found[l.scope_id]))
            for l in levels  # noqa: E741 - a level
        ]

    def add_reservation(self, reservation: Reservation) -> bool:
        made = self._db.execute(
            postgresql.insert(reservation_table)
            .values(
                key=reservation.key,
                tenancy_id=reservation.tenancy_id,
                amounts=dict(reservation.amounts),
                state=reservation.state.value,
            )
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(reservation_table.c.key)
        ).first()
        return made is not None

    def reservation(self, key: str) -> Reservation | None:
        row = self._db.execute(
            sa.select(reservation_table).where(reservation_table.c.key == key).with_for_update()
        ).one_or_none()
        if row is None:
            return None
        amounts = {name: Decimal(amount) for name, amount in row.amounts.items()}
        return Reservation(row.key, TenancyId(row.tenancy_id), amounts, ReservationState(row.state))

    def save_reservation(self, reservation: Reservation) -> None:
        self._db.execute(
            reservation_table.update()
            .where(reservation_table.c.key == reservation.key)
            .values(amounts=dict(reservation.amounts), state=reservation.state.value)
        )


def _systems() -> sa.Select[Any]:
    return sa.select(system_table, organisation_table.c.path).join(organisation_table)


def _tenancies() -> sa.Select[Any]:
    return sa.select(tenancy_table, organisation_table.c.path).join(
        organisation_table, organisation_table.c.id == tenancy_table.c.organisation_id
    )


def _organisation(row: sa.Row[Any]) -> Organisation:
    return Organisation(
        OrganisationId(row.id),
        None if row.parent_id is None else OrganisationId(row.parent_id),
        row.slug, Text(**row.name), OrganisationKind(row.kind), row.path, row.created_at,
    )  # fmt: skip


def _system(row: sa.Row[Any]) -> System:
    return System(
        SystemId(row.id), OrganisationId(row.organisation_id), row.path, row.slug,
        Text(**row.name), DataClass(row.data_class), row.contact, row.created_at,
    )  # fmt: skip


def _tenancy(row: sa.Row[Any]) -> Tenancy:
    return Tenancy(
        TenancyId(row.id), OrganisationId(row.organisation_id),
        None if row.system_id is None else SystemId(row.system_id),
        row.slug, row.path, Text(**row.name), DataClass(row.data_class),
        TenancyState(row.state), row.created_at,
    )  # fmt: skip


def _quota(row: sa.Row[Any]) -> Quota:
    return Quota(row.resource, row.limit_, row.reserved, row.used)
