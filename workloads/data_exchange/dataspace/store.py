"""The tables of the dataspace."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.agreements.ask import AskedField, AskedRows
from workloads.data_exchange.agreements.terms import Operator
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import (
    Given,
    Offer,
    Participant,
    Plan,
    Process,
    Reaction,
    Rule,
    Sending,
    SendingState,
)
from workloads.data_exchange.dataspace.policies import limits_of
from workloads.data_exchange.tables import metadata

_PATH = sa.Text(collation="C")
_MOMENT = sa.DateTime(timezone=True)


def _text(name: str, **more: Any) -> sa.Column[Any]:  # noqa: ANN401 - what a column takes
    return sa.Column(name, sa.Text, nullable=False, **more)


def _agency() -> sa.Column[Any]:
    return sa.Column("agency", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False)


participant_table = sa.Table(
    "exchange_dataspace_participant",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("agency", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False, unique=True),
    _text("address"),
    sa.Column("account", sa.Text, unique=True),
    sa.Column("created_at", _MOMENT, nullable=False),
)
offer_table = sa.Table(
    "exchange_dataspace_offer",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("target", sa.Text(collation="C"), nullable=False, index=True),
    _text("dataset"),
    _text("service"),
    _agency(),
    sa.Column("given", postgresql.JSONB, nullable=False),
    _text("legal_basis"),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("withdrawn_at", _MOMENT),
)
rule_table = sa.Table(
    "exchange_dataspace_rule",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    # A rule acts for one agency: nobody's rule is in the way of another's.
    sa.Column("agency", _PATH, sa.ForeignKey("exchange_agency.path"), primary_key=True),
    sa.Column("plan", postgresql.JSONB, nullable=False),
)
process_table = sa.Table(
    "exchange_dataspace_process",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    _text("kind"),
    _text("role"),
    sa.Column("peer", sa.Text, sa.ForeignKey("exchange_dataspace_participant.id"), nullable=False),
    _text("peer_pid"),
    _text("callback"),
    _agency(),
    _text("dataset"),
    _text("offer"),
    _text("agreement"),
    _text("format"),
    _text("state"),
    sa.Column("policy", postgresql.JSONB, nullable=False),
    sa.Column("mine", sa.Boolean, nullable=False),
    sa.Column("data", postgresql.JSONB, nullable=False),
    sa.Column("visits", postgresql.JSONB, nullable=False),
    _text("seen"),
    _text("error"),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("changed_at", _MOMENT, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    # Whoever sends the same first message twice makes one process of it.
    sa.Index(
        "ux_exchange_dataspace_process_peer", "kind", "role", "peer", "peer_pid", unique=True,
        postgresql_where=sa.text("peer_pid <> ''"),
    ),
    sa.Index("ix_exchange_dataspace_process_agency", "agency"),
)  # fmt: skip
sending_table = sa.Table(
    "exchange_dataspace_sending",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column(
        "process", sa.Text(collation="C"), sa.ForeignKey("exchange_dataspace_process.id"),
        nullable=False,
    ),
    sa.Column("number", sa.Integer, nullable=False),
    _text("act"),
    sa.Column("first", sa.Boolean, nullable=False),
    sa.Column("body", postgresql.JSONB, nullable=False),
    _text("state"),
    sa.Column("attempts", sa.Integer, nullable=False),
    _text("error"),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("due_at", _MOMENT, nullable=False),
    sa.Column("sent_at", _MOMENT),
    sa.UniqueConstraint("process", "number"),
    sa.Index(
        "ix_exchange_dataspace_sending_due", "due_at",
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)  # fmt: skip

_P, _O, _R = participant_table.c, offer_table.c, rule_table.c
_X, _S = process_table.c, sending_table.c


class PostgresDataspace:
    """Keeps them."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- participants

    def put_participant(self, participant: Participant) -> None:
        """Keep one, new or changed."""
        values = {**asdict(participant), "account": participant.account or None}
        changed = {name: values[name] for name in ("agency", "address", "account")}
        self._db.execute(
            postgresql.insert(participant_table)
            .values(values)
            .on_conflict_do_update(index_elements=["id"], set_=changed)
        )

    def participant(self, participant: str) -> Participant | None:
        """By its identifier."""
        return self._participant(_P.id == participant)

    def of_agency(self, path: str) -> Participant | None:
        """The one that stands for an agency."""
        return self._participant(_P.agency == path)

    def of_account(self, account: str) -> Participant | None:
        """The one that signs in so."""
        return self._participant(_P.account == account)

    def _participant(self, condition: sa.ColumnElement[bool]) -> Participant | None:
        row = self._db.execute(sa.select(participant_table).where(condition)).one_or_none()
        return None if row is None else _participant(row)

    def participants(self) -> Sequence[Participant]:
        """All, by identifier."""
        rows = self._db.execute(sa.select(participant_table).order_by(_P.id))
        return [_participant(row) for row in rows]

    # --- offers

    def put_offer(self, offer: Offer) -> None:
        """Keep one, new or changed."""
        values = {**_plain(offer), "given": _given_json(offer.given)}
        self._db.execute(
            postgresql.insert(offer_table)
            .values(values)
            .on_conflict_do_update(index_elements=["id"], set_=values)
        )

    def offer(self, offer: str) -> Offer | None:
        """By its id."""
        row = self._db.execute(sa.select(offer_table).where(_O.id == offer)).one_or_none()
        return None if row is None else _offer(row)

    def offers_of(self, target: str) -> Sequence[Offer]:
        """Those of a data set that count, by id."""
        query = sa.select(offer_table).where(_O.target == target, _O.withdrawn_at.is_(None))
        return [_offer(row) for row in self._db.execute(query.order_by(_O.id))]

    def targets(self, after: str, limit: int) -> Sequence[str]:
        """Identifiers of data sets with offers that count, in order, after one."""
        query = sa.select(_O.target).distinct().where(_O.withdrawn_at.is_(None), _O.target > after)
        return self._db.execute(query.order_by(_O.target).limit(limit)).scalars().all()

    def before(self, target: str, limit: int) -> Sequence[str]:
        """The same, backwards from one."""
        query = sa.select(_O.target).distinct().where(_O.withdrawn_at.is_(None), _O.target < target)
        return self._db.execute(query.order_by(_O.target.desc()).limit(limit)).scalars().all()

    def offers(self, paths: Sequence[str], request: PageRequest) -> Page[Offer]:
        """Those of agencies at or below any of the paths, by id."""
        query = sa.select(offer_table).where(within(_O.agency, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(_O.id > after[0])
        rows = self._db.execute(query.order_by(_O.id).limit(request.limit + 1))
        return page_of([_offer(row) for row in rows], request, lambda one: (one.id,))

    # --- rules

    def put_rule(self, rule: Rule) -> None:
        """Keep one; with an empty plan it is taken away."""
        key = self._rule(rule.kind, rule.role, rule.subject, rule.agency)
        self._db.execute(rule_table.delete().where(*key))
        if rule.plan:
            self._db.execute(
                rule_table.insert().values(
                    kind=rule.kind.value, role=rule.role.value, subject=rule.subject,
                    agency=rule.agency, plan=plan_json(rule.plan),
                )
            )  # fmt: skip

    def rule(self, kind: ProcessKind, role: Role, subject: str, agency: str) -> Rule | None:
        """What is done without a person."""
        query = sa.select(rule_table).where(*self._rule(kind, role, subject, agency))
        row = self._db.execute(query).one_or_none()
        if row is None:
            return None
        return Rule(
            ProcessKind(row.kind), Role(row.role), row.subject, row.agency, plan_of(row.plan)
        )

    @staticmethod
    def _rule(
        kind: ProcessKind, role: Role, subject: str, agency: str
    ) -> tuple[sa.ColumnElement[bool], ...]:
        return _R.kind == kind, _R.role == role, _R.subject == subject, _R.agency == agency

    # --- processes

    def add(self, process: Process) -> None:
        """Keep a new one."""
        self._db.execute(process_table.insert().values(_plain(process)))

    def find(self, process: str, *, hold: bool = False) -> Process | None:
        """By our id."""
        query = sa.select(process_table).where(_X.id == process)
        row = self._db.execute(query.with_for_update() if hold else query).one_or_none()
        return None if row is None else _process(row)

    def by_peer(self, kind: ProcessKind, role: Role, peer: str, peer_pid: str) -> Process | None:
        """By the other side's identifier, held."""
        query = sa.select(process_table).where(
            _X.kind == kind, _X.role == role, _X.peer == peer, _X.peer_pid == peer_pid
        )
        row = self._db.execute(query.with_for_update()).one_or_none()
        return None if row is None else _process(row)

    def agreed_at(self, peer: str, agreement: str) -> str:
        """The base to which our messages went when an agreement was negotiated; else empty."""
        query = sa.select(_X.callback).where(
            _X.kind == ProcessKind.NEGOTIATION, _X.role == Role.CONSUMER, _X.peer == peer,
            _X.agreement == agreement,
        )  # fmt: skip
        return self._db.execute(query.order_by(_X.created_at.desc()).limit(1)).scalar() or ""

    def update(self, process: Process) -> None:
        """Keep what changed."""
        self._db.execute(process_table.update().where(_X.id == process.id).values(_plain(process)))

    def list(
        self,
        paths: Sequence[str],
        kind: ProcessKind | None,
        state: ProcessState | None,
        request: PageRequest,
    ) -> Page[Process]:
        """Those of agencies at or below any of the paths, newest first."""
        query = sa.select(process_table).where(within(_X.agency, paths))
        if kind is not None:
            query = query.where(_X.kind == kind)
        if state is not None:
            query = query.where(_X.state == state)
        after = request.key(2)
        if after is not None:
            at = datetime.fromisoformat(after[0])
            query = query.where(sa.tuple_(_X.created_at, _X.id) < sa.tuple_(at, after[1]))
        rows = self._db.execute(
            query.order_by(_X.created_at.desc(), _X.id.desc()).limit(request.limit + 1)
        )
        return page_of(
            [_process(row) for row in rows],
            request,
            lambda one: (one.created_at.isoformat(), one.id),
        )

    # --- messages

    def send(self, sending: Sending) -> None:
        """Keep a message that waits."""
        self._db.execute(sending_table.insert().values(_plain(sending)))

    def sendings(self, process: str) -> Sequence[Sending]:
        """The messages of a process, in order."""
        query = sa.select(sending_table).where(_S.process == process).order_by(_S.number)
        return [_sending(row) for row in self._db.execute(query)]

    def drop(self, process: str) -> None:
        """Send none of the messages that still wait."""
        self._db.execute(
            sending_table.update()
            .where(_S.process == process, _S.state == SendingState.WAITING)
            .values(state=SendingState.DROPPED.value)
        )

    def claim(self, now: datetime, until: datetime) -> Sending | None:
        """The next message that is due and the first of its process, put off until a moment."""
        earlier = sending_table.alias()
        query = (
            sa.select(sending_table)
            .where(
                _S.state == SendingState.WAITING,
                _S.due_at <= now,
                ~sa.exists().where(
                    earlier.c.process == _S.process,
                    earlier.c.number < _S.number,
                    earlier.c.state == SendingState.WAITING,
                ),
            )
            .order_by(_S.due_at, _S.created_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = self._db.execute(query).one_or_none()
        if row is None:
            return None
        taken = replace(_sending(row), due_at=until, attempts=row.attempts + 1)
        self.sent(taken)
        return taken

    def sent(self, sending: Sending) -> None:
        """Keep what became of one."""
        self._db.execute(sending_table.update().where(_S.id == sending.id).values(_plain(sending)))


def plan_json(plan: Plan) -> dict[str, list[str]]:
    """As it is kept and sent."""
    return {state.value: [one.value for one in steps] for state, steps in plan.items()}


def plan_of(data: dict[str, list[str]]) -> Plan:
    """As it was kept."""
    return {
        ProcessState(state): tuple(Reaction(one) for one in steps) for state, steps in data.items()
    }


def _plain(thing: Process | Offer | Sending) -> dict[str, Any]:
    return {
        name: getattr(thing, name)
        for name in (column.name for column in _TABLES[type(thing)].columns)
    }


def _given_json(given: Given) -> dict[str, Any]:
    return {
        "purposes": sorted(given.purposes),
        "fields": [asdict(one) for one in given.fields],
        "rows": [
            {"name": one.name, "operator": one.operator.value, "values": list(one.values)}
            for one in given.rows
        ],
        "limits": asdict(given.limits),
        "days": given.days,
    }


def _given(data: dict[str, Any]) -> Given:
    return Given(
        frozenset(data["purposes"]),
        tuple(AskedField(**one) for one in data["fields"]),
        tuple(
            AskedRows(one["name"], Operator(one["operator"]), tuple(one["values"]))
            for one in data["rows"]
        ),
        limits_of(data["limits"]),
        data["days"],
    )


def _participant(row: sa.Row[Any]) -> Participant:
    return Participant(row.id, row.agency, row.address, row.account or "", row.created_at)


def _offer(row: sa.Row[Any]) -> Offer:
    return Offer(
        row.id, row.target, row.dataset, row.service, row.agency, _given(row.given),
        row.legal_basis, row.created_at, row.withdrawn_at,
    )  # fmt: skip


def _process(row: sa.Row[Any]) -> Process:
    kept = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Process(
        **{
            **kept, "kind": ProcessKind(row.kind), "role": Role(row.role),
            "state": ProcessState(row.state),
        }
    )  # fmt: skip


def _sending(row: sa.Row[Any]) -> Sending:
    kept = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Sending(**{**kept, "act": ProcessAct(row.act), "state": SendingState(row.state)})


_TABLES: dict[type, sa.Table] = {
    Process: process_table, Offer: offer_table, Sending: sending_table,
}  # fmt: skip
