"""Frameworks, the departments' contracts under them, and the ledger of a contract's money."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NewType

from control_plane.billing.model import HOURS_PER_MONTH
from foundation.kernel.errors import Collector
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from foundation.kernel.time import Interval

ContractId = NewType("ContractId", str)

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Supplier:
    """Who delivers under a framework."""

    slug: str
    name: Text


@dataclass(frozen=True, slots=True)
class Framework:
    """A central procurement: whose services, of which categories, how long and up to how much.

    Attributes:
        number: its name in the city's files, unique.
        lots: slugs of the categories that may be ordered under it.
        ceiling: what all contracts under it may come to.
        price_book: slug of the prices that it fixes.
    """

    number: str
    name: Text
    suppliers: tuple[Supplier, ...]
    lots: tuple[str, ...]
    term: Interval
    ceiling: Money
    price_book: str

    def check(self) -> None:
        """Refuse a framework that cannot be called off.

        Raises:
            Invalid: names every problem.
        """
        found = Collector()
        found.check(self.number.strip(), "number", "is required")
        found.check(self.lots, "lots", "must be at least one category")
        found.check(self.suppliers, "suppliers", "must be at least one")
        check_term(found, self.term)
        found.check(self.ceiling.amount > 0, "ceiling", "must be more than zero")
        found.finish()


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """What one version of a contract says.

    Attributes:
        ceiling: what all orders of the contract may come to.
        discount: part of the framework's prices that is taken off, 0 to 1.
    """

    name: Text
    term: Interval
    ceiling: Money
    service_level: Text
    discount: Decimal = Decimal(0)

    def check(self, framework: Framework) -> None:
        """Refuse terms that the framework does not carry.

        Raises:
            Invalid: names every problem.
        """
        found = Collector()
        check_term(found, self.term)
        within = self.term.end is not None and framework.term.start <= self.term.start
        end = framework.term.end
        within = within and (end is None or (self.term.end is not None and self.term.end <= end))
        found.check(within, "term", f"must have an end and lie within that of {framework.number}")
        same = self.ceiling.currency == framework.ceiling.currency
        found.check(same, "ceiling.currency", f"must be {framework.ceiling.currency}")
        found.check(self.ceiling.amount > 0, "ceiling.amount", "must be more than zero")
        found.check(0 <= self.discount <= 1, "discount", "must be between 0 and 1")
        found.finish()


@dataclass(frozen=True, slots=True)
class Contract:
    """A department's own call-off under a framework, in its newest version.

    Attributes:
        path: of the department; it holds for all below.
        version: 1 when it was signed, one more for each amendment.
        effective: since when this version's prices hold.
        reason: of the amendment; empty for the first version.
    """

    id: ContractId
    number: str
    framework: str
    organisation_id: str
    path: str
    version: int
    terms: ContractTerms
    effective: datetime
    signed_by: str
    signed_at: datetime
    reason: str = ""

    def in_force(self, at: datetime) -> bool:
        """Whether orders may be made on it at that instant."""
        return self.terms.term.contains(at)


class Entry(StrEnum):
    """What a line of a contract's ledger does."""

    ENCUMBER = "encumber"
    RELEASE = "release"
    COMMIT = "commit"
    REDUCE = "reduce"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of a contract's ledger; lines are only ever added.

    Attributes:
        key: unique; what is written again under it changes nothing.
        encumbered: added to what approved orders hold.
        committed: added to what active services hold.
    """

    key: str
    contract_id: ContractId
    order_id: str
    instance_id: str
    entry: Entry
    encumbered: Money
    committed: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """How a contract's money stands: the sums of its ledger against its ceiling."""

    ceiling: Money
    encumbered: Money
    committed: Money

    @property
    def remaining(self) -> Money:
        """What may still be ordered."""
        return self.ceiling - self.encumbered - self.committed


def check_term(found: Collector, term: Interval) -> None:
    """Note a term that does not begin and end at full hours: prices change at full hours only."""
    for name, at in (("start", term.start), ("end", term.end)):
        whole = at is None or not (at.minute or at.second or at.microsecond)
        found.check(whole, f"term.{name}", "must be a full hour")


def begun_months(start: datetime, end: datetime) -> int:
    """Months of 730 hours between two instants, a begun one as a whole: what is encumbered."""
    return int(_months(start, end).to_integral_value(ROUND_CEILING))


def whole_months(start: datetime, end: datetime) -> int:
    """Months of 730 hours between two instants, without a begun one: what is given back."""
    return int(_months(start, end).to_integral_value(ROUND_FLOOR))


def _months(start: datetime, end: datetime) -> Decimal:
    if end <= start:
        return Decimal(0)
    return Decimal((end - start) // timedelta(microseconds=1)) / (
        Decimal(_HOUR // timedelta(microseconds=1)) * HOURS_PER_MONTH
    )
