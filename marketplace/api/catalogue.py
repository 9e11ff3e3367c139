"""The catalogue over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from control_plane.kernel.errors import NotFound
from control_plane.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    MoneyBody,
    Schema,
    TextBody,
    current_actor,
    requires,
    use,
)
from marketplace.model import Availability, ComponentKind, Maturity, Offering, PriceTag
from marketplace.service import Marketplace

api = ApiBlueprint("catalogue", __name__, tag="Catalogue")


class LongText(Schema):
    """A text of any length in the city's two languages."""

    en: str
    zh: str


class CategoryOut(Schema):
    """A shelf of the catalogue; its slug is also a lot of frameworks."""

    slug: str
    name: TextBody
    description: LongText


class CategoriesOut(Schema):
    """All shelves, as they stand."""

    items: list[CategoryOut]


class ComponentOut(Schema):
    """One part of a plan and how much of a meter it is expected to use."""

    slug: str
    kind: ComponentKind
    name: TextBody
    meter: str
    dimensions: dict[str, str]
    quantity: DecimalText
    quantity_input: str | None = Field(description="The input that multiplies the quantity.")


class OfferingPlanOut(Schema):
    """A size or kind of an offering."""

    slug: str
    name: TextBody
    description: LongText
    components: list[ComponentOut]
    inputs: dict[str, Any] = Field(description="What the order form begins with.")
    limits: dict[str, list[int]] = Field(description="Lowest and highest value by input.")
    fixed: list[str] = Field(description="The inputs that cannot be changed in this plan.")


class OfferingOut(Schema):
    """A service of the catalogue, with its honest state."""

    slug: str
    category: str
    name: TextBody
    description: LongText
    icon: str
    data_classes: list[str]
    service_level: LongText
    support: str
    maturity: Maturity
    availability: Availability
    availability_note: LongText
    orderable: bool
    blueprint: str | None
    plans: list[OfferingPlanOut]


class OfferingsOut(Schema):
    """The offerings that fit, as they stand."""

    items: list[OfferingOut]


class OfferingQuery(Input):
    """Which offerings; all filters must fit."""

    category: Annotated[str, Field(max_length=40)] | None = None
    data_class: Annotated[str, Field(max_length=40)] | None = None
    maturity: Annotated[Maturity, Field(strict=False)] | None = None
    availability: Annotated[Availability, Field(strict=False)] | None = None
    words: Annotated[str, Field(max_length=200)] = ""


class LeadTimeOut(Schema):
    """From the last approval until active, as measured; null before the first."""

    count: int
    median_seconds: float | None
    p95_seconds: float | None


class OfferingDetailOut(OfferingOut):
    """An offering with its order form and how much it is used."""

    schema_: dict[str, Any] | None = Field(
        serialization_alias="inputs_schema",
        description="JSON Schema of the inputs; null when it cannot be ordered.",
    )
    revision: str | None = Field(description="Digest of the blueprint's newest revision.")
    lead_time: LeadTimeOut
    active: int = Field(description="Services of it that are active.")
    measured_at: Instant


class PriceLineOut(Schema):
    """One priced part, for a month of 730 hours; one-time parts as they are due."""

    subject: str
    kind: ComponentKind
    meter: str
    dimensions: dict[str, str]
    quantity: DecimalText
    price_id: str
    unit_price: DecimalText
    amount: DecimalText


class PriceTagOut(Schema):
    """What something costs under a contract."""

    contract_id: str
    contract_version: int
    month: MoneyBody
    year: MoneyBody
    one_time: MoneyBody
    lines: list[PriceLineOut]
    unpriced: list[str] = Field(description="Meters without a price: it cannot be approved.")


class PlanPricesQuery(Input):
    """For whom."""

    path: Annotated[str, Field(min_length=1, max_length=400, description="Of an organisation.")]


class PlanPricesOut(Schema):
    """The price of each plan with its presets, by slug; none without a contract."""

    plans: dict[str, PriceTagOut]


def offering_body(offering: Offering) -> dict[str, Any]:
    """What is answered of an offering."""
    shown = {name: getattr(offering, name) for name in OfferingOut.model_fields if name != "plans"}
    plans = [
        {name: getattr(plan, name) for name in OfferingPlanOut.model_fields}
        | {"fixed": sorted(plan.fixed), "limits": {k: list(v) for k, v in plan.limits.items()}}
        for plan in offering.plans
    ]
    return {**shown, "plans": plans}


def price_body(price: PriceTag) -> dict[str, Any]:
    """What is answered of a price."""
    return {name: getattr(price, name) for name in PriceTagOut.model_fields}


@api.get("/categories")
@requires("catalog.view")
@api.output(CategoriesOut)
def list_categories() -> Answer:
    """The shelves of the catalogue."""
    return {"items": use(Marketplace).categories(current_actor())}


@api.get("/offerings")
@requires("catalog.view")
@api.input(OfferingQuery, location="query")
@api.output(OfferingsOut)
def list_offerings(query_data: OfferingQuery) -> Answer:
    """The offerings that fit every filter."""
    found = use(Marketplace).offerings(
        current_actor(),
        category=query_data.category,
        data_class=query_data.data_class,
        maturity=query_data.maturity,
        availability=query_data.availability,
        words=query_data.words,
    )
    return {"items": [offering_body(one) for one in found]}


@api.get("/offerings/<slug>")
@requires("catalog.view")
@api.output(OfferingDetailOut)
def get_offering(slug: str) -> Answer:
    """One offering, with the schema that draws its order form."""
    market, actor = use(Marketplace), current_actor()
    offering = market.offering(actor, slug)
    revision = market.input_schema(actor, slug) if offering.orderable else None
    usage = market.usage(actor, slug)
    return {
        **offering_body(offering),
        "schema_": dict(revision.inputs) if revision else None,
        "revision": revision.digest if revision else None,
        "lead_time": usage.lead_time,
        "active": usage.active,
        "measured_at": usage.measured_at,
    }


@api.get("/offerings/<slug>/prices")
@requires("price.view")
@api.input(PlanPricesQuery, location="query")
@api.output(PlanPricesOut)
def get_offering_prices(slug: str, query_data: PlanPricesQuery) -> Answer:
    """What each plan costs an organisation, under its contract."""
    if not query_data.path.startswith("/"):
        raise NotFound("there is no such organisation")
    found = use(Marketplace).plan_prices(current_actor(), slug, query_data.path)
    return {"plans": {name: price_body(price) for name, price in found.items()}}
