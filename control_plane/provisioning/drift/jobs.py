"""Durable work of drift: look, repair and adopt on demand, and look at the whole city by lanes.

A lane is a schedule: one worker at a time has it. It takes small batches of what is due, of one
region at a time, and a region is looked at by so many lanes at most. Which deployment is due is
kept per deployment, so that a killed lane goes on where it was.
"""

import logging
import random
import time
from typing import Any

from control_plane.provisioning.drift.model import LookOutcome
from control_plane.provisioning.drift.service import ADOPT, CHECK, REPAIR, Drift, Unseen
from control_plane.provisioning.drift.service.deciding import Adoption
from control_plane.provisioning.jobs import Stop, events_to
from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.service.carrying import Watch
from foundation.kernel.errors import BoroughError, Conflict, Unavailable
from foundation.operations.jobs import Context, Job, Schedule

LANES = 4
#: How many lanes may look at one region at a time.
LANES_OF_A_REGION = 2
BATCH = 8
CHECK_STEPS = ("look",)
REPAIR_STEPS = ("look", "verify", "remove", "repair", "record", "confirm")
ADOPT_STEPS = ("look", "resolve", "reserve", "adopt", "record")

_EVERY_SECONDS = 20.0
_TURN_SECONDS = 50.0
_TAKEN_SECONDS = 900.0
_LONGEST_PAUSE = 0.05

_log = logging.getLogger("borough.drift")


def handlers(drift: Drift) -> dict[str, Job]:
    """The kinds of operations that drift needs, with their steps in order."""
    return {
        CHECK: Job(lambda ctx: check(drift, ctx), CHECK_STEPS),
        REPAIR: Job(lambda ctx: repair(drift, ctx), REPAIR_STEPS),
        ADOPT: Job(lambda ctx: adopt(drift, ctx), ADOPT_STEPS),
    }


def schedules(drift: Drift) -> list[Schedule]:
    """The lanes that look at the whole city again and again."""

    def lane(name: str) -> Schedule:
        return Schedule(f"drift.{name}", _EVERY_SECONDS, lambda: run_lane(drift, name))

    lanes = LANES if drift.interval else 0
    return [lane(f"lane-{number}") for number in range(1, lanes + 1)]


def run_lane(drift: Drift, lane: str, seconds: float = _TURN_SECONDS) -> int:
    """Look at what is due until nothing is, or the time is over; answers at how many.

    Only one process may run a lane of a name at a time.
    """
    end = time.monotonic() + seconds
    drift.free(lane)
    drift.tidy()
    looked = 0
    while time.monotonic() < end:
        taken = drift.claim(lane, batch=BATCH, lanes=LANES_OF_A_REGION, seconds=_TAKEN_SECONDS)
        if not taken:
            break
        for deployment in taken:
            unseen = _look(drift, deployment) is LookOutcome.UNSEEN
            looked += 1
            if unseen or time.monotonic() > end:
                drift.free(lane)  # the rest stays due
                break
            time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 - spreads load
    return looked


def _look(drift: Drift, deployment: str) -> LookOutcome:
    try:
        return drift.look(deployment)
    except Exception:  # noqa: BLE001 - a lane goes on: logged
        _log.exception("looking at %s failed", deployment)
        drift.give_up(deployment)
        return LookOutcome.UNSEEN


def look_now(drift: Drift, deployment: str) -> str:
    """Look at a deployment for an operation.

    Raises:
        Unseen: the region could not be looked at.
        Unavailable: something else works on it right now.
    """
    outcome = drift.look(deployment)
    if outcome is LookOutcome.BUSY:
        raise Unavailable("something else works on the deployment", deployment=deployment)
    if outcome is LookOutcome.UNSEEN:
        raise Unseen(drift.why_unseen(deployment), deployment=deployment)
    return outcome.value


def check(drift: Drift, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Look at a deployment."""
    return {"outcome": ctx.step("look", lambda: look_now(drift, ctx.subject))}


def repair(drift: Drift, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Bring back what was applied last, and see that it is."""
    by, reason = str(ctx.inputs["by"]), str(ctx.inputs["reason"])
    everything = bool(ctx.inputs["everything"])
    ctx.step("look", lambda: look_now(drift, ctx.subject))
    # What was added goes first: a rule that was added by hand may be in the way of its original.
    remove = list(ctx.inputs.get("remove", ()))
    found = ctx.step(
        "verify", lambda: drift.verify_repair(ctx.subject, everything=everything, remove=remove)
    )
    if not found["findings"]:
        return {"repaired": 0, "outcome": LookOutcome.CLEAN.value}
    if remove:
        ctx.step("remove", lambda: drift.remove(ctx.subject, remove))
    if found.get("brought_back", True):
        watch = Watch(ctx.operation_id, events_to(ctx), Stop(ctx))
        done = ctx.step("repair", lambda: drift.repair(ctx.subject, watch))
        if done["state"] != DeploymentState.ACTIVE.value:
            raise Conflict(done["error"] or f"the deployment is {done['state']}")
    closed = ctx.cleanup(
        "record",
        lambda: drift.record_repair(
            ctx.subject, ctx.operation_id, found["findings"], by=by, reason=reason
        ),
    )
    outcome = ctx.step("confirm", lambda: look_now(drift, ctx.subject))
    if outcome != LookOutcome.CLEAN.value:
        drift.check_repaired(ctx.subject, remove)
    return {**closed, "outcome": outcome}


def adopt(drift: Drift, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Want what is there: quota first, then inputs and state, then the record."""
    operation, wanted = ctx.operation_id, list(ctx.inputs["findings"])
    by, reason = str(ctx.inputs["by"]), str(ctx.inputs["reason"])
    ctx.step("look", lambda: look_now(drift, ctx.subject))
    kept = ctx.step("resolve", lambda: drift.resolve(ctx.subject, wanted).document())
    adoption = Adoption.read(kept)
    ctx.step("reserve", lambda: drift.reserve(ctx.subject, operation, adoption))
    try:
        ctx.step("adopt", lambda: drift.carry_out(ctx.subject, operation, adoption))
    except BoroughError:
        ctx.cleanup("release", lambda: drift.release(operation, adoption))
        raise
    return ctx.cleanup(
        "record",
        lambda: drift.record_adoption(ctx.subject, operation, adoption, by=by, reason=reason),
    )
