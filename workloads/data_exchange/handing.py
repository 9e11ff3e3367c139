"""The wiring of what is handed out here itself: batches of files, and events."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel.actor import Actor
from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.operations.jobs import Job, Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agreements.contracts.service import Agreements
from workloads.data_exchange.agreements.ports import Catalogue
from workloads.data_exchange.events.delivering import Delivering
from workloads.data_exchange.events.front import EventFront, Shapers
from workloads.data_exchange.events.service import Topics
from workloads.data_exchange.events.store import PostgresEvents
from workloads.data_exchange.events.subscribing import Parts as EventParts
from workloads.data_exchange.events.subscribing import Subscriptions
from workloads.data_exchange.gateway.ports import Front
from workloads.data_exchange.gateway.process import Hall
from workloads.data_exchange.gateway.upstream import Upstream
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.transfers import jobs as transfer_jobs
from workloads.data_exchange.transfers.checking import Checking, Reading
from workloads.data_exchange.transfers.folder import FolderStore
from workloads.data_exchange.transfers.front import TransferFront
from workloads.data_exchange.transfers.nowhere import Nowhere
from workloads.data_exchange.transfers.ports import Store
from workloads.data_exchange.transfers.service import Batches
from workloads.data_exchange.transfers.service import Parts as BatchParts
from workloads.data_exchange.transfers.store import PostgresBatches
from workloads.data_exchange.transfers.tus import Tus
from workloads.data_exchange.transfers.uploads import Uploads

_FORGET_SECONDS = 300.0
#: For demonstrations: this machine and private networks.
_LOCAL = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"


@dataclass(frozen=True, slots=True)
class Handing:
    """The services of transfers and events."""

    batches: Batches
    uploads: Uploads
    checking: Checking
    reading: Reading
    topics: Topics
    subscriptions: Subscriptions
    bearer: Callable[[str], Actor]
    reach: NetworkPolicy

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.batches, self.topics, self.subscriptions)

    def handlers(self) -> dict[str, Job]:
        """The long work of a worker, by its kind."""
        return transfer_jobs.handlers(self.checking)

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return [
            *transfer_jobs.schedules(self.checking, self.uploads),
            Schedule("events.forget", _FORGET_SECONDS, self.topics.forget),
        ]

    def fronts(self) -> list[Callable[[Hall], Front]]:
        """What a gateway answers besides calls."""

        def transfers(hall: Hall) -> Front:
            tus = Tus(self.uploads, self.bearer, hall.url)
            return TransferFront(hall.entrance, self.batches, self.reading, tus)

        def events(hall: Hall) -> Front:
            shapers = Shapers(hall.secret)
            # Web-hooks have connections of their own: a slow one keeps no provider waiting.
            upstream = Upstream(permits=self.reach.permits)
            return EventFront(
                hall.entrance, self.topics, self.subscriptions, self.bearer, shapers,
                Delivering(hall.entrance, self.subscriptions, shapers, upstream, hall.clock),
            )  # fmt: skip

        return [transfers, events]


def handing(
    settings: Settings, base: Base, keys: Keys, agreements: Agreements, catalogue: Catalogue
) -> Handing:
    """Transfers and events on a database."""
    database, clock, audit = base.database, base.clock, base.audit
    rows, segments = PostgresBatches(database), store_of(settings)
    parts = BatchParts(
        rows, database, clock, audit, agreements, keys, base.operations, segments.why_not()
    )
    batches = Batches(parts)
    events = PostgresEvents(database)
    reach, schemes = _reach(settings)
    return Handing(
        batches,
        Uploads(rows, segments, database, clock, audit, settings.transfer_quota),
        Checking(batches, rows, segments, database, clock),
        Reading(rows, segments, database),
        Topics(events, database, clock, audit, catalogue),
        Subscriptions(
            EventParts(
                events,
                database,
                clock,
                audit,
                agreements,
                base.secrets,
                lambda url, name: reach.check_url(url, schemes, name),
            )
        ),
        lambda token: base.authenticator.by_token(token).actor,
        reach,
    )


def _reach(settings: Settings) -> tuple[NetworkPolicy, tuple[str, ...]]:
    """Where web-hooks may lie, and how they may be asked."""
    if settings.local_providers:
        return NetworkPolicy(networks_of(_LOCAL, "local_providers")), ("https", "http")
    nets = networks_of(settings.provider_networks, "provider_networks")
    return NetworkPolicy(nets), ("https",)


def store_of(settings: Settings) -> Store:
    """Where segments lie, as the settings say."""
    if not settings.transfers:
        return Nowhere()
    if settings.transfer_s3_endpoint:
        # The client is loaded by those who use it.
        from workloads.data_exchange.transfers.s3 import Bucket, S3Store  # noqa: PLC0415

        return S3Store(
            Bucket(
                settings.transfer_s3_endpoint, settings.transfer_s3_bucket,
                settings.transfer_s3_access_key, settings.transfer_s3_secret_key,
                settings.transfer_s3_region,
            )
        )  # fmt: skip
    folder = settings.transfer_folder
    return FolderStore(
        Path(folder) if folder else settings.home / "transfers", settings.transfer_reserve
    )
