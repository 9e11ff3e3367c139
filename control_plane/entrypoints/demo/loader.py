"""Feeds a city's values to the services, as its administrators would enter them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from control_plane.billing.model import Price, PriceBook
from control_plane.bootstrap import Platform
from control_plane.demonstration import model as demo
from control_plane.metering.model import Aggregation, Meter
from control_plane.tenancy.migration.service import Claim
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.money import Money
from marketplace import model as market

ACTOR = Actor.system("demonstration")
#: Who moved a system does not verify it.
_VERIFIER = Actor.system("demonstration auditor")


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much of one kind was entered."""

    what: str
    count: int


def load(platform: Platform, city: demo.City, now: datetime) -> Iterator[Loaded]:
    """Enter a whole city into an empty platform, kind by kind.

    Args:
        platform: the platform.
        city: what to enter.
        now: the instant that the city's months are counted from.

    Raises:
        BoroughError: a service refused a value; what was entered before stays.
    """
    revisions = platform.provisioning.publish_bundled(
        platform.blueprint_folders(), tried=not platform.settings.blueprint_paths
    )
    yield Loaded("blueprints", len(revisions))
    loader = _Loader(platform, city, now)
    for what, enter in loader.parts():
        with platform.database.transaction():
            yield Loaded(what, enter())


class _Loader:
    def __init__(self, platform: Platform, city: demo.City, now: datetime) -> None:
        self._platform = platform
        self._city = city
        self._now = now
        self._systems: dict[str, str] = {}
        self._tenancies: dict[str, str] = {}

    def parts(self) -> tuple[tuple[str, Callable[[], int]], ...]:
        return (
            ("organisations", self._organisations),
            ("systems", self._register),
            ("accounts", self._accounts),
            ("meters", self._meters),
            ("prices", self._prices),
            ("regions", self._regions),
            ("categories", self._categories),
            ("offerings", self._offerings),
            ("approval policies", self._policies),
            ("frameworks", self._frameworks),
            ("contracts", self._contracts),
            ("tenancies", self._open_tenancies),
            ("quotas", self._quotas),
            ("journeys", self._journeys),
            ("things made by hand", self._made_by_hand),
        )

    def _organisations(self) -> int:
        for one in self._city.organisations:
            parent = self._city.path(one.parent) if one.parent else None
            self._platform.tenancy.create_organisation(
                ACTOR, parent=parent, slug=one.slug, name=one.name, kind=one.kind
            )
        return len(self._city.organisations)

    def _register(self) -> int:
        for one in self._city.systems:
            made = self._platform.tenancy.register_system(
                ACTOR,
                organisation=self._city.path(one.organisation),
                slug=one.slug,
                name=one.name,
                data_class=one.data_class,
                contact=one.contact,
            )
            self._systems[one.slug] = made.id
        return len(self._city.systems)

    def _accounts(self) -> int:
        people = self._platform.people
        for one in self._city.accounts:
            person = people.create_person(
                ACTOR,
                login=one.login,
                name=one.name.get(one.language),
                path=self._city.path(one.organisation),
                email=one.email,
                password=one.demonstration_password,
            )
            for grant in one.grants:
                people.grant(ACTOR, principal_id=person.id, role=grant.role, path=self._held(grant))
        return len(self._city.accounts)

    def _held(self, grant: demo.RoleGrant) -> str:
        # A role on the whole city is one on the platform: prices and regions are no department's.
        root = grant.organisation == self._city.root.slug
        return "/" if root else self._city.path(grant.organisation)

    def _meters(self) -> int:
        self._platform.metering.define_meters(
            ACTOR,
            [
                Meter(
                    one.name, one.title, one.unit, Aggregation(one.aggregation.value),
                    one.dimensions, one.billable,
                )
                for one in self._city.meters
            ],
        )  # fmt: skip
        return len(self._city.meters)

    def _prices(self) -> int:
        count = 0
        for book in self._city.price_books:
            self._platform.billing.define_book(
                ACTOR, PriceBook(book.slug, book.name, book.currency)
            )
            prices = [self._price(book, one) for one in book.prices]
            self._platform.billing.add_prices(ACTOR, prices)
            count += len(prices)
        return count

    def _price(self, book: demo.PriceBook, one: demo.Price) -> Price:
        term = one.term.interval(self._now)
        return Price(
            ids.new("pri"), book.slug, one.meter, dict(one.dimensions), one.amount,
            term.start, term.end, book.reason,
        )  # fmt: skip

    def _regions(self) -> int:
        for one in self._city.regions:
            self._platform.provisioning.add_region(
                ACTOR,
                slug=one.slug,
                title=one.name,
                kinds=one.kinds,
                engine=one.engine,
                config=one.config,
                capacity=one.capacity,
                data_classes=[each.value for each in one.data_classes],
            )
        return len(self._city.regions)

    def _categories(self) -> int:
        for position, one in enumerate(self._city.categories):
            self._platform.marketplace.define_category(
                ACTOR, market.Category(one.slug, one.name, one.description, position)
            )
        return len(self._city.categories)

    def _offerings(self) -> int:
        for position, one in enumerate(self._city.offerings):
            document = {**canonical.plain(one), "position": position}
            self._platform.marketplace.define_offering(ACTOR, market.offering_from(document))
        return len(self._city.offerings)

    def _policies(self) -> int:
        for one in self._city.approval_policies:
            steps = tuple(
                market.PolicyStep(
                    step.slug,
                    step.name,
                    step.role,
                    self._place(step.organisation),
                    step.from_monthly,
                    tuple(each.value for each in step.data_classes),
                )
                for step in one.steps
            )
            self._platform.marketplace.set_policy(
                ACTOR, market.Policy(one.slug, one.version, one.name, steps, one.deadline_days)
            )
        return len(self._city.approval_policies)

    def _place(self, organisation: str) -> str:
        return organisation if organisation == "department" else self._city.path(organisation)

    def _frameworks(self) -> int:
        suppliers = {one.slug: market.Supplier(one.slug, one.name) for one in self._city.suppliers}
        for one in self._city.frameworks:
            self._platform.marketplace.define_framework(
                ACTOR,
                market.Framework(
                    one.number,
                    one.name,
                    tuple(suppliers[slug] for slug in one.suppliers),
                    one.lots,
                    one.term.interval(self._now),
                    Money(one.ceiling, one.currency),
                    one.price_book,
                ),
            )
        return len(self._city.frameworks)

    def _contracts(self) -> int:
        currencies = {one.number: one.currency for one in self._city.frameworks}
        for one in self._city.contracts:
            self._platform.marketplace.sign_contract(
                ACTOR,
                number=one.number,
                framework=one.framework,
                organisation=self._city.path(one.organisation),
                terms=market.ContractTerms(
                    one.name,
                    one.term.interval(self._now),
                    Money(one.ceiling, currencies[one.framework]),
                    one.service_level,
                    one.discount,
                ),
            )
        return len(self._city.contracts)

    def _open_tenancies(self) -> int:
        for one in self._city.tenancies:
            made = self._platform.tenancy.create_tenancy(
                ACTOR,
                organisation=self._city.path(one.organisation),
                slug=one.slug,
                name=one.name,
                data_class=one.data_class,
                system=self._systems[one.system] if one.system else None,
            )
            self._tenancies[one.slug] = made.id
        return len(self._city.tenancies)

    def _quotas(self) -> int:
        for one in self._city.quotas:
            if one.organisation is not None:
                scope = self._city.path(one.organisation)
            else:
                scope = self._tenancies[one.tenancy or ""]
            limits = {name: Decimal(value) for name, value in one.limits.items()}
            self._platform.tenancy.set_quota(ACTOR, scope=scope, limits=limits)
        return len(self._city.quotas)

    def _made_by_hand(self) -> int:
        ids: dict[str, str] = {}
        for one in self._city.handmade:
            ids[one.key] = self._platform.make_by_hand(
                one.region, one.type, one.resolved(ids), ids[one.place] if one.place else ""
            )
        return len(ids)

    def _journeys(self) -> int:
        plan = self._city.migration
        if plan is None:
            return 0
        migration, today = self._platform.migration, self._platform.clock.now().date()
        for wave in plan.waves:
            start, due = (today + timedelta(weeks=weeks) for weeks in (wave.start, wave.due))
            migration.put_wave(ACTOR, wave.slug, title=wave.title, start=start, due=due)
        targets = [(today + timedelta(weeks=t.due), t.percent) for t in plan.targets]
        migration.put_targets(ACTOR, self._city.path(self._city.root.slug), targets)
        for journey in plan.journeys:
            self._journey(journey)
        return len(plan.journeys)

    def _journey(self, journey: demo.Journey) -> None:
        migration, now = self._platform.migration, self._platform.clock.now()
        system = self._systems[journey.system]
        # Loaded already: steps are only ever added.
        if migration.journey(ACTOR, system)[1]:
            return
        if journey.wave:
            migration.plan(ACTOR, system, wave=journey.wave)
        for state, weeks in journey.steps.items():
            proof = (f"https://records.example/migration/{journey.system}/{state}",)
            claim = Claim(
                state, "Entered for the demonstration.", proof, now - timedelta(weeks=weeks)
            )
            migration.step(_VERIFIER if state == "verified" else ACTOR, system, claim)
