"""Durable work of bindings: bring about what one wants, and end overlaps."""

from typing import Any

from control_plane.provisioning.bindings.service import APPLY, Bindings
from control_plane.provisioning.jobs import Stop, events_to, outcome
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job, Schedule

STEPS = ("plan", "apply", "record")
_EVERY_SECONDS = 60.0


def handlers(bindings: Bindings, provisioning: Provisioning) -> dict[str, Job]:
    """The kind of operation that bindings need."""
    return {APPLY: Job(lambda ctx: apply(bindings, provisioning, ctx), STEPS)}


def schedules(bindings: Bindings) -> list[Schedule]:
    """Overlaps end by themselves."""
    return [Schedule("bindings.tidy", _EVERY_SECONDS, bindings.tidy)]


def apply(bindings: Bindings, provisioning: Provisioning, ctx: Context) -> Any:  # noqa: ANN401
    """Plan, apply, and only then count the new credentials as valid."""
    operation = ctx.operation_id
    try:
        planned = ctx.step("plan", lambda: bindings.plan(ctx.subject))
        ctx.step(
            "apply",
            lambda: outcome(
                provisioning.apply(
                    planned["plan"],
                    operation=operation,
                    digest=planned["digest"],
                    on_event=events_to(ctx),
                    cancel=Stop(ctx),
                )
            ),
        )
    except BoroughError as error:
        message = error.message
        ctx.cleanup("fail", lambda: bindings.record_failure(ctx.subject, operation, message))
        raise
    return ctx.cleanup("record", lambda: bindings.record(ctx.subject, operation))
