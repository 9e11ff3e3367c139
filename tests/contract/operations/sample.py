"""A workflow of three steps whose effects are rows outside of operations, for the worker tests."""

import time
from typing import Any

import sqlalchemy as sa

from control_plane.kernel.database import Database
from control_plane.kernel.errors import Conflict, Invalid, Problem, Unavailable
from control_plane.kernel.time import Clock
from control_plane.operations.jobs import Context, Job, Schedule

STEPS = ("prepare", "build", "announce")


def create_tables(database: Database) -> None:
    with database.transaction():
        database.execute(sa.text("CREATE TABLE sample_thing (key text PRIMARY KEY, step text)"))
        database.execute(
            sa.text("CREATE TABLE sample_call (id bigserial, step text, attempt int, pid int)")
        )


class World:
    """What is outside: it makes one thing for one key, however often it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, ctx: Context, step: str) -> dict[str, str]:
        import os  # noqa: PLC0415

        key = f"{ctx.operation_id}/{step}"
        with self._database.transaction():
            self._database.execute(
                sa.text("INSERT INTO sample_call (step, attempt, pid) VALUES (:s, :a, :p)"),
                {"s": step, "a": ctx.lease.attempt, "p": os.getpid()},
            )
            self._database.execute(
                sa.text("INSERT INTO sample_thing VALUES (:k, :s) ON CONFLICT DO NOTHING"),
                {"k": key, "s": step},
            )
        return {"made": key}


def jobs(database: Database, _clock: Clock) -> tuple[dict[str, Job], list[Schedule]]:
    world = World(database)

    def build(ctx: Context) -> dict[str, Any]:
        made = [ctx.step(step, lambda step=step: world.make(ctx, step)) for step in STEPS]
        return {"made": [item["made"] for item in made]}

    def slow(ctx: Context) -> str:
        def wait() -> str:
            for _ in range(int(ctx.inputs.get("ticks", 200))):
                if ctx.cancelled():
                    return "stopped early"
                time.sleep(0.05)
            return "waited"

        ctx.step("wait", wait)
        try:
            ctx.step("after", lambda: world.make(ctx, "after"))
        finally:
            ctx.cleanup("tidy", lambda: world.make(ctx, "tidy"))
        return "done"

    def fenced(ctx: Context) -> str:
        def write() -> str:
            with database.transaction():
                ctx.fence()
                world.make(ctx, "write")
            return "written"

        return str(ctx.step("write", write))

    def fail(ctx: Context) -> None:
        def refuse() -> None:
            how = ctx.inputs["how"]
            if how == "conflict":
                raise Conflict("the thing is taken", by="somebody")
            if how == "invalid":
                raise Invalid([Problem("a", "is wrong"), Problem("b", "is missing", "required")])
            if how == "unavailable":
                raise Unavailable("nobody is there", retry_after=0.01)
            raise RuntimeError("secret detail of a defect")

        try:
            ctx.step("refuse", refuse, patience=0.05)
        except Conflict:
            ctx.cleanup("undo", lambda: world.make(ctx, "undo"))
            raise

    handlers = {
        "sample.build": Job(build, STEPS),
        "sample.slow": Job(slow, ("wait", "after", "tidy")),
        "sample.fenced": Job(fenced, ("write",)),
        "sample.fail": Job(fail, ("refuse",)),
    }

    def tick() -> None:
        with database.transaction():
            database.execute(sa.text("INSERT INTO sample_call (step) VALUES ('tick')"))

    return handlers, [Schedule("sample.tick", 0.5, tick)]
