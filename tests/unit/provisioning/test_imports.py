"""Which object could be which resource, what blueprint describes it, and what is refused."""

import random
from typing import Any

import pytest

from control_plane.provisioning.graph import (
    UNKNOWN,
    Change,
    Graph,
    Op,
    PropertyChange,
    ResourceNode,
)
from control_plane.provisioning.imports import guessing, model
from control_plane.provisioning.imports.matching import match
from control_plane.provisioning.imports.model import Found, harmful


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:s::p::{type_}::{name}"


def node(type_: str, name: str, /, *after: ResourceNode, **inputs: Any) -> ResourceNode:
    return ResourceNode(urn(type_, name), name, type_, inputs, tuple(n.urn for n in after))


def servers(many: int) -> tuple[Graph, list[Found], dict[str, str]]:
    """A program with servers, and the same made by hand, in any order of ids."""
    group = node(model.GROUP, "servers", name="x")
    nodes, objects, wanted = [group], [Found(model.GROUP, "g", "web", "p")], {"servers": "g"}
    letters = list("qwertyuiop")
    random.Random(7).shuffle(letters)  # noqa: S311 - no secret
    for number in range(1, many + 1):
        mark = letters[number]
        port = node(model.PORT, f"port-{number}", group, securityGroupIds=[UNKNOWN])
        volume = node(model.VOLUME, f"data-{number}", size=5)
        server = node(model.SERVER, f"server-{number}", port, volume, flavorId="1")
        held = node(model.ATTACHMENT, f"attached-{number}", server, volume)
        nodes += [port, volume, server, held]
        objects += [
            Found(model.PORT, f"{mark}-port", "", "p", {"securityGroupIds": ["g"]}),
            Found(model.VOLUME, f"{letters[-number]}-volume", "", "p", {"size": 5}),
            Found(
                model.SERVER, f"{mark}-server", "", "p",
                {"flavorId": "1", "networks": [{"port": f"{mark}-port"}]},
            ),
            Found(
                model.ATTACHMENT, f"{mark}-server/{letters[-number]}-volume", "", "p",
                {"instanceId": f"{mark}-server", "volumeId": f"{letters[-number]}-volume"},
            ),
        ]  # fmt: skip
    return Graph(tuple(nodes)), objects, wanted


@pytest.mark.parametrize("many", [1, 2, 4])
def test_what_hangs_together_is_matched_together(many: int) -> None:
    graph, objects, _ = servers(many)
    found = {u.rpartition("::")[2]: f for u, f in match(graph, objects).items()}
    assert len(found) == 1 + 4 * many
    for number in range(1, many + 1):
        server, port = found[f"server-{number}"], found[f"port-{number}"]
        assert server.inputs["networks"] == [{"port": port.id}]
        held = found[f"attached-{number}"]
        assert held.id == f"{server.id}/{found[f'data-{number}'].id}"


def test_what_contradicts_the_program_is_matched_with_nothing() -> None:
    group = node(model.GROUP, "servers")
    rule = node(
        model.RULE, "servers-tcp-80", group, direction="ingress", protocol="tcp", portRangeMin=80
    )
    there = Found(
        model.RULE, "r", "", "p",
        {"securityGroupId": "g", "direction": "ingress", "protocol": "udp", "portRangeMin": 53},
    )  # fmt: skip
    found = match(Graph((group, rule)), [there, Found(model.GROUP, "g", "", "p")])
    assert set(found) == {group.urn}


def test_objects_of_one_id_and_several_types_are_told_apart() -> None:
    nodes = [node(t, t.rpartition(":")[2], projectId=UNKNOWN) for t in model.QUOTAS]
    objects = [Found(t, "p/RegionOne", "", "p") for t in model.QUOTAS]
    found = match(Graph(tuple(nodes)), objects)
    assert {u: f.type for u, f in found.items()} == {n.urn: n.type for n in nodes}


FACTS = {
    "flavors": {"s": {"id": "f1"}, "m": {"id": "f2"}},
    "images": {"default": "i1", "other": "i2"},
}


def server(name: str, **inputs: Any) -> list[Found]:
    said = {"flavorId": "f1", "imageId": "i1", **inputs}
    group = Found(model.GROUP, f"{name}-g", name, "p")
    port = Found(
        model.PORT, f"{name}-p", "", "p", {"deviceId": name, "securityGroupIds": [group.id]}
    )
    return [Found(model.SERVER, name, name, "p", said), port, group]


def test_servers_that_are_alike_become_one_deployment() -> None:
    shared = [f for f in server("b") if f.type != model.GROUP]
    shared[1].inputs["securityGroupIds"][:] = ["a-g"]  # type: ignore[index]
    other = server("c", imageId="i2", keyPair="old key")
    first, second = guessing.servers([*server("a"), *shared, *other], FACTS)
    assert (first.inputs["servers"], first.inputs["size"], first.inputs["image"]) == (2, "s", "")
    assert (second.inputs["image"], second.inputs["key_name"]) == ("other", "old key")
    assert first.against == second.against == []


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"flavorId": "f9"}, "flavor"),
        ({"imageId": "i9"}, "image"),
        ({"imageId": None}, "volume"),
    ],
)
def test_what_no_input_describes_is_said(inputs: dict[str, Any], said: str) -> None:
    (guess,) = guessing.servers(server("a", **inputs), FACTS)
    assert said in " ".join(t.en for t in guess.against)


def test_a_group_of_two_kinds_of_servers_goes_with_the_first() -> None:
    other = [f for f in server("z", flavorId="f2") if f.type != model.GROUP]
    other[1].inputs["securityGroupIds"][:] = ["a-g"]  # type: ignore[index]
    first, second = guessing.servers([*server("a"), *other], FACTS)
    assert first.against == []
    assert "security group" in second.against[0].en


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Old Portal", "old-portal"), ("2024_web", "web"), ("门户", "imported"), ("a" * 60, "a" * 40)],
)
def test_names_become_names_that_deployments_may_have(name: str, slug: str) -> None:
    assert guessing.slug(name) == slug


def test_harm_is_named_with_its_properties() -> None:
    cidr = PropertyChange("cidr", "10.1.0.0/24", "10.2.0.0/24", forces_replacement=True)
    name = PropertyChange("name", "lan", "net")
    image = PropertyChange("imageId", "i1", "i2")
    changes = [
        Change("u1", model.SUBNET, "subnet", Op.REPLACE, (name, cidr)),
        Change("u2", model.NETWORK, "network", Op.UPDATE, (name,)),
        Change("u3", model.SERVER, "server-1", Op.UPDATE, (name, image)),
        Change("u4", model.ROUTER, "router", Op.DELETE),
        Change("u5", model.PORT, "port-1", Op.CREATE),
        Change("u6", "pulumi:providers:openstack", "tenant", Op.CREATE),
    ]
    said = harmful(changes, creations=False)
    assert said == [
        "subnet would be replaced (cidr: 10.1.0.0/24 → 10.2.0.0/24)",
        "server-1 would be rebuilt or resized (imageId: i1 → i2)",
        "router would be deleted",
        "port-1 (Port) would be created",
    ]
    assert harmful(changes, creations=True) == said[:3]
