"""Bindings through the running product: on a database that was ordered, by commands."""

from collections.abc import Iterator
from typing import Any

import pytest

from control_plane.demonstration.files import load_city
from tests.functional.conftest import Product
from tests.functional.test_drift import ordered

_STORY = load_city().story.orders[0]


@pytest.fixture(scope="module")
def database(product: Product) -> Iterator[dict[str, Any]]:
    """A database that was ordered."""
    order = ordered(
        product,
        {
            "kind": "apply", "offering": "postgresql", "plan": "s",
            "tenancy": _STORY.tenancy, "region": _STORY.region, "contract": _STORY.contract,
            "system": _STORY.system, "name": "records", "inputs": {},
            "justification": "a test of bindings",
        },
    )  # fmt: skip
    made = product.api("admin").get(f"/services/{order['service']}")
    yield made
    ordered(product, {"kind": "delete", "service": made["id"], "justification": "the end"})


def test_a_departments_own_credentials(product: Product, database: dict[str, Any]) -> None:
    deployment, who = database["deployment_id"], "health.requester"
    made = product.cli(who, "binding", "create", deployment, "portal", "-o", "json")
    assert made.status == 0, made.err
    binding = made.json["id"]
    assert (made.json["state"], made.json["valid"]) == ("active", [1])
    # The service that was ordered knows it, so that a change of it begins with that.
    users = product.api(who).get(f"/services/{database['id']}")["inputs"]["users"]
    assert [u["name"] for u in users] == ["portal"]

    shown = product.cli(who, "binding", "reveal", binding, "-o", "json").json
    assert shown["login"] == "portal_1"
    assert shown["host"].endswith(".health-production.svc")
    assert len(shown["password"]) > 30
    again = product.cli(who, "binding", "reveal", binding)
    assert again.status != 0
    assert "was shown already" in again.err
    stranger = product.cli("water.requester", "binding", "show", binding)
    assert "there is no such binding" in stranger.err

    renewed = product.cli(who, "binding", "rotate", binding, "--overlap-hours", "1", "-o", "json")
    assert renewed.status == 0, renewed.err
    assert renewed.json["valid"] == [1, 2]
    assert renewed.json["overlap_until"]
    listed = product.cli("auditor", "binding", "list", "--deployment", deployment, "-o", "json")
    assert [b["name"] for b in listed.json] == ["portal"]

    gone = product.cli(who, "binding", "delete", binding, "--yes", "-o", "json")
    assert gone.status == 0, gone.err
    assert gone.json["state"] == "deleted"
    actions = [e["action"] for e in product.api("admin").items("/audit", subject=binding)]
    for action in ("create", "reveal", "rotate", "delete"):
        assert f"binding.{action}" in actions
    left = product.api(who).get(f"/services/{database['id']}")["inputs"]["users"]
    assert left == []
