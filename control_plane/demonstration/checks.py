"""What must hold between the values of a city: references, tree, money, prices and story."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from control_plane.demonstration.model import (
    Availability,
    City,
    ComponentKind,
    Offering,
    Organisation,
    OrganisationKind,
    Price,
    PriceBook,
    StoryOrder,
    Term,
)
from foundation.kernel.errors import Collector, Problem

#: What kind of organisation may stand below which.
PARENTS: Mapping[OrganisationKind, frozenset[OrganisationKind]] = {
    OrganisationKind.CITY: frozenset(),
    OrganisationKind.BUREAU: frozenset({OrganisationKind.CITY, OrganisationKind.DISTRICT}),
    OrganisationKind.DISTRICT: frozenset({OrganisationKind.CITY}),
    OrganisationKind.OFFICE: frozenset({OrganisationKind.BUREAU, OrganisationKind.DISTRICT}),
}
#: Contracts and prices must cover usage of these months, from the first of the current one: the
#: two that the story and its history use, and a year ahead of any day of this month.
COVERED = Term(-2, 13)
#: An approval step names the ordering department with this word.
ORDERING_DEPARTMENT = "department"
_METERS_OF_KIND = {
    ComponentKind.FIXED: "service.months",
    ComponentKind.ONE_TIME: "service.once",
}


def problems_of(city: City) -> list[Problem]:
    """Everything that does not fit together, at once; empty for a sound city."""
    found = Collector()
    _unique(city, found)
    if _tree(city, found):
        # Paths and departments mean something only in a sound tree.
        _people(city, found)
        _procurement(city, found)
        _rooms(city, found)
        _handmade(city, found)
        _prices(city, found)
        _catalogue(city, found)
        _story(city, found)
        _migration(city, found)
    return found.problems


class _Known:
    """The keys of one kind of value, to check references against."""

    def __init__(self, found: Collector, what: str, keys: Iterable[str]) -> None:
        self._found = found
        self._what = what
        self._keys = frozenset(keys)

    def check(self, key: str, field: str) -> bool:
        return self._found.check(
            key in self._keys, field, f"{key} is not {self._what} of this city", "unknown"
        )


def _unique(city: City, found: Collector) -> None:
    keys: Mapping[str, list[str]] = {
        "organisations": [one.slug for one in city.organisations],
        "systems": [one.slug for one in city.systems],
        "accounts": [one.login for one in city.accounts],
        "suppliers": [one.slug for one in city.suppliers],
        "frameworks": [one.number for one in city.frameworks],
        "contracts": [one.number for one in city.contracts],
        "approval_policies": [one.slug for one in city.approval_policies],
        "meters": [one.name for one in city.meters],
        "price_books": [one.slug for one in city.price_books],
        "categories": [one.slug for one in city.categories],
        "offerings": [one.slug for one in city.offerings],
        "regions": [one.slug for one in city.regions],
        "tenancies": [one.slug for one in city.tenancies],
        "handmade": [one.key for one in city.handmade],
    }
    for kind, names in keys.items():
        _twice(found, kind, names)
    for book in city.price_books:
        _twice(found, f"price_books.{book.slug}.prices", [price.id for price in book.prices])
    for offering in city.offerings:
        field = f"offerings.{offering.slug}.plans"
        _twice(found, field, [plan.slug for plan in offering.plans])
        for plan in offering.plans:
            slugs = [component.slug for component in plan.components]
            _twice(found, f"{field}.{plan.slug}.components", slugs)


def _twice(found: Collector, field: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        found.check(count == 1, f"{field}.{name}", "is there more than once", "duplicate")


def _tree(city: City, found: Collector) -> bool:
    before = len(found.problems)
    organisations = {one.slug: one for one in city.organisations}
    roots = [one.slug for one in city.organisations if one.parent is None]
    found.check(len(roots) == 1, "organisations", "must have exactly one without a parent")
    for one in city.organisations:
        field = f"organisations.{one.slug}"
        if one.parent is None:
            found.check(
                one.kind is OrganisationKind.CITY, f"{field}.kind", "must be city at the top"
            )
            continue
        above = organisations.get(one.parent)
        if not found.check(above, f"{field}.parent", f"{one.parent} is unknown", "unknown"):
            continue
        if above is not None:
            fits = above.kind in PARENTS[one.kind]
            found.check(fits, f"{field}.parent", f"a {one.kind} cannot be below a {above.kind}")
        found.check(_reaches_top(one, organisations), f"{field}.parent", "is a circle")
    return len(found.problems) == before


def _reaches_top(one: Organisation, organisations: Mapping[str, Organisation]) -> bool:
    for _ in organisations:
        if one.parent is None or one.parent not in organisations:
            return True
        one = organisations[one.parent]
    return one.parent is None


def _people(city: City, found: Collector) -> None:
    organisations = _Known(found, "an organisation", (one.slug for one in city.organisations))
    for system in city.systems:
        organisations.check(system.organisation, f"systems.{system.slug}.organisation")
    for account in city.accounts:
        field = f"accounts.{account.login}"
        organisations.check(account.organisation, f"{field}.organisation")
        found.check(account.grants, f"{field}.grants", "must have at least one role")
        for index, grant in enumerate(account.grants):
            organisations.check(grant.organisation, f"{field}.grants.{index}.organisation")


def _procurement(city: City, found: Collector) -> None:
    suppliers = _Known(found, "a supplier", (one.slug for one in city.suppliers))
    categories = _Known(found, "a category", (one.slug for one in city.categories))
    books = _Known(found, "a price book", (one.slug for one in city.price_books))
    for framework in city.frameworks:
        field = f"frameworks.{framework.number}"
        for supplier in framework.suppliers:
            suppliers.check(supplier, f"{field}.suppliers")
        for lot in framework.lots:
            categories.check(lot, f"{field}.lots")
        books.check(framework.price_book, f"{field}.price_book")
        _term(found, framework.term, f"{field}.term")
        found.check(framework.ceiling > 0, f"{field}.ceiling", "must be more than nothing")
    _contracts(city, found)
    organisations = _Known(found, "an organisation", (one.slug for one in city.organisations))
    for policy in city.approval_policies:
        field = f"approval_policies.{policy.slug}"
        always = any(one.from_monthly is None and not one.data_classes for one in policy.steps)
        found.check(always, f"{field}.steps", "must have one that every order needs")
        found.check(policy.deadline_days > 0, f"{field}.deadline_days", "must be at least 1")
        for step in policy.steps:
            if step.organisation != ORDERING_DEPARTMENT:
                organisations.check(step.organisation, f"{field}.steps.{step.slug}.organisation")


def _contracts(city: City, found: Collector) -> None:
    frameworks = {one.number: one for one in city.frameworks}
    departments = {one.slug for one in city.departments}
    for contract in city.contracts:
        field = f"contracts.{contract.number}"
        _term(found, contract.term, f"{field}.term")
        is_department = contract.organisation in departments
        found.check(is_department, f"{field}.organisation", "must be a department", "unknown")
        found.check(contract.ceiling > 0, f"{field}.ceiling", "must be more than nothing")
        found.check(0 <= contract.discount <= 1, f"{field}.discount", "must be 0 to 1")
        framework = frameworks.get(contract.framework)
        if not found.check(framework, f"{field}.framework", "is unknown", "unknown"):
            continue
        if framework is not None:
            inside = _covers(framework.term, contract.term)
            found.check(inside, f"{field}.term", f"must lie within that of {framework.number}")
    for framework in city.frameworks:
        drawn = sum(one.ceiling for one in city.contracts if one.framework == framework.number)
        field = f"frameworks.{framework.number}.ceiling"
        found.check(drawn <= framework.ceiling, field, f"is below its contracts' sum of {drawn}")
    held = {one.organisation for one in city.contracts if _covers(one.term, COVERED)}
    for slug in sorted(departments):
        field = f"organisations.{slug}"
        months = f"months {COVERED.start} to {COVERED.end}"
        found.check(slug in held, field, f"has no contract that is valid throughout {months}")


def _term(found: Collector, term: Term, field: str) -> None:
    found.check(term.end is None or term.end > term.start, field, "must end after its start")


def _covers(outer: Term, inner: Term) -> bool:
    if inner.end is None:
        return outer.start <= inner.start and outer.end is None
    return outer.start <= inner.start and (outer.end is None or inner.end <= outer.end)


def _rooms(city: City, found: Collector) -> None:
    """Regions, tenancies and quotas."""
    organisations = _Known(found, "an organisation", (one.slug for one in city.organisations))
    systems = _Known(found, "a system", (one.slug for one in city.systems))
    tenancies = _Known(found, "a tenancy", (one.slug for one in city.tenancies))
    regions = {one.slug: one for one in city.regions}
    for region in city.regions:
        simulated = region.simulated or region.engine != "embedded"
        found.check(simulated, f"regions.{region.slug}.simulated", "must be true: it is embedded")
    for tenancy in city.tenancies:
        field = f"tenancies.{tenancy.slug}"
        organisations.check(tenancy.organisation, f"{field}.organisation")
        if tenancy.system is not None:
            systems.check(tenancy.system, f"{field}.system")
        place = regions.get(tenancy.region)
        if found.check(place, f"{field}.region", "is not a region of this city", "unknown"):
            allowed = place is not None and tenancy.data_class in place.data_classes
            found.check(allowed, f"{field}.data_class", f"may not be kept in {tenancy.region}")
    for index, quota in enumerate(city.quotas):
        field = f"quotas.{index}"
        one = (quota.organisation is None) is not (quota.tenancy is None)
        found.check(one, field, "must be of an organisation or of a tenancy")
        if quota.organisation is not None:
            organisations.check(quota.organisation, f"{field}.organisation")
        if quota.tenancy is not None:
            tenancies.check(quota.tenancy, f"{field}.tenancy")
    _limits(city, found)


def _handmade(city: City, found: Collector) -> None:
    """Things are made in simulated regions alone, each after those that it names."""
    regions = {one.slug: one for one in city.regions}
    earlier: set[str] = set()
    for thing in city.handmade:
        field = f"handmade.{thing.key}"
        place = regions.get(thing.region)
        if found.check(place, f"{field}.region", "is not a region of this city", "unknown"):
            simulated = place is not None and place.engine == "embedded"
            found.check(simulated, f"{field}.region", "is not simulated: nothing is made there")
        for key in sorted(thing.references() - earlier):
            found.check(False, field, f"names {key}, which is not made before it", "unknown")
        earlier.add(thing.key)


def _limits(city: City, found: Collector) -> None:
    """A limit is within every limit of the same resource above it, and all within the capacity."""
    limits = {quota.organisation or quota.tenancy: quota.limits for quota in city.quotas}
    known = {one.slug for one in city.organisations}
    capacity: Counter[str] = Counter()
    for region in city.regions:
        capacity.update(region.capacity)
    chains = {
        one.slug: [slug.slug for slug in city.ancestry(one.slug)][1:] for one in city.organisations
    }
    for tenancy in city.tenancies:
        if tenancy.organisation in known:
            chains[tenancy.slug] = [tenancy.organisation, *chains[tenancy.organisation]]
    for slug, own in limits.items():
        for resource, limit in own.items():
            field = f"quotas.{slug}.limits.{resource}"
            if not found.check(
                resource in capacity, field, "is in no region's capacity", "unknown"
            ):
                continue
            found.check(0 <= limit <= capacity[resource], field, "is over what the regions hold")
            for above in chains.get(slug or "", []):
                most = limits.get(above, {}).get(resource, limit)
                found.check(limit <= most, field, f"is over the {most} of {above}")


def _prices(city: City, found: Collector) -> None:
    meters = {meter.name: meter for meter in city.meters}
    for book in city.price_books:
        for price in book.prices:
            field = f"price_books.{book.slug}.prices.{price.id}"
            _term(found, price.term, f"{field}.term")
            positive = price.amount.is_finite() and price.amount >= 0
            found.check(positive, f"{field}.amount", "must be zero or more")
            meter = meters.get(price.meter)
            if not found.check(meter, f"{field}.meter", f"{price.meter} is unknown", "unknown"):
                continue
            if meter is not None:
                found.check(meter.billable, f"{field}.meter", "informs only and has no price")
                whole = set(price.dimensions) == set(meter.dimensions)
                wanted = ", ".join(meter.dimensions) or "none"
                found.check(whole, f"{field}.dimensions", f"must be {wanted}")
        for price, other in _rivals(book):
            overlap = price.term.overlaps(other.term)
            field = f"price_books.{book.slug}.prices.{other.id}"
            found.check(not overlap, f"{field}.term", f"overlaps that of {price.id}")


def _rivals(book: PriceBook) -> Iterator[tuple[Price, Price]]:
    """Pairs of prices of the same thing."""
    things: dict[tuple[str, tuple[tuple[str, str], ...]], list[Price]] = {}
    for price in book.prices:
        key = (price.meter, tuple(sorted(price.dimensions.items())))
        things.setdefault(key, []).append(price)
    for prices in things.values():
        yield from combinations(prices, 2)


def _catalogue(city: City, found: Collector) -> None:
    categories = _Known(found, "a category", (one.slug for one in city.categories))
    lots = {lot: one for one in city.frameworks for lot in one.lots}
    books = {book.slug: book for book in city.price_books}
    for category in city.categories:
        in_lot = category.slug in lots
        found.check(in_lot, f"categories.{category.slug}", "is a lot of no framework")
    for offering in city.offerings:
        field = f"offerings.{offering.slug}"
        categories.check(offering.category, f"{field}.category")
        _honesty(offering, field, found)
        framework = lots.get(offering.category)
        book = books.get(framework.price_book) if framework else None
        if book is not None:
            _plans(offering, book, field, found)


def _honesty(offering: Offering, field: str, found: Collector) -> None:
    """Only what a bundled blueprint delivers may be ordered."""
    orderable = offering.availability is Availability.ORDERABLE
    backed = offering.blueprint is not None
    found.check(
        orderable == backed, f"{field}.blueprint", "is there if and only if it is orderable"
    )
    found.check(offering.plans, f"{field}.plans", "must have at least one plan")
    found.check(offering.data_classes, f"{field}.data_classes", "must have at least one")


def _plans(offering: Offering, book: PriceBook, field: str, found: Collector) -> None:
    for plan in offering.plans:
        at = f"{field}.plans.{plan.slug}"
        found.check(plan.components, f"{at}.components", "must have at least one")
        for name in (*plan.limits, *plan.fixed):
            found.check(name in plan.inputs, f"{at}.inputs.{name}", "is needed: it is bounded")
        for name, (least, most) in plan.limits.items():
            value = plan.inputs.get(name, least)
            fits = isinstance(value, int) and least <= value <= most
            found.check(fits, f"{at}.inputs.{name}", f"must be {least} to {most}")
        for component in plan.components:
            here = f"{at}.components.{component.slug}"
            counted = component.quantity_input
            known = counted is None or isinstance(plan.inputs.get(counted), int)
            found.check(known, f"{here}.quantity_input", f"{counted} is no number of the plan's")
            wanted = _METERS_OF_KIND.get(component.kind)
            fits = component.meter == wanted or (
                wanted is None and component.meter not in _METERS_OF_KIND.values()
            )
            found.check(fits, f"{here}.meter", f"does not fit {component.kind}")
            priced = _priced_throughout(book, component.meter, component.dimensions)
            found.check(priced, here, f"has no price in {book.slug} at some time", "unpriced")


def _priced_throughout(book: PriceBook, meter: str, dimensions: Mapping[str, str]) -> bool:
    """Whether a price holds in every month that must be covered."""
    terms = [
        price.term
        for price in book.prices
        if price.meter == meter and dict(price.dimensions) == dict(dimensions)
    ]
    months = range(COVERED.start, COVERED.end or COVERED.start)
    return all(any(_covers(term, Term(month, month + 1)) for term in terms) for month in months)


def _story(city: City, found: Collector) -> None:
    story = city.story
    if story is None:
        return
    accounts = _Known(found, "an account", (one.login for one in city.accounts))
    accounts.check(story.statement_by, "story.statement_by")
    accounts.check(story.auditor, "story.auditor")
    closed = COVERED.start <= story.usage_month < 0
    found.check(closed, "story.usage_month", f"must be {COVERED.start} to -1: a month that is over")
    told = [(order, f"story.orders.{order.name}") for order in story.orders]
    if story.video is not None:
        told.append((story.video.order, "story.video.order"))
    if story.exchange is not None:
        told.append((story.exchange.order, "story.exchange.order"))
    for order, field in told:
        accounts.check(order.requester, f"{field}.requester")
        for approver in order.approvers:
            accounts.check(approver, f"{field}.approvers")
        own = order.requester not in order.approvers
        found.check(own, f"{field}.approvers", "may not hold the requester")
        found.check(order.approvers, f"{field}.approvers", "must not be empty")
        _order(city, order, field, found)


def _order(city: City, order: StoryOrder, field: str, found: Collector) -> None:
    offering = next((one for one in city.offerings if one.slug == order.offering), None)
    if found.check(offering, f"{field}.offering", "is unknown", "unknown") and offering:
        found.check(offering.orderable, f"{field}.offering", "cannot be ordered in this release")
        plan = next((one for one in offering.plans if one.slug == order.plan), None)
        if found.check(plan, f"{field}.plan", "is unknown", "unknown") and plan:
            for name in order.inputs:
                free = name in plan.inputs and name not in plan.fixed
                found.check(free, f"{field}.inputs.{name}", "is not the orderer's to choose")
    tenancies = {one.slug: one for one in city.tenancies}
    systems = {one.slug: one for one in city.systems}
    tenancy, system = tenancies.get(order.tenancy), systems.get(order.system)
    found.check(tenancy, f"{field}.tenancy", "is unknown", "unknown")
    found.check(system, f"{field}.system", "is unknown", "unknown")
    if offering and tenancy and system:
        found.check(tenancy.region == order.region, f"{field}.region", "is not the tenancy's")
        fits = system.data_class in offering.data_classes
        found.check(fits, f"{field}.system", "has data that the offering may not hold")
    contract = next((one for one in city.contracts if one.number == order.contract), None)
    if found.check(contract, f"{field}.contract", "is unknown", "unknown") and contract and tenancy:
        holder = city.department_of(tenancy.organisation).slug
        same = holder == contract.organisation
        found.check(same, f"{field}.contract", "is another department's")


def _migration(city: City, found: Collector) -> None:
    plan = city.migration
    if plan is None:
        return
    systems = _Known(found, "a system", (one.slug for one in city.systems))
    waves = _Known(found, "a wave", (one.slug for one in plan.waves))
    for number, journey in enumerate(plan.journeys):
        field = f"migration.journeys.{number}"
        systems.check(journey.system, f"{field}.system")
        if journey.wave:
            waves.check(journey.wave, f"{field}.wave")
        weeks = list(journey.steps.values())
        in_order = weeks == sorted(weeks, reverse=True) and min(weeks, default=0) >= 0
        found.check(in_order, f"{field}.steps", "must be in order, the first the longest ago")
