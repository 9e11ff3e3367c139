"""Exit codes of ``borough``, and what the API's problems mean in them."""

from collections.abc import Mapping
from typing import Any

import click

from foundation.surface.cli.plain import plain

OK = 0
FAILED = 1
USAGE = 2
NOT_FOUND = 3
NOT_ALLOWED = 4
CONFLICT = 5
WAIT_TIMED_OUT = 6
NEEDS_APPROVAL = 7

_BY_CODE = {"needs_approval": NEEDS_APPROVAL}
_BY_STATUS = {
    400: USAGE,
    401: NOT_ALLOWED,
    403: NOT_ALLOWED,
    404: NOT_FOUND,
    409: CONFLICT,
    412: CONFLICT,
    422: USAGE,
}


class Failure(click.ClickException):
    """A command that ends with a message and an exit code of the table."""

    def __init__(self, message: str, exit_code: int = FAILED) -> None:
        super().__init__(plain(message))
        # click declares it on the class and reads it from the instance.
        self.exit_code = exit_code  # type: ignore[misc]


class ApiProblem(Failure):
    """The API answered with a problem (RFC 9457); ``document`` is all of it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        super().__init__(explain(document), exit_code(document))


def exit_code(problem: Mapping[str, Any]) -> int:
    """The exit code of a problem document; its ``code`` decides before its ``status``."""
    by_status = _BY_STATUS.get(problem.get("status", 0), FAILED)
    return _BY_CODE.get(problem.get("code", ""), by_status)


def explain(problem: Mapping[str, Any]) -> str:
    """A problem document for a person: what is wrong, then each wrong field on its own line."""
    errors = problem.get("errors") or []
    lines = [problem.get("detail") or problem.get("title") or "the request failed"]
    if errors:
        count = len(errors)
        lines = [f"{count} field{'s are' if count > 1 else ' is'} wrong:"]
        lines += [f"  {error.get('field') or '(body)'}: {error['message']}" for error in errors]
    for name, value in (problem.get("details") or {}).items():
        lines += [] if value in (None, "", [], {}) else _detail(name, value, 1)
    if problem.get("status", 0) >= 500 and problem.get("request_id"):  # noqa: PLR2004 - HTTP
        lines.append(f"  request {problem['request_id']}")
    return "\n".join(lines)


def _detail(name: str, value: object, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(value, Mapping):
        inner = [line for key, item in value.items() for line in _detail(str(key), item, depth + 1)]
        return [f"{indent}{name}:", *inner]
    if isinstance(value, list):
        inner = [line for item in value for line in _detail("-", item, depth + 1)]
        return [f"{indent}{name}:", *inner]
    return [f"{indent}{name}: {value}"]
