"""Billing over HTTP and by the command line."""

import json
from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from click.testing import Result

from control_plane.billing.model import Terms
from foundation.kernel.time import Interval
from tests.fakes.money import NOVEMBER, OCTOBER, City


@pytest.fixture
def statement(city: City, api: Any) -> Any:
    """The open statement of October, with 10 hours on it, and 2 that have no price."""
    city.use(1, 10)
    city.use(2, 2, meter="disk.peak_gb", dimensions={})
    city.billing.rate("2026-10")
    (head,) = api("health", "GET", "/statements?period=2026-10").get_json()["items"]
    return head


def test_a_statement_is_shown_issued_and_explained(api: Any, statement: Any) -> None:
    assert (statement["state"], statement["total"]) == ("open", "8.1")
    address = f"/statements/{statement['id']}"
    shown = api("health", "GET", address).get_json()
    (line,) = shown["lines"]
    assert (line["quantity"], line["list_cost"], line["cost"]) == ("10", "9", "8.1")
    (unpriced,) = shown["unpriced"]
    assert (unpriced["meter"], unpriced["quantity"]) == ("disk.peak_gb", "2")
    assert api("health", "POST", f"{address}/issue").status_code in {403, 404}
    issued = api("finance", "POST", f"{address}/issue")
    assert issued.status_code == 200, issued.text
    document = issued.get_json()
    assert (document["number"], document["state"]) == ("2026-000001", "issued")
    assert document["lines"] == shown["lines"]
    again = api("finance", "POST", f"{address}/issue")
    assert again.status_code == 409
    assert "2026-000001" in again.get_json()["detail"]
    assert api("health", "GET", address).get_json() == document
    told = api("health", "GET", f"/statement-lines/{line['id']}/explanation").get_json()
    assert told["line"] == line
    assert (told["charge_count"], told["evidence_count"]) == (10, 10)
    assert told["charges"][0]["billed_cost"] == "0.81"
    assert {e["event_id"] for e in told["evidence"]} == {"1"}
    assert told["origin"]["resource"] == {"id": "res_vm"}


def test_another_departments_statement_is_not_there(api: Any, statement: Any) -> None:
    assert api("water", "GET", "/statements").get_json()["items"] == []
    shown = api("health", "GET", f"/statements/{statement['id']}").get_json()
    foreign = [
        f"/statements/{statement['id']}",
        f"/statement-lines/{shown['lines'][0]['id']}/explanation",
    ]
    for address, missing in zip(foreign, ("stm_none", "lin_none_0"), strict=True):
        answer = api("water", "GET", address)
        nothing = api("water", "GET", address.replace(address.split("/")[2], missing))
        assert answer.status_code == nothing.status_code == 404
        assert "health" not in answer.text
        assert set(answer.get_json()) == set(nothing.get_json())


def test_prices_name_every_wrong_field(api: Any) -> None:
    address = "/price-books/standard/prices"
    bad = {
        "meter": "none", "dimensions": {"colour": "red"}, "unit_price": "1",
        "starts": "2026-10-01T00:00:00Z",
    }  # fmt: skip
    answer = api("admin", "POST", address, json={"prices": [bad, {**bad, "meter": "disk.peak_gb"}]})
    assert answer.status_code == 422
    assert {e["field"] for e in answer.get_json()["errors"]} == {
        "prices.0.meter", "prices.0.reason", "prices.1.dimensions", "prices.1.reason",
    }  # fmt: skip
    shape = {"prices": [{"meter": "", "unit_price": "x", "starts": "soon", "colour": 1}]}
    answer = api("admin", "POST", address, json=shape)
    assert {e["field"] for e in answer.get_json()["errors"]} == {
        "prices.0.meter", "prices.0.unit_price", "prices.0.starts", "prices.0.colour",
    }  # fmt: skip
    wrong = {"prices": [{**bad, "unit_price": "-1", "starts": "2026-12-01T00:30:00Z"}] * 2}
    answer = api("admin", "POST", address, json=wrong)
    assert answer.status_code == 422
    assert {e["field"] for e in answer.get_json()["errors"]} == {
        f"prices.{n}.{name}" for n in (0, 1) for name in ("unit_price", "starts")
    }
    assert api("health", "GET", "/price-books/none/prices").status_code == 404
    assert len(api("health", "GET", address).get_json()["items"]) == 2
    assert api("health", "POST", address, json={"prices": [bad]}).status_code in {403, 404}


def test_rating_is_an_operation(api: Any) -> None:
    answer = api("finance", "POST", "/rating-runs", json={"period": "2026-10"})
    assert answer.status_code == 202
    assert answer.get_json()["kind"] == "billing.rate"
    assert answer.headers["Location"].startswith("/api/v1/operations/")
    wrong = api("finance", "POST", "/rating-runs", json={"period": "2026-13", "x": 1})
    assert wrong.status_code == 422
    assert {e["field"] for e in wrong.get_json()["errors"]} == {"period", "x"}
    assert api("health", "POST", "/rating-runs", json={"period": "2026-10"}).status_code in {
        403,
        404,
    }


def test_the_command_line(borough: Callable[..., Result], statement: Any) -> None:
    listed = borough("health", "statement", "list", "--period", "2026-10", "-o", "json")
    assert [item["id"] for item in json.loads(listed.stdout)] == [statement["id"]]
    shown = borough("health", "statement", "show", statement["id"])
    assert shown.exit_code == 0, shown.output
    assert "Total: 8.1 CNY" in shown.output
    assert "Not priced: 2 of disk.peak_gb" in shown.output
    document = json.loads(
        borough("health", "statement", "show", statement["id"], "-o", "json").stdout
    )
    explained = borough("health", "statement", "explain", document["lines"][0]["id"])
    assert explained.exit_code == 0, explained.output
    for step in ("8.1 CNY", "10 × 0.81", "10 hours rated", "tests 1", "res_vm"):
        assert step in explained.output
    assert borough("water", "statement", "show", statement["id"]).exit_code == 3
    assert borough("water", "statement", "explain", document["lines"][0]["id"]).exit_code == 3
    assert borough("health", "statement", "issue", statement["id"]).exit_code in {3, 4}
    begun = borough("finance", "statement", "rate", "2026-10", "--no-wait", "-o", "json")
    assert json.loads(begun.stdout)["kind"] == "billing.rate"
    assert borough("finance", "statement", "rate", "2026-13", "--no-wait").exit_code == 2
    issued = borough("finance", "statement", "issue", statement["id"])
    assert issued.exit_code == 0, issued.output
    assert "issued as 2026-000001" in issued.output
    assert borough("finance", "statement", "issue", statement["id"]).exit_code == 5
    assert borough("nobody", "statement", "list").exit_code == 4


def test_statements_come_in_parts(api: Any, city: City) -> None:
    city.billing.set_terms(
        Terms("/city/water/", "con_2", 1, "standard", Decimal(0), Interval(OCTOBER, None))
    )
    for number, (start, resource) in enumerate(product((OCTOBER, NOVEMBER), ("vm", "other"))):
        city.use(number, 1, start=start, resource=f"res_{resource}")
    for period in ("2026-10", "2026-11"):
        city.billing.rate(period)
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api("finance", "GET", f"/statements?limit=1{cursor}").get_json()
        assert len(page["items"]) == 1
        seen += page["items"]
        cursor = f"&cursor={page['next']}" if page["next"] else None
    assert [(s["period"], s["path"]) for s in seen] == [
        *[("2026-11", path) for path in ("/city/health/", "/city/water/")],
        *[("2026-10", path) for path in ("/city/health/", "/city/water/")],
    ]
    assert api("finance", "GET", "/statements").get_json()["items"] == seen
    # Totals of open ones are today's, on every page.
    assert all(Decimal(s["total"]) > 0 for s in seen)
    assert api("finance", "GET", "/statements?cursor=WyJ4Il0").status_code == 422
