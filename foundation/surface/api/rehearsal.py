"""Rehearsals: a request with ``Borough-Dry-Run: true`` is judged and answered, and changes nothing.

The view runs in a transaction that is rolled back, so that its answer is exactly what it would be:
who may, which fields are wrong, and the thing as it would be then. For views whose whole effect is
in the database; ``borough apply`` and ``borough diff`` rest on it.
"""

import functools
from collections.abc import Callable
from typing import NoReturn, ParamSpec

from flask import Response, current_app, request
from flask.typing import ResponseReturnValue

from foundation.kernel.errors import Invalid, Problem
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]

HEADER = "Borough-Dry-Run"
MARK = "__borough_rehearsal__"


class _RolledBackError(Exception):
    """Ends the transaction of a rehearsal and carries its answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _roll_back(response: Response) -> NoReturn:
    raise _RolledBackError(response)


def rehearsable(view: View[P]) -> View[P]:
    """Honour Borough-Dry-Run. Directly below ``requires``, above ``idempotent``."""

    @functools.wraps(view)
    def running(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        wanted = request.headers.get(HEADER)
        if wanted is None:
            return view(*args, **kwargs)
        if wanted != "true":
            raise Invalid([Problem(HEADER, "must be true or be left out")])
        try:
            with use(Runtime).database.transaction():
                _roll_back(current_app.make_response(view(*args, **kwargs)))
        except _RolledBackError as ended:
            for name in ("Location", "ETag"):
                ended.response.headers.pop(name, None)
            ended.response.headers[HEADER] = "true"
            return ended.response

    setattr(running, MARK, True)
    return running
