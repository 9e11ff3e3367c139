"""A database that was away for a moment: work waits for it and is done again."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa

T = TypeVar("T")
_log = logging.getLogger("borough.operations")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 3.0
#: PostgreSQL's appendix A: classes of connection, resources and operator's intervention; deadlock
#: and serialisation, whose transaction has rolled back.
_CLASSES = ("08", "53", "57")
_STATES = frozenset({"40P01", "40001", "25P03"})
_CANCELLED_QUERY = "57014"


def is_outage(error: BaseException) -> bool:
    """Whether the same work may succeed when it is simply done again."""
    if isinstance(error, sa.exc.TimeoutError):  # no connection of the pool became free
        return True
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # Without a state it never reached the server, or the server is gone.
        return error.connection_invalidated or isinstance(error.orig, psycopg.OperationalError)
    if state == _CANCELLED_QUERY:
        return False
    return state in _STATES or state[:2] in _CLASSES


class Steadfast:
    """Repeats work while the database is away, until told to give up.

    Args:
        give_up: when it is set, the next outage is raised.
    """

    def __init__(self, give_up: threading.Event) -> None:
        self._give_up = give_up

    def __call__(self, work: Callable[[], T]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                return work()
            except sa.exc.SQLAlchemyError as error:
                if not is_outage(error) or self._give_up.is_set():
                    raise
                _log.warning("the database is away (%s); again in %.1f s", _brief(error), pause)
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)


def _brief(error: BaseException) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]
