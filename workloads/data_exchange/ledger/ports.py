"""What the ledger needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from workloads.data_exchange.checks.corrections.model import Correction, Told
from workloads.data_exchange.ledger.model import Entry


class LedgerStore(Protocol):
    """Keeps entries and codes; inside the open transaction."""

    def secret(self, fresh: str) -> str:
        """The sealed secret of pseudonyms; ``fresh`` becomes it when there is none."""
        ...

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep entries; those that are there stay as they are."""
        ...

    def purposes(self) -> Sequence[str]:
        """All purposes that there are entries for."""
        ...

    def of(self, pseudonyms: Sequence[str], limit: int) -> Sequence[Entry]:
        """The entries of pseudonyms, newest first."""
        ...

    def add_code(self, digest: str, sealed: str, until: datetime, kind: str) -> None:
        """Keep a code, or a key."""
        ...

    def drop_codes(self, now: datetime) -> None:
        """Forget those that are over, with the numbers that they seal."""
        ...

    def key(self, digest: str, now: datetime) -> str | None:
        """What a key seals; None when it is over or never was."""
        ...

    def close(self, digest: str) -> None:
        """Forget a key."""
        ...

    def take_code(self, digest: str, now: datetime) -> str | None:
        """What a code seals, once; None when it was used, is over or never was."""
        ...


class Objecting(Protocol):
    """Where somebody objects to what was answered about them."""

    def ask_by_number(self, number: str, check_id: str, question: str, text: str) -> Correction: ...

    def of_number(self, number: str, checks: Sequence[str]) -> Sequence[Told]: ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
