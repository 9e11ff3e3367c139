"""Rate limits: a token bucket for each principal, and one for each address of strangers.

The buckets live in the process: with several web processes a principal may do as many times as
much. That is enough to keep one script from starving the others, which is what they are for.
"""

import math
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from flask import Flask, Response, current_app, g, request

from foundation.kernel.errors import Unauthenticated
from foundation.surface.api.problems import API_PREFIX, TooManyRequests
from foundation.surface.auth import identity

_BUCKETS = 10_000
_KEY = "borough.limits"


@dataclass(frozen=True, slots=True)
class Rate:
    """How much a caller may ask: ``per_second`` in the long run, ``burst`` at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The rates of principals and of addresses that sent no valid credentials."""

    principal: Rate = Rate(50, 1000)
    stranger: Rate = Rate(5, 100)


@dataclass(frozen=True, slots=True)
class Grant:
    """The outcome of one request: what remains, and the seconds until one more or all."""

    allowed: bool
    limit: int
    remaining: int
    wait: float
    full: float


class Buckets:
    """Token buckets by name; the least recently used are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, rate: Rate, now: float) -> Grant:
        """Take one token; ``now`` in seconds of any steady clock."""
        with self._lock:
            level, at = self._levels.pop(name, (float(rate.burst), now))
            level = min(rate.burst, level + (now - at) * rate.per_second)
            allowed = level >= 1
            level -= allowed
            self._levels[name] = (level, now)
            if len(self._levels) > _BUCKETS:
                self._levels.popitem(last=False)
        wait = 0.0 if level >= 1 else (1 - level) / rate.per_second
        return Grant(allowed, rate.burst, int(level), wait, (rate.burst - level) / rate.per_second)


def spend(caller: str = "") -> None:
    """Take one request of a caller's; for addresses outside of the API that find out who asks.

    Args:
        caller: a name for it, the same each time; empty for a stranger, who has the address's.

    Raises:
        TooManyRequests: it asked too often.
    """
    buckets, limits = current_app.extensions[_KEY]
    name = caller or f"address:{request.remote_addr}"
    rate = limits.principal if caller else limits.stranger
    g.borough_rate = grant = buckets.take(name, rate, time.monotonic())
    if not grant.allowed:
        raise TooManyRequests("too many requests: wait a little", grant.wait)


def install(app: Flask, limits: Limits) -> None:
    """Limit the requests to the API of an application."""
    app.extensions[_KEY] = (Buckets(), limits)

    def limit() -> None:
        if not request.path.startswith(API_PREFIX):
            return
        try:
            found = identity()
        except Unauthenticated:
            found = None  # the endpoint refuses it; here it counts as a stranger
        spend("" if found is None else f"principal:{found.actor.id}")

    def tell(response: Response) -> Response:
        grant: Grant | None = g.get("borough_rate")
        if grant is not None:
            response.headers["RateLimit-Limit"] = str(grant.limit)
            response.headers["RateLimit-Remaining"] = str(grant.remaining)
            response.headers["RateLimit-Reset"] = str(math.ceil(grant.full))
        return response

    app.before_request(limit)
    app.after_request(tell)
