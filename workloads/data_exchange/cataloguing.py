"""The part of the composition root that wires the directory."""

from dataclasses import dataclass

from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.directory.index import PostgresIndex
from workloads.data_exchange.directory.searching import Search
from workloads.data_exchange.directory.service import Directory
from workloads.data_exchange.directory.store import PostgresEntries
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Cataloguing:
    """The services of the directory in one process."""

    directory: Directory
    search: Search

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.directory, self.search)


def build_cataloguing(
    settings: Settings, base: Base, agencies: PostgresAgencies, keys: Keys
) -> Cataloguing:
    """Wire them."""
    database, clock = base.database, base.clock
    reach = NetworkPolicy(networks_of(settings.provider_networks, "provider_networks"))
    entries = PostgresEntries(database)
    directory = Directory(
        entries, database, clock, base.audit, agencies, base.secrets, keys, reach.check_url
    )
    return Cataloguing(directory, Search(PostgresIndex(database, entries), database, clock))
