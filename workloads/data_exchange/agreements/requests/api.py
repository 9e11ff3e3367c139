"""Requests over HTTP: one address for each side, so that each has its own permission."""

from typing import Annotated, Any, Literal

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
    requires,
    use,
)
from foundation.surface.runtime import Runtime
from workloads.data_exchange.agreements.bodies import AskIn, AskOut
from workloads.data_exchange.agreements.requests.model import (
    LONGEST_TEXT,
    WAITS_FOR,
    Act,
    Request,
    RequestState,
    Side,
    Step,
)
from workloads.data_exchange.agreements.requests.ports import RequestQuery
from workloads.data_exchange.agreements.requests.service import Requests

api = ApiBlueprint("requests", __name__, tag="Requests")

Reference = Annotated[str, Field(min_length=1, max_length=500)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT, description="Reason, question or answer.")]
Seen = Annotated[
    int | None, Field(ge=1, description="Of the request as you saw it; refused when it changed.")
]


class AccessRequestCreate(Input):
    """A request for access."""

    consumer: Annotated[Reference, Field(description="Id or path of the agency that would use it.")]
    dataset: Reference
    service: Annotated[Reference, Field(description="The interface by which it is called.")]
    ask: AskIn
    legal_basis: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    justification: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    amends: Annotated[
        str, Field(max_length=100, description="Id of the agreement this would be a version of.")
    ] = ""


class AccessReview(Input):
    """What the compliance review found."""

    act: Literal["pass", "refuse"]
    text: Text = ""
    version: Seen = None


class AccessDecision(Input):
    """What the provider says: all of it, less of it, no, or a question."""

    act: Literal["approve", "offer", "refuse", "inquire"]
    text: Text = ""
    offer: Annotated[
        AskIn | None, Field(description="With act offer: less than was asked for.")
    ] = None
    version: Seen = None


class AccessReply(Input):
    """What the consumer says."""

    act: Literal["answer", "accept", "withdraw", "dispute"]
    text: Text = ""
    version: Seen = None


class AccessRuling(Input):
    """How the level above both agencies decides a dispute."""

    act: Literal["uphold", "overrule"]
    text: Text = ""
    version: Seen = None


class AccessRequestOut(Schema):
    """A request for access and its clocks."""

    id: str
    consumer: str
    provider: str
    dataset: str
    service: str
    ask: AskOut
    offer: Annotated[AskOut | None, Field(description="What the provider gives instead.")]
    legal_basis: str
    justification: str
    amends: str
    agreement: Annotated[str, Field(description="What came of it, once approved.")]
    state: RequestState
    waits_for: Side | None
    since: Instant
    days: Annotated[int, Field(description="Working days that this state may take.")]
    due_at: Instant | None
    overdue: bool
    escalated_at: Instant | None
    review_days: Annotated[
        int | None, Field(description="Left to the provider while its clock stands.")
    ]
    refused_by: Side | None
    created_at: Instant
    version: int


class AccessStepOut(Schema):
    """What was done with a request."""

    number: int
    at: Instant
    actor: str
    name: str
    side: Side
    act: Act
    before: RequestState
    after: RequestState
    text: str
    offer: AskOut | None
    late: bool


class AccessStepsOut(Schema):
    """All that was done, in order."""

    items: list[AccessStepOut]


class AccessRequestQuery(PageQuery):
    """Which requests."""

    state: RequestState | None = None
    consumer: Annotated[str, Field(max_length=500, description="Path, and below it.")] = ""
    provider: Annotated[str, Field(max_length=500, description="Path, and below it.")] = ""
    overdue: Annotated[bool, Field(description="Only those that are late.")] = False
    mine: Annotated[bool, Field(description="Only those that wait for what you may do.")] = False


def out(one: Request) -> dict[str, Any]:
    """A request as it is sent."""
    overdue = one.overdue(use(Runtime).clock.now())
    return {
        "id": one.id, "consumer": one.consumer, "provider": one.provider,
        "dataset": one.dataset, "service": one.service, "ask": one.ask.as_json(),
        "offer": None if one.offer is None else one.offer.as_json(),
        "legal_basis": one.legal_basis, "justification": one.justification,
        "amends": one.amends, "agreement": one.agreement, "state": one.state,
        "waits_for": WAITS_FOR.get(one.state), "since": one.since, "days": one.days,
        "due_at": one.due_at, "overdue": overdue, "escalated_at": one.escalated_at,
        "review_days": one.review_days, "refused_by": one.refused_by,
        "created_at": one.created_at, "version": one.version,
    }  # fmt: skip


def _step(one: Step) -> dict[str, Any]:
    return {
        "number": one.number, "at": one.at, "actor": one.actor, "name": one.name,
        "side": one.side, "act": one.act, "before": one.before, "after": one.after,
        "text": one.text, "offer": None if one.offer is None else one.offer.as_json(),
        "late": one.late,
    }  # fmt: skip


@api.get("/requests")
@requires("request.view")
@api.input(AccessRequestQuery, location="query")
@api.output(PageOut[AccessRequestOut])
def list_access_requests(query_data: AccessRequestQuery) -> Answer:
    """The requests that you may see, the next due first."""
    query = RequestQuery(
        (query_data.state,) if query_data.state else (), query_data.consumer, query_data.provider,
        use(Runtime).clock.now() if query_data.overdue else None,
    )  # fmt: skip
    page = query_data.page()
    found = use(Requests).requests(current_actor(), query, page, mine=query_data.mine)
    return Page(tuple(out(one) for one in found.items), found.next)


@api.post("/requests")
@requires("request.create")
@idempotent
@api.input(AccessRequestCreate)
@api.output(AccessRequestOut, 201)
def create_access_request(json_data: AccessRequestCreate) -> ResponseReturnValue:
    """Ask for access to a data set by one of its interfaces."""
    made = use(Requests).create(
        current_actor(),
        consumer=json_data.consumer,
        dataset=json_data.dataset,
        service=json_data.service,
        ask=json_data.ask.value(),
        legal_basis=json_data.legal_basis,
        justification=json_data.justification,
        amends=json_data.amends,
    )
    return created(out(made), f"/api/v1/requests/{made.id}")


@api.get("/requests/<request_id>")
@requires("request.view")
@api.output(AccessRequestOut)
def get_access_request(request_id: str) -> Answer:
    """One request with its clocks."""
    return out(use(Requests).request(current_actor(), request_id))


@api.get("/requests/<request_id>/steps")
@requires("request.view")
@api.output(AccessStepsOut)
def list_access_steps(request_id: str) -> Answer:
    """What was done with a request, by whom and for which side."""
    found = use(Requests).steps(current_actor(), request_id)
    return {"items": [_step(one) for one in found]}


@api.post("/requests/<request_id>/review")
@requires("request.review")
@idempotent
@api.input(AccessReview)
@api.output(AccessRequestOut)
def review_access_request(request_id: str, json_data: AccessReview) -> Answer:
    """Let a request pass to the provider, or refuse it with a reason."""
    return _act(request_id, json_data)


@api.post("/requests/<request_id>/decision")
@requires("request.decide")
@idempotent
@api.input(AccessDecision)
@api.output(AccessRequestOut)
def decide_access_request(request_id: str, json_data: AccessDecision) -> Answer:
    """Approve a request, offer less, refuse it with a reason, or ask a question."""
    return _act(request_id, json_data)


@api.post("/requests/<request_id>/reply")
@requires("request.create")
@idempotent
@api.input(AccessReply)
@api.output(AccessRequestOut)
def reply_access_request(request_id: str, json_data: AccessReply) -> Answer:
    """Answer a question, accept what is offered, withdraw, or dispute a refusal."""
    return _act(request_id, json_data)


@api.post("/requests/<request_id>/ruling")
@requires("request.review")
@idempotent
@api.input(AccessRuling)
@api.output(AccessRequestOut)
def rule_access_request(request_id: str, json_data: AccessRuling) -> Answer:
    """Decide a dispute, for the level above both agencies."""
    return _act(request_id, json_data)


def _act(
    request_id: str, given: AccessReview | AccessDecision | AccessReply | AccessRuling
) -> dict[str, Any]:
    offer = given.offer.value() if isinstance(given, AccessDecision) and given.offer else None
    done = use(Requests).act(
        current_actor(), request_id, Act(given.act), text=given.text, offer=offer,
        version=given.version,
    )  # fmt: skip
    return out(done)
