"""Reads what counts from agreements, the directory and the keys of this exchange."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.errors import NotFound
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.gateway.ports import State
from workloads.data_exchange.keys.model import Key

_SYSTEM = Actor.system("gateway")


class Snapshot(Protocol):
    """Terms as agreements tell them."""

    @property
    def position(self) -> int: ...

    @property
    def terms(self) -> tuple[Terms, ...]: ...


class Agreements(Protocol):
    """The agreements: all terms that count, and then what changed."""

    def in_force(self) -> Snapshot: ...

    def changes(self, since: int) -> Snapshot: ...


class Services(Protocol):
    """The directory: how the provider behind a service is asked, its credentials included."""

    def provider(self, service: str) -> Provider | None: ...


class KeyRing(Protocol):
    """The keys of agencies and of the exchange."""

    def jwks(self, agency: str) -> dict[str, Any]: ...

    def key(self, actor: Actor, kid: str) -> Key: ...


class Reading:
    """Reads agreements once and then what changed; interfaces and keys each time.

    Args:
        agreements: tell terms.
        services: tell interfaces.
        keys: tell which keys sign.
        clock: the present.
    """

    def __init__(
        self, agreements: Agreements, services: Services, keys: KeyRing, clock: Clock
    ) -> None:
        self._agreements = agreements
        self._services = services
        self._keys = keys
        self._clock = clock
        self._position: int | None = None
        self._terms: dict[str, Terms] = {}

    def read(self, agreements: Collection[str], kids: Collection[str]) -> State:
        """What counts now."""
        if self._position is None:
            found = self._agreements.in_force()
        else:
            found = self._agreements.changes(self._position)
        self._terms.update({one.agreement: one for one in found.terms})
        self._position = found.position
        now = self._clock.now()
        wanted = {one: self._terms[one] for one in agreements if one in self._terms}
        providers: dict[str, Provider] = {}
        for service in {one.service for one in wanted.values()}:
            provider = self._services.provider(service)
            if provider is not None:
                providers[service] = provider
        ring: list[Mapping[str, Any]] = self._keys.jwks("/")["keys"]
        dead = frozenset(kid for kid in kids if not self._signs(kid, now))
        return State(wanted, providers, ring, dead)

    def _signs(self, kid: str, now: datetime) -> bool:
        try:
            return self._keys.key(_SYSTEM, kid).signs_at(now)
        except NotFound:
            return False
