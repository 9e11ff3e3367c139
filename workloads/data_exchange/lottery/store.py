"""The tables of lotteries."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.lottery.draw import Entry
from workloads.data_exchange.lottery.model import (
    AWAITING,
    Application,
    Lottery,
    LotteryId,
    LotteryState,
    Standing,
    Word,
)
from workloads.data_exchange.lottery.ports import Hold
from workloads.data_exchange.tables import metadata

lottery_table = sa.Table(
    "exchange_lottery",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("rules", postgresql.JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("reveal_until", sa.DateTime(timezone=True)),
    sa.Column("opening", sa.Text, nullable=False),
    sa.Column("frozen", sa.Text, nullable=False),
    sa.Column("voids", postgresql.JSONB, nullable=False),
    sa.Column("beacon", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("ix_exchange_lottery_state", "state", "reveal_until"),
)
word_table = sa.Table(
    "exchange_lottery_word",
    metadata,
    sa.Column("lottery", sa.ForeignKey(lottery_table.c.id), primary_key=True),
    sa.Column("round", sa.Integer, primary_key=True),
    sa.Column("party", sa.Text(collation="C"), primary_key=True),
    sa.Column("commitment", sa.Text, nullable=False),
    sa.Column("reveal", sa.Text, nullable=False, server_default=""),
)
application_table = sa.Table(
    "exchange_lottery_application",
    metadata,
    sa.Column("lottery", sa.ForeignKey(lottery_table.c.id), primary_key=True),
    sa.Column("pseudonym", sa.Text(collation="C"), primary_key=True),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("chances", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("standing", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("judged_by", sa.Text, nullable=False),
    sa.Column("check_id", sa.Text, nullable=False, server_default=""),
    sa.Index(
        "exchange_lottery_application_check",
        "check_id",
        postgresql_where=sa.text("check_id <> ''"),
    ),
)
_L, _W, _A = lottery_table.c, word_table.c, application_table.c


class PostgresLotteries:
    """Keeps lotteries."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, lottery: Lottery) -> None:
        """Keep a new one."""
        self._db.execute(lottery_table.insert().values(**_row(lottery)))

    def find(self, lottery_id: str, hold: Hold | None = None) -> Lottery | None:
        """By its id, held until the transaction ends if wanted."""
        query = sa.select(lottery_table).where(_L.id == lottery_id)
        if hold is not None:
            query = query.with_for_update(read=hold is Hold.SHARED)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _lottery(row)

    def save(self, lottery: Lottery) -> None:
        """Keep all that may change of it."""
        self._db.execute(lottery_table.update().where(_L.id == lottery.id).values(**_row(lottery)))

    def list(self, drafts_of: Sequence[str], request: PageRequest) -> Page[Lottery]:
        """All, newest first; drafts only below these paths."""
        shown = sa.or_(_L.state != LotteryState.DRAFT.value, within(_L.path, drafts_of))
        query = sa.select(lottery_table).where(shown)
        after = request.key(1)
        if after is not None:
            query = query.where(_L.id < after[0])
        rows = self._db.execute(query.order_by(_L.id.desc()).limit(request.limit + 1))
        return page_of([_lottery(row) for row in rows], request, lambda one: (one.id,))

    def overdue(self, now: datetime) -> Sequence[LotteryId]:
        """Those whose parties should have revealed by now."""
        awaiting = _L.state.in_([one.value for one in AWAITING])
        query = sa.select(_L.id).where(awaiting, _L.reveal_until <= now).order_by(_L.id)
        return [LotteryId(one) for one in self._db.execute(query).scalars()]

    def words(self, lottery: Lottery) -> Sequence[Word]:
        """What the parties handed in for the round that runs, by path."""
        query = sa.select(word_table).where(_W.lottery == lottery.id, _W.round == lottery.round)
        rows = self._db.execute(query.order_by(_W.party))
        return [Word(row.party, row.commitment, row.reveal) for row in rows]

    def commit(self, lottery: Lottery, party: str, commitment: str) -> None:
        """Keep a commitment."""
        self._db.execute(
            word_table.insert().values(
                lottery=lottery.id, round=lottery.round, party=party, commitment=commitment
            )
        )

    def reveal(self, lottery: Lottery, party: str, reveal: str) -> None:
        """Keep a reveal."""
        self._db.execute(
            word_table.update()
            .where(_W.lottery == lottery.id, _W.round == lottery.round, _W.party == party)
            .values(reveal=reveal)
        )

    def apply(self, application: Application) -> bool:
        """Keep an application; False when there is one of this pseudonym."""
        made = self._db.execute(
            postgresql.insert(application_table)
            .values(
                lottery=application.lottery, pseudonym=application.pseudonym,
                pool=application.pool, chances=application.chances, at=application.at,
                standing=application.standing.value, reason=application.reason,
                judged_by=application.judged_by,
            )
            .on_conflict_do_nothing()
            .returning(_A.pseudonym)
        ).first()  # fmt: skip
        return made is not None

    def application(self, lottery_id: str, pseudonym: str) -> Application | None:
        """One application."""
        query = sa.select(application_table).where(
            _A.lottery == lottery_id, _A.pseudonym == pseudonym
        )
        row = self._db.execute(query).one_or_none()
        return None if row is None else _application(row)

    def applications(
        self, lottery_id: str, standing: Standing | None, request: PageRequest
    ) -> Page[Application]:
        """Those of a lottery, by pseudonym."""
        query = sa.select(application_table).where(_A.lottery == lottery_id)
        if standing is not None:
            query = query.where(_A.standing == standing.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_A.pseudonym > after[0])
        rows = self._db.execute(query.order_by(_A.pseudonym).limit(request.limit + 1))
        return page_of([_application(r) for r in rows], request, lambda one: (one.pseudonym,))

    def judge(self, application: Application) -> None:
        """Keep what became of it, and by which check it is judged."""
        self._db.execute(
            application_table.update()
            .where(_A.lottery == application.lottery, _A.pseudonym == application.pseudonym)
            .values(
                standing=application.standing.value, reason=application.reason,
                judged_by=application.judged_by, check_id=application.check,
            )
        )  # fmt: skip

    def of_check(self, check: str) -> Application | None:
        """The application that is judged by a check."""
        query = sa.select(application_table).where(_A.check_id == check, _A.check_id != "")
        row = self._db.execute(query).one_or_none()
        return None if row is None else _application(row)

    def count(self, lottery_id: str) -> Mapping[Standing, int]:
        """How many there are of each standing."""
        query = sa.select(_A.standing, sa.func.count().label("number")).where(
            _A.lottery == lottery_id
        )
        rows = self._db.execute(query.group_by(_A.standing))
        found = {Standing(row.standing): int(row.number) for row in rows}
        return {one: found.get(one, 0) for one in Standing}

    def entries(self, lottery_id: str) -> Iterator[Entry]:
        """The lines of those that qualified, by pseudonym."""
        query = sa.select(_A.pseudonym, _A.pool, _A.chances).where(
            _A.lottery == lottery_id, _A.standing == Standing.QUALIFIED.value
        )
        for row in self._db.execute(query.order_by(_A.pseudonym)):
            yield Entry(row.pseudonym, row.pool, row.chances)


def _row(one: Lottery) -> dict[str, Any]:
    return {
        "id": one.id, "path": one.path, "rules": one.rules, "state": one.state.value,
        "sealed": one.sealed, "created_at": one.created_at, "round": one.round,
        "reveal_until": one.reveal_until, "opening": one.opening, "frozen": one.frozen,
        "voids": list(one.voids), "beacon": one.beacon, "result": one.result,
        "reason": one.reason,
    }  # fmt: skip


def _lottery(row: sa.Row[Any]) -> Lottery:
    return Lottery(
        LotteryId(row.id), row.path, row.rules, LotteryState(row.state), row.sealed, row.created_at,
        row.round, row.reveal_until, row.opening, row.frozen, tuple(row.voids), row.beacon,
        row.result, row.reason,
    )  # fmt: skip


def _application(row: sa.Row[Any]) -> Application:
    return Application(
        LotteryId(row.lottery), row.pseudonym, row.pool, row.chances, row.at,
        Standing(row.standing), row.reason, row.judged_by, row.check_id,
    )  # fmt: skip
