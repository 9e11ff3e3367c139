"""People, service accounts and what they are granted."""

import secrets
from collections.abc import Iterable
from dataclasses import replace

from foundation.access import policy
from foundation.access.model import (
    ACCOUNT,
    GrantId,
    Principal,
    PrincipalState,
    RoleGrant,
    check_login,
    check_name,
    check_password,
    check_path,
)
from foundation.access.ports import Credentials, Passwords, Places, Principals
from foundation.access.service.audit import AuditLog
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, PrincipalId
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    PreconditionFailed,
    Problem,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock

_NOUN = {ActorKind.PERSON: "person", ActorKind.SERVICE: "service_account"}
_PREFIX = {ActorKind.PERSON: "usr", ActorKind.SERVICE: "svc"}
_MAX_EMAIL = 254


class People:
    """Manages principals and grants.

    An administrator manages the principals of its own part of the tree, and among them only those
    who hold nothing that it does not hold itself: else it could act through their accounts.

    Args:
        administrator: the role that somebody always has on everything.
    """

    def __init__(
        self,
        store: Principals,
        credentials: Credentials,
        passwords: Passwords,
        audit: AuditLog,
        db: UnitOfWork,
        clock: Clock,
        places: Places,
        *,
        administrator: str,
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._passwords = passwords
        self._audit = audit
        self._db = db
        self._clock = clock
        self._places = places
        self._administrator = administrator

    def create_person(
        self,
        actor: Actor,
        *,
        login: str,
        name: str,
        path: str,
        email: str = "",
        password: str | None = None,
    ) -> Principal:
        """Add a person; without a password they cannot sign in until one is set.

        Raises:
            Invalid: names every wrong field.
            Conflict: the login is taken.
            Forbidden, NotFound: the path is not the actor's to manage.
        """
        return self._create(
            actor, ActorKind.PERSON, login=login, name=name, path=path, email=email,
            password=password,
        )  # fmt: skip

    def create_service_account(
        self, actor: Actor, *, login: str, name: str, path: str
    ) -> Principal:
        """Add a service account: it acts by tokens only.

        Raises:
            Invalid: names every wrong field.
            Conflict: the login is taken.
            Forbidden, NotFound: the path is not the actor's to manage.
        """
        return self._create(actor, ActorKind.SERVICE, login=login, name=name, path=path)

    def _create(
        self,
        actor: Actor,
        kind: ActorKind,
        *,
        login: str,
        name: str,
        path: str,
        email: str = "",
        password: str | None = None,
    ) -> Principal:
        found = Collector()
        check_login(found, login)
        check_name(found, name)
        check_path(found, path)
        _check_email(found, email)
        if password is not None:
            check_password(found, password, login)
        found.finish()
        policy.require(actor, f"{_NOUN[kind]}.create", path)
        hashed = None if password is None else self._passwords.hash(password)
        principal = Principal(
            id=PrincipalId(ids.new(_PREFIX[kind])),
            kind=kind,
            login=login,
            name=name.strip(),
            email=email,
            path=path,
            state=PrincipalState.ACTIVE,
            created_at=self._clock.now(),
        )
        with self._db.transaction():
            self._check_place(path, found)
            found.finish()
            if not self._store.add(principal, hashed):
                raise Conflict(f"the login {login} is taken", login=login)
            self._audit.record(
                actor,
                f"{_NOUN[kind]}.create",
                path=path,
                subject=principal.id,
                details={"login": login},
            )
        return principal

    def principal(self, actor: Actor, principal_id: str) -> Principal:
        """One person or service account; everybody may see their own.

        Raises:
            NotFound: there is none that the actor may see.
        """
        with self._db.transaction():
            principal = self._store.get(principal_id)
        if principal is None:
            raise policy.unknown(ACCOUNT)
        if principal.id != actor.id:
            _require_sight(actor, principal)
        return principal

    def principals(
        self, actor: Actor, kind: ActorKind, page: PageRequest, *, text: str = ""
    ) -> Page[Principal]:
        """The people or the service accounts that the actor may see, by login.

        Args:
            actor: who asks.
            kind: people or service accounts.
            page: which part.
            text: part of the login or the name, in any case; empty for all.
        """
        prefixes = policy.visible_paths(actor, f"{_NOUN[kind]}.view")
        with self._db.transaction():
            return self._store.list(kind, prefixes, text, page)

    def update(
        self,
        actor: Actor,
        principal_id: str,
        *,
        version: int,
        name: str | None = None,
        email: str | None = None,
        path: str | None = None,
        state: PrincipalState | None = None,
    ) -> Principal:
        """Change a person or a service account; None leaves a field.

        Disabling ends all sessions and refuses all tokens at once.

        Raises:
            Invalid: names every wrong field.
            PreconditionFailed: it is not at that version any more.
            Conflict: it is the actor's own, or the last platform administrator.
            Forbidden, NotFound: it is not the actor's to manage.
        """
        found = Collector()
        if name is not None:
            check_name(found, name)
        if path is not None:
            check_path(found, path)
        _check_email(found, email or "")
        found.finish()
        with self._db.transaction():
            before = self._managed(actor, principal_id)
            if path is not None:
                policy.require(actor, f"{_NOUN[before.kind]}.update", path)
                self._check_place(path, found)
                found.finish()
            after = replace(
                before,
                name=before.name if name is None else name.strip(),
                email=before.email if email is None else email,
                path=before.path if path is None else path,
                state=before.state if state is None else state,
                version=version + 1,
            )
            if not self._store.update(after, version):
                raise PreconditionFailed("this has changed since you looked: read it again")
            if after.state is PrincipalState.DISABLED:
                self._disable(actor, before)
            self._audit.record(
                actor,
                f"{_NOUN[before.kind]}.update",
                path=before.path,
                subject=before.id,
                details=_changed(before, after),
            )
        return after

    def _check_place(self, path: str, found: Collector) -> None:
        """Note a path that nobody has; whoever may manage things there may know."""
        wrong = any(problem.field == "path" for problem in found.problems)
        there = wrong or path == policy.ROOT or self._places.exists(path)
        found.check(there, "path", "is not the path of an organisation", "unknown")

    def _disable(self, actor: Actor, principal: Principal) -> None:
        if principal.id == actor.id:
            raise Conflict("nobody disables their own account")
        self._keep_an_administrator(self._store.grants_of(principal.id), besides=principal.id)
        self._credentials.end_sessions_of(principal.id)

    def set_password(self, actor: Actor, principal_id: str, password: str) -> None:
        """Give a person another password; their sessions and tokens end.

        Whoever knew the old one, and made a token with it, is out as well.

        Raises:
            Invalid: the password is too weak, or it is a service account.
            Forbidden, NotFound: the person is not the actor's to manage.
        """
        with self._db.transaction():
            person = self._managed(actor, principal_id)
        if person.kind is not ActorKind.PERSON:
            raise Invalid([Problem("password", "a service account has none")])
        found = Collector()
        check_password(found, password, person.login)
        found.finish()
        hashed = self._passwords.hash(password)
        with self._db.transaction():
            self._store.set_password(person.id, hashed)
            self._credentials.end_sessions_of(person.id)
            self._credentials.revoke_tokens_of(person.id, self._clock.now())
            self._audit.record(actor, "person.set_password", path=person.path, subject=person.id)

    def grant(self, actor: Actor, *, principal_id: str, role: str, path: str) -> RoleGrant:
        """Give a role on an organisation and all below it.

        Raises:
            Invalid: names every wrong field.
            Conflict: the principal has it already.
            Forbidden: the role allows something there that the actor may not do itself.
            NotFound: the path is none of the actor's business.
        """
        found = Collector()
        found.check(role in policy.table().roles, "role", "is not a role")
        if check_path(found, path):
            policy.require(actor, "grant.create", path)
        with self._db.transaction():
            principal = self._store.get(principal_id)
            seen = principal is not None and may_see(actor, principal)
            found.check(seen, "principal_id", "is not a person or service account that you manage")
            self._check_place(path, found)
            found.finish()
            _require_holding(actor, role, path)
            given = RoleGrant(
                id=GrantId(ids.new("grt")),
                principal_id=PrincipalId(principal_id),
                role=role,
                path=path,
                granted_by=actor.id,
                created_at=self._clock.now(),
            )
            if not self._store.add_grant(given):
                raise Conflict("the role is granted there already", role=role, path=path)
            self._audit.record(
                actor, "grant.create", path=path, subject=given.id,
                details={"principal": principal_id, "role": role},
            )  # fmt: skip
        return given

    def grants(
        self, actor: Actor, page: PageRequest, *, principal_id: str | None = None
    ) -> Page[RoleGrant]:
        """The grants on the paths that the actor may see, oldest first."""
        prefixes = policy.visible_paths(actor, "grant.view")
        with self._db.transaction():
            return self._store.grants(prefixes, principal_id, page)

    def grants_seen(self, actor: Actor, principal: Principal) -> tuple[RoleGrant, ...]:
        """Those grants of a principal that the actor may see; all of one's own."""
        with self._db.transaction():
            held = self._store.grants_of(principal.id)
        own = principal.id == actor.id
        return tuple(g for g in held if own or policy.allows(actor, "grant.view", g.path))

    def revoke(self, actor: Actor, grant_id: str) -> None:
        """Take a role away; it is gone with the next request of whoever had it.

        Raises:
            NotFound: there is none that the actor may see.
            Forbidden: the role allows something there that the actor may not do itself.
            Conflict: it is what makes the last platform administrator one.
        """
        with self._db.transaction():
            given = self._store.grant(grant_id)
            if given is None or not policy.allows(actor, "grant.view", given.path):
                raise policy.unknown("grant")
            policy.require(actor, "grant.revoke", given.path)
            _require_holding(actor, given.role, given.path)
            self._keep_an_administrator([given], besides=given.principal_id)
            self._store.remove_grant(given.id)
            self._audit.record(
                actor, "grant.revoke", path=given.path, subject=given.id,
                details={"principal": given.principal_id, "role": given.role},
            )  # fmt: skip

    def has_administrator(self) -> bool:
        """Whether somebody has all rights on everything; for the start of a product."""
        with self._db.transaction():
            return self._store.any_with_role(self._administrator, policy.ROOT)

    def ensure_administrator(
        self, *, login: str = "admin", name: str = "Administrator", password: str | None = None
    ) -> tuple[Principal, str] | None:
        """Make the first platform administrator; for the start of the platform, not for a surface.

        Args:
            login: the name to sign in with.
            name: the name that others read.
            password: the first password; None makes a random one.

        Returns:
            The administrator and the password, to be shown once; None when there is one already.

        Raises:
            Invalid: the password is too weak.
            Conflict: the login belongs to somebody who is no administrator.
        """
        system = Actor.system("bootstrap")
        with self._db.transaction():
            if self._store.any_with_role(self._administrator, policy.ROOT):
                return None
            first = password or secrets.token_urlsafe(18)
            person = self.create_person(
                system, login=login, name=name, path=policy.ROOT, password=first
            )
            self.grant(system, principal_id=person.id, role=self._administrator, path=policy.ROOT)
        return person, first

    def add_administrator(self, login: str, name: str, password: str) -> Principal:
        """Add a person with all rights; for who holds the settings, not for a surface.

        Raises:
            Invalid: names every wrong field.
            Conflict: the login is taken.
        """
        system = Actor.system("administrator")
        with self._db.transaction():
            person = self.create_person(
                system, login=login, name=name, path=policy.ROOT, password=password
            )
            self.grant(system, principal_id=person.id, role=self._administrator, path=policy.ROOT)
        return person

    def _managed(self, actor: Actor, principal_id: str) -> Principal:
        """A principal that the actor may change.

        Raises:
            NotFound, Forbidden: it may not.
        """
        principal = self._store.get(principal_id)
        if principal is None:
            raise policy.unknown(ACCOUNT)
        require_manages(actor, principal, self._store.grants_of(principal.id))
        return principal

    def _keep_an_administrator(self, lost: Iterable[RoleGrant], besides: str) -> None:
        """Refuse what would leave the platform without an administrator."""
        matters = any((g.role, g.path) == (self._administrator, policy.ROOT) for g in lost)
        if matters and not self._store.any_with_role(self._administrator, policy.ROOT, besides):
            raise Conflict("the platform would be left without an administrator")


def may_see(actor: Actor, principal: Principal) -> bool:
    """Whether the actor may know of a principal."""
    return policy.allows(actor, f"{_NOUN[principal.kind]}.view", principal.path)


def require_manages(
    actor: Actor, principal: Principal, held: Iterable[RoleGrant], noun: str = ACCOUNT
) -> None:
    """Refuse unless the actor may act on behalf of a principal's account.

    Raises:
        NotFound, Forbidden: it may not see it, not change it, or it holds more than the actor.
    """
    if not may_see(actor, principal):
        raise policy.unknown(noun)
    policy.require(actor, f"{_NOUN[principal.kind]}.update", principal.path)
    for grant in held:
        _require_holding(actor, grant.role, grant.path)


def _require_sight(actor: Actor, principal: Principal) -> None:
    if not may_see(actor, principal):
        raise policy.unknown(ACCOUNT)


def _require_holding(actor: Actor, role: str, path: str) -> None:
    """Refuse unless the actor may itself do all that the role allows on the path."""
    lacking = sorted(
        action
        for action in policy.table().actions_of(role)
        if not policy.allows(actor, action, path)
    )
    if lacking:
        raise Forbidden(
            f"the role {role} on {path} allows what you may not do yourself",
            role=role, path=path, lacking=lacking,
        )  # fmt: skip


def _check_email(found: Collector, email: str) -> None:
    local, _, host = email.partition("@")
    usable = (
        local and host and "@" not in host and len(email) <= _MAX_EMAIL and not email.split()[1:]
    )
    found.check(not email or usable, "email", "must be an e-mail address")


def _changed(before: Principal, after: Principal) -> dict[str, object]:
    names = ("name", "email", "path", "state")
    return {
        name: [getattr(before, name), getattr(after, name)]
        for name in names
        if getattr(before, name) != getattr(after, name)
    }
