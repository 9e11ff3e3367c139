"""Rules of drift without any engine: what a look means, what a repair may do, which input fits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.provisioning.drift import matching, model
from control_plane.provisioning.drift.matching import Target
from control_plane.provisioning.drift.model import Finding, FindingState, Seen
from control_plane.provisioning.graph import (
    UNKNOWN,
    Change,
    DriftFinding,
    DriftKind,
    Graph,
    Op,
    Preview,
    PropertyChange,
    ResourceNode,
)
from control_plane.provisioning.paths import assign, plain

AT = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
SERVER = "openstack:compute/instance:Instance"
VOLUME = "openstack:blockstorage/volume:Volume"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
MEMBER = "openstack:loadbalancer/member:Member"


def change(name: str, type_: str, op: Op, *after: Any) -> Change:
    properties = tuple(PropertyChange(f"p{n}", None, value) for n, value in enumerate(after))
    return Change(f"urn:{name}", type_, name, op, properties)


@pytest.mark.parametrize(
    ("changes", "drifted", "beyond"),
    [
        ([change("a", SERVER, Op.UPDATE, "x")], {"urn:a": "changed"}, []),
        ([change("a", SERVER, Op.CREATE, "x")], {"urn:a": "missing"}, []),
        ([change("a", SERVER, Op.CREATE, "x")], {"urn:a": "changed"}, ["a"]),
        ([change("a", SERVER, Op.REPLACE, "x")], {"urn:a": "changed"}, ["a"]),
        ([change("a", VOLUME, Op.DELETE)], {"urn:a": "changed"}, ["a"]),
        ([change("m", MEMBER, Op.REPLACE, "x")], {"urn:m": "changed"}, []),
        ([change("m", MEMBER, Op.REPLACE, UNKNOWN)], {"urn:a": "missing"}, []),
        ([change("m", MEMBER, Op.UPDATE, UNKNOWN, "x")], {"urn:a": "missing"}, ["m"]),
        ([change("v", VOLUME, Op.REPLACE, UNKNOWN)], {"urn:a": "missing"}, ["v"]),
        ([change("p", "pulumi:providers:openstack", Op.UPDATE, "x")], {}, []),
    ],
)
def test_a_repair_only_brings_back(
    changes: list[Change], drifted: dict[str, str], beyond: list[str]
) -> None:
    kinds = {urn: DriftKind(kind) for urn, kind in drifted.items()}
    found = model.beyond_repair(Preview(tuple(changes)), kinds)
    assert [c.name for c in found] == beyond


@pytest.mark.parametrize(
    ("type_", "path", "noise"),
    [
        (DEPLOYMENT, "status.readyReplicas", True),
        (DEPLOYMENT, "metadata.resourceVersion", True),
        (DEPLOYMENT, 'metadata.annotations["deployment.kubernetes.io/revision"]', True),
        (DEPLOYMENT, "metadata.labels.team", False),
        (DEPLOYMENT, "spec.strategy.statuses", False),
        (SERVER, "powerState", True),
        (SERVER, "powerStateOfOthers", False),
        (SERVER, "metadata.colour", False),
        ("sample:index:Thing", "__defaults", True),
    ],
)  # fmt: skip
def test_what_moves_by_itself_is_no_drift(type_: str, path: str, noise: bool) -> None:  # noqa: FBT001
    assert model.is_noise(type_, path) is noise


def test_secrets_are_found_by_name_type_and_marker() -> None:
    def mark(value: Any) -> str:
        return f"<{value}>"

    hidden = {"$secret": "<x>"}
    assert model.masked(SERVER, "bypassed", "x", mark) == "x"
    for name in ("adminPass", "adminPassword", "passwordHash", "userData"):
        assert model.masked(SERVER, name, "x", mark) == hidden
    assert model.masked("kubernetes:core/v1:Secret", "data.key", "x", mark) == hidden
    assert model.masked(SERVER, "metadata", {"api_token": "x", "a": 1}, mark) == {
        "api_token": hidden, "a": 1,
    }  # fmt: skip
    assert model.masked(SERVER, "password", {"$secret": "9"}, mark) == {"$secret": "9"}
    assert model.masked(SERVER, "password", None, mark) is None
    long = model.masked(SERVER, "text", "x" * 9000, mark)
    assert isinstance(long, str)
    assert len(long) < 3000


def finding(state: FindingState, found: Any, until: datetime | None = None) -> Finding:
    return Finding(
        "drf_1", "dep_1", "reg_1", "ten_1", "/c/", "urn:a", SERVER, "a", DriftKind.CHANGED, "size",
        1, found, state, AT, AT, ignored_until=until,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "was", "now", "states"),
    [
        ("open", 2, 2, ["open"]),
        ("open", 2, 3, ["open"]),
        ("open", 2, None, ["gone"]),
        ("ignored", 2, 2, ["ignored"]),
        ("ignored", 2, 3, ["gone", "open"]),
        ("adopted", 2, 2, ["adopted"]),
        ("adopted", 2, 3, ["gone", "open"]),
        ("adopted", 2, None, ["gone"]),
    ],
)
def test_what_a_look_means(state: str, was: int, now: int | None, states: list[str]) -> None:
    later = AT + timedelta(hours=1)
    old = finding(FindingState(state), was, AT + timedelta(days=1))
    looked = [] if now is None else [Seen("urn:a", SERVER, "a", DriftKind.CHANGED, "size", 1, now)]
    after = model.after_look([old], looked, later, lambda s: finding(FindingState.OPEN, s.found))
    assert [f.state.value for f in after] == states
    assert after[-1].found == (was if now is None else now)


def test_a_missing_resource_is_one_finding() -> None:
    found = DriftFinding(
        "urn:a", SERVER, "a", DriftKind.MISSING, (PropertyChange("size", 1, None),)
    )
    (seen,) = model.seen([found], str)
    assert (seen.attribute, seen.kind) == ("", DriftKind.MISSING)


# Which input says it -----------------------------------------------------------------------------

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "servers": {"type": "integer", "minimum": 1},
        "size": {"type": "string", "enum": ["s", "m"]},
        "gb": {"type": "integer", "minimum": 1, "x-grows-only": True},
        "open": {"type": "boolean"},
        "note": {"type": "string"},
    },
}
FLAVORS = {"s": "1", "m": "2"}
INPUTS: dict[str, Any] = {"servers": 2, "size": "s", "gb": 10, "open": False, "note": "a"}


def program(inputs: Any) -> Graph | None:
    if inputs["note"] == "bad":
        return None
    nodes = [
        ResourceNode(f"urn:s{n}", f"s{n}", SERVER, {"flavorId": FLAVORS[inputs["size"]]})
        for n in range(inputs["servers"])
    ]  # fmt: skip
    claim = {"spec": {"storage": f"{inputs['gb']}Gi"}, "open": inputs["open"]}
    labels = {"labels": {"a.b/c": inputs["note"]}}
    return Graph((*nodes, ResourceNode("urn:c", "c", "x:y:Z", {**claim, **labels})))


def changed(urn: str, **values: Any) -> Target:
    return Target(urn, DriftKind.CHANGED, {k.replace("__", "."): v for k, v in values.items()})


@pytest.mark.parametrize(
    ("targets", "inputs"),
    [
        ([changed("urn:s0", flavorId="2"), changed("urn:s1", flavorId="2")], {"size": "m"}),
        ([changed("urn:s0", flavorId="2")], {}),
        ([changed("urn:c", spec__storage="20Gi")], {"gb": 20}),
        ([changed("urn:c", spec__storage="20480Mi")], {}),
        ([changed("urn:c", spec__storage="5Gi")], {}),
        ([changed("urn:c", open=True)], {"open": True}),
        ([Target("urn:s1", DriftKind.MISSING, {})], {"servers": 1}),
        ([Target("urn:s0", DriftKind.MISSING, {})], {}),
        ([Target("urn:c", DriftKind.CHANGED, {'labels["a.b/c"]': "b"})], {"note": "b"}),
        ([Target("urn:c", DriftKind.CHANGED, {'labels["a.b/c"]': "bad"})], {}),
        (
            [changed("urn:c", spec__storage="20Gi", open=True), changed("urn:s0", other=7)],
            {"gb": 20, "open": True},
        ),
    ],
)
def test_an_input_explains_what_was_found(targets: list[Target], inputs: dict[str, Any]) -> None:
    assert matching.explaining(SCHEMA, INPUTS, targets, program) == inputs


def test_what_quota_and_meters_see() -> None:
    facts: Any = {"openstack": {"flavors": {"s": {"id": "1", "vcpus": 1}, "m": {"id": "2"}}}}
    node = ResourceNode("urn:a", "a", SERVER, {"flavorId": "1"})
    assert matching.counted(node, changed("urn:a", flavorId="2"), facts)
    assert not matching.counted(node, changed("urn:a", metadata__colour="green"), facts)
    assert matching.counted(node, Target("urn:a", DriftKind.MISSING, {}), facts)
    rule = ResourceNode("urn:r", "r", "openstack:networking/secGroupRule:SecGroupRule", {})
    assert not matching.counted(rule, Target("urn:r", DriftKind.MISSING, {}), facts)


def test_paths() -> None:
    tree = assign({"a": [{"b": 1}]}, "a[0].b", 2)
    assert assign(tree, 'labels["x.y/z"]', "v") == {"a": [{"b": 2}], "labels": {"x.y/z": "v"}}
    assert plain('labels["x.y/z"].t[0]') == "labels.x.y/z.t[0]"
    with pytest.raises(LookupError):
        assign({"a": []}, "a[3].b", 1)
