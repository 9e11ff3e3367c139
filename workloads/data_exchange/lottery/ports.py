"""What lotteries need of the outside."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.keys.model import Key
from workloads.data_exchange.keys.service import Signed
from workloads.data_exchange.lottery.draw import Entry
from workloads.data_exchange.lottery.model import (
    Application,
    Lottery,
    LotteryId,
    Standing,
    Word,
)


class Hold(StrEnum):
    """How a lottery is held: by many that do not change it, or by one that does."""

    SHARED = "shared"
    ALONE = "alone"


class LotteryStore(Protocol):
    """Keeps lotteries; inside the open transaction."""

    def add(self, lottery: Lottery) -> None:
        """Keep a new one."""
        ...

    def find(self, lottery_id: str, hold: Hold | None = None) -> Lottery | None:
        """By its id, held until the transaction ends if wanted."""
        ...

    def save(self, lottery: Lottery) -> None:
        """Keep all that may change of it."""
        ...

    def list(self, drafts_of: Sequence[str], request: PageRequest) -> Page[Lottery]:
        """All, newest first; drafts only below these paths."""
        ...

    def overdue(self, now: datetime) -> Sequence[LotteryId]:
        """Those whose parties should have revealed by now."""
        ...

    def words(self, lottery: Lottery) -> Sequence[Word]:
        """What the parties handed in for the round that runs, by path."""
        ...

    def commit(self, lottery: Lottery, party: str, commitment: str) -> None:
        """Keep a commitment."""
        ...

    def reveal(self, lottery: Lottery, party: str, reveal: str) -> None:
        """Keep a reveal."""
        ...

    def apply(self, application: Application) -> bool:
        """Keep an application; False when there is one of this pseudonym."""
        ...

    def application(self, lottery_id: str, pseudonym: str) -> Application | None:
        """One application."""
        ...

    def applications(
        self, lottery_id: str, standing: Standing | None, request: PageRequest
    ) -> Page[Application]:
        """Those of a lottery, by pseudonym."""
        ...

    def judge(self, application: Application) -> None:
        """Keep what became of it, and by which check it is judged."""
        ...

    def of_check(self, check: str) -> Application | None:
        """The application that is judged by a check."""
        ...

    def count(self, lottery_id: str) -> Mapping[Standing, int]:
        """How many there are of each standing."""
        ...

    def entries(self, lottery_id: str) -> Iterator[Entry]:
        """The lines of those that qualified, by pseudonym."""
        ...


class Qualifier(Protocol):
    """Judges whether somebody may take part, by a check of a scenario."""

    def screening(self, scenario: str) -> Mapping[str, Any] | None:
        """What the rules of a lottery fix of a scenario; None when there is none that serves."""
        ...

    def begin(self, lottery: Lottery, person: str) -> tuple[str, str]:
        """Begin to judge a person, in the open transaction.

        Args:
            lottery: whose rules name the check.
            person: the identifier that they applied with.

        Returns:
            The check, and the person's one-time code of consent.

        Raises:
            Invalid: ``person`` is nobody who can be asked about.
        """
        ...

    def renew(self, check: str) -> str:
        """Another code in the place of one that was lost; empty when it was used."""
        ...


class Keyring(Protocol):
    """Who signs with what (``keys``)."""

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str: ...

    def verify(self, compact: str, typ: str, *, at: datetime | None = None) -> Signed: ...

    def key(self, actor: Actor, kid: str) -> Key: ...


class Book(Protocol):
    """The agencies."""

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
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
