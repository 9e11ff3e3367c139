"""Policies say what the terms allow; what ODRL or the profile does not know is refused."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel import canonical
from foundation.kernel.errors import Invalid
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.policy import profile
from workloads.data_exchange.agreements.policy.check import Profile, check
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter, Terms
from workloads.data_exchange.directory.elements import Masking

NOW = datetime(2026, 11, 3, 9, tzinfo=UTC)
ABOUT = profile.About(1, NOW, "req_1", "Act, article 1")
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
MOMENT = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis wants it so
    datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
NUMBER = st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12, allow_nan=False)
VALUE = TEXT | NUMBER | st.booleans()
LIMIT = st.none() | st.integers(1, 10**12)
POINTER = st.lists(TEXT, min_size=1, max_size=3).map(
    lambda parts: "".join("/" + p.replace("~", "~0").replace("/", "~1") for p in parts)
)


@st.composite
def row_filters(draw: st.DrawFn) -> RowFilter:
    operator = draw(st.sampled_from(Operator))
    several = 5 if operator is Operator.ANY_OF else 1
    values = draw(st.lists(VALUE, min_size=1, max_size=several))
    return RowFilter(draw(POINTER), operator, tuple(values))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    begins = draw(MOMENT)
    fields = st.builds(Field, TEXT, POINTER, st.none() | st.sampled_from(Masking))
    return Terms(
        agreement=draw(TEXT),
        digest="",
        dataset=draw(TEXT),
        service=draw(TEXT),
        provider=draw(st.sampled_from(["/city/tax/", "/省/市/"])),
        consumer="/city/housing/",
        purposes=draw(
            st.frozensets(st.sampled_from(sorted(purposes.titles())), min_size=1, max_size=4)
        ),
        fields=tuple(
            draw(st.lists(fields, min_size=1, max_size=6, unique_by=lambda one: one.name))
        ),
        rows=tuple(draw(st.lists(row_filters(), max_size=4))),
        records=draw(st.just("") | POINTER),
        limits=draw(st.builds(Limits, LIMIT, LIMIT, LIMIT, LIMIT, LIMIT)),
        begins=begins,
        ends=begins + draw(st.timedeltas(timedelta(microseconds=1), timedelta(days=2000))),
        answers=draw(st.none() | st.dictionaries(TEXT, VALUE, max_size=3)),
    )


@given(terms(), st.integers(1, 99), TEXT)
def test_what_the_terms_allow_is_what_the_policy_says(
    wanted: Terms, version: int, basis: str
) -> None:
    about = profile.About(version, NOW, "req_1", basis)
    # As it is signed, sent and read again.
    text = canonical.dumps(profile.write(wanted, about))
    found, said = profile.read(json.loads(text), wanted.answers)
    assert found == replace(wanted, digest=canonical.digest(json.loads(text)))
    assert said == about
    kinds = [[type(v) is bool for v in row.values] for row in found.rows]
    assert kinds == [[type(v) is bool for v in row.values] for row in wanted.rows]


@given(terms(), terms())
def test_other_terms_are_another_policy(one: Terms, other: Terms) -> None:
    if one != other:
        assert profile.write(one, ABOUT) != profile.write(other, ABOUT)


def a_policy() -> dict[str, Any]:
    wanted = Terms(
        "agr_1", "", "dst_1", "svc_1", "/city/tax/", "/city/housing/",
        frozenset({"dpv:ServiceProvision"}), (Field("name", "/name", Masking.PARTIAL),),
        (RowFilter("/district", Operator.ANY_OF, ("east", "west")),), "/records",
        Limits(calls=10, rows_per_call=5), NOW, NOW + timedelta(days=30),
    )  # fmt: skip
    return json.loads(canonical.dumps(profile.write(wanted, ABOUT)))  # type: ignore[no-any-return]


def set_at(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(policy: dict[str, Any]) -> None:
        *way, last = path.split(".")
        at: Any = policy
        for part in way:
            at = at[int(part)] if part.isdigit() else at[part]
        if value is DROP:
            del at[last]
        else:
            at[int(last) if last.isdigit() else last] = value

    return change


DROP = object()
P = "permission.0"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("@context", "https://example.org/other.jsonld", "@context"),
        ("@context", DROP, "@context"),
        ("@type", "Treaty", "@type"),
        ("uid", DROP, "uid"),
        ("uid", "no iri", "uid"),
        ("profile", "urn:other:profile", "profile"),
        ("conflict", "mine", "conflict"),
        ("permission", [], "permission"),
        ("permission", "x", "permission"),
        ("obligations", [], "obligations"),
        (f"{P}.target", DROP, f"{P}.target"),
        (f"{P}.target", ["urn:a:b", "urn:a:c"], f"{P}.target"),
        (f"{P}.action", DROP, f"{P}.action"),
        (f"{P}.action", "peek", f"{P}.action"),
        (f"{P}.action", ["use", "print"], f"{P}.action"),
        (f"{P}.action.refinement", [], f"{P}.action.refinement"),
        (f"{P}.assigner", DROP, f"{P}.assigner"),
        (f"{P}.assignee", DROP, f"{P}.assignee"),
        (f"{P}.assignee", ["urn:a:b", "urn:a:c"], f"{P}.assignee"),
        (f"{P}.constraint.0.operator", "resembles", f"{P}.constraint.0.operator"),
        (f"{P}.constraint.0.operator", DROP, f"{P}.constraint.0.operator"),
        (f"{P}.constraint.0.leftOperand", "mood", f"{P}.constraint.0.leftOperand"),
        (f"{P}.constraint.0.leftOperand", "bx:mood", f"{P}.constraint.0.leftOperand"),
        (f"{P}.constraint.0.rightOperand", DROP, f"{P}.constraint.0.rightOperand"),
        (f"{P}.constraint.0.rightOperandReference", "urn:a:b", f"{P}.constraint.0.rightOperand"),
        (f"{P}.constraint.0.rightOperand", [], f"{P}.constraint.0.rightOperand"),
        (f"{P}.constraint.0.rightOperand", [None], f"{P}.constraint.0.rightOperand.0"),
        (f"{P}.constraint.2.rightOperand", ["a", "b"], f"{P}.constraint.2.rightOperand"),
        (f"{P}.constraint.0.unit", "metres", f"{P}.constraint.0.unit"),
        (f"{P}.constraint.0.colour", "red", f"{P}.constraint.0.colour"),
        (f"{P}.constraint.0", {"and": [{"or": []}]}, f"{P}.constraint.0.and.0"),
        (f"{P}.constraint.0", {"and": [], "or": []}, f"{P}.constraint.0"),
        (f"{P}.duty.0.target", "none", f"{P}.duty.0.target"),
        (f"{P}.duty.0.action", DROP, f"{P}.duty.0.action"),
        (f"{P}.target.refinement", DROP, f"{P}.target.refinement"),
        (f"{P}.target.source", DROP, f"{P}.target.source"),
        (f"{P}.target.uid", "urn:a:b", f"{P}.target.uid"),
        (f"{P}.target.@type", "Asset", f"{P}.target.@type"),
        (f"{P}.@type", "Prohibition", f"{P}.@type"),
        (f"{P}.odrl:action", "use", f"{P}.odrl:action"),
        ("prohibition.0.remedy",
         {"action": "inform", "consequence": {"action": "inform"}},
         "prohibition.0.remedy.consequence"),
    ],
)  # fmt: skip
def test_what_is_no_odrl_is_refused_by_name(path: str, value: object, field: str) -> None:
    policy = a_policy()
    set_at(path, value)(policy)
    with pytest.raises(Invalid) as error:
        check(policy, profile.PROFILE)
    assert field in {one.field for one in error.value.problems}


@pytest.mark.parametrize("policy", [None, [], "x", 4, {}, {"@type": []}, {"permission": [[[]]]}])
def test_what_is_no_policy_at_all(policy: object) -> None:
    with pytest.raises(Invalid):
        check(policy)
    with pytest.raises(Invalid):
        profile.read(policy)


@pytest.mark.parametrize(
    "change",
    [
        set_at("conflict", "perm"),
        set_at("obligation", [{"action": "inform", "assigner": "urn:a:b", "assignee": "urn:a:c"}]),
        set_at("prohibition", DROP),
        set_at(f"{P}.duty", DROP),
        set_at(f"{P}.constraint.4.unit", DROP),
        set_at(f"{P}.constraint.4.operator", "lt"),
        set_at(f"{P}.constraint.2.rightOperand.@value", "2026-11-03T09:00:00+00:00"),
        set_at(f"{P}.action.rdf:value.@id", "odrl:transfer"),
        set_at(f"{P}.target.refinement.0.rightOperand", "east"),
        set_at(f"{P}.target.refinement.0.leftOperand", "urn:borough:exchange:row#/a%20b%2fc"),
        set_at(f"{P}.target.bx:records", 4),
        set_at(f"{P}.constraint.4.rightOperand", "10"),
        set_at(f"{P}.constraint.4.rightOperand", 0),
        set_at(f"{P}.constraint.4.rightOperand", True),
        set_at(f"{P}.constraint.0.rightOperand", [{"@id": "dpv:Curiosity"}]),
        set_at("dpv:hasLegalBasis", ["law"]),
        set_at("bx:more", "something"),
        set_at("inheritFrom", "urn:a:b"),
        lambda policy: policy["permission"].append(policy["permission"][0]),
        lambda policy: policy["permission"][0]["constraint"].append(
            {"leftOperand": "spatial", "operator": "eq", "rightOperand": "urn:place:here"}
        ),
        lambda policy: policy["permission"][0]["constraint"].reverse(),
    ],
    ids=[str(n) for n in range(21)],
)
def test_what_is_odrl_and_would_not_be_enforced_is_refused(
    change: Callable[[dict[str, Any]], None],
) -> None:
    policy = a_policy()
    profile.read(policy)
    change(policy)
    check(policy, profile.PROFILE)
    with pytest.raises(Invalid):
        profile.compile_terms(policy)


def test_answers_are_those_that_were_agreed_on() -> None:
    with pytest.raises(Invalid):
        profile.read(a_policy(), {"type": "array"})


#: From the W3C Recommendation (ODRL Information Model 2.2), shortened.
EXAMPLES: dict[str, dict[str, Any]] = {
    "offer with a refined action": {
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer",
        "uid": "http://example.com/policy:6161", "profile": "http://example.com/odrl:profile:10",
        "permission": [{
            "target": "http://example.com/document:1234", "assigner": "http://example.com/org:616",
            "action": [{
                "rdf:value": {"@id": "odrl:print"},
                "refinement": [{
                    "leftOperand": "resolution", "operator": "lteq",
                    "rightOperand": {"@value": "1200", "@type": "xsd:integer"},
                    "unit": "http://dbpedia.org/resource/Dots_per_inch",
                }],
            }],
        }],
    },
    "logical constraint": {
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer",
        "uid": "http://example.com/policy:88", "profile": "http://example.com/odrl:profile:10",
        "permission": [{
            "target": "http://example.com/book/1999", "action": "reproduce",
            "assigner": "http://example.com/org:88",
            "constraint": [{"xone": {"@list": [
                {"leftOperand": "count", "operator": "eq", "rightOperand": 1},
                {"leftOperand": "delayPeriod", "operator": "gteq",
                 "rightOperand": {"@value": "P5M", "@type": "xsd:duration"}},
            ]}}],
        }],
    },
    "agreement with duty and consequence": {
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Agreement",
        "uid": "http://example.com/policy:42", "profile": "http://example.com/odrl:profile:10",
        "assigner": "http://example.com/org:43", "assignee": "http://example.com/person:44",
        "target": "http://example.com/document:XZY",
        "obligation": [{
            "action": "delete",
            "consequence": [{"action": [{
                "rdf:value": {"@id": "odrl:compensate"},
                "refinement": [{
                    "leftOperand": "payAmount", "operator": "eq",
                    "rightOperand": {"@value": "10.00", "@type": "xsd:decimal"},
                    "unit": "http://dbpedia.org/resource/Euro",
                }],
            }], "compensatedParty": "http://wwf.org"}],
        }],
    },
    "collections": {
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Agreement",
        "uid": "http://example.com/policy:4444", "profile": "http://example.com/odrl:profile:10",
        "permission": [{
            "target": "http://example.com/myPhotos:BdayParty", "action": "display",
            "assigner": "http://example.com/user44",
            "assignee": {
                "@type": "PartyCollection", "source": "http://example.com/user44/friends",
                "refinement": [{"leftOperand": "bx:age", "operator": "gt", "rightOperand": 17}],
            },
        }],
    },
    "prohibition with a remedy": {
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Agreement",
        "uid": "http://example.com/policy:33CC", "profile": "http://example.com/odrl:profile:10",
        "prohibition": [{
            "target": "http://example.com/data:77", "assigner": "http://example.com/person:88",
            "assignee": "http://example.com/org:99", "action": "index",
            "remedy": [{"action": "anonymize", "target": "http://example.com/data:77"}],
        }],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_recommendation_are_policies(name: str) -> None:
    known = Profile("http://example.com/odrl:profile:10", lambda name: name == "bx:age")
    policy = copy.deepcopy(EXAMPLES[name])
    check(policy, known)
    # The same in full terms.
    check(json.loads(json.dumps(policy).replace('"leftOperand"', '"odrl:leftOperand"')), known)
    with pytest.raises(Invalid) as error:
        check(policy)
    assert "profile" in {one.field for one in error.value.problems}
    with pytest.raises(Invalid):
        profile.compile_terms(policy)
