"""People, service accounts and grants in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from foundation.access.model import GrantId, Principal, PrincipalState, RoleGrant
from foundation.access.store.tables import grant_table, principal_table
from foundation.kernel.actor import ActorKind, PrincipalId
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of

_P = principal_table.c
_G = grant_table.c
_COLUMNS = [c for c in principal_table.c if c.name != "password_hash"]


class PrincipalStore:
    """The rows of principals and grants; used inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, principal: Principal, password_hash: str | None) -> bool:
        """Keep a new one; False when its login is taken."""
        statement = (
            insert(principal_table)
            .values(
                id=principal.id,
                kind=principal.kind,
                login=principal.login,
                name=principal.name,
                email=principal.email,
                path=principal.path,
                state=principal.state,
                password_hash=password_hash,
                created_at=principal.created_at,
                version=principal.version,
            )
            .on_conflict_do_nothing(index_elements=[_P.login])
            .returning(_P.id)
        )
        return self._database.execute(statement).first() is not None

    def get(self, principal_id: str) -> Principal | None:
        """One by id."""
        statement = sa.select(*_COLUMNS).where(_P.id == principal_id)
        row = self._database.execute(statement).mappings().one_or_none()
        return None if row is None else _principal(row)

    def by_login(self, login: str) -> tuple[Principal, str | None] | None:
        """One by the name to sign in with, and the hash of its password."""
        statement = sa.select(*_COLUMNS, _P.password_hash).where(_P.login == login)
        row = self._database.execute(statement).mappings().one_or_none()
        if row is None:
            return None
        values = dict(row)
        hashed = values.pop("password_hash")
        return _principal(values), hashed

    def list(
        self, kind: ActorKind, prefixes: Sequence[str], text: str, page: PageRequest
    ) -> Page[Principal]:
        """Those that belong to one of the paths or below, by login."""
        statement = (
            sa.select(*_COLUMNS)
            .where(_P.kind == kind, within(_P.path, prefixes))
            .order_by(_P.login.collate("C"))
            .limit(page.limit + 1)
        )
        if text:
            found = [column.icontains(text, autoescape=True) for column in (_P.login, _P.name)]
            statement = statement.where(sa.or_(*found))
        after = page.key(1)
        if after is not None:
            statement = statement.where(_P.login.collate("C") > after[0])
        rows = [_principal(row) for row in self._database.execute(statement).mappings()]
        return page_of(rows, page, lambda row: [row.login])

    def update(self, principal: Principal, version: int) -> bool:
        """Keep a change of that version; False when it has changed meanwhile."""
        statement = (
            principal_table.update()
            .where(_P.id == principal.id, _P.version == version)
            .values(
                name=principal.name,
                email=principal.email,
                path=principal.path,
                state=principal.state,
                version=principal.version,
            )
        )
        return self._database.execute(statement).rowcount == 1

    def set_password(self, principal_id: PrincipalId, password_hash: str) -> None:
        """Keep another password."""
        self._database.execute(
            principal_table.update()
            .where(_P.id == principal_id)
            .values(password_hash=password_hash)
        )

    def any_with_role(self, role: str, path: str, besides: str = "") -> bool:
        """Whether an active principal, but that one, holds the role on exactly this path."""
        statement = (
            sa.select(_G.id)
            .join(principal_table, _P.id == _G.principal_id)
            .where(_G.role == role, _G.path == path, _P.state == PrincipalState.ACTIVE)
            .where(_P.id != besides)
            .limit(1)
        )
        return self._database.execute(statement).first() is not None

    def add_grant(self, grant: RoleGrant) -> bool:
        """Keep a grant; False when the principal has the role on the path already."""
        statement = (
            insert(grant_table)
            .values(
                id=grant.id,
                principal_id=grant.principal_id,
                role=grant.role,
                path=grant.path,
                granted_by=grant.granted_by,
                created_at=grant.created_at,
            )
            .on_conflict_do_nothing()
            .returning(_G.id)
        )
        return self._database.execute(statement).first() is not None

    def grant(self, grant_id: str) -> RoleGrant | None:
        """One grant."""
        statement = sa.select(grant_table).where(_G.id == grant_id)
        row = self._database.execute(statement).mappings().one_or_none()
        return None if row is None else RoleGrant(**row)

    def grants_of(self, principal_id: PrincipalId) -> tuple[RoleGrant, ...]:
        """All grants of a principal."""
        statement = (
            sa.select(grant_table).where(_G.principal_id == principal_id).order_by(_G.path, _G.role)
        )
        return tuple(RoleGrant(**row) for row in self._database.execute(statement).mappings())

    def grants(
        self, prefixes: Sequence[str], principal_id: str | None, page: PageRequest
    ) -> Page[RoleGrant]:
        """Grants on one of the paths or below, oldest first."""
        statement = (
            sa.select(grant_table)
            .where(within(_G.path, prefixes))
            .order_by(_G.id)
            .limit(page.limit + 1)
        )
        if principal_id is not None:
            statement = statement.where(_G.principal_id == principal_id)
        after = page.key(1)
        if after is not None:
            statement = statement.where(_G.id > after[0])
        rows = [RoleGrant(**row) for row in self._database.execute(statement).mappings()]
        return page_of(rows, page, lambda row: [row.id])

    def remove_grant(self, grant_id: GrantId) -> None:
        """Take a grant away."""
        self._database.execute(grant_table.delete().where(_G.id == grant_id))


def _principal(row: Any) -> Principal:  # noqa: ANN401 - a row by name
    values = dict(row)
    values["kind"] = ActorKind(values["kind"])
    values["state"] = PrincipalState(values["state"])
    return Principal(**values)
