"""Who acts in the story, and what several chapters do alike: an order from the wish to the end."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from control_plane.demonstration.expectations import monthly_price
from control_plane.demonstration.model import City, StoryOrder
from control_plane.entrypoints.demo.narrator import Narrator
from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import NOT_ALLOWED, ApiProblem
from foundation.surface.cli.waiting import Waiting

CENT = Decimal("0.01")


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


class Cast:
    """The people of the story, each signed in once."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage = stage
        self._say = narrator
        self._clients: dict[str, Client] = {}

    def client(self, login: str) -> Client:
        """The API as somebody."""
        if login not in self._clients:
            account = self._stage.city.account(login)
            token = Client(self._stage.url).post(
                "/login",
                {"login": login, "password": account.demonstration_password, "days": 90},
            )
            self._clients[login] = Client(self._stage.url, token["secret"])
        return self._clients[login]

    def name(self, login: str) -> str:
        """How somebody is called."""
        return self._stage.city.account(login).name.en

    def follow(self, client: Client, operation: str | Mapping[str, Any]) -> dict[str, Any]:
        """Wait for long work.

        Raises:
            Failure: it failed.
        """
        operation_id = operation if isinstance(operation, str) else str(operation["id"])
        quiet = not sys.stderr.isatty()
        done = Waiting(timeout=120, quiet=quiet).follow(client, operation_id)
        self._say.tell(f"operation {operation_id} {done['state']}")
        return done

    # --- an order -------------------------------------------------------------------------------

    def order(self, wanted: StoryOrder) -> dict[str, Any]:
        """Order it and submit it; the price is that of the files.

        Raises:
            StoryFailedError: a result is not what it must be.
        """
        offering = self._stage.city.offering(wanted.offering)
        plan = next(one for one in offering.plans if one.slug == wanted.plan)
        client = self.client(wanted.requester)
        wish = self._wish(wanted, {**plan.inputs, **wanted.inputs})
        quote = client.post("/orders/quote", wish)
        month = Decimal(quote["price"]["month"]["amount"])
        price = monthly_price(
            self._stage.city, wanted.contract, plan, wanted.inputs, self._stage.now
        )
        self._say.check("price of a month, CNY", month.quantize(CENT), price.quantize(CENT))
        draft = client.post("/orders", wish)
        self.follow(client, client.post(f"/orders/{draft['id']}/submit"))
        order: dict[str, Any] = client.get(f"/orders/{draft['id']}")
        self._say.check("state of the order", order["state"], "in_approval")
        self._say.tell(f"digest of the plan: {order['digest']}")
        return order

    def _wish(self, wanted: StoryOrder, inputs: Mapping[str, Any]) -> dict[str, Any]:
        systems = self.client(wanted.requester).items("/systems")
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

    def approve(self, wanted: StoryOrder, order: Mapping[str, Any]) -> dict[str, Any]:
        """Let those who must approve its digest, after the requester was refused.

        Raises:
            StoryFailedError: a result is not what it must be.
        """
        body = {"digest": order["digest"]}
        try:
            self.client(wanted.requester).post(f"/approvals/{order['id']}/approve", body)
            refused = False
        except ApiProblem as problem:
            refused = problem.exit_code == NOT_ALLOWED
        self._say.check_that("the requester may not approve the own order", refused)
        for login in wanted.approvers:
            client = self.client(login)
            review = client.get(f"/approvals/{order['id']}")
            self._say.tell(
                f"{self.name(login)} sees {len(review['changes'])} resources, "
                f"{_money(review['price']['month'])} a month, "
                f"{_money(review['remaining'])} left in {review['contract_number']}"
            )
            client.post(f"/approvals/{order['id']}/approve", body)
        decided = self.client(wanted.requester).get(f"/orders/{order['id']}")
        self._say.check_that("money and quota are reserved", decided["approved_at"] is not None)
        return dict(decided)

    def provision(self, wanted: StoryOrder, order: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until it is provisioned; answers the service.

        Raises:
            StoryFailedError: it is not active.
        """
        client = self.client(wanted.requester)
        self.follow(client, order["operation_id"])
        done = client.get(f"/orders/{order['id']}")
        self._say.check("state of the order", done["state"], "active")
        service: dict[str, Any] = client.get(f"/services/{done['service']}")
        return service


def _money(value: Mapping[str, Any]) -> str:
    return f"{Decimal(value['amount']):,.2f} {value['currency']}"
