"""What agreements need of the outside, besides what all of this feature needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agreements.contracts.model import (
    Agreement,
    AgreementState,
    Signature,
    Version,
)
from workloads.data_exchange.keys.service import Signed


@dataclass(frozen=True, slots=True)
class AgreementQuery:
    """Which agreements.

    Attributes:
        state: where they stand at ``at``; any if None.
        party: path of an agency, or of one above it, that has part in them; any if empty.
    """

    at: datetime
    state: AgreementState | None = None
    party: str = ""


class AgreementStore(Protocol):
    """Keeps agreements; inside the open transaction."""

    def add(self, agreement: Agreement) -> None:
        """Keep a new one."""
        ...

    def find(self, agreement: str, *, hold: bool = False) -> Agreement | None:
        """By id; held, nobody else changes it until the transaction ends."""
        ...

    def update(self, agreement: Agreement) -> None:
        """Keep what changed."""
        ...

    def list(
        self, paths: Sequence[str], query: AgreementQuery, request: PageRequest
    ) -> Page[Agreement]:
        """Those of which a party is at or below one of the paths, newest first."""
        ...

    def add_version(self, version: Version) -> None:
        """Keep a new version."""
        ...

    def version(self, agreement: str, number: int) -> Version | None:
        """One version with its signatures."""
        ...

    def versions(self, agreement: str) -> Sequence[Version]:
        """All, newest first."""
        ...

    def sign(self, version: Version, signature: Signature) -> None:
        """Keep a signature of a version."""
        ...

    def seal(self, version: Version) -> None:
        """Keep when it came into force, and the record of it."""
        ...

    def publish(self, agreement: Agreement) -> int:
        """Give a change the next position and wake those who listen when it commits."""
        ...

    def position(self) -> int:
        """The position of the last change of all."""
        ...

    def counting(self, at: datetime) -> Sequence[tuple[Agreement, Version]]:
        """Those that count at a moment or will, with the version that does."""
        ...

    def changed(self, since: int) -> Sequence[tuple[Agreement, Version]]:
        """Those that changed after a position, by position, with the version that counts."""
        ...

    def over(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of those whose term has ended without being told."""
        ...


class Ring(Protocol):
    """The keys of agencies and of the exchange."""

    def ready(self) -> None:
        """Make the exchange's own key when it has none."""
        ...

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str:
        """Sign with the key of an agency that is kept here."""
        ...

    def verify(self, compact: str, typ: str, *, at: datetime | None = None) -> Signed:
        """Who signed something, and what."""
        ...
