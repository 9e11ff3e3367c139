"""What licences need of the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.licences.model import Licence, LicenceState, LicenceType
from workloads.data_exchange.proofs.keys import PrivateKey


@dataclass(frozen=True, slots=True)
class StatusRow:
    """A status list of an issuer.

    Attributes:
        issuer: whose; ``path``: of its agency.
        uri: where it is published; licences name the same.
        used: how many places are taken; the free ones are what the taken ones hide among.
        version: grows with every change of a status.
    """

    id: str
    path: str
    issuer: str
    uri: str
    size: int
    used: int
    version: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A verification that a department asked for, on-line.

    Attributes:
        vct: of the type; any when empty.
        name: of who verifies, as the holder reads it.
    """

    id: str
    path: str
    nonce: str
    vct: str
    name: str
    expires_at: datetime
    used_at: datetime | None = None


class LicenceStore(Protocol):
    """Keeps types, licences, status lists and requests; inside the open transaction."""

    def add_type(self, made: LicenceType) -> None:
        """Keep a new version of a type."""
        ...

    def type(self, type_id: str) -> LicenceType | None:
        """By its id."""
        ...

    def versions(self, path: str, name: str) -> int:
        """How many versions of a type an agency has."""
        ...

    def types(self, request: PageRequest) -> Page[LicenceType]:
        """All, newest first."""
        ...

    def all_types(self) -> Sequence[LicenceType]:
        """All, by issuer."""
        ...

    def retire(self, type_id: str, at: datetime) -> None:
        """Issue none of it any more."""
        ...

    def add(self, licence: Licence) -> None:
        """Keep a new one."""
        ...

    def find(self, licence_id: str, *, hold: bool = False) -> Licence | None:
        """By its id, held until the transaction ends if wanted."""
        ...

    def by_offer(self, digest: str) -> Licence | None:
        """By the digest of its one-time token, held until the transaction ends."""
        ...

    def save(self, licence: Licence) -> None:
        """Keep all that may change of it."""
        ...

    def list(
        self, paths: Sequence[str], state: LicenceState | None, request: PageRequest
    ) -> Page[Licence]:
        """Those at or below these paths, newest first."""
        ...

    def forgettable(
        self, offered: datetime, proposed: datetime, claimed: datetime
    ) -> Sequence[str]:
        """Ids of up to 1,000 that hold something sealed for nobody any more.

        Args:
            offered: whose offer ended by then.
            proposed: that were proposed by then and not approved.
            claimed: that were claimed by then.
        """
        ...

    def forget(self, before: datetime) -> int:
        """Delete those that ended before a moment, and requests; answers how many."""
        ...

    def take_places(self, path: str, issuer: str, base: str, licence: str, count: int) -> (
        "Sequence[tuple[str, int]]"
    ):  # fmt: skip
        """So many random places in the issuer's lists: addresses and indexes."""
        ...

    def set_status(self, licence: str, status: int) -> None:
        """Give all places of a licence a status."""
        ...

    def status_list(self, list_id: str) -> StatusRow | None:
        """A list by its id."""
        ...

    def status_lists(self) -> Sequence[StatusRow]:
        """All."""
        ...

    def statuses(self, list_id: str) -> Sequence[tuple[int, int]]:
        """Index and status of those that are not valid."""
        ...

    def ask(self, asked: Asked) -> None:
        """Keep a request."""
        ...

    def answer(self, asked_id: str, at: datetime) -> Asked | None:
        """Use a request up; None when it is over, was used or never was."""
        ...

    def asked(self, asked_id: str) -> Asked | None:
        """A request, used or not."""
        ...


class Book(Protocol):
    """The agencies."""

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
        ...


class Keyring(Protocol):
    """The keys of agencies."""

    def private(self, path: str) -> PrivateKey:
        """The key of an agency that is kept here."""
        ...

    def since(self, kid: str) -> datetime:
        """From when on a key signs."""
        ...

    def jwks(self, agency: str, *, revoked: bool = True) -> dict[str, object]:
        """The public keys of an agency."""
        ...


class Meter(Protocol):
    """Counts what is used."""

    def note(self, meter: str, at: datetime, quantity: int = 1, **dimensions: str) -> None: ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class Work(UnitOfWork, Protocol):
    """A unit of work with locks by name."""

    def lock(self, *names: str) -> None:
        """Hold advisory locks until the transaction ends."""
        ...
