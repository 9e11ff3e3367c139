"""What is offered, asked for and agreed on, as ODRL of the protocol."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workloads.data_exchange.agreements.ask import AskedField, AskedRows
from workloads.data_exchange.agreements.policy import profile
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter, Terms
from workloads.data_exchange.dataspace import documents, policies
from workloads.data_exchange.dataspace.documents import CONTEXT
from workloads.data_exchange.dataspace.model import Given
from workloads.data_exchange.dataspace.policies import NotUnderstood

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GIVEN = Given(
    frozenset({"dpv:ServiceProvision", "dpv:FraudPreventionAndDetection"}),
    (AskedField("id"), AskedField("full name", whole=True)),
    (
        AskedRows("district", Operator.ANY_OF, ("east", "west")),
        AskedRows("members", Operator.GTEQ, (2,)),
        AskedRows("owner", Operator.EQ, (True,)),
        AskedRows("share", Operator.LT, (0.5,)),
    ),
    Limits(calls=1000, calls_per_day=10, calls_per_minute=2, rows=500, rows_per_call=5),
    30,
)


def offer(given: Given) -> dict[str, Any]:
    return {"@type": "Offer", "@id": "o", "permission": policies.permission(given)}


def constraint(left: str, operator: str, right: object) -> dict[str, Any]:
    rule = {"leftOperand": left, "operator": operator, "rightOperand": right}
    return {"permission": [{"action": "use", "constraint": [rule]}]}


def test_what_is_written_is_read() -> None:
    assert policies.read(offer(GIVEN), GIVEN) == GIVEN
    other = replace(GIVEN, days=9, limits=Limits(calls=3), fields=GIVEN.fields[:1])
    assert policies.read(offer(other), replace(GIVEN, limits=Limits())) == other


def test_it_fits_the_schemas() -> None:
    sent = {
        "@context": [CONTEXT], "@type": "ContractRequestMessage", "consumerPid": "c",
        "callbackAddress": "https://c.example", "offer": {**offer(GIVEN), "target": "d"},
    }  # fmt: skip
    assert documents.first_problem(sent) == ""
    assert documents.plain(sent, "ContractRequestMessage") == sent


def test_what_is_not_spoken_of_is_wanted_as_offered() -> None:
    assert policies.read({"permission": [{"action": "use"}]}, GIVEN) == GIVEN
    assert policies.read({"permission": [{"action": "odrl:use", "constraint": []}]}, GIVEN) == GIVEN
    wanted = policies.read(constraint("odrl:count", "lteq", "7"), GIVEN)
    assert wanted == replace(GIVEN, limits=replace(GIVEN.limits, calls=7))


@pytest.mark.parametrize(
    "policy",
    [
        {}, {"permission": []}, {"permission": [{"action": "use"}, {"action": "use"}]},
        {"permission": [{"action": "distribute"}]},
        {"permission": [{"action": "use", "duty": [{"action": "delete"}]}]},
        {"permission": [{"action": "use", "assignee": "x"}]},
        {"permission": [{"action": "use"}], "obligation": [{"action": "delete"}]},
        {"permission": [{"action": "use"}], "prohibition": [{"action": "distribute"}]},
        {"permission": [{"action": "use", "constraint": [{"or": []}]}]},
        constraint("odrl:spatial", "eq", "here"), constraint("odrl:count", "gt", "7"),
        constraint("odrl:count", "lteq", "-7"), constraint("odrl:count", "lteq", "9" * 30),
        constraint("odrl:elapsedTime", "lteq", "P1Y"),
        constraint("urn:borough:exchange:field", "isAnyOf", ["name"]),
        constraint("urn:borough:exchange:row:x", "isA", "y"),
        constraint("urn:borough:exchange:row:x", "eq", {"@value": "n", "@type": "xsd:integer"}),
        constraint("urn:borough:exchange:row:x", "eq", {"@value": "1", "@type": "xsd:hexBinary"}),
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_not_understood_is_not_agreed_on(policy: dict[str, Any]) -> None:
    with pytest.raises(NotUnderstood):
        policies.read(policy, GIVEN)


@pytest.mark.parametrize(
    "more",
    [
        replace(GIVEN, purposes=frozenset({"dpv:Marketing"})),
        replace(GIVEN, fields=(*GIVEN.fields, AskedField("income"))),
        replace(GIVEN, fields=(AskedField("id", whole=True),)),
        replace(GIVEN, rows=GIVEN.rows[1:]),
        replace(GIVEN, limits=replace(GIVEN.limits, calls=1001)),
        replace(GIVEN, limits=replace(GIVEN.limits, rows=None)),
        replace(GIVEN, days=31),
    ],
    ids=range(7),
)
def test_more_than_is_offered_is_seen(more: Given) -> None:
    assert policies.exceeds(more, GIVEN, NOW)
    assert not policies.exceeds(GIVEN, GIVEN, NOW)
    assert not policies.exceeds(replace(GIVEN, days=1), GIVEN, NOW)


def terms(given: Given) -> Terms:
    ask = policies.as_ask(given, NOW)
    return Terms(
        "agr_1", "", "dst_1", "svc_1", "/p/", "/c/", ask.purposes,
        tuple(Field(one.name, f"/{n}") for n, one in enumerate(ask.fields)),
        tuple(
            RowFilter(f"/{n}", one.operator, one.values)
            for n, one in enumerate(ask.rows)
        ),
        "/records", ask.limits, ask.begins, ask.ends,
    )  # fmt: skip


def test_what_is_signed_is_what_was_agreed_on() -> None:
    given = replace(GIVEN, fields=(AskedField("id", whole=True),))
    about = profile.About(1, NOW, "dsn_1", "law")
    text = profile.write(terms(given), about)
    agreed = {"permission": policies.agreed(policies.as_ask(given, NOW))}
    assert policies.says(text, None, agreed)
    for change in (
        {"purposes": frozenset({"dpv:Marketing"})}, {"limits": Limits()}, {"rows": ()},
        {"ends": NOW + timedelta(days=99)}, {"fields": (Field("other", "/other"),)},
    ):  # fmt: skip
        other = profile.write(replace(terms(given), **change), about)
        assert not policies.says(other, None, agreed)
    assert not policies.says({"no": "policy"}, None, agreed)
    schema = {"type": "object"}
    text = profile.write(replace(terms(given), answers=schema), about)
    assert policies.says(text, schema, agreed)
    assert not policies.says(text, None, agreed)
    assert policies.loads("[1]") is None
    assert policies.loads("{") is None


def test_an_agreement_follows_what_was_on_the_table() -> None:
    agreed = {"permission": policies.agreed(policies.as_ask(GIVEN, NOW))}
    assert policies.follows(agreed, offer(GIVEN))
    assert policies.follows(agreed, {"permission": [{"action": "use"}]})
    assert not policies.follows(agreed, offer(replace(GIVEN, fields=GIVEN.fields[:1])))
    for burden in ("obligation", "prohibition"):
        bare = {"permission": [{"action": "use"}]}
        assert not policies.follows({**agreed, burden: [{"action": "compensate"}]}, bare)
    less = {"permission": policies.agreed(policies.as_ask(replace(GIVEN, days=3), NOW))}
    assert not policies.same(agreed, less)
