"""Frameworks, contracts and their ledger in PostgreSQL."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.tenancy.model import ancestors
from foundation.kernel.database import Database, within
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import Interval
from marketplace.model import (
    Balance,
    Contract,
    ContractId,
    ContractTerms,
    Entry,
    Framework,
    LedgerEntry,
    Supplier,
    text_from,
)
from marketplace.store.tables import (
    contract_table,
    contract_version_table,
    framework_table,
    ledger_table,
)


class ProcurementRows:
    """Frameworks, contracts and the ledger."""

    _db: Database

    def put_framework(self, framework: Framework) -> None:
        values = {
            "number": framework.number,
            "name": framework.name.as_json(),
            "suppliers": [{"slug": s.slug, "name": s.name.as_json()} for s in framework.suppliers],
            "lots": list(framework.lots),
            "term_start": framework.term.start,
            "term_end": framework.term.end,
            "ceiling": framework.ceiling.amount,
            "currency": framework.ceiling.currency,
            "price_book": framework.price_book,
        }
        self._db.execute(
            postgresql.insert(framework_table)
            .values(values)
            .on_conflict_do_update(index_elements=["number"], set_=values)
        )

    def framework(self, number: str, *, lock: bool = False) -> Framework | None:
        query = sa.select(framework_table).where(framework_table.c.number == number)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _framework(row)

    def frameworks(self) -> list[Framework]:
        rows = self._db.execute(sa.select(framework_table).order_by(framework_table.c.number))
        return [_framework(row) for row in rows]

    def called_off(self, framework: str) -> Decimal:
        return Decimal(
            self._db.execute(
                sa.select(sa.func.coalesce(sa.func.sum(contract_version_table.c.ceiling), 0))
                .select_from(_newest_version())
                .where(contract_table.c.framework == framework)
            ).scalar_one()
        )

    def add_contract(self, contract: Contract) -> bool:
        made = self._db.execute(
            postgresql.insert(contract_table)
            .values(
                id=contract.id,
                number=contract.number,
                framework=contract.framework,
                organisation_id=contract.organisation_id,
                path=contract.path,
                version=contract.version,
            )
            .on_conflict_do_nothing(index_elements=["number"])
            .returning(contract_table.c.id)
        ).first()
        if made is not None:
            self._write_version(contract)
        return made is not None

    def add_contract_version(self, contract: Contract) -> None:
        self._db.execute(
            contract_table.update()
            .where(contract_table.c.id == contract.id)
            .values(version=contract.version)
        )
        self._write_version(contract)

    def _write_version(self, contract: Contract) -> None:
        terms = contract.terms
        self._db.execute(
            contract_version_table.insert().values(
                contract_id=contract.id,
                version=contract.version,
                name=terms.name.as_json(),
                term_start=terms.term.start,
                term_end=terms.term.end,
                ceiling=terms.ceiling.amount,
                currency=terms.ceiling.currency,
                discount=terms.discount,
                service_level=terms.service_level.as_json(),
                effective=contract.effective,
                signed_by=contract.signed_by,
                signed_at=contract.signed_at,
                reason=contract.reason,
            )
        )

    def contract(self, reference: str, *, lock: bool = False) -> Contract | None:
        t = contract_table.c
        if lock:
            # The row is locked first and read afterwards: its newest version may just be written.
            self._db.execute(
                sa.select(t.id)
                .where(sa.or_(t.id == reference, t.number == reference))
                .with_for_update()
            )
        row = self._db.execute(
            _contracts().where(sa.or_(t.id == reference, t.number == reference))
        ).one_or_none()
        return None if row is None else _contract(row)

    def contract_versions(self, contract_id: str) -> list[Contract]:
        v = contract_version_table.c
        rows = self._db.execute(
            sa.select(
                contract_table.c.id, contract_table.c.number, contract_table.c.framework,
                contract_table.c.organisation_id, contract_table.c.path, contract_version_table,
            )
            .join(contract_version_table, v.contract_id == contract_table.c.id)
            .where(contract_table.c.id == contract_id)
            .order_by(v.version)
        )  # fmt: skip
        return [_contract(row) for row in rows]

    def contracts(self, paths: Sequence[str], request: PageRequest) -> Page[Contract]:
        t = contract_table.c
        below = within(t.path, paths)
        query = _contracts().where(below)
        after = request.key(1)
        if after is not None:
            query = query.where(t.number > after[0])
        rows = self._db.execute(query.order_by(t.number).limit(request.limit + 1))
        return page_of([_contract(row) for row in rows], request, lambda item: (item.number,))

    def contracts_above(self, path: str) -> list[Contract]:
        t = contract_table.c
        rows = self._db.execute(
            _contracts()
            .where(t.path.in_(ancestors(path)))
            .order_by(sa.func.length(t.path).desc(), t.number)
        )
        return [_contract(row) for row in rows]

    def add_entry(self, entry: LedgerEntry) -> bool:
        made = self._db.execute(
            postgresql.insert(ledger_table)
            .values(
                key=entry.key,
                contract_id=entry.contract_id,
                order_id=entry.order_id,
                instance_id=entry.instance_id,
                entry=entry.entry.value,
                encumbered=entry.encumbered.amount,
                committed=entry.committed.amount,
                currency=entry.encumbered.currency,
                at=entry.at,
            )
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(ledger_table.c.seq)
        ).first()
        return made is not None

    def has_entry(self, key: str) -> bool:
        found = self._db.execute(
            sa.select(ledger_table.c.seq).where(ledger_table.c.key == key)
        ).first()
        return found is not None

    def balance(self, contract: Contract) -> Balance:
        t = ledger_table.c
        row = self._db.execute(
            sa.select(
                sa.func.coalesce(sa.func.sum(t.encumbered), 0).label("encumbered"),
                sa.func.coalesce(sa.func.sum(t.committed), 0).label("committed"),
            ).where(t.contract_id == contract.id)
        ).one()
        currency = contract.terms.ceiling.currency
        return Balance(
            contract.terms.ceiling,
            Money(Decimal(row.encumbered), currency),
            Money(Decimal(row.committed), currency),
        )

    def entries(self, contract_id: str, request: PageRequest) -> Page[LedgerEntry]:
        t = ledger_table.c
        query = sa.select(ledger_table).where(t.contract_id == contract_id)
        after = request.key(1)
        if after is not None:
            query = query.where(t.seq < int(after[0]))
        rows = self._db.execute(query.order_by(t.seq.desc()).limit(request.limit + 1)).all()
        page = page_of(rows, request, lambda row: (str(row.seq),))
        return page.map(_entry)

    def encumbered_by(self, order_id: str) -> Decimal:
        return self._sum(ledger_table.c.encumbered, ledger_table.c.order_id == order_id)

    def committed_by(self, instance_id: str) -> Decimal:
        return self._sum(ledger_table.c.committed, ledger_table.c.instance_id == instance_id)

    def _sum(self, column: sa.Column[Any], condition: sa.ColumnElement[bool]) -> Decimal:
        found = self._db.execute(
            sa.select(sa.func.coalesce(sa.func.sum(column), 0)).where(condition)
        ).scalar_one()
        return Decimal(found)


def _newest_version() -> sa.Join:
    v = contract_version_table.c
    return sa.join(
        contract_table,
        contract_version_table,
        sa.and_(v.contract_id == contract_table.c.id, v.version == contract_table.c.version),
    )


def _contracts() -> sa.Select[Any]:
    t = contract_table.c
    return sa.select(
        t.id, t.number, t.framework, t.organisation_id, t.path, contract_version_table
    ).select_from(_newest_version())


def _framework(row: sa.Row[Any]) -> Framework:
    return Framework(
        row.number,
        text_from(row.name),
        tuple(Supplier(s["slug"], text_from(s["name"])) for s in row.suppliers),
        tuple(row.lots),
        Interval(row.term_start, row.term_end),
        Money(row.ceiling, row.currency),
        row.price_book,
    )


def _contract(row: sa.Row[Any]) -> Contract:
    terms = ContractTerms(
        text_from(row.name),
        Interval(row.term_start, row.term_end),
        Money(row.ceiling, row.currency),
        text_from(row.service_level),
        row.discount,
    )
    return Contract(
        ContractId(row.id), row.number, row.framework, row.organisation_id, row.path, row.version,
        terms, row.effective, row.signed_by, row.signed_at, row.reason,
    )  # fmt: skip


def _entry(row: sa.Row[Any]) -> LedgerEntry:
    return LedgerEntry(
        row.key, ContractId(row.contract_id), row.order_id, row.instance_id, Entry(row.entry),
        Money(row.encumbered, row.currency), Money(row.committed, row.currency), row.at,
    )  # fmt: skip
