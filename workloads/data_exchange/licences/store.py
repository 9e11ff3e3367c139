"""Licences in PostgreSQL."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import ids
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.data_exchange.licences.model import (
    Licence,
    LicenceId,
    LicenceState,
    LicenceType,
    Reason,
    TypeId,
    fields_of,
)
from workloads.data_exchange.licences.ports import Asked, StatusRow
from workloads.data_exchange.licences.tables import (
    licence_table,
    list_table,
    place_table,
    request_table,
    type_table,
)

#: Places of one status list: 32 KiB of two bits each, before packing.
PLACES = 131_072
#: A list is left when it is half full: a random place is then found at the second try.
_FULL = 2
#: In which nothing changes any more.
_DEAD = tuple(
    one.value for one in (LicenceState.REFUSED, LicenceState.WITHDRAWN, LicenceState.LAPSED)
)
_T, _L, _S, _P, _R = (
    one.c for one in (type_table, licence_table, list_table, place_table, request_table)
)


class PostgresLicences:
    """Keeps types, licences, status lists and requests."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_type(self, made: LicenceType) -> None:
        """Keep a new version of a type."""
        self._db.execute(
            type_table.insert().values(
                id=made.id, path=made.agency, name=made.name, version=made.version,
                document=made.document(), issuer=made.issuer, vct=made.vct,
                metadata=made.metadata, created_at=made.created_at, retired_at=made.retired_at,
            )
        )  # fmt: skip

    def type(self, type_id: str) -> LicenceType | None:
        """By its id."""
        row = self._db.execute(sa.select(type_table).where(_T.id == type_id)).one_or_none()
        return None if row is None else _type(row)

    def versions(self, path: str, name: str) -> int:
        """How many versions of a type an agency has."""
        query = sa.select(sa.func.count()).where(_T.path == path, _T.name == name)
        return int(self._db.execute(query).scalar_one())

    def types(self, request: PageRequest) -> Page[LicenceType]:
        """All, newest first."""
        query, after = sa.select(type_table), request.key(1)
        if after is not None:
            query = query.where(_T.id < after[0])
        rows = self._db.execute(query.order_by(_T.id.desc()).limit(request.limit + 1))
        return page_of([_type(row) for row in rows], request, lambda one: (one.id,))

    def all_types(self) -> Sequence[LicenceType]:
        """All, by issuer."""
        rows = self._db.execute(sa.select(type_table).order_by(_T.issuer, _T.id))
        return [_type(row) for row in rows]

    def retire(self, type_id: str, at: datetime) -> None:
        """Issue none of it any more."""
        self._db.execute(
            type_table.update()
            .where(_T.id == type_id, _T.retired_at.is_(None))
            .values(retired_at=at)
        )

    def add(self, licence: Licence) -> None:
        """Keep a new one."""
        self._db.execute(licence_table.insert().values(**_row(licence)))

    def find(self, licence_id: str, *, hold: bool = False) -> Licence | None:
        """By its id, held until the transaction ends if wanted."""
        query = sa.select(licence_table).where(_L.id == licence_id)
        return self._one(query.with_for_update() if hold else query)

    def by_offer(self, digest: str) -> Licence | None:
        """By the digest of its one-time token, held until the transaction ends."""
        return self._one(sa.select(licence_table).where(_L.offer == digest).with_for_update())

    def _one(self, query: "sa.Select[Any]") -> Licence | None:
        row = self._db.execute(query).one_or_none()
        return None if row is None else _licence(row)

    def save(self, licence: Licence) -> None:
        """Keep all that may change of it."""
        self._db.execute(licence_table.update().where(_L.id == licence.id).values(**_row(licence)))

    def list(
        self, paths: Sequence[str], state: LicenceState | None, request: PageRequest
    ) -> Page[Licence]:
        """Those at or below these paths, newest first."""
        query, after = sa.select(licence_table).where(within(_L.path, paths)), request.key(1)
        if state is not None:
            query = query.where(_L.state == state.value)
        if after is not None:
            query = query.where(_L.id < after[0])
        rows = self._db.execute(query.order_by(_L.id.desc()).limit(request.limit + 1))
        return page_of([_licence(row) for row in rows], request, lambda one: (one.id,))

    def forgettable(
        self, offered: datetime, proposed: datetime, claimed: datetime
    ) -> Sequence[str]:
        """Ids of up to 1,000 that hold something sealed for nobody any more."""
        over = sa.or_(
            sa.and_(_L.state == LicenceState.OFFERED.value, _L.offer_until <= offered),
            sa.and_(_L.state == LicenceState.PROPOSED.value, _L.created_at <= proposed),
            _L.claimed_at <= claimed,
        )
        query = sa.select(_L.id).where(_L.sealed != "", over)
        return list(self._db.execute(query.order_by(_L.changed_at).limit(1000)).scalars())

    def forget(self, before: datetime) -> int:
        """Delete those that ended before a moment, and requests; answers how many."""
        ended = sa.or_(
            sa.and_(_L.state.in_(_DEAD), _L.changed_at < before), _L.valid_until < before
        )
        found = [
            *self._db.execute(
                sa.select(_L.id).where(ended).order_by(_L.id).limit(1000).with_for_update()
            ).scalars()
        ]
        self._db.execute(place_table.delete().where(_P.licence.in_(found)))
        self._db.execute(licence_table.delete().where(_L.id.in_(found)))
        self._db.execute(request_table.delete().where(_R.expires_at < before))
        return len(found)

    def take_places(
        self, path: str, issuer: str, base: str, licence: str, count: int
    ) -> Sequence[tuple[str, int]]:
        """So many random places in the issuer's lists; under the issuer's lock.

        The free places stay free: whoever reads a list cannot tell how many licences there are,
        nor from an index when one was issued.
        """
        query = sa.select(list_table).where(_S.issuer == issuer, _S.used < _S.size / _FULL)
        row = self._db.execute(query.order_by(_S.id.desc()).limit(1)).one_or_none()
        found = _list(row) if row is not None else self._new_list(path, issuer, base)
        taken: list[tuple[str, int]] = []
        while len(taken) < count:
            made = self._db.execute(
                postgresql.insert(place_table)
                .values(
                    list=found.id, place=secrets.randbelow(found.size), licence=licence, status=0
                )
                .on_conflict_do_nothing()
                .returning(_P.place)
            ).scalar_one_or_none()
            if made is not None:
                taken.append((found.uri, made))
        self._db.execute(list_table.update().where(_S.id == found.id).values(used=_S.used + count))
        return taken

    def _new_list(self, path: str, issuer: str, base: str) -> StatusRow:
        made_id = ids.new("lst")
        made = StatusRow(made_id, path, issuer, f"{base}/status-lists/{made_id}", PLACES, 0, 1)
        self._db.execute(
            list_table.insert().values(
                id=made.id, path=made.path, issuer=made.issuer, uri=made.uri, size=made.size,
                used=made.used, version=made.version,
            )
        )  # fmt: skip
        return made

    def set_status(self, licence: str, status: int) -> None:
        """Give all places of a licence a status."""
        changed = self._db.execute(
            place_table.update()
            .where(_P.licence == licence)
            .values(status=status)
            .returning(_P.list)
        ).scalars()
        self._db.execute(
            list_table.update()
            .where(_S.id.in_(sorted(set(changed))))
            .values(version=_S.version + 1)
        )

    def status_list(self, list_id: str) -> StatusRow | None:
        """A list by its id."""
        row = self._db.execute(sa.select(list_table).where(_S.id == list_id)).one_or_none()
        return None if row is None else _list(row)

    def status_lists(self) -> Sequence[StatusRow]:
        """All."""
        return [_list(row) for row in self._db.execute(sa.select(list_table).order_by(_S.id))]

    def statuses(self, list_id: str) -> Sequence[tuple[int, int]]:
        """Index and status of those that are not valid."""
        query = sa.select(_P.place, _P.status).where(_P.list == list_id, _P.status != 0)
        return [(row.place, row.status) for row in self._db.execute(query)]

    def ask(self, asked: Asked) -> None:
        """Keep a request."""
        self._db.execute(
            request_table.insert().values(
                id=asked.id, path=asked.path, nonce=asked.nonce, vct=asked.vct, name=asked.name,
                expires_at=asked.expires_at, used_at=None,
            )
        )  # fmt: skip

    def answer(self, asked_id: str, at: datetime) -> Asked | None:
        """Use a request up; None when it is over, was used or never was."""
        row = self._db.execute(
            request_table.update()
            .where(_R.id == asked_id, _R.used_at.is_(None), _R.expires_at > at)
            .values(used_at=at)
            .returning(request_table)
        ).one_or_none()
        return None if row is None else _asked(row)

    def asked(self, asked_id: str) -> Asked | None:
        """A request, used or not."""
        row = self._db.execute(sa.select(request_table).where(_R.id == asked_id)).one_or_none()
        return None if row is None else _asked(row)


def _row(one: Licence) -> dict[str, Any]:
    names = [column.name for column in licence_table.columns]
    return {
        **{name: getattr(one, name) for name in names},
        "state": one.state.value, "reason": one.reason and one.reason.value,
    }  # fmt: skip


def _licence(row: Any) -> Licence:  # noqa: ANN401 - a row
    told = {**row._mapping}  # noqa: SLF001 - public, with a reserved name
    told["id"], told["type"] = LicenceId(row.id), TypeId(row.type)
    told["state"] = LicenceState(row.state)
    told["reason"] = Reason(row.reason) if row.reason else None
    return Licence(**told)


def _type(row: Any) -> LicenceType:  # noqa: ANN401 - a row
    told = row.document
    return LicenceType(
        row.path, row.name, Text(**told["title"]), Text(**told["description"]), fields_of(told),
        told["days"], told["four_eyes"], told["copies"], told["background"], told["foreground"],
        row.version, TypeId(row.id), row.issuer, row.vct, row.metadata, row.created_at,
        row.retired_at,
    )  # fmt: skip


def _list(row: Any) -> StatusRow:  # noqa: ANN401 - a row
    return StatusRow(row.id, row.path, row.issuer, row.uri, row.size, row.used, row.version)


def _asked(row: Any) -> Asked:  # noqa: ANN401 - a row
    return Asked(row.id, row.path, row.nonce, row.vct, row.name, row.expires_at, row.used_at)
