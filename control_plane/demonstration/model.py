"""The values of a city: who is in it, what it buys, at which prices, and the story it plays.

Nothing here knows a service: the demonstration's entry point feeds these values to the features.
References between values are by slug. Dates are kept as whole months from the first day of the
current month (0 is this month, -1 the last one), so that the demonstration never goes stale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from foundation.kernel.text import Text
from foundation.kernel.time import Interval

#: What a price for a month assumes: 365 days of 24 hours over 12 months, as clouds quote it.
HOURS_PER_MONTH = Decimal(730)
_MONTHS = 12
_T = TypeVar("_T")

#: A value of an order form.
Input: TypeAlias = str | int | bool | list[str]


class OrganisationKind(StrEnum):
    """What an organisation is in the tree; departments are the city's bureaus and districts."""

    CITY = "city"
    BUREAU = "bureau"
    DISTRICT = "district"
    OFFICE = "office"


class DataClass(StrEnum):
    """How sensitive data are, in rising order."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"


class Criticality(StrEnum):
    """What the city loses when a system stands still."""

    ORDINARY = "ordinary"
    IMPORTANT = "important"
    CRITICAL = "critical"


class Role(StrEnum):
    """The roles that the product knows."""

    PLATFORM_ADMINISTRATOR = "platform_administrator"
    DEPARTMENT_ADMINISTRATOR = "department_administrator"
    MEMBER = "member"
    APPROVER = "approver"
    FINANCE = "finance"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Aggregation(StrEnum):
    """How the parts of one hour become the hour's quantity."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"


class ComponentKind(StrEnum):
    """How a component of a plan is charged."""

    PER_USE = "per_use"
    FIXED = "fixed"
    ONE_TIME = "one_time"


class Maturity(StrEnum):
    """How far an offering is in its life."""

    PREVIEW = "preview"
    SUPPORTED = "supported"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class Availability(StrEnum):
    """Whether this release can deliver an offering; only ``orderable`` ones may be ordered."""

    ORDERABLE = "orderable"
    PLANNED = "planned"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Term:
    """A half-open span in whole months from the first day of the current month; no end is open."""

    start: int
    end: int | None = None

    def interval(self, now: datetime) -> Interval:
        """The span as instants (UTC), seen from ``now``."""
        end = None if self.end is None else month_start(now, self.end)
        return Interval(month_start(now, self.start), end)

    def overlaps(self, other: "Term") -> bool:
        """Whether the two share a month."""
        return (self.end is None or other.start < self.end) and (
            other.end is None or self.start < other.end
        )


def month_start(now: datetime, months: int) -> datetime:
    """Midnight (UTC) of the first day of the month that is ``months`` after that of ``now``."""
    at = now.astimezone(UTC)
    year, month = divmod(at.year * _MONTHS + at.month - 1 + months, _MONTHS)
    return datetime(year, month + 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Organisation:
    """A node of the organisation tree; ``parent`` is the slug above, none for the city."""

    slug: str
    kind: OrganisationKind
    name: Text
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class System:
    """An information system of the register, owned by one organisation."""

    slug: str
    name: Text
    organisation: str
    data_class: DataClass
    criticality: Criticality

    @property
    def contact(self) -> str:
        """Who answers for it: a function's address."""
        return f"{self.slug}@city.example"


@dataclass(frozen=True, slots=True)
class RoleGrant:
    """A role that holds for an organisation and all below it."""

    role: Role
    organisation: str


@dataclass(frozen=True, slots=True)
class Account:
    """A demonstration account: a function of an organisation, never a real person."""

    login: str
    name: Text
    email: str
    organisation: str
    grants: tuple[RoleGrant, ...]
    language: str = "en"

    @property
    def demonstration_password(self) -> str:
        """The published password of this account; fit for a demonstration on loopback only."""
        return f"{self.login}-demo-only"


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier under a framework; all are invented."""

    slug: str
    name: Text


@dataclass(frozen=True, slots=True)
class Framework:
    """A central procurement: whose services, of which categories, how long and up to how much."""

    number: str
    name: Text
    suppliers: tuple[str, ...]
    lots: tuple[str, ...]
    term: Term
    ceiling: Decimal
    price_book: str
    currency: str = "CNY"


@dataclass(frozen=True, slots=True)
class Contract:
    """A department's own call-off under a framework.

    Attributes:
        ceiling: what all orders under it may come to, in the framework's currency.
        discount: part of the framework's prices that is taken off, 0 to 1.
    """

    number: str
    framework: str
    organisation: str
    name: Text
    term: Term
    ceiling: Decimal
    service_level: Text
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """One approval that an order needs.

    Attributes:
        role: who may give it, by a grant that covers ``organisation``.
        organisation: a slug, or ``department`` for the ordering department.
        from_monthly: needed from this price per month on; none means always.
        data_classes: needed for systems of these classes; empty means all.
    """

    slug: str
    name: Text
    role: Role
    organisation: str
    from_monthly: Decimal | None = None
    data_classes: tuple[DataClass, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Who must approve an order; the steps run one after another.

    That whoever ordered never approves, and nobody approves twice, is no matter of policy.

    Attributes:
        deadline_days: after so many days without the last approval an order expires.
    """

    slug: str
    version: int
    name: Text
    steps: tuple[ApprovalStep, ...]
    deadline_days: int = 30


@dataclass(frozen=True, slots=True)
class Meter:
    """Something that is counted; ``unit`` is UCUM where it has one, else a word."""

    name: str
    title: Text
    unit: str
    aggregation: Aggregation
    dimensions: tuple[str, ...] = ()
    billable: bool = True


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit of a meter costs, for these dimensions, throughout the term."""

    id: str
    meter: str
    amount: Decimal
    term: Term
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Dated prices in one currency; no two prices of the same thing overlap in time.

    Attributes:
        reason: why prices are entered for a time that has passed.
    """

    slug: str
    name: Text
    reason: str
    prices: tuple[Price, ...]
    currency: str = "CNY"

    def price_at(
        self, meter: str, dimensions: Mapping[str, str], at: datetime, now: datetime
    ) -> Price | None:
        """The price in force at an instant, or none; ``now`` anchors the months.

        Of several that fit, the one that names most dimensions.
        """
        fitting = [
            price
            for price in self.prices
            if price.meter == meter
            and price.dimensions.items() <= dimensions.items()
            and price.term.interval(now).contains(at)
        ]
        return max(fitting, key=lambda price: len(price.dimensions), default=None)


@dataclass(frozen=True, slots=True)
class Category:
    """One of the eleven shelves of the catalogue; its slug is also a framework's lot."""

    slug: str
    name: Text
    description: Text


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a plan and how much of a meter it is expected to use.

    Attributes:
        quantity: units per hour for ``per_use``, units per month for ``fixed``, units at the
            start for ``one_time``; a use that nobody can foresee is 0.
        quantity_input: the input of the order form that multiplies ``quantity``.
    """

    slug: str
    kind: ComponentKind
    name: Text
    meter: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    quantity: Decimal = Decimal(1)
    quantity_input: str | None = None

    def units(self, inputs: Mapping[str, Input]) -> Decimal:
        """How much of the meter it comes to for these inputs.

        Raises:
            KeyError: the input that multiplies is missing.
        """
        if self.quantity_input is None:
            return self.quantity
        return self.quantity * Decimal(str(inputs[self.quantity_input]))


@dataclass(frozen=True, slots=True)
class Plan:
    """A size or kind of an offering.

    Attributes:
        inputs: what the order form starts with.
        fixed: the inputs that belong to the plan and that an order cannot change.
        limits: the least and the most that an order may ask for, by input; both included.
    """

    slug: str
    name: Text
    description: Text
    components: tuple[Component, ...]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    fixed: tuple[str, ...] = ()
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offering:
    """A service of the catalogue, with its honest state.

    Attributes:
        availability_note: why it can, or cannot yet, be ordered; shown to everyone.
        blueprint: the bundled blueprint behind an orderable offering, else none.
    """

    slug: str
    category: str
    name: Text
    description: Text
    icon: str
    data_classes: tuple[DataClass, ...]
    service_level: Text
    support: str
    maturity: Maturity
    availability: Availability
    availability_note: Text
    plans: tuple[Plan, ...]
    blueprint: str | None = None

    @property
    def orderable(self) -> bool:
        """Whether this release can deliver it."""
        return self.availability is Availability.ORDERABLE


@dataclass(frozen=True, slots=True)
class Region:
    """A region; ``simulated`` is shown wherever the region is.

    Attributes:
        config: plain facts per kind, as the engine takes them.
        capacity: how much there is, by quota resource.
    """

    slug: str
    name: Text
    engine: str
    simulated: bool
    kinds: tuple[str, ...]
    data_classes: tuple[DataClass, ...]
    capacity: Mapping[str, int]
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tenancy:
    """A department's share of a region, which exists when the demonstration starts.

    Attributes:
        data_class: the most protected data that it may hold.
        system: the one system that it is for, if it is for one.
    """

    slug: str
    name: Text
    organisation: str
    region: str
    data_class: DataClass
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of an organisation (for all below it) or of a tenancy: exactly one of the two."""

    limits: Mapping[str, int]
    organisation: str | None = None
    tenancy: str | None = None


@dataclass(frozen=True, slots=True)
class HourlyQuantity:
    """Units of a meter that an order's resources together use in one full hour."""

    meter: str
    quantity: Decimal
    dimensions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The statement's total for a month of so many hours, rounded once, in the book's currency."""

    hours: int
    total: Decimal


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must come of an order.

    Attributes:
        resources: how many of each kind of thing are made; helper resources are not counted.
        per_hour: what they use while they run.
        months: what a whole month of them costs, by its hours.
    """

    resources: Mapping[str, int]
    per_hour: tuple[HourlyQuantity, ...] = ()
    months: tuple[MonthTotal, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryOrder:
    """An order of the story: who orders what for whom, who approves, and what must come of it."""

    name: str
    offering: str
    plan: str
    contract: str
    tenancy: str
    system: str
    region: str
    requester: str
    approvers: tuple[str, ...]
    inputs: Mapping[str, Input]
    justification: Text
    expected: Expectation


@dataclass(frozen=True, slots=True)
class StoryCamera:
    """A camera of the story, played from a sample clip, and what it watches for.

    Attributes:
        clip: a file of the workload's samples.
        kind: of its rule, as the workload names it.
        points: of its rule, fractions of the frame.
        parameters: of its rule.
    """

    code: str
    name: Text
    clip: str
    kind: str
    rule: Text
    points: tuple[tuple[float, float], ...] = ()
    parameters: Mapping[str, Input] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoStory:
    """The chapter on video: what is ordered, which cameras it is given, and what must come of it.

    Attributes:
        meter: what its use is billed as.
        events: how many events each camera must bring while its clip plays once, at least.
    """

    order: StoryOrder
    cameras: tuple[StoryCamera, ...]
    meter: str
    events: int = 1


@dataclass(frozen=True, slots=True)
class StoryAgency:
    """A department as the exchange knows it.

    Attributes:
        slug: of its path there.
    """

    slug: str
    name: Text


@dataclass(frozen=True, slots=True)
class ExchangeStory:
    """The chapter on data: what is ordered, who provides data and who uses it.

    Attributes:
        meter: what its use is billed as.
    """

    order: StoryOrder
    provider: StoryAgency
    consumer: StoryAgency
    meter: str


@dataclass(frozen=True, slots=True)
class Story:
    """What the demonstration plays; ``usage_month`` is the month whose usage arrives and is billed.

    Attributes:
        statement_by: the account that issues the statement.
        explain_meter: the meter whose line is explained back to the approval.
        auditor: the account that verifies the audit log.
    """

    title: Text
    orders: tuple[StoryOrder, ...]
    usage_month: int
    statement_by: str
    explain_meter: str
    auditor: str
    video: VideoStory | None = None
    exchange: ExchangeStory | None = None


@dataclass(frozen=True)
class Wave:
    """Systems that move together.

    Attributes:
        start: first day, in weeks from the day of loading.
        due: last day, likewise.
    """

    slug: str
    title: Text
    start: int
    due: int


@dataclass(frozen=True)
class MigrationTarget:
    """What share of the city's systems must have arrived.

    Attributes:
        due: in weeks from the day of loading.
        percent: above 0, at most 100.
    """

    due: int
    percent: Decimal


@dataclass(frozen=True)
class Journey:
    """A system on its way.

    Attributes:
        system: its slug.
        wave: slug; empty for none.
        steps: by the state that was reached, weeks before the day of loading, in order.
    """

    system: str
    steps: Mapping[str, int]
    wave: str | None = None


@dataclass(frozen=True)
class Migration:
    """How far the systems have come on their way into the cloud."""

    waves: tuple[Wave, ...]
    targets: tuple[MigrationTarget, ...]
    journeys: tuple[Journey, ...]


@dataclass(frozen=True)
class Handmade:
    """An object that somebody made by hand in a simulated region; it can be imported.

    Attributes:
        key: what other objects' inputs call it by.
        region: slug.
        type: Pulumi type token.
        inputs: as a program would declare them; a text ``@KEY`` stands for that object's id.
        place: key of the project that it is in; none for a project.
    """

    key: str
    region: str
    type: str
    inputs: Mapping[str, Any]
    place: str | None = None

    def references(self) -> frozenset[str]:
        """The keys of the objects that it names."""
        named = {text[1:] for text in _texts(self.inputs) if text.startswith("@")}
        return frozenset(named | ({self.place} if self.place else set()))

    def resolved(self, ids: Mapping[str, str]) -> dict[str, Any]:
        """Its inputs with ids in the places of keys."""
        return {name: _resolved(value, ids) for name, value in self.inputs.items()}


def _texts(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)


def _resolved(tree: Any, ids: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(tree, str):
        return ids[tree[1:]] if tree.startswith("@") else tree
    if isinstance(tree, Mapping):
        return {name: _resolved(value, ids) for name, value in tree.items()}
    return [_resolved(value, ids) for value in tree] if isinstance(tree, list) else tree


@dataclass(frozen=True)
class City:
    """Everything that the demonstration loads; built by :func:`load_city` or by the generator."""

    name: Text
    organisations: tuple[Organisation, ...]
    systems: tuple[System, ...]
    accounts: tuple[Account, ...]
    suppliers: tuple[Supplier, ...]
    frameworks: tuple[Framework, ...]
    contracts: tuple[Contract, ...]
    approval_policies: tuple[ApprovalPolicy, ...]
    meters: tuple[Meter, ...]
    price_books: tuple[PriceBook, ...]
    categories: tuple[Category, ...]
    offerings: tuple[Offering, ...]
    regions: tuple[Region, ...]
    tenancies: tuple[Tenancy, ...]
    quotas: tuple[Quota, ...]
    story: Story | None = None
    migration: Migration | None = None
    handmade: tuple[Handmade, ...] = ()

    @cached_property
    def _by_slug(self) -> Mapping[str, Organisation]:
        return {one.slug: one for one in self.organisations}

    @property
    def root(self) -> Organisation:
        """The city itself."""
        return next(one for one in self.organisations if one.parent is None)

    @property
    def departments(self) -> tuple[Organisation, ...]:
        """The bureaus and districts directly below the city."""
        root = self.root.slug
        return tuple(one for one in self.organisations if one.parent == root)

    def ancestry(self, slug: str) -> Iterator[Organisation]:
        """The organisation and all above it, from below."""
        at: str | None = slug
        while at is not None:
            one = self._by_slug[at]
            yield one
            at = one.parent

    def path(self, slug: str) -> str:
        """The organisation's path as grants name it, such as ``/city/health/``."""
        names = [one.slug for one in self.ancestry(slug)]
        return "/" + "/".join(reversed(names)) + "/"

    def department_of(self, slug: str) -> Organisation:
        """The department that an organisation belongs to, which may be itself.

        Raises:
            KeyError: there is no such organisation, or it is the city.
        """
        root = self.root.slug
        for one in self.ancestry(slug):
            if one.parent == root:
                return one
        raise KeyError(slug)

    def account(self, login: str) -> Account:
        """The account of a login.

        Raises:
            KeyError: there is no such account.
        """
        return _one(self.accounts, "login", login)

    def offering(self, slug: str) -> Offering:
        """The offering of a slug.

        Raises:
            KeyError: there is no such offering.
        """
        return _one(self.offerings, "slug", slug)

    def contract(self, number: str) -> Contract:
        """The contract of a number.

        Raises:
            KeyError: there is no such contract.
        """
        return _one(self.contracts, "number", number)

    def price_book_of(self, contract: str) -> PriceBook:
        """The price book that a contract's framework names.

        Raises:
            KeyError: there is no such contract.
        """
        framework = _one(self.frameworks, "number", self.contract(contract).framework)
        return _one(self.price_books, "slug", framework.price_book)


def _one(items: tuple[_T, ...], attribute: str, key: str) -> _T:
    for item in items:
        if getattr(item, attribute) == key:
            return item
    raise KeyError(key)
