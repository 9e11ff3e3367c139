"""What the protocol needs of the outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agreements.contracts.model import Agreement, Party, Version
from workloads.data_exchange.agreements.grants.model import Given as Grant
from workloads.data_exchange.agreements.ports import Audit, Book, Catalogue, Offered, Work
from workloads.data_exchange.agreements.requests.model import Request
from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.dataspace.elsewhere.model import Listed
from workloads.data_exchange.dataspace.machine import ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import Offer, Participant, Process, Rule, Sending
from workloads.data_exchange.keys.model import Key
from workloads.data_exchange.keys.service import Signed

__all__ = ["Audit", "Book", "Catalogue", "Work"]


class DataspaceStore(Protocol):
    """Keeps participants, offers, rules, processes and messages; inside the open transaction."""

    def put_participant(self, participant: Participant) -> None:
        """Keep one, new or changed."""
        ...

    def participant(self, participant: str) -> Participant | None:
        """By its identifier."""
        ...

    def of_agency(self, path: str) -> Participant | None:
        """The one that stands for an agency."""
        ...

    def of_account(self, account: str) -> Participant | None:
        """The one that signs in so."""
        ...

    def participants(self) -> Sequence[Participant]:
        """All, by identifier."""
        ...

    def put_offer(self, offer: Offer) -> None:
        """Keep one, new or changed."""
        ...

    def offer(self, offer: str) -> Offer | None:
        """By its id, also when it was withdrawn."""
        ...

    def offers_of(self, target: str) -> Sequence[Offer]:
        """Those of a data set that count, by id."""
        ...

    def targets(self, after: str, limit: int) -> Sequence[str]:
        """Identifiers of data sets with offers that count, in order, after one."""
        ...

    def before(self, target: str, limit: int) -> Sequence[str]:
        """The same, backwards from one."""
        ...

    def offers(self, paths: Sequence[str], request: PageRequest) -> Page[Offer]:
        """Those of agencies at or below any of the paths, by id."""
        ...

    def agreed_at(self, peer: str, agreement: str) -> str:
        """The base to which our messages went when an agreement was negotiated; else empty."""
        ...

    def put_rule(self, rule: Rule) -> None:
        """Keep one; with an empty plan it is taken away."""
        ...

    def rule(self, kind: ProcessKind, role: Role, subject: str, agency: str) -> Rule | None:
        """What is done for an agency without a person."""
        ...

    def add(self, process: Process) -> None:
        """Keep a new one."""
        ...

    def find(self, process: str, *, hold: bool = False) -> Process | None:
        """By our id; held, nobody else changes it until the transaction ends."""
        ...

    def by_peer(self, kind: ProcessKind, role: Role, peer: str, peer_pid: str) -> Process | None:
        """By the other side's identifier, held."""
        ...

    def update(self, process: Process) -> None:
        """Keep what changed."""
        ...

    def list(
        self,
        paths: Sequence[str],
        kind: ProcessKind | None,
        state: ProcessState | None,
        request: PageRequest,
    ) -> Page[Process]:
        """Those of agencies at or below any of the paths, newest first."""
        ...

    def send(self, sending: Sending) -> None:
        """Keep a message that waits."""
        ...

    def sendings(self, process: str) -> Sequence[Sending]:
        """The messages of a process, in order."""
        ...

    def drop(self, process: str) -> None:
        """Send none of the messages that still wait: the other side ended the process."""
        ...

    def claim(self, now: datetime, until: datetime) -> Sending | None:
        """The next message that is due and the first of its process, put off until a moment."""
        ...

    def sent(self, sending: Sending) -> None:
        """Keep what became of one."""
        ...


class Contracts(Protocol):
    """The agreements of this exchange."""

    def draft(self, request: Request, offered: Offered) -> str: ...

    def sign(self, actor: Actor, agreement: str, party: Party, digest: str) -> Version: ...

    def submit(self, actor: Actor, agreement: str, party: Party, jws: str) -> Version: ...

    def agreement(self, actor: Actor, agreement: str) -> Agreement: ...

    def version(self, actor: Actor, agreement: str, number: int | None = None) -> Version: ...

    def terms(self, version: Version) -> Terms: ...


class Granting(Protocol):
    """Grants for the gateway."""

    def issue(
        self,
        actor: Actor,
        agreement: str,
        kid: str,
        *,
        purposes: Sequence[str] = (),
        seconds: int = 900,
    ) -> Grant: ...


class Ring(Protocol):
    """The keys of agencies and of the exchange."""

    def ready(self) -> None: ...

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str: ...

    def verify(self, compact: str, typ: str, *, at: datetime | None = None) -> Signed: ...

    def keys(self, actor: Actor, agency: str, page: PageRequest) -> Page[Key]: ...


class Vault(Protocol):
    """Seals secrets at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """What the other side answered.

    Attributes:
        status: of HTTP.
        body: its first bytes.
        headers: ``content-type``, ``content-encoding`` and ``link``, empty where they are not.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire(Protocol):
    """Sends messages to other connectors."""

    def check(self, address: str, field: str) -> None:
        """Whether messages may be sent to an address.

        Raises:
            Invalid: they may not.
        """
        ...

    def post(self, url: str, body: bytes, token: str) -> Answered:
        """Send one.

        Raises:
            Unavailable: it cannot be reached at present.
            Invalid: it may not be asked.
        """
        ...

    def ask(
        self, method: str, url: str, body: bytes | None = None, token: str = "", *,
        most: int = 64 * 1024, seconds: float = 20.0,
    ) -> Answered:  # fmt: skip
        """Ask for something; with no token nobody is told who we are.

        Raises:
            Unavailable: it cannot be reached at present, or did not answer in time.
            Invalid: it may not be asked.
        """
        ...


class Known(Protocol):
    """What other participants offer, as far as they were asked; inside the open transaction."""

    def find(self, participant: str, dataset: str) -> Listed | None:
        """A data set by its ``@id``, as the participant lists it."""
        ...
