"""Errors as problem+json (RFC 9457), for every request under ``/api``.

A problem carries ``type`` (``urn:borough:problem:<code>``), ``title``, ``status``, ``detail``,
``code``, and where they apply ``errors`` (each wrong field: ``field``, ``pointer``, ``message``,
``code``) and ``details``. Requests for pages get the same error through the hook that the web
surface leaves in ``on_page_error``.
"""

import http
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, current_app, g, json, request
from werkzeug.exceptions import HTTPException

from foundation.kernel import canonical
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    PreconditionFailed,
    Problem,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)

PROBLEM_JSON = "application/problem+json"
API_PREFIX = "/api/"

_log = logging.getLogger("borough.http")
_PAGES = "borough.page_error"


class BadRequest(BoroughError):
    """The request cannot be read at all, for example malformed JSON."""

    code = "bad_request"


class UnsupportedMediaType(BoroughError):
    """The body is of another content type than the endpoint takes."""

    code = "unsupported_media_type"


class PreconditionRequired(BoroughError):
    """A change must say which version it changes (If-Match)."""

    code = "precondition_required"


class IdempotencyMismatch(BoroughError):
    """An idempotency key came back with another request."""

    code = "idempotency_key_reused"


class TooManyRequests(BoroughError):
    """The caller asked more often than it may; ``retry_after`` says when to come back (seconds)."""

    code = "too_many_requests"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


#: The status of each error; a subclass without an entry takes that of its parent.
STATUS: dict[type[BoroughError], int] = {
    BadRequest: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    QuotaExceeded: 409,
    NeedsApproval: 409,
    PreconditionFailed: 412,
    UnsupportedMediaType: 415,
    Invalid: 422,
    IdempotencyMismatch: 422,
    PreconditionRequired: 428,
    TooManyRequests: 429,
    Unavailable: 503,
    BoroughError: 500,
}

_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    431: "too_large",
}

PageError = Callable[[dict[str, Any], BaseException], Any]


def status_of(error: BoroughError) -> int:
    """The HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(error: BoroughError) -> dict[str, Any]:
    """The problem document of an error."""
    body = _document(status_of(error), error.code, error.message)
    if isinstance(error, Invalid):
        body["errors"] = [_wrong(problem) for problem in error.problems]
    if error.details:
        body["details"] = canonical.plain(error.details)
    return body


def _wrong(problem: Problem) -> dict[str, str]:
    steps = problem.field.split(".") if problem.field else []
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return {
        "field": problem.field,
        "pointer": pointer,
        "message": problem.message,
        "code": problem.code,
    }


def _document(status: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": f"urn:borough:problem:{code}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": g.get("request_id", ""),
    }


def respond(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    response = Response(json.dumps(body), status=body["status"], content_type=PROBLEM_JSON)
    response.headers.update(headers or {})
    return response


def is_api_request() -> bool:
    """Whether this request wants problem+json rather than a page."""
    return request.path.startswith(API_PREFIX) or _PAGES not in current_app.extensions


def on_page_error(app: Flask, show: PageError) -> None:
    """Let the web surface show errors of requests outside ``/api``.

    Args:
        app: the application.
        show: gets the problem document and the error; answers what a view may answer.
    """
    app.extensions[_PAGES] = show


def install(app: Flask) -> None:
    """Answer every error of the application as a problem or as a page."""
    app.register_error_handler(BoroughError, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _defect)


def _answer(body: dict[str, Any], error: BaseException, headers: Mapping[str, str]) -> Any:  # noqa: ANN401
    if is_api_request():
        return respond(body, headers)
    shown = current_app.make_response(current_app.extensions[_PAGES](body, error))
    for name, value in headers.items():
        shown.headers.setdefault(name, value)
    return shown


def _known(error: BoroughError) -> Any:  # noqa: ANN401 - whatever a view may answer
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="borough"'
    if isinstance(error, Unavailable | TooManyRequests):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    body = body_of(error)
    if body["status"] == http.HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("unmapped error", exc_info=error)
    return _answer(body, error, headers)


def _http(error: HTTPException) -> Any:  # noqa: ANN401
    status = error.code or 500
    if error.response is not None or status < http.HTTPStatus.BAD_REQUEST:
        return error  # a redirect, or an answer that is complete already
    code = _HTTP_CODES.get(status, "bad_request" if status < 500 else "internal")  # noqa: PLR2004
    keep = {"Allow", "Retry-After", "WWW-Authenticate", "Content-Range"}
    headers = {name: value for name, value in error.get_headers() if name in keep}
    return _answer(_document(status, code, _http_detail(status)), error, headers)


def _http_detail(status: int) -> str:
    return {
        400: "the request cannot be read",
        404: "there is nothing at this address",
        405: "this address does not take that method",
        413: "the request is larger than allowed",
    }.get(status, http.HTTPStatus(status).description or http.HTTPStatus(status).phrase)


def _defect(error: Exception) -> Any:  # noqa: ANN401
    """A defect: all of it goes to the log, nothing of it to the caller but the request's id."""
    if _is_passing(error):
        _log.warning("the database does not answer", exc_info=error)
        return _known(Unavailable("the platform's database does not answer now", retry_after=2))
    _log.error("request failed", exc_info=error)
    detail = "the platform failed to answer; the request id finds the cause in the log"
    return _answer(_document(500, "internal", detail), error, {})


#: Classes and codes of PostgreSQL's appendix A under which nothing was done and the same request
#: may succeed: connection, shutdown and start, too many connections, serialisation and deadlock.
_PASSING = ("08", "57P", "53300", "40001", "40P01")


def _is_passing(error: Exception) -> bool:
    if isinstance(error, sa.exc.TimeoutError):
        return True  # no connection of the pool was free
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    code = getattr(error.orig, "sqlstate", None)
    unreachable = isinstance(error, sa.exc.OperationalError) and code is None
    return error.connection_invalidated or unreachable or (code or "").startswith(_PASSING)
