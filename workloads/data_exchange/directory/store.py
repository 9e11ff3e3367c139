"""The directory's tables."""

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.index import as_rows, drop_index, index_rows, write_index
from workloads.data_exchange.directory.model import (
    Body,
    Catalog,
    Certificate,
    Entry,
    EntryId,
    Kind,
    Origin,
    State,
    Step,
    Version,
    Work,
)
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.tables import metadata

_T = TypeVar("_T")
_BODY = TypeAdapter(Body)
_ORIGIN = TypeAdapter(Origin)
_SHOWN = [state.value for state in State if state.shown]


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


entry_table = sa.Table(
    "exchange_entry",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column(
        "path", sa.Text(collation="C"), sa.ForeignKey("exchange_agency.path"), nullable=False
    ),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("work", sa.Text, nullable=False),
    sa.Column("draft", postgresql.JSONB(none_as_null=True)),
    sa.Column("shown", postgresql.JSONB(none_as_null=True)),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("authors", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("catalog", sa.Text, sa.ForeignKey("exchange_catalog.id")),
    sa.Column("origin", postgresql.JSONB(none_as_null=True)),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("archived_by", sa.Text, nullable=False),
    sa.Column("has_secret", sa.Boolean, nullable=False),
    _instant("created_at"),
    _instant("changed_at"),
    _instant("issued_at", nullable=True),
    _instant("modified_at", nullable=True),
    sa.Index("ix_exchange_entry_path", "path", "id"),
    sa.Index(
        "ix_exchange_entry_work", "path", "id", postgresql_where=sa.text("work <> 'none'")
    ),
    sa.Index("ix_exchange_entry_catalog", "catalog", "id"),
    sa.Index(
        "ix_exchange_entry_serves", sa.text("(shown -> 'serves')"), postgresql_using="gin",
        postgresql_where=sa.text("kind = 'service'"),
    ),
    sa.Index(
        "ix_exchange_entry_series", sa.text("(shown ->> 'series')"),
        postgresql_where=sa.text("shown ->> 'series' <> ''"),
    ),
)  # fmt: skip
_E = entry_table.c

catalog_table = sa.Table(
    "exchange_catalog",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column(
        "path", sa.Text(collation="C"), sa.ForeignKey("exchange_agency.path"), nullable=False
    ),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("title", postgresql.JSONB, nullable=False),
    sa.Column("description", postgresql.JSONB, nullable=False),
    sa.Column("homepage", sa.Text, nullable=False),
    sa.Column("publisher", sa.Text, nullable=False),
)

#: Whole rows, their JSON as text: pydantic reads that itself, in half the time. For searches.
_AS_TEXT = ", ".join(
    f"CAST(e.{one.name} AS text) AS {one.name}"
    if isinstance(one.type, postgresql.JSONB)
    else f"e.{one.name}"
    for one in entry_table.columns
)
_KNOWN = sa.text(f"SELECT {_AS_TEXT} FROM exchange_entry e WHERE e.id = ANY(:ids)")  # noqa: S608 - names of our own columns

#: Many at once, in one statement: a statement an entry costs more than the entry.
_KEPT = {"id", "created_at", "issued_at"}
_PUT = sa.text(f"""
    INSERT INTO exchange_entry
    SELECT * FROM json_populate_recordset(CAST(NULL AS exchange_entry), CAST(:rows AS json))
    ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{c.name} = excluded.{c.name}" for c in entry_table.columns if c.name not in _KEPT)}
""")  # noqa: S608 - names of our own columns

#: As the index of services says it.
_SERVES: sa.ColumnElement[Any] = sa.literal_column("(shown -> 'serves')", postgresql.JSONB)

_OF_ENTRY = "exchange_entry.id"
version_table = sa.Table(
    "exchange_entry_version",
    metadata,
    sa.Column("entry_id", sa.Text(collation="C"), sa.ForeignKey(_OF_ENTRY), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("body", postgresql.JSONB, nullable=False),
    _instant("published_at"),
    _instant("replaced_at"),
)
step_table = sa.Table(
    "exchange_entry_step",
    metadata,
    sa.Column("entry_id", sa.Text(collation="C"), sa.ForeignKey(_OF_ENTRY), primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _instant("at"),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("by_name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
secret_table = sa.Table(
    "exchange_entry_secret",
    metadata,
    sa.Column("entry_id", sa.Text(collation="C"), sa.ForeignKey(_OF_ENTRY), primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
)
certificate_table = sa.Table(
    "exchange_destruction",
    metadata,
    sa.Column("entry_id", sa.Text(collation="C"), sa.ForeignKey(_OF_ENTRY), primary_key=True),
    _instant("at"),
    sa.Column("jws", sa.Text, nullable=False),
)


class PostgresEntries:
    """Keeps entries."""

    selected = _AS_TEXT

    def __init__(self, database: Database) -> None:
        self._db = database

    def made(self, row: Any) -> Entry:  # noqa: ANN401 - a row of ``selected``
        """The entry of a row."""
        return entry_of(row)

    def add(self, entry: Entry) -> None:
        """Keep a new one."""
        self.add_all([entry])

    def add_all(self, entries: Sequence[Entry]) -> None:
        """Keep new ones."""
        if entries:
            self._db.execute(entry_table.insert(), [_values(one) for one in entries])
            self._index(entries)

    def find(self, entry_id: str, *, locked: bool = False) -> Entry | None:
        """By id."""
        query = sa.select(entry_table).where(_E.id == entry_id)
        row = self._db.execute(query.with_for_update() if locked else query).one_or_none()
        return None if row is None else entry_of(row)

    def known(self, entry_ids: Collection[str]) -> dict[str, Entry]:
        """These, by id."""
        if not entry_ids:
            return {}
        rows = self._db.execute(_KNOWN, {"ids": [*set(entry_ids)]})
        return {row.id: entry_of(row) for row in rows}

    def digests(self, entry_ids: Collection[str]) -> dict[str, str]:
        """Of the harvested ones among these that everybody finds, what was read last, by id."""
        query = sa.select(_E.id, _E.origin["digest"].astext.label("digest")).where(
            _E.id == sa.any_(sa.cast([*entry_ids], postgresql.ARRAY(sa.Text))),
            _E.state.in_(_SHOWN), _E.origin.is_not(None),
        )  # fmt: skip
        return {row.id: row.digest for row in self._db.execute(query)}

    def update(self, entry: Entry) -> None:
        """Keep the change, with its index for searches."""
        self._db.execute(entry_table.update().where(_E.id == entry.id).values(**_values(entry)))
        self._index([entry])

    def put_all(self, entries: Sequence[Entry]) -> None:
        """Keep harvested ones, new and changed; the same again changes nothing."""
        if not entries:
            return
        there = {one.id: one for one in entries}
        self._db.execute(_PUT, {"rows": as_rows([_values(one) for one in there.values()])})
        self._index([*there.values()])

    def _index(self, entries: Sequence[Entry]) -> None:
        gone = [one.id for one in entries if not (one.state.shown and one.shown)]
        if gone:
            drop_index(self._db, gone)
        write_index(self._db, index_rows(entries))

    def list(self, paths: Sequence[str], query: EntryQuery, request: PageRequest) -> Page[Entry]:
        """Those at or below any of the paths, by id; harvested ones only of a catalogue."""
        wanted = _fitting(query).where(within(_E.path, paths))
        if not query.catalog:
            wanted = wanted.where(_E.catalog.is_(None))
        if query.state is not None:
            wanted = wanted.where(_E.state == query.state.value)
        return self._page(wanted, request)

    def shown(self, query: EntryQuery, request: PageRequest) -> Page[Entry]:
        """Those that everybody finds, by id."""
        return self._page(_fitting(query).where(_E.state.in_(_SHOWN)), request)

    def _page(self, wanted: sa.Select[Any], request: PageRequest) -> Page[Entry]:
        after = request.key(1)
        if after is not None:
            wanted = wanted.where(_E.id > after[0])
        rows = self._db.execute(wanted.order_by(_E.id).limit(request.limit + 1))
        return page_of([entry_of(row) for row in rows], request, lambda one: (one.id,))

    def standing(self) -> int:
        """How many data sets that were not harvested everybody finds."""
        query = sa.select(sa.func.count()).where(
            _E.kind == Kind.DATASET.value, _E.state.in_(_SHOWN), _E.catalog.is_(None)
        )
        return int(self._db.execute(query).scalar() or 0)

    def serving(self, dataset_id: str) -> Sequence[Entry]:
        """The services that give a data set and that everybody finds, by id."""
        named = sa.cast([dataset_id], postgresql.JSONB)
        query = sa.select(entry_table).where(
            _E.kind == Kind.SERVICE.value, _E.state.in_(_SHOWN),
            _SERVES.op("@>")(named),
        )  # fmt: skip
        return [entry_of(row) for row in self._db.execute(query.order_by(_E.id).limit(200))]

    def members(self, series_id: str, limit: int) -> Sequence[Entry]:
        """Data sets of a series that everybody finds, by id."""
        query = sa.select(entry_table).where(
            _E.state.in_(_SHOWN), _E.shown["series"].astext == series_id,
            _E.shown["series"].astext != "",
        )  # fmt: skip
        return [entry_of(row) for row in self._db.execute(query.order_by(_E.id).limit(limit))]

    def keep_version(self, entry_id: str, version: Version) -> None:
        """Keep what was shown before."""
        self._db.execute(
            version_table.insert().values(
                entry_id=entry_id, version=version.version, body=body_json(version.body),
                published_at=version.published_at, replaced_at=version.replaced_at,
            )
        )  # fmt: skip

    def versions(self, entry_id: str) -> Sequence[Version]:
        """The earlier versions, the newest first."""
        t = version_table.c
        query = sa.select(version_table).where(t.entry_id == entry_id)
        return [
            Version(row.version, _BODY.validate_python(row.body), row.published_at, row.replaced_at)
            for row in self._db.execute(query.order_by(t.version.desc()))
        ]

    def note(self, entry_id: str, step: Step) -> None:
        """Keep what was done."""
        self._db.execute(
            step_table.insert().values(
                entry_id=entry_id, at=step.at, action=step.action, by=step.by,
                by_name=step.by_name, version=step.version, note=step.note,
            )
        )  # fmt: skip

    def steps(self, entry_id: str, limit: int) -> Sequence[Step]:
        """What was done, the newest first."""
        t = step_table.c
        query = sa.select(step_table).where(t.entry_id == entry_id)
        rows = self._db.execute(query.order_by(t.position.desc()).limit(limit))
        return [
            Step(row.at, row.action, row.by, row.by_name, row.version, row.note) for row in rows
        ]

    def seal(self, entry_id: str, sealed: str) -> None:
        """Keep a sealed secret; empty: forget it."""
        self._db.execute(secret_table.delete().where(secret_table.c.entry_id == entry_id))
        if sealed:
            self._db.execute(secret_table.insert().values(entry_id=entry_id, sealed=sealed))

    def sealed(self, entry_id: str) -> str:
        """The sealed secret, or nothing."""
        t = secret_table.c
        found = self._db.execute(sa.select(t.sealed).where(t.entry_id == entry_id)).scalar()
        return str(found or "")

    def erase(self, entry: Entry, certificate: Certificate) -> None:
        """Forget all bodies and the secret, and keep the certificate."""
        self.seal(entry.id, "")
        self._db.execute(version_table.delete().where(version_table.c.entry_id == entry.id))
        self._db.execute(
            certificate_table.insert().values(
                entry_id=entry.id, at=certificate.at, jws=certificate.jws
            )
        )

    def certificate(self, entry_id: str) -> Certificate | None:
        """Of what was destroyed."""
        t = certificate_table.c
        row = self._db.execute(
            sa.select(certificate_table).where(t.entry_id == entry_id)
        ).one_or_none()
        return None if row is None else Certificate(EntryId(row.entry_id), row.at, row.jws)


class PostgresCatalogs:
    """Keeps mounted catalogues."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, catalog: Catalog) -> None:
        """Keep a new one."""
        self._db.execute(catalog_table.insert().values(id=catalog.id, **_catalog_values(catalog)))

    def find(self, catalog_id: str) -> Catalog | None:
        """By id."""
        query = sa.select(catalog_table).where(catalog_table.c.id == catalog_id)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _catalog(row)

    def update(self, catalog: Catalog) -> None:
        """Keep what may change of it."""
        self._db.execute(
            catalog_table.update()
            .where(catalog_table.c.id == catalog.id)
            .values(**_catalog_values(catalog))
        )

    def list(self) -> Sequence[Catalog]:
        """All, by id."""
        rows = self._db.execute(sa.select(catalog_table).order_by(catalog_table.c.id))
        return [_catalog(row) for row in rows]

    def remove(self, catalog_id: str) -> None:
        """Take it away; it has no entries any more."""
        self._db.execute(catalog_table.delete().where(catalog_table.c.id == catalog_id))


def body_json(body: Body) -> Any:  # noqa: ANN401 - JSON
    """A description as JSON, without what is empty anyway."""
    return _BODY.dump_python(body, mode="json", exclude_defaults=True)


def body_of(value: Any) -> Body:  # noqa: ANN401 - JSON
    """A description from its JSON.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _BODY.validate_python(value)


def _fitting(query: EntryQuery) -> sa.Select[Any]:
    wanted = sa.select(entry_table)
    if query.kind is not None:
        wanted = wanted.where(_E.kind == query.kind.value)
    if query.work is not None:
        wanted = wanted.where(_E.work == query.work.value)
    if query.path:
        wanted = wanted.where(within(_E.path, [query.path]))
    if query.catalog:
        wanted = wanted.where(_E.catalog == query.catalog)
    return wanted


def _values(entry: Entry) -> dict[str, Any]:
    origin = entry.origin
    return {
        "id": entry.id, "kind": entry.kind.value, "path": entry.path, "level": entry.level.value,
        "state": entry.state.value, "work": entry.work.value,
        "draft": None if entry.draft is None else body_json(entry.draft),
        "shown": None if entry.shown is None else body_json(entry.shown),
        "version": entry.version, "authors": list(entry.authors), "note": entry.note,
        "catalog": None if origin is None else origin.catalog,
        "origin": None if origin is None else _ORIGIN.dump_python(origin, mode="json"),
        "revision": entry.revision, "archived_by": entry.archived_by,
        "has_secret": entry.has_secret, "created_at": entry.created_at,
        "changed_at": entry.changed_at, "issued_at": entry.issued_at,
        "modified_at": entry.modified_at,
    }  # fmt: skip


def entry_of(row: sa.Row[Any]) -> Entry:
    """An entry from its row."""
    return Entry(
        EntryId(row.id), Kind(row.kind), row.path, Level(row.level), State(row.state),
        Work(row.work),
        _read(_BODY, row.draft), _read(_BODY, row.shown),
        row.version, tuple(row.authors), row.created_at, row.changed_at, row.note,
        _read(_ORIGIN, row.origin),
        row.revision, row.issued_at, row.modified_at, row.archived_by, row.has_secret,
    )  # fmt: skip


def _read(adapter: TypeAdapter[_T], value: Any) -> _T | None:  # noqa: ANN401 - JSON, or its text
    if value is None:
        return None
    made = adapter.validate_json if isinstance(value, str) else adapter.validate_python
    return made(value)


def _catalog_values(catalog: Catalog) -> dict[str, Any]:
    return {
        "path": catalog.path, "level": catalog.level.value, "title": catalog.title.as_json(),
        "description": catalog.description.as_json(), "homepage": catalog.homepage,
        "publisher": catalog.publisher,
    }  # fmt: skip


def _catalog(row: sa.Row[Any]) -> Catalog:
    return Catalog(
        row.id, row.path, Level(row.level), Text(**row.title), Text(**row.description),
        row.homepage, row.publisher,
    )  # fmt: skip
