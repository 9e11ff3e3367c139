"""What a worker does for harvesting."""

from dataclasses import asdict
from typing import Any

from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job, Schedule
from workloads.data_exchange.harvesting.model import Run, RunId
from workloads.data_exchange.harvesting.reading import Reading
from workloads.data_exchange.harvesting.service import KIND, Harvesting

_LOOK_SECONDS = 30


def handlers(harvesting: Harvesting, reading: Reading) -> dict[str, Job]:
    """The work by its kind."""

    def run(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        run_id = RunId(ctx.subject)

        def read() -> dict[str, Any]:
            return _told(reading.read(run_id, fence=ctx.fence, stop=ctx.cancelled))

        try:
            ctx.step("read", read, patience=300.0)
            ctx.step("withdraw", lambda: _told(reading.withdraw(run_id, fence=ctx.fence)))
        except BoroughError as error:
            failed = error
            ctx.cleanup("end", lambda: _end(harvesting, run_id, failed))
            raise
        return ctx.cleanup("end", lambda: _end(harvesting, run_id, None))

    return {KIND: Job(run, steps=("read", "withdraw", "end"))}


def schedules(harvesting: Harvesting) -> list[Schedule]:
    """What is done again and again."""
    return [Schedule("exchange.harvest", _LOOK_SECONDS, harvesting.start_due)]


def _told(run: Run) -> dict[str, Any]:
    return {name: value for name, value in asdict(run).items() if isinstance(value, int)}


def _end(harvesting: Harvesting, run_id: str, error: BoroughError | None) -> dict[str, Any]:
    ended = harvesting.end(run_id, error)
    return {} if ended is None else _told(ended)
