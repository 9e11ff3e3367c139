"""The demonstration city itself: what the design asks of it, and that its parts fit together."""

import re
from collections import Counter
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from control_plane.demonstration import City, load_city
from control_plane.demonstration.catalogue_table import render
from control_plane.demonstration.expectations import (
    expected_statement,
    monthly_price,
    usage_window,
)
from control_plane.demonstration.model import Availability, Role, Term, month_start
from control_plane.tenancy import model as tenancy
from foundation.access import model as access
from foundation.access import policy
from foundation.kernel.text import Text
from foundation.kernel.time import Interval

REPOSITORY = Path(__file__).parents[3]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: Every day of two years, one of them a leap year, at its first and its last instant.
DAYS = [datetime(2027, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(731)]
INSTANTS = [at for day in DAYS for at in (day, day + timedelta(days=1, microseconds=-1))]


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


def texts(value: object) -> list[Text]:
    if isinstance(value, Text):
        return [value]
    if is_dataclass(value):
        return [text for part in fields(value) for text in texts(getattr(value, part.name))]
    if isinstance(value, tuple):
        return [text for part in value for text in texts(part)]
    return []


def test_it_is_as_large_as_the_design_says(city: City) -> None:
    assert len(city.departments) == 12
    assert {one.kind.value for one in city.organisations} == {
        "city",
        "bureau",
        "district",
        "office",
    }
    assert len(city.systems) == 40
    assert len(city.frameworks) == 2
    assert len(city.categories) == 11
    assert len(city.offerings) == 46
    assert len(city.regions) == 1
    assert Counter(one.organisation for one in city.contracts) == Counter(
        one.slug for one in city.departments
    )
    assert {grant.role for one in city.accounts for grant in one.grants} == set(Role)


def test_every_category_has_services_and_every_department_a_system(city: City) -> None:
    assert {one.category for one in city.offerings} == {one.slug for one in city.categories}
    owners = {city.department_of(one.organisation).slug for one in city.systems}
    assert owners == {one.slug for one in city.departments}


def test_everything_is_in_both_languages(city: City) -> None:
    found = texts(city)
    assert len(found) > 500
    brands = {"PostgreSQL", "S", "M", "L", "XL"}
    assert [text for text in found if not CHINESE.search(text.zh) and text.en not in brands] == []
    assert [text for text in found if CHINESE.search(text.en)] == []
    halfwidth = re.compile(r"[\u4e00-\u9fff][,;:?!()]|[,;:?!()][\u4e00-\u9fff]")
    assert [text.zh for text in found if halfwidth.search(text.zh)] == []


def test_no_address_can_be_a_real_persons(city: City) -> None:
    assert all(one.email == f"{one.login}@city.example" for one in city.accounts)
    assert all(one.support.endswith(".example") for one in city.offerings)
    assert all(one.contact.endswith(".example") for one in city.systems)


def test_passwords_say_that_they_are_for_a_demonstration(city: City) -> None:
    passwords = [one.demonstration_password for one in city.accounts]
    assert len(set(passwords)) == len(passwords)
    assert all(one.endswith("-demo-only") for one in passwords)


def test_only_what_a_bundled_blueprint_provisions_can_be_ordered(city: City) -> None:
    orderable = [one for one in city.offerings if one.availability is Availability.ORDERABLE]
    bundled = {f.parent.name for f in (REPOSITORY / "blueprints").glob("*/blueprint.yaml")}
    assert {one.blueprint for one in orderable} <= bundled
    ordered = {"tenancy", "web-application", "virtual-server", "bare-server", "object-storage"}
    assert ordered <= {one.slug for one in orderable}


def test_the_catalogue_page_is_that_of_the_data(city: City) -> None:
    page = (REPOSITORY / "docs" / "catalogue.md").read_text(encoding="utf-8")
    assert page == render(city)
    rows = re.findall(
        r"^\| .*?\(`([a-z-]+)`\) \|.*?\| (?:\*\*)?([a-z ]+?)(?:\*\*)? \|", page, re.MULTILINE
    )
    assert [slug for slug, _ in rows] == [one.slug for one in city.offerings]
    assert [slug for slug, state in rows if state == "orderable"] == [
        one.slug for one in city.offerings if one.orderable
    ]


def test_icons_are_in_the_sprite_that_the_web_serves(city: City) -> None:
    sprite = REPOSITORY / "foundation/surface/web/static/vendor/img/sprite.svg"
    if not sprite.is_file():
        pytest.skip("assets are not built")
    known = set(re.findall(r'id="(\w+)"', sprite.read_text(encoding="utf-8")))
    assert {one.icon for one in city.offerings} <= known


@pytest.mark.parametrize("now", INSTANTS[::29], ids=lambda at: at.isoformat())
def test_contracts_hold_from_two_months_back_to_a_year_ahead(city: City, now: datetime) -> None:
    a_year_on = now.replace(year=now.year + 1, day=min(now.day, 28))
    two_months_ago = month_start(now, -2)
    for contract in city.contracts:
        held = contract.term.interval(now)
        assert held.contains(now)
        assert held.contains(two_months_ago)
        assert held.contains(a_year_on)


def test_every_component_has_one_price_at_any_instant(city: City) -> None:
    for now in INSTANTS[::97]:
        for at in (month_start(now, -2), now, month_start(now, 12)):
            for book in city.price_books:
                for offering in city.offerings:
                    for plan in offering.plans:
                        for part in plan.components:
                            fitting = [
                                price.id
                                for price in book.prices
                                if price.meter == part.meter
                                and dict(price.dimensions) == dict(part.dimensions)
                                and price.term.interval(now).contains(at)
                            ]
                            assert len(fitting) == 1, (offering.slug, plan.slug, part.slug, at)


def test_every_billable_meter_has_a_price_and_no_other(city: City) -> None:
    priced = {price.meter for book in city.price_books for price in book.prices}
    assert priced == {meter.name for meter in city.meters if meter.billable}


def test_a_web_application_m_costs_what_the_order_page_shows(city: City) -> None:
    now = datetime(2026, 11, 21, 10, tzinfo=UTC)
    plan = next(one for one in city.offering("web-application").plans if one.slug == "m")
    month = monthly_price(city, "CT-HEALTH", plan, {}, now)
    assert month.quantize(Decimal("0.01")) == Decimal("1638.00")
    assert (month * 12).quantize(Decimal("0.01")) == Decimal("19655.95")
    twice = monthly_price(city, "CT-HEALTH", plan, {"servers": 4}, now)
    assert twice - month == 730 * 2
    # The police have negotiated 5 % off.
    assert monthly_price(city, "CT-PUBLIC-SECURITY", plan, {}, now) == month * Decimal("0.95")


def test_the_storys_totals_follow_from_the_price_files(city: City) -> None:
    assert city.story is not None
    (order,) = city.story.orders
    for expected in order.expected.months:
        now = datetime(2026, 11, 21, tzinfo=UTC)
        start = month_start(now, -1)
        window = Interval(start, start + timedelta(hours=expected.hours))
        assert expected_statement(city, order, window, now).total == expected.total
    assert {one.hours for one in order.expected.months} == {days * 24 for days in (28, 29, 30, 31)}


def test_the_storys_plan_and_its_expected_use_agree(city: City) -> None:
    assert city.story is not None
    (order,) = city.story.orders
    plan = next(one for one in city.offering(order.offering).plans if one.slug == order.plan)
    inputs = {**plan.inputs, **order.inputs}
    foreseen = {
        (part.meter, tuple(sorted(part.dimensions.items()))): part.units(inputs)
        for part in plan.components
    }
    stated = {
        (use.meter, tuple(sorted(use.dimensions.items()))): use.quantity
        for use in order.expected.per_hour
    }
    assert {key: units for key, units in foreseen.items() if units} == stated


def test_the_usage_window_is_a_whole_month_that_is_over(city: City) -> None:
    now = datetime(2027, 1, 15, tzinfo=UTC)
    assert usage_window(city, now) == Interval(
        datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    )


def test_an_expected_statement_over_a_price_change_has_a_line_for_each_price(city: City) -> None:
    assert city.story is not None
    (order,) = city.story.orders
    now = datetime(2026, 11, 21, tzinfo=UTC)
    window = Interval(datetime(2026, 4, 30, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC))
    lines = {one.price_id: one for one in expected_statement(city, order, window, now).lines}
    assert lines["server-m-first"].quantity == lines["server-m"].quantity == 48
    assert lines["server-m-first"].cost == 48 * Decimal("1.15")
    assert lines["load-balancer"].quantity == 48


def test_months_are_counted_over_the_turn_of_a_year() -> None:
    now = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)
    assert month_start(now, -1) == datetime(2026, 12, 1, tzinfo=UTC)
    assert month_start(now, 0) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_start(now, 13) == datetime(2028, 2, 1, tzinfo=UTC)
    assert Term(-18, None).interval(now) == Interval(datetime(2025, 7, 1, tzinfo=UTC))


def test_the_words_are_those_of_the_features(city: City) -> None:
    roles = set(policy.table_of("control_plane").roles)
    assert {role.value for role in Role} == roles
    slugs = [one.slug for one in city.organisations]
    slugs += [one.slug for one in city.systems]
    slugs += [one.slug for one in city.tenancies]
    assert [slug for slug in slugs if not tenancy.SLUG.fullmatch(slug)] == []
    assert [one.login for one in city.accounts if not access.LOGIN.fullmatch(one.login)] == []
    assert min(len(one.demonstration_password) for one in city.accounts) >= access.PASSWORD_MIN
    for quota in city.quotas:
        assert set(quota.limits) <= set(tenancy.RESOURCES)
    for region in city.regions:
        assert set(region.capacity) == set(tenancy.RESOURCES)


def test_what_is_not_there_is_a_key_error(city: City) -> None:
    for look in (city.account, city.offering, city.contract, city.department_of):
        with pytest.raises(KeyError):
            look("nothing")
    with pytest.raises(KeyError):
        city.department_of("city")
    assert city.path("clinics-office") == "/city/health/clinics-office/"
    assert city.department_of("clinics-office").slug == "health"
