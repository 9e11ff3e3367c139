"""Consent over HTTP: for the holders of one-time codes, and for clerks."""

from typing import Annotated, Any, Literal

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Schema,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from workloads.data_exchange.checks.consent import Asked, Consents
from workloads.data_exchange.checks.model import ConsentState

api = ApiBlueprint("consents", __name__, tag="Consent")

Code = Annotated[str, Field(min_length=1, max_length=200, description="One-time code.")]
Language = Literal["en", "zh"]


class ConsentLook(Input):
    """A code, and the language in which its words are read."""

    token: Code
    language: Language = "en"


class ConsentDecide(ConsentLook):
    """What the person of a code decides; no after a yes withdraws it."""

    agree: bool


class AskedOfOut(Schema):
    """Who is asked what."""

    name: str
    title: str
    service: str
    provider: Annotated[str, Field(description="Path of the agency that is asked.")]
    provider_name: str


class StatementOut(Schema):
    """What somebody consents to, word for word; it is kept with what they decide."""

    check: str
    scenario: str
    version: int
    language: str
    title: str
    text: str
    basis: str
    agency: Annotated[str, Field(description="Path of the agency that asks.")]
    agency_name: str
    until: str
    questions: list[AskedOfOut]
    rules: Annotated[list[str], Field(description="What stands against a yes.")]


class ConsentOut(Schema):
    """What somebody is asked to consent to, and what they decided."""

    state: ConsentState
    open: Annotated[bool, Field(description="Whether they may still decide.")]
    statement: StatementOut


class GivenOut(Schema):
    """What one person decided; the statement is empty before they did."""

    person: Annotated[int, Field(description="Place among the persons; 0 is the applicant.")]
    state: ConsentState
    decided_at: Instant | None
    statement: dict[str, Any]


class ConsentsOut(Schema):
    """What everybody of a check decided."""

    items: list[GivenOut]


class RenewedOut(Schema):
    """A one-time code; told once."""

    token: str


@api.post("/consents/look")
@public
@api.input(ConsentLook)
@api.output(ConsentOut)
def look_at_consent(json_data: ConsentLook) -> Answer:
    """What the person of a one-time code is asked to consent to."""
    return _out(use(Consents).asked(json_data.token, json_data.language))


@api.post("/consents/decide")
@public
@api.input(ConsentDecide)
@api.output(ConsentOut)
def decide_consent(json_data: ConsentDecide) -> Answer:
    """Consent, refuse, or withdraw what was given."""
    use(Consents).decide(json_data.token, agree=json_data.agree, language=json_data.language)
    return _out(use(Consents).asked(json_data.token, json_data.language))


@api.get("/checks/<check_id>/consents")
@requires("check.view")
@api.output(ConsentsOut)
def list_consents(check_id: str) -> Answer:
    """What everybody of a check decided, when, and to which words."""
    return {
        "items": [
            {
                "person": one.person, "state": one.state, "decided_at": one.decided_at,
                "statement": dict(one.statement),
            }
            for one in use(Consents).given(current_actor(), check_id)
        ]
    }  # fmt: skip


@api.post("/checks/<check_id>/consents/<int:person>/renew")
@requires("check.create")
@idempotent
@api.output(RenewedOut, 201)
def renew_consent(check_id: str, person: int) -> Answer:
    """Another code for somebody who has not decided; the one before counts no more."""
    return {"token": use(Consents).renew(current_actor(), check_id, person)}


def _out(asked: Asked) -> dict[str, Any]:
    return {"state": asked.state, "open": asked.open, "statement": dict(asked.statement)}
