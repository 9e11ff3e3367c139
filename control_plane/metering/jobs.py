"""Durable work of metering: collecting regions, on demand and by the minute."""

from control_plane.metering.service import COLLECT, Metering
from foundation.operations.jobs import Context, Job, Schedule

_SECONDS = 60


def handlers(metering: Metering) -> dict[str, Job]:
    """The kinds of operations that metering does."""

    def collect(ctx: Context) -> dict[str, int]:
        made = ctx.step("collect", lambda: metering.collect_region(ctx.subject))
        return {"events": made}

    return {COLLECT: Job(collect, steps=("collect",))}


def schedules(metering: Metering) -> list[Schedule]:
    """What metering does by itself."""
    return [Schedule("metering.collect-all", _SECONDS, metering.collect_all)]
