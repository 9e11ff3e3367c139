"""What the program declares."""

from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning.graph import Graph, is_secret
from control_plane.provisioning.ports import ProgramError

Evaluate = Callable[..., Graph]
SMALL: dict[str, Any] = {"vcpus": 4, "ram_gb": 8, "volume_gb": 50}


def by_name(graph: Graph) -> dict[str, Any]:
    return {n.logical_name: n for n in graph.nodes}


def test_both_platforms_by_default(evaluated: Evaluate) -> None:
    graph = evaluated("tenancy", **SMALL)
    kinds = {n.kind for n in graph.resources}
    assert kinds == {"openstack", "kubernetes"}
    assert {"project_id", "user_password", "network_id", "namespace"} <= graph.outputs.keys()
    assert is_secret(graph.outputs["user_password"])


def test_only_what_the_region_has(evaluated: Evaluate) -> None:
    for kind, outputs in (("openstack", "project_id"), ("kubernetes", "namespace")):
        graph = evaluated("tenancy", **SMALL, kinds=frozenset({kind}))
        assert {n.kind for n in graph.resources} == {kind}
        assert outputs in graph.outputs
    with pytest.raises(ProgramError, match="the region has kubernetes"):
        evaluated("tenancy", **SMALL, platforms=["openstack"], kinds=frozenset({"kubernetes"}))


def test_no_limit_is_left_to_chance(evaluated: Evaluate) -> None:
    """What is left out of a quota set becomes 0, or -1 for a volume's size."""
    nodes = by_name(evaluated("tenancy", **SMALL, floating_ips=3, load_balancers=2))
    compute = nodes["compute-quota"].inputs
    assert (compute["cores"], compute["ram"], compute["instances"]) == (4, 8192, 4)
    assert nodes["storage-quota"].inputs["perVolumeGigabytes"] == -1
    assert nodes["storage-quota"].inputs["gigabytes"] == 50
    assert nodes["network-quota"].inputs["floatingip"] == 3
    assert nodes["balancer-quota"].inputs["loadbalancer"] == 2
    hard = nodes["quota"].inputs["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"]) == ("4", "8Gi")


def test_the_tenants_network_is_made_with_the_tenants_own_credentials(
    evaluated: Evaluate,
) -> None:
    nodes = by_name(evaluated("tenancy", **SMALL))
    tenant, administrator = nodes["tenant"], nodes["administrator"]
    for name in ("network", "subnet", "inside", "router"):
        assert tenant.urn in nodes[name].depends_on
    for name in ("project", "user", "compute-quota", "role-member"):
        assert administrator.urn in nodes[name].depends_on
    assert is_secret(tenant.inputs["password"])
    # Not before the user may do anything.
    assert nodes["role-member"].urn in tenant.depends_on


def test_no_router_where_there_is_no_way_out(evaluated: Evaluate) -> None:
    inside = {"openstack": {"auth_url": "http://identity.example/v3", "roles": {"member": "r"}}}
    nodes = by_name(evaluated("tenancy", **SMALL, platforms=["openstack"], facts=inside))
    assert "router" not in nodes
    assert "role-load-balancer_member" not in nodes


def test_the_namespace_is_restricted_and_kept_apart(evaluated: Evaluate) -> None:
    nodes = by_name(evaluated("tenancy", **SMALL, platforms=["kubernetes"]))
    labels = nodes["namespace"].inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    policy = nodes["isolation"].inputs["spec"]
    assert policy["ingress"] == [{"from": [{"podSelector": {}}]}]
    assert all(
        "*" not in rule["verbs"] + rule["resources"] for rule in nodes["role"].inputs["rules"]
    )
