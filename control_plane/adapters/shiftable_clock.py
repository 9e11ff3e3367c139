"""A clock that demonstrations may shift, for all processes of a platform at once."""

import threading
import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, metadata

shift_table = sa.Table(
    "clock_shift",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("offset", sa.Interval, nullable=False),
)

_ONLY = "platform"
#: How long a process may go on with the shift that it knows, seconds.
KNOWN_FOR = 0.25


class ShiftableClock:
    """The machine's time plus a shift that is kept in the database.

    Only a platform with the setting ``simulated_time`` uses it. Other processes follow a change
    within a quarter of a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._offset = timedelta(0)
        self._read_at = float("-inf")

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift()

    def shift_to(self, at: datetime) -> None:
        """Let it be ``at`` now, in all processes of the platform."""
        self._set(at - datetime.now(UTC))

    def reset(self) -> None:
        """Let it be the machine's time again."""
        self._set(timedelta(0))

    def _set(self, offset: timedelta) -> None:
        statement = postgresql.insert(shift_table).values(name=_ONLY, offset=offset)
        with self._database.engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"offset": offset})
            )
        with self._lock:
            self._offset, self._read_at = offset, time.monotonic()

    def _shift(self) -> timedelta:
        with self._lock:
            if time.monotonic() - self._read_at > KNOWN_FOR:
                # A connection of its own: the shift is no part of anybody's transaction.
                with self._database.engine.connect() as connection:
                    found = connection.execute(sa.select(shift_table.c.offset)).scalar_one_or_none()
                self._offset, self._read_at = found or timedelta(0), time.monotonic()
            return self._offset
