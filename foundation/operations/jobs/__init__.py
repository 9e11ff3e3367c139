"""Durable work: what a feature's ``jobs.py`` needs. The worker itself is in ``worker``.

A feature's ``jobs.py`` looks like this::

    from foundation.operations.jobs import Context, Job, Schedule

    def handlers(orders: Marketplace) -> dict[str, Job]:
        def fulfil(ctx: Context) -> dict[str, str]:
            plan = ctx.step("verify", lambda: orders.verify(ctx.subject))
            try:
                ctx.step("apply", lambda: orders.apply(plan["digest"], stop=ctx.cancelled))
            except BoroughError:
                ctx.cleanup("release", lambda: orders.release(ctx.subject))
                raise
            return ctx.step("activate", lambda: orders.activate(ctx.subject))

        return {"order.fulfil": Job(fulfil, steps=("verify", "apply", "activate"))}

    def schedules(usage: Metering) -> list[Schedule]:
        return [Schedule("metering.collect", 60, usage.collect_all)]

Rules of a handler: it decides only by its inputs and by what its steps answered, for after a crash
it is run again from the beginning and its finished steps answer what they answered. A step may run
more than once (a worker may die after the effect and before the note of it), so its effect carries
a key that was written down before. What a step answers is JSON.
"""

from foundation.operations.jobs.context import Context, Handler, Job, Schedule
from foundation.operations.jobs.relay import Receiver, relay

__all__ = ["Context", "Handler", "Job", "Receiver", "Schedule", "relay"]
