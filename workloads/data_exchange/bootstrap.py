"""The composition root: the one place that knows which adapter stands behind which port."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from foundation.access.service import People
from foundation.adapters.clock import SystemClock
from foundation.kernel.database import Database
from foundation.kernel.outbox import Outbox
from foundation.kernel.time import Clock
from foundation.operations.jobs import Job, Schedule, relay
from foundation.serving.base import Base, build_base, open_database
from foundation.serving.base import database_is_current as is_current
from foundation.serving.base import upgrade_database as upgrade
from foundation.usage.platform import platform_of
from foundation.usage.store import PostgresTold
from foundation.usage.telling import Telling
from foundation.usage.telling import schedules as telling_schedules
from workloads.data_exchange import PRODUCT
from workloads.data_exchange.agencies.service import Agencies
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.agreeing import Agreeing, agreeing
from workloads.data_exchange.agreements.ports import Catalogue
from workloads.data_exchange.agreements.published import Published
from workloads.data_exchange.cataloguing import Cataloguing, build_cataloguing
from workloads.data_exchange.checks.ports import Registries
from workloads.data_exchange.checks.service import Checks
from workloads.data_exchange.dataspacing import Dataspacing, dataspacing
from workloads.data_exchange.gateway.offered import OfferedServices
from workloads.data_exchange.gateway.ports import Source
from workloads.data_exchange.gateway.sources import Reading
from workloads.data_exchange.handing import Handing, handing
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.keys.store import PostgresKeys
from workloads.data_exchange.ledger.service import Ledger
from workloads.data_exchange.licensing import Licensing, licensing
from workloads.data_exchange.lottery.checking import ByChecks, judge_by_checks
from workloads.data_exchange.lottery.drawing import Draws
from workloads.data_exchange.lottery.service import Lotteries
from workloads.data_exchange.lottery.store import PostgresLotteries
from workloads.data_exchange.migrations import SCHEMA
from workloads.data_exchange.receipts import jobs as receipt_jobs
from workloads.data_exchange.receipts.service import Receipts
from workloads.data_exchange.receipts.store import PostgresReceipts
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.tracking import Tracking, tracking
from workloads.data_exchange.usage.service import TOPIC, Usage
from workloads.data_exchange.usage.store import PostgresUsage, told_table
from workloads.data_exchange.verifying import Verifying, build_verifying

#: The role that somebody always has on everything.
ADMINISTRATOR = "exchange_administrator"


@dataclass(frozen=True, slots=True)
class Exchange:
    """The services of one process; ``open_exchange`` makes and ends it."""

    settings: Settings
    base: Base
    outbox: Outbox
    people: People
    agencies: Agencies
    keys: Keys
    usage: Usage
    cataloguing: Cataloguing
    agreeing: Agreeing
    receipts: Receipts
    tracking: Tracking
    source: Source
    lotteries: Lotteries
    draws: Draws
    verifying: Verifying
    licensing: Licensing
    handing: Handing
    dataspacing: Dataspacing

    @property
    def checks(self) -> Checks:
        """Scenarios and checks."""
        return self.verifying.checks

    @property
    def ledger(self) -> Ledger:
        """Who asked what about whom."""
        return self.verifying.ledger

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.base.audit, self.base.gate, self.base.operations, self.people, self.agencies,
            self.keys, self.usage, self.receipts, *self.cataloguing.services,
            *self.agreeing.services, *self.tracking.services, self.lotteries, self.draws,
            *self.verifying.services, *self.licensing.services, *self.handing.services,
            *self.dataspacing.services,
        )  # fmt: skip

    def handlers(self) -> dict[str, Job]:
        """The long work that a worker does, by its kind."""
        return {**self.cataloguing.handlers(), **self.handing.handlers()}

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        telling, seconds = self.usage.telling, float(max(1, self.settings.usage_seconds))
        return [
            relay(self.outbox, self.base.database, [telling.receive]),
            *self.verifying.schedules(),
            *telling_schedules(telling, self.usage.tell, seconds),
            *self.cataloguing.schedules(),
            *self.agreeing.schedules(),
            *self.handing.schedules(),
            *self.dataspacing.schedules(),
            *receipt_jobs.schedules(self.receipts),
            *self.tracking.schedules(),
            *self.licensing.schedules(),
            Schedule("lottery.expire", 30.0, self.draws.expire),
        ]


@contextlib.contextmanager
def open_exchange(
    settings: Settings,
    *,
    upgrade: bool = True,
    clock: Clock | None = None,
    catalogue: Catalogue | None = None,
    registries: Registries | None = None,
) -> Iterator[Exchange]:
    """The services of this process, until the end of the block.

    Args:
        settings: of this process.
        upgrade: bring the database to the newest schema first.
        clock: the system's if left out.
        catalogue: what is offered; else what the directory has published.
        registries: whom checks ask; else those that the gateway reaches.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    with open_database(settings) as database:
        if upgrade:
            SCHEMA.upgrade(database)
        yield build(settings, database, clock or SystemClock(), catalogue, registries)


def build(
    settings: Settings,
    database: Database,
    clock: Clock,
    catalogue: Catalogue | None = None,
    registries: Registries | None = None,
) -> Exchange:
    """All services on a database; what is offered is what the directory has published."""
    base = build_base(settings, database, clock)
    places, outbox = PostgresAgencies(database), Outbox(database, clock)
    keys = Keys(PostgresKeys(database), database, clock, base.audit, places, base.secrets)
    telling = Telling(
        PostgresTold(database, told_table), database, clock, outbox, program=PRODUCT.program,
        topic=TOPIC, resource=settings.platform_resource, platform=platform_of(settings),
    )  # fmt: skip
    usage = Usage(PostgresUsage(database), database, clock, telling)
    cataloguing = build_cataloguing(settings, base, places, keys, usage)
    published = Published(cataloguing.directory)
    agreed = agreeing(base, outbox, keys, places, catalogue or published)
    lotteries = PostgresLotteries(database)
    tracked = tracking(settings, base)
    verifying = build_verifying(
        settings, base, outbox, places, keys, cataloguing.directory, agreed, usage, registries
    )
    judging = ByChecks(verifying.checks, verifying.consents)
    holding = Lotteries(lotteries, database, clock, base.audit, places, keys, base.secrets, judging)
    judge_by_checks(verifying.checks, holding)
    return Exchange(
        settings,
        base,
        outbox,
        base.people(places, ADMINISTRATOR),
        Agencies(places, database, base.audit),
        keys,
        usage,
        cataloguing,
        agreed,
        Receipts(
            PostgresReceipts(database), database, clock, keys, base.audit, usage, tracked.flows
        ),
        tracked,
        Reading(agreed.agreements, OfferedServices(cataloguing.directory), keys, clock),
        holding,
        Draws(lotteries, database, clock, base.audit, keys),
        verifying,
        licensing(base, keys, places, usage, settings.licence_status_seconds),
        handing(settings, base, keys, agreed.agreements, agreed.catalogue),
        dataspacing(settings, base, places, keys, agreed),
    )


def add_administrator(settings: Settings, login: str, name: str, password: str) -> None:
    """Add a person with all rights.

    Raises:
        Invalid: names every wrong field.
        Conflict: the login is taken.
        Unavailable: the embedded database cannot be started.
    """
    with open_exchange(settings) as exchange:
        exchange.people.add_administrator(login, name, password)


def upgrade_database(settings: Settings) -> str:
    """Bring the database to the newest schema; answers what was done, for people.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    return upgrade(settings, SCHEMA)


def database_is_current(settings: Settings) -> bool:
    """Whether the database has the newest schema.

    Raises:
        Unavailable: the embedded database cannot be started.
    """
    return is_current(settings, SCHEMA)
