"""What asking other participants needs of the outside."""

from collections.abc import Iterable
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agreements.ports import Audit
from workloads.data_exchange.dataspace.elsewhere.model import Asked, Listed
from workloads.data_exchange.dataspace.ports import Known
from workloads.data_exchange.dataspace.ports import Work as _Work

__all__ = ["Audit"]


class Work(_Work, Protocol):
    """The unit of work."""

    def assert_no_transaction(self) -> None:
        """Fail when a transaction is open: nothing outside may be called then."""
        ...


class ElsewhereStore(Known, Protocol):
    """Keeps what participants answered; inside the open transaction."""

    def replace(self, asked: Asked, listed: Iterable[Listed]) -> None:
        """Keep a catalogue in place of the one before."""
        ...

    def put(self, listed: Listed) -> None:
        """Keep one data set, new or in place of what was said of it before."""
        ...

    def asked(self, participant: str) -> Asked | None:
        """What came of asking for its catalogue the last time that it went well."""
        ...

    def listed(self, id: str) -> Listed | None:  # noqa: A002 - our id of it
        """A data set by our id of it."""
        ...

    def list(self, participant: str, words: str, page: PageRequest) -> Page[Listed]:
        """The data sets of a participant in which all of these words stand, in its order."""
        ...
