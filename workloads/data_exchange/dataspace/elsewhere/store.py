"""The tables of what other participants offer."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.dataspace.elsewhere import reading
from workloads.data_exchange.dataspace.elsewhere.model import Asked, Listed, id_of
from workloads.data_exchange.tables import metadata

_MOMENT = sa.DateTime(timezone=True)
_MOST_WORDS = 5


def _participant(**more: Any) -> sa.Column[Any]:  # noqa: ANN401 - what a column takes
    there = sa.ForeignKey("exchange_dataspace_participant.id")
    return sa.Column("participant", sa.Text, there, nullable=False, **more)


asked_table = sa.Table(
    "exchange_dataspace_asked",
    metadata,
    _participant(primary_key=True),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("calls_itself", sa.Text, nullable=False),
    sa.Column("datasets", sa.Integer, nullable=False),
    sa.Column("left_out", sa.Integer, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
    sa.Column("remarks", postgresql.JSONB, nullable=False),
    sa.Column("asked_at", _MOMENT, nullable=False),
)
listed_table = sa.Table(
    "exchange_dataspace_listed",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    _participant(),
    sa.Column("name", sa.Text, nullable=False),
    # Its place in the catalogue.
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("body", postgresql.JSONB, nullable=False),
    sa.Column("asked_at", _MOMENT, nullable=False),
    sa.Index("ix_exchange_dataspace_listed_number", "participant", "number", "id"),
)

_A, _L = asked_table.c, listed_table.c


class PostgresElsewhere:
    """Keeps them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def replace(self, asked: Asked, listed: Iterable[Listed]) -> None:
        """Keep a catalogue in place of the one before."""
        values = {
            name: getattr(asked, name) for name in (column.name for column in asked_table.columns)
        } | {"remarks": list(asked.remarks)}
        # First the one row: whoever asked at the same time waits until all of this is done.
        self._db.execute(
            postgresql.insert(asked_table)
            .values(values)
            .on_conflict_do_update(index_elements=["participant"], set_=values)
        )
        self._db.execute(listed_table.delete().where(_L.participant == asked.participant))
        rows = [_row(one, number) for number, one in enumerate(listed)]
        if rows:
            self._db.execute(listed_table.insert(), rows)

    def put(self, listed: Listed) -> None:
        """Keep one data set, new or in place of what was said of it before."""
        last = sa.select(sa.func.coalesce(sa.func.max(_L.number) + 1, 0)).where(
            _L.participant == listed.participant
        )
        values = _row(listed, 0)
        changed = {name: values[name] for name in ("words", "body", "asked_at")}
        self._db.execute(
            postgresql.insert(listed_table)
            .values({**values, "number": last.scalar_subquery()})
            .on_conflict_do_update(index_elements=["id"], set_=changed)
        )

    def asked(self, participant: str) -> Asked | None:
        """What came of asking for its catalogue."""
        query = sa.select(asked_table).where(_A.participant == participant)
        row = self._db.execute(query).one_or_none()
        if row is None:
            return None
        kept = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
        return Asked(**{**kept, "remarks": tuple(kept["remarks"])})

    def listed(self, id: str) -> Listed | None:  # noqa: A002 - our id of it
        """A data set by our id of it."""
        row = self._db.execute(sa.select(listed_table).where(_L.id == id)).one_or_none()
        return None if row is None else _listed(row)

    def find(self, participant: str, dataset: str) -> Listed | None:
        """A data set by its ``@id``."""
        return self.listed(id_of(participant, dataset))

    def list(self, participant: str, words: str, page: PageRequest) -> Page[Listed]:
        """The data sets of a participant in which all of these words stand, in its order."""
        query = sa.select(listed_table).where(_L.participant == participant)
        for word in words.lower().split()[:_MOST_WORDS]:
            query = query.where(_L.words.contains(word, autoescape=True))
        after = page.key(2)
        if after is not None:
            number = int(after[0]) if after[0].isdecimal() and len(after[0]) < 10 else 0  # noqa: PLR2004
            query = query.where(sa.tuple_(_L.number, _L.id) > sa.tuple_(number, after[1]))
        rows = list(self._db.execute(query.order_by(_L.number, _L.id).limit(page.limit + 1)))
        found = page_of(rows, page, lambda row: (str(row.number), row.id))
        return Page(tuple(_listed(row) for row in found.items), found.next)


def _row(one: Listed, number: int) -> dict[str, Any]:
    words = (
        one.name, one.title.en, one.title.zh, one.description.en, one.description.zh,
        *one.keywords, *one.within,
    )  # fmt: skip
    return {
        "id": one.id, "participant": one.participant, "name": one.name, "number": number,
        "words": "\n".join(dict.fromkeys(words)).lower(), "body": reading.as_json(one),
        "asked_at": one.asked_at,
    }  # fmt: skip


def _listed(row: sa.Row[Any]) -> Listed:
    return reading.of_json(row.participant, row.name, row.asked_at, row.body)
