"""The tables of requests and their steps."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.actor import PrincipalId
from foundation.kernel.database import Database, on_create, only_added, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant
from workloads.data_exchange.agreements import ask
from workloads.data_exchange.agreements.requests.model import (
    WAITS_FOR,
    Act,
    Request,
    RequestId,
    RequestState,
    Side,
    Step,
)
from workloads.data_exchange.agreements.requests.ports import RequestQuery
from workloads.data_exchange.tables import metadata

_PATH = sa.Text(collation="C")
_MOMENT = sa.DateTime(timezone=True)

request_table = sa.Table(
    "exchange_request",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("consumer", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False),
    sa.Column("provider", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False),
    sa.Column("arbiter", _PATH, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("ask", postgresql.JSONB, nullable=False),
    sa.Column("offer", postgresql.JSONB(none_as_null=True)),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("justification", sa.Text, nullable=False),
    sa.Column("amends", sa.Text, nullable=False),
    sa.Column("agreement", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", _MOMENT, nullable=False),
    sa.Column("days", sa.Integer, nullable=False),
    sa.Column("due_at", _MOMENT),
    sa.Column("refused_by", sa.Text),
    sa.Column("review_days", sa.Integer),
    sa.Column("escalated_at", _MOMENT),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("ix_exchange_request_due", "due_at", "id"),
    sa.Index("ix_exchange_request_consumer", "consumer"),
    sa.Index("ix_exchange_request_provider", "provider"),
)

step_table = sa.Table(
    "exchange_request_step",
    metadata,
    sa.Column("request", sa.Text, sa.ForeignKey("exchange_request.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("act", sa.Text, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("offer", postgresql.JSONB(none_as_null=True)),
    sa.Column("late", sa.Boolean, nullable=False),
)
on_create(
    step_table,
    "CREATE FUNCTION exchange_request_step_kept() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'steps of requests are only added'; END $$",
)
on_create(step_table, only_added("exchange_request_step", "exchange_request_step_kept"))

_R, _S = request_table.c, step_table.c
#: Sorts those that wait for nothing behind all others.
_NEVER = "infinity"
_FAR = sa.cast(sa.literal_column("'infinity'"), _MOMENT)
_DUE = sa.func.coalesce(_R.due_at, _FAR)
#: By which column a side is found.
_OF: dict[Side, sa.Column[Any]] = {
    Side.CONSUMER: _R.consumer, Side.COMPLIANCE: _R.consumer, Side.PROVIDER: _R.provider,
    Side.ARBITER: _R.arbiter,
}  # fmt: skip


class PostgresRequests:
    """Keeps requests."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, request: Request) -> None:
        """Keep a new one."""
        self._db.execute(request_table.insert().values(id=request.id, **_kept(request)))

    def find(self, request: str, *, hold: bool = False) -> Request | None:
        """By id."""
        query = sa.select(request_table).where(_R.id == request)
        row = self._db.execute(query.with_for_update() if hold else query).one_or_none()
        return None if row is None else _request(row)

    def update(self, request: Request) -> None:
        """Keep what changed."""
        self._db.execute(request_table.update().where(_R.id == request.id).values(**_kept(request)))

    def list(
        self, paths: Sequence[str], query: RequestQuery, request: PageRequest
    ) -> Page[Request]:
        """The next due first."""
        chosen = sa.select(request_table).where(
            sa.or_(within(_R.consumer, paths), within(_R.provider, paths))
        )
        if query.states:
            chosen = chosen.where(_R.state.in_(query.states))
        if query.consumer:
            chosen = chosen.where(within(_R.consumer, (query.consumer,)))
        if query.provider:
            chosen = chosen.where(within(_R.provider, (query.provider,)))
        if query.overdue_at is not None:
            chosen = chosen.where(_R.due_at <= query.overdue_at)
        if query.turns is not None:
            chosen = chosen.where(sa.or_(sa.false(), *(_turn(*one) for one in query.turns)))
        after = request.key(2)
        if after is not None:
            due = _FAR if after[0] == _NEVER else sa.literal(parse_instant(after[0], "cursor"))
            later = sa.tuple_(_DUE, _R.id)
            chosen = chosen.where(later > sa.tuple_(due, sa.literal(after[1])))
        rows = self._db.execute(chosen.order_by(_DUE, _R.id).limit(request.limit + 1))
        return page_of([_request(row) for row in rows], request, _key)

    def note(self, step: Step) -> None:
        """Keep a step."""
        self._db.execute(
            step_table.insert().values(
                request=step.request, number=step.number, at=step.at, actor=step.actor,
                name=step.name, side=step.side, act=step.act, before=step.before,
                after=step.after, text=step.text, late=step.late,
                offer=None if step.offer is None else step.offer.as_json(),
            )
        )  # fmt: skip

    def steps(self, request: str) -> Sequence[Step]:
        """What was done, in order."""
        query = sa.select(step_table).where(_S.request == request).order_by(_S.number)
        return [
            Step(
                RequestId(r.request), r.number, r.at, PrincipalId(r.actor), r.name, Side(r.side),
                Act(r.act), RequestState(r.before), RequestState(r.after), r.text,
                None if r.offer is None else ask.read(r.offer), r.late,
            )
            for r in self._db.execute(query)
        ]  # fmt: skip

    def late(self, now: datetime, limit: int) -> Sequence[str]:
        """Whose due date has passed, untold."""
        query = sa.select(_R.id).where(_R.due_at <= now, _R.escalated_at.is_(None))
        return self._db.execute(query.order_by(_R.due_at).limit(limit)).scalars().all()

    def waiting(self) -> Iterable[Request]:
        """All that have a due date, held."""
        query = sa.select(request_table).where(_R.due_at.is_not(None)).order_by(_R.id)
        return [_request(row) for row in self._db.execute(query.with_for_update())]


def _turn(side: Side, paths: tuple[str, ...]) -> sa.ColumnElement[bool]:
    states = [state for state, waits in WAITS_FOR.items() if waits is side]
    return sa.and_(_R.state.in_(states), within(_OF[side], paths))


def _key(request: Request) -> tuple[str, str]:
    due = _NEVER if request.due_at is None else format_instant(request.due_at)
    return due, request.id


def _kept(request: Request) -> dict[str, Any]:
    return {
        "consumer": request.consumer, "provider": request.provider, "arbiter": request.arbiter,
        "dataset": request.dataset, "service": request.service, "ask": request.ask.as_json(),
        "offer": None if request.offer is None else request.offer.as_json(),
        "legal_basis": request.legal_basis, "justification": request.justification,
        "amends": request.amends, "agreement": request.agreement, "state": request.state,
        "since": request.since, "days": request.days, "due_at": request.due_at,
        "refused_by": request.refused_by, "review_days": request.review_days,
        "escalated_at": request.escalated_at, "created_at": request.created_at,
        "version": request.version,
    }  # fmt: skip


def _request(row: sa.Row[Any]) -> Request:
    return Request(
        RequestId(row.id), row.consumer, row.provider, row.dataset, row.service,
        ask.read(row.ask), row.legal_basis, row.justification, row.created_at,
        RequestState(row.state),
        row.since, row.days, row.due_at, row.amends,
        None if row.offer is None else ask.read(row.offer), row.agreement,
        None if row.refused_by is None else Side(row.refused_by), row.review_days,
        row.escalated_at, row.version,
    )  # fmt: skip
