"""What a worker does for checks again and again."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from foundation.operations.jobs import Schedule
from workloads.data_exchange.checks.service import Checks

_SECONDS = 1.0
_ASKS = 32


def schedules(checks: Checks) -> Sequence[Schedule]:
    """Ask what is due; a slow provider holds a thread of its own and nobody else."""
    pool = ThreadPoolExecutor(_ASKS, thread_name_prefix="check")

    def work() -> None:
        checks.ship()
        checks.work(pool)

    return (Schedule("exchange.checks", _SECONDS, work),)
