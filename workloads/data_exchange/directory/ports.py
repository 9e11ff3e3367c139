"""What the directory needs of the outside; what others need of it is in ``offers``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.directory.model import (
    Catalog,
    Certificate,
    Entry,
    Kind,
    State,
    Step,
    Version,
    Work,
)


@dataclass(frozen=True, slots=True)
class EntryQuery:
    """Which entries; None or empty for any."""

    kind: Kind | None = None
    state: State | None = None
    work: Work | None = None
    path: str = ""
    catalog: str = ""


class EntryStore(Protocol):
    """Keeps entries; inside the open transaction."""

    def add(self, entry: Entry) -> None:
        """Keep a new one."""
        ...

    def find(self, entry_id: str, *, locked: bool = False) -> Entry | None:
        """By id; locked until the transaction ends, to be changed."""
        ...

    def known(self, entry_ids: Collection[str]) -> dict[str, Entry]:
        """These, by id."""
        ...

    def update(self, entry: Entry) -> None:
        """Keep the change, with its index for searches."""
        ...

    def list(self, paths: Sequence[str], query: EntryQuery, request: PageRequest) -> Page[Entry]:
        """Those at or below any of the paths, by id; harvested ones only of a catalogue."""
        ...

    def shown(self, query: EntryQuery, request: PageRequest) -> Page[Entry]:
        """Those that everybody finds, by id; ``query.state`` is not looked at."""
        ...

    def standing(self) -> int:
        """How many data sets that were not harvested everybody finds."""
        ...

    def serving(self, dataset_id: str) -> Sequence[Entry]:
        """The services that give a data set and that everybody finds, by id."""
        ...

    def members(self, series_id: str, limit: int) -> Sequence[Entry]:
        """Data sets of a series that everybody finds, by id."""
        ...

    def keep_version(self, entry_id: str, version: Version) -> None:
        """Keep what was shown before."""
        ...

    def versions(self, entry_id: str) -> Sequence[Version]:
        """The earlier versions, the newest first."""
        ...

    def note(self, entry_id: str, step: Step) -> None:
        """Keep what was done."""
        ...

    def steps(self, entry_id: str, limit: int) -> Sequence[Step]:
        """What was done, the newest first."""
        ...

    def seal(self, entry_id: str, sealed: str) -> None:
        """Keep a sealed secret; empty: forget it."""
        ...

    def sealed(self, entry_id: str) -> str:
        """The sealed secret, or nothing."""
        ...

    def erase(self, entry: Entry, certificate: Certificate) -> None:
        """Forget all bodies and the secret, and keep the certificate."""
        ...

    def certificate(self, entry_id: str) -> Certificate | None:
        """Of what was destroyed."""
        ...


class CatalogStore(Protocol):
    """Keeps mounted catalogues; inside the open transaction."""

    def add(self, catalog: Catalog) -> None: ...

    def find(self, catalog_id: str) -> Catalog | None: ...

    def update(self, catalog: Catalog) -> None: ...

    def list(self) -> Sequence[Catalog]:
        """All, by id: there are as many as platforms that were mounted by hand."""
        ...

    def remove(self, catalog_id: str) -> None: ...


class Book(Protocol):
    """The agencies."""

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
        ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Signer(Protocol):
    """Signs for the exchange."""

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str:
        """A JWS with the key of an agency; ``/`` for the exchange itself."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
