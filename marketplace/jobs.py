"""The durable work on orders: planning one, carrying one out, and looking after those that wait."""

from collections.abc import Mapping
from typing import Any

from control_plane.provisioning.graph import EngineEvent, EventKind, Progress
from foundation.kernel.errors import BoroughError, NeedsApproval
from foundation.operations.jobs.context import Context, Job, Schedule
from foundation.operations.model import problem_of
from marketplace.service import Marketplace

PLAN_STEPS = ("begin", "preview", "price")
FULFIL_STEPS = ("verify", "apply", "record", "consume", "activate")

_EXPIRE_SECONDS = 60.0
_SETTLE_SECONDS = 15.0


def handlers(marketplace: Marketplace) -> dict[str, Job]:
    """The kinds of operations that orders need, with their steps in order."""
    return {
        "order.plan": Job(lambda ctx: plan_order(marketplace, ctx), PLAN_STEPS),
        "order.fulfil": Job(lambda ctx: fulfil_order(marketplace, ctx), FULFIL_STEPS),
    }


def schedules(marketplace: Marketplace) -> list[Schedule]:
    """What is looked after again and again."""
    return [
        Schedule("marketplace.expire", _EXPIRE_SECONDS, marketplace.expire_overdue),
        Schedule("marketplace.settle", _SETTLE_SECONDS, marketplace.settle),
    ]


def plan_order(marketplace: Marketplace, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Plan and price a submitted order, and put it up for approval."""
    order, submission = str(ctx.inputs["order"]), int(ctx.inputs["round"])
    try:
        ctx.step("begin", lambda: marketplace.begin_planning(order, submission))
        found = ctx.step("preview", lambda: marketplace.preview_order(order, submission))
        return ctx.step("price", lambda: marketplace.put_up(order, submission, found["plan"]))
    except BoroughError as error:
        _fail(marketplace, ctx, error)
        raise


def fulfil_order(marketplace: Marketplace, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Carry out an approved order. Once the region has done its part, nothing stops the rest."""
    order, submission = str(ctx.inputs["order"]), int(ctx.inputs["round"])
    digest = str(ctx.inputs["digest"])
    try:
        plan = ctx.step("verify", lambda: marketplace.verify(order, submission, digest))
        _apply(marketplace, ctx, plan)
        ctx.cleanup("record", lambda: marketplace.record(order, submission))
        ctx.cleanup("consume", lambda: marketplace.consume(order, submission))
        return ctx.cleanup("activate", lambda: marketplace.activate(order, submission))
    except NeedsApproval:
        raise  # the order waits for approval again: nothing has failed
    except BoroughError as error:
        _fail(marketplace, ctx, error)
        raise


def _apply(marketplace: Marketplace, ctx: Context, plan: Mapping[str, str]) -> None:
    watch = _Watch(ctx)
    try:
        ctx.step(
            "apply",
            lambda: marketplace.carry_out(plan, ctx.operation_id, watch.event, watch),
        )
    except NeedsApproval as error:
        order, submission = str(ctx.inputs["order"]), int(ctx.inputs["round"])
        difference = error.details.get("difference", [])
        ctx.cleanup("lapse", lambda: marketplace.lapse_again(order, submission, difference))
        raise


def _fail(marketplace: Marketplace, ctx: Context, error: BoroughError) -> None:
    order, submission = str(ctx.inputs["order"]), int(ctx.inputs["round"])
    problem = problem_of(error)
    ctx.cleanup("fail", lambda: marketplace.fail(order, submission, problem))


class _Watch:
    """Hands the engine's progress on to those who watch, and the operation's cancellation back."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._begun: set[str] = set()
        self._done = 0

    def is_set(self) -> bool:
        """Whether the engine should stop after its running steps."""
        return self._ctx.cancelled()

    def event(self, event: EngineEvent) -> None:
        """Tell of one event."""
        if event.kind is not EventKind.RESOURCE:
            self._ctx.emit(f"engine.{event.kind.value}", {"message": event.message})
            return
        progress = event.progress.value if event.progress else ""
        self._ctx.emit(
            f"resource.{progress or 'seen'}",
            {
                "message": event.message,
                "urn": event.urn,
                "type": event.type,
                "name": event.name,
                "op": event.op.value if event.op else "",
            },
        )
        if event.progress is Progress.STARTED:
            self._begun.add(event.urn)
        elif event.progress is not None:
            self._done += 1
            self._ctx.progress(self._done / max(len(self._begun), self._done + 1))
