"""The tables of harvesting."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.harvesting.model import (
    Run,
    RunId,
    Source,
    SourceId,
    SourceProtocol,
    SourceRunState,
    Validators,
)
from workloads.data_exchange.harvesting.ports import KnownPage
from workloads.data_exchange.tables import metadata

_SOURCE = "exchange_harvest_source.id"

source_table = sa.Table(
    "exchange_harvest_source",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("catalog", sa.Text, sa.ForeignKey("exchange_catalog.id"), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("protocol", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sa.Column("hours", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("next_at", sa.DateTime(timezone=True)),
    sa.Column("version", sa.Integer, nullable=False),
)
_S = source_table.c

run_table = sa.Table(
    "exchange_harvest_run",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("source", sa.Text(collation="C"), sa.ForeignKey(_SOURCE), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("position", sa.Text, nullable=False),
    *(
        sa.Column(name, sa.Integer, nullable=False)
        for name in ("pages", "found", "changed", "unchanged", "refused", "withdrawn")
    ),
    sa.Column("accepts_loss", sa.Boolean, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Index("ix_exchange_harvest_run_source", "source", "id"),
    # One run of a source at a time, whoever starts it.
    sa.Index(
        "uq_exchange_harvest_run_running", "source", unique=True,
        postgresql_where=sa.text("state = 'running'"),
    ),
)  # fmt: skip
_R = run_table.c

page_table = sa.Table(
    "exchange_harvest_page",
    metadata,
    sa.Column("source", sa.Text(collation="C"), sa.ForeignKey(_SOURCE), primary_key=True),
    sa.Column("position", sa.Text(collation="C"), primary_key=True),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("modified", sa.Text, nullable=False),
    sa.Column("next", sa.Text, nullable=False),
    sa.Column("entries", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("run", sa.Text, nullable=False),
)
_P = page_table.c

seen_table = sa.Table(
    "exchange_harvest_seen",
    metadata,
    sa.Column("source", sa.Text(collation="C"), sa.ForeignKey(_SOURCE), primary_key=True),
    sa.Column("entry", sa.Text(collation="C"), primary_key=True),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("run", sa.Text(collation="C"), nullable=False),
    sa.Index("ix_exchange_harvest_seen_run", "source", "run"),
)
_N = seen_table.c

_SEE = sa.text("""
    INSERT INTO exchange_harvest_seen (source, entry, uri, run)
    SELECT :source, g.entry, g.uri, :run
    FROM unnest(CAST(:entries AS text[]), CAST(:uris AS text[])) AS g(entry, uri)
    ON CONFLICT (source, entry) DO UPDATE SET run = excluded.run, uri = excluded.uri
""")


class PostgresSources:
    """Keeps sources, runs and what was seen."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, source: Source, sealed: str) -> bool:
        """Keep a new one; False when its address is known."""
        made = self._db.execute(
            postgresql.insert(source_table)
            .values(id=source.id, sealed=sealed, **_source_values(source))
            .on_conflict_do_nothing(index_elements=["url"])
            .returning(_S.id)
        ).first()
        return made is not None

    def find(self, source_id: str, *, locked: bool = False) -> Source | None:
        """By id."""
        query = sa.select(source_table).where(_S.id == source_id)
        row = self._db.execute(query.with_for_update() if locked else query).one_or_none()
        return None if row is None else _source(row)

    def update(self, source: Source, sealed: str | None = None) -> None:
        """Keep its change."""
        values = _source_values(source)
        if sealed is not None:
            values["sealed"] = sealed
        self._db.execute(source_table.update().where(_S.id == source.id).values(**values))

    def sealed(self, source_id: str) -> str:
        """The sealed token, or nothing."""
        query = sa.select(_S.sealed).where(_S.id == source_id)
        return str(self._db.execute(query).scalar() or "")

    def list(self, paths: Sequence[str]) -> Sequence[Source]:
        """Those at or below any of the paths, by id."""
        query = sa.select(source_table).where(within(_S.path, paths)).order_by(_S.id)
        return [_source(row) for row in self._db.execute(query)]

    def remove(self, source_id: str) -> None:
        """Forget it, its runs, and what was seen."""
        for column in (_N.source, _P.source, _R.source, _S.id):
            self._db.execute(column.table.delete().where(column == source_id))

    def due(self, now: datetime) -> Sequence[Source]:
        """Those to be read now that no run reads, locked."""
        running = sa.select(_R.id).where(
            _R.source == _S.id, _R.state == SourceRunState.RUNNING.value
        )
        query = (
            sa.select(source_table)
            .where(_S.enabled, _S.next_at <= now, ~running.exists())
            .order_by(_S.id)
            .with_for_update(skip_locked=True)
        )
        return [_source(row) for row in self._db.execute(query)]

    def begin(self, run: Run) -> bool:
        """Keep a new run; False when another one runs."""
        made = self._db.execute(
            postgresql.insert(run_table)
            .values(**_run_values(run))
            .on_conflict_do_nothing()
            .returning(_R.id)
        ).first()
        return made is not None

    def run(self, run_id: str, *, locked: bool = False) -> Run | None:
        """By id."""
        query = sa.select(run_table).where(_R.id == run_id)
        row = self._db.execute(query.with_for_update() if locked else query).one_or_none()
        return None if row is None else _run(row)

    def keep(self, run: Run) -> None:
        """Keep how far it is."""
        self._db.execute(run_table.update().where(_R.id == run.id).values(**_run_values(run)))

    def runs(self, source_id: str, request: PageRequest) -> Page[Run]:
        """Newest first."""
        query = sa.select(run_table).where(_R.source == source_id)
        after = request.key(1)
        if after is not None:
            query = query.where(_R.id < after[0])
        rows = self._db.execute(query.order_by(_R.id.desc()).limit(request.limit + 1))
        return page_of([_run(row) for row in rows], request, lambda one: (one.id,))

    def page(self, source_id: str, position: str) -> KnownPage | None:
        """As it was read last time."""
        query = sa.select(page_table).where(_P.source == source_id, _P.position == position)
        row = self._db.execute(query).one_or_none()
        if row is None:
            return None
        known = Validators(row.etag, row.modified)
        return KnownPage(known, row.next, tuple(row.entries), row.run)

    def keep_page(self, source_id: str, position: str, page: KnownPage) -> None:
        """Keep it for the next time."""
        values = {
            "etag": page.validators.etag, "modified": page.validators.modified, "next": page.next,
            "entries": list(page.entries), "run": page.run,
        }  # fmt: skip
        self._db.execute(
            postgresql.insert(page_table)
            .values(source=source_id, position=position, **values)
            .on_conflict_do_update(index_elements=["source", "position"], set_=values)
        )

    def see(self, source_id: str, run_id: str, uris: Mapping[str, str]) -> None:
        """Note that these were found in a run."""
        if not uris:
            return
        ordered = sorted(uris.items())
        given = {
            "source": source_id, "run": run_id, "entries": [entry for _, entry in ordered],
            "uris": [uri for uri, _ in ordered],
        }  # fmt: skip
        self._db.execute(_SEE, given)

    def lost(self, source_id: str, run_id: str, limit: int) -> Sequence[tuple[str, str]]:
        """URIs and ids of what an earlier run found and this one did not."""
        # Two ranges of an index instead of one inequality, which would read all that was found.
        of = sa.select(_N.uri, _N.entry).where(_N.source == source_id)
        parts = [
            of.where(side).order_by(_N.run).limit(limit).subquery()
            for side in (_N.run < run_id, _N.run > run_id)
        ]
        query = sa.union_all(*(sa.select(one) for one in parts)).limit(limit)
        return [(row.uri, row.entry) for row in self._db.execute(query)]

    def counts(self, source_id: str, run_id: str) -> tuple[int, int]:
        """How many this run found, and how many only earlier ones did."""
        every = sa.select(sa.func.count()).where(_N.source == source_id)
        found = self._db.execute(every.where(_N.run == run_id)).scalar() or 0
        lost = self._db.execute(every.where(_N.run != run_id)).scalar() or 0
        return int(found), int(lost)

    def forget(self, source_id: str, entries: Collection[str]) -> None:
        """They are gone."""
        gone = seen_table.delete().where(_N.source == source_id, _N.entry.in_(sorted(entries)))
        self._db.execute(gone)


def _source_values(source: Source) -> dict[str, Any]:
    return {
        "catalog": source.catalog, "path": source.path, "level": source.level.value,
        "protocol": source.protocol.value, "url": source.url, "hours": source.hours,
        "enabled": source.enabled, "created_at": source.created_at, "next_at": source.next_at,
        "version": source.version,
    }  # fmt: skip


def _source(row: sa.Row[Any]) -> Source:
    return Source(
        SourceId(row.id), row.catalog, row.path, Level(row.level), SourceProtocol(row.protocol),
        row.url, row.hours, row.enabled, bool(row.sealed), row.created_at, row.next_at, row.version,
    )  # fmt: skip


def _run_values(run: Run) -> dict[str, Any]:
    return {**asdict(run), "state": run.state.value}


def _run(row: sa.Row[Any]) -> Run:
    return Run(
        RunId(row.id), SourceId(row.source), SourceRunState(row.state), row.started_at,
        row.ended_at, row.position, row.pages, row.found, row.changed, row.unchanged, row.refused,
        row.withdrawn, row.accepts_loss, row.complete, row.message,
    )  # fmt: skip
