"""The part of the composition root that wires the directory."""

from dataclasses import dataclass

from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.operations.jobs import Job, Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.directory.catalogue import Catalogue
from workloads.data_exchange.directory.index import PostgresIndex
from workloads.data_exchange.directory.searching import Search
from workloads.data_exchange.directory.service import Directory
from workloads.data_exchange.directory.store import PostgresCatalogs, PostgresEntries
from workloads.data_exchange.harvesting import jobs
from workloads.data_exchange.harvesting.fetch import HttpFetcher
from workloads.data_exchange.harvesting.reading import Reading
from workloads.data_exchange.harvesting.service import Harvesting
from workloads.data_exchange.harvesting.store import PostgresSources
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.usage.model import DATASET_HOURS
from workloads.data_exchange.usage.service import Usage

_COUNT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Cataloguing:
    """The services of the directory in one process."""

    directory: Directory
    search: Search
    catalogue: Catalogue
    harvesting: Harvesting
    reading: Reading
    usage: Usage

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.directory, self.search, self.catalogue, self.harvesting)

    def handlers(self) -> dict[str, Job]:
        """The long work of a worker, by its kind."""
        return jobs.handlers(self.harvesting, self.reading)

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        standing = Schedule("exchange.datasets", _COUNT_SECONDS, self.count_datasets)
        return [*jobs.schedules(self.harvesting), standing]

    def count_datasets(self) -> None:
        """Count the hours of the city's own published data sets, which are sold by them."""
        self.usage.note_standing(DATASET_HOURS, self.directory.standing)


def build_cataloguing(
    settings: Settings, base: Base, agencies: PostgresAgencies, keys: Keys, usage: Usage
) -> Cataloguing:
    """Wire them."""
    database, clock = base.database, base.clock
    reach = NetworkPolicy(networks_of(settings.provider_networks, "provider_networks"))
    entries = PostgresEntries(database)
    directory = Directory(
        entries, database, clock, base.audit, agencies, base.secrets, keys, reach.check_url
    )
    catalogs, sources = PostgresCatalogs(database), PostgresSources(database)
    fetcher = HttpFetcher(reach)
    return Cataloguing(
        directory,
        Search(PostgresIndex(database, entries), database, clock),
        Catalogue(entries, catalogs, agencies, database),
        Harvesting(
            sources,
            catalogs,
            entries,
            agencies,
            database,
            clock,
            base.audit,
            base.secrets,
            base.operations,
            reach.check_url,
        ),
        Reading(sources, entries, database, clock, base.secrets, fetcher),
        usage,
    )
