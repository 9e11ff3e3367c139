"""The dataspace over HTTP, for our own people and machines; the protocol itself is ``binding``."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.access import policy
from foundation.kernel.errors import Invalid, Problem
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
    etag,
    idempotent,
    requires,
    use,
)
from workloads.data_exchange.agreements import ask
from workloads.data_exchange.agreements.ask import AskedField, AskedRows
from workloads.data_exchange.agreements.bodies import FieldIn, FieldOut, LimitsIn, LimitsOut, RowsIn
from workloads.data_exchange.agreements.bodies import RowsOut as RowsShown
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.dataspace.acting import Dataspace
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import (
    LONGEST_ID,
    PULL,
    REASON_MAX,
    Given,
    Offer,
    Process,
    Reaction,
    SendingState,
)
from workloads.data_exchange.dataspace.participants import Participants

api = ApiBlueprint("dataspace", __name__, tag="Dataspace")

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Maybe = Annotated[str, Field(max_length=LONGEST_ID)]
Agency = Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
Address = Annotated[
    str, Field(max_length=2000, description="Base of its endpoints; the registered one if empty.")
]
Rules = Annotated[
    list[dict[str, Any]],
    Field(default_factory=list, max_length=10, description="Permissions (ODRL) asked for instead."),
]


class ParticipantPut(Input):
    """Another connector."""

    id: Annotated[Name, Field(description="Its identifier in the dataspace.")]
    agency: Annotated[Agency, Field(description="For which it stands here; id or path.")]
    address: Annotated[str, Field(max_length=2000, description="Base of its protocol endpoints.")]
    account: Annotated[
        str, Field(max_length=100, description="Id of the service account as which it signs in.")
    ] = ""


class ParticipantOut(Schema):
    """Another connector."""

    id: str
    agency: str
    address: str
    account: str
    created_at: Instant


class ParticipantListOut(Schema):
    """Other connectors, and what we are called."""

    own: str
    items: list[ParticipantOut]


class DataspaceOfferCreate(Input):
    """What everybody in the dataspace may have who takes the offer."""

    dataset: Name
    service: Name
    target: Annotated[
        Maybe, Field(description="Identifier of the data set in the dataspace; else its id.")
    ] = ""
    offer: Annotated[Maybe, Field(description="An id of your own; a new one if empty.")] = ""
    purposes: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Field(min_length=1, max_length=ask.MOST_PURPOSES),
    ]
    fields: Annotated[list[FieldIn], Field(min_length=1, max_length=ask.MOST_FIELDS)]
    rows: Annotated[list[RowsIn], Field(default_factory=list, max_length=ask.MOST_ROWS)]
    limits: LimitsIn = LimitsIn()
    days: Annotated[int, Field(ge=1, le=ask.LONGEST_TERM.days, description="How long it counts.")]
    legal_basis: Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]

    def given(self) -> Given:
        """As the service takes it."""
        return Given(
            frozenset(self.purposes),
            tuple(AskedField(one.name, one.whole) for one in self.fields),
            tuple(AskedRows(one.name, one.operator, tuple(one.values)) for one in self.rows),
            Limits(**self.limits.model_dump()),
            self.days,
        )


class DataspaceGivenOut(Schema):
    """What an offer gives."""

    purposes: list[str]
    fields: list[FieldOut]
    rows: list[RowsShown]
    limits: LimitsOut
    days: int


class DataspaceOfferOut(Schema):
    """An offer to the dataspace."""

    id: str
    target: str
    dataset: str
    service: str
    agency: str
    given: DataspaceGivenOut
    legal_basis: str
    created_at: Instant
    withdrawn_at: Instant | None


class DataspaceRulePut(Input):
    """What is done without a person; an empty plan leaves all to people again."""

    kind: ProcessKind
    role: Role
    subject: Annotated[Name, Field(description="An offer, a data set elsewhere, or an agreement.")]
    agency: Agency
    plan: Annotated[
        dict[ProcessState, Annotated[list[Reaction], Field(max_length=20)]],
        Field(description="By state: what is done the first time it is entered, the second, …"),
    ]


class DataspaceRuleOut(Schema):
    """What is done without a person."""

    kind: ProcessKind
    role: Role
    subject: str
    agency: str
    plan: dict[ProcessState, list[Reaction]]


class NegotiationCreate(Input):
    """A negotiation that one of our agencies begins."""

    agency: Agency
    provider: Annotated[Name, Field(description="Identifier of the participant.")]
    dataset: Annotated[Name, Field(description="Its @id in the provider's catalogue.")]
    offer: Annotated[Name, Field(description="Its @id in the provider's catalogue.")]
    address: Address = ""
    rules: Rules


class TransferCreate(Input):
    """A transfer that one of our agencies begins."""

    agency: Agency
    provider: Annotated[Name, Field(description="Identifier of the participant.")]
    agreement: Annotated[Name, Field(description="Its id, as the provider has it.")]
    format: Maybe = PULL
    address: Address = ""


class NegotiationSignal(Input):
    """The same in the words of the protocol's conformance kit."""

    provider: Annotated[Name, Field(alias="providerId")]
    dataset: Annotated[Name, Field(alias="datasetId")]
    offer: Annotated[Name, Field(alias="offerId")]
    address: Annotated[str, Field(alias="connectorAddress", max_length=2000)] = ""
    agency: Annotated[Maybe, Field(description="The one for which you may act, if empty.")] = ""


class TransferSignal(Input):
    """The same in the words of the protocol's conformance kit."""

    provider: Annotated[Name, Field(alias="providerId")]
    agreement: Annotated[Name, Field(alias="agreementId")]
    format: Maybe = PULL
    address: Annotated[str, Field(alias="connectorAddress", max_length=2000)] = ""
    agency: Annotated[Maybe, Field(description="The one for which you may act, if empty.")] = ""


class ProcessQuery(PageQuery):
    """Which processes."""

    kind: ProcessKind | None = None
    state: ProcessState | None = None


class ProcessOut(Schema):
    """A negotiation or a transfer, as this side knows it."""

    id: str
    kind: ProcessKind
    role: Annotated[Role, Field(description="Which side we are.")]
    state: ProcessState
    peer: Annotated[str, Field(description="The participant on the other side.")]
    peer_pid: Annotated[str, Field(description="Its identifier; empty until it answered.")]
    agency: str
    dataset: str
    offer: str
    agreement: str
    format: str
    policy: Annotated[dict[str, Any], Field(description="What is on the table (ODRL).")]
    mine: Annotated[bool, Field(description="Whether what is on the table came from us.")]
    error: str
    created_at: Instant
    changed_at: Instant


class ProcessActCreate(Input):
    """What is done with a process."""

    act: ProcessAct
    reason: Annotated[str, Field(max_length=REASON_MAX)] = ""
    rules: Rules


class SentMessageOut(Schema):
    """A message of ours."""

    id: str
    number: int
    act: ProcessAct
    state: SendingState
    attempts: int
    error: str
    created_at: Instant
    due_at: Instant
    sent_at: Instant | None


class SentMessageListOut(Schema):
    """What we said, in order."""

    items: list[SentMessageOut]


class DataAddressOut(Schema):
    """Where the data of a transfer are to be had."""

    address: Annotated[dict[str, Any], Field(description="A DataAddress of the protocol.")]


@api.get("/dataspace/participants")
@requires("agency.view")
@api.output(ParticipantListOut)
def list_participants() -> Answer:
    """The connectors that are known here, and what we are called."""
    participants = use(Participants)
    return {"own": participants.own, "items": participants.participants(current_actor())}


@api.put("/dataspace/participants")
@requires("dataspace.manage")
@api.input(ParticipantPut)
@api.output(ParticipantOut)
def put_participant(json_data: ParticipantPut) -> Answer:
    """Take up a connector, or change where it is and who it is here."""
    return use(Participants).register(
        current_actor(), json_data.id, agency=json_data.agency, address=json_data.address,
        account=json_data.account,
    )  # fmt: skip


@api.get("/dataspace/offers")
@requires("dataspace.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[DataspaceOfferOut])
def list_dataspace_offers(query_data: PageQuery) -> Page[Offer]:
    """What is offered to the dataspace."""
    return use(Dataspace).offers(current_actor(), query_data.page())


@api.post("/dataspace/offers")
@requires("dataspace.offer")
@idempotent
@api.input(DataspaceOfferCreate)
@api.output(DataspaceOfferOut, 201)
def create_dataspace_offer(json_data: DataspaceOfferCreate) -> ResponseReturnValue:
    """Offer a published data set to the dataspace, or change an offer of it."""
    made = use(Dataspace).offer(
        current_actor(), dataset=json_data.dataset, service=json_data.service,
        given=json_data.given(), legal_basis=json_data.legal_basis, target=json_data.target,
        offer=json_data.offer,
    )  # fmt: skip
    return created(made, "/api/v1/dataspace/offers", etag(made.id))


@api.post("/dataspace/offers/<offer_id>/withdraw")
@requires("dataspace.offer")
@api.output(DataspaceOfferOut)
def withdraw_dataspace_offer(offer_id: str) -> Answer:
    """Offer it no more; what was agreed on stands."""
    return use(Dataspace).withdraw(current_actor(), offer_id)


@api.put("/dataspace/rules")
@requires("dataspace.view")
@api.input(DataspaceRulePut)
@api.output(DataspaceRuleOut)
def put_dataspace_rule(json_data: DataspaceRulePut) -> Answer:
    """Say what is done without a person; whoever may do it by hand may."""
    return use(Dataspace).rule(
        current_actor(), kind=json_data.kind, role=json_data.role, subject=json_data.subject,
        agency=json_data.agency,
        plan={state: tuple(steps) for state, steps in json_data.plan.items()},
    )  # fmt: skip


@api.get("/dataspace/processes")
@requires("dataspace.view")
@api.input(ProcessQuery, location="query")
@api.output(PageOut[ProcessOut])
def list_processes(query_data: ProcessQuery) -> Page[Process]:
    """The negotiations and transfers that you may see, newest first."""
    return use(Dataspace).processes(
        current_actor(), query_data.page(), kind=query_data.kind, state=query_data.state
    )


@api.get("/dataspace/processes/<process_id>")
@requires("dataspace.view")
@api.output(ProcessOut)
def get_process(process_id: str) -> Answer:
    """One negotiation or transfer."""
    return use(Dataspace).process(current_actor(), process_id)


@api.get("/dataspace/processes/<process_id>/messages")
@requires("dataspace.view")
@api.output(SentMessageListOut)
def list_process_messages(process_id: str) -> Answer:
    """What we said in it, and whether it arrived."""
    return {"items": use(Dataspace).sendings(current_actor(), process_id)}


@api.get("/dataspace/processes/<process_id>/address")
@requires("dataspace.use")
@api.output(DataAddressOut)
def get_data_address(process_id: str) -> Answer:
    """Where its data are to be had, with the grant that the provider gave for it."""
    return {"address": use(Dataspace).address(current_actor(), process_id)}


@api.post("/dataspace/processes/<process_id>/acts")
@requires("dataspace.view")
@idempotent
@api.input(ProcessActCreate)
@api.output(ProcessOut, 201)
def create_process_act(process_id: str, json_data: ProcessActCreate) -> ResponseReturnValue:
    """Do what its state allows our side."""
    done = use(Dataspace).act(
        current_actor(), process_id, json_data.act, reason=json_data.reason, rules=json_data.rules
    )
    return _made(done)


@api.post("/dataspace/negotiations")
@requires("dataspace.use")
@idempotent
@api.input(NegotiationCreate)
@api.output(ProcessOut, 201)
def create_negotiation(json_data: NegotiationCreate) -> ResponseReturnValue:
    """Ask another participant for an agreement."""
    return _made(use(Dataspace).negotiate(current_actor(), **dict(json_data)))


@api.post("/dataspace/transfers")
@requires("dataspace.use")
@idempotent
@api.input(TransferCreate)
@api.output(ProcessOut, 201)
def create_transfer(json_data: TransferCreate) -> ResponseReturnValue:
    """Ask another participant to hand out what was agreed on."""
    return _made(use(Dataspace).transfer(current_actor(), **dict(json_data)))


@api.post("/dataspace/signals/negotiations")
@requires("dataspace.use")
@idempotent
@api.input(NegotiationSignal)
@api.output(ProcessOut, 201)
def signal_negotiation(json_data: NegotiationSignal) -> ResponseReturnValue:
    """Begin a negotiation for the one agency for which you may."""
    return _made(use(Dataspace).negotiate(current_actor(), **_for_agency(dict(json_data))))


@api.post("/dataspace/signals/transfers")
@requires("dataspace.use")
@idempotent
@api.input(TransferSignal)
@api.output(ProcessOut, 201)
def signal_transfer(json_data: TransferSignal) -> ResponseReturnValue:
    """Begin a transfer for the one agency for which you may."""
    return _made(use(Dataspace).transfer(current_actor(), **_for_agency(dict(json_data))))


def _for_agency(said: dict[str, Any]) -> dict[str, Any]:
    """What was said, for the agency that it names, or the only one for which the actor may."""
    if said["agency"]:
        return said
    paths = policy.visible_paths(current_actor(), "dataspace.use")
    if len(paths) != 1 or paths[0] == policy.ROOT:
        raise Invalid([Problem("agency", "must be named: you may act for several")])
    return {**said, "agency": paths[0]}


def _made(process: Process) -> ResponseReturnValue:
    return created(
        process, f"/api/v1/dataspace/processes/{process.id}",
        etag(process.id, process.version),
    )  # fmt: skip
