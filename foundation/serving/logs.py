"""One line of JSON for each request: who, what, how long, and no secret.

A line holds the route and the path, never the query, a header, a cookie or a body: those may hold
passwords and tokens.
"""

import json
import logging
import time

from flask import Flask, Response, g, request

_log = logging.getLogger("borough.access")


def install(app: Flask) -> None:
    """Log every request of an application."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.borough_logged_from = time.perf_counter()


def _end(response: Response) -> Response:
    began: float = g.get("borough_logged_from", time.perf_counter())
    # Only what has been looked up already: a log line authenticates nobody.
    found = g.get("borough_identity")
    line = {
        "event": "request",
        "request_id": g.get("request_id", ""),
        "method": request.method,
        "path": request.path,
        "route": request.url_rule.rule if request.url_rule else None,
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - began) * 1000, 1),
        "actor": None if found is None else found.actor.id,
        "address": request.remote_addr,
    }
    quiet = request.path in {"/healthz", "/readyz", "/metrics"}
    _log.log(logging.DEBUG if quiet else logging.INFO, json.dumps(line, ensure_ascii=False))
    return response


class JsonFormatter(logging.Formatter):
    """Every other record as one line of JSON too; lines of requests are JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        if record.name == _log.name:
            return record.getMessage()
        line = {
            "event": "log",
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
