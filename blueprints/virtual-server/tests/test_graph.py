"""What the program declares."""

from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning import usage_map
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.ports import ProgramError
from foundation.kernel.errors import Invalid

Evaluate = Callable[..., Graph]
ONE: dict[str, Any] = {"servers": 1, "size": "s"}
KEY = "ssh-ed25519 " + "AAAA" * 17 + " somebody"


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def names(graph: Graph, beginning: str) -> list[str]:
    return [n for n in by_name(graph) if n.startswith(beginning)]


@pytest.mark.parametrize("servers", [1, 3, 16])
def test_each_server_has_its_own_port_and_volume(evaluated: Evaluate, servers: int) -> None:
    graph = evaluated("virtual-server", **{**ONE, "servers": servers}, volume_gb=40)
    for kind in ("server-", "port-", "data-", "attached-"):
        assert len([n for n in names(graph, kind) if n[-1].isdigit()]) == servers
    nodes = by_name(graph)
    assert nodes["data-1"].inputs["size"] == 40
    # It cannot grow while its server is resized.
    assert nodes["data-1"].urn in nodes["server-1"].depends_on
    assert not names(evaluated("virtual-server", **ONE), "data-")


def test_servers_are_kept_apart_as_was_asked(evaluated: Evaluate) -> None:
    soft = by_name(evaluated("virtual-server", **ONE))
    assert soft["apart"].inputs["policies"] == "soft-anti-affinity"
    assert soft["apart"].urn in soft["server-1"].depends_on
    strict = by_name(evaluated("virtual-server", **ONE, placement="strictly-apart"))
    assert strict["apart"].inputs["policies"] == "anti-affinity"
    free = by_name(evaluated("virtual-server", **ONE, placement="anywhere"))
    assert "apart" not in free
    assert not free["server-1"].inputs.get("schedulerHints")


def test_the_city_may_sign_in_and_nobody_else(evaluated: Evaluate) -> None:
    closed = by_name(evaluated("virtual-server", **ONE, ports=[443], exposure="internet"))
    assert "servers-tcp-22" not in closed
    assert "key" not in closed
    nodes = by_name(
        evaluated("virtual-server", **ONE, ports=[443], exposure="internet", ssh_public_key=KEY)
    )
    assert nodes["servers-tcp-443"].inputs["remoteIpPrefix"] == "0.0.0.0/0"
    assert nodes["servers-tcp-22"].inputs["remoteIpPrefix"] == "10.0.0.0/8"
    assert nodes["key"].inputs["publicKey"] == KEY
    assert nodes["server-1"].inputs["keyPair"] == nodes["key"].inputs["name"]


def test_another_key_is_another_name_so_that_the_servers_get_it(evaluated: Evaluate) -> None:
    one = by_name(evaluated("virtual-server", **ONE, ssh_public_key=KEY))
    other = by_name(evaluated("virtual-server", **ONE, ssh_public_key=KEY + "-else"))
    assert one["server-1"].inputs["keyPair"] != other["server-1"].inputs["keyPair"]


def test_public_addresses_are_the_servers_or_the_balancers(evaluated: Evaluate) -> None:
    group = {**ONE, "servers": 2, "ports": [80, 443], "public_address": True}
    own = evaluated("virtual-server", **group)
    assert names(own, "public-address") == ["public-address-1", "public-address-2"]
    assert not names(own, "listener-")
    shared = evaluated("virtual-server", **group, load_balancer=True)
    assert names(shared, "public-address") == ["public-address"]
    assert set(names(shared, "member-")) == {
        "member-443-1", "member-443-2", "member-80-1", "member-80-2"
    }  # fmt: skip
    assert {"load_balancer_id", "public_addresses", "address"} <= shared.outputs.keys()


def test_more_servers_do_not_touch_those_that_are(evaluated: Evaluate) -> None:
    few = by_name(evaluated("virtual-server", **ONE, volume_gb=10, ports=[80]))
    many = by_name(evaluated("virtual-server", **{**ONE, "servers": 5}, volume_gb=10, ports=[80]))
    assert all(many[name].inputs == node.inputs for name, node in few.items())


def test_volumes_are_of_the_regions_own_types_and_priced_by_ours(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    for ours, theirs in (("standard", "disks"), ("fast", "solid")):
        graph = evaluated("virtual-server", **ONE, volume_gb=10, storage=ours)
        assert by_name(graph)["data-1"].inputs["volumeType"] == theirs
        (used,) = [
            q for q in usage_map.usage_of(graph, region_facts) if q.meter == "volume.gb_hours"
        ]
        assert (used.dimensions, used.per_hour) == ({"type": ours}, 10)


def without(region_facts: dict[str, Any], *names: str) -> dict[str, Any]:
    cloud = {k: v for k, v in region_facts["openstack"].items() if k not in names}
    return {"openstack": cloud}


def test_what_the_region_has_not_is_named(
    evaluated: Evaluate, region_facts: dict[str, Any]
) -> None:
    with pytest.raises(ProgramError, match="no image 'windows'; it has default"):
        evaluated("virtual-server", **ONE, image="windows")
    plain = without(region_facts, "volume_types", "external_network_name")
    made = by_name(evaluated("virtual-server", **ONE, volume_gb=10, facts=plain))
    assert "volumeType" not in made["data-1"].inputs
    with pytest.raises(ProgramError, match="no volumes of the kind 'fast'; it has standard"):
        evaluated("virtual-server", **ONE, volume_gb=10, storage="fast", facts=plain)
    with pytest.raises(ProgramError, match="no public addresses"):
        evaluated("virtual-server", **ONE, public_address=True, facts=plain)
    with pytest.raises(ProgramError, match="the region has kubernetes, and not openstack"):
        evaluated("virtual-server", **ONE, kinds=frozenset({"kubernetes"}))


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        ({"load_balancer": True}, "inputs.ports"),
        ({"ports": [80, 80]}, "inputs.ports"),
        ({"ports": [70000]}, "inputs.ports.0"),
        ({"ssh_public_key": "ssh-rsa AAAA\nssh-rsa BBBB"}, "inputs.ssh_public_key"),
        ({"ssh_public_key": "secret"}, "inputs.ssh_public_key"),
        ({"image": "a b"}, "inputs.image"),
    ],
)
def test_inputs_that_make_no_sense_are_refused(
    input_schema: Callable[[str], Any], inputs: dict[str, Any], field: str
) -> None:
    schema = input_schema("virtual-server")
    with pytest.raises(Invalid) as caught:
        checked(schema, {**ONE, **inputs})
    assert {p.field for p in caught.value.problems} == {field}
    good = {"load_balancer": True, "ports": [443], "ssh_public_key": KEY}
    assert checked(schema, {**ONE, **good})["ports"] == [443]
