"""Runs, ways in and host keys in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.playbooks.model import (
    Access,
    Control,
    Host,
    HostKey,
    HostState,
    Run,
    RunState,
)
from control_plane.provisioning.store.tables import deployment_table, revision_table
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of

_INSTANT = sa.DateTime(timezone=True)
_ENDED = tuple(s.value for s in RunState if s.ended)

run_table = sa.Table(
    "playbook_run",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("playbook", sa.Text, nullable=False),
    sa.Column("content", sa.Text, nullable=False),
    sa.Column("inputs", postgresql.JSONB, nullable=False),
    sa.Column("sealed_secrets", sa.Text),
    sa.Column("check", sa.Boolean, nullable=False),
    sa.Column("waves", postgresql.JSONB, nullable=False),
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("started_at", _INSTANT),
    sa.Column("ended_at", _INSTANT),
    sa.CheckConstraint(
        f"state IN ({', '.join(repr(s.value) for s in RunState)})", name="state"
    ),
    sa.Index("uq_playbook_run_cause", "cause", unique=True,
             postgresql_where=sa.text("cause LIKE 'apply:%'")),
    sa.Index("ix_playbook_run_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_playbook_run_deployment", "deployment_id", "id"),
    sa.Index("ix_playbook_run_open", "id",
             postgresql_where=sa.text("state IN ('waiting', 'queued', 'running')")),
)  # fmt: skip
host_table = sa.Table(
    "playbook_host",
    metadata,
    sa.Column("run_id", sa.Text, sa.ForeignKey("playbook_run.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("alias", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("wave", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("changed", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("controls", postgresql.JSONB, nullable=False),
    sa.CheckConstraint(
        f"state IN ({', '.join(repr(s.value) for s in HostState)})", name="state"
    ),
)  # fmt: skip
access_table = sa.Table(
    "playbook_access",
    metadata,
    sa.Column("tenancy_id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("become", sa.Boolean, nullable=False),
    sa.Column("reach", sa.Text, nullable=False),
    sa.Column("public_key", sa.Text, nullable=False),
    sa.Column("sealed_key", sa.Text, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
    sa.Column("changed_at", _INSTANT, nullable=False),
    sa.CheckConstraint("reach IN ('inside', 'public')", name="reach"),
)
host_key_table = sa.Table(
    "playbook_host_key",
    metadata,
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              primary_key=True),
    sa.Column("alias", sa.Text, primary_key=True),
    sa.Column("line", sa.Text, primary_key=True),
    sa.Column("learned_at", _INSTANT, nullable=False),
)  # fmt: skip

_R, _H, _A, _K = run_table.c, host_table.c, access_table.c, host_key_table.c
_RUN = tuple(f.name for f in fields(Run))
_ACCESS = tuple(f.name for f in fields(Access))


class PostgresRuns:
    """Implements ``RunStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, run: Run, hosts: Sequence[Host], sealed: str | None) -> bool:
        """See the port."""
        made = self._db.execute(
            postgresql.insert(run_table)
            .values(**_run_row(run), sealed_secrets=sealed)
            .on_conflict_do_nothing()
        )
        if not made.rowcount:
            return False
        if hosts:
            self._db.execute(host_table.insert(), [_host_row(h) for h in hosts])
        return True

    def run(self, run_id: str, *, lock: bool = False) -> Run | None:
        """See the port."""
        query = _runs().where(_R.id == run_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return _run(row) if row else None

    def runs(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Run]:
        """See the port."""
        query = _runs().where(within(_R.path, paths)).order_by(_R.id.desc())
        for name in ("deployment_id", "playbook", "state"):
            if name in filters:
                query = query.where(_R[name] == filters[name])
        after = request.key(1)
        if after is not None:
            query = query.where(_R.id < after[0])
        rows = [_run(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda r: (r.id,))

    def save(self, run: Run) -> None:
        """See the port."""
        self._db.execute(run_table.update().where(_R.id == run.id).values(**_run_row(run)))

    def hosts(self, run_id: str) -> list[Host]:
        """See the port."""
        query = (
            sa.select(host_table)
            .where(_H.run_id == run_id)
            .order_by(_H.wave, sa.func.length(_H.name), _H.name)
        )
        return [_host(row) for row in self._db.execute(query)]

    def save_hosts(self, hosts: Sequence[Host]) -> None:
        """See the port."""
        for each in hosts:
            self._db.execute(
                host_table.update()
                .where(_H.run_id == each.run_id, _H.name == each.name)
                .values(**_host_row(each))
            )

    def sealed_secrets(self, run_id: str) -> str | None:
        """See the port."""
        query = sa.select(_R.sealed_secrets).where(_R.id == run_id)
        return self._db.execute(query).scalar_one_or_none()

    def erase_secrets(self, run_id: str) -> None:
        """See the port."""
        self._db.execute(run_table.update().where(_R.id == run_id).values(sealed_secrets=None))

    def with_secrets(self, ended_before: datetime) -> list[str]:
        """See the port."""
        query = sa.select(_R.id).where(
            _R.sealed_secrets.is_not(None), _R.state.in_(_ENDED), _R.ended_at < ended_before
        )
        return list(self._db.execute(query).scalars())

    def lock_queue(self) -> None:
        """See the port."""
        self._db.lock("provisioning-playbook-queue")

    def queued(self) -> list[Run]:
        """See the port."""
        return self.in_state(RunState.QUEUED)

    def in_state(self, state: RunState) -> list[Run]:
        """See the port."""
        query = _runs().where(_R.state == state.value).order_by(_R.created_at, _R.id)
        return [_run(row) for row in self._db.execute(query)]

    def access(self, tenancy_id: str) -> Access | None:
        """See the port."""
        query = sa.select(*(_A[name] for name in _ACCESS)).where(_A.tenancy_id == tenancy_id)
        row = self._db.execute(query).one_or_none()
        return Access(**dict(row._mapping)) if row else None  # noqa: SLF001

    def sealed_key(self, tenancy_id: str) -> str | None:
        """See the port."""
        query = sa.select(_A.sealed_key).where(_A.tenancy_id == tenancy_id)
        return self._db.execute(query).scalar_one_or_none()

    def put_access(self, access: Access, sealed_key: str) -> None:
        """See the port."""
        row = {name: getattr(access, name) for name in _ACCESS} | {"sealed_key": sealed_key}
        changed = {name: value for name, value in row.items() if name != "tenancy_id"}
        self._db.execute(
            postgresql.insert(access_table)
            .values(row)
            .on_conflict_do_update(index_elements=["tenancy_id"], set_=changed)
        )

    def host_keys(self, deployment_id: str) -> list[HostKey]:
        """See the port."""
        query = (
            sa.select(host_key_table)
            .where(_K.deployment_id == deployment_id)
            .order_by(_K.alias, _K.line)
        )
        return [HostKey(**dict(row._mapping)) for row in self._db.execute(query)]  # noqa: SLF001

    def learn(self, key: HostKey) -> None:
        """See the port."""
        kind = key.line.split(" ", 1)[0]
        same = sa.exists().where(
            _K.deployment_id == key.deployment_id,
            _K.alias == key.alias,
            sa.func.split_part(_K.line, " ", 1) == kind,
        )
        values = (key.deployment_id, key.alias, key.line, key.learned_at)
        chosen = sa.select(
            *(sa.bindparam(None, v, type_=c.type) for v, c in zip(values, _K, strict=True))
        ).where(~same)
        self._db.execute(
            postgresql.insert(host_key_table)
            .from_select([c.name for c in _K], chosen)
            .on_conflict_do_nothing()
        )

    def forget(self, deployment_id: str, alias: str) -> int:
        """See the port."""
        gone = self._db.execute(
            host_key_table.delete().where(_K.deployment_id == deployment_id, _K.alias == alias)
        )
        return int(gone.rowcount)

    def applied(self, limit: int) -> list[tuple[str, str, list[Any]]]:
        """See the port."""
        named = revision_table.c.document["playbooks"]
        deployment = deployment_table.c
        count = sa.func.jsonb_array_length(named)
        begun = (
            sa.select(sa.func.count())
            .select_from(run_table)
            .where(_R.cause.startswith(sa.func.concat("apply:", deployment.plan_id, ":")))
            .scalar_subquery()
        )
        # Of a plan whose playbooks failed none is begun: people look first.
        stopped = sa.exists().where(
            _R.cause.startswith(sa.func.concat("apply:", deployment.plan_id, ":")),
            _R.state != RunState.SUCCEEDED.value,
        )
        query = (
            sa.select(deployment.id, deployment.plan_id, named.label("named"))
            .join(revision_table, revision_table.c.digest == deployment.revision)
            .where(
                deployment.state == DeploymentState.ACTIVE.value,
                deployment.operation == "",
                deployment.plan_id.is_not(None),
                sa.func.jsonb_typeof(named) == "array",
                count > begun,
                ~stopped,
            )
            .order_by(deployment.updated_at)
            .limit(limit)
        )
        return [(row.id, row.plan_id, list(row.named)) for row in self._db.execute(query)]

    def caused(self, cause: str) -> Run | None:
        """See the port."""
        row = self._db.execute(_runs().where(_R.cause == cause)).one_or_none()
        return _run(row) if row else None


def _runs() -> sa.Select[Any]:
    return sa.select(*(_R[name] for name in _RUN))


def _run_row(run: Run) -> dict[str, Any]:
    row = {name: getattr(run, name) for name in _RUN}
    return row | {"state": run.state.value, "waves": list(run.waves), "inputs": dict(run.inputs)}


def _run(row: sa.Row[Any]) -> Run:
    values = dict(row._mapping)  # noqa: SLF001 - the library's documented name
    return Run(**{**values, "state": RunState(row.state), "waves": tuple(row.waves)})


def _host_row(host: Host) -> dict[str, Any]:
    row = {f.name: getattr(host, f.name) for f in fields(Host)}
    controls = [c.document() for c in host.controls]
    return row | {"state": host.state.value, "controls": controls}


def _host(row: sa.Row[Any]) -> Host:
    values = dict(row._mapping)  # noqa: SLF001
    controls = tuple(Control.read(c) for c in row.controls)
    return Host(**{**values, "state": HostState(row.state), "controls": controls})
