"""What access needs of the outside."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from foundation.access.model import (
    AuditEntry,
    AuditQuery,
    GrantId,
    Principal,
    RoleGrant,
    Session,
    SessionId,
    Token,
    TokenId,
)
from foundation.kernel.actor import ActorKind, PrincipalId
from foundation.kernel.paging import Page, PageRequest


class Passwords(Protocol):
    """A slow, salted hash of passwords."""

    def hash(self, password: str) -> str:
        """A new hash, with its salt and parameters in it."""
        ...

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; takes as long for None."""
        ...

    def stale(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than those of now."""
        ...


class Principals(Protocol):
    """People and service accounts, and what they were granted."""

    def add(self, principal: Principal, password_hash: str | None) -> bool:
        """Keep a new one; False when its login is taken."""
        ...

    def get(self, principal_id: str) -> Principal | None:
        """One by id."""
        ...

    def by_login(self, login: str) -> tuple[Principal, str | None] | None:
        """One by the name to sign in with, and the hash of its password."""
        ...

    def list(
        self, kind: ActorKind, prefixes: Sequence[str], text: str, page: PageRequest
    ) -> Page[Principal]:
        """Those that belong to one of the paths or below, by login; ``text`` is part of a name."""
        ...

    def update(self, principal: Principal, version: int) -> bool:
        """Keep a change of that version; False when it has changed meanwhile."""
        ...

    def set_password(self, principal_id: PrincipalId, password_hash: str) -> None:
        """Keep another password."""
        ...

    def any_with_role(self, role: str, path: str, besides: str = "") -> bool:
        """Whether an active principal, but that one, holds the role on exactly this path."""
        ...

    def add_grant(self, grant: RoleGrant) -> bool:
        """Keep a grant; False when the principal has the role on the path already."""
        ...

    def grant(self, grant_id: str) -> RoleGrant | None:
        """One grant."""
        ...

    def grants_of(self, principal_id: PrincipalId) -> tuple[RoleGrant, ...]:
        """All grants of a principal."""
        ...

    def grants(
        self, prefixes: Sequence[str], principal_id: str | None, page: PageRequest
    ) -> Page[RoleGrant]:
        """Grants on one of the paths or below, oldest first."""
        ...

    def remove_grant(self, grant_id: GrantId) -> None:
        """Take a grant away."""
        ...


class Credentials(Protocol):
    """Sessions, tokens and failed sign-ins."""

    def add_session(self, session: Session, secret_hash: str) -> None:
        """Keep a new session."""
        ...

    def session(self, secret_hash: str) -> Session | None:
        """The session of a secret."""
        ...

    def touch_session(self, session_id: SessionId, now: datetime) -> None:
        """Note that it was used."""
        ...

    def end_session(self, session_id: SessionId) -> None:
        """End it."""
        ...

    def end_sessions_of(self, principal_id: PrincipalId, but: str | None = None) -> None:
        """End all sessions of a principal, but the one with that id."""
        ...

    def sweep_sessions(self, now: datetime, idle_before: datetime) -> None:
        """Forget some of the sessions that have ended."""
        ...

    def add_token(self, token: Token, secret_hash: str) -> None:
        """Keep a new token."""
        ...

    def token(self, token_id: str) -> Token | None:
        """One token by id."""
        ...

    def token_by_secret(self, secret_hash: str) -> Token | None:
        """The token of a secret."""
        ...

    def tokens(self, principal_id: PrincipalId, page: PageRequest) -> Page[Token]:
        """The tokens of a principal, newest first; revoked ones too."""
        ...

    def touch_token(self, token_id: TokenId, now: datetime) -> None:
        """Note that it was used."""
        ...

    def revoke_token(self, token_id: TokenId, now: datetime) -> None:
        """Revoke it, if it is not revoked yet."""
        ...

    def revoke_tokens_of(self, principal_id: PrincipalId, now: datetime) -> None:
        """Revoke all tokens of a principal."""
        ...

    def count_attempt(self, key: str, now: datetime, window: datetime) -> tuple[int, datetime]:
        """Count a sign-in that begins.

        Args:
            key: what is counted, such as one name from one address.
            now: the present.
            window: attempts whose series began before this are forgotten.

        Returns:
            How many there are in the series, and when it began.
        """
        ...

    def clear_attempts(self, keys: Sequence[str]) -> None:
        """Forget the attempts of these keys: a sign-in succeeded."""
        ...

    def forgive_attempt(self, key: str) -> None:
        """Take one attempt off a series: it was no failure."""
        ...

    def sweep_attempts(self, before: datetime) -> None:
        """Forget some of the series that began before this."""
        ...


class AuditStore(Protocol):
    """The rows of the audit log and the row of its head."""

    def snapshot(self) -> None:
        """Read one state of the log until the transaction ends; call it first in one."""
        ...

    def lock_head(self) -> tuple[int, str, str]:
        """The last entry's number, hash and seal, locked until the transaction ends."""
        ...

    def append(self, entry: AuditEntry, seal: str) -> None:
        """Keep an entry and make it the head."""
        ...

    def has(self, key: str) -> bool:
        """Whether there is an entry with this key."""
        ...

    def head(self) -> tuple[int, str, str]:
        """The last entry's number, hash and seal."""
        ...

    def read(self, after: int, until: int) -> Iterator[AuditEntry]:
        """The entries in ``(after, until]`` in order, streamed."""
        ...

    def beyond(self, seq: int) -> int:
        """How many entries have a number above this."""
        ...

    def list(
        self,
        prefixes: Sequence[str],
        query: AuditQuery,
        page: PageRequest,
    ) -> Page[AuditEntry]:
        """Entries on one of the paths or below, newest first."""
        ...


class Places(Protocol):
    """The tree of organisations, which is above this feature."""

    def exists(self, path: str) -> bool:
        """Whether an organisation has this path; called in the open transaction."""
        ...
