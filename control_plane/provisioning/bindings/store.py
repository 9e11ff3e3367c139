"""Bindings in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.bindings.model import Binding, BindingState
from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.store.tables import deployment_table
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of

_INSTANT = sa.DateTime(timezone=True)
_NUMBERS = postgresql.ARRAY(sa.Integer)

binding_table = sa.Table(
    "provisioning_binding",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("access", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("wanted", _NUMBERS, nullable=False),
    sa.Column("valid", _NUMBERS, nullable=False),
    sa.Column("newest", sa.Integer, nullable=False),
    sa.Column("revealed", sa.Integer, nullable=False),
    sa.Column("overlap_hours", sa.Integer, nullable=False),
    sa.Column("overlap_until", _INSTANT),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("changed_at", _INSTANT, nullable=False),
    sa.Column("deleted_at", _INSTANT),
    sa.CheckConstraint(
        f"state IN ({', '.join(repr(s.value) for s in BindingState)})", name="state"
    ),
    sa.Index("uq_provisioning_binding_name", "deployment_id", "name", unique=True,
             postgresql_where=sa.text("deleted_at IS NULL")),
    sa.Index("ix_provisioning_binding_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_provisioning_binding_overlap", "overlap_until",
             postgresql_where=sa.text("overlap_until IS NOT NULL")),
)  # fmt: skip

_C, _D = binding_table.c, deployment_table.c
_NAMES = tuple(f.name for f in fields(Binding))


class PostgresBindings:
    """Implements ``BindingStore``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def binding(self, binding_id: str, *, lock: bool = False) -> Binding | None:
        """See the port."""
        query = sa.select(binding_table).where(_C.id == binding_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return _binding(row) if row else None

    def of_deployment(self, deployment_id: str, *, lock: bool = False) -> list[Binding]:
        """See the port."""
        if lock:
            self._db.lock(f"provisioning-bindings:{deployment_id}")
        query = (
            sa.select(binding_table)
            .where(_C.deployment_id == deployment_id, _C.deleted_at.is_(None))
            .order_by(_C.name)
        )
        return [_binding(row) for row in self._db.execute(query)]

    def newest(self, deployment_id: str, name: str) -> int:
        """See the port."""
        query = sa.select(sa.func.coalesce(sa.func.max(_C.newest), 0)).where(
            _C.deployment_id == deployment_id, _C.name == name
        )
        return int(self._db.execute(query).scalar_one())

    def put(self, binding: Binding) -> None:
        """See the port."""
        row: dict[str, Any] = {name: getattr(binding, name) for name in _NAMES}
        row |= {
            "state": binding.state.value,
            "wanted": list(binding.wanted),
            "valid": list(binding.valid),
        }
        changed = {name: value for name, value in row.items() if name != "id"}
        self._db.execute(
            postgresql.insert(binding_table)
            .values(row)
            .on_conflict_do_update(index_elements=["id"], set_=changed)
        )

    def bindings(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Binding]:
        """See the port."""
        below = within(_C.path, paths)
        query = sa.select(binding_table).where(below).order_by(_C.id.desc())
        for name in ("deployment_id", "tenancy_id", "state"):
            if name in filters:
                query = query.where(_C[name] == filters[name])
        if "state" not in filters:
            query = query.where(_C.deleted_at.is_(None))
        after = request.key(1)
        if after is not None:
            query = query.where(_C.id < after[0])
        rows = [_binding(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda b: (b.id,))

    def due(self, at: datetime) -> list[Binding]:
        """See the port."""
        query = (
            sa.select(binding_table)
            .where(_C.overlap_until <= at, _C.state == BindingState.ACTIVE.value)
            .order_by(_C.overlap_until, _C.id)
        )
        return [_binding(row) for row in self._db.execute(query)]

    def orphans(self) -> list[Binding]:
        """See the port."""
        query = (
            sa.select(binding_table)
            .join(deployment_table, _D.id == _C.deployment_id)
            .where(_C.deleted_at.is_(None), _D.state == DeploymentState.DESTROYED.value)
            .order_by(_C.id)
        )
        return [_binding(row) for row in self._db.execute(query)]


def _binding(row: Any) -> Binding:  # noqa: ANN401
    values = {name: getattr(row, name) for name in _NAMES}
    values |= {
        "state": BindingState(row.state),
        "wanted": tuple(row.wanted),
        "valid": tuple(row.valid),
    }
    return Binding(**values)
