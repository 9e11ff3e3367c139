"""HTTP resources of billing."""

from typing import Annotated

import pydantic
from flask.typing import ResponseReturnValue

from control_plane.billing.model import Price, PriceBook, Statement
from control_plane.billing.service import Billing
from foundation.kernel import ids
from foundation.kernel.errors import Collector, Invalid
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    accepted,
    current_actor,
    idempotent,
    idempotent_outside,
    rehearsable,
    requires,
    use,
)

api = ApiBlueprint("billing", __name__, tag="Billing")

Period = Annotated[
    str, pydantic.Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="A month, YYYY-MM")
]
Meter = Annotated[str, pydantic.Field(min_length=1, max_length=200)]


class PriceBookIn(Input):
    """A price book."""

    slug: Slug
    title: TextBody
    currency: Annotated[str, pydantic.Field(pattern=r"^[A-Z]{3}$")]


class PriceBookOut(Schema):
    """A list of prices in one currency."""

    slug: str
    title: TextBody
    currency: str


class PriceBookListOut(Schema):
    """All price books."""

    items: list[PriceBookOut]


class PriceIn(Input):
    """A price that holds from a full hour on."""

    meter: Meter
    dimensions: dict[str, str] = pydantic.Field(
        default={}, description="What a quantity must be of; empty fits all of the meter"
    )
    unit_price: DecimalText
    starts: Instant
    ends: Instant | None = None
    reason: Annotated[str, pydantic.Field(max_length=500)] = ""


class PricesIn(Input):
    """Prices to add to a book, all or none."""

    prices: Annotated[list[PriceIn], pydantic.Field(min_length=1, max_length=1000)]


class PriceOut(Schema):
    """What one unit of a meter costs, from ``starts`` until ``ends`` (excluded)."""

    id: str
    book: str
    meter: str
    dimensions: dict[str, str]
    unit_price: DecimalText
    starts: Instant
    ends: Instant | None
    reason: str


class PriceListOut(Schema):
    """Prices of a book."""

    items: list[PriceOut]


class PriceQuery(Input):
    """Which prices."""

    at: Instant | None = pydantic.Field(default=None, description="As they hold at this instant")


class RatingIn(Input):
    """Which month to rate."""

    period: Period


class StatementQuery(PageQuery):
    """Which statements."""

    period: Period | None = None


class StatementHeadOut(Schema):
    """A billing account's month."""

    id: str
    path: str
    period: str
    currency: str
    state: str = pydantic.Field(description="open: still moving; issued: never changes again")
    total: DecimalText
    number: str | None
    issued_at: Instant | None
    rated_at: Instant | None = pydantic.Field(description="Up to when usage became charges")


class LineKeyOut(Schema):
    """What the charges of a line have in common."""

    tenancy_id: str
    resource_id: str
    meter: str
    dimensions: dict[str, str]
    price_id: str
    unit_price: DecimalText
    list_unit_price: DecimalText
    contract_id: str
    contract_version: int
    charge_month: str


class StatementLineOut(Schema):
    """A resource's use of a meter at one price; ``amount`` is what is billed."""

    id: str
    key: LineKeyOut
    quantity: DecimalText
    list_cost: DecimalText
    cost: DecimalText
    amount: DecimalText


class UnpricedOut(Schema):
    """Use that no price or contract covers."""

    path: str
    meter: str
    dimensions: dict[str, str]
    quantity: DecimalText


class StatementOut(StatementHeadOut):
    """A statement with its lines."""

    lines: list[StatementLineOut]
    unpriced: list[UnpricedOut]


class ChargeOut(Schema):
    """A rated quantity of one hour."""

    hour: Instant
    quantity: DecimalText
    list_cost: DecimalText
    contracted_cost: DecimalText
    effective_cost: DecimalText
    billed_cost: DecimalText
    run_id: str
    corrects: bool


class EvidenceOut(Schema):
    """A usage record and its event."""

    hour: Instant
    quantity: DecimalText
    event_source: str
    event_id: str
    received_at: Instant


class OriginOut(Schema):
    """Where a resource comes from."""

    resource: dict[str, object]
    deployment: dict[str, object]
    order: dict[str, object]
    contract: dict[str, object]
    approvals: list[dict[str, object]]


class ExplanationOut(Schema):
    """The staircase of a line: charges, hours, events, resource, order, contract, approvals.

    At most 100 charges and records are shown; the counts and sums speak of all.
    """

    statement: StatementHeadOut
    line: StatementLineOut
    price: PriceOut
    charges: list[ChargeOut]
    charge_count: int
    evidence: list[EvidenceOut]
    evidence_count: int
    evidence_quantity: DecimalText
    origin: OriginOut


@api.get("/price-books")
@requires("price.view")
@api.output(PriceBookListOut)
def list_price_books() -> Answer:
    """All price books."""
    return {"items": use(Billing).books(current_actor())}


@api.post("/price-books")
@requires("price.manage")
@rehearsable
@idempotent
@api.input(PriceBookIn)
@api.output(PriceBookOut, 201)
def create_price_book(json_data: PriceBookIn) -> Answer:
    """Add a price book, or change its title."""
    book = PriceBook(json_data.slug, json_data.title.value(), json_data.currency)
    use(Billing).define_book(current_actor(), book)
    return book, 201


@api.get("/price-books/<slug>/prices")
@requires("price.view")
@api.input(PriceQuery, location="query")
@api.output(PriceListOut)
def list_prices(slug: str, query_data: PriceQuery) -> Answer:
    """The prices of a book, of all time or as they hold at an instant."""
    return {"items": use(Billing).prices(current_actor(), slug, query_data.at)}


@api.post("/price-books/<slug>/prices")
@requires("price.manage")
@rehearsable
@idempotent
@api.input(PricesIn)
@api.output(PriceListOut, 201)
def add_prices(slug: str, json_data: PricesIn) -> Answer:
    """Add prices; each takes over from the one before it at its start."""
    prices, found = [], Collector()
    for index, each in enumerate(json_data.prices):
        try:
            prices.append(
                Price(
                    ids.new("pri"), slug, each.meter, each.dimensions, each.unit_price,
                    each.starts, each.ends, each.reason,
                )
            )  # fmt: skip
        except Invalid as error:
            found.include(error, f"prices.{index}")
    found.finish()
    use(Billing).add_prices(current_actor(), prices)
    return {"items": prices}, 201


@api.get("/statements")
@requires("statement.view")
@api.input(StatementQuery, location="query")
@api.output(PageOut[StatementHeadOut])
def list_statements(query_data: StatementQuery) -> Answer:
    """Statements that you may see, newest month first."""
    return use(Billing).statement_page(current_actor(), query_data.page(), query_data.period)


@api.get("/statements/<id>")
@requires("statement.view")
@api.output(StatementOut)
def show_statement(id: str) -> Answer:  # noqa: A002 - the name in the address
    """A statement with its lines."""
    return _statement(use(Billing).statement(current_actor(), id))


@api.post("/statements/<id>/issue")
@requires("statement.issue")
@idempotent_outside
@api.output(StatementOut)
def issue_statement(id: str) -> Answer:  # noqa: A002
    """Issue a month: it is rated once more, numbered, and never changes again."""
    return _statement(use(Billing).issue(current_actor(), id))


@api.post("/rating-runs")
@requires("statement.issue")
@idempotent
@api.input(RatingIn)
@api.output(OperationOut, 202)
def rate_usage(json_data: RatingIn) -> ResponseReturnValue:
    """Rate a month now: charge what was used, and correct what was charged otherwise before."""
    started = use(Billing).request_rating(current_actor(), json_data.period)
    return accepted(started, started.id)


@api.get("/statement-lines/<id>/explanation")
@requires("statement.view")
@api.output(ExplanationOut)
def explain_statement_line(id: str) -> Answer:  # noqa: A002
    """Walk a line back, step by step, to the approval that it rests on."""
    return use(Billing).explain(current_actor(), id)


def _statement(statement: Statement) -> dict[str, object]:
    head = {name: getattr(statement.head, name) for name in StatementHeadOut.model_fields}
    return {**head, "lines": statement.lines, "unpriced": statement.unpriced}
