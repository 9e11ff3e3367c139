"""One operation per stack at a time, held by PostgreSQL for as long as the process lives.

A session-level advisory lock on a connection of its own: no transaction stays open, and when the
process is killed the server lets go of it.
"""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from control_plane.provisioning.ports import EngineError, StackBusyError

_KEY = sa.text("SELECT pg_try_advisory_lock(hashtextextended(:name, 7261))")
_RELEASE = sa.text("SELECT pg_advisory_unlock(hashtextextended(:name, 7261))")


class StackLocks:
    """Locks on stacks.

    Args:
        url: SQLAlchemy URL of the platform's database.
    """

    def __init__(self, url: str) -> None:
        # Connections of its own: an operation may take long, and must not starve the pool.
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")

    @contextlib.contextmanager
    def hold(self, stack: str) -> Iterator[None]:
        """Hold a stack.

        Raises:
            StackBusyError: Somebody else does.
            EngineError: The database does not answer.
        """
        name = {"name": f"stack:{stack}"}
        try:
            connection = self._engine.connect()
        except sa.exc.OperationalError as error:
            raise EngineError(f"the database does not answer: {error.orig}") from error
        with connection:
            if not connection.execute(_KEY, name).scalar_one():
                raise StackBusyError(f"another operation works on {stack}")
            try:
                yield
            finally:
                # A restarted server has let go by itself.
                with contextlib.suppress(sa.exc.DBAPIError):
                    connection.execute(_RELEASE, name)

    def close(self) -> None:
        """Give back what is kept."""
        self._engine.dispose()
