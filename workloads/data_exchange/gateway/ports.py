"""What the gateway needs of the outside."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.gateway.server import Request, Response


@dataclass(frozen=True, slots=True)
class State:
    """What counts at a moment.

    Attributes:
        terms: of agreements, by id; one that is not there has none.
        providers: by service.
        keys: of the exchange: a JWK set's, for grants.
        dead: thumbprints of consumers' keys that sign no more.
    """

    terms: Mapping[str, Terms]
    providers: Mapping[str, Provider]
    keys: "list[Mapping[str, Any]]"
    dead: frozenset[str]


class Source(Protocol):
    """Where agreements, interfaces and keys are read; called in a thread of its own."""

    def read(self, agreements: Collection[str], kids: Collection[str]) -> State:
        """What counts now, all of one moment.

        Args:
            agreements: whose terms, and providers, are wanted.
            kids: the consumers' keys that are in use.

        Raises:
            Exception: it cannot be read; whatever it is, the caller lets nothing through.
        """
        ...


class Counter(Protocol):
    """Counts what is used of an agreement, for all gateways together."""

    async def take(self, agreement: str, what: str, want: int, limit: int, *periods: str) -> int:
        """Take up to ``want`` of what is left; answers how much was given, 0 when nothing is.

        Args:
            agreement: its id.
            what: ``calls`` or ``rows``.
            want: at most so much.
            limit: of all the periods together.
            periods: the present one, in which it is counted, and those before it that still count.

        Raises:
            CountingFailed: it cannot be counted.
        """
        ...

    async def give_back(self, agreement: str, what: str, amount: int, period: str) -> None:
        """Give back what was taken and not used.

        Raises:
            CountingFailed: it cannot be counted.
        """
        ...


class CountingFailed(Exception):
    """What is used cannot be counted now."""


class Front(Protocol):
    """Answers further addresses of a gateway."""

    @property
    def prefixes(self) -> tuple[bytes, ...]:
        """How its addresses begin."""
        ...

    def streams(self, method: str, target: bytes) -> bool:
        """Whether the body of such a request is streamed."""
        ...

    async def handle(self, request: Request) -> Response:
        """The answer.

        Raises:
            Refusal: it is not let through.
        """
        ...

    async def run(self) -> None:
        """What it does by itself, until it is cancelled."""
        ...
