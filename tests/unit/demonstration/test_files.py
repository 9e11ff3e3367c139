"""Bad data files: every problem is named at once, each where its author finds it."""

import dataclasses
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from control_plane.demonstration import City, load_city
from control_plane.demonstration.checks import problems_of
from control_plane.demonstration.model import (
    Availability,
    DataClass,
    Organisation,
    OrganisationKind,
    Quota,
    RoleGrant,
    Term,
)
from foundation.kernel.errors import Invalid
from foundation.kernel.text import Text

DATA = Path(load_city.__code__.co_filename).parent / "data"
NAME = Text("Name", "名称")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA, tmp_path / "data"))


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems(folder: Path) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        load_city(folder)
    return {one.field: one.message for one in refused.value.problems}


def test_a_copy_of_the_files_is_the_same_city(folder: Path, city: City) -> None:
    assert load_city(folder) == city


def test_wrong_shapes_in_many_files_are_named_together(folder: Path) -> None:
    change(folder / "people.yaml", "login: operator,", "login: operator, shoe_size: 43,")
    change(folder / "people.yaml", "role: auditor", "role: king")
    change(folder / "prices.yaml", 'amount: "1.15"', "amount: dear")
    change(folder / "systems.yaml", "zh: 预约挂号系统", 'zh: " "')
    change(folder / "catalogue/03-network.yaml", "maturity: preview", "maturity: ripe")
    change(folder / "story.yaml", "  auditor: auditor\n", "")
    found = problems(folder)
    assert set(found) == {
        "people.yaml:accounts.1.shoe_size",
        "people.yaml:accounts.2.grants.0.role",
        "prices.yaml:price_books.0.prices.1.amount",
        "systems.yaml:systems.8.name.zh",
        "catalogue/03-network.yaml:offerings.0.maturity",
        "story.yaml:story.auditor",
    }
    assert "department_administrator" in found["people.yaml:accounts.2.grants.0.role"]


def test_files_that_cannot_be_read_are_named_together(folder: Path) -> None:
    (folder / "people.yaml").write_text("accounts: [", encoding="utf-8")
    (folder / "systems.yaml").write_text("- a\n- b\n", encoding="utf-8")
    (folder / "second-story.yaml").write_text("story: {}\n", encoding="utf-8")
    assert set(problems(folder)) == {"people.yaml", "systems.yaml", "story.yaml:story"}


def test_a_key_that_the_city_does_not_have(folder: Path) -> None:
    (folder / "weather.yaml").write_text("weather: [rain]\n", encoding="utf-8")
    assert set(problems(folder)) == {"weather.yaml:weather"}


def test_a_list_beside_a_value_of_the_same_name(folder: Path) -> None:
    (folder / "zz.yaml").write_text("story: [1]\n", encoding="utf-8")
    assert set(problems(folder)) == {"zz.yaml:story"}


def test_no_files_at_all_lack_everything(tmp_path: Path) -> None:
    found = problems(tmp_path)
    assert {"organisations", "accounts", "offerings", "price_books"} <= set(found)
    assert "story" not in found  # a city may have none


def test_references_in_many_files_are_named_together(folder: Path) -> None:
    change(folder / "systems.yaml", "organisation: cloud-office", "organisation: moon-office")
    change(folder / "people.yaml", "organisation: health}]", "organisation: wealth}]")
    change(folder / "procurement.yaml", "price_book: city-prices", "price_book: village-prices")
    change(folder / "story.yaml", "approvers: [finance.approver]", "approvers: [health.requester]")
    assert {
        "systems.city-operations.organisation",
        "accounts.health.requester.grants.0.organisation",
        "frameworks.FW-BASIC.price_book",
        "story.orders.appointment-web.approvers",
    } == set(problems(folder))


def fields_of(city: City, **changes: Any) -> set[str]:
    return {problem.field for problem in problems_of(replace(city, **changes))}


def swapped(items: tuple[Any, ...], index: int, **changes: Any) -> tuple[Any, ...]:
    return (*items[:index], replace(items[index], **changes), *items[index + 1 :])


def test_the_tree_has_one_top_no_circle_and_the_right_levels(city: City) -> None:
    tree = city.organisations
    office = Organisation("a", OrganisationKind.OFFICE, NAME, "b")
    other = Organisation("b", OrganisationKind.DISTRICT, NAME, "a")
    assert fields_of(city, organisations=(*tree, office, other)) == {
        "organisations.a.parent",
        "organisations.b.parent",
    }
    top = Organisation("second", OrganisationKind.BUREAU, NAME)
    assert fields_of(city, organisations=(*tree, top)) == {
        "organisations",
        "organisations.second.kind",
    }
    orphan = Organisation("c", OrganisationKind.OFFICE, NAME, "nowhere")
    assert fields_of(city, organisations=(*tree, orphan)) == {"organisations.c.parent"}
    in_city = Organisation("d", OrganisationKind.OFFICE, NAME, "city")
    assert fields_of(city, organisations=(*tree, in_city)) == {"organisations.d.parent"}


@pytest.mark.parametrize(
    "kind", ["systems", "accounts", "meters", "offerings", "contracts", "tenancies", "regions"]
)
def test_nothing_is_there_twice(city: City, kind: str) -> None:
    items = getattr(city, kind)
    first = items[0]
    name = next(
        getattr(first, key) for key in ("login", "number", "slug", "name") if hasattr(first, key)
    )
    assert f"{kind}.{name}" in fields_of(city, **{kind: (*items, first)})


def test_contracts_stay_within_their_framework(city: City) -> None:
    contracts = swapped(city.contracts, 2, ceiling=Decimal(9_000_000))
    assert fields_of(city, contracts=contracts) == {"frameworks.FW-BASIC.ceiling"}
    contracts = swapped(city.contracts, 2, term=Term(-9, 13))
    assert fields_of(city, contracts=contracts) == {"contracts.CT-HEALTH.term"}
    contracts = swapped(city.contracts, 2, term=Term(-3, -3))
    assert fields_of(city, contracts=contracts) == {
        "contracts.CT-HEALTH.term",
        "organisations.health",
    }
    contracts = swapped(city.contracts, 2, term=Term(-1, 13))
    assert fields_of(city, contracts=contracts) == {"organisations.health"}
    contracts = swapped(city.contracts, 2, organisation="clinics-office")
    found = fields_of(city, contracts=contracts)
    assert {"contracts.CT-HEALTH.organisation", "organisations.health"} <= found


def test_prices_do_not_overlap_and_leave_no_gap(city: City) -> None:
    (book,) = city.price_books
    index = [price.id for price in book.prices].index("server-m-first")
    early = swapped(book.prices, index, term=Term(-18, -5))
    found = fields_of(city, price_books=(replace(book, prices=early),))
    assert found == {"price_books.city-prices.prices.server-m.term"}
    standard = [price.id for price in book.prices].index("volume-standard")
    late = swapped(book.prices, standard, term=Term(0))
    found = fields_of(city, price_books=(replace(book, prices=late),))
    assert "offerings.web-application.plans.m.components.volume" in found
    without = (*book.prices[:standard], *book.prices[standard + 1 :])
    found = fields_of(city, price_books=(replace(book, prices=without),))
    assert "offerings.web-application.plans.m.components.volume" in found


def test_prices_are_of_a_billable_meter_with_all_its_dimensions(city: City) -> None:
    (book,) = city.price_books
    first = book.prices[0]
    wrong = (
        replace(first, id="a", meter="server.vcpu_hours", dimensions={}),
        replace(first, id="b", meter="server.smell"),
        replace(first, id="c", dimensions={}),
        replace(first, id="d", dimensions={"flavor": "xxl"}, amount=Decimal(-1)),
    )
    prices = "price_books.city-prices.prices"
    assert fields_of(city, price_books=(replace(book, prices=(*book.prices, *wrong)),)) == {
        f"{prices}.a.meter",
        f"{prices}.b.meter",
        f"{prices}.c.dimensions",
        f"{prices}.d.amount",
    }


def test_an_offering_without_a_blueprint_cannot_be_orderable(city: City) -> None:
    index = [one.slug for one in city.offerings].index("time-series-database")
    offerings = swapped(city.offerings, index, availability=Availability.ORDERABLE)
    assert fields_of(city, offerings=offerings) == {"offerings.time-series-database.blueprint"}
    index = [one.slug for one in city.offerings].index("tenancy")
    offerings = swapped(city.offerings, index, availability=Availability.PLANNED)
    assert fields_of(city, offerings=offerings) == {"offerings.tenancy.blueprint"}


def test_a_plans_inputs_lie_within_its_limits(city: City) -> None:
    index = [one.slug for one in city.offerings].index("web-application")
    offering = city.offerings[index]
    plan = replace(offering.plans[0], inputs={**offering.plans[0].inputs, "servers": 9})
    offerings = swapped(city.offerings, index, plans=(plan, *offering.plans[1:]))
    assert fields_of(city, offerings=offerings) == {
        "offerings.web-application.plans.s.inputs.servers"
    }
    plan = replace(offering.plans[0], inputs={})
    offerings = swapped(city.offerings, index, plans=(plan, *offering.plans[1:]))
    found = fields_of(city, offerings=offerings)
    assert "offerings.web-application.plans.s.components.volume.quantity_input" in found
    assert "offerings.web-application.plans.s.inputs.size" in found


def test_quotas_are_within_what_is_above_them(city: City) -> None:
    quotas = (*city.quotas, Quota({"vcpus": 129}, tenancy="education-production"))
    assert fields_of(city, quotas=quotas) == {"quotas.education-production.limits.vcpus"}
    quotas = (*city.quotas, Quota({"smiles": 1}, organisation="schools-office"))
    assert fields_of(city, quotas=quotas) == {"quotas.schools-office.limits.smiles"}
    quotas = (*city.quotas, Quota({"vcpus": 1}), Quota({"vcpus": 1}, "health", "health-records"))
    found = fields_of(city, quotas=quotas)
    assert {f"quotas.{len(city.quotas)}", f"quotas.{len(city.quotas) + 1}"} <= found


def test_a_tenancy_keeps_only_what_its_region_may(city: City) -> None:
    regions = swapped(city.regions, 0, data_classes=(DataClass.PUBLIC, DataClass.INTERNAL))
    assert fields_of(city, regions=regions) == {
        "tenancies.health-records.data_class",
        "tenancies.education-production.data_class",
    }


def test_an_embedded_region_says_that_it_is_simulated(city: City) -> None:
    regions = swapped(city.regions, 0, simulated=False)
    assert fields_of(city, regions=regions) == {"regions.east.simulated"}


def test_an_account_has_a_role_in_the_city(city: City) -> None:
    accounts = swapped(city.accounts, 0, grants=())
    assert fields_of(city, accounts=accounts) == {"accounts.admin.grants"}
    grants = (RoleGrant(city.accounts[0].grants[0].role, "mars"),)
    accounts = swapped(city.accounts, 0, grants=grants)
    assert fields_of(city, accounts=accounts) == {"accounts.admin.grants.0.organisation"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"offering": "mysql", "inputs": {}}, "offering"),
        ({"offering": "castle"}, "offering"),
        ({"plan": "xxl"}, "plan"),
        ({"inputs": {"size": "l"}}, "inputs.size"),
        ({"inputs": {"colour": "red"}}, "inputs.colour"),
        ({"tenancy": "none"}, "tenancy"),
        ({"system": "health-records"}, "system"),
        ({"contract": "CT-WATER"}, "contract"),
        ({"region": "west"}, "region"),
        ({"approvers": ()}, "approvers"),
        ({"requester": "nobody"}, "requester"),
    ],
)
def test_the_story_orders_what_can_be_ordered(
    city: City, changes: dict[str, Any], field: str
) -> None:
    assert city.story is not None
    order = dataclasses.replace(city.story.orders[0], **changes)
    story = replace(city.story, orders=(order,))
    assert fields_of(city, story=story) == {f"story.orders.appointment-web.{field}"}


@pytest.mark.parametrize("month", [-3, 0, 1])
def test_the_story_bills_a_month_that_is_over(city: City, month: int) -> None:
    assert city.story is not None
    story = replace(city.story, usage_month=month)
    assert fields_of(city, story=story) == {"story.usage_month"}
