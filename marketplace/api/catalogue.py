"""The catalogue over HTTP."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from foundation.access import policy
from foundation.kernel import canonical
from foundation.kernel.text import Text
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    Line,
    MoneyBody,
    Schema,
    Slug,
    TextBody,
    current_actor,
    rehearsable,
    requires,
    use,
)
from marketplace.model import (
    Availability,
    Category,
    ComponentKind,
    Maturity,
    Offering,
    PriceTag,
    offering_from,
)
from marketplace.service import Marketplace

api = ApiBlueprint("catalogue", __name__, tag="Catalogue")


_Words = Annotated[str, Field(min_length=1, max_length=5000)]


class LongText(Schema):
    """A text of any length in the city's two languages."""

    en: str
    zh: str


class LongBody(LongText):
    """A text of any length in the city's two languages, as it is sent."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    en: _Words
    zh: _Words

    def value(self) -> Text:
        """The kernel's value."""
        return Text(self.en, self.zh)


class CategoryBody(Input):
    """A shelf of the catalogue."""

    name: TextBody
    description: LongBody
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class ComponentBody(Input):
    """One part of a plan."""

    slug: Slug
    kind: Annotated[ComponentKind, Field(strict=False)]
    name: TextBody
    meter: Line
    dimensions: dict[str, str] = Field({})
    quantity: DecimalText = Decimal(1)
    quantity_input: str | None = None


class OfferingPlanBody(Input):
    """A size or kind of an offering."""

    slug: Slug
    name: TextBody
    description: LongBody
    components: Annotated[list[ComponentBody], Field(max_length=50)]
    inputs: dict[str, Any] = Field({})
    limits: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]] = Field({})


class OfferingBody(Input):
    """A service of the catalogue; ``position`` says where it stands on its shelf."""

    category: Slug
    name: TextBody
    description: LongBody
    icon: Line
    data_classes: Annotated[list[str], Field(min_length=1, max_length=10)]
    service_level: LongBody
    support: Line
    maturity: Annotated[Maturity, Field(strict=False)]
    availability: Annotated[Availability, Field(strict=False)]
    availability_note: LongBody
    plans: Annotated[list[OfferingPlanBody], Field(min_length=1, max_length=50)]
    blueprint: Line | None = None
    position: Annotated[int, Field(ge=0, le=10_000)] = 0

    def value(self, slug: str) -> Offering:
        """The feature's value."""
        return offering_from({"slug": slug, **canonical.plain(self.model_dump())})


class CategoryOut(Schema):
    """A shelf of the catalogue; its slug is also a lot of frameworks."""

    slug: str
    name: TextBody
    description: LongText
    position: int


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
    position: int
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


@api.put("/categories/<slug>")
@requires("catalog.manage")
@rehearsable
@api.input(CategoryBody)
@api.output(CategoryOut)
def put_category(slug: str, json_data: CategoryBody) -> Answer:
    """Put a shelf into the catalogue, or change it."""
    category = Category(
        slug, json_data.name.value(), json_data.description.value(), json_data.position
    )
    return use(Marketplace).define_category(current_actor(), category)


@api.put("/offerings/<slug>")
@requires("catalog.manage")
@rehearsable
@api.input(OfferingBody)
@api.output(OfferingOut)
def put_offering(slug: str, json_data: OfferingBody) -> Answer:
    """Put an offering into the catalogue, or change it; what was ordered before stays."""
    made = use(Marketplace).define_offering(current_actor(), json_data.value(slug))
    return offering_body(made)


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
        raise policy.unknown("organisation")
    found = use(Marketplace).plan_prices(current_actor(), slug, query_data.path)
    return {"plans": {name: price_body(price) for name, price in found.items()}}
