"""The wiring of requests, agreements and grants."""

from dataclasses import dataclass

from foundation.kernel.outbox import Outbox
from foundation.operations.jobs import Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.agreements.calendar.store import PostgresCalendar
from workloads.data_exchange.agreements.contracts import service as contracts
from workloads.data_exchange.agreements.contracts.service import Agreements
from workloads.data_exchange.agreements.contracts.store import PostgresAgreements
from workloads.data_exchange.agreements.grants.service import Grants
from workloads.data_exchange.agreements.ports import Catalogue
from workloads.data_exchange.agreements.requests import service as requests
from workloads.data_exchange.agreements.requests.clocks import Clocks
from workloads.data_exchange.agreements.requests.service import Requests
from workloads.data_exchange.agreements.requests.store import PostgresRequests
from workloads.data_exchange.keys.service import Keys

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Agreeing:
    """The services of agreements."""

    catalogue: Catalogue
    calendar: Calendar
    requests: Requests
    clocks: Clocks
    agreements: Agreements
    grants: Grants

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.calendar, self.requests, self.agreements, self.grants)

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return [
            Schedule("agreements.overdue", _SECONDS, self.clocks.escalate),
            Schedule("agreements.ended", _SECONDS, self.agreements.end),
        ]


def agreeing(
    base: Base, outbox: Outbox, keys: Keys, agencies: PostgresAgencies, catalogue: Catalogue
) -> Agreeing:
    """Requests, agreements and grants on a database.

    Args:
        base: what all products stand on.
        outbox: where it is told what happens.
        keys: of agencies and of the exchange.
        agencies: the tree of agencies.
        catalogue: what is published.
    """
    database, clock, audit = base.database, base.clock, base.audit
    calendar = Calendar(PostgresCalendar(database), database, audit)
    agreements = Agreements(
        contracts.Parts(PostgresAgreements(database), database, clock, audit, outbox, keys)
    )
    kept = PostgresRequests(database)
    clocks = Clocks(kept, database, clock, audit, outbox, calendar)
    asked = Requests(
        requests.Parts(
            kept, database, clock, audit, outbox, calendar, catalogue,
            agencies, agreements,
        )
    )  # fmt: skip
    grants = Grants(agreements, keys, database, clock, audit)
    return Agreeing(catalogue, calendar, asked, clocks, agreements, grants)
