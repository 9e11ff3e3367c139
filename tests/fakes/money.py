"""A city with two departments, one contract and one metered region, on a real database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from control_plane.billing.model import Origin, Price, PriceBook, Terms
from control_plane.billing.service import Billing
from control_plane.billing.store import PostgresBilling
from control_plane.metering.model import Aggregation, Meter, Observation, ResourceRef
from control_plane.metering.service import Metering
from control_plane.metering.store import PostgresMetering
from foundation.kernel import ids
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.errors import Unavailable
from foundation.kernel.text import Text
from foundation.kernel.time import Interval
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from tests.conftest import SettableClock

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
HEALTH = "/city/health/"
ADMIN = Actor(
    PrincipalId("per_admin"), "admin", ActorKind.PERSON, (Grant("platform_administrator", "/"),)
)
PUSHER = Actor(PrincipalId("svc_push"), "push", ActorKind.SERVICE, (Grant("operator", "/"),))
FINANCE = Actor(PrincipalId("per_fin"), "finance", ActorKind.PERSON, (Grant("finance", "/"),))


class Directory:
    """Two resources of two departments."""

    def __init__(self) -> None:
        self.known = {
            "res_vm": ResourceRef("res_vm", "phys-vm", "ten_h", f"{HEALTH}clinics/", OCTOBER),
            "res_other": ResourceRef("res_other", None, "ten_w", "/city/water/", OCTOBER),
        }

    def resolve(self, names: Any) -> dict[str, ResourceRef]:
        by_name = dict(self.known)
        by_name |= {r.physical_id: r for r in self.known.values() if r.physical_id}
        return {name: by_name[name] for name in names if name in by_name}


class NoOrigin:
    def origin(self, resource_id: str) -> Origin:
        return Origin({"id": resource_id}, {}, {}, {}, ())


class SilentAudit:
    def record(self, actor: Actor, action: str, **details: Any) -> None:
        del actor, action, details


class Region:
    def __init__(self) -> None:
        self.down = False

    def observe(self, region_id: str, window: Interval) -> list[Observation]:
        if self.down:
            raise Unavailable(f"no answer from {region_id} for {window}")
        whole = Interval(OCTOBER + timedelta(minutes=30), None)
        return [Observation("phys-vm", "server.instance_hours", {"flavor": "m"}, Decimal(1), whole)]


class Regions:
    def __init__(self, region: Region) -> None:
        self.region = region

    def regions(self) -> list[tuple[str, datetime]]:
        return [("reg_1", OCTOBER)]

    def collector(self, region_id: str) -> Region:
        assert region_id == "reg_1"
        return self.region


def event(number: object, hours: int, *, start: datetime = OCTOBER, **data: Any) -> dict[str, Any]:
    """The CloudEvent of a server that ran for some hours."""
    return {
        "specversion": "1.0",
        "type": "dev.borough.usage.v1",
        "source": "tests",
        "id": str(number),
        "data": {
            "meter": "server.instance_hours",
            "resource": "res_vm",
            "start": start.isoformat(),
            "end": (start + timedelta(hours=hours)).isoformat(),
            "quantity": hours,
            "dimensions": {"flavor": "m"},
            **data,
        },
    }


class City:
    def __init__(self, database: Database, clock: SettableClock, *, define: bool = True) -> None:
        self.clock = clock
        self.database = database
        self.directory = Directory()
        self.operations = Operations(PostgresOperations(database), database, clock, SilentAudit())
        self.region = Region()
        self.metering = Metering(
            db=database,
            clock=clock,
            store=PostgresMetering(database),
            directory=self.directory,
            regions=Regions(self.region),
            operations=self.operations,
        )
        self.billing = Billing(
            db=database,
            clock=clock,
            store=PostgresBilling(database),
            metering=self.metering,
            provenance=NoOrigin(),
            operations=self.operations,
        )
        if define:
            self._define()

    def _define(self) -> None:
        hours = Meter(
            "server.instance_hours", Text("Server", "服务器"), "h", Aggregation.SUM, ("flavor",)
        )
        peak = Meter("disk.peak_gb", Text("Peak", "峰值"), "GBy", Aggregation.MAX)
        self.metering.define_meters(ADMIN, [hours, peak])
        self.billing.define_book(ADMIN, PriceBook("standard", Text("Standard", "标准"), "CNY"))
        self.price("1.0", {})
        self.price("0.9", {"flavor": "m"})
        self.billing.set_terms(
            Terms(HEALTH, "con_1", 1, "standard", Decimal("0.1"), Interval(OCTOBER, None))
        )

    def price(
        self, amount: str, dimensions: dict[str, str], starts: datetime = OCTOBER, why: str = "set"
    ) -> None:
        self.billing.add_prices(
            ADMIN,
            [
                Price(
                    ids.new("pri"), "standard", "server.instance_hours", dimensions,
                    Decimal(amount), starts, reason=why,
                )
            ],
        )  # fmt: skip

    def use(self, number: int, hours: int, *, start: datetime = OCTOBER, **data: Any) -> Any:
        return self.metering.ingest(PUSHER, [event(number, hours, start=start, **data)])[0]

    def statement(self, period: str = "2026-10", path: str = HEALTH) -> Any:
        (head,) = [s for s in self.billing.statements(FINANCE, period) if s.path == path]
        return self.billing.statement(FINANCE, head.id)
