"""Durable work of playbooks: a run's waves, and what is begun in its turn."""

from functools import partial
from typing import Any

from control_plane.provisioning.jobs import Stop
from control_plane.provisioning.playbooks.ports import Ending
from control_plane.provisioning.playbooks.service import RUN, PlaybookRuns
from foundation.kernel.errors import BoroughError
from foundation.operations.jobs import Context, Job, Schedule
from foundation.operations.model import Cancelled

_DISPATCH_SECONDS = 10.0
_APPLIES_SECONDS = 15.0
_TIDY_SECONDS = 300.0


class PlaybookFailedError(BoroughError):
    """A server did not succeed; ``details`` name the run, which can be tried again."""

    code = "playbook_failed"


def handlers(runs: PlaybookRuns) -> dict[str, Job]:
    """The kind of operation that playbooks need."""
    return {RUN: Job(lambda ctx: run(runs, ctx), ("prepare", "wave.1", "record"))}


def schedules(runs: PlaybookRuns) -> list[Schedule]:
    """Turns, what blueprints name to be run after an apply, and secrets that are not needed."""
    return [
        Schedule("playbooks.dispatch", _DISPATCH_SECONDS, runs.dispatch),
        Schedule("playbooks.after_applies", _APPLIES_SECONDS, runs.after_applies),
        Schedule("playbooks.tidy", _TIDY_SECONDS, runs.tidy),
    ]


def run(runs: PlaybookRuns, ctx: Context) -> Any:  # noqa: ANN401 - JSON
    """Wave by wave until one is not healthy, and how it ended."""
    ending, message = Ending.DONE.value, ""
    try:
        prepare = partial(runs.prepare, ctx.subject, ctx.operation_id)
        waves: int = ctx.step("prepare", prepare)["waves"]
        for wave in range(waves):
            done = ctx.step(f"wave.{wave + 1}", partial(_wave, runs, ctx, wave))
            ending, message = done["ending"], done.get("message", "")
            if not done["go"]:
                break
    except Cancelled:
        ending = Ending.CANCELLED.value
    except BoroughError as error:
        ending, message = Ending.BROKEN.value, error.message
    record = partial(runs.finish, ctx.subject, ctx.operation_id, ending, message)
    ended: dict[str, str] = ctx.cleanup("record", record)
    if ended["state"] == "cancelled":
        raise Cancelled("cancelled on request")
    if ended["state"] == "failed":
        raise PlaybookFailedError(ended["why"], run=ctx.subject)
    return {"run": ctx.subject, **ended}


def _wave(runs: PlaybookRuns, ctx: Context, wave: int) -> dict[str, Any]:
    return runs.run_wave(
        ctx.subject, wave, operation=ctx.operation_id, tell=ctx.emit, cancel=Stop(ctx),
        fence=ctx.fence,
    )  # fmt: skip
