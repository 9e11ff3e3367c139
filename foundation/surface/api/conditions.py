"""ETag and If-Match: a change says which version it changes; and 202 for long work."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from flask import Response, request
from flask.typing import ResponseReturnValue

from foundation.kernel import canonical
from foundation.kernel.errors import PreconditionFailed
from foundation.surface.api.problems import PreconditionRequired

P = ParamSpec("P")
MARK = "__borough_if_match__"
_LENGTH = 32


def etag(*parts: Any) -> str:  # noqa: ANN401 - any JSON value
    """The strong tag of a version, from what identifies it: an id and a version, or a document."""
    return canonical.digest(parts).removeprefix("sha256:")[:_LENGTH]


def with_etag(body: Any, tag: str, status: int = 200) -> tuple[Any, int, dict[str, str]]:  # noqa: ANN401
    """What a view answers: the body and the tag of its version."""
    return body, status, {"ETag": f'"{tag}"'}


def requires_match(
    view: Callable[P, ResponseReturnValue],
) -> Callable[P, ResponseReturnValue]:
    """Refuse a change that does not say which version it changes (428); see ``check_match``."""

    @functools.wraps(view)
    def matched(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if "If-Match" not in request.headers:
            raise PreconditionRequired("send If-Match with the ETag of the version you have seen")
        return view(*args, **kwargs)

    setattr(matched, MARK, True)
    return matched


def check_match(tag: str) -> None:
    """Compare If-Match with the present version; best inside the transaction that changes it.

    Raises:
        PreconditionFailed: the thing has changed since.
    """
    if not request.if_match.contains(tag):
        raise PreconditionFailed("this has changed since you looked: read it again", etag=tag)


def matched_tag() -> str:
    """The one tag of If-Match, for services that compare versions themselves.

    Raises:
        PreconditionRequired: none was sent.
    """
    tags = sorted(request.if_match.as_set())
    if len(tags) != 1:
        raise PreconditionRequired("send If-Match with the one ETag of the version you have seen")
    return tags[0]


def accepted(operation: Any, operation_id: str) -> tuple[Any, int, dict[str, str]]:  # noqa: ANN401
    """What a view answers when work goes on: 202, the operation and where to follow it."""
    return operation, 202, {"Location": f"/api/v1/operations/{operation_id}"}


def created(body: Any, location: str, tag: str = "") -> tuple[Any, int, dict[str, str]]:  # noqa: ANN401
    """What a view answers when something new exists: 201 and its address."""
    headers = {"Location": location}
    if tag:
        headers["ETag"] = f'"{tag}"'
    return body, 201, headers


def not_modified(response: Response) -> Response:
    """304 for a GET whose If-None-Match names the present version."""
    if request.method == "GET" and "ETag" in response.headers:
        response.make_conditional(request)
    return response
