"""The city's values are what the features accept, by their own models' rules."""

from datetime import UTC, datetime

import pytest

import marketplace.model as market
from control_plane.billing import model as billing
from control_plane.demonstration import City, load_city
from control_plane.demonstration.checks import PARENTS as OURS
from control_plane.metering import model as metering
from control_plane.tenancy import model as tenancy
from foundation.kernel.money import Money

NOW = datetime(2027, 2, 28, 23, 59, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


def test_the_tree_follows_the_rules_of_tenancy() -> None:
    theirs = {
        kind.value: {above.value for above in parents} for kind, parents in tenancy.PARENTS.items()
    }
    assert {
        kind.value: {above.value for above in parents} for kind, parents in OURS.items()
    } == theirs


def test_data_classes_and_aggregations_are_those_of_the_features(city: City) -> None:
    for system in city.systems:
        tenancy.DataClass(system.data_class.value)
    for meter in city.meters:
        aggregation = metering.Aggregation(meter.aggregation.value)
        metering.Meter(
            meter.name, meter.title, meter.unit, aggregation, meter.dimensions, meter.billable
        )


def test_prices_are_billings_prices(city: City) -> None:
    (book,) = city.price_books
    for price in book.prices:
        term = price.term.interval(NOW)
        made = billing.Price(
            price.id,
            book.slug,
            price.meter,
            price.dimensions,
            price.amount,
            term.start,
            term.end,
            book.reason,
        )
        assert made.reason  # billing refuses a price that begins in the past without one


def test_frameworks_and_contracts_pass_the_marketplaces_checks(city: City) -> None:
    suppliers = {one.slug: market.Supplier(one.slug, one.name) for one in city.suppliers}
    frameworks = {}
    for one in city.frameworks:
        frameworks[one.number] = market.Framework(
            one.number,
            one.name,
            tuple(suppliers[slug] for slug in one.suppliers),
            one.lots,
            one.term.interval(NOW),
            Money(one.ceiling, one.currency),
            one.price_book,
        )
        frameworks[one.number].check()
    for contract in city.contracts:
        framework = frameworks[contract.framework]
        market.ContractTerms(
            contract.name,
            contract.term.interval(NOW),
            Money(contract.ceiling, framework.ceiling.currency),
            contract.service_level,
            contract.discount,
        ).check(framework)


def test_approval_policies_pass_the_marketplaces_check(city: City) -> None:
    for policy in city.approval_policies:
        steps = tuple(
            market.PolicyStep(
                step.slug,
                step.name,
                step.role.value,
                market.DEPARTMENT
                if step.organisation == market.DEPARTMENT
                else city.path(step.organisation),
                step.from_monthly,
                tuple(one.value for one in step.data_classes),
            )
            for step in policy.steps
        )
        market.Policy(policy.slug, policy.version, policy.name, steps, policy.deadline_days).check()
    assert market.STANDARD in {policy.slug for policy in city.approval_policies}


def test_offerings_pass_the_marketplaces_check(city: City) -> None:
    for offering in city.offerings:
        plans = tuple(
            market.Plan(
                plan.slug,
                plan.name,
                plan.description,
                tuple(
                    market.Component(
                        part.slug,
                        market.ComponentKind(part.kind.value),
                        part.name,
                        part.meter,
                        part.dimensions,
                        part.quantity,
                        part.quantity_input,
                    )
                    for part in plan.components
                ),
                plan.inputs,
                plan.limits,
            )
            for plan in offering.plans
        )
        theirs = market.Offering(
            offering.slug,
            offering.category,
            offering.name,
            offering.description,
            offering.icon,
            tuple(one.value for one in offering.data_classes),
            offering.service_level,
            offering.support,
            market.Maturity(offering.maturity.value),
            market.Availability(offering.availability.value),
            offering.availability_note,
            plans,
            offering.blueprint,
        )
        theirs.check()
        assert theirs.orderable == offering.orderable
        for ours, plan in zip(offering.plans, theirs.plans, strict=True):
            amounts = [part.amount(plan.inputs) for part in plan.components]
            assert amounts == [part.units(ours.inputs) for part in ours.components]
