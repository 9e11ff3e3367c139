"""Licences over HTTP."""

from typing import Any

from flask import current_app, request
from flask.typing import ResponseReturnValue

from foundation.kernel.errors import Conflict
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    PageOut,
    PageQuery,
    created,
    current_actor,
    idempotent,
    public,
    requires,
    use,
)
from workloads.data_exchange.licences.bodies import (
    ClaimsOut,
    CredentialsOut,
    LicenceBatch,
    LicenceCreate,
    LicenceOut,
    LicenceQuery,
    LicenceReason,
    LicenceTypeCreate,
    LicenceTypeOut,
    OfferClaim,
    OfferOpen,
    OfferOpened,
    PresentationBody,
    PresentationRequest,
    PresentationRequestOut,
    ProposedBatch,
    ProposedOut,
    ShownOut,
    TrustOut,
    licence_out,
    shown_out,
    type_out,
)
from workloads.data_exchange.licences.desk import Desk, audience
from workloads.data_exchange.licences.kinds import LicenceTypes
from workloads.data_exchange.licences.offers import Offers
from workloads.data_exchange.licences.publishing import Publishing
from workloads.data_exchange.licences.service import Licences, Proposed

api = ApiBlueprint("licences", __name__, tag="Licences")


def base() -> str:
    """The address of this service, without a slash at the end.

    Raises:
        Conflict: it listens for others and knows no public address: whoever asks could choose it.
    """
    told = str(current_app.config.get("PUBLIC_URL") or "")
    if not told:
        if current_app.config.get("TRUSTED_HOSTS") is None:
            raise Conflict("set the public address of this service first: licences name it")
        told = request.host_url
    return told.rstrip("/")


def offer_url(token: str) -> str:
    """The link for the holder; what is behind the # is sent to no server."""
    return f"{base()}/licence/wallet#offer={token}"


def proposed_out(one: Proposed) -> dict[str, Any]:
    """A licence and its offer."""
    offer = one.offer
    told = offer and {"url": offer_url(offer.token), "token": offer.token, "pin": offer.pin}
    return {**licence_out(one.licence), "offer": told}


@api.get("/licence-types")
@requires("licence_type.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[LicenceTypeOut])
def list_licence_types(query_data: PageQuery) -> Answer:
    """All versions of all types, newest first."""
    found = use(LicenceTypes).types(current_actor(), query_data.page())
    return found.map(type_out)


@api.post("/licence-types")
@requires("licence_type.manage")
@idempotent
@api.input(LicenceTypeCreate)
@api.output(LicenceTypeOut, 201)
def create_licence_type(json_data: LicenceTypeCreate) -> ResponseReturnValue:
    """Make a type, or the next version of one; the version before is retired."""
    made = use(LicenceTypes).create(current_actor(), json_data.value(), base())
    return created(type_out(made), f"/api/v1/licence-types/{made.id}")


@api.get("/licence-types/<type_id>")
@requires("licence_type.view")
@api.output(LicenceTypeOut)
def get_licence_type(type_id: str) -> Answer:
    """One version of a type."""
    return type_out(use(LicenceTypes).type(current_actor(), type_id))


@api.post("/licence-types/<type_id>/retire")
@requires("licence_type.manage")
@api.output(LicenceTypeOut)
def retire_licence_type(type_id: str) -> Answer:
    """Issue no licence of it any more; those that are out go on."""
    return type_out(use(LicenceTypes).retire(current_actor(), type_id))


@api.get("/licences")
@requires("licence.view")
@api.input(LicenceQuery, location="query")
@api.output(PageOut[LicenceOut])
def list_licences(query_data: LicenceQuery) -> Answer:
    """The licences of your agencies, newest first, without what they say."""
    found = use(Licences).licences(current_actor(), query_data.state, query_data.page())
    return Page(tuple(licence_out(one) for one in found.items), found.next)


@api.post("/licences")
@requires("licence.issue")
@idempotent
@api.input(LicenceCreate)
@api.output(ProposedOut, 201)
def create_licence(json_data: LicenceCreate) -> ResponseReturnValue:
    """Issue a licence to whoever gets the offer, or propose it where two must agree."""
    base()
    made = use(Licences).propose(current_actor(), json_data.type, json_data.value())
    return created(proposed_out(made), f"/api/v1/licences/{made.licence.id}")


@api.post("/licences/batch")
@requires("licence.issue")
@idempotent
@api.input(LicenceBatch)
@api.output(ProposedBatch)
def create_licences(json_data: LicenceBatch) -> Answer:
    """Issue or propose up to 500 licences, all or none."""
    base()
    wishes = [one.value() for one in json_data.items]
    made = use(Licences).propose_batch(current_actor(), json_data.type, wishes)
    return {"items": [proposed_out(one) for one in made]}


@api.get("/licences/<licence_id>")
@requires("licence.view")
@api.output(LicenceOut)
def get_licence(licence_id: str) -> Answer:
    """One licence, without what it says."""
    return licence_out(use(Licences).licence(current_actor(), licence_id))


@api.get("/licences/<licence_id>/claims")
@requires("licence.approve")
@api.output(ClaimsOut)
def get_licence_claims(licence_id: str) -> Answer:
    """What a proposed licence would say, for whoever approves it; nothing once it is offered."""
    return {"claims": dict(use(Licences).claims(current_actor(), licence_id))}


@api.post("/licences/<licence_id>/approve")
@requires("licence.approve")
@api.output(ProposedOut)
def approve_licence(licence_id: str) -> Answer:
    """Agree to what another officer proposed; answers the offer for the holder, this once."""
    base()
    return proposed_out(use(Licences).approve(current_actor(), licence_id))


@api.post("/licences/<licence_id>/refuse")
@requires("licence.approve")
@api.output(LicenceOut)
def refuse_licence(licence_id: str) -> Answer:
    """Refuse what an officer proposed."""
    return licence_out(use(Licences).refuse(current_actor(), licence_id))


@api.post("/licences/<licence_id>/offer")
@requires("licence.issue")
@api.output(ProposedOut)
def offer_licence(licence_id: str) -> Answer:
    """A new link and PIN for what was not claimed yet; those before count no more."""
    base()
    return proposed_out(use(Licences).offer(current_actor(), licence_id))


@api.post("/licences/<licence_id>/suspend")
@requires("licence.revoke")
@api.input(LicenceReason)
@api.output(LicenceOut)
def suspend_licence(licence_id: str, json_data: LicenceReason) -> Answer:
    """Let it not count until it is reinstated."""
    return licence_out(use(Licences).suspend(current_actor(), licence_id, json_data.reason))


@api.post("/licences/<licence_id>/reinstate")
@requires("licence.revoke")
@api.input(LicenceReason)
@api.output(LicenceOut)
def reinstate_licence(licence_id: str, json_data: LicenceReason) -> Answer:
    """Let a suspended one count again."""
    return licence_out(use(Licences).reinstate(current_actor(), licence_id, json_data.reason))


@api.post("/licences/<licence_id>/revoke")
@requires("licence.revoke")
@api.input(LicenceReason)
@api.output(LicenceOut)
def revoke_licence(licence_id: str, json_data: LicenceReason) -> Answer:
    """End it for ever; one that nobody has yet is withdrawn."""
    return licence_out(use(Licences).revoke(current_actor(), licence_id, json_data.reason))


@api.post("/licence-offers/open")
@public
@api.input(OfferOpen)
@api.output(OfferOpened)
def open_licence_offer(json_data: OfferOpen) -> Answer:
    """What is offered to you, and the nonce that your keys sign."""
    found = use(Offers).open(json_data.token, json_data.pin)
    return {
        "issuer": found.type.issuer, "vct": found.type.vct, "metadata": found.type.metadata,
        "nonce": found.nonce, "copies": found.copies,
    }  # fmt: skip


@api.post("/licence-offers/claim")
@public
@api.input(OfferClaim)
@api.output(CredentialsOut)
def claim_licence_offer(json_data: OfferClaim) -> Answer:
    """Have it issued to your keys; the same keys get the same again for an hour."""
    found = use(Offers).claim(json_data.token, json_data.pin, json_data.proofs)
    return {
        "vct": found.type.vct, "metadata": found.type.metadata,
        "credentials": list(found.credentials),
    }  # fmt: skip


@api.get("/licence-trust")
@public
@api.output(TrustOut)
def get_licence_trust() -> Answer:
    """Keys, types and status lists of all issuers here, to verify without a network."""
    return use(Publishing).trust()


@api.post("/licence-requests")
@requires("licence.verify")
@idempotent
@api.input(PresentationRequest)
@api.output(PresentationRequestOut, 201)
def create_licence_request(json_data: PresentationRequest) -> ResponseReturnValue:
    """A nonce and an audience for one presentation, for ten minutes."""
    made = use(Desk).ask(current_actor(), json_data.agency, vct=json_data.vct, name=json_data.name)
    told = {
        "id": made.id, "nonce": made.nonce, "audience": audience(base(), made.id),
        "vct": made.vct, "name": made.name, "expires_at": made.expires_at,
    }  # fmt: skip
    return created(told, f"/api/v1/licence-requests/{made.id}")


@api.post("/licence-requests/<request_id>/presentation")
@requires("licence.verify")
@api.input(PresentationBody)
@api.output(ShownOut)
def verify_licence(request_id: str, json_data: PresentationBody) -> Answer:
    """Verify what the holder showed; the request is used up, whatever it says."""
    found = use(Desk).answer(current_actor(), request_id, json_data.presentation, base())
    return shown_out(found)
