"""How many operations change one region at once, over all workers.

A region has so many places; an operation holds one of them by a session-level advisory lock on a
connection of its own, as it holds its stack. No transaction stays open, and the place of a process
that was killed is free at once.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from control_plane.provisioning.ports import Cancellation, EngineError

_KEY = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 7262))")
_RELEASE = sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 7262))")
_POLL_SECONDS = 0.5


class RegionTurns:
    """Places in regions.

    Args:
        url: SQLAlchemy URL of the platform's database.
        most: How many places a region has that does not say so itself.
    """

    def __init__(self, url: str, most: int) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
        self._most = most

    @contextlib.contextmanager
    def hold(
        self,
        region: str,
        *,
        most: int | None = None,
        cancel: Cancellation | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> Iterator[None]:
        """Hold a place in a region; waits until there is one.

        Args:
            region: Its id.
            most: How many places it has.
            cancel: Asked while waiting.
            on_wait: Called once when there is no place yet.

        Raises:
            EngineError: It was cancelled while it waited, or the database does not answer.
        """
        try:
            connection = self._engine.connect()
        except sa.exc.OperationalError as error:
            raise EngineError(f"the database does not answer: {error.orig}") from error
        with connection:
            place = self._place(connection, region, most or self._most, cancel, on_wait)
            try:
                yield
            finally:
                # A restarted server has let go by itself.
                with contextlib.suppress(sa.exc.DBAPIError):
                    connection.execute(_RELEASE, place)

    def _place(
        self,
        connection: sa.Connection,
        region: str,
        most: int,
        cancel: Cancellation | None,
        on_wait: Callable[[], None] | None,
    ) -> dict[str, str]:
        places = [{"name": f"region:{region}:{number}"} for number in range(max(most, 1))]
        waited = False
        while True:
            for place in random.sample(places, len(places)):
                try:
                    free = connection.execute(_KEY, place).scalar_one()
                except sa.exc.DBAPIError as error:
                    raise EngineError(f"the database does not answer: {error.orig}") from error
                if free:
                    return place
            if not waited and on_wait is not None:
                on_wait()
            waited = True
            if cancel is not None and cancel.is_set():
                raise EngineError("it was cancelled while it waited for its turn in the region")
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Give back what is kept."""
        self._engine.dispose()
