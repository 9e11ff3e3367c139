"""Messages of the Dataspace Protocol: all the forms in which JSON-LD may put one."""

import json
from typing import Any

import pytest

from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.documents import CONTEXT, DSPACE, Unreadable, plain, read

ODRL = "http://www.w3.org/ns/odrl/2/"
PLAIN: dict[str, Any] = {
    "@context": [CONTEXT],
    "@type": "ContractRequestMessage",
    "consumerPid": "urn:uuid:1",
    "callbackAddress": "https://consumer.example/dsp",
    "offer": {
        "@type": "Offer", "@id": "offer-1", "target": "dataset-1",
        "permission": [{
            "action": "use",
            "constraint": [
                {"leftOperand": "odrl:count", "operator": "lteq",
                 "rightOperand": {"@value": "10", "@type": "xsd:integer"}},
            ],
        }],
    },
}  # fmt: skip


def test_the_plain_form_stays_as_it_is() -> None:
    assert plain(PLAIN, "ContractRequestMessage") == PLAIN


def expanded() -> list[dict[str, Any]]:
    """The same, as JSON-LD expansion makes it."""

    def own(name: str) -> str:
        return DSPACE + name

    return [{
        "@type": [own("ContractRequestMessage")],
        own("consumerPid"): [{"@id": "urn:uuid:1"}],
        own("callbackAddress"): [{"@value": "https://consumer.example/dsp"}],
        own("offer"): [{
            "@type": [ODRL + "Offer"], "@id": "offer-1",
            ODRL + "target": [{"@id": "dataset-1"}],
            ODRL + "permission": [{
                ODRL + "action": [{"@id": ODRL + "use"}],
                ODRL + "constraint": [{
                    ODRL + "leftOperand": [{"@id": "odrl:count"}],
                    ODRL + "operator": [{"@id": ODRL + "lteq"}],
                    ODRL + "rightOperand": [{"@value": "10", "@type": "xsd:integer"}],
                }],
            }],
        }],
    }]  # fmt: skip


def test_the_expanded_form_says_the_same() -> None:
    found = plain(expanded(), "ContractRequestMessage")
    right = found["offer"]["permission"][0]["constraint"][0].pop("rightOperand")
    assert right == [{"@value": "10", "@type": "xsd:integer"}]
    wanted = json.loads(json.dumps(PLAIN))
    wanted["offer"]["permission"][0]["constraint"][0].pop("rightOperand")
    assert found == wanted


@pytest.mark.parametrize(
    "change",
    [
        {"@context": CONTEXT},
        {"@context": [CONTEXT, "https://w3id.org/more/context.jsonld"]},
        {"@context": [CONTEXT, {"more": "https://more.example/#"}], "more:said": "something"},
        {"consumerPid": {"@id": "urn:uuid:1"}},
        {"consumerPid": ["urn:uuid:1"]},
        {"callbackAddress": {"@value": "https://consumer.example/dsp"}},
        {"@type": ["ContractRequestMessage"]},
        {"@type": "dspace:ContractRequestMessage"},
        {"@type": DSPACE + "ContractRequestMessage"},
    ],
    ids=str,
)
def test_forms_that_say_the_same(change: dict[str, Any]) -> None:
    found = plain({**PLAIN, **change}, "ContractRequestMessage")
    assert {name: found[name] for name in PLAIN} == PLAIN


def test_terms_with_a_prefix() -> None:
    sent = {
        "@context": CONTEXT, "@type": "dspace:ContractNegotiationEventMessage",
        "dspace:providerPid": "p", "dspace:consumerPid": "c", "dspace:eventType": "dspace:ACCEPTED",
    }  # fmt: skip
    found = plain(sent, "ContractNegotiationEventMessage")
    assert (found["providerPid"], found["eventType"]) == ("p", "ACCEPTED")


def test_a_single_rule_is_a_set_of_one() -> None:
    rule = PLAIN["offer"]["permission"][0]
    sent = {**PLAIN, "offer": {**PLAIN["offer"], "permission": rule}}
    assert plain(sent, "ContractRequestMessage") == PLAIN


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no", b"[]", b'"text"', b"[1, 2]", b'{"@type": "ContractRequestMessage"}',
        b'{"@context": "https://elsewhere.example", "@type": "ContractRequestMessage"}',
        json.dumps({**PLAIN, "@type": "Other"}).encode(),
        json.dumps({name: PLAIN[name] for name in PLAIN if name != "offer"}).encode(),
        json.dumps({**PLAIN, "offer": {"@id": "x", "@type": "Offer", "target": "t"}}).encode(),
        json.dumps({**PLAIN, "consumerPid": 7}).encode(),
        json.dumps({**PLAIN, "dspace:consumerPid": "twice"}).encode(),
        json.dumps(PLAIN).replace('"consumerPid"', '"@type": "x", "consumerPid"').encode(),
        b'{"@context": ["' + CONTEXT.encode() + b'"], "a": NaN}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b" " * (documents.LARGEST + 1),
    ],
    ids=range(17),
)  # fmt: skip
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body, "ContractRequestMessage")


def test_an_error_has_its_form() -> None:
    made = documents.error("TransferError", "state", "not now", providerPid="p", consumerPid="c")
    assert documents.first_problem(made) == ""
    assert made["reason"] == ["not now"]
