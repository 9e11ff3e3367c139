"""Trusted issuers, rules on the claims of their tokens, and which rule lets a workload in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NewType
from urllib.parse import urlsplit

from foundation.kernel.actor import PrincipalId
from foundation.kernel.errors import Collector, Conflict, Unauthenticated

IssuerId = NewType("IssuerId", str)
RuleId = NewType("RuleId", str)

#: The longest life of a token that a workload is given, and the shortest that makes sense.
LONGEST = timedelta(minutes=15)
SHORTEST = timedelta(minutes=1)
#: The largest token that is looked at, characters.
TOKEN_MAX = 16_384
#: How far clocks may be apart.
LEEWAY = timedelta(seconds=30)
#: A token that lives longer than this is a secret that somebody keeps, not a workload's.
SUBJECT_TOKEN_LIFE = timedelta(hours=24)
#: The keys that may be given with an issuer.
KEYS_MAX = 20

_SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_SLUG_MAX = 63
_CLAIM = re.compile(r"[A-Za-z0-9_./:-]{1,100}", re.ASCII)
_URL_MAX = 500
_PATTERN_MAX = 500
_MATCH_MAX = 20
#: Claims that say nothing of which workload it is.
_GENERAL = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti"})


class TokenNotAccepted(Unauthenticated):
    """A token of a workload that is not valid here; the message says why, for its owner."""

    code = "token_not_accepted"


class AmbiguousRules(Conflict):
    """Several rules are equally specific; ``details["rules"]`` names them."""

    code = "ambiguous_rules"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody whose tokens are believed.

    Attributes:
        slug: what administrators call it.
        url: the ``iss`` claim of its tokens, exactly.
        audience: what the ``aud`` claim must contain.
        keys: its public keys by hand (a JWK set); None finds them by OpenID Connect discovery.
    """

    id: IssuerId
    slug: str
    url: str
    audience: str
    keys: Mapping[str, Any] | None
    created_by: PrincipalId
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """Lets the workloads in whose claims match, as a service account of its own.

    Attributes:
        match: what each claim must be; see ``pattern``. All of them must match.
        account_id: the service account that such a workload acts as.
        roles: what it was granted on ``path``.
        scopes: the actions that its tokens are limited to; None for all that the roles allow.
        life: how long its tokens live.
    """

    id: RuleId
    slug: str
    issuer_id: IssuerId
    match: Mapping[str, str]
    account_id: PrincipalId
    path: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] | None
    life: timedelta
    created_by: PrincipalId
    created_at: datetime

    def matches(self, claims: Mapping[str, Any]) -> bool:
        """Whether every claim that the rule names is there and fits."""
        return all(_fits(pattern, claims.get(name)) for name, pattern in self.match.items())

    @property
    def specificity(self) -> tuple[int, int]:
        """How narrow it is: claims that must be exact, then all claims that it names."""
        exact = sum("*" not in pattern for pattern in self.match.values())
        return exact, len(self.match)


def pattern(text: str) -> re.Pattern[str]:
    """A claim's pattern: ``*`` stands for anything but ``/`` and ``:``, ``**`` for anything."""
    parts = [
        ".*" if part == "**" else "[^/:]*" if part == "*" else re.escape(part)
        for part in re.split(r"(\*\*|\*)", text)
    ]
    return re.compile("".join(parts), re.DOTALL)


def _fits(text: str, value: object) -> bool:
    if isinstance(value, list):
        return any(_fits(text, one) for one in value if not isinstance(one, list))
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int):
        value = str(value)
    return isinstance(value, str) and pattern(text).fullmatch(value) is not None


def chosen(rules: Iterable[Rule], claims: Mapping[str, Any], named: str = "") -> Rule | None:
    """The rule that lets a workload in: the one it names, else the most specific; None for none.

    Rights of several rules are never added: who writes a wide rule must know what it gives, whoever
    else writes rules.

    Raises:
        AmbiguousRules: two are equally specific.
    """
    fitting = [rule for rule in rules if rule.matches(claims) and named in {"", rule.slug}]
    if not fitting:
        return None
    best = max(rule.specificity for rule in fitting)
    first = [rule for rule in fitting if rule.specificity == best]
    if len(first) > 1:
        names = sorted(rule.slug for rule in first)
        raise AmbiguousRules(
            f"several rules fit this workload equally well ({', '.join(names)}): say which",
            rules=names,
        )
    return first[0]


def check_issuer(found: Collector, slug: str, url: str, audience: str) -> None:
    """Note what is wrong with an issuer."""
    _check_slug(found, slug)
    found.check(len(url) <= _URL_MAX and usable(url), "url", "must be an https address")
    found.check(audience.strip(), "audience", "is required", "required")
    found.check(len(audience) <= _URL_MAX, "audience", f"must be at most {_URL_MAX} characters")


def usable(url: str) -> bool:
    """Whether keys could be asked for at an address; http is for this machine alone.

    Whether a host may lie on a private address is the settings' to say, when it is asked.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    local = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    secure = parts.scheme == "https" or (parts.scheme == "http" and local)
    printable = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    return bool(plain and secure and printable and parts.hostname) and port != 0


def check_rule(found: Collector, slug: str, match: Mapping[str, str], life: timedelta) -> None:
    """Note what is wrong with a rule; a rule for every workload of an issuer is wrong."""
    _check_slug(found, slug)
    found.check(match, "match", "must name a claim", "required")
    found.check(len(match) <= _MATCH_MAX, "match", f"must name {_MATCH_MAX} claims or fewer")
    for name, text in match.items():
        field = f"match.{name}"
        found.check(_CLAIM.fullmatch(name), field, "is not the name of a claim")
        found.check(name not in _GENERAL, field, "says nothing of which workload it is")
        found.check(text.strip(), field, "must not be empty", "required")
        found.check(len(text) <= _PATTERN_MAX, field, f"must be at most {_PATTERN_MAX} characters")
    found.check(
        not match or any(_pins(text) for text in match.values()),
        "match",
        "must pin a claim: exactly, or by a beginning up to / or : before the first *",
    )
    within = SHORTEST <= life <= LONGEST
    found.check(within, "minutes", f"must be 1 to {LONGEST.seconds // 60}")


def _pins(text: str) -> bool:
    head, star, _ = text.partition("*")
    return not star or any(separator in head[1:] for separator in "/:")


def _check_slug(found: Collector, slug: str) -> None:
    fits = len(slug) <= _SLUG_MAX and _SLUG.fullmatch(slug)
    found.check(fits, "slug", "must be lower-case letters, digits and dashes")


def check_claims(claims: Mapping[str, Any], issuer: Issuer, now: datetime) -> None:
    """Refuse a signed token that is not for us, or not for now (RFC 7519, section 4.1).

    Raises:
        TokenNotAccepted: says what is wrong.
    """
    _require(claims.get("iss") == issuer.url, "its issuer is another one")
    audience = claims.get("aud")
    meant: Sequence[object] = audience if isinstance(audience, list) else [audience]
    _require(issuer.audience in meant, f"it is not for the audience {issuer.audience}")
    subject = claims.get("sub")
    named = isinstance(subject, str) and subject.strip() and subject.isprintable()
    _require(named, "it has no subject (sub)")
    expires, issued = _instant(claims, "exp"), _instant(claims, "iat")
    _require(expires is not None and issued is not None, "it does not say when it ends and began")
    leeway, present = LEEWAY.total_seconds(), now.timestamp()
    if expires is not None and issued is not None:  # as was required
        _require(present < expires + leeway, "it has expired")
        _require(issued <= present + leeway, "it was issued in the future")
        life = expires - issued
        _require(life <= SUBJECT_TOKEN_LIFE.total_seconds(), "it lives longer than a day")
    if "nbf" in claims:
        begins = _instant(claims, "nbf")
        _require(begins is not None and begins <= present + leeway, "it is not valid yet")
    if "jti" in claims:
        _require(isinstance(claims["jti"], str) and claims["jti"], "its id (jti) is no text")


def expiry(claims: Mapping[str, Any]) -> float:
    """When checked claims end, seconds since 1970."""
    return float(claims["exp"])


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 2**53 else None


def _require(ok: object, reason: str) -> None:
    if not ok:
        raise TokenNotAccepted(f"the token is not accepted: {reason}")
