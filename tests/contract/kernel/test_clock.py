from datetime import UTC, datetime, timedelta

from control_plane.adapters.shiftable_clock import ShiftableClock
from foundation.adapters.clock import SystemClock
from foundation.kernel.database import Database


def test_a_shift_holds_for_all_clocks_of_the_platform(database: Database) -> None:
    system, mine, other = SystemClock(), ShiftableClock(database), ShiftableClock(database)
    then = datetime(2026, 10, 1, 9, tzinfo=UTC)
    mine.shift_to(then)
    assert timedelta(0) <= mine.now() - then < timedelta(seconds=5)
    assert timedelta(0) <= other.now() - then < timedelta(seconds=5)
    mine.reset()
    assert abs(mine.now() - system.now()) < timedelta(seconds=1)
