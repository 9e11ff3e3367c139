"""What a durable step costs: ``python tests/benchmarks/operations_steps.py [OPERATIONS]``.

A worker in this process runs operations of ten empty steps, one at a time, on the embedded
PostgreSQL with fsync; the same ten functions without any keeping are the comparison.
"""

import logging
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from control_plane.migrations import SCHEMA
from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.operations.jobs import Context, Job
from foundation.operations.jobs.worker import Worker, WorkerOptions
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations

STEPS = 10


class _NoAudit:
    def record(self, *_: Any, **__: Any) -> None:
        pass


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    logging.basicConfig(level=logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg") as server:
        database = Database(server.url())
        SCHEMA.upgrade(database)
        operations = Operations(PostgresOperations(database), database, SystemClock(), _NoAudit())

        def ten(ctx: Context) -> None:
            for step in range(STEPS):
                ctx.step(f"step-{step}", lambda step=step: {"step": step})

        jobs = {"bench.ten": Job(ten), "bench.none": Job(lambda _ctx: None)}
        worker = Worker(database, SystemClock(), jobs, (), WorkerOptions("bench"))
        thread = threading.Thread(target=worker.run)
        thread.start()

        def timed(kind: str) -> list[float]:
            taken = []
            for _ in range(number):
                begun = time.perf_counter()
                made = operations.start(
                    kind, subject="bench", path="/", inputs={}, actor=Actor.system("bench")
                )
                while not operations.get(Actor.system("bench"), made.id).state.ended:
                    time.sleep(0.001)
                taken.append(time.perf_counter() - begun)
            return taken

        timed("bench.none")
        empty, full = timed("bench.none"), timed("bench.ten")
        begun, used = time.perf_counter(), time.process_time()
        together = [
            operations.start("bench.ten", subject="b", path="/", inputs={}, actor=Actor.system("b"))
            for _ in range(number)
        ]
        for made in together:
            operations.wait(made.id, 300)
        rate = number * STEPS / (time.perf_counter() - begun)
        busy = (time.process_time() - used) / (number * STEPS)
        per_step = (statistics.median(full) - statistics.median(empty)) / STEPS
        print(
            f"start to end of an operation without steps: {statistics.median(empty) * 1000:.1f} ms"
        )
        print(f"each step: {per_step * 1000:.2f} ms")
        print(f"four at once: {rate:.0f} steps/s, {busy * 1000:.1f} ms of our CPU each")
        worker.end()
        thread.join()
        database.close()


if __name__ == "__main__":
    main()
