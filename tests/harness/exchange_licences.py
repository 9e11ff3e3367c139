"""Licences for tests: a type, a holder with keys of their own, and attacks on verifiers."""

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from foundation.kernel.text import Text
from tests.harness.exchange import CIVIL, SYSTEM
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.licences.model import (
    Disclosure,
    LicenceField,
    LicenceType,
    metadata_of,
)
from workloads.data_exchange.licences.offers import POSSESSION, Handed
from workloads.data_exchange.licences.service import Offer, Wish
from workloads.data_exchange.proofs import jws, sdjwt, statuslist
from workloads.data_exchange.proofs.keys import PrivateKey, encoded
from workloads.data_exchange.proofs.others import P256PrivateKey
from workloads.data_exchange.proofs.sdjwt import Binding, Sd
from workloads.data_exchange.proofs.statuslist import Status, StatusList

BASE = "https://exchange.example"
CLAIMS = {"number": "JY1", "name": "Example Noodles", "address": "1 Example Road"}


def licence_type(**changes: Any) -> LicenceType:
    """A type with a field that is always shown and two that are chosen."""
    made = LicenceType(
        CIVIL, "food", Text("Food licence", "食品许可"), Text("To sell food", "可售食品"),
        (
            LicenceField("number", Text("Number", "编号"), {"type": "string", "maxLength": 20},
                         disclosure=Disclosure.ALWAYS),
            LicenceField("name", Text("Business", "名称"), {"type": "string"}),
            LicenceField("address", Text("Address", "地址"), {"type": "string"}),
            LicenceField("seats", Text("Seats", "座位"), {"type": "integer"}, required=False),
        ),
        days=365,
    )  # fmt: skip
    return replace(made, **changes)


def made_type(exchange: Exchange, **changes: Any) -> LicenceType:
    """The same, made, by an agency that has a key."""
    exchange.keys.generate(SYSTEM, CIVIL)
    return exchange.licensing.types.create(SYSTEM, licence_type(**changes), BASE)


def offered(exchange: Exchange, made: LicenceType, **claims: Any) -> tuple[str, Offer]:
    """The id of a licence, and its offer."""
    found = exchange.licensing.licences.propose(
        SYSTEM, made.id, Wish("case-1", {**CLAIMS, **claims})
    )
    assert found.offer is not None
    return found.licence.id, found.offer


class Holder:
    """Somebody with keys."""

    def __init__(self, copies: int = 1) -> None:
        self.keys = [P256PrivateKey.generate() for _ in range(copies)]

    def proofs(self, issuer: str, nonce: str, at: datetime) -> list[str]:
        """A proof of possession of each key."""
        told = {"aud": issuer, "nonce": nonce, "iat": int(at.timestamp())}
        return [
            jws.sign_as_holder(told, key, POSSESSION, jwk=key.public.jwk()) for key in self.keys
        ]

    def take(self, exchange: Exchange, offer: Offer, at: datetime) -> Handed:
        """Take an offer."""
        offers = exchange.licensing.offers
        found = offers.open(offer.token, offer.pin)
        proofs = self.proofs(found.type.issuer, found.nonce, at)
        return offers.claim(offer.token, offer.pin, proofs)

    def show(self, text: str, names: set[str], binding: Binding, at: datetime, n: int = 0) -> str:
        """Show some fields of the copy ``n``."""

        def wanted(one: str) -> bool:
            parts = json.loads(sdjwt.decoded(one))
            return parts[1] in names

        return sdjwt.present(
            text, wanted, self.keys[n], nonce=binding.nonce, aud=binding.aud, at=at
        )


@dataclass(frozen=True)
class Case:
    """Something presented.

    Attributes:
        trust: a trust document, as JSON.
        verdict: what a verifier must find.
        why: some of what it must say.
    """

    name: str
    text: str
    trust: dict[str, Any]
    verdict: str
    why: str = ""
    vct: str = ""


ISSUER, OLD, STRANGER = (PrivateKey(bytes([n]) * 32) for n in (11, 12, 13))
WANTED = Binding("nonce-1", f"{BASE}/desk")
_LIST = f"{BASE}/status-lists/lst_1"


class Stage:
    """An issuer, a holder and a verifier's trust, at a moment, without any database."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.holder = Holder()
        made = replace(licence_type(), issuer=f"{BASE}/issuers/agy_1", vct=f"{BASE}/vct/lty_1")
        self.type = replace(made, metadata=metadata_of(made))

    def second(self, **delta: float) -> int:
        """A moment as seconds since 1970."""
        return int((self.at + timedelta(**delta)).timestamp())

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What an honest licence says; a change to None leaves out."""
        told = {
            "iss": self.type.issuer, "vct": self.type.vct, "vct#integrity": self.type.integrity,
            "iat": self.second(days=-1), "nbf": self.second(days=-1), "exp": self.second(days=9),
            "cnf": {"jwk": self.holder.keys[0].public.jwk()}, "number": "JY1",
            "name": Sd("Example Noodles"), "address": Sd("1 Example Road"),
            "status": {"status_list": {"idx": 7, "uri": _LIST}}, **changes,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    def licence(self, key: PrivateKey = ISSUER, **changes: Any) -> str:
        """An SD-JWT."""
        return sdjwt.issue(self.claims(**changes), key, decoys=2)

    def shown(self, text: str = "", names: frozenset[str] = frozenset({"name"})) -> str:
        """A presentation of the name."""
        return self.holder.show(text or self.licence(), set(names), WANTED, self.at)

    def listed(
        self, statuses: Mapping[int, int], *, key: PrivateKey = ISSUER, size: int = 64,
        **changes: Any,
    ) -> str:  # fmt: skip
        """A status list token."""
        made = StatusList(size)
        for index, value in statuses.items():
            made[index] = value
        told = {
            "sub": _LIST, "iat": self.second(minutes=-1), "exp": self.second(hours=1), "ttl": 300,
            "status_list": made.claim(), **changes,
        }  # fmt: skip
        return jws.sign({k: v for k, v in told.items() if v is not None}, key, statuslist.TYP)

    def trust(self, *, token: str | None = None, keys: Any = None) -> dict[str, Any]:
        """Trust in the issuer; ``token`` empty: its status list is not at hand."""
        token = self.listed({}) if token is None else token
        old = {**OLD.public.jwk(), "nbf": self.second(days=-99), "exp": self.second(days=-50)}
        return {
            "as_of": "2026-11-03T09:00:00Z",
            "issuers": [
                {
                    "issuer": self.type.issuer, "name": {"en": "Civil", "zh": "民政"},
                    "jwks": {"keys": keys or [ISSUER.public.jwk(), old]},
                    "types": [{"vct": self.type.vct, "metadata": self.type.metadata}],
                    "lists": [{"uri": _LIST, "token": token}] if token else [],
                }
            ],
        }  # fmt: skip


def _forged(text: str, change: Callable[[dict[str, Any]], None]) -> str:
    """The payload changed, the signature kept."""
    head, payload, rest = text.split(".", 2)
    told = json.loads(sdjwt.decoded(payload))
    change(told)
    return f"{head}.{encoded(json.dumps(told).encode())}.{rest}"


def _headed(text: str, **header: Any) -> str:
    return encoded(json.dumps(header).encode()) + "." + text.split(".", 1)[1]


def _bound(stage: Stage, key: Any = None, text: str = "", **changes: Any) -> str:
    """A presentation whose binding was tampered with, signed by the holder or by another key."""
    head, _, binding = (text or stage.shown()).rpartition("~")
    told = {**json.loads(jws.parse(binding).payload), **changes}
    made = jws.sign_as_holder(told, key or stage.holder.keys[0], sdjwt.BINDING)
    return f"{head}~{made}"


def _bomb() -> str:
    """A list of a few kilobytes that unpacks to 200 MB."""
    packing = zlib.compressobj(9)
    parts = [packing.compress(bytes(1_000_000)) for _ in range(200)]
    return encoded(b"".join([*parts, packing.flush()]))


def _hand_made(stage: Stage, payload: dict[str, Any], *disclosures: str) -> str:
    """A licence whose payload was made by hand, with a binding."""
    told = {**stage.claims(name=None, address=None), "_sd_alg": "sha-256", **payload}
    head = "~".join([jws.sign(told, ISSUER, sdjwt.CREDENTIAL), *disclosures, ""])
    binding = {
        "iat": stage.second(), "aud": WANTED.aud, "nonce": WANTED.nonce,
        "sd_hash": sdjwt.digest(head),
    }  # fmt: skip
    return head + jws.sign_as_holder(binding, stage.holder.keys[0], sdjwt.BINDING)


def packed(*parts: Any) -> str:
    """A disclosure."""
    return encoded(json.dumps(parts).encode())


def cases(stage: Stage) -> list[Case]:
    """What is tried on every verifier: what holds, and each way in which it does not."""
    good, trust = stage.shown(), stage.trust()

    def fails(name: str, text: str, why: str, told: dict[str, Any] = trust, **more: Any) -> Case:
        return Case(name, text, told, "fails", why, **more)

    def by_list(name: str, why: str, verdict: str = "fails", **changes: Any) -> Case:
        token = stage.listed(changes.pop("statuses", {}), **changes)
        return Case(name, good, stage.trust(token=token), verdict, why)

    one, twin = packed("salt", "name", "A"), packed("salt", "A")
    digest, stranger = sdjwt.digest, Holder()
    two = good.split("~")
    raw, cut = (encoded(zlib.compress(bytes(16), 9)[:end]) for end in (None, -3))
    lying = tampered(stage.listed({}))
    old = stage.licence(OLD, iat=stage.second(days=-60), nbf=stage.second(days=-60))
    rotated = {"alg": "EdDSA", "typ": "dc+sd-jwt", "kid": ISSUER.kid}
    return [
        Case("honest", good, trust, "holds"),
        Case("nothing chosen", stage.shown(names=frozenset()), trust, "holds"),
        Case("signed before rotation", stage.shown(old), trust, "holds"),
        Case("no status", stage.shown(stage.licence(status=None)), trust, "holds"),
        Case("decoys and unknown digests", _hand_made(stage, {"_sd": ["x", "y"]}), trust, "holds"),
        Case("list not at hand", good, stage.trust(token=""), "unsure", "not at hand"),
        by_list("list expired", "has expired", "unsure", exp=stage.second(seconds=-1)),
        fails("revoked key", good, "no such key", stage.trust(keys=[OLD.public.jwk()] * 2)),
        fails("dated after the old key's end", stage.shown(stage.licence(OLD)), "did not sign"),
        fails("unknown issuer", stage.shown(stage.licence(iss="https://x.example")), "not known"),
        fails("another key as the issuer's", stage.shown(stage.licence(STRANGER)), "no such key"),
        fails("key named as the issuer's", _headed(
            stage.shown(stage.licence(STRANGER)), **rotated), "not that of the key"),
        fails("payload changed", _forged(good, lambda p: p.update(number="JY2")), "not that of"),
        *(
            fails(f"alg {alg}", _headed(good, **{**rotated, "alg": alg}), "another alg")
            for alg in ("none", "HS256", "ES256")
        ),
        fails("key in the header", _headed(
            good, alg="EdDSA", typ="dc+sd-jwt", jwk=STRANGER.public.jwk()), "no such key"),
        fails("crit", _headed(good, **rotated, crit=["x"], x=1), "another alg"),
        fails("another typ", _headed(good, alg="EdDSA", typ="jwt", kid=ISSUER.kid), "signed as"),
        fails("expired", stage.shown(stage.licence(exp=stage.second())), "valid no more"),
        fails("not valid yet", stage.shown(stage.licence(nbf=stage.second(hours=1))), "yet"),
        fails("times that are texts", stage.shown(stage.licence(exp="9")), "no time"),
        fails("no vct", stage.shown(stage.licence(vct=None)), "names its type"),
        fails("unknown vct", stage.shown(stage.licence(vct="https://x.example/t")), "no such type"),
        fails("another type than asked", good, "another type", vct=f"{BASE}/vct/lty_2"),
        fails("type changed", stage.shown(stage.licence(**{"vct#integrity": "sha256-x"})),
              "was changed"),
        fails("field missing that is always shown", stage.shown(stage.licence(number=None)),
              "always shown"),
        fails("no binding", "~".join([*two[:-1], ""]), "is asked for"),
        fails("no confirmation", _bound(stage, text=_hand_made(stage, {"cnf": {}})), "no key"),
        fails("replayed nonce", _bound(stage, nonce="nonce-0"), "another nonce"),
        fails("wrong audience", _bound(stage, aud="https://other.example"), "another nonce"),
        fails("another holder's key", _bound(stage, stranger.keys[0]), "not that of the key"),
        fails("old binding", _bound(stage, iat=stage.second(minutes=-6)), "not fresh"),
        fails("binding of the future", _bound(stage, iat=stage.second(minutes=6)), "not fresh"),
        fails("binding for other disclosures", "~".join([two[0], two[-1]]), "other disclosures"),
        fails("binding of another typ", f"{good.rpartition('~')[0]}~" + jws.sign_as_holder(
            {"iat": stage.second()}, stage.holder.keys[0], "jwt"), "signed as"),
        fails("disclosure twice", _bound(stage, text="~".join([two[0], two[1], *two[1:]])),
              "stands twice"),
        fails("foreign disclosure", _bound(stage, text="~".join([two[0], one, *two[1:]])),
              "belongs nowhere"),
        fails("empty disclosure", good.replace("~", "~~", 1), "empty"),
        fails("disclosure that is none", good.replace("~", "~!~", 1), "base64url"),
        fails("digest twice", _hand_made(stage, {"_sd": [digest(one)] * 2}, one), "stands twice"),
        fails("digest twice, undisclosed", _hand_made(stage, {"_sd": ["x"], "a": {"_sd": ["x"]}}),
              "stands twice"),
        fails("claim overwritten", _hand_made(stage, {"_sd": [digest(one)], "name": "B"}, one),
              "stands twice"),
        fails("element as a claim", _hand_made(stage, {"_sd": [digest(twin)]}, twin), "malformed"),
        fails("claim as an element", _hand_made(stage, {"a": [{"...": digest(one)}]}, one),
              "malformed"),
        fails("reserved names", _hand_made(stage, {"a": {"...": "x"}}), "reserved"),
        fails("_sd disclosed", _hand_made(
            stage, {"_sd": [digest(packed("s", "_sd", []))]}, packed("s", "_sd", [])), "malformed"),
        fails("hidden expiry", _hand_made(stage, {
            "exp": None, "_sd": [digest(packed("s", "nbf", 1))], "nbf": None,
        }, packed("s", "nbf", 1)), ""),
        fails("md5", _hand_made(stage, {"_sd_alg": "md5"}), "sha-256"),
        fails("nested too deeply", _hand_made(stage, {"a": _nested(40)}), "deeply"),
        fails("too many disclosures", "~".join([two[0], *["x"] * 501, two[-1]]), "too many"),
        fails("oversized", "a" * (sdjwt.LONGEST + 1), "too long"),
        fails("not ASCII", "é" + good, "ASCII"),
        fails("nothing", "", "not an SD-JWT"),
        by_list("revoked", "was revoked", statuses={7: Status.INVALID}),
        by_list("suspended", "is suspended", statuses={7: Status.SUSPENDED}),
        by_list("status of an application", "none that counts", statuses={7: 3}),
        by_list("list by a stranger", "no such key", key=STRANGER),
        by_list("another list", "another one", sub=f"{BASE}/status-lists/lst_2"),
        by_list("list of the future", "of the future", iat=stage.second(hours=1)),
        by_list("list too short", "no such index", size=4),
        by_list("ttl that is none", "positive number", ttl=0),
        by_list("list without a time", "no time", iat=None),
        by_list("truncated list", "cut off", status_list={"bits": 2, "lst": cut}),
        fails("list that was changed", good, "not that of the key", stage.trust(token=lying)),
        by_list("bits that are none", "", status_list={"bits": 3, "lst": raw}),
        by_list("bomb", "", status_list={"bits": 2, "lst": _bomb()}),
        fails("place that is none", stage.shown(stage.licence(
            status={"status_list": {"idx": -1, "uri": _LIST}})), "no such index"),
        fails("place that is a text", stage.shown(stage.licence(
            status={"status_list": {"idx": "7", "uri": _LIST}})), "names no place"),
        fails("status that is none", stage.shown(stage.licence(status={})), "names no place"),
    ]  # fmt: skip


def _nested(depth: int) -> Any:
    return [_nested(depth - 1)] if depth else 1


def tampered(text: str) -> str:
    """One bit of the first signature flipped."""
    head, payload, rest = text.split(".", 2)
    signature, tilde, more = rest.partition("~")
    raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
    raw[0] ^= 1
    return f"{head}.{payload}.{encoded(bytes(raw))}{tilde}{more}"
