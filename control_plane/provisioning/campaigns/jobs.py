"""Durable work of campaigns."""

from functools import partial
from typing import Any

from control_plane.provisioning.campaigns.model import MemberState
from control_plane.provisioning.campaigns.service import PLAN, RUN, Campaigns
from control_plane.provisioning.jobs import events_to
from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job
from foundation.operations.model import Cancelled

_BATCH = 5
_ENDED_BADLY = {MemberState.FAILED.value, MemberState.CHANGED.value}


def handlers(campaigns: Campaigns) -> dict[str, Job]:
    """The kinds of operations that campaigns do."""

    def plan(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        wanted: list[str] = ctx.step("list", lambda: campaigns.unplanned(ctx.subject))
        for start in range(0, len(wanted), _BATCH):
            some = wanted[start : start + _BATCH]
            name = f"plan.{start // _BATCH + 1}"
            ctx.step(name, partial(campaigns.plan_members, ctx.subject, some))
        return ctx.step("put-up", lambda: campaigns.end_planning(ctx.subject))

    def run(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        first, last = ctx.inputs["waves"]
        done: list[dict[str, Any]] = []
        for wave in range(first, last + 1):
            outcome = _wave(ctx, campaigns, wave, last)
            done.append({"wave": wave + 1, **outcome})
            if not outcome["go"]:
                break
        return {"waves": done}

    return {PLAN: Job(plan, steps=("list", "put-up")), RUN: Job(run)}


def _wave(ctx: Context, campaigns: Campaigns, wave: int, last: int) -> dict[str, Any]:
    """One wave: deployment by deployment until one fails, and the gate behind it."""
    ended: dict[str, str] = {}
    try:
        listed = ctx.step(f"wave.{wave + 1}", partial(campaigns.planned_members, ctx.subject, wave))
        for member in listed:
            state = _member(ctx, campaigns, member)
            ended[member["deployment"]] = state
            if state in _ENDED_BADLY:
                break
    except Cancelled:
        ctx.emit("campaign.cancelled", {"message": "no further deployment is begun"})
    gate = ctx.cleanup(f"gate.{wave + 1}", partial(campaigns.close_wave, ctx.subject, wave, last))
    return {**gate, "deployments": ended}


def _member(ctx: Context, campaigns: Campaigns, member: dict[str, str]) -> str:
    name = member["deployment"]
    apply = partial(
        campaigns.apply_member, ctx.subject, member, operation=ctx.operation_id,
        on_event=events_to(ctx),
    )  # fmt: skip
    try:
        state: str = ctx.step(f"upgrade.{name}", apply)
    except Cancelled:
        raise
    except BoroughError as error:
        give_up = partial(campaigns.give_up, ctx.subject, name, error.message)
        state = ctx.cleanup(f"give-up.{name}", give_up)
    return state
