"""Corrections over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from workloads.data_exchange.checks.corrections.model import (
    LONGEST_TEXT,
    Correction,
    CorrectionState,
    Told,
)
from workloads.data_exchange.checks.corrections.service import Corrections

api = ApiBlueprint("corrections", __name__, tag="Corrections")

Words = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Question = Annotated[str, Field(min_length=1, max_length=40, description="Of the scenario.")]


class CorrectionCreate(Input):
    """A clerk objects to an answer."""

    question: Question
    person: Annotated[
        int, Field(ge=0, le=19, description="Place among the persons; 0 is the applicant.")
    ] = 0
    text: Annotated[Words, Field(description="What is wrong, for the agency that holds it.")]


class CorrectionByCode(Input):
    """The holder of a code of consent objects to an answer about them."""

    token: Annotated[str, Field(min_length=1, max_length=200)]
    question: Question
    text: Words


class CorrectionDecide(Input):
    """What the agency that holds the record says."""

    corrected: Annotated[bool, Field(description="Whether the record is another now.")]
    text: Annotated[Words, Field(description="What was done, or why the record stays.")]


class CorrectionQuery(PageQuery):
    """Which corrections."""

    waiting: Annotated[bool, Field(description="Only open ones.")] = False


class CorrectionOut(Schema):
    """An objection to an answer."""

    id: str
    check: str
    question: str
    person: int
    service: str
    asker: Annotated[str, Field(description="Path of the agency that asked the question.")]
    provider: Annotated[str, Field(description="Path of the agency that decides.")]
    receipt: Annotated[str, Field(description="Of the answer that is objected to.")]
    by: Annotated[str, Field(description="The clerk's name, or citizen.")]
    state: CorrectionState
    created_at: Instant
    due_at: Instant
    decided_at: Instant | None
    decided_by: str


class CorrectionTold(CorrectionOut):
    """The same in words: whom it is about, what is wrong, what the provider said."""

    number: str
    text: str
    answer: str


class StandingOut(Schema):
    """What became of an objection, for whoever it is about."""

    id: str
    question: str
    provider: str
    state: CorrectionState
    text: str
    answer: str
    created_at: Instant
    due_at: Instant
    decided_at: Instant | None


@api.get("/corrections")
@requires("correction.view")
@api.input(CorrectionQuery, location="query")
@api.output(PageOut[CorrectionOut])
def list_corrections(query_data: CorrectionQuery) -> Page[dict[str, Any]]:
    """Those that your agencies asked for or decide, newest first."""
    found = use(Corrections).corrections(
        current_actor(), query_data.page(), waiting=query_data.waiting
    )
    return found.map(_out)


@api.get("/corrections/<correction_id>")
@requires("correction.view")
@api.output(CorrectionTold)
def get_correction(correction_id: str) -> Answer:
    """One in words; that it was read is written into the audit log."""
    return _told(use(Corrections).correction(current_actor(), correction_id))


@api.post("/checks/<check_id>/corrections")
@requires("check.create")
@idempotent
@api.input(CorrectionCreate)
@api.output(CorrectionOut, 201)
def create_correction(check_id: str, json_data: CorrectionCreate) -> ResponseReturnValue:
    """Object to an answer; the agency that gave it decides in working days."""
    made = use(Corrections).ask(
        current_actor(), check_id, json_data.question, json_data.person, json_data.text
    )
    return created(_out(made), f"/api/v1/corrections/{made.id}")


@api.post("/corrections/<correction_id>/decision")
@requires("correction.decide")
@api.input(CorrectionDecide)
@api.output(CorrectionTold)
def decide_correction(correction_id: str, json_data: CorrectionDecide) -> Answer:
    """Say that the record was corrected, and the question is asked again; or why it stays."""
    return _told(
        use(Corrections).decide(
            current_actor(), correction_id, corrected=json_data.corrected, text=json_data.text
        )
    )


@api.post("/consents/corrections")
@public
@api.input(CorrectionByCode)
@api.output(StandingOut)
def object_by_code(json_data: CorrectionByCode) -> Answer:
    """Object to an answer about yourself, with your code of consent."""
    made = use(Corrections).ask_by_code(json_data.token, json_data.question, json_data.text)
    return standing(Told(made, "", json_data.text.strip(), ""))


def standing(one: Told) -> dict[str, Any]:
    """As whoever it is about sees it."""
    made = one.correction
    return {
        "id": made.id, "question": made.question, "provider": made.provider, "state": made.state,
        "text": one.text, "answer": one.answer, "created_at": made.created_at,
        "due_at": made.due_at, "decided_at": made.decided_at,
    }  # fmt: skip


def _out(one: Correction) -> dict[str, Any]:
    return {
        "id": one.id, "check": one.check, "question": one.question, "person": one.person,
        "service": one.service, "asker": one.asker, "provider": one.provider,
        "receipt": one.receipt, "by": one.by, "state": one.state, "created_at": one.created_at,
        "due_at": one.due_at, "decided_at": one.decided_at, "decided_by": one.decided_by,
    }  # fmt: skip


def _told(one: Told) -> dict[str, Any]:
    words = {"number": one.number, "text": one.text, "answer": one.answer}
    return {**_out(one.correction), **words}
