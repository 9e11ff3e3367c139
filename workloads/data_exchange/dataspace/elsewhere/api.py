"""What other participants offer, over HTTP.

Participants and data sets are named in the query and in bodies: their identifiers are IRIs, which
do not survive in a path (``//`` becomes ``/`` on the way).
"""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.data_exchange.dataspace.elsewhere import words
from workloads.data_exchange.dataspace.elsewhere.model import Listed, TheirOffer
from workloads.data_exchange.dataspace.elsewhere.service import Elsewhere
from workloads.data_exchange.dataspace.model import LONGEST_ID

api = ApiBlueprint("elsewhere", __name__, tag="Other participants")

Name = Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
Participant = Annotated[Name, Field(description="Identifier of the participant.")]
Dataset = Annotated[Name, Field(description="Its @id in the participant's catalogue.")]


class CatalogueAsk(Input):
    """A question to another participant."""

    participant: Participant
    dataset: Annotated[
        str, Field(max_length=LONGEST_ID, description="For this one alone, by its @id.")
    ] = ""
    filter: Annotated[
        list[Any],
        Field(default_factory=list, max_length=100,
              description="An expression that the participant understands; no other does."),
    ]  # fmt: skip


class CatalogueQuery(PageQuery):
    """Which data sets."""

    participant: Participant
    words: Annotated[str, Field(max_length=200, description="All of them stand in it.")] = ""


class TheirDatasetQuery(Input):
    """Which data set."""

    participant: Participant
    dataset: Dataset


class SpokenOut(Schema):
    """A text of another participant in both languages; one may stand for the other."""

    en: str
    zh: str


class TheirDatasetOut(Schema):
    """A data set that another participant lists."""

    id: Annotated[str, Field(description="Ours, of it.")]
    dataset: Annotated[str, Field(description="Its @id.")]
    title: SpokenOut
    description: SpokenOut
    keywords: list[str]
    within: Annotated[list[str], Field(description="Catalogues inside of the catalogue.")]
    owner: Annotated[
        str, Field(description="Of whom such a catalogue is; empty for the participant itself.")
    ]
    formats: list[str]
    address: Annotated[str, Field(description="Where negotiations of it begin.")]
    offers: Annotated[list[str], Field(description="Their @ids.")]
    asked_at: Instant


class CatalogueOut(Schema):
    """What a participant offers, as it said when it was asked."""

    participant: str
    asked_at: Annotated[Instant | None, Field(description="Null: it never was.")]
    base: Annotated[str, Field(description="Of its endpoints, as it was found.")]
    calls_itself: Annotated[str, Field(description="The participantId of the catalogue.")]
    datasets: Annotated[int, Field(description="How many were kept.")]
    left_out: Annotated[int, Field(description="How many did not fit their schema.")]
    whole: Annotated[bool, Field(description="Whether all pages were read.")]
    remarks: list[str]
    items: list[TheirDatasetOut]
    next: str | None


class TheirOfferOut(Schema):
    """An offer of another participant, and what it says."""

    offer: Annotated[str, Field(description="Its @id.")]
    format: Annotated[str, Field(description="For which alone it counts; else empty.")]
    understood: Annotated[bool, Field(description="Whether our side understands all of it.")]
    en: list[str]
    zh: list[str]
    not_understood: Annotated[list[int], Field(description="Which sentences are not, from 0.")]
    policy: Annotated[dict[str, Any], Field(description="What it says (ODRL).")]


class TheirDatasetDetailOut(Schema):
    """A data set that another participant lists, with its offers."""

    item: TheirDatasetOut
    offers: list[TheirOfferOut]


@api.post("/dataspace/participants/catalogue")
@requires("dataspace.use")
@api.input(CatalogueAsk)
@api.output(CatalogueOut)
def ask_participant(json_data: CatalogueAsk) -> Answer:
    """Ask a participant for its catalogue, or for one data set of it, and keep what it says."""
    elsewhere, actor, peer = use(Elsewhere), current_actor(), json_data.participant
    if json_data.dataset:
        found = elsewhere.ask_for(actor, peer, json_data.dataset)
        return {**_head(peer), "items": [_shown(found)], "next": None}
    elsewhere.ask(actor, peer, filter=json_data.filter)
    return _catalogue(CatalogueQuery(participant=peer))


@api.get("/dataspace/participants/catalogue")
@requires("dataspace.view")
@api.input(CatalogueQuery, location="query")
@api.output(CatalogueOut)
def get_catalogue_of_participant(query_data: CatalogueQuery) -> Answer:
    """What a participant offered when it was asked."""
    return _catalogue(query_data)


@api.get("/dataspace/participants/dataset")
@requires("dataspace.view")
@api.input(TheirDatasetQuery, location="query")
@api.output(TheirDatasetDetailOut)
def get_dataset_of_participant(query_data: TheirDatasetQuery) -> Answer:
    """One data set of a participant with its offers, in words and as they are written."""
    found = use(Elsewhere).find(current_actor(), query_data.participant, query_data.dataset)
    return {"item": _shown(found), "offers": [_offer(one) for one in found.offers]}


def _catalogue(query: CatalogueQuery) -> dict[str, Any]:
    page = use(Elsewhere).datasets(
        current_actor(), query.participant, query.page(), words=query.words
    )
    return {
        **_head(query.participant), "items": [_shown(one) for one in page.items],
        "next": page.next,
    }  # fmt: skip


def _head(participant: str) -> dict[str, Any]:
    asked = use(Elsewhere).asked(current_actor(), participant)
    names = ("asked_at", "base", "calls_itself", "datasets", "left_out", "whole", "remarks")
    if asked is None:
        never = (None, "", "", 0, 0, False, ())
        return {"participant": participant, **dict(zip(names, never, strict=True))}
    return {"participant": participant, **{name: getattr(asked, name) for name in names}}


def _shown(one: Listed) -> dict[str, Any]:
    return {
        "id": one.id, "dataset": one.name, "title": one.title, "description": one.description,
        "keywords": one.keywords, "within": one.within, "owner": one.owner,
        "formats": one.formats, "address": one.address, "asked_at": one.asked_at,
        "offers": [offer.id for offer in one.offers],
    }  # fmt: skip


def _offer(one: TheirOffer) -> dict[str, Any]:
    said = words.said(one.rules())
    return {
        "offer": one.id, "format": one.format, "understood": all(s.understood for s in said),
        "en": [s.text.en for s in said], "zh": [s.text.zh for s in said],
        "not_understood": [n for n, s in enumerate(said) if not s.understood],
        "policy": one.policy,
    }  # fmt: skip
