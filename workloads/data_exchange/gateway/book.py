"""What counts, in memory: terms, interfaces and keys, read again each second.

A notice of the database makes it sooner. Whatever was not confirmed for five seconds counts no
more: a revocation is in force within that time, or nothing is let through at all.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.gateway.addresses import Paths
from workloads.data_exchange.gateway.credentials import Grants
from workloads.data_exchange.gateway.model import FRESH_SECONDS, Provider, Refusal
from workloads.data_exchange.gateway.ports import Source, State
from workloads.data_exchange.gateway.shaping import Shaper

_log = logging.getLogger("borough.exchange.gateway")
_SECONDS = 1.0
#: What was not asked for so long is no longer read again; and how many are kept at most.
_IDLE_SECONDS = 600.0
_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Ruling:
    """The terms of one agreement, ready to be applied.

    Attributes:
        paths: of the interface.
        shaper: makes answers what is allowed.
        valid: whether an answer is as described; None where nothing is described.
    """

    terms: Terms
    provider: Provider
    paths: Paths
    shaper: Shaper
    valid: Callable[[Any], bool] | None


class Book:
    """The rulings of the agreements in use.

    Args:
        source: where they are read.
        grants: is told the exchange's keys.
        secret: gives the key of pseudonyms of an agreement.
        monotonic: a clock that only goes on.
    """

    def __init__(
        self,
        source: Source,
        grants: Grants,
        secret: Callable[[str], bytes],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._grants = grants
        self._secret = secret
        self._monotonic = monotonic
        self._rulings: dict[str, Ruling | None] = {}
        self._asked: OrderedDict[str, float] = OrderedDict()
        self._kids: OrderedDict[str, float] = OrderedDict()
        self._dead: frozenset[str] = frozenset()
        self._judged: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._threads = ThreadPoolExecutor(1, "terms")
        self._poke = asyncio.Event()
        self._next: asyncio.Future[None] | None = None

    @property
    def fresh(self) -> bool:
        """Whether what is known may be relied on."""
        return self._monotonic() - self._read_at <= FRESH_SECONDS

    async def ruling(self, agreement: str, kid: str) -> Ruling:
        """What counts for a call.

        Args:
            agreement: its id.
            kid: thumbprint of the key that signed; empty where nobody asks at this moment.

        Raises:
            Refusal: there is no such agreement, the key signs no more, or nobody knows now.
        """
        now = self._monotonic()
        known = agreement in self._rulings and (not kid or kid in self._judged)
        self._asked[agreement] = now
        if kid:
            self._kids[kid] = now
        if not known:
            for kept in (self._asked, self._kids):
                while len(kept) > _KEPT:
                    kept.popitem(last=False)
            await self._read_again()
        if not self.fresh:
            raise Refusal(503, "terms", "what was agreed cannot be read now", retry_after=5)
        if kid in self._dead:
            raise Refusal(401, "key", "the key signs no more", challenge="invalid_token")
        found = self._rulings.get(agreement)
        if found is None:
            raise Refusal(403, "agreement", "there is no such agreement in force")
        return found

    def poke(self) -> None:
        """Something has changed: read now."""
        self._poke.set()

    async def _read_again(self) -> None:
        """Wait for a read that begins after now."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        self.poke()
        try:
            async with asyncio.timeout(FRESH_SECONDS):
                await asyncio.shield(self._next)
        except TimeoutError:
            raise Refusal(
                503, "terms", "what was agreed cannot be read now", retry_after=5
            ) from None

    async def run(self) -> None:
        """Read each second, and when poked, until cancelled."""
        while True:
            await self.read()
            try:
                async with asyncio.timeout(_SECONDS):
                    await self._poke.wait()
            except TimeoutError:
                pass
            self._poke.clear()

    async def read(self) -> None:
        """Read once; what cannot be read is told to the log, and grows old."""
        waiting, self._next = self._next, None
        began = self._monotonic()
        self._drop_idle(began)
        asked, kids = list(self._asked), list(self._kids)
        loop = asyncio.get_running_loop()
        try:
            state = await loop.run_in_executor(self._threads, self._source.read, asked, kids)
            rulings = await loop.run_in_executor(self._threads, self._ruled, asked, state)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is let through soon
            _log.error("terms cannot be read: %s", type(error).__name__)
            self._next = _merged(waiting, self._next)
            await asyncio.sleep(0.2)
            return
        self._rulings, self._dead, self._judged = rulings, state.dead, frozenset(kids)
        self._grants.trust(state.keys)
        self._read_at = began
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _ruled(self, asked: list[str], state: State) -> dict[str, Ruling | None]:
        return {one: self._rule(state, one) for one in asked}

    def _rule(self, state: State, agreement: str) -> Ruling | None:
        terms = state.terms.get(agreement)
        provider = state.providers.get(terms.service) if terms else None
        if terms is None or provider is None:
            return None
        known = self._rulings.get(agreement)
        if known is not None and known.terms == terms and known.provider == provider:
            return known
        shaper = Shaper(terms.records, terms.fields, terms.rows, self._secret(agreement))
        return Ruling(terms, provider, Paths(provider.paths), shaper, validator(terms))

    def _drop_idle(self, now: float) -> None:
        for kept in (self._asked, self._kids):
            for name in [one for one, at in kept.items() if now - at > _IDLE_SECONDS]:
                del kept[name]


def validator(terms: Terms) -> Callable[[Any], bool] | None:
    """Whether an answer is as the directory describes it; None where it describes nothing.

    A description that is no schema lets nothing through; one that names others is not followed.
    """
    if not terms.answers:
        return None
    try:
        made = jsonschema_rs.validator_for(dict(terms.answers), retriever=_not_followed)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError):
        _log.warning("the answers of %s are described by no schema", terms.service)
        return lambda _value: False
    return made.is_valid


def _not_followed(uri: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{uri} is not asked for")


def _merged(
    first: "asyncio.Future[None] | None", second: "asyncio.Future[None] | None"
) -> "asyncio.Future[None] | None":
    """One future for those who waited before and those who came meanwhile."""
    if first is None or second is None:
        return first or second
    second.add_done_callback(lambda _: None if first.done() else first.set_result(None))
    return second


#: Listens to the database and pokes the book; ends with the connection.
Listen = Callable[[Callable[[], None]], Awaitable[None]]
