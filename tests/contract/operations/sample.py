"""A workflow of three steps whose effects are rows outside of operations, for the worker tests."""

import os
import signal
import time
from functools import partial
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError, Conflict, Invalid, Problem, Unavailable
from foundation.kernel.time import Clock
from foundation.operations.jobs import Context, Job, Schedule

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


class Handlers:
    """One of each way that an operation can go."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._world = World(database)

    def build(self, ctx: Context) -> dict[str, Any]:
        made = [ctx.step(step, partial(self._world.make, ctx, step)) for step in STEPS]
        return {"made": [item["made"] for item in made]}

    def slow(self, ctx: Context) -> str:
        def wait() -> str:
            for _ in range(int(ctx.inputs.get("ticks", 200))):
                if ctx.cancelled():
                    return "stopped early"
                time.sleep(0.05)
            return "waited"

        ctx.step("wait", wait)
        try:
            ctx.step("after", partial(self._world.make, ctx, "after"))
        finally:
            ctx.cleanup("tidy", partial(self._world.make, ctx, "tidy"))
        return "done"

    def fenced(self, ctx: Context) -> str:
        def write() -> str:
            with self._database.transaction():
                ctx.fence()
                self._world.make(ctx, "write")
            return "written"

        return str(ctx.step("write", write))

    def hold(self, ctx: Context) -> str:
        """The first attempt is stopped with its transaction open (see the test)."""

        def write() -> str:
            with self._database.transaction():
                ctx.fence()
                self._database.execute(sa.text("UPDATE operations_worker SET name = name"))
                self._world.make(ctx, "hold")
                if ctx.lease.attempt == 1:
                    os.kill(os.getpid(), signal.SIGSTOP)
                    # The other threads' stop is not awaited by this one: it must not commit first.
                    time.sleep(1)
            return "written"

        return str(ctx.step("hold", write))

    def fail(self, ctx: Context) -> None:
        try:
            ctx.step("refuse", lambda: refuse(ctx.inputs["how"]), patience=0.05)
        except Conflict:
            ctx.cleanup("undo", partial(self._world.make, ctx, "undo"))
            raise

    def tick(self) -> None:
        with self._database.transaction():
            self._database.execute(sa.text("INSERT INTO sample_call (step) VALUES ('tick')"))


def refuse(how: str) -> None:
    if how == "conflict":
        raise Conflict("the thing is taken", by="somebody")
    if how == "invalid":
        raise Invalid([Problem("a", "is wrong"), Problem("b", "is missing", "required")])
    if how == "unavailable":
        raise Unavailable("nobody is there", retry_after=0.01)
    if how == "own":
        raise OwnError("our own way", reason="own")
    raise RuntimeError("secret detail of a defect")


class OwnError(BoroughError):
    code = "own_way"


def jobs(database: Database, _clock: Clock) -> tuple[dict[str, Job], list[Schedule]]:
    made = Handlers(database)
    handlers = {
        "sample.build": Job(made.build, STEPS),
        "sample.slow": Job(made.slow, ("wait", "after", "tidy")),
        "sample.fenced": Job(made.fenced, ("write",)),
        "sample.hold": Job(made.hold, ("hold",)),
        "sample.fail": Job(made.fail, ("refuse",)),
    }
    return handlers, [Schedule("sample.tick", 0.5, made.tick)]
