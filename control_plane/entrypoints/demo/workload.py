"""What the chapters on bundled workloads do alike: order one, sign in, wait, see it charged.

The region is simulated, the service is not: it runs as processes of this machine.
"""

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from control_plane.demonstration.model import StoryOrder
from control_plane.entrypoints.demo.cast import Cast, Stage
from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import Failure

T = TypeVar("T")

_START_SECONDS = 90.0
_USAGE_SECONDS = 90.0
_PAUSE = 0.5


class WorkloadChapter:
    """A bundled workload that is ordered and then used.

    Args:
        stage, narrator, cast: of the story.
        subject: what titles of its chapters begin with.
        order: of the service.
        meter: what its use is billed as.
    """

    def __init__(
        self,
        stage: Stage,
        narrator: Narrator,
        cast: Cast,
        subject: str,
        order: StoryOrder,
        meter: str,
    ) -> None:
        self._stage = stage
        self._say = narrator
        self._cast = cast
        self._subject = subject
        self._order = order
        self._meter = meter

    def ordered(self) -> dict[str, Any]:
        """Order the service, have it approved and provisioned."""
        wanted = self._order
        who = self._cast.name(wanted.requester)
        with self._say.chapter(f"{self._subject}: {who} orders it"):
            order = self._cast.approve(wanted, self._cast.order(wanted))
            return self._cast.provision(wanted, order)

    def begun(self, service: Mapping[str, Any], revealer: str) -> Client:
        """Wait until it answers, and sign in as its administrator.

        Args:
            service: that was ordered.
            revealer: an account that may see its secret outputs.
        """
        title = f"{self._subject}: it starts as processes of this machine (not simulated)"
        with self._say.chapter(title):
            url = str(service["outputs"]["url"]).rstrip("/")
            platform = self._cast.client(revealer)
            shown = platform.post(f"/deployments/{service['deployment_id']}/outputs")["outputs"]
            login = {
                "login": service["outputs"]["administrator"],
                "password": shown["administrator_password"],
                "days": 1,
            }
            stranger = Client(url)
            token = self.until(
                "the service answers",
                _START_SECONDS,
                lambda: attempt(lambda: stranger.post("/login", login)),
            )
            self._say.tell(f"its pages: {url}/ (administrator; the password is an output)")
            return Client(url, token["secret"])

    def charged(
        self, service: Mapping[str, Any], unit: str, further: Mapping[str, str] | None = None
    ) -> None:
        """Wait until its use has arrived at the platform, and see it charged.

        Args:
            service: that was ordered.
            unit: of its meter, as people read it.
            further: more meters of it, by unit.
        """
        meters = {unit: self._meter, **(further or {})}
        story = self._stage.city.story
        if story is None:
            raise StoryFailedError("this city has no story")
        finance = self._cast.client(story.statement_by)
        period = f"{self._stage.now:%Y-%m}"
        with self._say.chapter(f"{self._subject}: its use arrives at the platform and is charged"):

            def arrived(meter: str) -> Decimal:
                items = finance.get("/usage", period=period)["items"]
                mine = [
                    Decimal(each["quantity"]) for each in items
                    if each["meter"] == meter and each["resource_id"] == service["id"]
                ]  # fmt: skip
                return sum(mine, Decimal(0))

            totals = {
                name: self.until(f"{name} have arrived", _USAGE_SECONDS, partial(arrived, meter))
                for name, meter in meters.items()
            }
            self._cast.follow(finance, finance.post("/rating-runs", {"period": period}))
            for name, total in totals.items():
                shown = f"{total:.4f}" if total % 1 else f"{total:.0f}"
                self._say.check_that(f"{shown} {name} are charged", total > 0)

    def until(self, what: str, seconds: float, ask: Callable[[], T | None]) -> T:
        """Ask until there is an answer.

        Raises:
            StoryFailedError: there is none in that time.
        """
        end = time.monotonic() + seconds
        while True:
            found = ask()
            if found:
                self._say.check_that(what, ok=True)
                return found
            if time.monotonic() > end:
                raise StoryFailedError(f"{what}: not within {seconds:.0f} s")
            time.sleep(_PAUSE)


def attempt(ask: Callable[[], T]) -> T | None:
    """The answer, or nothing while it fails."""
    try:
        return ask()
    except Failure:
        return None
