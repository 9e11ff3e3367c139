"""People, service accounts, grants, sessions, tokens and the entries of the audit log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel import canonical
from foundation.kernel.actor import ActorKind, PrincipalId
from foundation.kernel.errors import Collector, Unavailable
from foundation.kernel.time import format_instant

GrantId = NewType("GrantId", str)
SessionId = NewType("SessionId", str)
TokenId = NewType("TokenId", str)

LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
PATH = re.compile(r"/([a-z0-9][a-z0-9-]*/)*", re.ASCII)
#: What a person or service account is called where none is to be seen.
ACCOUNT = "account"
PASSWORD_MIN = 12
PASSWORD_MAX = 200
PASSWORD_OWN = 8
NAME_MAX = 200

#: What a scoped token needs to manage its owner's own account (password, tokens).
ACCOUNT_SCOPE = "account.manage"


class SignInBlocked(Unavailable):
    """Too many failed sign-ins; more are taken after ``retry_after`` seconds."""

    code = "sign_in_blocked"


class PrincipalState(StrEnum):
    """Whether a principal may act."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service account.

    Attributes:
        login: the name to sign in with; unique among people and service accounts together.
        name: the name that others read.
        path: the organisation that it belongs to and whose administrators manage it.
        version: counts its changes, for If-Match.
    """

    id: PrincipalId
    kind: ActorKind
    login: str
    name: str
    email: str
    path: str
    state: PrincipalState
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role given to a principal on an organisation and all below it."""

    id: GrantId
    principal_id: PrincipalId
    role: str
    path: str
    granted_by: PrincipalId
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A web session; only a hash of its secret is stored.

    Attributes:
        csrf_token: what unsafe requests must repeat.
        expires_at: its absolute end; it also ends after a while without use.
    """

    id: SessionId
    principal_id: PrincipalId
    csrf_token: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sessions last: without use, and at most."""

    idle: timedelta = timedelta(hours=12)
    absolute: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Token:
    """An API token; only a hash of its secret is stored.

    Attributes:
        hint: the first characters of the secret, by which its owner knows it again.
        scopes: the actions it is limited to (by name, ``noun.*`` or ``*.verb``); None for all that
            its owner may do.
    """

    id: TokenId
    principal_id: PrincipalId
    name: str
    hint: str
    scopes: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class Outcome(StrEnum):
    """How an audited action ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to what, where and with what outcome; linked to the entry before it.

    Attributes:
        seq: 1, 2, 3, … without a gap.
        prev: the hash of the entry before, of 64 zeros for the first.
        hash: SHA-256 of the canonical JSON of all else.
        key: given by work that may run more than once; each key has one entry.
    """

    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    action: str
    subject: str
    path: str
    outcome: Outcome
    detail: Mapping[str, Any]
    prev: str
    hash: str = ""
    key: str | None = None

    def computed_hash(self) -> str:
        """What ``hash`` must be."""
        content = {
            "seq": self.seq,
            "at": format_instant(self.at),
            "actor_id": self.actor_id,
            "actor_name": self.actor_name,
            "action": self.action,
            "subject": self.subject,
            "path": self.path,
            "outcome": self.outcome.value,
            "detail": self.detail,
            "key": self.key,
            "prev": self.prev,
        }
        return canonical.digest(content).removeprefix("sha256:")


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted; None wants all.

    Attributes:
        actor: the id of who acted.
        action: by name, or ``order.*`` for all of a noun.
        subject: the id of what was acted upon.
        since, until: from this instant on, and before that one.
    """

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


#: What the first entry names as the one before it.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the audit log, at an entry."""

    seq: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of reading the whole audit log.

    Attributes:
        entries: how many were read.
        head_seq, head_hash: the last of them: keep these elsewhere, and a later verification that
            is given them also finds a log that was cut and sealed again.
        findings: the first hundred things wrong; none when all is well.
    """

    entries: int
    head_seq: int
    head_hash: str
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings


def check_login(found: Collector, login: str) -> None:
    """Note what is wrong with a name to sign in with."""
    found.check(
        LOGIN.fullmatch(login),
        "login",
        "must be lower-case letters, digits, '.', '_' or '-', at most 63",
    )


def check_name(found: Collector, name: str, field_name: str = "name") -> None:
    """Note what is wrong with a name that others read."""
    found.check(name.strip(), field_name, "is required", "required")
    found.check(len(name) <= NAME_MAX, field_name, f"must be at most {NAME_MAX} characters")


def check_path(found: Collector, path: str) -> bool:
    """Note what is wrong with an organisation's path; answers whether nothing is."""
    return found.check(PATH.fullmatch(path), "path", "must be a path such as /city/health/")


def check_password(found: Collector, password: str, login: str) -> None:
    """Note what is wrong with a new password (NIST SP 800-63B: long rather than contrived)."""
    length = PASSWORD_MIN <= len(password) <= PASSWORD_MAX
    found.check(length, "password", f"must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    without = password.lower().replace(login.lower(), "")
    own = not length or len(without) >= PASSWORD_OWN
    found.check(own, "password", f"needs {PASSWORD_OWN} characters besides the name to sign in")
    varied = len(set(password)) > PASSWORD_MIN // 3
    found.check(not length or varied, "password", "repeats too few characters")
