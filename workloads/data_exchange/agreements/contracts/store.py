"""The tables of agreements, versions and signatures."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from foundation.kernel import canonical
from foundation.kernel.actor import PrincipalId
from foundation.kernel.database import Database, on_create, only_added, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.agreements.contracts.model import (
    Agreement,
    AgreementId,
    AgreementState,
    Party,
    Signature,
    Version,
)
from workloads.data_exchange.agreements.contracts.ports import AgreementQuery
from workloads.data_exchange.tables import metadata

#: Gateways listen on it; its payload is the position of the change.
CHANNEL = "exchange_terms"
_PATH = sa.Text(collation="C")
_MOMENT = sa.DateTime(timezone=True)

agreement_table = sa.Table(
    "exchange_agreement",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("provider", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False),
    sa.Column("consumer", _PATH, sa.ForeignKey("exchange_agency.path"), nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("latest", sa.Integer, nullable=False),
    sa.Column("current", sa.Integer),
    sa.Column("begins", _MOMENT, nullable=False),
    sa.Column("ends", _MOMENT, nullable=False),
    sa.Column("revoked_at", _MOMENT),
    sa.Column("revoked_by", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("ended_told", sa.Boolean, nullable=False),
    sa.Index("ix_exchange_agreement_position", "position"),
    sa.Index("ix_exchange_agreement_provider", "provider"),
    sa.Index("ix_exchange_agreement_consumer", "consumer"),
)

version_table = sa.Table(
    "exchange_agreement_version",
    metadata,
    sa.Column("agreement", sa.Text, sa.ForeignKey("exchange_agreement.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("answers", sa.Text),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("created_at", _MOMENT, nullable=False),
    sa.Column("in_force_at", _MOMENT),
    sa.Column("record", sa.Text, nullable=False),
)

signature_table = sa.Table(
    "exchange_agreement_signature",
    metadata,
    sa.Column("agreement", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("party", sa.Text, primary_key=True),
    sa.Column("jws", sa.Text, nullable=False),
    sa.Column("kid", sa.Text(collation="C"), sa.ForeignKey("exchange_key.kid"), nullable=False),
    sa.Column("at", _MOMENT, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(
        ["agreement", "number"],
        ["exchange_agreement_version.agreement", "exchange_agreement_version.number"],
    ),
)
on_create(
    signature_table,
    "CREATE FUNCTION exchange_agreement_signature_kept() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'signatures are only added'; END $$",
)
on_create(
    signature_table,
    only_added("exchange_agreement_signature", "exchange_agreement_signature_kept"),
)

_A, _V, _S = agreement_table.c, version_table.c, signature_table.c


class PostgresAgreements:
    """Keeps agreements."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, agreement: Agreement) -> None:
        """Keep a new one."""
        self._db.execute(agreement_table.insert().values(id=agreement.id, **_kept(agreement)))

    def find(self, agreement: str, *, hold: bool = False) -> Agreement | None:
        """By id."""
        query = sa.select(agreement_table).where(_A.id == agreement)
        row = self._db.execute(query.with_for_update() if hold else query).one_or_none()
        return None if row is None else _agreement(row)

    def update(self, agreement: Agreement) -> None:
        """Keep what changed."""
        self._db.execute(
            agreement_table.update().where(_A.id == agreement.id).values(**_kept(agreement))
        )

    def list(
        self, paths: Sequence[str], query: AgreementQuery, request: PageRequest
    ) -> Page[Agreement]:
        """Newest first."""
        chosen = sa.select(agreement_table).where(
            sa.or_(within(_A.provider, paths), within(_A.consumer, paths))
        )
        if query.party:
            party = (query.party,)
            chosen = chosen.where(sa.or_(within(_A.provider, party), within(_A.consumer, party)))
        if query.state is not None:
            chosen = chosen.where(_in_state(query.state, query.at))
        after = request.key(1)
        if after is not None:
            chosen = chosen.where(_A.id < after[0])
        rows = self._db.execute(chosen.order_by(_A.id.desc()).limit(request.limit + 1))
        return page_of([_agreement(row) for row in rows], request, lambda one: (one.id,))

    def add_version(self, version: Version) -> None:
        """Keep a new version."""
        self._db.execute(
            version_table.insert().values(
                agreement=version.agreement, number=version.number, policy=version.policy,
                digest=version.digest, request=version.request, created_at=version.created_at,
                answers=None if version.answers is None else canonical.dumps(version.answers),
                record="",
            )
        )  # fmt: skip

    def version(self, agreement: str, number: int) -> Version | None:
        """One version with its signatures."""
        found = [one for one in self.versions(agreement) if one.number == number]
        return found[0] if found else None

    def versions(self, agreement: str) -> Sequence[Version]:
        """All, newest first."""
        signed: dict[int, dict[Party, Signature]] = {}
        for row in self._db.execute(sa.select(signature_table).where(_S.agreement == agreement)):
            one = _signature(row)
            signed.setdefault(row.number, {})[one.party] = one
        query = sa.select(version_table).where(_V.agreement == agreement)
        rows = self._db.execute(query.order_by(_V.number.desc()))
        return [_version(row, signed.get(row.number, {})) for row in rows]

    def sign(self, version: Version, signature: Signature) -> None:
        """Keep a signature of a version."""
        self._db.execute(
            signature_table.insert().values(
                agreement=version.agreement, number=version.number, party=signature.party,
                jws=signature.jws, kid=signature.kid, at=signature.at, by=signature.by,
                name=signature.name,
            )
        )  # fmt: skip

    def seal(self, version: Version) -> None:
        """Keep when it came into force, and the record of it."""
        self._db.execute(
            version_table.update()
            .where(_V.agreement == version.agreement, _V.number == version.number)
            .values(in_force_at=version.in_force_at, record=version.record)
        )

    def publish(self, agreement: Agreement) -> int:
        """Give a change the next position and wake those who listen when it commits."""
        # One at a time, so that nobody who read up to a position misses one below it.
        self._db.lock("exchange:terms")
        position = self.position() + 1
        self._db.execute(
            agreement_table.update().where(_A.id == agreement.id).values(position=position)
        )
        self._db.execute(sa.select(sa.func.pg_notify(CHANNEL, str(position))))
        return position

    def position(self) -> int:
        """The position of the last change of all."""
        query = sa.select(sa.func.coalesce(sa.func.max(_A.position), 0))
        return int(self._db.execute(query).scalar_one())

    def counting(self, at: datetime) -> Sequence[tuple[Agreement, Version]]:
        """Those that count at a moment or will."""
        return self._with_version(sa.and_(_A.revoked_at.is_(None), _A.ends > at))

    def changed(self, since: int) -> Sequence[tuple[Agreement, Version]]:
        """Those that changed after a position, by position."""
        return self._with_version(_A.position > since)

    def _with_version(
        self, condition: sa.ColumnElement[bool]
    ) -> Sequence[tuple[Agreement, Version]]:
        joined = agreement_table.join(
            version_table, sa.and_(_V.agreement == _A.id, _V.number == _A.current)
        )
        versions = sa.select(version_table).select_from(joined).where(condition)
        texts = {row.agreement: _version(row, {}) for row in self._db.execute(versions)}
        query = sa.select(agreement_table).where(condition, _A.current.is_not(None))
        found = [_agreement(row) for row in self._db.execute(query.order_by(_A.position))]
        return [(one, texts[one.id]) for one in found if one.id in texts]

    def over(self, now: datetime, limit: int) -> Sequence[str]:
        """Whose term has ended without being told."""
        query = sa.select(_A.id).where(
            _A.ends <= now, _A.current.is_not(None), _A.revoked_at.is_(None), ~_A.ended_told
        )
        return self._db.execute(query.limit(limit)).scalars().all()


def _in_state(state: AgreementState, at: datetime) -> sa.ColumnElement[bool]:
    """The same as ``Agreement.state``; a test holds the two together."""
    if state is AgreementState.REVOKED:
        return sa.and_(_A.revoked_at.is_not(None), _A.revoked_at <= at)
    counts = sa.or_(_A.revoked_at.is_(None), _A.revoked_at > at)
    if state is AgreementState.ENDED:
        return sa.and_(counts, _A.ends <= at)
    if state is AgreementState.PROPOSED:
        return sa.and_(counts, _A.ends > at, _A.current.is_(None))
    begun = _A.begins > at if state is AgreementState.SIGNED else _A.begins <= at
    return sa.and_(counts, _A.ends > at, _A.current.is_not(None), begun)


def _kept(one: Agreement) -> dict[str, Any]:
    return {
        "provider": one.provider, "consumer": one.consumer, "dataset": one.dataset,
        "service": one.service, "created_at": one.created_at, "latest": one.latest,
        "current": one.current, "begins": one.begins, "ends": one.ends,
        "revoked_at": one.revoked_at, "revoked_by": one.revoked_by, "reason": one.reason,
        "position": one.position, "ended_told": one.ended_told,
    }  # fmt: skip


def _agreement(row: sa.Row[Any]) -> Agreement:
    return Agreement(
        AgreementId(row.id), row.provider, row.consumer, row.dataset, row.service, row.created_at,
        row.latest, row.begins, row.ends, row.current, row.revoked_at,
        None if row.revoked_by is None else Party(row.revoked_by), row.reason, row.position,
        row.ended_told,
    )  # fmt: skip


def _version(row: sa.Row[Any], signatures: dict[Party, Signature]) -> Version:
    return Version(
        AgreementId(row.agreement), row.number, row.policy, row.digest,
        None if row.answers is None else json.loads(row.answers), row.request, row.created_at,
        signatures, row.in_force_at, row.record,
    )  # fmt: skip


def _signature(row: sa.Row[Any]) -> Signature:
    return Signature(Party(row.party), row.jws, row.kid, row.at, PrincipalId(row.by), row.name)
