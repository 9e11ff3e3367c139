"""The story of one order, played through the API as its people would.

The order is placed shortly before the last month begins, on a clock that was shifted; then the
clock is set right, so that a whole month of usage lies behind it.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from control_plane.demonstration.expectations import (
    expected_statement,
    usage_window,
)
from control_plane.demonstration.model import City, Story, StoryOrder
from control_plane.entrypoints.demo.cast import CENT, Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from foundation.surface.cli.client import Client

#: The order is placed so long before the month whose usage is billed.
_BEFORE = timedelta(days=2, hours=15)
_KINDS = {
    "openstack:compute/instance:Instance": "server",
    "openstack:blockstorage/volume:Volume": "volume",
    "openstack:loadbalancer/loadBalancer:LoadBalancer": "load_balancer",
    "openstack:networking/secGroup:SecGroup": "security_group",
}


def begins_at(city: City, now: datetime) -> datetime:
    """When the order is placed, seen from the true present."""
    return usage_window(city, now).start - _BEFORE


def play(stage: Stage, narrator: Narrator, cast: Cast) -> None:
    """Play the order of the city's story.

    Raises:
        StoryFailedError: a result is not what it must be.
        Failure: the platform refused something.
    """
    if stage.city.story is None:
        raise StoryFailedError("this city has no story")
    for order in stage.city.story.orders:
        _Play(stage, narrator, cast, stage.city.story, order).run()


class _Play:
    def __init__(
        self, stage: Stage, narrator: Narrator, cast: Cast, story: Story, order: StoryOrder
    ) -> None:
        self._stage = stage
        self._say = narrator
        self._story = story
        self._wanted = order
        self._cast = cast
        self._window = usage_window(stage.city, stage.now)

    def run(self) -> None:
        order = self._order()
        order = self._approve(order)
        self._provision(order)
        self._stage.set_right()
        statement = self._bill()
        self._explain(statement, order)
        self._audit()

    # --- chapters -------------------------------------------------------------------------------

    def _order(self) -> dict[str, Any]:
        offering = self._stage.city.offering(self._wanted.offering)
        who = self._cast.name(self._wanted.requester)
        with self._say.chapter(f"1. {who} orders: {offering.name.en}"):
            return self._cast.order(self._wanted)

    def _approve(self, order: Mapping[str, Any]) -> dict[str, Any]:
        with self._say.chapter("2. Others approve the digest of the plan"):
            return self._cast.approve(self._wanted, order)

    def _provision(self, order: Mapping[str, Any]) -> None:
        with self._say.chapter("3. It is provisioned in the embedded region (simulated)"):
            service = self._cast.provision(self._wanted, order)
            made = Counter(
                _KINDS[each["type"]] for each in service["resources"] if each["type"] in _KINDS
            )
            # Adding nothing to a counter leaves out what it counts zero of.
            expected = Counter(self._wanted.expected.resources) + Counter()
            self._say.check("resources", made, expected)
            for name, value in service["outputs"].items():
                self._say.tell(f"{name}: {value}")

    def _bill(self) -> dict[str, Any]:
        finance = self._cast.client(self._story.statement_by)
        period = f"{self._window.start:%Y-%m}"
        with self._say.chapter(f"4. The month {period} has passed: usage, charges, statement"):
            operator = self._cast.client("operator")
            region = operator.get(f"/regions/{self._wanted.region}")
            collection = operator.post("/usage-collections", {"region": region["id"]})
            done = self._cast.follow(operator, collection)
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
                Decimal(statement["total"]).quantize(CENT), expected.total,
            )  # fmt: skip
            lines = sum((Decimal(line["amount"]) for line in statement["lines"]), Decimal(0))
            self._say.check("its lines add up", lines.quantize(CENT), expected.total)
        return statement

    def _issue(self, finance: Client, period: str) -> dict[str, Any]:
        self._cast.follow(finance, finance.post("/rating-runs", {"period": period}))
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
            told = self._cast.client(self._story.statement_by).get(
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
            found = self._cast.client(self._story.auditor).get("/audit/verification")
            self._say.check_that(f"the chain of {found['entries']} entries is whole", found["ok"])
