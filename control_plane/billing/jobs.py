"""Durable work of billing: rating months, on demand and every few minutes."""

from control_plane.billing.service import RATE, Billing
from foundation.operations.jobs import Context, Job, Schedule

_SECONDS = 600


def handlers(billing: Billing) -> dict[str, Job]:
    """The kinds of operations that billing does."""

    def rate(ctx: Context) -> dict[str, object]:
        def run() -> dict[str, object]:
            done = billing.rate(ctx.subject)
            return {"charges": done.charges, "accounts": list(done.accounts)}

        result: dict[str, object] = ctx.step("rate", run)
        return result

    return {RATE: Job(rate, steps=("rate",))}


def schedules(billing: Billing) -> list[Schedule]:
    """What billing does by itself."""
    return [Schedule("billing.rate-open-months", _SECONDS, billing.rate_open_months)]
