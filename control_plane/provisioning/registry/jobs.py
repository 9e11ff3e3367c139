"""Durable work of the registry."""

from functools import partial
from typing import Any

from control_plane.provisioning.registry.service import IMPACT, SYNC, Registry
from foundation.operations.jobs import Context, Job, Schedule

_BATCH = 10
_SECONDS = 60


def handlers(registry: Registry) -> dict[str, Job]:
    """The kinds of operations that the registry does."""

    def impact(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        revision = ctx.inputs["revision"]
        listed = ctx.step("list", lambda: registry.list_affected(revision))
        rows: list[dict[str, Any]] = []
        for number, some in enumerate(_batches(listed["deployments"])):
            rows += ctx.step(f"compare.{number + 1}", partial(registry.affect, revision, some))
        return ctx.step(
            "report",
            lambda: registry.keep_impact(
                ctx.operation_id, revision, rows, truncated=listed["truncated"]
            ),
        )

    def sync(ctx: Context) -> Any:  # noqa: ANN401 - JSON
        return ctx.step("sync", lambda: registry.sync(ctx.subject))

    return {
        IMPACT: Job(impact, steps=("list", "report")),
        SYNC: Job(sync, steps=("sync",)),
    }


def schedules(registry: Registry) -> list[Schedule]:
    """What the registry does by itself."""
    return [Schedule("registry.sync-sources", _SECONDS, registry.sync_due)]


def _batches(items: list[str]) -> list[list[str]]:
    return [items[start : start + _BATCH] for start in range(0, len(items), _BATCH)]
