"""Watch lists in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.watchlists.model import (
    Entry,
    EntryId,
    ListKind,
    WatchList,
    WatchListId,
)

_INSTANT = sa.DateTime(timezone=True)

watchlist_table = sa.Table(
    "video_watchlist",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column(
        "path",
        sa.Text(collation="C"),
        sa.ForeignKey("video_department.path"),
        nullable=False,
        index=True,
    ),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("ends_at", _INSTANT, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_by_name", sa.Text, nullable=False),
    sa.Column("approved_at", _INSTANT),
    sa.Column("approved_by", sa.Text, nullable=False),
    sa.Column("approved_by_name", sa.Text, nullable=False),
    sa.Column("closed_at", _INSTANT),
    sa.Column("closed_by", sa.Text, nullable=False),
    sa.Column("closed_by_name", sa.Text, nullable=False),
    sa.Column("closed_because", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('faces', 'plates')", name="kind"),
    # Four eyes, whatever a program does.
    sa.CheckConstraint("approved_at IS NULL OR approved_by <> created_by", name="second"),
)

entry_table = sa.Table(
    "video_watchlist_entry",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column(
        "list_id",
        sa.Text(collation="C"),
        sa.ForeignKey("video_watchlist.id"),
        nullable=False,
        index=True,
    ),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("pattern", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("space", sa.Text, nullable=False),
    sa.Column("added_at", _INSTANT, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),
    sa.Column("added_by_name", sa.Text, nullable=False),
    sa.Column("approved_at", _INSTANT),
    sa.CheckConstraint("(pattern = '') <> (sealed = '')", name="one"),
)

_L, _E = watchlist_table.c, entry_table.c
_COLUMNS = tuple(column.name for column in _L)


class PostgresWatchlists:
    """Implements ``WatchListStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, watch_list: WatchList) -> None:
        values = {name: getattr(watch_list, name) for name in _COLUMNS}
        self._db.execute(watchlist_table.insert().values(**values))

    def find(self, list_id: str, *, locked: bool = False) -> WatchList | None:
        if locked:
            held = sa.select(_L.id).where(_L.id == list_id).with_for_update()
            self._db.execute(held)
        row = self._db.execute(_counted().where(_L.id == list_id)).one_or_none()
        return None if row is None else _list(row)

    def lists(
        self, paths: Sequence[str], kind: ListKind | None, request: PageRequest
    ) -> Page[WatchList]:
        query = _counted().where(within(_L.path, paths))
        if kind is not None:
            query = query.where(_L.kind == kind.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_L.id < after[0])
        rows = self._db.execute(query.order_by(_L.id.desc()).limit(request.limit + 1))
        return page_of([_list(row) for row in rows], request, lambda one: (one.id,))

    def save(self, watch_list: WatchList) -> None:
        names = [name for name in _COLUMNS if name.startswith(("approved_", "closed_"))]
        values = {name: getattr(watch_list, name) for name in names}
        self._db.execute(watchlist_table.update().where(_L.id == watch_list.id).values(**values))

    def add_entry(self, entry: Entry) -> None:
        values = {column.name: getattr(entry, column.name) for column in _E}
        self._db.execute(entry_table.insert().values(**values))

    def entry(self, list_id: str, entry_id: str) -> Entry | None:
        query = sa.select(entry_table).where(_E.id == entry_id, _E.list_id == list_id)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _entry(row)

    def entries(self, list_id: str, request: PageRequest) -> Page[Entry]:
        query = sa.select(entry_table).where(_E.list_id == list_id)
        after = request.key(1)
        if after is not None:
            query = query.where(_E.id > after[0])
        rows = self._db.execute(query.order_by(_E.id).limit(request.limit + 1))
        return page_of([_entry(row) for row in rows], request, lambda one: (one.id,))

    def pending_by(self, list_id: str) -> Collection[str]:
        query = sa.select(_E.added_by).where(_E.list_id == list_id, _E.approved_at.is_(None))
        return set(self._db.execute(query).scalars())

    def approve_entries(self, list_id: str, at: datetime) -> int:
        done = self._db.execute(
            entry_table.update()
            .where(_E.list_id == list_id, _E.approved_at.is_(None))
            .values(approved_at=at)
        )
        return done.rowcount

    def remove_entry(self, list_id: str, entry_id: str) -> bool:
        done = self._db.execute(
            entry_table.delete().where(_E.id == entry_id, _E.list_id == list_id)
        )
        return done.rowcount == 1

    def known(self, list_ids: Collection[str]) -> Sequence[WatchList]:
        rows = self._db.execute(_counted().where(_L.id.in_(list_ids)).order_by(_L.id))
        return [_list(row) for row in rows]

    def counting(self, list_ids: Collection[str]) -> Sequence[tuple[WatchList, Sequence[Entry]]]:
        query = _counted().where(_L.id.in_(list_ids), _L.closed_at.is_(None)).order_by(_L.id)
        lists = [_list(row) for row in self._db.execute(query)]
        approved = (
            sa.select(entry_table)
            .where(_E.list_id.in_([one.id for one in lists]), _E.approved_at.is_not(None))
            .order_by(_E.id)
        )
        entries = [_entry(row) for row in self._db.execute(approved)]
        return [(one, [e for e in entries if e.list_id == one.id]) for one in lists]

    def over(self, now: datetime) -> Sequence[WatchList]:
        filled = sa.exists().where(_E.list_id == _L.id)
        query = _counted().where(sa.or_(_L.ends_at <= now, _L.closed_at <= now), filled)
        return [_list(row) for row in self._db.execute(query.order_by(_L.id))]

    def destroy_entries(self, list_id: str) -> int:
        return self._db.execute(entry_table.delete().where(_E.list_id == list_id)).rowcount


def _counted() -> sa.Select[Any]:
    """Lists with how many entries they have, and how many of those wait."""
    mine = sa.select(sa.func.count()).where(_E.list_id == _L.id)
    return sa.select(
        watchlist_table,
        mine.scalar_subquery().label("entries"),
        mine.where(_E.approved_at.is_(None)).scalar_subquery().label("pending"),
    )


def _list(row: sa.Row[Any]) -> WatchList:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return WatchList(**{**values, "id": WatchListId(row.id), "kind": ListKind(row.kind)})


def _entry(row: sa.Row[Any]) -> Entry:
    values = dict(row._mapping)  # noqa: SLF001
    return Entry(**{**values, "id": EntryId(row.id), "list_id": WatchListId(row.list_id)})
