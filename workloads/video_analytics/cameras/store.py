"""The cameras' tables."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.video_analytics.cameras.model import (
    BLIND,
    STALE,
    Camera,
    CameraId,
    DataClass,
    Device,
    Health,
    HealthChange,
    HealthState,
    Place,
    Settings,
    Source,
    SourceKind,
    shard_of,
)
from workloads.video_analytics.cameras.ports import CameraQuery, GroupCount, Kept
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.vision.model import Point, Tier

camera_table = sa.Table(
    "video_camera",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column(
        "path",
        sa.Text(collation="C"),
        sa.ForeignKey("video_department.path"),
        nullable=False,
        index=True,
    ),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("code", sa.Text),
    sa.Column("vendor", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("groups", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("latitude", sa.Float),
    sa.Column("longitude", sa.Float),
    sa.Column("timezone", sa.Text, nullable=False),
    sa.Column("data_class", sa.Text, nullable=False),
    sa.Column("masks", postgresql.JSONB, nullable=False),
    sa.Column("overhead", sa.Boolean, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("source_kind", sa.Text, nullable=False),
    sa.Column("location", sa.Text, nullable=False),  # as it may be shown
    sa.Column("sealed", sa.Text, nullable=False),  # the whole address and its credentials
    sa.Column("has_credentials", sa.Boolean, nullable=False),
    sa.Column("device", sa.Text),
    sa.Column("device_profile", sa.Text, nullable=False, server_default=""),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("removed_at", sa.DateTime(timezone=True)),
    sa.Index("uq_video_camera_code", "code", unique=True),
    sa.Index("ix_video_camera_groups", "groups", postgresql_using="gin"),
    sa.Index(
        "ix_video_camera_watched",
        "shard",
        postgresql_where=sa.text("enabled AND removed_at IS NULL"),
    ),
)

#: Apart from the camera: it is written all the time, and no version of the camera grows by it.
health_table = sa.Table(
    "video_camera_health",
    metadata,
    sa.Column("camera_id", sa.Text, sa.ForeignKey("video_camera.id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("fps", sa.Float),
    sa.Column("lag_seconds", sa.Float),
    sa.Column("tier_now", sa.Text),
    sa.Column("clock_offset_seconds", sa.Float),
)

change_table = sa.Table(
    "video_camera_health_change",
    metadata,
    sa.Column("camera_id", sa.Text, sa.ForeignKey("video_camera.id"), primary_key=True),
    sa.Column("since", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("ix_video_camera_health_change_since", "since"),
)

_C, _H = camera_table.c, health_table.c
_THERE = _C.removed_at.is_(None)
_DETAIL_MAX = 500


class PostgresCameras:
    """Keeps cameras and how they do."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, camera: Camera, sealed: str) -> bool:
        """Keep a new one; False when its code is taken."""
        made = self._db.execute(
            postgresql.insert(camera_table)
            .values(
                id=camera.id,
                shard=shard_of(camera.id),
                created_at=camera.created_at,
                **_values(camera, sealed),
            )
            .on_conflict_do_nothing(index_elements=["code"])
            .returning(_C.id)
        ).first()
        return made is not None

    def counted(self) -> int:
        """How many there are; held until the end, so that two do not pass a limit together."""
        self._db.lock("video:cameras")
        query = sa.select(sa.func.count()).select_from(camera_table).where(_THERE)
        return int(self._db.execute(query).scalar_one())

    def find(self, camera_id: str, *, locked: bool = False) -> Kept | None:
        """One that is not removed."""
        return self._one(_C.id == camera_id, locked=locked)

    def with_code(self, code: str) -> Kept | None:
        """One that is not removed, by its code, locked."""
        return self._one(_C.code == code, locked=True)

    def _one(self, which: sa.ColumnElement[bool], *, locked: bool) -> Kept | None:
        query = _cameras().where(which, _THERE)
        if locked:
            query = query.with_for_update(of=camera_table)
        row = self._db.execute(query).one_or_none()
        return None if row is None else Kept(_camera(row), row.sealed)

    def list(
        self, paths: Sequence[str], query: CameraQuery, request: PageRequest, now: datetime
    ) -> Page[Camera]:
        """Those at or below any of the paths, by id."""
        wanted = _cameras().where(within(_C.path, paths), _THERE)
        if query.path is not None:
            wanted = wanted.where(within(_C.path, [query.path]))
        if query.group is not None:
            wanted = wanted.where(_C.groups.contains([query.group]))
        if query.state == "unseen":
            wanted = wanted.where(_shown(now).is_(None))
        elif query.state is not None:
            wanted = wanted.where(_shown(now) == str(query.state))
        if query.text:
            texts = (
                _C.name["en"].astext, _C.name["zh"].astext, _C.code, _C.vendor, _C.model, _C.place,
            )  # fmt: skip
            wanted = wanted.where(
                sa.or_(*(one.icontains(query.text, autoescape=True) for one in texts))
            )
        after = request.key(1)
        if after is not None:
            wanted = wanted.where(_C.id > after[0])
        rows = self._db.execute(wanted.order_by(_C.id).limit(request.limit + 1))
        return page_of([_camera(row) for row in rows], request, lambda one: (one.id,))

    def known(self, camera_ids: Collection[str]) -> Sequence[Camera]:
        """These, removed ones too."""
        rows = self._db.execute(_cameras().where(_C.id.in_(list(camera_ids))))
        return [_camera(row) for row in rows]

    def save(self, camera: Camera, sealed: str) -> bool:
        """Keep changes and the new version; False when its code is taken."""
        change = camera_table.update().where(_C.id == camera.id).values(**_values(camera, sealed))
        try:
            with self._db.connection.begin_nested():
                self._db.execute(change)
        except sa.exc.IntegrityError:
            return False
        return True

    def remove(self, camera_id: str, now: datetime) -> None:
        """Forget its address and credentials; its name and rules stay for what it has seen."""
        self._db.execute(
            camera_table.update()
            .where(_C.id == camera_id)
            .values(
                removed_at=now, enabled=False, code=None, location="", sealed="", device=None,
                has_credentials=False, version=_C.version + 1,
            )
        )  # fmt: skip

    def touch(self, camera_id: str) -> None:
        """Let its version grow."""
        self._db.execute(
            camera_table.update().where(_C.id == camera_id).values(version=_C.version + 1)
        )

    def watched(self, shards: Collection[int]) -> Sequence[Kept]:
        """The enabled ones of these shards, by id."""
        rows = self._db.execute(
            _cameras().where(_C.shard.in_(sorted(set(shards))), _C.enabled, _THERE).order_by(_C.id)
        )
        return [Kept(_camera(row), row.sealed) for row in rows]

    def note_health(self, found: Mapping[str, Health]) -> None:
        """Keep how cameras do; older than what is known changes nothing; a new state is history."""
        # The cameras first: a report on one that is not there is no error of the worker. In their
        # order, so that no two writers wait for each other.
        there = sa.select(_C.id).where(_C.id.in_(sorted(found)), _THERE).order_by(_C.id)
        known = list(self._db.execute(there.with_for_update(read=True)).scalars())
        if not known:
            return
        rows = {camera_id: _health_values(camera_id, found[camera_id]) for camera_id in known}
        given = postgresql.insert(health_table).values([
            {**row, "since": row["at"]} for row in rows.values()
        ])  # fmt: skip
        kept = self._db.execute(
            given.on_conflict_do_update(
                index_elements=["camera_id"],
                set_={
                    **{
                        name: given.excluded[name] for name in rows[known[0]] if name != "camera_id"
                    },
                    "since": sa.case(
                        (_H.state == given.excluded.state, _H.since), else_=given.excluded.at
                    ),
                },
                where=_H.at < given.excluded.at,
            ).returning(_H.camera_id, _H.since)
        ).all()
        changes = [
            {"camera_id": c, "since": since, "state": rows[c]["state"], "detail": rows[c]["detail"]}
            for c, since in ((row.camera_id, row.since) for row in kept) if since == rows[c]["at"]
        ]  # fmt: skip
        if changes:
            self._db.execute(
                postgresql.insert(change_table).values(changes).on_conflict_do_nothing()
            )

    def history(self, camera_id: str, limit: int) -> Sequence[HealthChange]:
        """Into which states it passed, the newest first."""
        t = change_table.c
        rows = self._db.execute(
            sa.select(change_table)
            .where(t.camera_id == camera_id)
            .order_by(t.since.desc())
            .limit(limit)
        )
        return [HealthChange(HealthState(row.state), row.since, row.detail) for row in rows]

    def prune_history(self, before: datetime) -> int:
        """Forget changes older than this; answers how many."""
        gone = self._db.execute(change_table.delete().where(change_table.c.since < before))
        return gone.rowcount

    def counts(self, paths: Sequence[str], now: datetime) -> Mapping[HealthState | None, int]:
        """How many cameras are shown in each state; None for never watched."""
        shown = _shown(now).label("shown")
        query = (
            sa.select(shown, sa.func.count().label("n"))
            .select_from(camera_table.outerjoin(health_table))
            .where(within(_C.path, paths), _THERE)
            .group_by(sa.text("shown"))
        )
        return {
            None if row.shown is None else HealthState(row.shown): row.n
            for row in self._db.execute(query)
        }

    def groups(self, paths: Sequence[str]) -> Sequence[GroupCount]:
        """All groups, by name."""
        each = sa.func.unnest(_C.groups).label("name")
        inner = sa.select(each).where(within(_C.path, paths), _THERE).subquery()
        query = sa.select(inner.c.name, sa.func.count().label("n")).group_by(inner.c.name)
        return [
            GroupCount(row.name, row.n) for row in self._db.execute(query.order_by(inner.c.name))
        ]


def _shown(now: datetime) -> sa.ColumnElement[Any]:
    """``Camera.state`` in SQL; a test holds that they agree."""
    blind = [state.value for state in BLIND]
    return sa.case(
        (~_C.enabled, HealthState.OFF.value),
        (_H.state.is_(None), sa.null()),
        (sa.and_(_H.state.not_in(blind), _H.at < now - STALE), HealthState.LATE.value),
        else_=_H.state,
    )


def _cameras() -> sa.Select[Any]:
    health = [
        column.label(f"health_{column.name}")
        for column in health_table.c
        if column.name != "camera_id"
    ]
    return sa.select(camera_table, *health).select_from(camera_table.outerjoin(health_table))


def _values(camera: Camera, sealed: str) -> dict[str, Any]:
    one = camera.settings
    return {
        "path": one.path,
        "name": one.name.as_json(),
        "code": one.code or None,
        "vendor": one.vendor,
        "model": one.model,
        "groups": list(one.groups),
        "place": one.place.text,
        "latitude": one.place.latitude,
        "longitude": one.place.longitude,
        "timezone": one.timezone,
        "data_class": one.data_class.value,
        "masks": [[list(point) for point in mask] for mask in one.masks],
        "overhead": one.overhead,
        "tier": one.tier.value,
        "priority": one.priority,
        "enabled": one.enabled,
        "source_kind": camera.source.kind.value,
        "location": camera.source.location,
        "sealed": sealed,
        "has_credentials": camera.has_credentials,
        "device": camera.device.address if camera.device else None,
        "device_profile": camera.device.profile if camera.device else "",
        "version": camera.version,
    }


def _camera(row: sa.Row[Any]) -> Camera:
    settings = Settings(
        name=Text(**row.name),
        path=row.path,
        code=row.code or "",
        vendor=row.vendor,
        model=row.model,
        groups=tuple(row.groups),
        place=Place(row.place, row.latitude, row.longitude),
        timezone=row.timezone,
        data_class=DataClass(row.data_class),
        masks=tuple(tuple(Point(*point) for point in mask) for mask in row.masks),
        overhead=row.overhead,
        tier=Tier(row.tier),
        priority=row.priority,
        enabled=row.enabled,
    )
    return Camera(
        CameraId(row.id),
        settings,
        Source(SourceKind(row.source_kind), row.location),
        row.has_credentials,
        row.version,
        row.created_at,
        None if row.device is None else Device(row.device, row.device_profile),
        _health(row),
        row.health_since,
    )


def _health_values(camera_id: str, health: Health) -> dict[str, Any]:
    return {
        "camera_id": camera_id,
        "state": health.state.value,
        "at": health.at,
        "detail": health.detail[:_DETAIL_MAX],
        "fps": health.fps,
        "lag_seconds": health.lag_seconds,
        "tier_now": None if health.tier_now is None else health.tier_now.value,
        "clock_offset_seconds": health.clock_offset_seconds,
    }


def _health(row: sa.Row[Any]) -> Health | None:
    if row.health_state is None:
        return None
    return Health(
        HealthState(row.health_state),
        row.health_at,
        row.health_detail,
        row.health_fps,
        row.health_lag_seconds,
        None if row.health_tier_now is None else Tier(row.health_tier_now),
        row.health_clock_offset_seconds,
    )
