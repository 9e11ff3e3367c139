"""What harvesting needs of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.directory.model import Entry
from workloads.data_exchange.harvesting.model import Run, Source, Validators


class Refused(BoroughError):
    """What another platform answered is not taken; its text says why."""

    code = "refused"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was answered.

    Attributes:
        status: 200, 304 or 404.
        url: that answered, after redirects.
        media_type: as it says, without parameters.
        links: of the header Link, by relation.
    """

    status: int
    url: str
    media_type: str
    body: bytes
    validators: Validators
    links: Mapping[str, str]


class Fetcher(Protocol):
    """Asks another platform; no transaction is open then."""

    def fetch(
        self, url: str, accept: str, *, token: str = "", validators: Validators | None = None
    ) -> Fetched:
        """What is there.

        Raises:
            Refused: it may not be asked, or answers what is not taken.
            Unavailable: it does not answer at present.
        """
        ...


@dataclass(frozen=True, slots=True)
class KnownPage:
    """A page as it was read last time, and in which run.

    Attributes:
        entries: ids here, each with a blank and what it is called there.
    """

    validators: Validators
    next: str
    entries: tuple[str, ...]
    run: str


class SourceStore(Protocol):
    """Keeps sources, runs and what was seen; inside the open transaction."""

    def add(self, source: Source, sealed: str) -> bool:
        """Keep a new one; False when its address is known."""
        ...

    def find(self, source_id: str, *, locked: bool = False) -> Source | None: ...

    def update(self, source: Source, sealed: str | None = None) -> None:
        """Keep its change; None leaves the sealed token as it is."""
        ...

    def sealed(self, source_id: str) -> str: ...

    def list(self, paths: Sequence[str]) -> Sequence[Source]:
        """Those at or below any of the paths, by id."""
        ...

    def remove(self, source_id: str) -> None:
        """Forget it, its runs, and what was seen; its entries are gone already."""
        ...

    def due(self, now: datetime) -> Sequence[Source]:
        """Those to be read now that no run reads, locked."""
        ...

    def begin(self, run: Run) -> bool:
        """Keep a new run; False when another one runs."""
        ...

    def run(self, run_id: str, *, locked: bool = False) -> Run | None: ...

    def keep(self, run: Run) -> None: ...

    def runs(self, source_id: str, request: PageRequest) -> Page[Run]:
        """Newest first."""
        ...

    def page(self, source_id: str, position: str) -> KnownPage | None: ...

    def keep_page(self, source_id: str, position: str, page: KnownPage) -> None: ...

    def see(self, source_id: str, run_id: str, uris: Mapping[str, str]) -> None:
        """Note that these were found in a run, with the ids that they have here."""
        ...

    def lost(self, source_id: str, run_id: str, limit: int) -> Sequence[tuple[str, str]]:
        """URIs and ids of what an earlier run found and this one did not."""
        ...

    def counts(self, source_id: str, run_id: str) -> tuple[int, int]:
        """How many this run found, and how many only earlier ones did."""
        ...

    def forget(self, source_id: str, entries: Collection[str]) -> None:
        """They are gone, by their ids here."""
        ...


class EntryWriter(Protocol):
    """Writes the entries of mounted catalogues."""

    def known(self, entry_ids: Collection[str]) -> dict[str, Entry]: ...

    def digests(self, entry_ids: Collection[str]) -> dict[str, str]:
        """Of those that are shown, what was read of them last, by id."""
        ...

    def put_all(self, entries: Sequence[Entry]) -> None: ...


class Book(Protocol):
    """The agencies."""

    def find(self, reference: str) -> Agency | None: ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Audit(Protocol):
    """Where every change is written down."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
