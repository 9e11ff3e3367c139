"""What keys need of the outside."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.keys.model import Key


class KeyStore(Protocol):
    """Keeps keys; inside the open transaction."""

    def add(self, key: Key, sealed: str) -> bool:
        """Keep a new one, with its sealed private half or ``""``; False when it is there."""
        ...

    def find(self, kid: str) -> Key | None:
        """By its name."""
        ...

    def sealed(self, kid: str) -> str:
        """The sealed private half; empty when it is not kept here."""
        ...

    def of(self, path: str) -> Sequence[Key]:
        """All of an agency, newest first."""
        ...

    def list(self, path: str, request: PageRequest) -> Page[Key]:
        """Those of one agency, or of all without a path, by path, newest first."""
        ...

    def update(self, key: Key) -> None:
        """Keep its end, revocation and reason."""
        ...


class Book(Protocol):
    """The agencies."""

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
        ...


class Work(UnitOfWork, Protocol):
    """A unit of work with locks by name."""

    def lock(self, *names: str) -> None:
        """Hold advisory locks until the transaction ends."""
        ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
