"""``/healthz``: this process answers. ``/readyz``: requests may be sent to it."""

import logging
from collections.abc import Callable, Mapping

from flask import Flask, Response, json

from foundation.surface.auth import public

_log = logging.getLogger("borough.health")


def register(app: Flask, ready: Mapping[str, Callable[[], bool]]) -> None:
    """Add the two addresses.

    Args:
        app: the application.
        ready: questions by name; a false answer or an exception makes the process not ready.
    """

    @app.get("/healthz")
    @public
    def healthz() -> Response:
        return _answer(200, {"status": "ok"})

    @app.get("/readyz")
    @public
    def readyz() -> Response:
        checks = {name: _ask(name, question) for name, question in ready.items()}
        ok = all(checks.values())
        answers = {name: "ok" if passed else "failed" for name, passed in checks.items()}
        document = {"status": "ok" if ok else "unavailable", "checks": answers}
        return _answer(200 if ok else 503, document)


def _ask(name: str, question: Callable[[], bool]) -> bool:
    try:
        return question()
    except Exception:  # noqa: BLE001 - whatever it is, the answer is no
        # Why is for the log; strangers may read this address.
        _log.warning("not ready: %s", name, exc_info=True)
        return False


def _answer(status: int, document: object) -> Response:
    response = Response(json.dumps(document), status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
