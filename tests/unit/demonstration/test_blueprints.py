"""Orderable plans fit the bundled blueprints: inputs, data classes and meters."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from control_plane.demonstration import City, load_city
from control_plane.demonstration.model import Offering, Plan
from control_plane.provisioning import usage_map

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
