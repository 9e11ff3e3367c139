"""Prices, terms, charges and statements: values and their rules.

The words are those of FOCUS 1.2 (https://focus.finops.org): a billing account is the organisation
that holds a contract; a charge has a list, a contracted, an effective and a billed cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from enum import StrEnum

from foundation.kernel.errors import Collector
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from foundation.kernel.time import Interval

#: Hours of a month in an estimate: 365 × 24 ÷ 12.
HOURS_PER_MONTH = Decimal(730)
MONTHS_PER_YEAR = 12
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class PriceBook:
    """A list of prices in one currency, as a framework fixes it."""

    slug: str
    title: Text
    currency: str


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of a meter costs from an instant on.

    A price holds from ``starts`` until the next one of the same book, meter and dimensions begins,
    or until ``ends``; so there is one for any instant. Of several that fit a quantity, the one that
    names most dimensions applies.

    Attributes:
        dimensions: what a quantity must be of; empty fits all quantities of the meter.
        unit_price: per unit of the meter, unrounded.
        reason: why, for a price that begins in the past and so corrects charges.
    """

    id: str
    book: str
    meter: str
    dimensions: Mapping[str, str]
    unit_price: Decimal
    starts: datetime
    ends: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        found = Collector()
        price = self.unit_price
        found.check(price.is_finite() and price >= 0, "unit_price", "must be zero or more")
        for name, at in (("starts", self.starts), ("ends", self.ends)):
            # Records are hourly: a price that changed within an hour would have no quantity.
            whole = at is None or (at.tzinfo and not (at.minute or at.second or at.microsecond))
            found.check(whole, name, "must be a full hour with an offset")
        if not found.problems and self.ends is not None:
            found.check(self.ends > self.starts, "ends", "must be after starts")
        found.finish()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says of prices, for an organisation and all below it.

    Attributes:
        path: the organisation that holds the contract: the billing account.
        discount: part of the list price that is taken off, 0 to 1.
    """

    path: str
    contract_id: str
    contract_version: int
    book: str
    discount: Decimal
    validity: Interval

    def __post_init__(self) -> None:
        found = Collector()
        found.check(0 <= self.discount <= 1, "discount", "must be between 0 and 1")
        found.check(self.path.startswith("/") and self.path.endswith("/"), "path", "is not a path")
        found.finish()


@dataclass(frozen=True, slots=True)
class HourlyQuantity:
    """What something is expected to use of a meter in each hour.

    Attributes:
        subject: what uses it, such as a resource's name; lines of an estimate keep it.
    """

    meter: str
    dimensions: Mapping[str, str]
    per_hour: Decimal
    subject: str = ""


@dataclass(frozen=True, slots=True)
class EstimateLine:
    """One priced quantity of an estimate; costs are unrounded."""

    subject: str
    meter: str
    dimensions: Mapping[str, str]
    per_month: Decimal
    price_id: str
    list_unit_price: Decimal
    unit_price: Decimal
    monthly: Decimal


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan would cost under a contract's prices of one instant.

    Attributes:
        unpriced: billable meters for which the price book has no price.
    """

    contract_id: str
    contract_version: int
    currency: str
    lines: tuple[EstimateLine, ...]
    unpriced: tuple[str, ...]

    @property
    def month(self) -> Money:
        """A month of 730 hours, unrounded."""
        return Money(sum((line.monthly for line in self.lines), Decimal(0)), self.currency)

    @property
    def year(self) -> Money:
        """Twelve such months, unrounded."""
        return self.month * MONTHS_PER_YEAR


class StatementState(StrEnum):
    """Open: still moving. Issued: never changes again."""

    OPEN = "open"
    ISSUED = "issued"


@dataclass(frozen=True, slots=True)
class LineKey:
    """What a line's charges have in common.

    Attributes:
        charge_month: the month (``YYYY-MM``) of use; earlier than the statement's for a correction.
    """

    tenancy_id: str
    resource_id: str
    meter: str
    dimensions: Mapping[str, str]
    price_id: str
    unit_price: Decimal
    list_unit_price: Decimal
    contract_id: str
    contract_version: int
    charge_month: str


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line: a resource's use of a meter at one price.

    Attributes:
        list_cost: what it would cost without the contract, unrounded.
        cost: what the contract makes of it, unrounded.
        amount: what is billed, rounded so that the lines add up to the total.
    """

    id: str
    key: LineKey
    quantity: Decimal
    list_cost: Decimal
    cost: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class StatementHead:
    """A billing account's month.

    Attributes:
        number: given when issued, without gaps within a year.
        total: billed, rounded to the cent.
        rated_at: up to when usage has become charges.
    """

    id: str
    path: str
    period: str
    currency: str
    state: StatementState
    total: Decimal
    number: str | None = None
    issued_at: datetime | None = None
    rated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Use of a billable meter that no price or no contract covers; it is shown, never dropped."""

    path: str
    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its lines and what it could not price."""

    head: StatementHead
    lines: tuple[StatementLine, ...]
    unpriced: tuple[Unpriced, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """A rated quantity of one hour; negative where it takes back an earlier one."""

    hour: datetime
    quantity: Decimal
    list_cost: Decimal
    contracted_cost: Decimal
    effective_cost: Decimal
    billed_cost: Decimal
    run_id: str
    corrects: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """One usage record behind a charge, with the event that brought it."""

    hour: datetime
    quantity: Decimal
    event_source: str
    event_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource comes from: its deployment, order, contract and approvals, as JSON.

    Empty members are unknown. What was imported has a deployment, which says in ``imported`` how
    many objects it took in, and no order: its contract is the line's own.
    """

    resource: Mapping[str, object]
    deployment: Mapping[str, object]
    order: Mapping[str, object]
    contract: Mapping[str, object]
    approvals: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The staircase of one line, from money back to the approval.

    Attributes:
        charges, evidence: the newest hours first come last; at most ``limit`` of each, while
            ``charge_count``, ``evidence_count`` and ``evidence_quantity`` speak of all.
    """

    statement: StatementHead
    line: StatementLine
    price: Price
    charges: tuple[Charge, ...]
    charge_count: int
    evidence: tuple[Evidence, ...]
    evidence_count: int
    evidence_quantity: Decimal
    origin: Origin


@dataclass(frozen=True, slots=True)
class RatingResult:
    """What one rating run did."""

    run_id: str
    charges: int
    accounts: tuple[str, ...]


def line_id(statement_id: str, key_digest: str) -> str:
    """The id of a line: it names its statement, and stays while an open statement moves."""
    return f"lin_{statement_id.removeprefix('stm_')}_{key_digest.removeprefix('sha256:')[:12]}"


def statement_of_line(identifier: str) -> str:
    """The id of the statement that a line belongs to; any text if it is no line's id."""
    return "stm_" + identifier.removeprefix("lin_").rpartition("_")[0]


def round_lines(costs: Sequence[Decimal]) -> list[Decimal]:
    """Round costs to the cent so that they add up to their sum, rounded half even.

    The largest-remainder method (Hamilton's): each is rounded down, and the cents that are missing
    go to those with the largest remainders, the first of equals first.
    """
    total = sum(costs, Decimal(0)).quantize(CENT, ROUND_HALF_EVEN)
    amounts = [cost.quantize(CENT, ROUND_FLOOR) for cost in costs]
    missing = int((total - sum(amounts, Decimal(0))) / CENT)
    order = sorted(range(len(costs)), key=lambda i: (amounts[i] - costs[i], i))
    for index in order[:missing]:
        amounts[index] += CENT
    return amounts
