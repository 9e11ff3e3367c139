from typing import Any

import pytest

from control_plane.provisioning import policies
from control_plane.provisioning.graph import Graph, ResourceNode, secret_marker
from control_plane.provisioning.policies import Subject

DEPLOYMENT = "dep_01"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
NETWORK_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def found(type_: str, inputs: dict[str, Any], **subject: Any) -> dict[str, str]:
    node = ResourceNode(f"urn::{type_}::thing", "thing", type_, inputs)
    everything = frozenset({"public", "internal", "sensitive"})
    about: dict[str, Any] = {
        "graph": Graph((node,)),
        "deployment_id": DEPLOYMENT,
        "data_class": "internal",
        "region_data_classes": everything,
        "blueprint_data_classes": everything,
        **subject,
    }
    return {f.policy: f.severity.value for f in policies.evaluate(Subject(**about))}


def rule(**inputs: Any) -> dict[str, Any]:
    return {"direction": "ingress", "protocol": "tcp", **inputs}


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (rule(remoteIpPrefix="0.0.0.0/0", portRangeMin=443, portRangeMax=443), "advisory"),
        (rule(remoteIpPrefix="::/0", portRangeMin=80, portRangeMax=80), "advisory"),
        (rule(remoteIpPrefix="0.0.0.0/0", portRangeMin=22, portRangeMax=22), "mandatory"),
        (rule(remoteIpPrefix="0.0.0.0/0", portRangeMin=5000, portRangeMax=6000), "mandatory"),
        (rule(remoteIpPrefix="0.0.0.0/0"), "mandatory"),
        (rule(), "mandatory"),
        (rule(remoteIpPrefix="10.0.0.0/8", portRangeMin=22, portRangeMax=22), None),
        (rule(remoteGroupId="group"), None),
        (rule(direction="egress", remoteIpPrefix="0.0.0.0/0"), None),
    ],
)
def test_ports_that_the_internet_reaches(inputs: dict[str, Any], expected: str | None) -> None:
    severities = list(found(RULE, inputs).values())
    assert severities == ([expected] if expected else [])


def network_policy(sender: list[dict[str, Any]], **ports: Any) -> dict[str, Any]:
    allowed = {"from": sender, **({"ports": [ports]} if ports else {})}
    metadata = {"labels": {"borough.dev/deployment": DEPLOYMENT}}
    return {"metadata": metadata, "spec": {"ingress": [allowed]}}


ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (network_policy(ANYWHERE, port=8080), {"network.public_exposure": "advisory"}),
        (network_policy(ANYWHERE, port=5432), {"network.guarded_port": "mandatory"}),
        (network_policy(ANYWHERE), {"network.guarded_port": "mandatory"}),
        (network_policy(ANYWHERE, port="http"), {"network.guarded_port": "mandatory"}),
        (network_policy([{"podSelector": {}}]), {}),
    ],
)
def test_pods_that_the_internet_reaches(inputs: dict[str, Any], expected: dict[str, str]) -> None:
    assert found(NETWORK_POLICY, inputs) == expected


def test_public_addresses_are_shown() -> None:
    address = {"tags": [f"borough.deployment={DEPLOYMENT}"]}
    type_ = "openstack:networking/floatingIp:FloatingIp"
    assert found(type_, address) == {"network.public_address": "advisory"}


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("openstack:compute/instance:Instance", {"name": "web"}),
        ("openstack:blockstorage/volume:Volume", {"metadata": {"borough.deployment": "dep_99"}}),
        ("kubernetes:apps/v1:Deployment", {"metadata": {"labels": {}}, "spec": {"a": DEPLOYMENT}}),
    ],
)
def test_what_does_not_say_whose_it_is(type_: str, inputs: dict[str, Any]) -> None:
    assert found(type_, inputs) == {"tags.deployment": "mandatory"}


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("openstack:compute/instance:Instance", {"metadata": {"borough.deployment": DEPLOYMENT}}),
        ("openstack:loadbalancer/member:Member", {"address": "10.0.0.1"}),
        ("kubernetes:core/v1:ConfigMap", {"metadata": {"labels": {"x": DEPLOYMENT}}}),
    ],
)
def test_what_says_whose_it_is_or_cannot(type_: str, inputs: dict[str, Any]) -> None:
    assert found(type_, inputs) == {}


def test_a_secret_in_clear_and_one_that_is_marked() -> None:
    metadata = {"labels": {"x": DEPLOYMENT}}
    type_ = "kubernetes:core/v1:Secret"
    plain = {"metadata": metadata, "stringData": {"password": "open"}}
    marked = {"metadata": metadata, "stringData": {"password": secret_marker("ab12")}}
    assert found(type_, plain) == {"secrets.plain": "mandatory"}
    assert found(type_, marked) == {}


@pytest.mark.parametrize(
    "spec",
    [
        {"hostNetwork": True},
        {"containers": [{"securityContext": {"privileged": True}}]},
        {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]},
    ],
)
def test_pods_that_ask_for_their_node(spec: dict[str, Any]) -> None:
    inputs = {"metadata": {"labels": {"x": DEPLOYMENT}}, "spec": {"template": {"spec": spec}}}
    assert found("kubernetes:apps/v1:Deployment", inputs) == {"workload.node_access": "mandatory"}


def test_data_stay_where_their_class_may_be_kept() -> None:
    where = {"region_data_classes": frozenset({"public"})}
    assert found(RULE, rule(remoteGroupId="g"), **where) == {"residency.region": "mandatory"}
    what = {"blueprint_data_classes": frozenset({"public"})}
    assert found(RULE, rule(remoteGroupId="g"), **what) == {"residency.blueprint": "mandatory"}
    assert found(RULE, rule(remoteGroupId="g"), data_class="", **where) == {}


def test_mandatory_findings_come_first_and_in_a_stable_order() -> None:
    nodes = tuple(
        ResourceNode(f"urn::{n}", f"rule-{n}", RULE, rule(remoteIpPrefix="0.0.0.0/0", **ports))
        for n, ports in (
            (2, {"portRangeMin": 80, "portRangeMax": 80}),
            (1, {"portRangeMin": 22, "portRangeMax": 22}),
        )
    )
    everything = frozenset({"internal"})
    ways = [
        policies.evaluate(Subject(Graph(order), DEPLOYMENT, "internal", everything, everything))
        for order in (nodes, nodes[::-1])
    ]
    assert ways[0] == ways[1]
    assert [f.severity for f in ways[0]] == ["mandatory", "advisory"]
