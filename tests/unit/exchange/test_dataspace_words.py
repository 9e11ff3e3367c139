"""Offers of others in words, and the addresses of their next pages."""

from typing import Any

import pytest

from tests.harness.dataspace import GIVEN
from workloads.data_exchange.agreements.ask import AskedRows
from workloads.data_exchange.agreements.terms import Operator
from workloads.data_exchange.dataspace import documents, policies
from workloads.data_exchange.dataspace.documents import CONTEXT
from workloads.data_exchange.dataspace.elsewhere import words
from workloads.data_exchange.dataspace.model import Given
from workloads.data_exchange.harvesting import links


def constraint(left: str, operator: str, right: object, **more: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


def rules(*constraints: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"permission": [{"action": "use", "constraint": list(constraints)}], **more}


def test_what_we_offer_ourselves_is_understood_whole() -> None:
    rows = (AskedRows("district", Operator.ANY_OF, ("North", "South")),)
    given = Given(GIVEN.purposes, GIVEN.fields, rows, GIVEN.limits, GIVEN.days)
    said = words.said({"permission": policies.permission(given), "assigner": "urn:them"})
    assert [one.text.en for one in said] == [
        "You may use the data set.",
        "For these purposes alone: Fraud prevention and detection.",
        "Of each record you get: id (masked), name (in full); nothing else.",
        "Only records in which district is one of “North”, “South”.",
        "At most: 1,000 calls in all.", "At most: 50 rows a call.", "For at most 30 days.",
    ]  # fmt: skip
    assert all(one.understood for one in said)
    assert all(one.text.zh for one in said)


ODD: list[tuple[dict[str, Any], str]] = [
    (rules(constraint("odrl:spatial", "isPartOf", {"@id": "urn:city"})),
     "Only if spatial is a part of urn:city."),
    (rules(constraint("https://w3id.org/edc/v0.0.1/ns/inForceDate", "gteq", "contract+0s")),
     "Only if https://w3id.org/edc/v0.0.1/ns/inForceDate is at least contract+0s."),
    (rules({"or": [constraint("odrl:count", "lteq", "5"), {"and": [
        constraint("a", "eq", ["1", "2"]), constraint("b", "eq", "3")]}]}),
     "Only if one of these holds (count is at most 5, all of these hold (a is 1, 2, b is 3))."),
    (rules(constraint("odrl:count", "lteq", "5", unit="urn:day")),
     'Only if count is at most 5, {"unit": "urn:day"}.'),
    (rules(constraint("b", "lt", {"x": 1})), 'Only if b is below {"x": 1}.'),
    (rules(constraint("odrl:purpose", "isAnyOf", [])), "Only if purpose is any of ."),
    (rules(constraint("odrl:purpose", "isAnyOf", ["urn:fun"])),
     "For these purposes alone: urn:fun."),
    (rules(constraint("odrl:elapsedTime", "lteq", "P0D")), "Only if elapsedTime is at most P0D."),
    (rules(prohibition=[{"action": "sell", "constraint": [constraint("odrl:spatial", "eq", "x")]}]),
     "You may not “sell” (spatial is x)."),
    (rules(obligation=[{"action": "odrl:delete"}]), "You must “delete”."),
    (rules(profile="urn:profile"), 'It also says: {"profile": "urn:profile"}.'),
    ({"permission": [{"action": "use", "duty": [{"action": "compensate"}]}]},
     "In return you must “compensate”."),
    ({"permission": [{"action": "read", "target": "urn:part"}]}, "You may “read” the data set."),
    ({"permission": [{"action": "use"}] * 2},
     "It gives 2 permissions, each with conditions of its own."),
    ({"prohibition": [{"action": "use"}]}, "You may not use."),
]  # fmt: skip


@pytest.mark.parametrize(("given", "sentence"), ODD, ids=lambda one: str(one)[:40])
def test_what_is_not_understood_is_said_and_marked(given: dict[str, Any], sentence: str) -> None:
    said = words.said(given)
    (found,) = (one for one in said if one.text.en == sentence)
    assert not found.understood, said
    assert not words.understood(given)


def test_a_long_value_is_cut() -> None:
    said = words.said(rules(constraint("a", "eq", "x" * 5000)))
    assert all(len(one.text.en) < 400 for one in said)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", ""), ("nonsense", ""), ("<b>", ""), ("<b>; rel=previous", ""),
        ("<b?c=1>; rel=next", "https://h.example/a/b?c=1"),
        ('<https://o.example/x>; rel="next"', "https://o.example/x"),
        ('</p>; rel="previous", </n>;title="x; rel=y, z" ; REL="NEXT last"',
         "https://h.example/n"),
        ("<?t=a,b>; rel='next', <?t=2>; rel=next", "https://h.example/a/c?t=2"),
        ("<?n=1>; rel=next, <?n=2>; rel=next", "https://h.example/a/c?n=1"),
        ("<http://[>; rel=next", "http://["),
        ("<a>" + ";x" * 5000 + "; rel=next", ""),
        ("<" * 8000, ""), ('<a>; x="' + "\\" * 8000, ""),
    ],
)  # fmt: skip
def test_where_the_next_page_is(header: str, found: str) -> None:
    assert links.next_of(header, "https://h.example/a/c") == found


def test_prefixes_and_languages_of_a_catalogue_are_kept() -> None:
    body = {
        "@context": [CONTEXT, {"ex": "https://ex.example/#"}], "@type": "dcat:Catalog",
        "dcat:dataset": {
            "@id": "urn:d", "@type": "dcat:Dataset",
            "http://purl.org/dc/terms/title": [{"@value": "Straßen", "@language": "de"}],
            "odrl:hasPolicy": {"@id": "o", "odrl:permission": {
                "odrl:action": {"@id": "odrl:use"},
                "odrl:constraint": {"odrl:leftOperand": {"@id": "ex:region"},
                                    "odrl:operator": {"@id": "odrl:eq"},
                                    "odrl:rightOperand": "north"}}},
        },
    }  # fmt: skip
    found = documents.compacted(documents.canonical.dumps(body).encode(), "Catalog")
    (dataset,) = found["dataset"]
    assert dataset["title"] == {"@value": "Straßen", "@language": "de"}
    (rule,) = dataset["hasPolicy"][0]["permission"]
    assert rule["constraint"][0] == {
        "leftOperand": "https://ex.example/#region", "operator": "eq", "rightOperand": "north",
    }  # fmt: skip
