"""What a worker does for transfers."""

from typing import Any

from foundation.operations.jobs import Context, Job, Schedule
from workloads.data_exchange.transfers.checking import Checking
from workloads.data_exchange.transfers.service import KIND
from workloads.data_exchange.transfers.uploads import Uploads

_CLEAN_SECONDS, _STALE_SECONDS, _SWEEP_SECONDS = 30.0, 3_600.0, 6 * 3_600.0
_PATIENCE = 3_600.0


def handlers(checking: Checking) -> dict[str, Job]:
    """The work by its kind."""

    def publish(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        files = ctx.step("list", lambda: checking.files(ctx.subject))
        found = {}
        for n, one in enumerate(files):

            def tell(part: float, n: int = n) -> None:
                ctx.progress((n + part) / len(files))

            def read(one: str = one) -> dict[str, str]:
                return checking.digest(one, ctx.cancelled, tell)

            found[one] = ctx.step(f"read:{one}", read, patience=_PATIENCE)
        return ctx.step("publish", lambda: checking.publish(ctx.subject, found))

    return {KIND: Job(publish, steps=("list", "publish"))}


def schedules(checking: Checking, uploads: Uploads) -> list[Schedule]:
    """What is done again and again."""
    return [
        Schedule("transfers.clean", _CLEAN_SECONDS, checking.clean),
        Schedule("transfers.stale", _STALE_SECONDS, uploads.forget_stale),
        Schedule("transfers.sweep", _SWEEP_SECONDS, checking.sweep),
    ]
