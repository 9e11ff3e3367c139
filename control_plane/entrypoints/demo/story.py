"""The story of one order, played through the API as its people would.

The order is placed shortly before the last month begins, on a clock that was shifted; then the
clock is set right, so that a whole month of usage lies behind it.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from control_plane.demonstration.expectations import (
    expected_statement,
    monthly_price,
    usage_window,
)
from control_plane.demonstration.model import City, Story, StoryOrder
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import NOT_ALLOWED, ApiProblem
from foundation.surface.cli.waiting import Waiting

_CENT = Decimal("0.01")
#: The order is placed so long before the month whose usage is billed.
_BEFORE = timedelta(days=2, hours=15)
_KINDS = {
    "openstack:compute/instance:Instance": "server",
    "openstack:blockstorage/volume:Volume": "volume",
    "openstack:loadbalancer/loadBalancer:LoadBalancer": "load_balancer",
    "openstack:networking/secGroup:SecGroup": "security_group",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story plays.

    Attributes:
        url: of the web process.
        now: the true present, from which the city's months are counted.
        set_right: sets the platform's clock to the true time.
    """

    url: str
    city: City
    now: datetime
    set_right: Callable[[], None]


def begins_at(city: City, now: datetime) -> datetime:
    """When the order is placed, seen from the true present."""
    return usage_window(city, now).start - _BEFORE


def play(stage: Stage, narrator: Narrator) -> None:
    """Play the city's story.

    Raises:
        StoryFailedError: a result is not what it must be.
        Failure: the platform refused something.
    """
    if stage.city.story is None:
        raise StoryFailedError("this city has no story")
    for order in stage.city.story.orders:
        _Play(stage, narrator, stage.city.story, order).run()


class _Play:
    def __init__(self, stage: Stage, narrator: Narrator, story: Story, order: StoryOrder) -> None:
        self._stage = stage
        self._say = narrator
        self._story = story
        self._wanted = order
        self._clients: dict[str, Client] = {}
        self._window = usage_window(stage.city, stage.now)

    def run(self) -> None:
        order = self._order()
        order = self._approve(order)
        self._provision(order)
        self._stage.set_right()
        statement = self._bill()
        self._explain(statement, order)
        self._audit()

    # --- who acts -------------------------------------------------------------------------------

    def _as(self, login: str) -> Client:
        if login not in self._clients:
            account = self._stage.city.account(login)
            token = Client(self._stage.url).post(
                "/login",
                {"login": login, "password": account.demonstration_password, "days": 90},
            )
            self._clients[login] = Client(self._stage.url, token["secret"])
        return self._clients[login]

    def _name(self, login: str) -> str:
        return self._stage.city.account(login).name.en

    # --- chapters -------------------------------------------------------------------------------

    def _order(self) -> dict[str, Any]:
        wanted = self._wanted
        offering = self._stage.city.offering(wanted.offering)
        plan = next(one for one in offering.plans if one.slug == wanted.plan)
        client = self._as(wanted.requester)
        with self._say.chapter(f"1. {self._name(wanted.requester)} orders: {offering.name.en}"):
            wish = self._wish({**plan.inputs, **wanted.inputs})
            quote = client.post("/orders/quote", wish)
            month = Decimal(quote["price"]["month"]["amount"])
            price = monthly_price(
                self._stage.city, wanted.contract, plan, wanted.inputs, self._stage.now
            )
            self._say.check("price of a month, CNY", month.quantize(_CENT), price.quantize(_CENT))
            draft = client.post("/orders", wish)
            self._follow(client, client.post(f"/orders/{draft['id']}/submit"))
            order: dict[str, Any] = client.get(f"/orders/{draft['id']}")
            self._say.check("state of the order", order["state"], "in_approval")
            self._say.tell(f"digest of the plan: {order['digest']}")
        return order

    def _wish(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        wanted = self._wanted
        systems = self._as(wanted.requester).items("/systems")
        system = next(one["id"] for one in systems if one["slug"] == wanted.system)
        return {
            "kind": "apply",
            "offering": wanted.offering,
            "plan": wanted.plan,
            "tenancy": wanted.tenancy,
            "region": wanted.region,
            "name": wanted.name,
            "inputs": dict(inputs),
            "system": system,
            "contract": wanted.contract,
            "justification": wanted.justification.en,
        }

    def _approve(self, order: Mapping[str, Any]) -> dict[str, Any]:
        body = {"digest": order["digest"]}
        with self._say.chapter("2. Others approve the digest of the plan"):
            try:
                self._as(self._wanted.requester).post(f"/approvals/{order['id']}/approve", body)
                refused = False
            except ApiProblem as problem:
                refused = problem.exit_code == NOT_ALLOWED
            self._say.check_that("the requester may not approve the own order", refused)
            for login in self._wanted.approvers:
                client = self._as(login)
                review = client.get(f"/approvals/{order['id']}")
                self._say.tell(
                    f"{self._name(login)} sees {len(review['changes'])} resources, "
                    f"{_money(review['price']['month'])} a month, "
                    f"{_money(review['remaining'])} left in {review['contract_number']}"
                )
                client.post(f"/approvals/{order['id']}/approve", body)
            decided = self._as(self._wanted.requester).get(f"/orders/{order['id']}")
            self._say.check_that("money and quota are reserved", decided["approved_at"] is not None)
        return dict(decided)

    def _provision(self, order: Mapping[str, Any]) -> None:
        client = self._as(self._wanted.requester)
        with self._say.chapter("3. It is provisioned in the embedded region (simulated)"):
            self._follow(client, order["operation_id"])
            done = client.get(f"/orders/{order['id']}")
            self._say.check("state of the order", done["state"], "active")
            service = client.get(f"/services/{done['service']}")
            made = Counter(
                _KINDS[each["type"]] for each in service["resources"] if each["type"] in _KINDS
            )
            # Adding nothing to a counter leaves out what it counts zero of.
            expected = Counter(self._wanted.expected.resources) + Counter()
            self._say.check("resources", made, expected)
            for name, value in service["outputs"].items():
                self._say.tell(f"{name}: {value}")

    def _bill(self) -> dict[str, Any]:
        finance = self._as(self._story.statement_by)
        period = f"{self._window.start:%Y-%m}"
        with self._say.chapter(f"4. The month {period} has passed: usage, charges, statement"):
            operator = self._as("operator")
            region = operator.get(f"/regions/{self._wanted.region}")
            collection = operator.post("/usage-collections", {"region": region["id"]})
            done = self._follow(operator, collection)
            self._say.check_that(
                f"usage was collected: {done['result']['events']} events",
                done["result"]["events"] > 0,
            )
            before = f"{self._window.start - timedelta(days=1):%Y-%m}"
            self._issue(finance, before)
            statement = self._issue(finance, period)
            expected = expected_statement(
                self._stage.city, self._wanted, self._window, self._stage.now
            )
            self._say.check(
                f"total of {statement['number']}, {statement['currency']}",
                Decimal(statement["total"]).quantize(_CENT), expected.total,
            )  # fmt: skip
            lines = sum((Decimal(line["amount"]) for line in statement["lines"]), Decimal(0))
            self._say.check("its lines add up", lines.quantize(_CENT), expected.total)
        return statement

    def _issue(self, finance: Client, period: str) -> dict[str, Any]:
        self._follow(finance, finance.post("/rating-runs", {"period": period}))
        path = self._stage.city.path(self._department())
        heads = finance.get("/statements", period=period)["items"]
        head = next((one for one in heads if one["path"] == path), None)
        if head is None:
            raise StoryFailedError(f"there is no statement of {path} for {period}")
        issued: dict[str, Any] = finance.post(f"/statements/{head['id']}/issue")
        self._say.tell(
            f"{issued['number']}: {period}, {len(issued['lines'])} lines, "
            f"{issued['total']} {issued['currency']}"
        )
        return issued

    def _department(self) -> str:
        return self._stage.city.contract(self._wanted.contract).organisation

    def _explain(self, statement: Mapping[str, Any], order: Mapping[str, Any]) -> None:
        with self._say.chapter("5. One line is explained, back to the approval"):
            line = next(
                one for one in statement["lines"]
                if one["key"]["meter"] == self._story.explain_meter
            )  # fmt: skip
            told = self._as(self._story.statement_by).get(
                f"/statement-lines/{line['id']}/explanation"
            )
            origin = told["origin"]
            self._say.tell(
                f"{line['amount']} {statement['currency']} = {line['quantity']} × "
                f"{line['key']['unit_price']} ← {told['charge_count']} charges ← "
                f"{told['evidence_count']} hourly records"
            )
            self._say.check(
                "hours of the records and of the line",
                Decimal(told["evidence_quantity"]), Decimal(line["quantity"]),
            )  # fmt: skip
            self._say.check("it comes from the order", origin["order"].get("id"), order["id"])
            self._say.check(
                "under the contract", origin["contract"].get("number"), self._wanted.contract
            )
            digests = {approval.get("digest") for approval in origin["approvals"]}
            self._say.check("approved by digest", digests, {order["digest"]})

    def _audit(self) -> None:
        with self._say.chapter("6. The audit log is verified"):
            found = self._as(self._story.auditor).get("/audit/verification")
            self._say.check_that(f"the chain of {found['entries']} entries is whole", found["ok"])

    # --- long work ------------------------------------------------------------------------------

    def _follow(self, client: Client, operation: str | Mapping[str, Any]) -> dict[str, Any]:
        operation_id = operation if isinstance(operation, str) else str(operation["id"])
        quiet = not sys.stderr.isatty()
        done = Waiting(timeout=120, quiet=quiet).follow(client, operation_id)
        self._say.tell(f"operation {operation_id} {done['state']}")
        return done


def _money(value: Mapping[str, Any]) -> str:
    return f"{Decimal(value['amount']):,.2f} {value['currency']}"
