"""Cancel, retry and unwind through the command line, when a region refuses or does not answer."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.embedded.tables import FAULT
from tests.functional.conftest import Product
from tests.functional.test_faults import approved, planned

REGION = "east"


def fault(product: Product, **values: Any) -> None:
    """Let the simulated region disturb the creation of servers."""
    region = product.cli("admin", "region", "show", REGION, "-o", "json").json["id"]
    row = {
        "region": region, "type": "*instance*", "name": "*", "op": "create", "kind": "fail",
        "message": "no more servers today", "seconds": 3600.0, "remaining": None, **values,
    }  # fmt: skip
    with product.platform.database.transaction():
        product.platform.database.execute(sa.insert(FAULT).values(**row))


def heal(product: Product) -> None:
    with product.platform.database.transaction():
        product.platform.database.execute(sa.delete(FAULT))


@pytest.fixture(autouse=True)
def _healed(product: Product) -> Iterator[None]:
    yield
    heal(product)


def ordered(product: Product, name: str) -> dict[str, Any]:
    """An approved order that is being carried out."""
    order = planned(product, name)
    operation = approved(product, order)["operation_id"]
    return {**order, "operation": operation}


def deployment_of(product: Product, order: dict[str, Any], name: str) -> dict[str, Any]:
    rows = product.cli("operator", "deployment", "list", "-o", "json").json
    (found,) = [row for row in rows if row["name"] == name]
    shown = product.cli("operator", "deployment", "show", found["id"], "-o", "json").json
    assert shown["owner"]
    assert order["id"]
    return dict(shown)


def watched(product: Product, order: dict[str, Any]) -> None:
    product.cli("health.requester", "operation", "watch", order["operation"])


def state_of(product: Product, order: dict[str, Any]) -> str:
    return str(
        product.cli("health.requester", "order", "show", order["id"], "-o", "json").json["state"]
    )


def test_a_failed_deployment_is_named_retried_by_its_order_and_then_whole(
    product: Product,
) -> None:
    fault(product)
    order = ordered(product, "retried")
    watched(product, order)
    assert state_of(product, order) == "failed"
    there = deployment_of(product, order, "retried")
    assert there["state"] == "failed"
    assert "server-1: no more servers today" in there["error"]
    states = {each["name"]: each["state"] for each in there["resources"]}
    assert states["web"] == "created"
    assert states["server-1"] == "failed"

    by_hand = product.cli("operator", "deployment", "apply", there["id"])
    assert by_hand.status == 5
    assert "retry its order" in by_hand.err

    heal(product)
    again = product.cli("health.requester", "order", "retry", order["id"])
    assert again.status in {0, 7}, again.err  # planned anew, and to be approved as planned now
    if state_of(product, order) == "in_approval":
        anew = product.api("health.requester").get(f"/orders/{order['id']}")
        watched(product, {"operation": approved(product, anew)["operation_id"]})
    assert state_of(product, order) == "active"
    whole = deployment_of(product, order, "retried")
    assert {each["state"] for each in whole["resources"]} == {"created"}
    # What was made at first is there still, and once.
    ids = {each["name"]: each["physical_id"] for each in there["resources"]}
    now = {each["name"]: each["physical_id"] for each in whole["resources"]}
    assert now["web"] == ids["web"]


def test_what_a_failed_order_made_is_unwound(product: Product) -> None:
    fault(product)
    order = ordered(product, "unwound")
    watched(product, order)
    there = deployment_of(product, order, "unwound")
    assert there["state"] == "failed"
    assert [each for each in there["resources"] if each["state"] == "created"]

    refused = product.cli("operator", "deployment", "destroy", there["id"], "--yes")
    assert refused.status == 5, refused.err
    unsaid = product.cli("operator", "deployment", "destroy", there["id"], "--force", "--yes")
    assert unsaid.status == 2, unsaid.err
    done = product.cli(
        "operator", "deployment", "destroy", there["id"],
        *("--force", "--reason", "the region has no servers", "--yes", "--wait"),
    )  # fmt: skip
    assert done.status == 0, done.err
    gone = product.cli("operator", "deployment", "show", there["id"], "-o", "json").json
    assert gone["state"] == "destroyed"
    assert gone["resources"] == []
    audit = product.api("auditor").items("/audit", action="deployment.destroy")
    assert [e for e in audit if e["subject"] == there["id"]]


def test_an_order_that_hangs_is_cancelled_and_leaves_what_is_known(product: Product) -> None:
    fault(product, kind="hang")
    order = ordered(product, "hanging")
    client = product.api("health.requester")
    end = time.monotonic() + 60
    while not any(
        "server-1" in each["data"].values()
        for each in client.get(f"/operations/{order['operation']}/events")["items"]
    ):
        assert time.monotonic() < end
        time.sleep(0.2)
    asked = product.cli("health.requester", "operation", "cancel", order["operation"])
    assert asked.status == 0, asked.err
    watched(product, order)
    there = deployment_of(product, order, "hanging")
    assert there["state"] == "failed"
    assert "cancelled" in there["error"] or "confirm" in there["error"]
    states = {each["name"]: each["state"] for each in there["resources"]}
    assert states["server-1"] in {"unknown", "failed"}
    heal(product)
    done = product.cli(
        "operator", "deployment", "destroy", there["id"],
        *("--force", "--reason", "cancelled", "--yes", "--wait"),
    )  # fmt: skip
    assert done.status == 0, done.err
    gone = product.cli("operator", "deployment", "show", there["id"], "-o", "json").json
    assert (gone["state"], gone["resources"]) == ("destroyed", [])
