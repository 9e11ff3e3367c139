"""SD-JWT by the examples of RFC 9901 (sections 5 and 6.3), and each of its rules broken."""

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workloads.data_exchange.proofs import jws, sdjwt
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, encoded
from workloads.data_exchange.proofs.others import P256PrivateKey
from workloads.data_exchange.proofs.sdjwt import Binding, Sd, digest

SALTS = (
    "2GLC42sKQveCfGfryNRN9w", "eluV5Og3gSNII8EYnsxA_A", "6Ij7tM-a5iVPGboS5tmvVA",
    "eI8ZWm9QnKPpNPeNenHdhQ", "Qg_O64zqAxe412a108iroA", "AJx-095VPrpTtN4QMOqROA",
    "Pc33JM2LchcU_lHggv_ufQ", "G02NSrQfjFXQ7Io09syajA", "lklxF5jMYlGTPUovMNIvCA",
    "nPuoQnkRFq3BIeAm7AnXFA",
)  # fmt: skip
DIGESTS = [
    "CrQe7S5kqBAHt-nMYXgc6bdt2SH5aTY1sU_M-PgkjPI", "JzYjH4svliH0R3PyEMfeZu6Jt69u5qehZo7F7EPYlSE",
    "PorFbpKuVu6xymJagvkFsFXAbRoc2JGlAUA2BA4o7cI", "TGf4oLbgwd5JQaHyKVQZU9UdGE0w5rtDsrZzfUaomLo",
    "XQ_3kPKt1XyX7KANkqVR6yZ2Va5NrPIvPYbyMvRKBMM", "XzFrzwscM6Gn6CJDc6vVK8BkMnfG8vOSKfpPIZdAfdE",
    "gbOsI4Edq2x2Kw-w5wPEzakob9hV1cRD0ATN3oQL9JM", "jsu9yVulwQQlhFlM_3JlzMaSFzglhQG0DpfayQwLUK4",
]  # fmt: skip
CNF = {
    "jwk": {
        "kty": "EC", "crv": "P-256", "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
        "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ",
    }
}  # fmt: skip
ADDRESS = {
    "street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US",
}  # fmt: skip
AT = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
ISSUER, HOLDER, OTHER = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
WANTED = Binding("n-1", "https://desk.example")


def example() -> tuple[dict[str, Any], list[str]]:
    salts = iter(SALTS)
    claims = {
        "iss": "https://issuer.example.com", "iat": 1683000000, "exp": 1883000000,
        "sub": "user_42", "given_name": Sd("John"), "family_name": Sd("Doe"),
        "email": Sd("johndoe@example.com"), "phone_number": Sd("+1-202-555-0101"),
        "phone_number_verified": Sd(True), "address": Sd(ADDRESS), "birthdate": Sd("1940-01-01"),
        "updated_at": Sd(1570000000), "nationalities": [Sd("US"), Sd("DE")], "cnf": CNF,
    }  # fmt: skip
    return sdjwt.hidden(claims, salt=lambda: next(salts))


def test_the_example_of_section_5() -> None:
    payload, disclosures = example()
    assert payload["_sd"] == DIGESTS
    assert payload["nationalities"] == [
        {"...": "pFndjkZ_VCzmyTa6UjlZo3dh-ko8aIKQc9DlGzhaVYo"},
        {"...": "7Cf6JkPudry3lcbwHgeZ8khAv1U1OSlerP0VkBJrWZ0"},
    ]
    given, family, address, american = (disclosures[n] for n in (0, 1, 5, 8))
    assert given == "WyIyR0xDNDJzS1F2ZUNmR2ZyeU5STjl3IiwgImdpdmVuX25hbWUiLCAiSm9obiJd"
    assert sdjwt.disclosed(payload, [family, address, given, american]) == {
        "iss": "https://issuer.example.com", "iat": 1683000000, "exp": 1883000000,
        "sub": "user_42", "nationalities": ["US"], "cnf": CNF, "family_name": "Doe",
        "address": ADDRESS, "given_name": "John",
    }  # fmt: skip
    # The JWT of the text, whose members stand in another order, and its sd_hash.
    names = ("_sd", "iss", "iat", "exp", "sub", "nationalities", "_sd_alg", "cnf")
    header = encoded(json.dumps({"alg": "ES256", "typ": "example+sd-jwt"}).encode())
    body = encoded(json.dumps({name: payload[name] for name in names}).encode())
    signature = (
        "wRDKjY5b1m019tLnfoCZ0we8WUNl4TBbIJls9JyoSYRt7Ib_hIOhyIg1SOe5mbwEBbBsTrXmleMyOtwBm8HxiQ"
    )
    parts = sdjwt.Parts(f"{header}.{body}.{signature}", (family, address, given, american))
    assert digest(parts.bound) == "QheMgeSgtrehss3t70b0Lh3kSiCPbICAVo-JMh5D5tA"
    assert sdjwt.parse(parts.bound) == parts


def test_the_recursive_example_of_section_6_3() -> None:
    salts = iter(SALTS)
    claims = {
        "address": Sd(
            {
                "street_address": Sd("Schulstr. 12"), "locality": Sd("Schulpforta"),
                "region": Sd("Sachsen-Anhalt"), "country": Sd("DE"),
            }
        )
    }  # fmt: skip
    payload, disclosures = sdjwt.hidden(claims, salt=lambda: next(salts))
    assert payload["_sd"] == ["HvrKX6fPV0v9K_yCVFBiLFHsMaxcD_114Em6VT8x1lg"]
    assert sdjwt.disclosed(payload, [disclosures[4], disclosures[3]]) == {
        "address": {"country": "DE"}
    }
    with pytest.raises(ProofError, match="belongs nowhere"):
        sdjwt.disclosed(payload, [disclosures[3]])


def licence(**changes: Any) -> str:
    claims = {
        "iss": "https://civil.example", "vct": "https://civil.example/marriage", "iat": 1,
        "exp": int(AT.timestamp()) + 60, "cnf": {"jwk": HOLDER.public.jwk()},
        "name": Sd("Zhang"), "children": [Sd("A"), Sd("B")], **changes,
    }  # fmt: skip
    return sdjwt.issue(claims, ISSUER, decoys=3)


def shown(text: str, *names: str) -> str:
    def wanted(one: str) -> bool:
        return any(name in str(json.loads(sdjwt.decoded(one))[1:]) for name in names)

    return sdjwt.present(text, wanted, HOLDER, nonce=WANTED.nonce, aud=WANTED.aud, at=AT)


def test_the_least_is_shown_and_bound() -> None:
    text = licence()
    claims = sdjwt.verified(shown(text, "B"), ISSUER.public, at=AT, binding=WANTED)
    assert claims["children"] == ["B"]
    assert "name" not in claims
    assert "_sd" not in json.dumps(claims)
    assert "Zhang" not in shown(text, "B")
    assert sdjwt.verified(text, ISSUER.public, at=AT, binding=None)["name"] == "Zhang"
    signed = json.loads(jws.parse(sdjwt.parse(text).signed).payload)
    assert len(signed["_sd"]) == 4  # one claim and three decoys


def test_bindings_that_are_none() -> None:
    text = licence()
    good = shown(text, "B")
    head, _, bound = good.rpartition("~")
    told = json.loads(jws.parse(bound).payload)
    late = told["iat"] - 301

    def signed(key: PrivateKey = HOLDER, typ: str = sdjwt.BINDING, **changes: Any) -> str:
        return f"{head}~{jws.sign({**told, **changes}, key, typ)}"

    sdjwt.verified(signed(), ISSUER.public, at=AT, binding=WANTED)
    for bad in (
        text, signed(OTHER), signed(typ="jwt"), signed(nonce="other"), signed(aud="other"),
        signed(iat=late), signed(iat=told["iat"] + 301), signed(iat="now"), signed(iat=True),
        signed(sd_hash="x"), signed(exp=1), shown(text, "A").rpartition("~")[0] + "~" + bound,
        good[:-1], licence(cnf={}) + bound, licence(cnf={"jwk": {"kty": "EC"}}) + bound,
    ):  # fmt: skip
        with pytest.raises(ProofError):
            sdjwt.verified(bad, ISSUER.public, at=AT, binding=WANTED)


def test_licences_that_are_none() -> None:
    good = licence()
    for text, at in (
        ("", AT), (good.rstrip("~").split("~")[0], AT), (good + "~", AT), (good, AT + timedelta(1)),
        (licence(nbf=int(AT.timestamp()) + 1), AT), (licence(vct=None), AT),
        (licence(exp="never"), AT), ("é" + good, AT), (good.replace("~", "~" * 2, 1), AT),
        (good[1:], AT), ("~".join([good[:-1], *["x"] * 501, ""]), AT),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            sdjwt.verified(text, ISSUER.public, at=at, binding=None)
    with pytest.raises(ProofError):
        sdjwt.verified(good, OTHER.public, at=AT, binding=None)
    none = encoded(b'{"alg":"none","typ":"dc+sd-jwt"}') + "." + good.split(".", 1)[1]
    with pytest.raises(ProofError):
        sdjwt.verified(none, ISSUER.public, at=AT, binding=None)
    rest = good.split(".", 1)[1]
    payload, tail = rest.partition(".")[0], rest.partition("~")[2]
    for alg in ("HS256", "ES256", "EdDSA "):
        told = encoded(json.dumps({"alg": alg, "typ": "dc+sd-jwt"}).encode()) + "." + payload
        made = encoded(hmac.digest(ISSUER.public.x, told.encode(), "sha256"))
        for signature in (made, encoded(ISSUER.sign(told.encode()))):
            text = f"{told}.{signature}~{tail}"
            with pytest.raises(ProofError):
                sdjwt.verified(text, ISSUER.public, at=AT, binding=None)
    with pytest.raises(ProofError, match="never hidden"):
        licence(exp=Sd(5))
    for name in ("_sd", "...", "_sd_alg"):
        with pytest.raises(ProofError, match="reserved"):
            licence(more={name: 1})


def packed(*parts: Any) -> str:
    return encoded(json.dumps(parts).encode())


def test_payloads_and_disclosures_that_are_none() -> None:
    one, two = packed("s", "a", 1), packed("s", 1)
    nested: Any = 1
    for _ in range(40):
        nested = [nested]
    for payload, disclosures in (
        ({"_sd": [digest(one), digest(one)]}, [one]),  # a digest twice
        ({"_sd": [digest(one)], "b": {"_sd": [digest(one)]}}, []),  # the same, undisclosed
        ({"_sd": [digest(one)], "a": 2}, [one]),  # overwrites
        ({"_sd": [digest(two)]}, [two]),  # an element as a claim
        ({"a": [{"...": digest(one)}]}, [one]),  # a claim as an element
        ({"_sd": []}, [one]),  # belongs nowhere
        ({"_sd": [digest(one)]}, [one, one]),  # stands twice
        ({"_sd": "x"}, []), ({"_sd": [1]}, []), ({"a": [{"...": 1}]}, []),
        ({"...": "x"}, []), ({"a": {"_sd_alg": "sha-256"}}, []), ({"_sd_alg": "md5"}, []),
        ({"a": nested}, []), ({}, ["!"]), ({}, [encoded(b"nothing")]), ({}, [packed()]),
        ({"_sd": [digest(packed("s", "_sd", 1))]}, [packed("s", "_sd", 1)]),
        ({"_sd": [digest(packed("s", "...", 1))]}, [packed("s", "...", 1)]),
        ({"_sd": [digest(packed("s", 1, 1))]}, [packed("s", 1, 1)]),
        ({"_sd": [digest(packed(1, "a", 1))]}, [packed(1, "a", 1)]),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            sdjwt.disclosed(payload, disclosures)
    # What is unknown is ignored.
    assert sdjwt.disclosed({"_sd": ["x"], "a": [{"...": "y"}, 1]}, []) == {"a": [1]}


def test_holders_keys_of_both_kinds() -> None:
    holder = P256PrivateKey.generate()
    text = licence(cnf={"jwk": holder.public.jwk()})
    good = sdjwt.present(text, lambda _: True, holder, nonce=WANTED.nonce, aud=WANTED.aud, at=AT)
    head, _, binding = good.rpartition("~")
    assert sdjwt.verified(good, ISSUER.public, at=AT, binding=WANTED)["name"] == "Zhang"
    told = json.loads(jws.parse(binding).payload)
    other = P256PrivateKey.generate()
    crossed = encoded(b'{"alg":"EdDSA","typ":"kb+jwt"}') + "." + binding.split(".", 1)[1]
    for bad in (
        jws.sign_as_holder(told, other, sdjwt.BINDING), crossed,
        # A key that comes along is not the holder's.
        jws.sign_as_holder(told, other, sdjwt.BINDING, jwk=other.public.jwk()),
        jws.sign_as_holder(told, holder, sdjwt.BINDING, crit=["x"], x=1),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            sdjwt.verified(f"{head}~{bad}", ISSUER.public, at=AT, binding=WANTED)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "-1", "1" + "0" * 300])
def test_times_that_are_none(value: str) -> None:
    """A binding whose time is smaller and larger than no other would be fresh for ever."""
    text = licence()
    head, _, binding = shown(text, "B").rpartition("~")
    told = json.loads(jws.parse(binding).payload)
    body = json.dumps({**told, "iat": "here"}).replace('"here"', value).encode()
    signed = f"{binding.split('.')[0]}.{encoded(body)}"
    forged = f"{head}~{signed}.{encoded(HOLDER.sign(signed.encode()))}"
    with pytest.raises(ProofError):
        sdjwt.verified(forged, ISSUER.public, at=AT, binding=WANTED)
