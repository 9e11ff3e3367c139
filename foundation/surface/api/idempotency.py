"""Idempotency-Key: a POST that is sent again answers the same and does nothing twice.

Plainly: ``@idempotent`` runs the view and keeps its answer in *one* transaction, so that a crash
leaves either both or neither, and a second request with the same key waits for the first. A view
that calls the outside cannot hold a transaction for so long; it is marked ``@idempotent_outside``:
its key is claimed first, a second request gets 409 while the first runs, and when the first was
lost with its process the next one runs again after a minute. Such a view hands
``idempotency_key()`` to a service that starts nothing twice.
"""

import functools
import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec

import sqlalchemy as sa
from flask import Response, current_app, g, request
from flask.typing import ResponseReturnValue

from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.surface.api.problems import IdempotencyMismatch
from foundation.surface.api.store import Claim, IdempotencyStore, Kept
from foundation.surface.auth import current_actor
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MARK = "__borough_idempotent__"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: After this long without an answer the process of a request counts as lost.
_LEASE = timedelta(seconds=60)
_LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL, appendix A
_HEADERS = ("Content-Type", "Location", "ETag")


def idempotency_key() -> str | None:
    """The key of this request, unique to its principal; None when it carries none."""
    key: str | None = g.get("borough_idempotency_key")
    return key


def idempotent(view: View[P]) -> View[P]:
    """Honour Idempotency-Key; the view and the kept answer share one transaction."""
    return _honouring(view, _within_transaction)


def idempotent_outside(view: View[P]) -> View[P]:
    """Honour Idempotency-Key for a view that calls the outside (see the module)."""
    return _honouring(view, _around_view)


def _honouring(view: View[P], run: Callable[[Claim, Callable[[], Response]], Response]) -> View[P]:
    @functools.wraps(view)
    def honouring(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        key = request.headers.get(HEADER)
        if key is None:
            return view(*args, **kwargs)
        if not _KEY.fullmatch(key):
            problem = Problem(HEADER, "must be 1 to 255 visible ASCII characters")
            raise Invalid([problem])
        claim = _claim(key)
        g.borough_idempotency_key = f"{claim.principal}:{claim.route}:{key}"
        return run(claim, lambda: current_app.make_response(view(*args, **kwargs)))

    setattr(honouring, MARK, True)
    return honouring


def _claim(key: str) -> Claim:
    digest = hashlib.sha256(request.query_string + b"\0" + request.get_data()).hexdigest()
    return Claim(current_actor().id, key, f"{request.method} {request.path}", digest)


def _within_transaction(claim: Claim, answer: Callable[[], Response]) -> Response:
    runtime = use(Runtime)
    store = IdempotencyStore(runtime.database)
    with runtime.database.transaction():
        if not _claim_or_wait(store, claim, runtime):
            return _replay(claim, store.get(claim))
        response = answer()
        _keep(store, claim, response)
    return response


def _claim_or_wait(store: IdempotencyStore, claim: Claim, runtime: Runtime) -> bool:
    """Take the key, waiting a while for a request that holds it now."""
    runtime.database.execute(sa.text("SET LOCAL lock_timeout = '20s'"))
    try:
        taken = store.claim(claim, runtime.clock.now())
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise Conflict("a request with this Idempotency-Key is being answered") from error
    runtime.database.execute(sa.text("SET LOCAL lock_timeout TO DEFAULT"))
    return taken


def _around_view(claim: Claim, answer: Callable[[], Response]) -> Response:
    runtime = use(Runtime)
    store = IdempotencyStore(runtime.database)
    with runtime.database.transaction():
        now = runtime.clock.now()
        if not store.claim(claim, now):
            kept = store.get(claim)
            lost = kept is not None and kept.status is None and now - kept.claimed_at > _LEASE
            if kept is None or not lost or not store.take_over(claim, kept.claimed_at, now):
                return _replay(claim, kept)
            if kept.request_hash != claim.request_hash:
                return _replay(claim, kept)
    try:
        response = answer()
    except BaseException:
        with runtime.database.transaction():
            store.release(claim)
        raise
    with runtime.database.transaction():
        _keep(store, claim, response)
    return response


def _keep(store: IdempotencyStore, claim: Claim, response: Response) -> None:
    if response.status_code >= 400:  # noqa: PLR2004 - nothing was done
        store.release(claim)
        return
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    sealed = use(Runtime).secrets.seal(response.get_data(), _context(claim))
    store.answer(claim, response.status_code, headers, sealed)


def _replay(claim: Claim, kept: Kept | None) -> Response:
    """The answer that was kept.

    Raises:
        IdempotencyMismatch: the key came with another request.
        Conflict: the first request is still being answered.
    """
    if kept is not None and kept.request_hash != claim.request_hash:
        raise IdempotencyMismatch("this Idempotency-Key was used with another request")
    if kept is None or kept.status is None or kept.body is None:
        raise Conflict("a request with this Idempotency-Key is being answered")
    body = use(Runtime).secrets.open(kept.body, _context(claim))
    response = Response(body, status=kept.status, headers=kept.headers)
    response.headers[REPLAYED] = "true"
    return response


def _context(claim: Claim) -> str:
    return f"surface_idempotency:{claim.principal}:{claim.route}:{claim.key}"
