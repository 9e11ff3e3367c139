"""Who asks, on every surface: the actor of a request, and what each endpoint demands of it.

``access`` sits above this package, so it arrives here as an ``Authenticator``. Every endpoint, of
the API and of the web, carries exactly one of ``@requires("noun.verb")``, ``@signed_in`` or
``@public``; ``tests/architecture`` fails for one that carries none.
"""

import functools
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Forbidden, Unauthenticated
from foundation.products import Product

P = ParamSpec("P")
R = TypeVar("R")

#: What ``declared`` answers for endpoints that name no action.
SIGNED_IN = "(signed in)"
PUBLIC = "(public)"

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_DECLARED = "__borough_action__"
_KEY = "borough.authenticator"
_PRODUCT = "borough.product"


@dataclass(frozen=True, slots=True)
class Identity:
    """An authenticated request.

    Attributes:
        actor: who asks.
        csrf_token: what unsafe requests of this session must repeat; None when a bearer token was
            used, which no browser sends by itself.
        session_id: the id of the session's record, not its secret.
        token_id: the id of the token's record, not its secret.
    """

    actor: Actor
    csrf_token: str | None = None
    session_id: str | None = None
    token_id: str | None = None


class Authenticator(Protocol):
    """What the surfaces need of ``access``."""

    def by_token(self, secret: str) -> Identity:
        """The bearer of an API token.

        Raises:
            Unauthenticated: unknown, expired or revoked.
        """
        ...

    def by_session(self, secret: str) -> Identity | None:
        """The owner of a web session; None when it is unknown, expired or signed out."""
        ...

    def may_somewhere(self, actor: Actor, action: str) -> bool:
        """Whether the actor holds the action on any path at all."""
        ...


def install(app: Flask, authenticator: Authenticator, product: Product) -> None:
    """Authenticate and guard every request of a product's Flask application."""
    app.extensions[_KEY] = authenticator
    app.extensions[_PRODUCT] = product
    app.before_request(_guard_against_forgery)


def product(app: Flask | None = None) -> Product:
    """The product that an application, or the running one, serves."""
    found: Product = (app or current_app).extensions[_PRODUCT]
    return found


def session_cookie() -> str:
    """The name of the cookie that carries a web session."""
    return product().cookie


def _authenticator() -> Authenticator:
    found: Authenticator = current_app.extensions[_KEY]
    return found


def identity() -> Identity | None:
    """The identity of this request, looked up once; None for a stranger.

    Raises:
        Unauthenticated: credentials were sent and are not valid. A bad bearer token is never
            passed over in favour of a cookie.
    """
    if "borough_identity" not in g:
        g.borough_identity = _identify()
    found: Identity | None = g.borough_identity
    return found


def _identify() -> Identity | None:
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Unauthenticated("the Authorization header must be 'Bearer <token>'")
        return _authenticator().by_token(secret.strip())
    cookie = request.cookies.get(session_cookie())
    return _authenticator().by_session(cookie) if cookie else None


def forget_identity() -> None:
    """Look the identity up again: the session of this request has just begun or ended."""
    g.pop("borough_identity", None)


def current_actor() -> Actor:
    """Who asks.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    found = identity()
    if found is None:
        raise Unauthenticated("sign in, or send a token: Authorization: Bearer <token>")
    return found.actor


def may(action: str) -> bool:
    """Whether the visitor holds the action anywhere at all; what a page offers, not a lock."""
    found = identity()
    return found is not None and _authenticator().may_somewhere(found.actor, action)


def current_csrf_token() -> str:
    """The token that forms of this session carry; empty when no session is signed in."""
    found = identity()
    return (found.csrf_token or "") if found else ""


def requires(action: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare the action of an endpoint, and turn away those who hold it nowhere.

    The service still decides for the thing asked about: this is the outer door, not the lock.
    Put it directly below the route, above ``input`` and ``output``, so that a stranger learns
    nothing about the input's form.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            actor = current_actor()
            if not _authenticator().may_somewhere(actor, action):
                raise Forbidden(f"this needs the permission {action}", action=action)
            return view(*args, **kwargs)

        setattr(guarded, _DECLARED, action)
        return guarded

    return decorate


def signed_in(view: Callable[P, R]) -> Callable[P, R]:
    """Declare an endpoint that everybody who is signed in may use (their own account, sign out)."""

    @functools.wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        current_actor()
        return view(*args, **kwargs)

    setattr(guarded, _DECLARED, SIGNED_IN)
    return guarded


def public(view: Callable[P, R]) -> Callable[P, R]:
    """Declare an endpoint for everybody; each one is also on the list in the architecture test."""
    setattr(view, _DECLARED, PUBLIC)
    return view


def declared(view: Callable[..., object]) -> str | None:
    """The action that a view declares, SIGNED_IN, PUBLIC, or None when it declares nothing."""
    found: str | None = getattr(view, _DECLARED, None)
    return found


def _guard_against_forgery() -> None:
    """Refuse unsafe requests that another site made a browser send.

    Raises:
        Forbidden: a foreign origin, or a session without its CSRF token.
    """
    if request.method in SAFE_METHODS or "Authorization" in request.headers:
        return
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("the request comes from another site")
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("the request comes from another site")
    found = identity()
    if found is None or found.csrf_token is None:
        return
    sent = request.headers.get(CSRF_HEADER) or (
        "" if request.is_json else request.form.get(CSRF_FIELD, "")
    )
    if not hmac.compare_digest(sent.encode(), found.csrf_token.encode()):
        raise Forbidden("the form is out of date: load the page again", reason="csrf")
