"""Durable work of imports."""

from typing import Any

from control_plane.provisioning.imports.service import ABANDON, APPLY, Imports
from control_plane.provisioning.jobs import Stop, events_to, outcome
from control_plane.provisioning.service.carrying import Watch
from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job

APPLY_STEPS = ("reserve", "import", "settle")


def handlers(imports: Imports) -> dict[str, Job]:
    """The kinds of operations that imports need, with their steps in order."""
    return {
        APPLY: Job(lambda ctx: apply(imports, ctx), APPLY_STEPS),
        ABANDON: Job(lambda ctx: abandon(imports, ctx), ("abandon",)),
    }


def apply(imports: Imports, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Take in what is there: quota first, then state and region, then the record."""
    operation = ctx.operation_id
    plan, digest = str(ctx.inputs["plan"]), str(ctx.inputs["digest"])
    watch = Watch(operation, events_to(ctx), Stop(ctx))
    ctx.step("reserve", lambda: imports.reserve(plan, operation))
    try:
        done = ctx.step("import", lambda: outcome(imports.carry_out(plan, digest, watch)))
    except BoroughError:
        ctx.cleanup("release", lambda: imports.release(plan, operation))
        raise
    return {**done, **ctx.cleanup("settle", lambda: imports.settle(plan, operation))}


def abandon(imports: Imports, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Give up an import."""
    watch = Watch(ctx.operation_id, events_to(ctx), Stop(ctx))
    return ctx.step("abandon", lambda: outcome(imports.abandon(ctx.subject, watch)))
