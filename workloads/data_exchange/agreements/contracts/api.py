"""Agreements over HTTP."""

import json
from typing import Annotated, Any

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
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from foundation.surface.runtime import Runtime
from workloads.data_exchange.agreements.contracts.evidence import bundle
from workloads.data_exchange.agreements.contracts.model import (
    REASON_MAX,
    Agreement,
    AgreementState,
    Party,
    Signature,
    Version,
)
from workloads.data_exchange.agreements.contracts.service import Agreements
from workloads.data_exchange.agreements.grants.model import LONGEST
from workloads.data_exchange.agreements.grants.service import Grants
from workloads.data_exchange.agreements.words import said
from workloads.data_exchange.keys.service import Keys

api = ApiBlueprint("agreements", __name__, tag="Agreements")


class AgreementOut(Schema):
    """An agreement between two agencies."""

    id: str
    provider: str
    consumer: str
    dataset: str
    service: str
    state: AgreementState
    latest: Annotated[int, Field(description="The newest version.")]
    current: Annotated[int | None, Field(description="The version that counts.")]
    begins: Instant
    ends: Instant
    created_at: Instant
    revoked_at: Instant | None
    revoked_by: Party | None
    reason: str


class AgreementQuery(PageQuery):
    """Which agreements."""

    state: AgreementState | None = None
    party: Annotated[str, Field(max_length=500, description="Path of an agency, and below.")] = ""


class SignatureOut(Schema):
    """The signature of one side."""

    party: Party
    kid: str
    at: Instant
    by: str
    name: str
    jws: Annotated[str, Field(description="Compact JWS, typ exchange-agreement+jws.")]


class VersionOut(Schema):
    """A version of an agreement: the policy (ODRL 2.2) and who signed it."""

    agreement: str
    number: int
    digest: str
    policy: dict[str, Any]
    answers: Annotated[
        dict[str, Any] | None, Field(description="JSON Schema whose digest the policy names.")
    ]
    request: str
    created_at: Instant
    in_force_at: Instant | None
    record: Annotated[
        str, Field(description="The exchange's JWS (typ exchange-agreement-record+jws) of when.")
    ]
    signatures: list[SignatureOut]


class VersionsOut(Schema):
    """All versions, newest first."""

    items: list[VersionOut]


class VerifiedOut(Schema):
    """Whether a signature holds."""

    party: Party
    kid: str
    at: Instant
    name: str
    holds: bool
    problem: str


class AgreementVerificationOut(Schema):
    """Each signature of a version, verified again at the time at which it was made."""

    items: list[VerifiedOut]


class WordsOut(Schema):
    """What an agreement allows, in sentences."""

    version: int
    en: list[str]
    zh: list[str]


class EvidenceOut(Schema):
    """A version with all that is needed to verify it without the exchange."""

    agreement: str
    version: int
    policy: dict[str, Any]
    answers: dict[str, Any] | None
    signatures: Annotated[dict[str, str], Field(description="Compact JWS of each side.")]
    record: str
    keys: Annotated[
        dict[str, Any], Field(description="JWK sets of provider, consumer and exchange.")
    ]


class AgreementSign(Input):
    """For which side, and what was read; or what was signed elsewhere."""

    party: Party
    digest: Annotated[
        str, Field(max_length=100, description="Of the version that you read; needed without jws.")
    ] = ""
    jws: Annotated[
        str,
        Field(max_length=1_000_000, description="A signature by the agency's own key."),
    ] = ""


class AgreementRevoke(Input):
    """For which side, and why."""

    party: Party
    reason: Annotated[str, Field(min_length=1, max_length=REASON_MAX)]


class AgreementGrantCreate(Input):
    """For a machine of the consumer that is signed in with a token."""

    kid: Annotated[str, Field(min_length=1, max_length=100, description="Key that it holds.")]
    purposes: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        Field(default_factory=list, max_length=20, description="All if empty."),
    ]
    seconds: Annotated[int, Field(ge=1, le=LONGEST)] = LONGEST


class SignedGrantCreate(Input):
    """For a machine that shows who it is by a signature."""

    request: Annotated[
        str,
        Field(
            max_length=10_000,
            description="JWS of typ exchange-grant-request+jws over agreement, iat and, if "
            "wanted, purposes and seconds, by a key of the consumer.",
        ),
    ]


class AgreementGrantOut(Schema):
    """A grant, to be sent to the gateway with a proof of the key."""

    token: Annotated[str, Field(description="JWT of typ at+jwt.")]
    expires_in: Annotated[int, Field(description="Seconds.")]
    purposes: list[str]


def _out(one: Agreement) -> dict[str, Any]:
    return {
        "id": one.id, "provider": one.provider, "consumer": one.consumer,
        "dataset": one.dataset, "service": one.service,
        "state": one.state(use(Runtime).clock.now()), "latest": one.latest,
        "current": one.current, "begins": one.begins, "ends": one.ends,
        "created_at": one.created_at, "revoked_at": one.revoked_at,
        "revoked_by": one.revoked_by, "reason": one.reason,
    }  # fmt: skip


def _signature(one: Signature) -> dict[str, Any]:
    return {
        "party": one.party, "kid": one.kid, "at": one.at, "by": one.by, "name": one.name,
        "jws": one.jws,
    }  # fmt: skip


def _version(one: Version) -> dict[str, Any]:
    return {
        "agreement": one.agreement, "number": one.number, "digest": one.digest,
        "policy": json.loads(one.policy), "answers": one.answers, "request": one.request,
        "created_at": one.created_at, "in_force_at": one.in_force_at, "record": one.record,
        "signatures": [
            _signature(one.signatures[party]) for party in Party if party in one.signatures
        ],
    }  # fmt: skip


@api.get("/agreements")
@requires("agreement.view")
@api.input(AgreementQuery, location="query")
@api.output(PageOut[AgreementOut])
def list_agreements(query_data: AgreementQuery) -> Answer:
    """The agreements that you may see, newest first."""
    found = use(Agreements).agreements(
        current_actor(), query_data.page(), state=query_data.state, party=query_data.party
    )
    return Page(tuple(_out(one) for one in found.items), found.next)


@api.get("/agreements/<agreement_id>")
@requires("agreement.view")
@api.output(AgreementOut)
def get_agreement(agreement_id: str) -> Answer:
    """One agreement."""
    return _out(use(Agreements).agreement(current_actor(), agreement_id))


@api.get("/agreements/<agreement_id>/versions")
@requires("agreement.view")
@api.output(VersionsOut)
def list_agreement_versions(agreement_id: str) -> Answer:
    """The versions with their policies and signatures, newest first."""
    found = use(Agreements).versions(current_actor(), agreement_id)
    return {"items": [_version(one) for one in found]}


@api.get("/agreements/<agreement_id>/versions/<int:number>")
@requires("agreement.view")
@api.output(VersionOut)
def get_agreement_version(agreement_id: str, number: int) -> Answer:
    """One version: what was signed, and by whom."""
    return _version(use(Agreements).version(current_actor(), agreement_id, number))


@api.get("/agreements/<agreement_id>/versions/<int:number>/verification")
@requires("agreement.view")
@api.output(AgreementVerificationOut)
def verify_agreement_version(agreement_id: str, number: int) -> Answer:
    """Verify the signatures again."""
    found = use(Agreements).verify(current_actor(), agreement_id, number)
    return {
        "items": [
            {
                "party": one.party, "kid": one.kid, "at": one.at, "name": one.name,
                "holds": one.holds, "problem": one.problem,
            }
            for one in found
        ]
    }  # fmt: skip


@api.get("/agreements/<agreement_id>/versions/<int:number>/evidence")
@requires("agreement.view")
@api.output(EvidenceOut)
def get_agreement_evidence(agreement_id: str, number: int) -> Answer:
    """What verifies a version off-line: `borough-exchange agreement check FILE`."""
    agreements, keys, actor = use(Agreements), use(Keys), current_actor()
    there = agreements.agreement(actor, agreement_id)
    version = agreements.version(actor, agreement_id, number)
    rings = {party.value: keys.jwks(there.path(party)) for party in Party}
    rings["exchange"] = keys.jwks("/")
    return bundle(there, version, json.loads(version.policy), rings)


@api.get("/agreements/<agreement_id>/words")
@requires("agreement.view")
@api.output(WordsOut)
def get_agreement_words(agreement_id: str) -> Answer:
    """What the version that counts, or else the newest, allows: in English and Chinese."""
    agreements = use(Agreements)
    version = agreements.version(current_actor(), agreement_id)
    texts = said(agreements.terms(version))
    return {
        "version": version.number,
        "en": [one.en for one in texts],
        "zh": [one.zh for one in texts],
    }


@api.post("/agreements/<agreement_id>/signatures")
@requires("agreement.sign")
@idempotent
@api.input(AgreementSign)
@api.output(VersionOut)
def sign_agreement(agreement_id: str, json_data: AgreementSign) -> Answer:
    """Sign the newest version with the agency's key here, or bring a signature made elsewhere."""
    agreements, actor = use(Agreements), current_actor()
    if json_data.jws:
        done = agreements.submit(actor, agreement_id, json_data.party, json_data.jws)
    else:
        done = agreements.sign(actor, agreement_id, json_data.party, json_data.digest)
    return _version(done)


@api.post("/agreements/<agreement_id>/revoke")
@requires("agreement.revoke")
@idempotent
@api.input(AgreementRevoke)
@api.output(AgreementOut)
def revoke_agreement(agreement_id: str, json_data: AgreementRevoke) -> Answer:
    """End an agreement now, for either side; gateways hear of it within seconds."""
    return _out(
        use(Agreements).revoke(current_actor(), agreement_id, json_data.party, json_data.reason)
    )


@api.post("/agreements/<agreement_id>/grants")
@requires("agreement.use")
@api.input(AgreementGrantCreate)
@api.output(AgreementGrantOut, 201)
def create_agreement_grant(agreement_id: str, json_data: AgreementGrantCreate) -> Answer:
    """Get a grant of at most 15 minutes that is bound to a key of the consumer."""
    given = use(Grants).issue(
        current_actor(), agreement_id, json_data.kid, purposes=json_data.purposes,
        seconds=json_data.seconds,
    )  # fmt: skip
    return {"token": given.token, "expires_in": given.seconds, "purposes": given.purposes}


@api.post("/agreements/<agreement_id>/grants/signed")
@public
@api.input(SignedGrantCreate)
@api.output(AgreementGrantOut, 201)
def create_signed_grant(agreement_id: str, json_data: SignedGrantCreate) -> Answer:
    """Get a grant without a token: the request is signed by the key that it will be bound to."""
    given = use(Grants).issue_signed(agreement_id, json_data.request)
    return {"token": given.token, "expires_in": given.seconds, "purposes": given.purposes}
