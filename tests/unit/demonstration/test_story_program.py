"""The story's program itself: what the blueprint declares for it is what the story expects."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.demonstration import load_city
from control_plane.demonstration.model import ComponentKind, Input, Plan, Region
from control_plane.provisioning import usage_map
from control_plane.provisioning.graph import Graph, Json
from control_plane.provisioning.ports import DeploymentContext, Program, RegionAccess, Run, StackRef

BLUEPRINTS = Path(__file__).parents[3] / "blueprints"
CITY = load_city()
KINDS = {
    "server": usage_map.SERVER,
    "volume": usage_map.VOLUME,
    "load_balancer": usage_map.LOAD_BALANCER,
    "floating_ip": usage_map.FLOATING_IP,
    "security_group": "openstack:networking/secGroup:SecGroup",
}
#: What the tenancy's own deployment hands to those in it.
TENANCY_OUTPUTS: dict[str, Json] = {
    "project_id": "p",
    "user_name": "u",
    "network_id": "n",
    "subnet_id": "s",
    "namespace": "health-production",
    "inside_group_id": "g",
}


@pytest.fixture(scope="module")
def host() -> Iterator[ProgramHost]:
    host = ProgramHost()
    host.start()
    yield host
    host.close()


def graph_of(
    host: ProgramHost, blueprint: str, inputs: Mapping[str, Json], region: Region
) -> Graph:
    run = Run(
        stack=StackRef("dep_1", blueprint, "dep_1"),
        program=Program(BLUEPRINTS / blueprint, "sha256:story"),
        inputs=inputs,
        region=RegionAccess(
            region.slug,
            frozenset(region.kinds),
            region.config,
            {"openstack": {"user_name": "a", "password": "b"}, "kubernetes": {"kubeconfig": "{}"}},
        ),
        deployment=DeploymentContext(
            "dep_1",
            "appointment-web",
            "health-production",
            {},
            "s" * 40,
            TENANCY_OUTPUTS,
            {"user_password": "x"},
        ),
    )
    return evaluate(host, run, b"k" * 32)


def test_the_program_makes_what_the_story_expects(host: ProgramHost) -> None:
    assert CITY.story is not None
    (region,) = CITY.regions
    for order in CITY.story.orders:
        offering = CITY.offering(order.offering)
        plan = next(one for one in offering.plans if one.slug == order.plan)
        graph = graph_of(
            host, str(offering.blueprint), plain({**plan.inputs, **order.inputs}), region
        )
        made = Counter(node.type for node in graph.resources)
        assert {kind: made[KINDS[kind]] for kind in order.expected.resources} == dict(
            order.expected.resources
        )
        assert billable_use(graph, region) == {
            (use.meter, tuple(sorted(use.dimensions.items()))): use.quantity
            for use in order.expected.per_hour
        }


MEASURED = (
    *("web-application", "virtual-server", "bare-server", "object-storage"),
    *(
        "kubernetes-namespace",
        "postgresql",
        "cache",
        "message-queue",
        "notebook",
        "batch-analytics",
    ),
)


@pytest.mark.parametrize(
    ("offering", "plan"),
    [
        pytest.param(slug, plan, id=f"{slug}-{plan.slug}")
        for slug in MEASURED
        for plan in CITY.offering(slug).plans
    ],
)
def test_what_a_plan_announces_is_what_its_program_uses(
    host: ProgramHost, offering: str, plan: Plan
) -> None:
    (region,) = CITY.regions
    graph = graph_of(host, str(CITY.offering(offering).blueprint), plain(plan.inputs), region)
    announced: dict[tuple[str, tuple[tuple[str, str], ...]], Decimal] = {}
    for part in plan.components:
        if part.kind is ComponentKind.PER_USE:
            key = (part.meter, tuple(sorted(part.dimensions.items())))
            announced[key] = announced.get(key, Decimal(0)) + part.units(plan.inputs)
    assert billable_use(graph, region) == announced


def billable_use(
    graph: Graph, region: Region
) -> dict[tuple[str, tuple[tuple[str, str], ...]], Decimal]:
    billable = {meter.name for meter in CITY.meters if meter.billable}
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Decimal] = {}
    for use in usage_map.usage_of(graph, region.config):
        if use.meter in billable:
            key = (use.meter, tuple(sorted(use.dimensions.items())))
            found[key] = found.get(key, Decimal(0)) + use.per_hour
    return found


def plain(inputs: Mapping[str, Input]) -> dict[str, Json]:
    """Inputs as the engine takes them: JSON."""
    found: dict[str, Json] = json.loads(json.dumps(dict(inputs)))
    return found
