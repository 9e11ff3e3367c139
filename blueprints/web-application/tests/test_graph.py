"""What the program declares."""

from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph
from control_plane.provisioning.ports import ProgramError

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"servers": 2, "size": "s", "volume_gb": 20}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.resources}


def names(graph: Graph, beginning: str) -> list[str]:
    return [n for n in by_name(graph) if n.startswith(beginning)]


@pytest.mark.parametrize("servers", [1, 2, 16])
def test_as_many_servers_as_were_ordered(evaluated: Evaluate, servers: int) -> None:
    graph = evaluated("web-application", **{**SMALL, "servers": servers})
    assert len(names(graph, "server-")) == servers
    assert len(names(graph, "member-")) == servers
    assert len([n for n in graph.resources if n.type.endswith(":Volume")]) == 1
    nodes = by_name(graph)
    assert nodes["data"].inputs["size"] == 20
    # It cannot grow while a server that has it is resized.
    assert nodes["data"].urn in nodes["server-1"].depends_on


def test_each_size_is_the_regions_own_flavor(evaluated: Evaluate) -> None:
    for size in ("s", "m", "l", "xl"):
        nodes = by_name(evaluated("web-application", **{**SMALL, "size": size}))
        assert nodes["server-1"].inputs["flavorId"] == f"flavor-{size}"


def test_the_city_may_reach_it_and_others_may_not(evaluated: Evaluate) -> None:
    city = by_name(evaluated("web-application", **SMALL))
    assert city["web-http"].inputs["remoteIpPrefix"] == "10.0.0.0/8"
    assert "public-address" not in city
    internet = by_name(evaluated("web-application", **SMALL, exposure="internet"))
    assert internet["web-http"].inputs["remoteIpPrefix"] == "0.0.0.0/0"
    assert internet["public-address"].inputs["pool"] == "out"


def test_a_shared_volume_goes_to_every_server(evaluated: Evaluate) -> None:
    facts = {
        "openstack": {
            "auth_url": "http://identity.example/v3",
            "images": ["img"],
            "flavors": [{"size": "s"}],
            "shared_volume_type": "multi",
        }
    }
    nodes = by_name(evaluated("web-application", **SMALL, facts=facts))
    assert [n for n in nodes if n.startswith("data-")] == ["data-1", "data-2"]
    assert nodes["data"].inputs["volumeType"] == "multi"
    alone = by_name(evaluated("web-application", **SMALL))
    assert [n for n in alone if n.startswith("data-")] == ["data-1"]


def test_more_servers_do_not_touch_those_that_are(evaluated: Evaluate) -> None:
    few = by_name(evaluated("web-application", **SMALL))
    many = by_name(evaluated("web-application", **{**SMALL, "servers": 5}))
    assert all(many[name].inputs == node.inputs for name, node in few.items())


def test_a_size_that_the_region_has_not_is_named(evaluated: Evaluate) -> None:
    facts = {
        "openstack": {
            "auth_url": "http://identity.example/v3",
            "images": ["img"],
            "flavors": {"s": {"id": "1"}},
        }
    }
    with pytest.raises(ProgramError, match="no size 'xl'; it has s"):
        evaluated("web-application", **{**SMALL, "size": "xl"}, facts=facts)


def test_a_platform_that_the_region_has_not_is_named(evaluated: Evaluate) -> None:
    with pytest.raises(ProgramError, match="the region has openstack, and not kubernetes"):
        evaluated("web-application", **SMALL, platform="kubernetes", kinds=frozenset({"openstack"}))


@pytest.mark.parametrize("kind", ["openstack", "kubernetes"])
def test_a_region_of_one_kind_is_enough(evaluated: Evaluate, kind: str) -> None:
    graph = evaluated("web-application", **SMALL, platform=kind, kinds=frozenset({kind}))
    assert {n.kind for n in graph.resources} == {kind}
    assert {"address", "url"} <= graph.outputs.keys()


def test_containers_pass_restricted_pod_security(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("web-application", **SMALL, platform="kubernetes"))
    spec = nodes["application"].inputs["spec"]
    assert spec["replicas"] == 2
    pod = spec["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    box = pod["containers"][0]
    assert box["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert box["securityContext"]["allowPrivilegeEscalation"] is False
    assert {"requests", "limits"} <= box["resources"].keys()
    assert {"readinessProbe", "livenessProbe"} <= box.keys()
    claim = nodes["data"].inputs["spec"]
    assert claim["resources"]["requests"]["storage"] == "20Gi"


def test_it_uses_the_tenants_own_credentials(evaluated: Evaluate) -> None:
    provider = next(n for n in evaluated("web-application", **SMALL).nodes if n.is_provider)
    assert provider.inputs["userName"] == "health-user"
    assert provider.inputs["tenantId"] == "project-1"
