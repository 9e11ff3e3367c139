"""Signing in, sessions and API tokens: how a request becomes an actor."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from foundation.access import policy
from foundation.access.model import (
    ACCOUNT,
    ACCOUNT_SCOPE,
    LOGIN,
    NAME_MAX,
    Outcome,
    Principal,
    PrincipalState,
    Session,
    SessionId,
    SessionRules,
    SignInBlocked,
    Token,
    TokenId,
    check_password,
)
from foundation.access.ports import Credentials, Passwords, Principals
from foundation.access.service.audit import AuditLog
from foundation.access.service.people import require_manages
from foundation.access.service.secret import TOKEN_PREFIX, hashed, new_secret, well_formed
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Forbidden, NotFound, Unauthenticated
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock

_HINT_LENGTH = len(TOKEN_PREFIX) + 4

#: A series of attempts to sign in is forgotten this long after it began.
WINDOW = timedelta(minutes=15)
#: How many attempts a series may have: for one name from one address, for one name from anywhere
#: (else an attacker with many addresses has many tries, or could lock others out at once), and
#: for one address with any name.
LIMITS = {"pair": 5, "name": 50, "address": 100}
#: How often the use of a session or a token is written down.
_TOUCH = timedelta(minutes=1)
_WRONG = "the name or the password is wrong"
_MAX_ADDRESS = 100


class Gate:
    """Turns passwords into sessions and tokens, and those into actors.

    Args:
        principals, credentials, passwords: see the ports.
        audit: where signing in and tokens are noted.
        db: the unit of work.
        clock: the time.
        rules: how long sessions last.
        longest: the longest life of a token.
    """

    def __init__(
        self,
        principals: Principals,
        credentials: Credentials,
        passwords: Passwords,
        audit: AuditLog,
        db: UnitOfWork,
        clock: Clock,
        *,
        rules: SessionRules | None = None,
        longest: timedelta = timedelta(days=90),
    ) -> None:
        self._principals = principals
        self._credentials = credentials
        self._passwords = passwords
        self._audit = audit
        self._db = db
        self._clock = clock
        self.rules = rules or SessionRules()
        self.longest = longest

    # Signing in

    def sign_in(
        self, login: str, password: str, *, address: str, replaces: str | None = None
    ) -> tuple[Session, str]:
        """Begin a web session.

        Args:
            login: the name.
            password: the password.
            address: where the request comes from.
            replaces: the secret of the session that the browser had until now; it ends.

        Returns:
            The session and its secret, for the cookie.

        Raises:
            Unauthenticated: the name or the password is wrong; it does not say which.
            SignInBlocked: too many attempts.
        """
        person = self._authenticate(login, password, address)
        now = self._clock.now()
        secret = secrets.token_urlsafe(32)
        session = Session(
            id=SessionId(ids.new("ses")),
            principal_id=person.id,
            csrf_token=secrets.token_urlsafe(32),
            created_at=now,
            last_seen_at=now,
            expires_at=now + self.rules.absolute,
        )
        with self._db.transaction():
            old = self._credentials.session(hashed(replaces)) if replaces else None
            if old is not None:
                self._credentials.end_session(old.id)
            self._credentials.sweep_sessions(now, now - self.rules.idle)
            self._credentials.add_session(session, hashed(secret))
            self._audit.record(
                self._actor(person), "session.create", path=person.path, subject=session.id,
                details={"address": address},
            )  # fmt: skip
        return session, secret

    def sign_out(self, secret: str) -> None:
        """End a web session; nothing happens when it has ended already."""
        with self._db.transaction():
            session = self._credentials.session(hashed(secret))
            person = self._principals.get(session.principal_id) if session else None
            if session is not None and person is not None:
                self.end_session(self._actor(person), session.id)

    def end_session(self, actor: Actor, session_id: str) -> None:
        """End the session that the request carries."""
        with self._db.transaction():
            person = self._principals.get(actor.id)
            path = policy.ROOT if person is None else person.path
            self._credentials.end_session(SessionId(session_id))
            self._audit.record(actor, "session.end", path=path, subject=session_id)

    def by_session(self, secret: str) -> tuple[Actor, Session] | None:
        """The owner of a session, and the session.

        None when it has ended, or its owner may not act.
        """
        now = self._clock.now()
        with self._db.reading():  # each request of a person does it
            session = self._credentials.session(hashed(secret))
            if session is None or self._over(session, now):
                return None
            person = self._principals.get(session.principal_id)
            if person is None or person.state is not PrincipalState.ACTIVE:
                return None
            actor = self._actor(person)
        if now - session.last_seen_at >= _TOUCH:
            with self._db.transaction():
                self._credentials.touch_session(session.id, now)
        return actor, session

    def _over(self, session: Session, now: datetime) -> bool:
        return now >= session.expires_at or now - session.last_seen_at >= self.rules.idle

    def change_password(
        self, actor: Actor, *, present: str, new: str, address: str, session_id: str | None = None
    ) -> None:
        """Change one's own password; all other sessions of it end.

        Raises:
            Unauthenticated: the present password is wrong.
            SignInBlocked: too many attempts.
            Invalid: the new one is too weak.
            Forbidden: a token whose scopes leave the account alone.
        """
        _require_own_account(actor)
        with self._db.transaction():
            person = self._principals.get(actor.id)
        if person is None:
            raise NotFound("there is no such person")
        found = Collector()
        check_password(found, new, person.login)
        found.finish()
        self._authenticate(person.login, present, address)
        password_hash = self._passwords.hash(new)
        with self._db.transaction():
            self._principals.set_password(person.id, password_hash)
            self._credentials.end_sessions_of(person.id, but=session_id)
            self._audit.record(actor, "person.set_password", path=person.path, subject=person.id)

    def _authenticate(self, login: str, password: str, address: str) -> Principal:
        """The person with this name and password.

        The attempt is counted before it is judged, so that many at once do not slip by, and an
        unknown name takes as long and is blocked as soon as a known one.
        """
        login, address = login.strip().lower(), address[:_MAX_ADDRESS]
        keys = {
            "pair": hashed(f"pair:{login}:{address}"),
            "name": hashed(f"name:{login}"),
            "address": hashed(f"address:{address}"),
        }
        self._count(keys)
        with self._db.transaction():
            known = self._principals.by_login(login) if LOGIN.fullmatch(login) else None
        person, kept = known if known is not None else (None, None)
        right = self._passwords.verify(kept, password)
        if person is None or not right or person.state is not PrincipalState.ACTIVE:
            self._note_failure(person, address)
            raise Unauthenticated(_WRONG)
        fresh = self._passwords.hash(password) if self._passwords.stale(kept or "") else None
        with self._db.transaction():
            self._credentials.clear_attempts([keys["pair"], keys["name"]])
            if fresh is not None:
                self._principals.set_password(person.id, fresh)
        # A whole department may sign in from one address: only failures count against it. This has
        # its own transaction, so that two sign-ins never hold what the other waits for.
        with self._db.transaction():
            self._credentials.forgive_attempt(keys["address"])
        return person

    def _count(self, keys: dict[str, str]) -> None:
        now = self._clock.now()
        blocked = []
        with self._db.transaction():
            self._credentials.sweep_attempts(now - 2 * WINDOW)
            # In the order of their keys, so that two sign-ins never wait for each other.
            for kind, key in sorted(keys.items(), key=lambda item: item[1]):
                count, began_at = self._credentials.count_attempt(key, now, now - WINDOW)
                if count > LIMITS[kind]:
                    blocked.append((began_at + WINDOW - now).total_seconds())
        if blocked:
            raise SignInBlocked("too many attempts to sign in: wait", retry_after=max(blocked))

    def _note_failure(self, person: Principal | None, address: str) -> None:
        # What was typed as a name is not kept: people type passwords there.
        with self._db.transaction():
            self._audit.record(
                Actor.system("sign-in"),
                "session.create",
                path=policy.ROOT if person is None else person.path,
                subject="" if person is None else person.id,
                outcome=Outcome.REFUSED,
                details={"address": address},
            )

    # Tokens

    def token_by_password(
        self,
        login: str,
        password: str,
        *,
        address: str,
        name: str,
        days: int = 30,
        scopes: Sequence[str] | None = None,
    ) -> tuple[Token, str]:
        """Sign in and make a token, for the command line.

        Raises:
            Unauthenticated: the name or the password is wrong; it does not say which.
            SignInBlocked: too many attempts.
            Invalid: names every wrong field.
        """
        self._check_token(name, days, scopes)
        person = self._authenticate(login, password, address)
        return self._issue(self._actor(person), person, name, timedelta(days=days), scopes)

    def create_token(
        self,
        actor: Actor,
        *,
        name: str,
        days: int = 30,
        scopes: Sequence[str] | None = None,
        principal_id: str | None = None,
    ) -> tuple[Token, str]:
        """Make a token for oneself, or for a service account that one manages.

        Returns:
            The token and its secret, which is not kept.

        Raises:
            Invalid: names every wrong field.
            Forbidden: for a person other than oneself, for an account that holds more than the
                actor, or with wider scopes than the token that asks has itself.
            NotFound: there is no such account that the actor may see.
        """
        self._check_token(name, days, scopes)
        _require_own_account(actor)
        _require_narrower(actor, scopes)
        with self._db.transaction():
            owner = self._principals.get(principal_id or actor.id)
            if owner is None:
                raise policy.unknown(ACCOUNT)
            if owner.id != actor.id:
                self._require_service_account(actor, owner)
            return self._issue(actor, owner, name, timedelta(days=days), scopes)

    def issue_for_workload(
        self,
        account_id: PrincipalId,
        *,
        name: str,
        life: timedelta,
        scopes: Sequence[str] | None = None,
    ) -> tuple[Token, str]:
        """Make a token of a service account for a workload that has shown who it is.

        For the workload identity alone, which has decided that it may have one.

        Raises:
            Forbidden: the account is disabled or no service account.
        """
        with self._db.transaction():
            owner = self._principals.get(account_id)
            active = owner is not None and owner.state is PrincipalState.ACTIVE
            if owner is None or not active or owner.kind is not ActorKind.SERVICE:
                raise Forbidden("the service account of this rule is disabled")
            return self._issue(self._actor(owner), owner, name, life, scopes)

    def _require_service_account(self, actor: Actor, owner: Principal) -> None:
        require_manages(actor, owner, self._principals.grants_of(owner.id))
        if owner.kind != "service":
            raise Forbidden("a person's tokens are made by that person")

    def _check_token(self, name: str, days: int, scopes: Sequence[str] | None) -> None:
        found = Collector()
        found.check(name.strip(), "name", "is required", "required")
        found.check(len(name) <= NAME_MAX, "name", f"must be at most {NAME_MAX} characters")
        found.check(
            1 <= days <= self.longest.days, "days", f"must be from 1 to {self.longest.days}"
        )
        check_scopes(found, scopes)
        found.finish()

    def _issue(
        self,
        actor: Actor,
        owner: Principal,
        name: str,
        life: timedelta,
        scopes: Sequence[str] | None,
    ) -> tuple[Token, str]:
        now = self._clock.now()
        secret = new_secret()
        token = Token(
            id=TokenId(ids.new("tok")),
            principal_id=owner.id,
            name=name.strip(),
            hint=secret[:_HINT_LENGTH],
            scopes=None if scopes is None else tuple(sorted(set(scopes))),
            created_at=now,
            expires_at=now + life,
        )
        with self._db.transaction():
            self._credentials.add_token(token, hashed(secret))
            self._audit.record(
                actor, "token.create", path=owner.path, subject=token.id,
                details={"owner": owner.id, "scopes": token.scopes, "expires_at": token.expires_at},
            )  # fmt: skip
        return token, secret

    def tokens(
        self, actor: Actor, page: PageRequest, *, principal_id: str | None = None
    ) -> Page[Token]:
        """One's own tokens, or those of an account that one manages; newest first.

        Raises:
            Forbidden, NotFound: the account is not the actor's to manage.
        """
        _require_own_account(actor)
        with self._db.transaction():
            owner = self._owner(actor, principal_id or actor.id)
            return self._credentials.tokens(owner, page)

    def revoke_token(self, actor: Actor, token_id: str) -> None:
        """End a token; once more is no error. A token may always end itself.

        Raises:
            NotFound: there is none that the actor may see.
            Forbidden: its owner is not the actor's to manage.
        """
        with self._db.transaction():
            token = self._credentials.token(token_id)
            if token is None:
                raise policy.unknown("token")
            if token.principal_id != actor.id:
                self._owner(actor, token.principal_id, "token")
            _require_own_account(actor)
            self._revoke(actor, token)

    def end_token(self, actor: Actor, token_id: str) -> None:
        """End the very token that the request carries (signing out of the command line)."""
        with self._db.transaction():
            token = self._credentials.token(token_id)
            if token is not None and token.principal_id == actor.id:
                self._revoke(actor, token)

    def _revoke(self, actor: Actor, token: Token) -> None:
        owner = self._principals.get(token.principal_id)
        self._credentials.revoke_token(token.id, self._clock.now())
        path = policy.ROOT if owner is None else owner.path
        self._audit.record(actor, "token.revoke", path=path, subject=token.id)

    def _owner(self, actor: Actor, principal_id: str, noun: str = ACCOUNT) -> PrincipalId:
        if principal_id == actor.id:
            return actor.id
        owner = self._principals.get(principal_id)
        if owner is None:
            raise policy.unknown(noun)
        require_manages(actor, owner, (), noun)
        return owner.id

    def by_token(self, secret: str) -> tuple[Actor, Token]:
        """The actor that a token stands for: its owner, within the token's scopes.

        Raises:
            Unauthenticated: not a token of ours, expired, revoked, or its owner may not act.
        """
        if not well_formed(secret):
            raise Unauthenticated("the token is not valid")
        now = self._clock.now()
        with self._db.reading():  # each request of a program does it
            token = self._credentials.token_by_secret(hashed(secret))
            if token is None or token.revoked_at is not None:
                raise Unauthenticated("the token is not valid")
            if now >= token.expires_at:
                raise Unauthenticated("the token has expired: sign in again")
            owner = self._principals.get(token.principal_id)
            if owner is None or owner.state is not PrincipalState.ACTIVE:
                raise Unauthenticated("the token is not valid")
            actor = self._actor(owner, token.scopes)
        if token.last_used_at is None or now - token.last_used_at >= _TOUCH:
            with self._db.transaction():
                self._credentials.touch_token(token.id, now)
        return actor, token

    def _actor(self, principal: Principal, scopes: Sequence[str] | None = None) -> Actor:
        with self._db.reading():
            held = self._principals.grants_of(principal.id)
        return Actor(
            id=principal.id,
            name=principal.name,
            kind=principal.kind,
            grants=tuple(Grant(grant.role, grant.path) for grant in held),
            scopes=None if scopes is None else frozenset(scopes),
        )


def check_scopes(found: Collector, scopes: Sequence[str] | None) -> None:
    """Note what is wrong with what a token is to be limited to."""
    found.check(scopes is None or scopes, "scopes", "must name an action, or be left out")
    for index, scope in enumerate(scopes or ()):
        found.check(_admitted(scope), f"scopes.{index}", "is not an action, noun.* or *.verb")


def _expanded(scope: str) -> frozenset[str]:
    """The actions that a scope admits."""
    known = policy.table().all_actions() | {ACCOUNT_SCOPE}
    return frozenset(action for action in known if policy.in_scope(frozenset({scope}), action))


def _admitted(scope: str) -> bool:
    return bool(_expanded(scope))


def _require_own_account(actor: Actor) -> None:
    if not policy.in_scope(actor.scopes, ACCOUNT_SCOPE):
        raise Forbidden(f"this token's scopes leave out {ACCOUNT_SCOPE}", action=ACCOUNT_SCOPE)


def _require_narrower(actor: Actor, scopes: Sequence[str] | None) -> None:
    if actor.scopes is None:
        return
    wanted = None if scopes is None else frozenset().union(*(_expanded(s) for s in scopes))
    if wanted is None or not all(policy.in_scope(actor.scopes, action) for action in wanted):
        raise Forbidden("a token makes no token with wider scopes than its own")
