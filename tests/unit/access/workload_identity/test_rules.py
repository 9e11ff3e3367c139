"""Which claims a rule lets in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from foundation.access.workload_identity.model import (
    AmbiguousRules,
    Issuer,
    IssuerId,
    Rule,
    RuleId,
    TokenNotAccepted,
    check_claims,
    check_issuer,
    check_rule,
    chosen,
    pattern,
    usable,
)
from foundation.kernel.actor import PrincipalId
from foundation.kernel.errors import Collector

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
ISSUER = Issuer(
    IssuerId("iss_1"), "gh", "https://x.example", "borough", None, PrincipalId("u"), NOW
)


def rule(slug: str, **match: str) -> Rule:
    return Rule(
        RuleId(slug), slug, ISSUER.id, match, PrincipalId("svc"), "/city/", ("member",), None,
        timedelta(minutes=5), PrincipalId("u"), NOW,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value", "fits"),
    [
        ("city/app", "city/app", True),
        ("city/app", "city/app2", False),
        ("city/*", "city/app", True),
        ("city/*", "city/app/sub", False),
        ("city/**", "city/app/sub", True),
        ("refs/heads/*", "refs/tags/v1", False),
        ("repo:city/*:ref:refs/heads/main", "repo:city/a:ref:refs/heads/main", True),
        ("repo:city/*:ref:refs/heads/main", "repo:city/a:x:ref:refs/heads/main", False),
        ("a.c", "abc", False),
        ("a+", "aa", False),
        ("main", "main\n", False),
    ],
)
def test_patterns(text: str, value: str, fits: bool) -> None:  # noqa: FBT001
    assert (pattern(text).fullmatch(value) is not None) is fits


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("true", True), (True, True), (False, False), (["x", "true"], True), (["x"], False),
        ([["true"]], False), (None, False), ({"true": 1}, False), (1, False),
    ],
)  # fmt: skip
def test_values_that_are_no_texts(value: object, fits: bool) -> None:  # noqa: FBT001
    assert rule("a", ref_protected="true").matches({"ref_protected": value}) is fits


def test_every_claim_must_fit_and_be_there() -> None:
    one = rule("a", repository="city/app", ref="refs/heads/main")
    assert one.matches({"repository": "city/app", "ref": "refs/heads/main", "more": "x"})
    assert not one.matches({"repository": "city/app"})


def test_the_most_specific_rule_lets_in_and_never_two_together() -> None:
    wide, narrow = rule("wide", repository="city/*"), rule("narrow", repository="city/app")
    claims = {"repository": "city/app", "ref": "main"}
    assert chosen([wide, narrow], claims) is narrow
    assert chosen([wide, narrow], claims, "wide") is wide
    assert chosen([wide, narrow], {"repository": "city/other"}) is wide
    assert chosen([wide, narrow], {"repository": "other/app"}) is None
    assert chosen([narrow], claims, "another") is None
    twin = rule("twin", ref="main")
    with pytest.raises(AmbiguousRules) as told:
        chosen([twin, wide, narrow], claims)
    assert told.value.details["rules"] == ["narrow", "twin"]
    assert chosen([twin, narrow], claims, "twin") is twin


@pytest.mark.parametrize(
    "match",
    [{}, {"repository": "*"}, {"repository": "**"}, {"repository": "c*"}, {"ref": "/*"},
     {"aud": "borough"}, {"iss": "x"}, {"bad claim": "x"}, {"a": " "}, {"a": "x" * 501},
     {f"c{n}": "x" for n in range(21)}],
)  # fmt: skip
def test_rules_that_are_too_wide_or_wrong(match: dict[str, str]) -> None:
    found = Collector()
    check_rule(found, "ok", match, timedelta(minutes=15))
    assert {p.field.split(".")[0] for p in found.problems} == {"match"}


def test_all_that_is_wrong_with_a_rule_or_an_issuer_is_named() -> None:
    found = Collector()
    check_rule(found, "Not ok", {"exp": "1"}, timedelta(minutes=16))
    assert [p.field for p in found.problems] == ["slug", "match.exp", "minutes"]
    found = Collector()
    check_issuer(found, "", "http://x.example", " ")
    assert [p.field for p in found.problems] == ["slug", "url", "audience"]


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://gitlab.city.example", True),
        ("https://x.example:8443/realms/a", True),
        ("http://127.0.0.1:8000", True),
        ("http://gitlab.city.example", False),
        ("ftp://x.example", False),
        ("https://", False),
        ("https://user:pw@x.example", False),
        ("https://x.example?a=b", False),
        ("https://x.example#a", False),
        ("https://x.example/a b", False),
        ("https://x.example:99999", False),
        ("file:///etc/passwd", False),
        ("https://x.example\\@y.example", False),
        ("https://x.example\r\nHost: y", False),
    ],
)
def test_addresses(url: str, fits: bool) -> None:  # noqa: FBT001
    assert usable(url) is fits


def good(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    claims = {"iss": ISSUER.url, "aud": "borough", "sub": "x", "iat": now, "exp": now + 60}
    return {k: v for k, v in (claims | changes).items() if v is not None}


AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"aud": ["other", "borough"]}, {"exp": AT - 29}, {"iat": AT + 30, "exp": AT + 60},
        {"nbf": AT + 30}, {"jti": "a"}, {"exp": AT + 86_400}, {"exp": AT + 60.5},
    ],
)  # fmt: skip
def test_claims_that_are_right(changes: dict[str, Any]) -> None:
    check_claims(good(**changes), ISSUER, NOW)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://x.example/"}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": ["other"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": "borough2"}, "audience"),
        ({"aud": {"borough": 1}}, "audience"),
        ({"sub": None}, "subject"),
        ({"sub": " "}, "subject"),
        ({"sub": 1}, "subject"),
        ({"sub": "a\x00b"}, "subject"),
        ({"exp": None}, "ends"),
        ({"iat": None}, "ends"),
        ({"exp": "9999999999"}, "ends"),
        ({"exp": True}, "ends"),
        ({"exp": float("inf")}, "ends"),
        ({"exp": float("nan")}, "expired|ends"),
        ({"exp": AT - 30}, "expired"),
        ({"iat": AT + 31, "exp": AT + 60}, "future"),
        ({"nbf": AT + 31}, "not valid yet"),
        ({"nbf": "x"}, "not valid yet"),
        ({"nbf": None, "exp": AT + 86_401}, "a day"),
        ({"jti": ""}, "jti"),
        ({"jti": 7}, "jti"),
    ],
)
def test_claims_that_are_wrong(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenNotAccepted, match=reason):
        check_claims(good(**changes), ISSUER, NOW)
