"""How a stack's state is put right after an operation that was cut off."""

import json
from typing import Any

import pytest

from control_plane.adapters.program_host import values
from control_plane.adapters.pulumi import recovery
from control_plane.adapters.pulumi.language import Registration

THING = "urn:pulumi:s::p::openstack:networking/network:Network::net"
CLOUD = "urn:pulumi:s::p::pulumi:providers:openstack::cloud"


def sealed(value: object) -> dict[str, str]:
    return {values.SIGNATURE: values.SECRET, "plaintext": json.dumps(value)}


def a_state(*more: dict[str, Any]) -> dict[str, Any]:
    provider = {
        "urn": CLOUD,
        "id": "1-2-3",
        "type": "pulumi:providers:openstack",
        "inputs": {"authUrl": "http://cloud", "password": sealed("pw")},
    }
    return {"version": 3, "deployment": {"resources": [provider, *more]}}


def registered() -> Registration:
    return Registration(
        type="openstack:networking/network:Network",
        inputs={"name": "n", "tags": ["a"], "key": {"$clear": {"deep": "secret"}}},
        parent="urn:pulumi:s::p::pulumi:pulumi:Stack::p-s",
        provider=f"{CLOUD}::1-2-3",
        dependencies=("urn:a",),
        by_property={"name": ["urn:a"]},
    )


def test_a_registration_becomes_a_resource_of_the_state_with_its_secrets_marked() -> None:
    resource = recovery.as_resource(THING, registered())
    assert resource["inputs"]["key"] == sealed({"deep": "secret"})
    assert resource["inputs"]["tags"] == ["a"]
    assert resource["custom"] is True
    assert resource["dependencies"] == ["urn:a"]
    assert json.loads(json.dumps(resource)) == resource


def test_it_is_looked_up_with_its_providers_credentials_and_taken_in_under_its_id() -> None:
    state = recovery.with_pending(a_state(), [recovery.as_resource(THING, registered())])
    (pending,) = recovery.creations(state, "dep_1")
    assert pending.provider == {"authUrl": "http://cloud", "password": "pw"}
    assert pending.inputs["key"] == {"deep": "secret"}
    assert (pending.name, pending.deployment, pending.known) == ("net", "dep_1", frozenset())
    new = recovery.resolved(state, {THING: "net-1"})
    assert not recovery.unconfirmed(new)
    assert [r["id"] for r in recovery.resources(new)] == ["1-2-3", "net-1"]
    # Nothing was found: it is simply not there.
    assert [r["id"] for r in recovery.resources(recovery.resolved(state, {}))] == ["1-2-3"]
    assert a_state() == recovery.resolved(a_state(), {})


def test_the_object_that_is_being_replaced_is_known_and_keeps_its_place() -> None:
    old = {"urn": THING, "id": "old", "type": "openstack:networking/network:Network"}
    state = recovery.with_pending(a_state(old), [recovery.as_resource(THING, registered())])
    (pending,) = recovery.creations(state, "dep_1")
    assert pending.known == {"old"}
    _, first, second = recovery.resources(recovery.resolved(state, {THING: "new"}))
    assert (first["id"], first["delete"]) == ("old", True)
    assert (second["id"], second.get("delete")) == ("new", None)


def test_what_is_pending_already_is_not_noted_twice() -> None:
    resource = recovery.as_resource(THING, registered())
    once = recovery.with_pending(a_state(), [resource])
    assert recovery.with_pending(once, [resource]) == once


def test_what_was_taken_in_and_not_read_is_known() -> None:
    taken = recovery.as_resource(THING, registered())
    state = recovery.with_pending(a_state(), [taken])
    assert recovery.pending(state, {THING: "net-1"}) == [taken]
    assert recovery.pending(state, ["urn:other"]) == []
    assert recovery.unread(state) == set()
    state = recovery.resolved(state, {THING: "net-1"})
    assert recovery.unread(state) == {THING}
    recovery.resources(state)[-1]["outputs"] = {"name": "n"}
    assert recovery.unread(state) == set()


def a_pending(name: str, type_: str = "openstack:networking/network:Network") -> recovery.Pending:
    return recovery.Pending(f"urn:{name}", type_, name, "dep_1", {}, {})


def test_what_a_cloud_makes_late_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_PAUSE_SECONDS", 0.01)
    asked: list[str] = []

    def find(pending: recovery.Pending) -> str | None:
        asked.append(pending.name)
        late = pending.name == "late" and asked.count("late") < 3
        return None if late else f"id-of-{pending.name}"

    wanted = [a_pending("early"), a_pending("late"), a_pending("role", "openstack:identity/r:R")]
    found = recovery.search(wanted, {wanted[0].type: find}.get, 60.0)
    assert found == {"urn:early": "id-of-early", "urn:late": "id-of-late"}
    assert asked == ["early", "late", "late", "late"]


def test_what_no_cloud_makes_is_given_up() -> None:
    asked: list[str] = []
    found = recovery.search([a_pending("never")], lambda _type: lambda p: asked.append(p.name), 0.0)
    assert found == {}
    assert asked == ["never"]
