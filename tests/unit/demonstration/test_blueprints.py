"""Orderable plans fit the bundled blueprints: inputs, data classes and meters."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from control_plane.demonstration import City, load_city
from control_plane.demonstration.model import Offering, Plan
from control_plane.provisioning import usage_map
from control_plane.provisioning.region_kinds import lacking, region_problem

BLUEPRINTS = Path(__file__).parents[3] / "blueprints"
ORDERABLE = [one for one in load_city().offerings if one.orderable]
PLANS = [
    pytest.param(one, plan, id=f"{one.slug}-{plan.slug}") for one in ORDERABLE for plan in one.plans
]


@pytest.fixture(scope="module")
def city() -> City:
    return load_city()


def document(offering: Offering) -> dict[str, Any]:
    text = (BLUEPRINTS / str(offering.blueprint) / "blueprint.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@pytest.mark.parametrize(("offering", "plan"), PLANS)
def test_a_plan_starts_with_inputs_that_the_blueprint_takes(offering: Offering, plan: Plan) -> None:
    schema = document(offering)["inputs"]
    jsonschema.Draft202012Validator(schema).validate(dict(plan.inputs))


@pytest.mark.parametrize(("offering", "plan"), PLANS)
def test_all_that_a_plan_allows_the_blueprint_takes(offering: Offering, plan: Plan) -> None:
    validator = jsonschema.Draft202012Validator(document(offering)["inputs"])
    for name, bounds in plan.limits.items():
        for value in bounds:
            validator.validate({**plan.inputs, name: value})


@pytest.mark.parametrize("offering", ORDERABLE, ids=lambda one: one.slug)
def test_an_offering_promises_no_data_class_that_its_blueprint_refuses(offering: Offering) -> None:
    assert {one.value for one in offering.data_classes} <= set(document(offering)["data_classes"])


def test_every_meter_of_a_bundled_blueprint_is_known(city: City) -> None:
    known = {meter.name for meter in city.meters}
    for folder in sorted(BLUEPRINTS.glob("*/blueprint.yaml")):
        emitted = set(yaml.safe_load(folder.read_text(encoding="utf-8")).get("meters", []))
        assert emitted <= known, folder.parent.name


def test_the_story_orders_with_inputs_that_the_blueprint_takes(city: City) -> None:
    assert city.story is not None
    for order in city.story.orders:
        offering = city.offering(order.offering)
        plan = next(one for one in offering.plans if one.slug == order.plan)
        schema = document(offering)["inputs"]
        jsonschema.Draft202012Validator(schema).validate({**plan.inputs, **order.inputs})


def test_the_region_has_the_sizes_that_the_web_application_offers(city: City) -> None:
    (region,) = city.regions
    sizes = document(city.offering("web-application"))["inputs"]["properties"]["size"]["enum"]
    assert set(usage_map.flavors(region.config)) == set(sizes)
    size, facts = usage_map.flavor(
        {"flavorId": region.config["openstack"]["flavors"]["m"]["id"]}, region.config
    )
    assert (size, facts["vcpus"], facts["ram_gb"]) == ("m", 2, 4)


def test_the_region_has_what_orderable_services_need(city: City) -> None:
    (region,) = city.regions
    for offering in ORDERABLE:
        found = document(offering)
        assert not list(region_problem(found["kinds"], region.slug, frozenset(region.kinds)))
        assert not list(lacking(found.get("needs", ()), region.slug, region.config))


def test_the_region_has_the_kinds_of_storage_and_the_models_that_are_offered(city: City) -> None:
    (region,) = city.regions
    facts = region.config["openstack"]
    inputs = {
        slug: document(city.offering(slug))["inputs"]["properties"]
        for slug in ("virtual-server", "object-storage", "bare-server")
    }
    assert set(facts["volume_types"]) == set(inputs["virtual-server"]["storage"]["enum"])
    policies = facts["object_storage"]["policies"]
    assert set(policies) == set(inputs["object-storage"]["storage_class"]["enum"])
    models = facts["bare_servers"]
    assert set(models) == set(inputs["bare-server"]["model"]["enum"])
    registered = sum(each["registered"] for each in models.values())
    assert registered == region.capacity["bare_servers"]


@pytest.mark.parametrize("offering", ORDERABLE, ids=lambda one: one.slug)
def test_whatever_an_orderable_service_uses_has_a_price(city: City, offering: Offering) -> None:
    (book,) = city.price_books
    billable = {meter.name for meter in city.meters if meter.billable}
    used = set(document(offering).get("meters", []))
    assert used & billable <= {price.meter for price in book.prices}
