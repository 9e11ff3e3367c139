"""The port for those who agree on data and hand them out: what is offered here.

``service.Directory`` is its implementation; agreements and the gateway ask nothing else of the
directory.
"""

from dataclasses import dataclass
from typing import Protocol

from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.elements import Element
from workloads.data_exchange.directory.interface import Credentials, Interface
from workloads.data_exchange.directory.model import Kind, State


@dataclass(frozen=True, slots=True)
class Offered:
    """A data set, series or service as it was published last.

    Attributes:
        path: of the agency that provides it.
        state: ``published``, ``revised`` or ``frozen`` while it is offered; a use that was agreed
            on before may have to end when it is another.
        version: of what was published; 0 when nothing ever was.
        access: ``PUBLIC``, ``RESTRICTED`` or ``NON_PUBLIC``.
        elements: the fields of a data set's records; none of a service.
        serves: ids of the data sets that a service gives.
        interface: how a service is called; None of a data set.
        harvested: whether it belongs to another platform and is only shown here: it cannot be
            called through this exchange.
    """

    id: str
    kind: Kind
    path: str
    level: Level
    state: State
    version: int
    title: Text
    access: str
    legal_basis: str
    elements: tuple[Element, ...]
    serves: tuple[str, ...]
    interface: Interface | None
    harvested: bool

    @property
    def available(self) -> bool:
        """Whether a new agreement may be made about it."""
        return self.state.shown and not self.harvested and self.access != "NON_PUBLIC"


class Offers(Protocol):
    """What is offered; for services, not for people: it authorises nobody."""

    def find(self, entry_id: str) -> Offered | None:
        """A data set or service by id; None when none was published, or it was destroyed."""
        ...

    def services_of(self, dataset_id: str) -> list[Offered]:
        """The services that give a data set and are offered now, by id."""
        ...

    def credentials(self, service_id: str) -> Credentials | None:
        """With what a service's provider is asked; None when there is no such service.

        Raises:
            SecretError: what is kept does not open.
        """
        ...
