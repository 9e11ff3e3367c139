"""The wiring of licences."""

from dataclasses import dataclass
from datetime import timedelta

from foundation.operations.jobs import Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.licences.desk import Desk
from workloads.data_exchange.licences.kinds import LicenceTypes
from workloads.data_exchange.licences.offers import Offers
from workloads.data_exchange.licences.publishing import Publishing
from workloads.data_exchange.licences.service import Licences
from workloads.data_exchange.licences.store import PostgresLicences
from workloads.data_exchange.usage.service import Usage

_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Licensing:
    """The services of licences."""

    types: LicenceTypes
    licences: Licences
    offers: Offers
    publishing: Publishing
    desk: Desk

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.types, self.licences, self.offers, self.publishing, self.desk)

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return [Schedule("licences.tidy", _SECONDS, self.licences.tidy)]


def licensing(
    base: Base, keys: Keys, agencies: PostgresAgencies, usage: Usage, seconds: int
) -> Licensing:
    """Licences on a database.

    Args:
        base: what all products stand on.
        keys: of agencies.
        agencies: the tree of agencies.
        usage: counts what is issued and verified.
        seconds: how long verifiers may keep a status list.
    """
    database, clock, audit = base.database, base.clock, base.audit
    store, ttl = PostgresLicences(database), timedelta(seconds=max(1, seconds))
    publishing = Publishing(store, database, clock, agencies, keys, ttl)
    return Licensing(
        LicenceTypes(store, database, clock, audit, agencies),
        Licences(store, database, clock, audit, keys, base.secrets),
        Offers(store, database, clock, audit, keys, base.secrets, usage),
        publishing,
        Desk(store, database, clock, audit, agencies, publishing, usage),
    )
