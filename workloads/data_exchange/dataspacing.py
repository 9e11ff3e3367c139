"""The part of the composition root that wires the dataspace."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.operations.jobs import Schedule
from foundation.serving.base import Base
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.agreeing import Agreeing
from workloads.data_exchange.dataspace import acting, receiving
from workloads.data_exchange.dataspace.acting import Dataspace
from workloads.data_exchange.dataspace.catalog import Offering
from workloads.data_exchange.dataspace.elsewhere.service import Elsewhere
from workloads.data_exchange.dataspace.elsewhere.store import PostgresElsewhere
from workloads.data_exchange.dataspace.flow import Flow
from workloads.data_exchange.dataspace.model import PATH
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.receiving import Receiving
from workloads.data_exchange.dataspace.sending import Access, Sender
from workloads.data_exchange.dataspace.store import PostgresDataspace
from workloads.data_exchange.dataspace.wire import HttpWire
from workloads.data_exchange.keys.service import Keys
from workloads.data_exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Dataspacing:
    """The services of the dataspace in one process."""

    participants: Participants
    dataspace: Dataspace
    receiving: Receiving
    offering: Offering
    elsewhere: Elsewhere
    sender: Sender

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (
            self.participants, self.dataspace, self.receiving, self.offering, self.elsewhere,
        )  # fmt: skip

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return self.sender.schedules()


def dataspacing(
    settings: Settings, base: Base, agencies: PostgresAgencies, keys: Keys, agreed: Agreeing
) -> Dataspacing:
    """Wire them."""
    database, clock = base.database, base.clock
    root = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    own = settings.participant or f"urn:borough:exchange:{urlsplit(root).netloc}"
    gateway = settings.gateway_url.rstrip("/")
    gateway = gateway or f"http://{settings.host}:{settings.gateway_port}"
    here = root + PATH
    store = PostgresDataspace(database)
    wire = HttpWire(NetworkPolicy(networks_of(settings.provider_networks, "provider_networks")))
    participants = Participants(store, database, clock, base.audit, agencies, keys, wire, own)
    flow = Flow(store, clock, agreed.agreements, agreed.catalogue, keys, own)
    known = PostgresElsewhere(database)
    access = Access(agreed.agreements, agreed.grants, keys, clock, gateway, root)
    return Dataspacing(
        participants,
        Dataspace(
            acting.Parts(
                store, database, clock, base.audit, agencies, agreed.catalogue, participants,
                known, base.secrets, here,
            ),
            flow,
        ),
        Receiving(
            receiving.Parts(
                store, database, clock, participants, agreed.agreements, base.secrets
            ),
            flow,
        ),
        Offering(store, agreed.catalogue, database, own, here),
        Elsewhere(known, database, clock, base.audit, wire, participants),
        Sender(store, database, clock, wire, participants, access),
    )  # fmt: skip
