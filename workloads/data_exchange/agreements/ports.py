"""What agreements need of the outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from foundation.kernel.text import Text
from workloads.data_exchange.directory.elements import Element
from workloads.data_exchange.keys.ports import Audit, Book, Work

__all__ = ["Audit", "Book", "Catalogue", "Offered", "Outbox", "Work"]


@dataclass(frozen=True, slots=True)
class Offered:
    """A data set as an interface gives it: what one can ask for.

    Attributes:
        dataset, service: their ids in the directory.
        title: of the data set.
        provider: path of the agency that answers for it.
        elements: its fields.
        records: where the records stand in an answer (RFC 6901 pointer).
        answers: JSON Schema of an answer; None for any JSON.
    """

    dataset: str
    service: str
    title: Text
    provider: str
    elements: tuple[Element, ...]
    records: str = ""
    answers: Mapping[str, object] | None = None


class Catalogue(Protocol):
    """What is published; inside the open transaction."""

    def offered(self, dataset: str, service: str) -> Offered | None:
        """A published data set by a service of it; None when it is not offered so."""
        ...


class Outbox(Protocol):
    """What happened, for those who asked to hear of it."""

    def publish(self, topic: str, payload: dict[str, object]) -> str:
        """Write a message in the open transaction; answers its id."""
        ...
