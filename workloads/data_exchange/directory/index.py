"""The index in which entries are found: PostgreSQL's full-text search, filled by ``words``.

Two vectors an entry: of its titles, and of all its words together with its facets as lexemes, so
that words and filters are one look into one GIN index. How much is looked at is bounded: the best
are chosen from so many candidates, and facets are counted over so many entries, whatever is asked.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
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
#: Words whose stems are kept.
_STEMS = 20_000

index_table = sa.Table(
    "exchange_entry_index",
    metadata,
    sa.Column(
        "entry_id", sa.Text(collation="C"),
        sa.ForeignKey("exchange_entry.id", ondelete="CASCADE"), primary_key=True,
    ),
    sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("titles", sa.Text, nullable=False),
    sa.Column("title_terms", postgresql.TSVECTOR, nullable=False),
    sa.Column("terms", postgresql.TSVECTOR, nullable=False),
    sa.Column("facets", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Index("ix_exchange_entry_index_title_terms", "title_terms", postgresql_using="gin"),
    sa.Index("ix_exchange_entry_index_terms", "terms", postgresql_using="gin"),
    sa.Index("ix_exchange_entry_index_modified_at", "modified_at", "entry_id"),
)  # fmt: skip
_I = index_table.c

_WRITE = sa.text("""
    INSERT INTO exchange_entry_index AS i
        (entry_id, modified_at, titles, title_terms, terms, facets)
    SELECT :entry_id, :modified_at, :titles, t.terms,
        t.terms || setweight(to_tsvector('english', :latin), 'D')
            || CAST(:pairs AS tsvector) || CAST(:lexemes AS tsvector), CAST(:facets AS text[])
    FROM (SELECT setweight(to_tsvector('english', :title_latin), 'A')
        || CAST(:title_pairs AS tsvector) AS terms) t
    ON CONFLICT (entry_id) DO UPDATE SET modified_at = excluded.modified_at,
        titles = excluded.titles, title_terms = excluded.title_terms, terms = excluded.terms,
        facets = excluded.facets
""")

#: Those that have all words in their title: the phrase first, then how much of the title it is.
_TITLED = """
    SELECT entry_id, score, modified_at FROM (
        SELECT entry_id, modified_at, round((1
            + CASE WHEN position(:phrase IN titles) > 0 THEN 1 ELSE 0 END
            + ts_rank(title_terms, CAST(:said AS tsquery), 1))::numeric, 6) AS score
        FROM (SELECT entry_id, titles, title_terms, modified_at FROM exchange_entry_index
            WHERE title_terms @@ CAST(:said AS tsquery) {and_filter}
            ORDER BY modified_at DESC, entry_id DESC LIMIT :candidates) found
    ) scored
    {after} ORDER BY score DESC, modified_at DESC, entry_id DESC LIMIT :limit
"""
#: Those that have some of them elsewhere, the latest first; their words are not looked at again,
#: which would be most of the cost.
_OTHERS = """
    SELECT entry_id, 0::numeric AS score, modified_at FROM exchange_entry_index
    WHERE terms @@ CAST(:whole AS tsquery) AND NOT title_terms @@ CAST(:said AS tsquery) {after}
    ORDER BY modified_at DESC, entry_id DESC LIMIT :limit
"""

_STEM = sa.text("""
    SELECT word, CAST(plainto_tsquery('english', word) AS text) AS said
    FROM unnest(CAST(:words AS text[])) AS word
""")
_COUNT = """
    SELECT facet, count(*) AS n FROM
        (SELECT facets FROM exchange_entry_index {where} LIMIT :counted) found,
        unnest(facets) AS facet
    GROUP BY facet
"""
#: Nobody needs the number of all, but of the whole directory.
_ALL = 10_000_000


def index_rows(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """What the index has of those that everybody finds."""
    return [_row(one, one.shown) for one in entries if one.state.shown and one.shown is not None]


def write_index(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let them be found."""
    if rows:
        database.execute(_WRITE, rows)


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
        "lexemes": " ".join(words.quoted(one) for one in facets), "facets": facets,
    }  # fmt: skip


class Reader(Protocol):
    """Turns ids into entries."""

    def known(self, entry_ids: Collection[str]) -> Mapping[str, Entry]:
        """These, by id."""
        ...


class PostgresIndex:
    """Finds entries.

    Args:
        read: turns ids into entries, in their order.
    """

    def __init__(self, database: Database, read: Reader) -> None:
        self._db = database
        self._read = read
        self._stems: dict[str, str] = {}

    def find(self, query: Query, page: PageRequest) -> Page[Entry]:
        """Those that fit."""
        said, chosen = self._said(query.words), words.filtering(query.chosen)
        by_score = bool(said) and query.order is Order.RELEVANCE
        after = page.key(3 if by_score else 2)
        if by_score:
            rows = self._best(query, said, chosen, after, page.limit + 1)
        else:
            rows = self._latest(_both(said, chosen), after, page.limit + 1)
        cut: Page[tuple[str, ...]] = page_of(rows, page, lambda one: one)
        there = self._read.known([row[-1] for row in cut.items])
        return Page(tuple(there[row[-1]] for row in cut.items if row[-1] in there), cut.next)

    def _best(
        self, query: Query, said: str, chosen: str, after: tuple[str, ...] | None, limit: int
    ) -> list[tuple[str, ...]]:
        """Score, time and id: those with all words in their title, then the others."""
        given: dict[str, Any] = {"said": said}
        titled: list[tuple[str, ...]] = []
        place = ""
        if after is not None:
            given |= {"score": _number(after[0]), "at": _at(after[1]), "last": after[2]}
        if after is None or given["score"] != "0":
            asked = {
                **given, "candidates": CANDIDATES, "limit": limit,
                "phrase": words.folded(query.words).strip(),
            }  # fmt: skip
            and_filter = ""
            if chosen:
                and_filter, asked["chosen"] = "AND terms @@ CAST(:chosen AS tsquery)", chosen
            if after is not None:
                place = (
                    "WHERE (score, modified_at, entry_id) < (CAST(:score AS numeric), :at, :last)"
                )
            titled = self._rows(_TITLED.format(and_filter=and_filter, after=place), asked)
            if len(titled) >= limit:
                return titled
            place = ""
        elif after is not None:
            place = "AND (modified_at, entry_id) < (:at, :last)"
        asked = {**given, "whole": _both(said, chosen), "limit": limit - len(titled)}
        if not place:
            asked = {name: asked[name] for name in ("said", "whole", "limit")}
        else:
            asked.pop("score")
        return titled + self._rows(_OTHERS.format(after=place), asked)

    def _rows(self, statement: str, given: Mapping[str, Any]) -> list[tuple[str, ...]]:
        rows = self._db.execute(sa.text(statement), given)
        return [
            (
                str(row.score.normalize()) if row.score else "0",
                row.modified_at.isoformat(),
                row.entry_id,
            )
            for row in rows
        ]

    def _latest(
        self, wanted: str, after: tuple[str, ...] | None, limit: int
    ) -> list[tuple[str, ...]]:
        statement = sa.select(_I.entry_id, _I.modified_at)
        if wanted:
            statement = statement.where(_I.terms.op("@@")(sa.cast(wanted, postgresql.TSQUERY)))
        if after is not None:
            last = sa.tuple_(sa.literal(_at(after[0])), sa.literal(after[1]))
            statement = statement.where(sa.tuple_(_I.modified_at, _I.entry_id) < last)
        statement = statement.order_by(_I.modified_at.desc(), _I.entry_id.desc())
        rows = self._db.execute(statement.limit(limit))
        return [(row.modified_at.isoformat(), row.entry_id) for row in rows]

    def count(self, query: Query) -> Counts:
        """How many fit, and of what they are."""
        wanted = _both(self._said(query.words), words.filtering(query.chosen))
        given: dict[str, Any] = {"counted": COUNTED if wanted else _ALL}
        where = ""
        if wanted:
            where, given["wanted"] = "WHERE terms @@ CAST(:wanted AS tsquery)", wanted
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in FACETS}
        for row in self._db.execute(sa.text(_COUNT.format(where=where)), given):
            name, _, value = row.facet.partition(":")
            found[name].append((value, row.n))
        total = sum(n for _, n in found["kind"])
        facets = {
            name: sorted(values, key=lambda one: (-one[1], one[0]))[:_PER_FACET]
            for name, values in found.items()
        }
        return Counts(total, total < given["counted"], facets)

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
