"""The marketplace on a real database, with real billing, tenancy and operations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from control_plane.billing.model import Price, PriceBook
from control_plane.billing.service import Billing
from control_plane.billing.store import PostgresBilling
from control_plane.bootstrap.links import LateFees, LateProvenance, Resources
from control_plane.metering.model import Aggregation, Meter
from control_plane.metering.service import Metering
from control_plane.metering.store import PostgresMetering
from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.money import Money
from foundation.kernel.outbox import Outbox
from foundation.kernel.text import Text
from foundation.kernel.time import Interval
from foundation.operations.model import Operation
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from marketplace.jobs import handlers
from marketplace.model import (
    Availability,
    Category,
    Component,
    ComponentKind,
    Contract,
    ContractTerms,
    Framework,
    Maturity,
    Offering,
    Order,
    Plan,
    Policy,
    PolicyStep,
    Supplier,
    Wish,
)
from marketplace.service import Marketplace, Needs
from marketplace.store import PostgresMarketplace
from tests.conftest import SettableClock
from tests.fakes.audit import FakeAudit
from tests.fakes.context import FakeContext
from tests.fakes.provisioner import FakeProvisioner

#: The tests' clock begins on 3 November at nine.
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2027, 11, 1, tzinfo=UTC)
TERM = Interval(BEGIN, END)


def person(name: str, *grants: tuple[str, str]) -> Actor:
    held = tuple(Grant(role, path) for role, path in grants)
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, held)


PLATFORM = person("platform", ("platform_administrator", "/"))
MEMBER = person("requester", ("member", "/city/health/"))
COLLEAGUE = person("colleague", ("member", "/city/health/"))
HEAD = person("head", ("department_administrator", "/city/health/"))
NEIGHBOUR = person("neighbour", ("member", "/city/water/"))
FINANCE = person("finance", ("finance", "/city/"))
SECOND_FINANCE = person("second", ("finance", "/city/"))
SECURITY = person("security", ("approver", "/city/"))


def text(en: str) -> Text:
    return Text(en, f"{en}（中）")


def yuan(amount: str | int) -> Money:
    return Money(Decimal(amount), "CNY")


class NoRegions:
    def regions(self) -> Sequence[tuple[str, datetime]]:
        return []

    def collector(self, region_id: str) -> Any:
        raise AssertionError(region_id)


def web_application(**changed: Any) -> Offering:
    servers = Component(
        "servers", ComponentKind.PER_USE, text("Servers"), "server.instance_hours",
        {"flavor": "m"}, quantity_input="servers",
    )  # fmt: skip
    volume = Component(
        "volume", ComponentKind.PER_USE, text("Volume"), "volume.gb_hours", {"type": "standard"},
        quantity_input="volume_gb",
    )  # fmt: skip
    care = Component("care", ComponentKind.FIXED, text("Care"), "service.months", {"item": "care"})
    setup = Component(
        "setup", ComponentKind.ONE_TIME, text("Set-up"), "service.once", {"item": "setup"}
    )
    plain = Plan(
        "m", text("M"), text("For most"), (servers, volume),
        {"size": "m", "servers": 2, "volume_gb": 100}, {"servers": (1, 8)},
    )  # fmt: skip
    cared = replace(plain, slug="cared", components=(servers, volume, care, setup))
    offering = Offering(
        "web-application", "compute", text("Web application"), text("Servers behind an address"),
        "language", ("public", "internal"), text("99.9 %"), "cloud@city.example",
        Maturity.SUPPORTED, Availability.ORDERABLE, text("Provisioned by a blueprint"),
        (plain, cared), "web-application",
    )  # fmt: skip
    return replace(offering, **changed)


FRAMEWORK = Framework(
    "FW-1", text("Basic services"), (Supplier("example", text("Example")),), ("compute",), TERM,
    yuan(1_000_000), "city",
)  # fmt: skip
TERMS = ContractTerms(text("Health's cloud"), TERM, yuan(200_000), text("99.9 %"))
POLICY = Policy(
    "standard", 1, text("Standard"), (PolicyStep("finance", text("Finance"), "finance", "/city/"),)
)
TWO_STEPS = Policy(
    "standard", 2, text("Two"),
    (
        PolicyStep("finance", text("Finance"), "finance", "/city/"),
        PolicyStep("security", text("Security"), "approver", "/city/", Decimal(100)),
    ),
)  # fmt: skip


@dataclass
class World:
    """A city with two bureaus, a catalogue, a framework and the health bureau's contract."""

    database: Database
    clock: SettableClock
    audit: FakeAudit
    tenancies: TenancyService
    operations: Operations
    provisioner: FakeProvisioner
    metering: Metering
    billing: Billing
    market: Marketplace
    contract: Contract
    health: Tenancy
    water: Tenancy

    def wish(self, **changed: Any) -> Wish:
        return replace(
            Wish(
                offering="web-application", plan="m", tenancy=self.health.id, region="east",
                name="appointments", justification="The season begins.",
            ),
            **changed,
        )  # fmt: skip

    def run(self, operation: Operation) -> FakeContext:
        """Do an operation's work; what it raises is its outcome."""
        context = FakeContext(operation)
        handlers(self.market)[operation.kind].run(context)  # type: ignore[arg-type]
        return context

    def planned(self, actor: Actor = MEMBER, **changed: Any) -> Order:
        """An order that waits for approval."""
        draft = self.market.create_order(actor, self.wish(**changed))
        self.run(self.market.submit(actor, draft.id))
        return self.market.order(actor, draft.id)

    def approved(self, actor: Actor = MEMBER, **changed: Any) -> Order:
        order = self.planned(actor, **changed)
        return self.market.approve(FINANCE, order.id, order.digest)

    def fulfil(self, order: Order) -> Order:
        self.run(self.operations.get(PLATFORM, self.market.order(PLATFORM, order.id).operation_id))
        return self.market.order(PLATFORM, order.id)

    def active(self, actor: Actor = MEMBER, **changed: Any) -> Order:
        return self.fulfil(self.approved(actor, **changed))

    def price(self, meter: str, amount: str, **dimensions: str) -> None:
        price = Price(
            ids.new("pri"), "city", meter, dimensions, Decimal(amount), BEGIN, reason="set"
        )
        self.billing.add_prices(PLATFORM, [price])

    def money(self) -> tuple[Decimal, Decimal, Decimal]:
        """Encumbered, committed, remaining."""
        balance = self.market.contract(PLATFORM, self.contract.id).balance
        return (balance.encumbered.amount, balance.committed.amount, balance.remaining.amount)

    def quota(self, resource: str, scope: str = "/city/health/") -> tuple[Decimal, Decimal]:
        """Reserved and used."""
        level = self.tenancies.quota_view(PLATFORM, scope)[-1]
        (found,) = [q for q in level.quotas if q.resource == resource]
        return found.reserved, found.used


def build(database: Database, clock: SettableClock) -> World:
    audit = FakeAudit()
    tenancies = TenancyService(PostgresTenancy(database), database, clock, audit)
    operations = Operations(PostgresOperations(database), database, clock, audit)
    provisioner = FakeProvisioner(database, clock, tenancies)
    provenance, fees, directory = LateProvenance(), LateFees(), Resources(provisioner)  # type: ignore[arg-type]
    metering = Metering(
        db=database, clock=clock, store=PostgresMetering(database), directory=directory,
        regions=NoRegions(), operations=operations,
    )  # fmt: skip
    billing = Billing(
        db=database, clock=clock, store=PostgresBilling(database), metering=metering,
        provenance=provenance, operations=operations, fees=fees,
    )  # fmt: skip
    market = Marketplace(
        Needs(
            store=PostgresMarketplace(database), db=database, clock=clock, audit=audit,
            outbox=Outbox(database, clock), tenancy=tenancies, provisioning=provisioner,
            billing=billing, metering=metering, operations=operations,
        )
    )  # fmt: skip
    provenance.answer, fees.charge = market.origin, market.charge_fees
    directory.services = market.metered
    health, water = _city(tenancies)
    metering.define_meters(PLATFORM, METERS)
    billing.define_book(PLATFORM, PriceBook("city", text("City prices"), "CNY"))
    market.define_category(PLATFORM, Category("compute", text("Compute"), text("Servers")))
    market.define_category(PLATFORM, Category("storage", text("Storage"), text("Disks"), 1))
    market.define_offering(PLATFORM, web_application())
    market.define_framework(PLATFORM, FRAMEWORK)
    contract = market.sign_contract(
        FINANCE, number="CT-HEALTH", framework="FW-1", organisation="/city/health/", terms=TERMS
    )
    market.set_policy(PLATFORM, POLICY)
    world = World(
        database, clock, audit, tenancies, operations, provisioner, metering, billing, market,
        contract, health, water,
    )  # fmt: skip
    world.price("server.instance_hours", "1", flavor="m")
    world.price("server.instance_hours", "2", flavor="l")
    world.price("volume.gb_hours", "0.001", type="standard")
    world.price("service.months", "50", item="care")
    world.price("service.once", "300", item="setup")
    return world


METERS = [
    Meter("server.instance_hours", text("Server"), "h", Aggregation.SUM, ("flavor",)),
    Meter("volume.gb_hours", text("Volume"), "GBy.h", Aggregation.SUM, ("type",)),
    Meter("service.months", text("Months"), "mo", Aggregation.SUM, ("item",)),
    Meter("service.once", text("Once"), "1", Aggregation.SUM, ("item",)),
]


def _city(tenancies: TenancyService) -> tuple[Tenancy, Tenancy]:
    tenancies.create_organisation(
        PLATFORM, parent=None, slug="city", name=text("City"), kind="city"
    )
    made = []
    for slug in ("health", "water"):
        tenancies.create_organisation(
            PLATFORM, parent="/city/", slug=slug, name=text(slug), kind="bureau"
        )
        made.append(
            tenancies.create_tenancy(
                PLATFORM, organisation=f"/city/{slug}/", slug=f"{slug}-prod", name=text(slug)
            )
        )
    return made[0], made[1]


@pytest.fixture
def world(database: Database, clock: SettableClock) -> World:
    return build(database, clock)


@pytest.fixture(params=[1, pytest.param(19, marks=pytest.mark.rehearsal)])
def rounds(request: pytest.FixtureRequest) -> int:
    """Races are run once, and nineteen times more as a rehearsal."""
    return int(request.param)
