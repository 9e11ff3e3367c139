"""Findings of drift, and when each deployment is looked at, in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.drift.model import (
    Finding,
    FindingState,
    LookOutcome,
    RegionSight,
    RegionSummary,
    Turn,
    Watched,
)
from control_plane.provisioning.graph import DriftKind
from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.store.tables import deployment_table
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant

_INSTANT = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB
_NOW = sa.func.clock_timestamp()
_CLAIM = "provisioning-drift-claim"


def _one_of(column: str, values: type[DriftKind | FindingState | LookOutcome]) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


finding_table = sa.Table(
    "provisioning_drift_finding",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              nullable=False),
    sa.Column("region_id", sa.Text, nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("urn", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("attribute", sa.Text, nullable=False),
    sa.Column("wanted", _JSON(none_as_null=True)),
    sa.Column("found", _JSON(none_as_null=True)),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("input", sa.Text, nullable=False),
    sa.Column("ignored_until", _INSTANT),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("first_seen", _INSTANT, nullable=False),
    sa.Column("last_seen", _INSTANT, nullable=False),
    sa.Column("closed_at", _INSTANT),
    sa.Column("history", _JSON, nullable=False),
    sa.CheckConstraint(_one_of("kind", DriftKind), name="kind"),
    sa.CheckConstraint(_one_of("state", FindingState), name="state"),
    sa.Index("uq_provisioning_drift_finding_standing", "deployment_id", "urn", "attribute",
             unique=True, postgresql_where=sa.text("closed_at IS NULL")),
    sa.Index("ix_provisioning_drift_finding_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_provisioning_drift_finding_open", "region_id", "id",
             postgresql_where=sa.text("closed_at IS NULL")),
)  # fmt: skip

watch_table = sa.Table(
    "provisioning_drift_watch",
    metadata,
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              primary_key=True),
    sa.Column("region_id", sa.Text, nullable=False),
    sa.Column("next_at", _INSTANT, nullable=False),
    sa.Column("checked_at", _INSTANT),
    sa.Column("attempted_at", _INSTANT),
    sa.Column("outcome", sa.Text),
    sa.Column("error", sa.Text, nullable=False),
    # A look that was begun and not ended: its process was killed.
    sa.Column("looking", sa.Boolean, nullable=False),
    # The lane that has taken it, and until when by the database's own clock.
    sa.Column("lane", sa.Text, nullable=False),
    sa.Column("taken_until", _INSTANT),
    sa.Column("reservations", _JSON, nullable=False),
    sa.CheckConstraint(_one_of("outcome", LookOutcome), name="outcome"),
    sa.Index("ix_provisioning_drift_watch_next", "next_at"),
    sa.Index("ix_provisioning_drift_watch_region", "region_id"),
)  # fmt: skip

sight_table = sa.Table(
    "provisioning_drift_region",
    metadata,
    sa.Column("region_id", sa.Text, sa.ForeignKey("provisioning_region.id"), primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("unseen_since", _INSTANT),
    sa.Column("retry_at", _INSTANT),
    sa.Column("error", sa.Text, nullable=False),
)

_F, _W, _D, _S = finding_table.c, watch_table.c, deployment_table.c, sight_table.c


class PostgresDrift:
    """Implements ``DriftStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Findings ---------------------------------------------------------------------------------

    def finding(self, finding_id: str) -> Finding | None:
        row = self._db.execute(sa.select(finding_table).where(_F.id == finding_id)).one_or_none()
        return None if row is None else _finding(row)

    def standing(self, deployment_id: str, *, lock: bool = False) -> list[Finding]:
        if lock:
            self._db.lock(f"drift:{deployment_id}")
        rows = self._db.execute(
            sa.select(finding_table)
            .where(_F.deployment_id == deployment_id, _F.closed_at.is_(None))
            .order_by(_F.urn, _F.attribute)
        )
        return [_finding(row) for row in rows]

    def put(self, findings: Iterable[Finding]) -> None:
        rows = [_row(f) for f in findings]
        # Closed ones first: their place may be taken by a new one.
        for row in sorted(rows, key=lambda r: r["closed_at"] is None):
            changed = {name: value for name, value in row.items() if name != "id"}
            self._db.execute(
                postgresql.insert(finding_table)
                .values(row)
                .on_conflict_do_update(index_elements=["id"], set_=changed)
            )

    def findings(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Finding]:
        query = sa.select(finding_table).where(within(_F.path, paths)).order_by(_F.id.desc())
        for name in ("region_id", "tenancy_id", "deployment_id", "kind", "state", "type"):
            if name in filters:
                query = query.where(_F[name] == filters[name])
        if "state" not in filters:
            query = query.where(_F.closed_at.is_(None))
        after = request.key(1)
        if after is not None:
            query = query.where(_F.id < after[0])
        rows = [_finding(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda f: (f.id,))

    def summary(self, paths: Sequence[str]) -> list[RegionSummary]:
        counts: dict[str, dict[str, dict[str, int]]] = {}
        for row in self._db.execute(
            sa.select(_F.region_id, _F.state, _F.kind, sa.func.count().label("many"))
            .where(within(_F.path, paths), _F.closed_at.is_(None))
            .group_by(_F.region_id, _F.state, _F.kind)
            .order_by(_F.region_id, _F.state, _F.kind)
        ):
            counts.setdefault(row.region_id, {}).setdefault(row.state, {})[row.kind] = row.many
        rows = self._db.execute(
            sa.select(
                _W.region_id,
                sa.func.count().label("watched"),
                sa.func.count().filter(_W.checked_at.is_(None)).label("never"),
                sa.func.count().filter(_W.outcome == LookOutcome.UNSEEN.value).label("unseen"),
                sa.func.min(_W.checked_at).label("oldest"),
            )
            .join(deployment_table, _D.id == _W.deployment_id)
            .where(within(_D.path, paths), _D.state == DeploymentState.ACTIVE.value)
            .group_by(_W.region_id)
            .order_by(_W.region_id)
        ).all()
        return [
            RegionSummary(
                row.region_id, counts.get(row.region_id, {}), row.watched, row.never, row.unseen,
                row.oldest, self.sight(row.region_id),
            )
            for row in rows
        ]  # fmt: skip

    # Looks ------------------------------------------------------------------------------------

    def watched(self, deployment_id: str) -> Watched | None:
        row = self._db.execute(
            sa.select(watch_table).where(_W.deployment_id == deployment_id)
        ).one_or_none()
        if row is None:
            return None
        return Watched(
            row.deployment_id, row.region_id, row.next_at, row.checked_at, row.attempted_at,
            None if row.outcome is None else LookOutcome(row.outcome), row.error, row.looking,
        )  # fmt: skip

    def enlist(self, at: datetime, within: timedelta) -> int:
        gone = sa.select(_D.id).where(_D.state == DeploymentState.DESTROYED.value)
        self._db.execute(
            watch_table.delete().where(
                _W.deployment_id.in_(gone), _W.reservations == sa.literal([], _JSON)
            )
        )
        seconds = sa.func.random() * within.total_seconds()
        first = sa.literal(at, _INSTANT) + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        active = sa.select(
            _D.id, _D.region_id, first, sa.literal(""), sa.false(), sa.literal(""),
            sa.literal([], _JSON),
        ).where(
            _D.state == DeploymentState.ACTIVE.value,
            ~sa.exists().where(_W.deployment_id == _D.id),
        )  # fmt: skip
        names = ["deployment_id", "region_id", "next_at", "error", "looking", "lane",
                 "reservations"]  # fmt: skip
        made = self._db.execute(
            postgresql.insert(watch_table).from_select(names, active).on_conflict_do_nothing()
        )
        return made.rowcount

    def free(self, lane: str) -> None:
        self._db.execute(
            watch_table.update().where(_W.lane == lane).values(lane="", taken_until=None)
        )

    def claim(
        self, lane: str, at: datetime, *, batch: int, lanes: int, seconds: float
    ) -> list[str]:
        self._db.lock(_CLAIM)
        taken = sa.and_(_W.lane != "", _W.taken_until > _NOW)
        ready = (
            sa.select(_W.region_id, sa.func.min(_W.next_at).label("oldest"))
            .join(deployment_table, _D.id == _W.deployment_id)
            .outerjoin(sight_table, _S.region_id == _W.region_id)
            .where(*_ready(at, taken), sa.or_(_S.retry_at.is_(None), _S.retry_at <= at))
            .group_by(_W.region_id)
        )
        busy = {
            row.region_id: row.many
            for row in self._db.execute(
                sa.select(_W.region_id, sa.func.count(_W.lane.distinct()).label("many"))
                .where(taken)
                .group_by(_W.region_id)
            )
        }
        free = [r for r in self._db.execute(ready) if busy.get(r.region_id, 0) < lanes]
        if not free:
            return []
        region = min(free, key=lambda r: (r.oldest, r.region_id)).region_id
        doubtful = self.sight(region).unseen_since is not None
        if doubtful and busy.get(region):
            return []
        chosen = list(
            self._db.execute(
                sa.select(_W.deployment_id)
                .join(deployment_table, _D.id == _W.deployment_id)
                .where(*_ready(at, taken), _W.region_id == region)
                .order_by(_W.next_at, _W.deployment_id)
                .limit(1 if doubtful else batch)
            ).scalars()
        )
        until = _NOW + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        self._db.execute(
            watch_table.update()
            .where(_W.deployment_id.in_(chosen))
            .values(lane=lane, taken_until=until)
        )
        return chosen

    def begin(self, deployment_id: str, at: datetime) -> bool:
        self._db.execute(
            postgresql.insert(watch_table)
            .from_select(
                ["deployment_id", "region_id", "next_at", "error", "looking", "lane",
                 "reservations"],
                sa.select(
                    _D.id, _D.region_id, sa.literal(at, _INSTANT), sa.literal(""), sa.false(),
                    sa.literal(""), sa.literal([], _JSON),
                ).where(_D.id == deployment_id),
            )
            .on_conflict_do_nothing()
        )  # fmt: skip
        before: bool = self._db.execute(
            sa.select(_W.looking).where(_W.deployment_id == deployment_id).with_for_update()
        ).scalar_one()
        self._db.execute(
            watch_table.update()
            .where(_W.deployment_id == deployment_id)
            .values(looking=True, attempted_at=at)
        )
        return before

    def ended(
        self, deployment_id: str, outcome: LookOutcome, at: datetime, next_at: datetime, error: str
    ) -> None:
        values: dict[str, Any] = {"looking": False, "next_at": next_at, "lane": "",
                                  "taken_until": None}  # fmt: skip
        if outcome is not LookOutcome.BUSY:
            values |= {"outcome": outcome.value, "error": error}
        if outcome in {LookOutcome.CLEAN, LookOutcome.DRIFTED}:
            values["checked_at"] = at
        self._db.execute(
            watch_table.update().where(_W.deployment_id == deployment_id).values(values)
        )

    def due(self, paths: Sequence[str], region_id: str | None, at: datetime) -> int:
        below = sa.select(_D.id).where(within(_D.path, paths))
        query = watch_table.update().where(_W.deployment_id.in_(below), _W.next_at > at)
        if region_id is not None:
            query = query.where(_W.region_id == region_id)
        return self._db.execute(query.values(next_at=at)).rowcount

    # Regions ----------------------------------------------------------------------------------

    def sight(self, region_id: str) -> RegionSight:
        row = self._db.execute(
            sa.select(sight_table).where(_S.region_id == region_id)
        ).one_or_none()
        if row is None:
            return RegionSight(region_id)
        return RegionSight(row.region_id, row.failures, row.unseen_since, row.retry_at, row.error)

    def put_sight(self, sight: RegionSight) -> None:
        values: dict[str, Any] = {
            "failures": sight.failures,
            "unseen_since": sight.unseen_since,
            "retry_at": sight.retry_at,
            "error": sight.error,
        }
        self._db.execute(
            postgresql.insert(sight_table)
            .values(region_id=sight.region_id, **values)
            .on_conflict_do_update(index_elements=["region_id"], set_=values)
        )

    # Quota ------------------------------------------------------------------------------------

    def keep_reservation(self, deployment_id: str, key: str) -> None:
        kept: list[str] = self._db.execute(
            sa.select(_W.reservations).where(_W.deployment_id == deployment_id).with_for_update()
        ).scalar_one()
        self._db.execute(
            watch_table.update()
            .where(_W.deployment_id == deployment_id)
            .values(reservations=sorted({*kept, key}))
        )

    def left_reservations(self) -> list[list[str]]:
        gone = sa.select(_D.id).where(_D.state == DeploymentState.DESTROYED.value)
        rows = self._db.execute(
            sa.select(_W.deployment_id, _W.reservations)
            .where(_W.deployment_id.in_(gone), _W.reservations != sa.literal([], _JSON))
            .with_for_update(skip_locked=True)
        ).all()
        self._db.execute(
            watch_table.update()
            .where(_W.deployment_id.in_([row.deployment_id for row in rows]))
            .values(reservations=[])
        )
        return [list(row.reservations) for row in rows]


def _ready(at: datetime, taken: sa.ColumnElement[bool]) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        _W.next_at <= at,
        sa.not_(sa.func.coalesce(taken, sa.false())),
        _D.state == DeploymentState.ACTIVE.value,
        _D.operation == "",
    )


def _row(finding: Finding) -> dict[str, Any]:
    f = finding
    return {
        "id": f.id, "deployment_id": f.deployment_id, "region_id": f.region_id,
        "tenancy_id": f.tenancy_id, "path": f.path, "urn": f.urn, "type": f.type, "name": f.name,
        "kind": f.kind.value, "attribute": f.attribute, "wanted": f.wanted, "found": f.found,
        "state": f.state.value, "input": f.input, "ignored_until": f.ignored_until,
        "reason": f.reason, "by": f.by, "operation": f.operation, "first_seen": f.first_seen,
        "last_seen": f.last_seen, "closed_at": f.closed_at,
        "history": [
            {"at": t.at, "state": t.state.value, "by": t.by, "reason": t.reason} for t in f.history
        ],
    }  # fmt: skip


def _finding(row: sa.Row[Any]) -> Finding:
    return Finding(
        row.id, row.deployment_id, row.region_id, row.tenancy_id, row.path, row.urn, row.type,
        row.name, DriftKind(row.kind), row.attribute, row.wanted, row.found,
        FindingState(row.state), row.first_seen, row.last_seen, row.input, row.ignored_until,
        row.reason, row.by, row.operation, row.closed_at,
        tuple(
            Turn(parse_instant(t["at"]), FindingState(t["state"]), t["by"], t["reason"])
            for t in row.history
        ),
    )  # fmt: skip
