"""Verifies a presentation with what is at hand: no network, no database, no clock of its own.

The page of the verifier does the same in the browser (``static/verify.js``); one set of attacks is
tried on both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from foundation.kernel.text import Text
from workloads.data_exchange.licences.model import integrity
from workloads.data_exchange.licences.trust import Issuer, Trust, metadata
from workloads.data_exchange.proofs import jws, sdjwt, statuslist
from workloads.data_exchange.proofs.keys import ProofError
from workloads.data_exchange.proofs.sdjwt import Binding
from workloads.data_exchange.proofs.statuslist import Status

#: Claims that are about the licence rather than in it.
TECHNICAL = frozenset({"iss", "iat", "nbf", "exp", "vct", "vct#integrity", "cnf", "status"})


class LicenceVerdict(StrEnum):
    """What a verifier may do.

    ``unsure``: all holds but that nobody here can say whether the licence was revoked.
    """

    HOLDS = "holds"
    UNSURE = "unsure"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a presentation says.

    Attributes:
        verdict: all in all.
        why: what does not hold, or what is not known; empty when it holds.
        claims: what was shown; empty when it fails.
        labels: what the shown fields are called.
        title: of the type.
        issuer: its name; ``address``: its ``iss``.
        status: ``valid``, ``invalid``, ``suspended``, ``other`` or ``unknown``.
        as_of: when the issuer said so; it says nothing of what happened later.
        stale: whether a fresh status list should have been fetched by now.
        valid_until: when it ends.
    """

    verdict: LicenceVerdict
    why: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Text] = field(default_factory=dict)
    title: Text = Text("", "")  # noqa: RUF009 - frozen
    issuer: Text = Text("", "")  # noqa: RUF009 - frozen
    address: str = ""
    status: str = "unknown"
    as_of: datetime | None = None
    stale: bool = False
    valid_until: datetime | None = None


def verify(
    text: str, trust: Trust, *, at: datetime, binding: Binding | None, vct: str = ""
) -> Shown:
    """What a presentation says, and whether it holds; never raises for what was presented.

    Args:
        text: SD-JWT, with key binding where one is wanted.
        trust: whose licences count.
        at: now.
        binding: the nonce and the audience that the verifier gave; None: it asked for none.
        vct: the type that was asked for; any when empty.
    """
    try:
        return _verify(text.strip(), trust, at, binding, vct)
    except ProofError as error:
        return Shown(LicenceVerdict.FAILS, str(error))


def _verify(text: str, trust: Trust, at: datetime, binding: Binding | None, vct: str) -> Shown:
    taken = jws.parse(sdjwt.parse(text).signed)
    # Only which key is tried comes out of what is not verified yet.
    named = sdjwt.peek(taken)
    issuer = trust.issuers.get(str(named.get("iss")))
    if issuer is None:
        raise ProofError("its issuer is not known here")
    key = issuer.key(taken)
    claims = sdjwt.verified(text, key.key, at=at, binding=binding)
    if not key.signs_at(claims.get("iat", at.timestamp())):
        raise ProofError("the key did not sign at that time")
    if vct and claims["vct"] != vct:
        raise ProofError("it is a licence of another type than was asked for")
    about = _type(issuer, claims)
    until = claims.get("exp")
    found = {
        "claims": {name: value for name, value in claims.items() if name not in TECHNICAL},
        "labels": _labels(about), "title": _local(about.get("display"), "name"),
        "issuer": issuer.name, "address": issuer.issuer,
        "valid_until": None if until is None else datetime.fromtimestamp(until, at.tzinfo),
    }  # fmt: skip
    return Shown(**{**found, **_status(issuer, claims, at)})


def _type(issuer: Issuer, claims: Mapping[str, Any]) -> dict[str, Any]:
    text = issuer.types.get(claims["vct"])
    if text is None:
        raise ProofError("its issuer issues no such type, or it is not known here")
    if claims.get("vct#integrity", integrity(text)) != integrity(text):
        raise ProofError("its type was changed since it was issued")
    about = metadata(text)
    for one in about.get("claims", []):
        path = one["path"]
        if one.get("sd") == "never" and one.get("mandatory") and path[0] not in claims:
            raise ProofError("a field is missing that is always shown")
    return about


def _status(issuer: Issuer, claims: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    if "status" not in claims:
        return {"verdict": LicenceVerdict.HOLDS, "status": "valid", "why": "", "as_of": None}
    uri, index = statuslist.place_of(claims)
    token = issuer.lists.get(uri)
    if token is None:
        return {"verdict": LicenceVerdict.UNSURE, "why": "its status list is not at hand"}
    key = issuer.key(jws.parse(token))
    try:
        listed = statuslist.opened(token, key.key, uri=uri, at=at)
    except statuslist.Expired as error:
        return {
            "verdict": LicenceVerdict.UNSURE,
            "why": str(error),
            "as_of": error.at,
            "stale": True,
        }
    if not key.signs_at(listed.at.timestamp()):
        raise ProofError("the key of the status list did not sign at that time")
    value = listed.statuses[index]
    told = {"as_of": listed.at, "stale": listed.stale(at)}
    if value == Status.VALID:
        return {**told, "verdict": LicenceVerdict.HOLDS, "status": "valid", "why": ""}
    word = Status(value).name.lower() if value in set(Status) else "other"
    why = {"invalid": "it was revoked", "suspended": "it is suspended"}
    # What was shown is not handed on: a licence that does not count says nothing.
    return {
        **told, "verdict": LicenceVerdict.FAILS, "status": word, "claims": {},
        "why": why.get(word, "its status is none that counts"),
    }  # fmt: skip


def _labels(about: Mapping[str, Any]) -> dict[str, Text]:
    return {
        str(one["path"][0]): _local(one.get("display"), "label") for one in about.get("claims", [])
    }


def _local(display: object, name: str) -> Text:
    found = {
        str(one.get("locale", "")): str(one.get(name, ""))
        for one in (display if isinstance(display, list) else [])
        if isinstance(one, dict)
    }
    english = found.get("en", "")
    return Text(english, found.get("zh", english))
