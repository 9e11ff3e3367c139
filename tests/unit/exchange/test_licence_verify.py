"""Every attack on the verifier of licences, and what it says of what holds."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from foundation.kernel.errors import Collector
from tests.harness.exchange_licences import (
    BASE,
    CLAIMS,
    WANTED,
    Case,
    Stage,
    cases,
    licence_type,
    tampered,
)
from workloads.data_exchange.licences import trust
from workloads.data_exchange.licences.model import (
    check_claims,
    check_reference,
    check_type,
    integrity,
    metadata_of,
)
from workloads.data_exchange.licences.parts import joined
from workloads.data_exchange.licences.samples import sample
from workloads.data_exchange.licences.verify import verify
from workloads.data_exchange.proofs.keys import ProofError

AT = datetime(2026, 11, 3, 9, 0, 30, tzinfo=UTC)
STAGE = Stage(AT)
CASES = cases(STAGE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verifier_finds(case: Case) -> None:
    known = trust.read(json.dumps(case.trust))
    found = verify(case.text, known, at=AT, binding=WANTED, vct=case.vct)
    assert found.verdict.value == case.verdict, found.why
    assert case.why in found.why
    assert found.verdict.value != "fails" or not found.claims


def test_what_it_says() -> None:
    known = trust.read(json.dumps(STAGE.trust()))
    found = verify(STAGE.shown(), known, at=AT, binding=WANTED)
    assert found.claims == {"number": "JY1", "name": "Example Noodles"}
    assert found.labels["name"].zh == "名称"
    assert (found.title.en, found.issuer.zh, found.status) == ("Food licence", "民政", "valid")
    assert found.as_of == datetime.fromtimestamp(STAGE.second(minutes=-1), UTC)
    assert not found.stale
    later = AT + timedelta(minutes=4, seconds=30)
    assert verify(STAGE.shown(), known, at=later, binding=WANTED).stale
    assert verify(tampered(STAGE.shown()), known, at=AT, binding=WANTED).verdict.value == "fails"


def test_trust_that_is_none() -> None:
    good = STAGE.trust()
    for bad in ("", "[]", "{}", json.dumps({**good, "as_of": "now"}), json.dumps(good)[:-1],
                json.dumps({**good, "issuers": [{}]}), '{"as_of": 1, "as_of": 2}',
                json.dumps(good).replace("OKP", "oct")):  # fmt: skip
        with pytest.raises(ProofError):
            trust.read(bad)


def test_parts_are_joined_in_any_order() -> None:
    assert joined(" text\n") == "text"
    assert joined("BL1/2/2/m/b~\nBL1/1/2/m/a.\n") == "a.b~"
    for bad in ("BL1/1/2/m/a", "BL1/1/2/m/a\nBL1/2/2/n/b", "BL1/1/1/m/a\nrest", "BL1/1/0/m/"):
        with pytest.raises(ProofError):
            joined(bad)


def problems(work: object) -> set[str]:
    return {one.field for one in work.problems}  # type: ignore[attr-defined]


def test_types_and_claims_that_are_wrong() -> None:
    wrong = Collector()
    fields = licence_type().fields
    odd = (
        fields[0], fields[0], licence_field("iss"), licence_field("A"),
        licence_field("a", {"type": "nothing"}), licence_field("b", {"$ref": "https://x.example"}),
        licence_field("c", {"pattern": "(a+"}),
    )  # fmt: skip
    check_type(wrong, licence_type(name="No", fields=odd, copies=0, days=0, background="red"))
    assert problems(wrong) == {
        "name", "copies", "days", "background", "fields.1.name", "fields.2.name",
        "fields.3.name", "fields.4.schema", "fields.5.schema", "fields.6.schema",
    }  # fmt: skip
    wrong = Collector()
    check_claims(wrong, licence_type(), {"number": 1, "seats": "x", "other": 2, "name": "n"})
    assert problems(wrong) == {
        "claims.number", "claims.seats", "claims.other", "claims.address",
    }  # fmt: skip
    wrong = Collector()
    check_claims(wrong, licence_type(), {**CLAIMS, "name": "x" * 20_000})
    assert problems(wrong) == {"claims"}
    for reference in ("", "a b", "11010519491231002X", "x" * 65):
        wrong = Collector()
        check_reference(wrong, reference)
        assert wrong.problems, reference


def licence_field(name: str, schema: dict[str, object] | None = None) -> object:
    first = licence_type().fields[0]
    return type(first)(name, first.title, schema or {})


def test_metadata_is_that_of_the_draft() -> None:
    made = licence_type()
    told = json.loads(metadata_of(made))
    assert [one["locale"] for one in told["display"]] == ["en", "zh"]
    assert [(one["path"], one["sd"], one["mandatory"]) for one in told["claims"]] == [
        (["number"], "never", True), (["name"], "always", True), (["address"], "always", True),
        (["seats"], "always", False),
    ]  # fmt: skip
    # An example of the draft's own form (W3C SRI, 3): the empty text.
    assert integrity("") == "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert sample()["name"] == "food-business"
    assert BASE.startswith("https://")
