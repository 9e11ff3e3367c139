"""Drift through the running product: an ordered service that somebody changes by hand is found,
repaired and adopted by commands, and is returned as it is by then, with all of its quota."""

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.demonstration.files import load_city
from control_plane.provisioning.drift.model import RULE
from control_plane.provisioning.graph import Beside
from foundation.surface.cli.waiting import Waiting
from tests.functional.conftest import Product

_CITY: Any = load_city()
_STORY = _CITY.story.orders[0]


def follow(product: Product, login: str, operation: str | Mapping[str, Any]) -> dict[str, Any]:
    operation_id = operation if isinstance(operation, str) else str(operation["id"])
    return Waiting(timeout=120, quiet=True).follow(product.api(login), operation_id)


def ordered(product: Product, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Order, have it approved by its digest, and wait until it is done."""
    client = product.api("health.requester")
    draft = client.post("/orders", wish)
    follow(product, "health.requester", client.post(f"/orders/{draft['id']}/submit"))
    order = client.get(f"/orders/{draft['id']}")
    assert order["state"] == "in_approval", order
    approver = product.api("finance.approver")
    approver.post(f"/approvals/{order['id']}/approve", {"digest": order["digest"]})
    decided = client.get(f"/orders/{order['id']}")
    follow(product, "health.requester", decided["operation_id"])
    done: dict[str, Any] = client.get(f"/orders/{order['id']}")
    assert done["state"] == "active", done
    return done


def used(product: Product) -> dict[str, str]:
    """What the tenancy uses of its quota."""
    (level,) = [
        level
        for level in product.api("admin").get(f"/tenancies/{_STORY.tenancy}/quota")["levels"]
        if level["kind"] == "tenancy"
    ]
    return {q["resource"]: q["used"] for q in level["quotas"]}


@pytest.fixture(scope="module")
def service(product: Product) -> Iterator[dict[str, Any]]:
    """A web application that was ordered."""
    before = used(product)
    order = ordered(
        product,
        {
            "kind": "apply", "offering": _STORY.offering, "plan": _STORY.plan,
            "tenancy": _STORY.tenancy, "region": _STORY.region,
            "contract": _STORY.contract, "system": _STORY.system,
            "name": "drifting", "inputs": dict(_STORY.inputs),
            "justification": "a test of drift",
        },
    )  # fmt: skip
    made = product.api("admin").get(f"/services/{order['service']}")
    yield made
    ordered(product, {"kind": "delete", "service": made["id"], "justification": "the end"})
    assert used(product) == before


def tamper(product: Product, deployment: str, name: str, path: str, value: Any) -> None:
    region = SimulatedRegion(product.platform.database, product.platform.clock)
    urn = next(t.urn for t in region.things(deployment) if t.name == name)
    region.tamper(deployment, urn, path, value)


def test_a_service_that_somebody_changes_by_hand(product: Product, service: dict[str, Any]) -> None:
    deployment = service["deployment_id"]
    clean = product.cli("operator", "drift", "check", deployment)
    assert clean.status == 0, clean.err
    tamper(product, deployment, "server-1", "metadata.colour", "green")
    checked = product.cli("operator", "drift", "check", deployment)
    assert checked.status == 1, checked.err
    assert "1 findings are open" in checked.err
    listed = product.cli("auditor", "drift", "list", "--deployment", deployment, "-o", "json").json
    assert [(f["name"], f["attribute"], f["found"]) for f in listed] == [
        ("server-1", "metadata.colour", "green")
    ]
    shown = product.cli("auditor", "drift", "show", listed[0]["id"])
    assert "green" in shown.out
    forbidden = product.cli("auditor", "drift", "repair", deployment, "--yes")
    assert forbidden.status == 4, forbidden.err
    repaired = product.cli("operator", "drift", "repair", deployment, "--yes")
    assert repaired.status == 0, repaired.err
    gone = product.api("operator").get(f"/drift/{listed[0]['id']}")
    assert [turn["state"] for turn in gone["history"]] == ["open", "repaired"]


def test_a_rule_that_was_added_is_removed_by_its_id(
    product: Product, service: dict[str, Any]
) -> None:
    deployment = service["deployment_id"]
    region = SimulatedRegion(product.platform.database, product.platform.clock)
    group = next(t for t in region.things(deployment) if t.type.endswith(":SecGroup"))
    beside = Beside("rule-by-hand", {"direction": "ingress", "remoteIpPrefix": "0.0.0.0/0"})
    region.add_beside(deployment, group.urn, RULE, beside)
    checked = product.cli("operator", "drift", "check", deployment)
    assert checked.status == 1, checked.err
    assert "(added) rule-by-hand" in checked.out
    (found,) = product.api("auditor").items("/drift", deployment=deployment, kind="added")
    assert (found["attribute"], found["removable"]) == ("rule-by-hand", True)
    unnamed = product.cli("operator", "drift", "repair", deployment, "--yes")
    assert unnamed.status != 0
    assert "only removed by its id" in unnamed.err
    unknown = product.cli("operator", "drift", "repair", deployment, "--remove", "other", "--yes")
    assert "other is not known to have been added" in unknown.err
    removed = product.cli(
        "operator", "drift", "repair", deployment, "--remove", "rule-by-hand", "--yes"
    )
    assert removed.status == 0, removed.err
    assert product.cli("operator", "drift", "check", deployment).status == 0
    made = product.cli("operator", "inventory", "list", "--deployment", deployment, "-o", "json")
    assert group.physical_id in {thing["physical_id"] for thing in made.json}


def test_what_is_wanted_belongs_to_the_service(product: Product, service: dict[str, Any]) -> None:
    deployment, admin = service["deployment_id"], product.api("admin")
    size = service["inputs"]["volume_gb"] + 7
    before = int(float(used(product)["volume_gb"]))
    tamper(product, deployment, "data", "size", size)
    tamper(product, deployment, "server-1", "metadata.colour", "blue")
    product.cli("operator", "drift", "check", deployment)
    found = {f["name"]: f for f in admin.get(f"/deployments/{deployment}/drift")["items"]}
    until = (product.platform.clock.now() + timedelta(days=3)).date().isoformat()
    ignored = product.cli(
        "operator", "drift", "ignore", found["server-1"]["id"], "--until", until,
        "--reason", "until the move", "-o", "json",
    )  # fmt: skip
    assert ignored.json["state"] == "ignored", ignored.err
    adopted = product.cli(
        "operator", "drift", "adopt", deployment, "--finding", found["data"]["id"],
        "--reason", "it was full", "--yes",
    )  # fmt: skip
    assert adopted.status == 0, adopted.err
    now = admin.get(f"/services/{service['id']}")
    assert now["inputs"]["volume_gb"] == size
    assert int(float(used(product)["volume_gb"])) == before + 7
    actions = [e["action"] for e in admin.items("/audit", subject=deployment)]
    assert {"drift.check", "drift.repair", "drift.adopt"} <= set(actions)
    summary = admin.get("/drift/summary")["items"]
    assert sum(r["counts"].get("ignored", {}).get("changed", 0) for r in summary) == 1


def test_the_lanes_of_a_worker_look_at_everything(
    product: Product, service: dict[str, Any]
) -> None:
    deployment, admin = service["deployment_id"], product.api("admin")
    tamper(product, deployment, "server-2", "metadata.colour", "red")
    product.platform.drift.tidy()
    assert admin.post("/drift/checks", {"region": None})["deployments"] > 0
    end = time.monotonic() + 90
    while True:
        names = [f["name"] for f in admin.get(f"/deployments/{deployment}/drift")["items"]]
        if "server-2" in names:
            break
        assert time.monotonic() < end, product.log("worker")
        time.sleep(0.5)
    repaired = product.cli("operator", "drift", "repair", deployment, "--everything", "--yes")
    assert repaired.status == 0, repaired.err


def test_every_wrong_field_is_said(product: Product, service: dict[str, Any]) -> None:
    wrong = product.cli("operator", "drift", "ignore", "drf_x", "--until", "soon", "--reason", "x")
    assert wrong.status == 2
    assert product.cli("operator", "drift", "show", "drf_x").status == 3
    refused = product.cli(
        "operator", "drift", "adopt", service["deployment_id"], "--finding", "drf_x",
        "--reason", " ", "--yes",
    )  # fmt: skip
    assert refused.status == 2, refused.err
    for field in ("findings", "reason"):
        assert field in refused.err
