"""The catalogue of agreements, out of the directory."""

from collections.abc import Collection, Mapping
from typing import Protocol

from foundation.kernel.text import Text
from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.directory.elements import Element


class Interface(Protocol):
    """How a service answers."""

    @property
    def records(self) -> str: ...

    @property
    def answers(self) -> Mapping[str, object] | None: ...


class Entry(Protocol):
    """A data set or a service as it was published last.

    Attributes:
        available: whether a new agreement may be made about it.
        serves: ids of the data sets that a service gives.
    """

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def title(self) -> Text: ...

    @property
    def elements(self) -> tuple[Element, ...]: ...

    @property
    def serves(self) -> Collection[str]: ...

    @property
    def interface(self) -> Interface | None: ...

    @property
    def available(self) -> bool: ...


class Offers(Protocol):
    """What the directory offers."""

    def find(self, entry_id: str) -> Entry | None:
        """A data set or service by id; None when none was published."""
        ...


class Published:
    """Offers what the directory has published: a data set by a service of the same agency."""

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def offered(self, dataset: str, service: str) -> Offered | None:
        """A published data set by a service of it; None when it is not offered so."""
        of, by = self._offers.find(dataset), self._offers.find(service)
        if of is None or by is None or by.interface is None or of.interface is not None:
            return None
        fits = of.available and by.available and of.path == by.path and of.id in by.serves
        if not fits or not of.elements:
            return None
        answers = by.interface.answers
        return Offered(
            of.id, by.id, of.title, of.path, of.elements, by.interface.records, answers or None
        )
