"""What the program declares."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning import usage_map
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.ports import ProgramError

Evaluate = Callable[..., Graph]
TWO: dict[str, Any] = {"servers": 2, "model": "general"}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def test_a_model_is_the_flavor_that_the_region_registered(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    graph = evaluated("bare-server", **TWO)
    nodes = by_name(graph)
    assert nodes["server-2"].inputs["flavorId"] == "metal-general"
    assert nodes["server-1"].inputs["metadata"]["borough.model"] == "general"
    assert nodes["port-1"].urn in nodes["server-1"].depends_on
    # A whole machine is counted and charged, not its cores.
    assert usage_map.quota_of(graph, region_facts) == {
        "bare_servers": Decimal(2),
        "instances": Decimal(2),
    }
    used = usage_map.usage_of(graph, region_facts)
    assert [(q.meter, q.dimensions, q.per_hour) for q in used] == [
        ("bare_server.hours", {"model": "general"}, 1)
    ] * 2


def test_cores_count_where_nova_counts_them(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    region_facts["openstack"]["bare_servers"]["general"] |= {"vcpus": 64, "ram_gb": 512}
    graph = evaluated("bare-server", **TWO, facts=region_facts)
    assert usage_map.quota_of(graph, region_facts)["vcpus"] == 128


def test_a_model_may_have_an_image_of_its_own(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    cloud = region_facts["openstack"]
    cloud["images"] |= {"metal": "img-metal"}
    cloud["bare_servers"]["storage"]["image"] = "metal"
    nodes = by_name(evaluated("bare-server", servers=1, model="storage", facts=region_facts))
    assert nodes["server-1"].inputs["imageId"] == "img-metal"
    nodes = by_name(evaluated("bare-server", **TWO, image="metal", facts=region_facts))
    assert nodes["server-1"].inputs["imageId"] == "img-metal"
    with pytest.raises(ProgramError, match="no image 'metal'; it has default"):
        evaluated("bare-server", **TWO, image="metal")


def test_what_the_region_has_not_registered_is_refused(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    region_facts["openstack"]["bare_servers"]["general"]["registered"] = 1
    with pytest.raises(ProgramError, match="has registered 1 physical servers 'general'"):
        evaluated("bare-server", **TWO, facts=region_facts)
    del region_facts["openstack"]["bare_servers"]["general"]
    with pytest.raises(ProgramError, match="no physical servers 'general'; it has storage"):
        evaluated("bare-server", **TWO, facts=region_facts)
    with pytest.raises(ProgramError, match="the region has kubernetes, and not openstack"):
        evaluated("bare-server", **TWO, kinds=frozenset({"kubernetes"}))


def test_a_key_is_on_every_server(evaluated: Evaluate) -> None:
    key = "ssh-ed25519 " + "AAAA" * 17
    nodes = by_name(evaluated("bare-server", **TWO, ssh_public_key=key))
    names = {nodes[f"server-{n}"].inputs["keyPair"] for n in (1, 2)}
    assert names == {nodes["key"].inputs["name"]}
    assert "key" not in by_name(evaluated("bare-server", **TWO))
