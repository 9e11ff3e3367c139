"""The index in which entries are found: PostgreSQL's full-text search, filled by ``words``.

Two vectors an entry: of its titles, and of all its words, each together with its facets as lexemes,
so that words and filters are one look into one GIN index. They stand in two tables: most of a
search is reading the rows that the index names, and those of the titles are a quarter as large. How
much is looked at is bounded: the best are chosen from so many candidates, and facets are counted
over so many entries, whatever is asked. Decision 0260 has what a search costs.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant
from workloads.data_exchange.directory import words
from workloads.data_exchange.directory.model import Body, Entry
from workloads.data_exchange.directory.searching import FACETS, Counts, Order, Query
from workloads.data_exchange.tables import metadata

#: Of so many that fit by their title, the latest, the best are chosen.
CANDIDATES = 300
#: Over so many that fit, facets are counted.
COUNTED = 1000
#: So much of a description is searched.
_DESCRIPTION = 4000
_PER_FACET = 30
#: The option of a statement that is planned for its own parameters.
_UNPREPARED = "borough_unprepared"
#: Words whose stems are kept.
_STEMS = 20_000


def _entry_id() -> sa.Column[Any]:
    return sa.Column(
        "entry_id", sa.Text(collation="C"),
        sa.ForeignKey("exchange_entry.id", ondelete="CASCADE"), primary_key=True,
    )  # fmt: skip


title_table = sa.Table(
    "exchange_entry_title",
    metadata,
    _entry_id(),
    sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("titles", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("terms", postgresql.TSVECTOR, nullable=False),
    sa.Index("ix_exchange_entry_title_terms", "terms", postgresql_using="gin"),
    sa.Index("ix_exchange_entry_title_modified_at", "modified_at", "entry_id"),
)
index_table = sa.Table(
    "exchange_entry_index",
    metadata,
    _entry_id(),
    sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("terms", postgresql.TSVECTOR, nullable=False),
    # All of them in one text, which costs a tenth of an array to count.
    sa.Column("facets", sa.Text, nullable=False),
    sa.Index("ix_exchange_entry_index_terms", "terms", postgresql_using="gin"),
    sa.Index("ix_exchange_entry_index_modified_at", "modified_at", "entry_id"),
)

#: One statement for both tables and any number of entries. ``MATERIALIZED``: texts are parsed once.
_WRITE = sa.text("""
    WITH given AS MATERIALIZED (
        SELECT g.entry_id, g.modified_at, g.titles, g.facets, CAST(g.lexemes AS tsvector) AS told,
            setweight(to_tsvector('english', g.title_latin), 'A')
                || CAST(g.title_pairs AS tsvector) AS title_terms,
            setweight(to_tsvector('english', g.latin), 'D') || CAST(g.pairs AS tsvector) AS terms
        FROM json_to_recordset(CAST(:rows AS json)) AS g(entry_id text, modified_at timestamptz,
            titles text, title_latin text, title_pairs text, latin text, pairs text, lexemes text,
            facets text)
    ), titled AS (
        INSERT INTO exchange_entry_title AS t (entry_id, modified_at, titles, size, terms)
        SELECT entry_id, modified_at, titles, greatest(length(title_terms), 1),
            strip(title_terms) || told FROM given
        ON CONFLICT (entry_id) DO UPDATE SET modified_at = excluded.modified_at,
            titles = excluded.titles, size = excluded.size, terms = excluded.terms
    )
    INSERT INTO exchange_entry_index AS i (entry_id, modified_at, terms, facets)
    SELECT entry_id, modified_at, title_terms || terms || told, facets FROM given
    ON CONFLICT (entry_id) DO UPDATE SET modified_at = excluded.modified_at,
        terms = excluded.terms, facets = excluded.facets
""")

#: What is found, the best first, each with its place: one statement, for a round trip costs more
#: than most searches. ``{limit}`` stands as a number so that plans know it.
_FOUND = """
    WITH titled AS MATERIALIZED ({titled}), others AS MATERIALIZED ({others})
    SELECT found.score, found.modified_at AS place, {selected}
    FROM (SELECT * FROM titled UNION ALL SELECT * FROM others) found
    JOIN exchange_entry e ON e.id = found.entry_id
    ORDER BY found.score DESC, found.modified_at DESC, found.entry_id DESC
"""
#: Those that have all words in their title: the phrase first, then how much of the title it is.
_TITLED = """
    SELECT entry_id, score, modified_at FROM (
        SELECT entry_id, modified_at, round((1 + 1 / (1 + ln(size))
            + CASE WHEN position(%(phrase)s IN titles) > 0 THEN 1 ELSE 0 END)::numeric, 6) AS score
        FROM (SELECT entry_id, titles, size, modified_at FROM exchange_entry_title
            WHERE terms @@ CAST(%(whole)s AS tsquery)
            ORDER BY modified_at DESC, entry_id DESC LIMIT {candidates}) found
    ) scored
    {after} ORDER BY score DESC, modified_at DESC, entry_id DESC LIMIT {limit}
"""
#: Those that have some of them elsewhere, the latest first, when there is room for them; their
#: words are not looked at again, which would be most of the cost.
_OTHERS = """
    SELECT entry_id, 0::numeric AS score, modified_at FROM exchange_entry_index
    WHERE (SELECT count(*) FROM titled) < {limit}
        AND terms @@ CAST(%(whole)s AS tsquery) AND NOT terms @@ CAST(%(in_title)s AS tsquery)
        {after}
    ORDER BY modified_at DESC, entry_id DESC LIMIT {limit}
"""
_LATEST = """
    SELECT entry_id, 0::numeric AS score, modified_at FROM exchange_entry_index
    WHERE {wanted} {after} ORDER BY modified_at DESC, entry_id DESC LIMIT {limit}
"""
_NONE = "SELECT ''::text AS entry_id, 0::numeric AS score, now() AS modified_at WHERE false"
_WANTED = "terms @@ CAST(%(whole)s AS tsquery)"
_BEHIND = "AND (modified_at, entry_id) < (%(at)s, %(last)s)"

_STEM = sa.text("""
    SELECT word, CAST(plainto_tsquery('english', word) AS text) AS said
    FROM unnest(CAST(:words AS text[])) AS word
""")
#: Facets of as many as are counted, as one text: PostgreSQL would sort them, value by value.
_SOME = f"""
    SELECT coalesce(string_agg(facets, chr({ord(words.BETWEEN)})), '') AS facets
    FROM (SELECT facets FROM exchange_entry_index WHERE {_WANTED} LIMIT {COUNTED}) found
"""  # noqa: S608 - constants
_ALL = f"""
    SELECT facet, count(*) AS n FROM exchange_entry_index,
        unnest(string_to_array(facets, chr({ord(words.BETWEEN)}))) AS facet
    GROUP BY facet
"""  # noqa: S608 - constants


def index_rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """What the index has of those that everybody finds."""
    return [_row(one, one.shown) for one in entries if one.state.shown and one.shown is not None]


def drop_index(database: Database, entries: Sequence[str]) -> None:
    """Let them be found no more."""
    for table in (title_table, index_table):
        database.execute(table.delete().where(table.c.entry_id.in_(entries)))


def write_index(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let them be found."""
    if rows:
        database.execute(_WRITE, {"rows": as_rows(rows)})


def as_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one JSON text, for one statement that writes them all."""
    return json.dumps(rows, ensure_ascii=False, default=format_instant)


def facets_of(entry: Entry, body: Body) -> list[str]:
    """What it is found under; an agency's path stands for all above it too."""
    values: dict[str, Iterable[str]] = {
        "kind": [entry.kind.value],
        "level": [entry.level.value],
        "theme": body.themes,
        "agency": _above(entry.path),
        "format": body.formats(),
        "frequency": [body.frequency],
        "access": [body.access],
        "licence": [body.licence] if body.licence else [],
        "catalog": [entry.origin.catalog] if entry.origin else [],
    }
    return [words.facet(name, value) for name in FACETS for value in dict.fromkeys(values[name])]


def _above(path: str) -> list[str]:
    parts = path.strip("/").split("/")
    return ["/" + "/".join(parts[:n]) + "/" for n in range(1, len(parts) + 1)]


def _row(entry: Entry, body: Body) -> dict[str, Any]:
    title = f"{body.title.zh} \n {body.title.en}"
    rest = " \n ".join((
        body.description.zh[:_DESCRIPTION], body.description.en[:_DESCRIPTION], *body.keywords,
        body.identifier, *(f"{one.title.zh} {one.title.en} {one.name}" for one in body.elements),
        entry.origin.publisher if entry.origin else "",
    ))  # fmt: skip
    facets = facets_of(entry, body)
    return {
        "entry_id": entry.id, "modified_at": entry.modified_at or entry.changed_at,
        "titles": words.folded(title),
        "title_latin": words.latin(title),
        "title_pairs": words.vector(words.indexed(title), "A"),
        "latin": words.latin(rest), "pairs": words.vector(words.indexed(rest)),
        "lexemes": " ".join(words.quoted(one) for one in facets),
        "facets": words.BETWEEN.join(one.replace(words.BETWEEN, " ") for one in facets),
    }  # fmt: skip


class Reader(Protocol):
    """Turns rows into entries.

    Attributes:
        selected: the columns of ``exchange_entry AS e`` that it reads, as SQL.
    """

    selected: str

    def made(self, row: Any) -> Entry:  # noqa: ANN401 - a row of those columns
        """The entry of a row."""
        ...


class PostgresIndex:
    """Finds entries.

    Args:
        read: turns rows into entries.
    """

    def __init__(self, database: Database, read: Reader) -> None:
        self._db = database
        self._read = read
        self._stems: dict[str, str] = {}
        sa.event.listen(database.engine, "do_execute", _unprepared)

    def find(self, query: Query, page: PageRequest) -> Page[Entry]:
        """Those that fit."""
        said, chosen = self._said(query.words), words.filtering(query.chosen)
        by_score = bool(said) and query.order is Order.RELEVANCE
        after = page.key(3 if by_score else 2)
        given: dict[str, Any] = {"whole": _both(said, chosen)}
        if after is not None:
            given |= {"at": _at(after[-2]), "last": after[-1]}
        limit = page.limit + 1
        if by_score:
            titled, others = self._best(query, said, after, given, limit)
        else:
            titled = _NONE
            others = _LATEST.format(
                wanted=_WANTED if given["whole"] else "true",
                after="" if after is None else _BEHIND, limit=limit,
            )  # fmt: skip
        statement = _FOUND.format(titled=titled, others=others, selected=self._read.selected)
        rows = self._rows(statement, given)
        cut = page_of(rows, page, lambda row: _place(row)[0 if by_score else 1 :])
        return cut.map(self._read.made)

    def _best(
        self, query: Query, said: str, after: tuple[str, ...] | None, given: dict[str, Any],
        limit: int,
    ) -> tuple[str, str]:  # fmt: skip
        """Statements for those with all words in their title, and for the others."""
        given |= {"in_title": words.in_title(said)}
        score = "0" if after is None else _number(after[0])
        if after is not None and score == "0":
            return _NONE, _OTHERS.format(limit=limit, after=_BEHIND)
        given |= {"phrase": words.folded(query.words).strip()}
        place = ""
        if after is not None:
            given["score"] = score
            place = "WHERE (score, modified_at, entry_id) < (%(score)s::numeric, %(at)s, %(last)s)"
        return (
            _TITLED.format(after=place, candidates=CANDIDATES, limit=limit),
            _OTHERS.format(limit=limit, after=""),
        )

    def _rows(self, statement: str, given: Mapping[str, Any]) -> Sequence[sa.Row[Any]]:
        return self._db.connection.exec_driver_sql(
            statement, dict(given), execution_options={_UNPREPARED: True}
        ).all()

    def count(self, query: Query) -> Counts:
        """How many fit, and of what they are."""
        wanted = _both(self._said(query.words), words.filtering(query.chosen))
        if wanted:
            [row] = self._rows(_SOME, {"whole": wanted})
            counted = Counter(row.facets.split(words.BETWEEN) if row.facets else ())
        else:
            counted = Counter({row.facet: row.n for row in self._rows(_ALL, {})})
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in FACETS}
        for facet, n in counted.items():
            name, _, value = facet.partition(":")
            found[name].append((value, n))
        total = sum(n for _, n in found["kind"])
        facets = {
            name: sorted(values, key=lambda one: (-one[1], one[0]))[:_PER_FACET]
            for name, values in found.items()
        }
        return Counts(total, not wanted or total < COUNTED, facets)

    def _said(self, text: str) -> str:
        """The words as a tsquery in PostgreSQL's own writing; empty when none of them counts."""
        pairs = words.all_of(words.sought(text))
        return _both(" & ".join(filter(None, self._stemmed(words.latin(text).split()))), pairs)

    def _stemmed(self, found: list[str]) -> list[str]:
        """Words as tsqueries: asked once, as they stay the same, and people repeat words."""
        known = self._stems
        new = sorted({word for word in found if word not in known})
        if new:
            rows = self._db.execute(_STEM, {"words": new})
            fresh = {row.word: row.said for row in rows}
            known = {**known, **fresh}
            # A new dictionary each time: other threads read the old one meanwhile.
            self._stems = known if len(known) < _STEMS else fresh
        return [known[word] for word in found]


def _unprepared(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:  # noqa: ANN401
    """Have a search planned for its own words.

    A statement that is sent again and again is planned once for all words, as if each were in few
    entries: a word that most have would be looked for by reading them all.
    """
    if not context.execution_options.get(_UNPREPARED):
        return False
    cursor.execute(statement, parameters, prepare=False)
    return True


def _place(row: sa.Row[Any]) -> tuple[str, ...]:
    score = str(row.score.normalize()) if row.score else "0"
    return score, row.place.isoformat(), row.id


def _both(one: str, other: str) -> str:
    return f"({one}) & ({other})" if one and other else one or other


def _number(text: str) -> str:
    """A score of a cursor.

    Raises:
        Invalid: it is none.
    """
    plain = text.replace(".", "", 1)
    if not (plain.isascii() and plain.isdigit() and len(text) < len("1234567890")):
        raise Invalid([Problem("cursor", "is not a cursor of this list")])
    return text


def _at(text: str) -> datetime:
    return parse_instant(text, "cursor")
