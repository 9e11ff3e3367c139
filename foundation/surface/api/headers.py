"""What every answer carries, and what every request must be able to be."""

from uuid import UUID, uuid4

from flask import Flask, Response, g, request

from foundation.surface.api.conditions import not_modified
from foundation.surface.api.problems import API_PREFIX, BadRequest

_EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # The web surface sets its own, wider one on its pages.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_YEAR = 31_536_000


def install(app: Flask) -> None:
    """Give each request an id, refuse what cannot be kept, and put the security headers on."""
    app.before_request(_begin)
    app.after_request(_finish)


def _begin() -> None:
    """Note the request's id; the caller's own is kept when it is a UUID."""
    try:
        g.request_id = str(UUID(request.headers.get("X-Request-ID", "")))
    except ValueError:
        g.request_id = str(uuid4())
    if "\x00" in request.path or any("\x00" in value for value in request.args.values()):
        raise BadRequest("the address holds a NUL character")


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.get("request_id", "")
    for name, value in _EVERYWHERE.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
    if request.path.startswith(API_PREFIX):
        response.headers.setdefault("Cache-Control", "no-store")
        response = not_modified(response)
    return response
