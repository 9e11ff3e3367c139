"""The story through HTTP alone, with nothing of the product's own client.

The tests run in their order on one city: each continues where the one before ended. Only the clock
is shifted from outside, as the demonstration does, so that a month of usage lies behind the order.
"""

import json
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import schemathesis
import urllib3
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.demonstration.expectations import expected_statement, usage_window
from control_plane.demonstration.files import load_city
from control_plane.demonstration.model import StoryOrder
from control_plane.entrypoints.demo.story import begins_at
from tests.functional.conftest import Product, running_product

CITY = load_city()
NOW = datetime.now(UTC)  # noqa: TID251 - the city's months are counted from the present
MONTH = usage_window(CITY, NOW)
OTHER_DIGEST = "sha256:" + "0" * 64
PROBLEM = "application/problem+json"
ENDED = {"succeeded", "failed", "cancelled", "stuck"}


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def wrong(self) -> set[str]:
        """The fields that a problem names."""
        assert self.headers["Content-Type"] == PROBLEM
        return {each["field"] for each in self.json["errors"]}


@dataclass
class Http:
    """Requests as somebody, and what the chapters tell each other."""

    product: Product
    facts: dict[str, Any] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=60)
    )

    def __call__(
        self, login: str, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent["Authorization"] = f"Bearer {self.token(login)}"
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        address = f"{self.product.url}/api/v1{path}"
        answer = self._pool.request(method, address, body=data, headers=sent)
        return Answer(answer.status, answer.headers, answer.data)

    def token(self, login: str) -> str:
        if login not in self._tokens:
            body = {"login": login, "password": self.product.passwords[login], "days": 90}
            made = self("", "POST", "/login", body)
            assert made.status == 201, made.raw
            self._tokens[login] = made.json["secret"]
        return self._tokens[login]

    def ok(self, login: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = self(login, method, path, body, **headers)
        assert answer.status < 300, f"{method} {path}: {answer.raw.decode()}"
        return answer.json

    def fact(self, name: str) -> Any:
        if name not in self.facts:
            pytest.fail("an earlier chapter of the story did not succeed")
        return self.facts[name]

    def follow(self, login: str, operation: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """An operation that has succeeded, and all its events, by polling with ``?after=``."""
        events: list[dict[str, Any]] = []
        end = time.monotonic() + 120
        while time.monotonic() < end:
            found = self.ok(login, "GET", f"/operations/{operation}")
            after = events[-1]["seq"] if events else 0
            events += self.ok(login, "GET", f"/operations/{operation}/events?after={after}")[
                "items"
            ]
            if found["state"] in ENDED:
                assert found["state"] == "succeeded", found
                return found, events
            time.sleep(0.2)
        pytest.fail(f"{operation} did not end")


@pytest.fixture(scope="module")
def http() -> Iterator[Http]:
    with running_product(at=begins_at(CITY, NOW), BOROUGH_SIMULATED_TIME="true") as product:
        yield Http(product)


@pytest.fixture(scope="module")
def wanted() -> StoryOrder:
    assert CITY.story is not None
    return CITY.story.orders[0]


@pytest.fixture(scope="module")
def wish(wanted: StoryOrder) -> dict[str, Any]:
    return {
        "kind": "apply", "offering": wanted.offering, "plan": wanted.plan, "name": wanted.name,
        "tenancy": wanted.tenancy, "region": wanted.region, "contract": wanted.contract,
        "system": wanted.system, "inputs": dict(wanted.inputs),
        "justification": wanted.justification.en,
    }  # fmt: skip


def test_nobody_is_refused(http: Http) -> None:
    for method, path in (("GET", "/orders"), ("POST", "/orders"), ("GET", "/orders/ord_x")):
        answer = http("", method, path)
        assert (answer.status, answer.headers["Content-Type"]) == (401, PROBLEM)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    forged = http("", "GET", "/me", Authorization="Bearer borough_" + "x" * 40)
    assert forged.status == 401
    body = {"login": "auditor", "password": "wrong"}
    assert http("", "POST", "/login", body).status == 401


def test_a_token_of_a_scope_does_no_more(http: Http) -> None:
    body = {"name": "reader", "days": 1, "scopes": ["order.view"]}
    made = http.ok("health.requester", "POST", "/tokens", body)
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    assert http("", "GET", "/orders", **bearer).status == 200
    assert http("", "POST", "/orders", {"tenancy": "health-production"}, **bearer).status == 403
    assert http("health.requester", "DELETE", f"/tokens/{made['id']}").status == 204
    assert http("", "GET", "/orders", **bearer).status == 401


def test_every_wrong_field_is_named_at_once(http: Http, wish: dict[str, Any]) -> None:
    shape = {**wish, "kind": "steal", "plan": 7, "colour": "red"}
    answer = http("health.requester", "POST", "/orders", shape)
    assert answer.status == 422
    assert answer.wrong == {"kind", "plan", "colour"}
    inputs = {"servers": 200, "volume_gb": -1, "exposure": "galaxy"}
    sense = {**wish, "region": "west", "contract": "CT-NONE", "name": "A_b", "inputs": inputs}
    answer = http("health.requester", "POST", "/orders/quote", sense)
    assert answer.status == 422
    assert answer.wrong == {
        "region", "contract", "name", "inputs.servers", "inputs.volume_gb", "inputs.exposure",
    }  # fmt: skip
    pointers = {each["field"]: each["pointer"] for each in answer.json["errors"]}
    assert pointers["inputs.servers"] == "/inputs/servers"
    unread = http("health.requester", "POST", "/orders", Content_Type="application/json")
    assert unread.status in {400, 422}


def test_whatever_can_be_ordered_has_a_price(
    http: Http, wanted: StoryOrder, wish: dict[str, Any]
) -> None:
    """Every plan of what the contract covers, as the catalogue offers it."""
    contract = next(one for one in CITY.contracts if one.number == wanted.contract)
    framework = next(one for one in CITY.frameworks if one.number == contract.framework)
    covered = [one for one in CITY.offerings if one.orderable and one.category in framework.lots]
    assert {"virtual-server", "bare-server", "object-storage"} <= {one.slug for one in covered}
    for offering in covered:
        for plan in offering.plans:
            asked = {**wish, "offering": offering.slug, "plan": plan.slug, "name": "a-quote"}
            answer = http("health.requester", "POST", "/orders/quote", {**asked, "inputs": {}})
            assert answer.status == 200, (offering.slug, answer.raw)
            priced = Decimal(answer.json["price"]["month"]["amount"])
            assert priced > 0 or offering.slug == "tenancy"


def test_the_same_key_answers_the_same(http: Http, wish: dict[str, Any]) -> None:
    key = str(uuid.uuid4())
    first = http("health.requester", "POST", "/orders", wish, Idempotency_Key=key)
    again = http("health.requester", "POST", "/orders", wish, Idempotency_Key=key)
    assert (first.status, again.status) == (201, 201)
    assert again.raw == first.raw
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    other = {**wish, "name": "another"}
    refused = http("health.requester", "POST", "/orders", other, Idempotency_Key=key)
    assert (refused.status, refused.headers["Content-Type"]) == (422, PROBLEM)
    mine = http.ok("health.requester", "GET", "/orders?state=draft")["items"]
    assert [each["id"] for each in mine] == [first.json["id"]]
    # The key is each caller's own.
    theirs = http("health.administrator", "POST", "/orders", wish, Idempotency_Key=key)
    assert theirs.json["id"] != first.json["id"]
    http.facts["order"] = first.json["id"]
    assert first.headers["Location"] == f"/api/v1/orders/{first.json['id']}"


def test_a_change_says_which_version_it_changes(http: Http, wish: dict[str, Any]) -> None:
    path = f"/orders/{http.fact('order')}"
    seen = http("health.requester", "GET", path)
    tag = seen.headers["ETag"]
    longer = {**wish, "justification": f"{wish['justification']} Until spring."}
    assert http("health.requester", "PUT", path, longer).status == 428
    assert http("health.requester", "PUT", path, longer, If_Match='"other"').status == 412
    changed = http("health.requester", "PUT", path, longer, If_Match=tag)
    assert changed.status == 200, changed.raw
    assert changed.headers["ETag"] != tag
    assert http("health.requester", "PUT", path, wish, If_Match=tag).status == 412
    unchanged = http("health.requester", "GET", path, If_None_Match=changed.headers["ETag"])
    assert unchanged.status == 304


def test_it_is_submitted_and_planned(http: Http) -> None:
    path = f"/orders/{http.fact('order')}"
    key = str(uuid.uuid4())
    started = http("health.requester", "POST", f"{path}/submit", Idempotency_Key=key)
    assert started.status == 202, started.raw
    operation = started.json["id"]
    assert started.headers["Location"] == f"/api/v1/operations/{operation}"
    again = http("health.requester", "POST", f"{path}/submit", Idempotency_Key=key)
    assert (again.status, again.json["id"]) == (202, operation)
    _, events = http.follow("health.requester", operation)
    assert [each["seq"] for each in events] == sorted({each["seq"] for each in events})
    half = events[len(events) // 2]["seq"]
    rest = http.ok("health.requester", "GET", f"/operations/{operation}/events?after={half}")
    assert rest["items"] == [each for each in events if each["seq"] > half]
    order = http.ok("health.requester", "GET", path)
    assert (order["state"], order["digest"][:7]) == ("in_approval", "sha256:")
    http.facts |= {"digest": order["digest"], "planning": operation}
    # What is submitted is not planned twice, with or without a key.
    assert http.ok("health.requester", "POST", f"{path}/submit")["id"] == operation


def test_an_operation_is_streamed(http: Http) -> None:
    operation = http.fact("planning")
    polled = http.ok("health.requester", "GET", f"/operations/{operation}/events")["items"]
    streamed = http(
        "health.requester", "GET", f"/operations/{operation}/events?after=2",
        Accept="text/event-stream",
    )  # fmt: skip
    assert streamed.headers["Content-Type"].startswith("text/event-stream")
    data = [
        json.loads(line.removeprefix("data: "))
        for line in streamed.raw.decode().splitlines()
        if line.startswith("data: ")
    ]
    assert [each["seq"] for each in data if "seq" in each] == [each["seq"] for each in polled[2:]]


def test_a_neighbour_is_told_of_nothing(http: Http) -> None:
    order, digest = http.fact("order"), http.fact("digest")
    known = http("water.requester", "GET", f"/orders/{order}")
    unknown = http("water.requester", "GET", "/orders/ord_00000000000000000000000000")
    assert (known.status, unknown.status) == (404, 404)
    assert known.json["detail"] == unknown.json["detail"]
    for path in (f"/approvals/{order}", f"/operations/{http.fact('planning')}"):
        assert http("water.requester", "GET", path).status == 404
    body = {"digest": digest}
    refused = http("water.requester", "POST", f"/approvals/{order}/approve", body)
    assert refused.status in {403, 404}
    assert http.ok("water.requester", "GET", "/orders")["items"] == []


def test_only_another_approves_and_only_the_digest(http: Http) -> None:
    path = f"/approvals/{http.fact('order')}/approve"
    body = {"digest": http.fact("digest")}
    assert http("health.requester", "POST", path, body).status == 403
    wrong = http("finance.approver", "POST", path, {"digest": OTHER_DIGEST})
    assert (wrong.status, wrong.json["code"]) == (409, "needs_approval")
    assert http("finance.approver", "POST", path, {"digest": "x"}).wrong == {"digest"}
    key = str(uuid.uuid4())
    approved = http("finance.approver", "POST", path, body, Idempotency_Key=key)
    assert approved.status == 200, approved.raw
    again = http("finance.approver", "POST", path, body, Idempotency_Key=key)
    assert again.raw == approved.raw
    done, _ = http.follow("health.requester", approved.json["operation_id"])
    assert {step["state"] for step in done["steps"]} == {"succeeded"}
    order = http.ok("health.requester", "GET", f"/orders/{http.fact('order')}")
    assert order["state"] == "active"
    service = http.ok("health.requester", "GET", f"/services/{order['service']}")
    kinds = [each["type"] for each in service["resources"]]
    assert kinds.count("openstack:compute/instance:Instance") == 2
    http.facts["service"] = order["service"]
    audit = http.ok("auditor", "GET", f"/audit?subject={order['id']}&action=order.approve")["items"]
    assert len(audit) <= 1


def test_lists_are_paged_by_cursor(http: Http) -> None:
    whole = http.ok("auditor", "GET", "/audit?limit=200")["items"]
    read: list[Any] = []
    cursor = ""
    for _ in range(4):
        page = http.ok("auditor", "GET", f"/audit?limit=7{cursor}")
        read += page["items"]
        cursor = f"&cursor={page['next']}"
    seqs = [each["seq"] for each in read]
    assert len(seqs) == 28
    # Reading is not noted, so nothing came between.
    assert seqs == [each["seq"] for each in whole][:28]
    last = http.ok("health.requester", "GET", "/orders?limit=200")
    assert last["next"] is None
    assert http("auditor", "GET", "/audit?cursor=broken").status == 422
    assert http("auditor", "GET", "/audit?limit=0").status == 422


def test_a_month_passes_and_is_billed(http: Http, wanted: StoryOrder) -> None:
    http.fact("service")
    clock = http.product.platform.clock
    assert isinstance(clock, ShiftableClock)
    clock.reset()
    region = http.ok("operator", "GET", f"/regions/{wanted.region}")["id"]
    collecting = http.ok("operator", "POST", "/usage-collections", {"region": region})
    http.follow("operator", collecting["id"])
    head: dict[str, Any] = {}
    issued: dict[str, Any] = {}
    for period in (f"{MONTH.start - timedelta(days=1):%Y-%m}", f"{MONTH.start:%Y-%m}"):
        rating = http.ok("finance.approver", "POST", "/rating-runs", {"period": period})
        http.follow("finance.approver", rating["id"])
        heads = http.ok("finance.approver", "GET", f"/statements?period={period}")["items"]
        (head,) = [each for each in heads if each["path"] == "/city/health/"]
        issued = http.ok("finance.approver", "POST", f"/statements/{head['id']}/issue")
    assert http("water.requester", "GET", f"/statements/{head['id']}").status == 404
    expected = expected_statement(CITY, wanted, MONTH, NOW)
    assert Decimal(issued["total"]) == expected.total
    by_meter: dict[str, Decimal] = {}
    for line in issued["lines"]:
        meter = line["key"]["meter"]
        by_meter[meter] = by_meter.get(meter, Decimal(0)) + Decimal(line["quantity"])
    # Each window of a collection is rounded to nine decimals by itself.
    millionth = Decimal("0.000001")
    found = {meter: quantity.quantize(millionth) for meter, quantity in by_meter.items()}
    assert found == {line.meter: line.quantity.quantize(millionth) for line in expected.lines}
    line = issued["lines"][0]
    told = http.ok("health.requester", "GET", f"/statement-lines/{line['id']}/explanation")
    assert told["origin"]["order"]["id"] == http.fact("order")
    assert [each["digest"] for each in told["origin"]["approvals"]] == [http.fact("digest")]
    assert Decimal(told["evidence_quantity"]) == Decimal(line["quantity"])


def test_the_service_is_returned(http: Http) -> None:
    body = {"kind": "delete", "service": http.fact("service"), "justification": "Over."}
    order = http.ok("health.requester", "POST", "/orders", body)
    started = http.ok("health.requester", "POST", f"/orders/{order['id']}/submit")
    http.follow("health.requester", started["id"])
    planned = http.ok("health.requester", "GET", f"/orders/{order['id']}")
    approved = http.ok(
        "finance.approver", "POST", f"/approvals/{order['id']}/approve",
        {"digest": planned["digest"]},
    )  # fmt: skip
    http.follow("finance.approver", approved["operation_id"])
    standing = http.ok("health.requester", "GET", "/deployments?state=active")["items"]
    assert [each["name"] for each in standing if each["owner"] == http.fact("service")] == []
    verified = http.ok("auditor", "GET", "/audit/verification")
    assert verified["ok"]


# The description ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(http: Http) -> dict[str, Any]:
    http.token("admin")  # before generated requests to sign in come to their rate limit
    found: dict[str, Any] = http.ok("", "GET", "/openapi.json")
    return found


def test_the_description_is_valid(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    validate(described)


_CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
#: For each caller.
_SECONDS = 25
_LEAVE_OUT = ("/logout", "/me/password")


@pytest.mark.parametrize("login", [pytest.param("", marks=pytest.mark.rehearsal), "admin"])
def test_what_is_generated_from_the_description_finds_nothing(
    http: Http, described: dict[str, Any], login: str
) -> None:
    schema = schemathesis.openapi.from_dict(described)
    headers = {"Authorization": f"Bearer {http.token(login)}"} if login else {}
    found: list[str] = []
    asked = 0
    end = time.monotonic() + _SECONDS
    operations: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]
    # On a slow machine the time may be over before all were asked: then those of all areas were.
    for operation in sorted(operations, key=lambda one: zlib.crc32(one.label.encode())):
        if operation.path.endswith(_LEAVE_OUT) or time.monotonic() > end:
            continue
        asked += 1

        @settings(
            max_examples=2, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            try:
                case.call_and_validate(
                    base_url=http.product.url, headers=headers, checks=list(_CHECKS), timeout=30
                )
            except (AssertionError, schemathesis.errors.SchemathesisError, BaseExceptionGroup) as e:
                found.append(f"{case.method} {case.formatted_path}: {e}"[:2000])

        ask()
    assert found == []
    assert asked > 20
