"""The exchange: who is let in, and every way to be let in that there must not be."""

import base64
import hashlib
import hmac
import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from foundation.access import policy
from foundation.access.model import AuditQuery, Outcome, PrincipalState
from foundation.access.workload_identity.model import TokenNotAccepted
from foundation.access.workload_identity.service import RuleWish
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from foundation.kernel.paging import PageRequest
from tests.unit.access.workload_identity.conftest import AUDIENCE, REPOSITORY, Identity

HEALTH = "/city/health/"
NUL, SURROGATE = "\x00", "\ud800"


def entries(identity: Identity, action: str = "identity.exchange") -> list[Any]:
    query = AuditQuery(action=action)
    return list(identity.city.audit.entries(identity.city.admin, query, PageRequest()).items)


def encoded(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def test_a_workload_is_let_in(identity: Identity, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = identity.token(jti="run-7")
    made = identity.service.exchange(token, audience=AUDIENCE, address="10.0.0.9")
    actor, kept = identity.city.gate.by_token(made.secret)
    assert policy.allows(actor, "order.create", HEALTH)
    assert not policy.allows(actor, "order.create", "/city/water/")
    assert not policy.allows(actor, "grant.create", HEALTH)
    assert kept.expires_at - kept.created_at == timedelta(minutes=10)
    (entry,) = entries(identity)
    assert (entry.outcome, entry.path, entry.actor_name) == (Outcome.DONE, HEALTH, "health-deploy")
    assert entry.detail["issuer"] == "github"
    assert entry.detail["sub"] == f"repo:{REPOSITORY}:ref:refs/heads/main"
    assert entry.detail["claims"] == {"ref": "refs/heads/main", "repository": REPOSITORY}
    told = json.dumps(entry.detail) + caplog.text
    assert made.secret not in told
    assert token.rpartition(".")[2] not in told
    identity.clock.advance(minutes=10)
    with pytest.raises(Unauthenticated, match="expired"):
        identity.city.gate.by_token(made.secret)


@pytest.mark.parametrize("kind", ["RSA", "OKP", "EC"])
def test_every_kind_of_key(identity: Identity, kind: str) -> None:
    identity.issuer.rotate("other", kind)
    assert identity.service.exchange(identity.token()).rule.slug == "health-deploy"


def test_eddsa_under_its_older_name(identity: Identity) -> None:
    identity.issuer.rotate("ed", "OKP")
    token = identity.issuer.token(identity.claims(), header={"alg": "EdDSA"})
    assert identity.service.exchange(token)


def test_a_token_is_exchanged_once(identity: Identity) -> None:
    token = identity.token(jti="once")
    identity.service.exchange(token)
    with pytest.raises(TokenNotAccepted, match="already"):
        identity.service.exchange(token)
    # Signed anew with the same id: the same token.
    with pytest.raises(TokenNotAccepted, match="already"):
        identity.service.exchange(identity.token(jti="once"))
    assert [entry.outcome for entry in entries(identity)] == ["refused", "refused", "done"]
    # What has ended is forgotten, and refused because it has ended.
    identity.clock.advance(minutes=6)
    identity.service.exchange(identity.token(jti="another"))
    with pytest.raises(TokenNotAccepted, match="expired"):
        identity.service.exchange(token)


def test_a_refused_token_is_not_used_up(identity: Identity) -> None:
    token = identity.token(jti="later", ref="refs/tags/v1")
    with pytest.raises(Forbidden, match="no rule"):
        identity.service.exchange(token)
    wish = RuleWish("tags", "github", {"ref": "refs/tags/*"}, HEALTH, ("member",))
    identity.service.add_rule(identity.city.admin, wish)
    assert identity.service.exchange(token).rule.slug == "tags"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "https://other.example"}, "audience"),
        ({"exp": 1}, "expired"),
        ({"nbf": 4_000_000_000}, "not valid yet"),
        ({"sub": None}, "subject"),
        ({"iss": "https://elsewhere.example"}, "not trusted"),
        ({"iss": None}, "not trusted|names no issuer"),
        ({"iss": ["x"]}, "names no issuer"),
    ],
)
def test_claims_are_checked(identity: Identity, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenNotAccepted, match=reason):
        identity.service.exchange(identity.issuer.token(identity.claims() | changes))


def test_another_audience_than_the_caller_believes(identity: Identity) -> None:
    with pytest.raises(TokenNotAccepted, match="audience"):
        identity.service.exchange(identity.token(), audience="https://phish.example")


# --- forged tokens


def forged(identity: Identity, attack: str) -> str:
    """A token that looks like one that is let in, and is not."""
    issuer, claims = identity.issuer, identity.claims()
    (key_id, key), *_ = issuer.keys.items()
    head = {"typ": "JWT", "kid": key_id}
    genuine = issuer.token(claims)
    first, payload, signature = genuine.split(".")
    if attack.startswith("none"):
        name = {"none": "none", "none-case": "NoNe", "none-signed": "none"}[attack]
        tail = signature if attack == "none-signed" else ""
        return f"{encoded({**head, 'alg': name})}.{payload}.{tail}"
    if attack.startswith("HS"):
        # The public key as the secret: RS256/HS256 confusion.
        secret = key.as_pem(private=False) if attack == "HS256-pem" else json.dumps(
            key.as_dict(private=False)
        ).encode()  # fmt: skip
        text = f"{encoded({**head, 'alg': 'HS256'})}.{payload}"
        return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"
    mine = ECKey.generate_key("P-256")
    public = {**mine.as_dict(private=False), "kid": "mine"}
    headers: dict[str, dict[str, Any]] = {
        "other-key": {},
        "jwk": {"jwk": public},
        "jwk-kid": {"jwk": public, "kid": "mine"},
        "jku": {"jku": "http://127.0.0.1:9/keys", "kid": "mine"},
        "x5u": {"x5u": "http://127.0.0.1:9/chain", "kid": "mine"},
        "kid-path": {"kid": "../../../../dev/null"},
        "kid-sql": {"kid": "' OR 1=1 --"},
        "kid-url": {"kid": "http://127.0.0.1:9/keys"},
        "kid-huge": {"kid": "k" * 257},
        "kid-empty": {"kid": ""},
        "kid-none": {"kid": None},
        "kid-number": {"kid": 1},
        "kid-list": {"kid": [key_id]},
    }
    if attack in headers:
        return issuer.token(claims, header=headers[attack], key=mine)
    signed: dict[str, dict[str, Any]] = {  # by the right key
        "typ": {"typ": "at+jwt"},
        "typ-logout": {"typ": "logout+jwt"},
        "crit": {"crit": ["exp"], "exp": 1},
        "b64": {"crit": ["b64"], "b64": False},
        "kid-unknown": {"kid": "unknown"},
    }
    if attack in signed:
        return issuer.token(claims, header=signed[attack])
    changed = encoded({**claims, "iss": issuer.url, "repository": "city/other"})
    twice = b'{"alg":"none","alg":"ES256","kid":"k1"}'
    flipped = "A" if signature[0] != "A" else "B"
    return {
        "payload": f"{first}.{changed}.{signature}",
        "signature": f"{first}.{payload}.{flipped}{signature[1:]}",
        "no-signature": f"{first}.{payload}.",
        "two-parts": f"{first}.{payload}",
        "five-parts": f"{first}.{payload}.a.b.c",
        "zeros": f"{first}.{payload}.{encoded(bytes(64))}",
        "newline": f"{first}.{payload}.{signature}\n",
        "padding": f"{first}==.{payload}.{signature}",
        "twice": f"{encoded(twice)}.{payload}.{signature}",
        "list": f"{encoded([])}.{payload}.{signature}",
        "deep": f"{encoded(b'[' * 9000)}.{payload}.{signature}",
        "surrogate": f"{first}.{encoded({'iss': SURROGATE})}.{signature}",
        "nul": f"{first}.{encoded({'iss': NUL})}.{signature}",
        "empty": "",
        "words": "not a token",
        "chinese": f"{first}.{payload}.签名",
        "huge": f"{first}.{payload}.{signature}" + "A" * 20_000,
    }[attack]


def test_forged_tokens(identity: Identity, caplog: pytest.LogCaptureFixture) -> None:
    identity.service.exchange(identity.token())  # the genuine one is let in
    for attack in [
        "none", "none-case", "none-signed", "HS256-pem", "HS256-jwk", "other-key", "jwk", "jwk-kid",
        "jku", "x5u", "kid-path", "kid-sql", "kid-url", "kid-huge", "kid-empty", "kid-none",
        "kid-number", "kid-list", "kid-unknown", "typ", "typ-logout", "crit", "b64", "payload",
        "signature", "no-signature", "two-parts", "five-parts", "zeros", "newline", "twice", "list",
        "deep", "surrogate", "nul", "empty", "words", "chinese", "huge",
    ]:  # fmt: skip
        token = forged(identity, attack)
        asked = len(identity.issuer.asked)
        identity.seconds.now += 3600
        with pytest.raises(TokenNotAccepted):  # noqa: PT012
            identity.service.exchange(token)
            pytest.fail(attack)
        asked_for = set(identity.issuer.asked[asked:])
        assert asked_for <= {"/.well-known/openid-configuration", "/keys"}
        assert len(token) < 40 or token not in caplog.text
        assert len(entries(identity)) == 1, "what nobody signed is no entry of the audit log"


def test_the_key_of_another_issuer(identity: Identity) -> None:
    """Whoever runs one trusted issuer is not believed in the name of another."""
    mine = RSAKey.generate_key(2048)
    public = {"keys": [{**mine.as_dict(private=False), "kid": "mine", "use": "sig"}]}
    identity.service.add_issuer(
        identity.city.admin, slug="other", url="https://other.example", audience=AUDIENCE,
        keys=public,
    )  # fmt: skip
    header = {"alg": "RS256", "kid": "mine"}
    token = identity.issuer.token(identity.claims(), header=header, key=mine)
    with pytest.raises(TokenNotAccepted, match="key"):
        identity.service.exchange(token)
    # Its own tokens are believed, and its workloads have no rule.
    own = identity.issuer.token(
        identity.claims() | {"iss": "https://other.example"}, header=header, key=mine
    )
    with pytest.raises(Forbidden, match="no rule"):
        identity.service.exchange(own)


# --- keys


def test_keys_rotate_and_unknown_ones_are_not_asked_for_too_often(identity: Identity) -> None:
    identity.service.exchange(identity.token())
    asked = len(identity.issuer.asked)
    identity.service.exchange(identity.token())
    assert len(identity.issuer.asked) == asked, "keys are kept"
    old = identity.token()
    identity.issuer.rotate("k2")
    new = identity.token()
    with pytest.raises(TokenNotAccepted):
        identity.service.exchange(new)
    assert len(identity.issuer.asked) == asked, "asked a moment ago"
    identity.seconds.now += 31
    identity.service.exchange(new)
    assert len(identity.issuer.asked) == asked + 2
    with pytest.raises(TokenNotAccepted):
        identity.service.exchange(old)
    for _ in range(5):
        with pytest.raises(TokenNotAccepted):
            identity.service.exchange(identity.issuer.token(identity.claims(), header={"kid": "z"}))
    assert len(identity.issuer.asked) == asked + 2


def test_an_issuer_that_does_not_answer(identity: Identity) -> None:
    token = identity.token()
    identity.service.exchange(token)
    identity.issuer.answers["/keys"] = (500, b"")
    identity.seconds.now += 700
    identity.service.exchange(token)  # its keys of a moment ago
    identity.seconds.now += 3600
    with pytest.raises(Unavailable, match="status 500"):
        identity.service.exchange(token)
    asked = len(identity.issuer.asked)
    with pytest.raises(Unavailable):
        identity.service.exchange(token)
    assert len(identity.issuer.asked) == asked, "an issuer in trouble is left alone for a while"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://x.example", "jwks_uri": "/"}),
        ("/.well-known/openid-configuration", {"issuer": "SELF", "jwks_uri": "file:///etc/passwd"}),
        ("/.well-known/openid-configuration", {"issuer": "SELF"}),
        ("/.well-known/openid-configuration", []),
        ("/keys", []),
    ],
)
def test_discovery_that_is_wrong(identity: Identity, path: str, answer: Any) -> None:
    text = json.dumps(answer).replace("SELF", identity.issuer.url)
    identity.issuer.answers[path] = (200, text.encode())
    with pytest.raises(Unavailable):
        identity.service.exchange(identity.token())


def test_keys_that_are_not_for_this(identity: Identity) -> None:
    for change in [
        {"use": "enc"}, {"alg": "RS256"}, {"alg": "HS256"}, {"key_ops": ["sign"]}, {"d": "AAAA"},
        {"kty": "oct", "k": "AAAA"}, {"crv": "secp256k1"}, {"kty": None}, {"kty": ["EC"]},
        {"crv": {}}, {"alg": ["ES256"]}, {"key_ops": 1}, {"use": []}, {"x": "AAAA"}, {"y": 7},
        {"x": "中"},
    ]:  # fmt: skip
        (key,) = identity.issuer.jwks()["keys"]
        body = json.dumps({"keys": [key | change]}).encode()
        identity.issuer.answers["/keys"] = (200, body)
        identity.seconds.now += 3600
        with pytest.raises(TokenNotAccepted, match="key"):  # noqa: PT012
            identity.service.exchange(identity.token())
            pytest.fail(str(change))


def test_the_keys_of_an_issuer_can_be_looked_at(identity: Identity) -> None:
    admin = identity.city.admin
    assert identity.service.check_issuer(admin, "github") == ["k1"]
    identity.issuer.answers["/keys"] = (404, b"")
    with pytest.raises(Unavailable, match="status 404"):
        identity.service.check_issuer(admin, "github")


def test_keys_given_by_hand_must_be_usable(identity: Identity) -> None:
    for keys in [
        {}, {"keys": []}, {"keys": "x"}, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}]},
        {"keys": [{"kty": "RSA", "n": "AAAA", "e": "AQAB", "kid": "a"}]},
    ]:  # fmt: skip
        with pytest.raises(Invalid) as told:
            identity.service.add_issuer(
                identity.city.admin, slug="b", url="https://b.example", audience="b", keys=keys
            )
        assert {p.field for p in told.value.problems} == {"keys"}


def test_private_keys_are_refused(identity: Identity) -> None:
    private = ECKey.generate_key("P-256").as_dict(private=True) | {"kid": "a"}
    with pytest.raises(Invalid, match="private"):
        identity.service.add_issuer(
            identity.city.admin, slug="b", url="https://b.example", audience="b",
            keys={"keys": [private]},
        )  # fmt: skip
    assert OctKey.generate_key(256).as_dict()["k"], "such a key exists and is of no use here"


# --- who may manage


def test_issuers_are_the_platform_administrators(identity: Identity) -> None:
    service, mia = identity.service, identity.city.person("mia", "department_administrator", HEALTH)
    with pytest.raises(Forbidden):
        service.add_issuer(mia, slug="b", url="https://b.example", audience="b")
    with pytest.raises(Forbidden):
        service.remove_issuer(mia, "github")
    assert [i.slug for i in service.issuers(mia, PageRequest()).items] == ["github"]
    with pytest.raises(Forbidden):
        service.issuers(identity.city.person("max", "member", HEALTH), PageRequest())
    with pytest.raises(Conflict, match="trusted already"):
        service.add_issuer(
            identity.city.admin, slug="again", url=identity.issuer.url, audience=AUDIENCE
        )


def test_a_rule_gives_nothing_that_its_writer_does_not_hold(identity: Identity) -> None:
    mia = identity.city.person("mia", "department_administrator", HEALTH)
    match = {"repository": "city/x"}
    made = identity.service.add_rule(mia, RuleWish("own", "github", match, HEALTH, ("member",)))
    assert made.roles == ("member",)
    with pytest.raises(Forbidden):
        identity.service.add_rule(mia, RuleWish("up", "github", match, HEALTH, ("finance",)))
    with pytest.raises(NotFound):
        identity.service.add_rule(
            mia, RuleWish("far", "github", match, "/city/water/", ("member",))
        )
    max_ = identity.city.person("max", "member", HEALTH)
    with pytest.raises(Forbidden):
        identity.service.add_rule(max_, RuleWish("m", "github", match, HEALTH, ("member",)))
    names = [rule.slug for rule in identity.service.rules(mia, PageRequest()).items]
    assert names == ["health-deploy", "own"]
    water = identity.city.person("wu", "department_administrator", "/city/water/")
    assert not identity.service.rules(water, PageRequest()).items
    with pytest.raises(NotFound):
        identity.service.remove_rule(water, "own")


def test_every_wrong_field_of_a_rule_is_named(identity: Identity) -> None:
    wish = RuleWish("A", "none", {"repository": "*"}, "/city/health/", ("king",), ("no.such",))
    with pytest.raises(Invalid) as told:
        identity.service.add_rule(identity.city.admin, wish)
    fields = {p.field for p in told.value.problems}
    assert fields == {"slug", "issuer", "match", "roles.0", "scopes.0"}
    taken = RuleWish("health-deploy", "github", {"a": "b"}, HEALTH, ("member",))
    with pytest.raises(Conflict):
        identity.service.add_rule(identity.city.admin, taken)


def test_scopes_narrow_what_a_workload_may_do(identity: Identity) -> None:
    match = {"repository": REPOSITORY, "ref": "refs/heads/main"}
    wish = RuleWish("look", "github", match, HEALTH, ("member",), ("order.view",))
    identity.service.add_rule(identity.city.admin, wish)
    made = identity.service.exchange(identity.token())
    assert made.rule.slug == "look"
    actor, _ = identity.city.gate.by_token(made.secret)
    assert policy.allows(actor, "order.view", HEALTH)
    assert not policy.allows(actor, "order.create", HEALTH)


def test_a_rule_that_is_gone_ends_its_tokens(identity: Identity) -> None:
    admin, service = identity.city.admin, identity.service
    made = service.exchange(identity.token())
    with pytest.raises(Conflict, match="rules depend"):
        service.remove_issuer(admin, "github")
    service.remove_rule(admin, "health-deploy")
    with pytest.raises(Unauthenticated):
        identity.city.gate.by_token(made.secret)
    with pytest.raises(Forbidden, match="no rule"):
        service.exchange(identity.token())
    assert not identity.city.people.grants(
        admin, PageRequest(), principal_id=made.rule.account_id
    ).items
    service.remove_issuer(admin, "github")
    with pytest.raises(TokenNotAccepted, match="not trusted"):
        service.exchange(identity.token())
    actions = [e.action for e in entries(identity, "identity_rule.*")]
    assert actions == ["identity_rule.remove", "identity_rule.create"]


def test_a_disabled_account_lets_nobody_in(identity: Identity) -> None:
    made = identity.service.exchange(identity.token())
    people, admin = identity.city.people, identity.city.admin
    account = people.principal(admin, made.rule.account_id)
    people.update(admin, account.id, version=account.version, state=PrincipalState.DISABLED)
    with pytest.raises(Forbidden, match="disabled"):
        identity.service.exchange(identity.token())
