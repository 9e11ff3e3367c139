"""What descriptions look like on the wire."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from foundation.surface.api import Input, Instant, Schema, TextBody
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.elements import Masking, Sensitivity
from workloads.data_exchange.directory.interface import AuthenticationKind, Protocol
from workloads.data_exchange.directory.model import Body, Kind, State, Work
from workloads.data_exchange.directory.store import body_of

Short = Annotated[str, Field(max_length=400)]
Address = Annotated[str, Field(max_length=2000)]
Long = Annotated[str, Field(max_length=10_000)]


class Both(Schema):
    """Read as strictly as it is written."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class LongTextBody(Both):
    """A text of several lines in the city's two languages."""

    en: Annotated[str, Field(min_length=1, max_length=10_000)]
    zh: Annotated[str, Field(min_length=1, max_length=10_000)]


class TitleBody(Both):
    """A title in the city's two languages."""

    en: Annotated[str, Field(min_length=1, max_length=400)]
    zh: Annotated[str, Field(min_length=1, max_length=400)]


class ElementBody(Both):
    """A field of a data set's records."""

    name: Short
    pointer: Annotated[Address, Field(description="Where it stands in a record (RFC 6901).")]
    title: TextBody
    schema_: Annotated[
        dict[str, Any],
        Field(
            alias="schema", default_factory=dict, description="JSON Schema (2020-12) of its value."
        ),
    ]
    sensitivity: Sensitivity = Sensitivity.INTERNAL
    masking: Masking = Masking.OMIT
    legal_basis: Annotated[str, Field(max_length=1000)] = ""


class DistributionBody(Both):
    """A form in which a data set may be had."""

    name: Short
    title: TitleBody
    format: Annotated[Short, Field(description="Of the EU file-type table, such as CSV.")]
    access_url: Address = ""
    download_url: Address = ""
    media_type: Short = ""
    licence: Short = ""
    byte_size: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    sha256: Annotated[str, Field(max_length=64)] = ""
    service: Annotated[Short, Field(description="Id of the service that gives it.")] = ""


class EntryContactBody(Both):
    """Whom to ask: an office, not a person."""

    name: Short = ""
    email: Short = ""
    url: Address = ""


class AuthenticationBody(Both):
    """How the gateway shows the provider who it is; the secret is given beside it."""

    kind: AuthenticationKind = AuthenticationKind.NONE
    username: Annotated[Short, Field(description="For basic.")] = ""
    header: Annotated[Short, Field(description="For header: its name.")] = ""


class InterfaceBody(Both):
    """How a service is called."""

    endpoint: Address
    protocol: Protocol = Protocol.REST
    description: Annotated[Address, Field(description="Such as that of an OpenAPI document.")] = ""
    methods: Annotated[tuple[Short, ...], Field(max_length=10)] = ("GET",)
    paths: Annotated[tuple[Address, ...], Field(max_length=100)] = ("/",)
    records: Annotated[
        Address, Field(description="Where the records stand in an answer (RFC 6901); '' for all.")
    ] = ""
    answers: Annotated[
        dict[str, Any] | None, Field(description="JSON Schema (2020-12) of an answer.")
    ] = None
    authentication: AuthenticationBody = AuthenticationBody()
    connect_seconds: float = 5.0
    read_seconds: float = 30.0
    cache_seconds: Annotated[int, Field(description="0: answers are not kept.")] = 0
    repeatable: Annotated[bool, Field(description="A call may be made twice without harm.")] = True


class DescriptionBody(Both):
    """A description in one version (DCAT-AP 3)."""

    title: TitleBody
    description: LongTextBody
    keywords: Annotated[tuple[Short, ...], Field(max_length=100)] = ()
    themes: Annotated[
        tuple[Short, ...], Field(max_length=20, description="EU data themes, or city:….")
    ] = ()
    frequency: Annotated[Short, Field(description="EU frequency, such as DAILY.")] = "UNKNOWN"
    access: Annotated[Short, Field(description="PUBLIC, RESTRICTED or NON_PUBLIC.")] = "RESTRICTED"
    licence: Short = ""
    identifier: Short = ""
    landing_page: Address = ""
    contact: EntryContactBody = EntryContactBody()
    spatial: Address = ""
    begins: Annotated[str, Field(max_length=10, description="A day, such as 2026-01-01.")] = ""
    ends: Annotated[str, Field(max_length=10)] = ""
    conforms_to: Annotated[tuple[Address, ...], Field(max_length=20)] = ()
    series: Short = ""
    legal_basis: Long = ""
    elements: Annotated[tuple[ElementBody, ...], Field(max_length=1000)] = ()
    distributions: Annotated[tuple[DistributionBody, ...], Field(max_length=200)] = ()
    serves: Annotated[tuple[Short, ...], Field(max_length=500)] = ()
    interface: InterfaceBody | None = None

    def value(self) -> Body:
        """The model's value."""
        return body_of(self.model_dump(by_alias=True))


class OriginOut(Schema):
    """Where it was harvested."""

    catalog: str
    uri: str
    publisher: str
    seen_at: Instant
    issued: str
    modified: str


class EntrySummaryOut(Schema):
    """An entry in a list."""

    id: str
    kind: Kind
    path: str
    level: Level
    state: State
    work: Work
    version: int
    title: TitleBody | None
    description: LongTextBody | None
    themes: list[str]
    formats: list[str]
    access: str
    origin: OriginOut | None
    modified_at: Instant | None


class EntryOut(EntrySummaryOut):
    """An entry; ``body`` is its newest version that you may see."""

    body: DescriptionBody | None
    note: str
    revision: int
    has_secret: bool
    created_at: Instant
    changed_at: Instant
    issued_at: Instant | None


class EntryStepOut(Schema):
    """Something that was done to an entry."""

    at: Instant
    action: str
    by: str
    by_name: str
    version: int
    note: str


class EntryVersionOut(Schema):
    """An earlier published version."""

    version: int
    body: DescriptionBody
    published_at: Instant
    replaced_at: Instant


class EntryStepListOut(Schema):
    """Steps, the newest first."""

    items: list[EntryStepOut]


class EntryVersionListOut(Schema):
    """Earlier versions, the newest first."""

    items: list[EntryVersionOut]


class CertificateOut(Schema):
    """What is left of what was destroyed."""

    entry: str
    at: Instant
    jws: Annotated[str, Field(description="exchange-destruction+jws, by the exchange's own key.")]


class EntryNoteBody(Input):
    """Why."""

    note: Annotated[str, Field(min_length=1, max_length=2000)]
