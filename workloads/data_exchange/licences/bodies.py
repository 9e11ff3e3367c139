"""What goes in and out of the HTTP API of licences."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import Input, Instant, PageQuery, Schema, TextBody
from workloads.data_exchange.licences.model import (
    BATCH_MAX,
    COPIES_MAX,
    DAYS_MAX,
    FIELDS_MAX,
    Disclosure,
    Licence,
    LicenceField,
    LicenceState,
    LicenceType,
    Reason,
)
from workloads.data_exchange.licences.service import Wish
from workloads.data_exchange.licences.verify import LicenceVerdict, Shown
from workloads.data_exchange.proofs import sdjwt

Reference = Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Token = Annotated[str, Field(min_length=1, max_length=100)]
Pin = Annotated[str, Field(min_length=1, max_length=20)]


class LicenceFieldBody(Input):
    """A field of a type."""

    name: Annotated[str, Field(min_length=1, max_length=63, description="Of the claim.")]
    title: TextBody
    value_schema: Annotated[
        dict[str, Any],
        Field(
            default_factory=dict, alias="schema", description="JSON Schema (2020-12) of its value."
        ),
    ]
    required: bool = True
    disclosure: Disclosure = Disclosure.CHOSEN

    def value(self) -> LicenceField:
        """As the service takes it."""
        return LicenceField(
            self.name, self.title.value(), self.value_schema, self.required, self.disclosure
        )


class LicenceTypeCreate(Input):
    """A type, or the next version of the one of that name."""

    agency: Reference
    name: Annotated[str, Field(min_length=1, max_length=60)]
    title: TextBody
    description: TextBody
    fields: Annotated[list[LicenceFieldBody], Field(min_length=1, max_length=FIELDS_MAX)]
    days: Annotated[int | None, Field(ge=1, le=DAYS_MAX)] = None
    four_eyes: Annotated[bool, Field(description="Whether a second officer must approve.")] = False
    copies: Annotated[
        int, Field(ge=1, le=COPIES_MAX, description="Copies with keys of their own, at most.")
    ] = 1
    background: Colour = "#0a5f6b"
    foreground: Colour = "#ffffff"

    def value(self) -> LicenceType:
        """As the service takes it."""
        return LicenceType(
            self.agency, self.name, self.title.value(), self.description.value(),
            tuple(one.value() for one in self.fields), self.days, self.four_eyes, self.copies,
            self.background, self.foreground,
        )  # fmt: skip


class LicenceTypeOut(Schema):
    """A version of a type."""

    id: str
    agency: Annotated[str, Field(description="Path of the agency that issues.")]
    name: str
    version: int
    title: TextBody
    description: TextBody
    fields: list[dict[str, Any]]
    days: int | None
    four_eyes: bool
    copies: int
    background: str
    foreground: str
    issuer: Annotated[str, Field(description="The claim iss of its licences.")]
    vct: Annotated[str, Field(description="The claim vct: where its type metadata is.")]
    integrity: Annotated[str, Field(description="The claim vct#integrity.")]
    created_at: Instant
    retired_at: Instant | None


class LicenceWish(Input):
    """What one licence is to say."""

    reference: Annotated[
        str,
        Field(min_length=1, max_length=64, description="Such as a case number; names no person."),
    ]
    claims: dict[str, Any]
    valid_from: Instant | None = None
    valid_until: Instant | None = None

    def value(self) -> Wish:
        """As the service takes it."""
        return Wish(self.reference, self.claims, self.valid_from, self.valid_until)


class LicenceCreate(LicenceWish):
    """A licence of a type."""

    type: Annotated[str, Field(min_length=1, max_length=100, description="Id of the type.")]


class LicenceBatch(Input):
    """Licences of one type, all or none."""

    type: Annotated[str, Field(min_length=1, max_length=100, description="Id of the type.")]
    items: Annotated[list[LicenceWish], Field(min_length=1, max_length=BATCH_MAX)]


class LicenceReason(Input):
    """Why a status changes; words of a list, so that no text names a person."""

    reason: Reason


class OfferOut(Schema):
    """What the holder gets, shown this once: the link, and the PIN on another way."""

    url: Annotated[str, Field(description="One-time link; the token is behind the #.")]
    token: str
    pin: str


class LicenceOut(Schema):
    """A licence, without what it says."""

    id: str
    type: str
    agency: str
    reference: str
    state: LicenceState
    valid_from: Instant
    valid_until: Instant | None
    offer_until: Instant | None
    created_at: Instant
    changed_at: Instant
    reason: Reason | None


class ProposedOut(LicenceOut):
    """A licence, and its offer when it waits for nobody else."""

    offer: OfferOut | None


class ProposedBatch(Schema):
    """Licences in the order of the batch."""

    items: list[ProposedOut]


class LicenceQuery(PageQuery):
    """Which licences."""

    state: LicenceState | None = None


class ClaimsOut(Schema):
    """What a proposed licence would say."""

    claims: dict[str, Any]


class OfferOpen(Input):
    """What the holder has of an offer."""

    token: Token
    pin: Pin


class OfferClaim(OfferOpen):
    """The holder's keys: a proof of possession of each (openid4vci-proof+jwt)."""

    proofs: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=10_000)]],
        Field(min_length=1, max_length=COPIES_MAX),
    ]


class OfferOpened(Schema):
    """What is offered, and what each key signs."""

    issuer: str
    vct: str
    metadata: Annotated[str, Field(description="SD-JWT VC Type Metadata, as text.")]
    nonce: str
    copies: int


class CredentialsOut(Schema):
    """One SD-JWT VC for each key, in their order."""

    vct: str
    metadata: str
    credentials: list[str]


class TrustOut(Schema):
    """What a verifier keeps to verify without a network."""

    as_of: Instant
    issuers: list[dict[str, Any]]


class PresentationRequest(Input):
    """Who verifies, and what is wanted."""

    agency: Reference
    vct: Annotated[str, Field(max_length=500)] = ""
    name: Annotated[str, Field(max_length=100, description="Of the desk.")] = ""


class PresentationRequestOut(Schema):
    """What the holder's key signs; for one presentation, until it expires."""

    id: str
    nonce: str
    audience: Annotated[str, Field(description="The aud of the key binding.")]
    vct: str
    name: str
    expires_at: Instant


class PresentationBody(Input):
    """What the holder showed."""

    presentation: Annotated[str, Field(min_length=1, max_length=sdjwt.LONGEST)]


class ShownOut(Schema):
    """What a presentation says; nothing of it is kept."""

    verdict: LicenceVerdict
    why: str
    claims: dict[str, Any]
    title: dict[str, str]
    issuer: dict[str, str]
    address: str
    status: str
    as_of: Annotated[Instant | None, Field(description="When the issuer said so of the status.")]
    stale: Annotated[bool, Field(description="Whether a fresh status list should be fetched.")]
    valid_until: Instant | None


def type_out(one: LicenceType) -> dict[str, Any]:
    """A type as it is shown."""
    return {
        **one.document(), "id": one.id, "agency": one.agency, "name": one.name,
        "version": one.version, "issuer": one.issuer, "vct": one.vct,
        "integrity": one.integrity, "created_at": one.created_at, "retired_at": one.retired_at,
    }  # fmt: skip


def licence_out(one: Licence) -> dict[str, Any]:
    """A licence as it is shown."""
    return {
        "id": one.id, "type": one.type, "agency": one.path, "reference": one.reference,
        "state": one.state, "valid_from": one.valid_from, "valid_until": one.valid_until,
        "offer_until": one.offer_until, "created_at": one.created_at,
        "changed_at": one.changed_at, "reason": one.reason,
    }  # fmt: skip


def shown_out(one: Shown) -> dict[str, Any]:
    """What a presentation says."""
    return {
        "verdict": one.verdict, "why": one.why, "claims": dict(one.claims),
        "title": one.title.as_json(), "issuer": one.issuer.as_json(), "address": one.address,
        "status": one.status, "as_of": one.as_of, "stale": one.stale,
        "valid_until": one.valid_until,
    }  # fmt: skip
