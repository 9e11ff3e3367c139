"""What can go wrong, in the city's words and without any transport.

Surfaces translate: the API to problem+json (RFC 9457), the command line to an exit code, the web to
a page. ``code`` is stable and for machines, ``message`` is English, ``details`` is JSON.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One wrong field.

    Attributes:
        field: a dotted path as the sender wrote it, such as ``inputs.servers`` or ``lines.0.plan``.
        message: what is wrong, as a clause that can stand beside the field.
        code: a stable word for machines.
    """

    field: str
    message: str
    code: str = "invalid"


class BoroughError(Exception):
    """The root of all errors that are answers rather than defects."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: Any) -> None:  # noqa: ANN401 - any JSON value
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class Invalid(BoroughError):
    """The request is understood and wrong; ``problems`` names every wrong field at once."""

    code = "invalid"

    def __init__(self, problems: Iterable[Problem], message: str = "") -> None:
        self.problems = tuple(problems)
        text = message or "; ".join(f"{p.field}: {p.message}" for p in self.problems)
        super().__init__(text or "the request is invalid")


class NotFound(BoroughError):
    """There is no such thing, or none that the actor may know of."""

    code = "not_found"


class Conflict(BoroughError):
    """The thing exists and is not in a state that allows this."""

    code = "conflict"


class PreconditionFailed(BoroughError):
    """The thing has changed since the caller looked (If-Match)."""

    code = "precondition_failed"


class Unauthenticated(BoroughError):
    """Nobody is known to be asking."""

    code = "unauthenticated"


class Forbidden(BoroughError):
    """The actor is known, may see the thing, and may not do this."""

    code = "forbidden"


class QuotaExceeded(BoroughError):
    """A limit of quota, capacity or money would be passed; ``details`` says which and how far."""

    code = "quota_exceeded"


class NeedsApproval(BoroughError):
    """What was approved is not what would happen now; ``details["difference"]`` shows how."""

    code = "needs_approval"


class Unavailable(BoroughError):
    """Something outside does not answer; the same request may succeed after ``retry_after`` s."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: float = 5.0, **details: Any) -> None:  # noqa: ANN401
        super().__init__(message, **details)
        self.retry_after = retry_after


class Collector:
    """Gathers problems so that a caller learns all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def check(self, ok: object, field: str, message: str, code: str = "invalid") -> bool:
        """Note a problem unless ``ok``; answers whether it was."""
        if not ok:
            self.problems.append(Problem(field, message, code))
        return bool(ok)

    def include(self, error: Invalid, under: str = "") -> None:
        """Take over the problems of another check, below the field ``under``."""
        for problem in error.problems:
            path = ".".join(part for part in (under, problem.field) if part)
            self.problems.append(Problem(path, problem.message, problem.code))

    def finish(self) -> None:
        """Raise Invalid when anything was noted."""
        if self.problems:
            raise Invalid(self.problems)
