"""What checks need from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.checks.model import (
    Check,
    Connection,
    Consent,
    ConsentState,
    Question,
    Scenario,
    Why,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to a registry.

    Attributes:
        path: of the agency that asks.
        provider: path of the agency that shall answer: nobody else is asked; empty: nobody is.
        service: as the scenario names it.
        purpose: for what, as agreements name it.
        body: what is sent.
        key: the same for the same question of a check, however often it is asked.
    """

    path: str
    provider: str
    service: str
    purpose: str
    body: Mapping[str, Any] = field(repr=False)
    key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered; ``receipt``: the id of its receipt. Held in memory only."""

    body: Mapping[str, Any] = field(repr=False)
    receipt: str


class Late(Exception):
    """There is no answer yet: the provider is slow or down, or may not be asked now."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


class Refused(Exception):
    """The provider answered that it cannot say; ``receipt`` proves it."""

    def __init__(self, reason: str, receipt: str = "") -> None:
        super().__init__(reason)
        self.receipt = receipt


class Asker(Protocol):
    """Asks a provider's service under the agreement that the asking agency has with it."""

    def ask(self, ask: Ask, *, patience: float) -> Answer:
        """Ask once.

        Args:
            ask: the question.
            patience: seconds to wait at most.

        Raises:
            Late: no answer yet.
            Refused: the provider cannot answer.
        """
        ...


class Providers(Protocol):
    """Who answers which question."""

    def provider(self, service: str) -> str:
        """Path of the agency that answers what scenarios call so; empty when none does."""
        ...


class Registries(Asker, Providers, Protocol):
    """Who answers, and how they are asked."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A question that this process may ask; ``attempt`` is its lease."""

    check: Check
    name: str
    attempt: int


class CheckStore(Protocol):
    """Keeps scenarios and checks; inside the open transaction."""

    def scenario(self, name: str, version: int | None = None) -> Scenario | None:
        """One version, or the newest."""
        ...

    def scenarios(self) -> Sequence[Scenario]:
        """The newest version of each, by name."""
        ...

    def add_scenario(self, scenario: Scenario, at: datetime) -> bool:
        """Keep a version; False when it is there."""
        ...

    def add(self, check: Check, tokens: Sequence[str]) -> None:
        """Keep a new check with the digests of its consent links."""
        ...

    def find(self, check_id: str, *, lock: bool = False) -> Check | None:
        """By id."""
        ...

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Check]:
        """Those of agencies at or below any of the paths, newest first."""
        ...

    def by_token(self, digest: str) -> tuple[str, int] | None:
        """The check and the person of a consent link."""
        ...

    def consent(
        self, check_id: str, person: int, state: ConsentState, at: datetime,
        statement: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Note what somebody decided, and what they were shown."""
        ...

    def consents(self, check_id: str) -> Sequence[Consent]:
        """What everybody decided, in the order of the persons."""
        ...

    def renew(self, check_id: str, person: int, digest: str) -> None:
        """Put another code in the place of a person's."""
        ...

    def claim(self, now: datetime, limit: int) -> Sequence[Claimed]:
        """Take questions that are due; each is nobody else's until its lease is over."""
        ...

    def lease(self, check_id: str, name: str, until: datetime) -> None:
        """Until when a question that was taken is this process's."""
        ...

    def answered(self, check_id: str, question: Question, attempt: int) -> bool:
        """Keep what was found; False when the question is no longer this attempt's."""
        ...

    def later(self, check_id: str, name: str, attempt: int, at: datetime, why: Why) -> None:
        """Ask again then; ``why`` there is no answer yet."""
        ...

    def again(self, check_id: str, name: str, at: datetime) -> None:
        """Begin the next round of a question: what was found and its receipt go."""
        ...

    def update(self, check: Check) -> None:
        """Keep state, verdict, reasons and limit."""
        ...

    def overdue(self, now: datetime, limit: int) -> Sequence[str]:
        """Checks that are past their limit and not done."""
        ...

    def connections(self) -> Sequence[Connection]:
        """Who answers what, by name."""
        ...

    def connect(self, connection: Connection) -> None:
        """Keep who answers something, in the place of whoever did."""
        ...


class Meter(Protocol):
    """Counts what is used."""

    def note(self, meter: str, at: datetime, quantity: int = 1, **dimensions: str) -> None: ...


class Ledger(Protocol):
    """Where citizens see who asked about them."""

    def enter(
        self, *, key: str, purpose: str, asker: str, service: str, basis: str,
        persons: Sequence[str],
    ) -> None:  # fmt: skip
        """Enter that something is asked; the same key again changes nothing."""
        ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


class Work(UnitOfWork, Protocol):
    """A unit of work."""


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
