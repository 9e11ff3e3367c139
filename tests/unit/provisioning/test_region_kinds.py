"""Which regions a blueprint goes into."""

from typing import Any

import pytest

from control_plane.provisioning import region_kinds

CLOUD = frozenset({"openstack"})
CLUSTER = frozenset({"kubernetes"})
BOTH = CLOUD | CLUSTER
SCHEMA: dict[str, Any] = {
    "properties": {
        "platform": {"enum": ["openstack", "kubernetes"], "default": "openstack"},
        "engine": {"enum": ["kubernetes", "openstack"]},
        "parts": {"type": "array", "items": {"enum": ["openstack", "kubernetes"]}},
        "exposure": {"enum": ["city", "internet"], "default": "city"},
        "servers": {"type": "integer"},
    }
}


@pytest.mark.parametrize(
    ("wanted", "has", "said"),
    [
        (["openstack"], CLOUD, []),
        (["openstack"], BOTH, []),
        (["openstack"], CLUSTER, ["the region east has no openstack"]),
        (["openstack", "kubernetes"], BOTH, []),
        (["openstack", "kubernetes"], CLOUD, ["the region east has no kubernetes"]),
        ({"any_of": ["openstack", "kubernetes"]}, CLOUD, []),
        ({"any_of": ["openstack", "kubernetes"]}, CLUSTER, []),
        ({"any_of": ["openstack", "kubernetes"]}, BOTH, []),
        (
            {"any_of": ["openstack", "kubernetes"]},
            frozenset[str](),
            ["the region east has none of kubernetes, openstack"],
        ),
    ],
)
def test_a_region_has_what_is_wanted(wanted: Any, has: frozenset[str], said: list[str]) -> None:
    found = list(region_kinds.region_problem(wanted, "east", has))
    assert [p.message for p in found] == said
    assert {p.field for p in found} <= {"region"}


@pytest.mark.parametrize(
    ("inputs", "has", "chosen"),
    [
        # The default stands where the region has it; the first that it has, else.
        ({}, BOTH, {"engine": "kubernetes"}),
        ({}, CLOUD, {"engine": "openstack"}),
        ({}, CLUSTER, {"platform": "kubernetes", "engine": "kubernetes"}),
        # What was asked for is never changed, and where there is nothing nothing is chosen.
        ({"platform": "openstack"}, CLUSTER, {"platform": "openstack", "engine": "kubernetes"}),
        ({"servers": 2}, frozenset[str](), {"servers": 2}),
    ],
)
def test_the_kind_that_was_left_out_is_the_regions(
    inputs: dict[str, Any], has: frozenset[str], chosen: dict[str, Any]
) -> None:
    before = dict(inputs)
    assert region_kinds.with_choice(SCHEMA, inputs, has) == chosen
    assert inputs == before


def test_every_input_that_asks_for_more_than_the_region_has_is_named() -> None:
    full = {
        "platform": "kubernetes",
        "engine": "kubernetes",
        "parts": ["kubernetes"],
        "exposure": "city",
        "servers": 2,
        "unknown": "kubernetes",
    }
    found = {p.field: p.message for p in region_kinds.input_problems(SCHEMA, full, "east", CLOUD)}
    assert found == {
        "inputs.platform": "the region east has no kubernetes",
        "inputs.engine": "the region east has no kubernetes",
        "inputs.parts": "the region east has none of kubernetes",
    }
    assert list(region_kinds.input_problems(SCHEMA, full, "east", BOTH)) == []
    part = {"parts": ["openstack", "kubernetes"]}
    assert list(region_kinds.input_problems(SCHEMA, part, "east", CLOUD)) == []


def test_what_a_blueprint_needs_the_region_tells() -> None:
    facts = {"openstack": {"object_storage": {}, "auth_url": "http://x"}}
    assert list(region_kinds.lacking(["openstack.object_storage"], "east", facts)) == []
    needs = ["openstack.bare_servers", "kubernetes.storage_class", "openstack.auth_url.deeper"]
    assert [p.message for p in region_kinds.lacking(needs, "east", facts)] == [
        "the region east has no bare servers (openstack.bare_servers)",
        "the region east has no storage class (kubernetes.storage_class)",
        "the region east has no deeper (openstack.auth_url.deeper)",
    ]
