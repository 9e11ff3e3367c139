"""The tables of checks. No answer of a provider is in any of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    Connection,
    Consent,
    ConsentState,
    Question,
    QuestionState,
    Scenario,
    Verdict,
    Why,
    read,
)
from workloads.data_exchange.checks.ports import Claimed
from workloads.data_exchange.tables import metadata

_AT = sa.DateTime(timezone=True)
scenario_table = sa.Table(
    "exchange_scenario",
    metadata,
    sa.Column("name", sa.Text(collation="C"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("data", postgresql.JSONB, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
)
check_table = sa.Table(
    "exchange_check",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("scenario", sa.Text(collation="C"), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reasons", postgresql.JSONB, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
    sa.Column("limit_at", _AT, nullable=False),
    sa.ForeignKeyConstraint(
        ["scenario", "version"], ["exchange_scenario.name", "exchange_scenario.version"]
    ),
    sa.Index("exchange_check_open", "limit_at", postgresql_where=sa.text("state = 'asking'")),
    sa.Index(
        "exchange_check_consenting", "limit_at", postgresql_where=sa.text("state = 'consent'")
    ),
)
consent_table = sa.Table(
    "exchange_check_consent",
    metadata,
    sa.Column("check_id", sa.ForeignKey("exchange_check.id"), primary_key=True),
    sa.Column("person", sa.Integer, primary_key=True),
    sa.Column("token", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("decided_at", _AT),
    sa.Column("statement", postgresql.JSONB, nullable=False, server_default="{}"),
)
question_table = sa.Table(
    "exchange_check_question",
    metadata,
    sa.Column("check_id", sa.ForeignKey("exchange_check.id"), primary_key=True),
    sa.Column("name", sa.Text(collation="C"), primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("findings", postgresql.JSONB, nullable=False),
    sa.Column("receipt", sa.Text, nullable=False, server_default=""),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", _AT, nullable=False),
    sa.Column("answered_at", _AT),
    sa.Column("provider", sa.Text, nullable=False, server_default=""),
    sa.Column("round", sa.Integer, nullable=False, server_default="1"),
    sa.Column("why", sa.Text, nullable=False, server_default=""),
    sa.Index("exchange_check_question_due", "due_at", postgresql_where=sa.text("state='waiting'")),
)
connection_table = sa.Table(
    "exchange_check_connection",
    metadata,
    sa.Column("name", sa.Text(collation="C"), primary_key=True),
    sa.Column("service", sa.Text(collation="C"), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)
_S, _C, _N, _Q = scenario_table.c, check_table.c, consent_table.c, question_table.c


class PostgresChecks:
    """Keeps scenarios and checks."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def scenario(self, name: str, version: int | None = None) -> Scenario | None:
        """One version, or the newest."""
        query = sa.select(scenario_table).where(_S.name == name)
        if version is not None:
            query = query.where(_S.version == version)
        row = self._db.execute(query.order_by(_S.version.desc()).limit(1)).one_or_none()
        return None if row is None else read(row.data, row.version)

    def scenarios(self) -> Sequence[Scenario]:
        """The newest version of each, by name."""
        newest = postgresql.distinct_on(_S.name)
        query = sa.select(scenario_table).ext(newest).order_by(_S.name, _S.version.desc())
        return [read(row.data, row.version) for row in self._db.execute(query)]

    def add_scenario(self, scenario: Scenario, at: datetime) -> bool:
        """Keep a version; False when it is there."""
        made = self._db.execute(
            postgresql.insert(scenario_table)
            .values(name=scenario.name, version=scenario.version, data=scenario.data, created_at=at)
            .on_conflict_do_nothing()
            .returning(_S.version)
        ).first()
        return made is not None

    def add(self, check: Check, tokens: Sequence[str]) -> None:
        """Keep a new check with the digests of its consent links."""
        self._db.execute(
            check_table.insert().values(
                id=check.id, path=check.path, scenario=check.scenario, version=check.version,
                sealed=check.sealed, created_at=check.created_at, **_kept(check),
            )
        )  # fmt: skip
        self._db.execute(
            question_table.insert().values(
                [
                    {
                        "check_id": check.id, "name": one.name, "position": n,
                        "state": one.state.value, "findings": {}, "due_at": check.created_at,
                        "provider": one.provider,
                    }
                    for n, one in enumerate(check.questions)
                ]
            )
        )  # fmt: skip
        self._db.execute(
            consent_table.insert().values(
                [
                    {"check_id": check.id, "person": n, "token": token,
                     "state": ConsentState.WAITING.value}
                    for n, token in enumerate(tokens)
                ]
            )
        )  # fmt: skip

    def find(self, check_id: str, *, lock: bool = False) -> Check | None:
        """By id."""
        query = sa.select(check_table).where(_C.id == check_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        if row is None:
            return None
        asked = sa.select(question_table).where(_Q.check_id == check_id).order_by(_Q.position)
        let = sa.select(_N.state).where(_N.check_id == check_id).order_by(_N.person)
        return Check(
            row.id, row.path, row.scenario, row.version, row.sealed, CheckState(row.state),
            row.created_at, row.limit_at, Verdict(row.verdict), tuple(row.reasons),
            tuple(_question(one) for one in self._db.execute(asked)),
            tuple(ConsentState(one) for one in self._db.execute(let).scalars()),
        )  # fmt: skip

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Check]:
        """Those of agencies at or below any of the paths, newest first."""
        query = sa.select(_C.id).where(within(_C.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(_C.id < after[0])
        found = self._db.execute(query.order_by(_C.id.desc()).limit(request.limit + 1)).scalars()
        checks = [check for one in found.all() if (check := self.find(one))]
        return page_of(checks, request, lambda one: (one.id,))

    def by_token(self, digest: str) -> tuple[str, int] | None:
        """The check and the person of a consent link."""
        query = sa.select(_N.check_id, _N.person).where(_N.token == digest)
        row = self._db.execute(query).one_or_none()
        return None if row is None else (row.check_id, row.person)

    def consent(
        self, check_id: str, person: int, state: ConsentState, at: datetime,
        statement: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Note what somebody decided, and what they were shown."""
        self._db.execute(
            consent_table.update()
            .where(_N.check_id == check_id, _N.person == person)
            .values(state=state.value, decided_at=at, statement=dict(statement))
        )

    def consents(self, check_id: str) -> Sequence[Consent]:
        """What everybody decided, in the order of the persons."""
        query = sa.select(consent_table).where(_N.check_id == check_id).order_by(_N.person)
        return [
            Consent(row.person, ConsentState(row.state), row.decided_at, row.statement)
            for row in self._db.execute(query)
        ]

    def renew(self, check_id: str, person: int, digest: str) -> None:
        """Put another code in the place of a person's."""
        mine = consent_table.update().where(_N.check_id == check_id, _N.person == person)
        self._db.execute(mine.values(token=digest))

    def claim(self, now: datetime, limit: int) -> Sequence[Claimed]:
        """Take questions that are due; each is nobody else's until its lease is over."""
        query = (
            sa.select(_Q.check_id, _Q.name, _Q.attempt)
            .join(check_table, _C.id == _Q.check_id)
            .where(
                _Q.state == QuestionState.WAITING.value, _Q.due_at <= now,
                _C.state == CheckState.ASKING.value, _C.limit_at > now,
            )
            .order_by(_Q.due_at)
            .limit(limit)
            .with_for_update(of=question_table, skip_locked=True)
        )  # fmt: skip
        taken = []
        for row in self._db.execute(query).all():
            check = self.find(row.check_id)
            if check is not None:
                self._db.execute(
                    question_table.update()
                    .where(_Q.check_id == row.check_id, _Q.name == row.name)
                    .values(attempt=row.attempt + 1)
                )
                taken.append(Claimed(check, row.name, row.attempt + 1))
        return taken

    def lease(self, check_id: str, name: str, until: datetime) -> None:
        """Until when a question that was taken is this process's."""
        self._db.execute(
            question_table.update()
            .where(_Q.check_id == check_id, _Q.name == name)
            .values(due_at=until)
        )

    def answered(self, check_id: str, question: Question, attempt: int) -> bool:
        """Keep what was found; False when the question is no longer this attempt's."""
        done = self._db.execute(
            question_table.update()
            .where(
                _Q.check_id == check_id, _Q.name == question.name, _Q.attempt == attempt,
                _Q.state == QuestionState.WAITING.value,
            )
            .values(
                state=question.state.value, findings=dict(question.findings),
                receipt=question.receipt, answered_at=question.answered_at,
            )
            .returning(_Q.name)
        ).first()  # fmt: skip
        return done is not None

    def later(self, check_id: str, name: str, attempt: int, at: datetime, why: Why) -> None:
        """Ask again then; ``why`` there is no answer yet."""
        self._db.execute(
            question_table.update()
            .where(_Q.check_id == check_id, _Q.name == name, _Q.attempt == attempt)
            .values(due_at=at, why=why.value)
        )

    def again(self, check_id: str, name: str, at: datetime) -> None:
        """Begin the next round of a question: what was found and its receipt go."""
        self._db.execute(
            question_table.update()
            .where(_Q.check_id == check_id, _Q.name == name)
            .values(
                state=QuestionState.WAITING.value, findings={}, receipt="", answered_at=None,
                round=_Q.round + 1, due_at=at, why="",
            )
        )  # fmt: skip

    def update(self, check: Check) -> None:
        """Keep state, verdict, reasons and limit."""
        self._db.execute(check_table.update().where(_C.id == check.id).values(**_kept(check)))

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        """Checks that are past their limit and not done."""
        going = _C.state.in_([CheckState.ASKING.value, CheckState.CONSENT.value])
        query = sa.select(_C.id).where(going, _C.limit_at <= now)
        return list(self._db.execute(query.order_by(_C.limit_at).limit(limit)).scalars())

    def connections(self) -> Sequence[Connection]:
        """Who answers what, by name."""
        rows = self._db.execute(sa.select(connection_table).order_by(connection_table.c.name))
        return [Connection(row.name, row.service, row.path) for row in rows]

    def connect(self, connection: Connection) -> None:
        """Keep who answers something, in the place of whoever did."""
        told = {"service": connection.service, "path": connection.path}
        insert = postgresql.insert(connection_table).values(name=connection.name, **told)
        self._db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=told))


def _kept(check: Check) -> dict[str, Any]:
    return {
        "state": check.state.value, "verdict": check.verdict.value,
        "reasons": list(check.reasons), "limit_at": check.limit_at,
    }  # fmt: skip


def _question(row: sa.Row[Any]) -> Question:
    return Question(
        row.name, QuestionState(row.state), row.findings, row.receipt, row.attempt, row.answered_at,
        row.provider, row.round, row.why,
    )  # fmt: skip
