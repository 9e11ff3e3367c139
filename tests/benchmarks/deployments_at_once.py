#!/usr/bin/env python3
"""Twenty deployments at once: how many are made in a minute, and how much memory that takes.

    python tests/benchmarks/deployments_at_once.py [--deployments 20] [--things 10] [--places 0 4]

Needs the Pulumi CLI on PATH (or the devcloud's). Each deployment is a thread that applies the
contract tests' program with the real engine; its cloud is their provider plugin, which writes
files, so that the engine is measured and not a cloud. ``places`` is how many operations may change
the region at once (0: any number; the platform's setting is ``BOROUGH_REGION_OPERATIONS``). Memory
is the sum over all processes that the engine started, shared pages counted once (PSS).
"""

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from control_plane.adapters.program_host.host import ProgramHost  # noqa: E402
from control_plane.adapters.region_turns import RegionTurns  # noqa: E402
from control_plane.migrations import SCHEMA  # noqa: E402
from control_plane.provisioning.graph import ApplyState, Preview  # noqa: E402
from control_plane.provisioning.ports import Run, StackRef  # noqa: E402
from foundation.adapters.postgres.embedded import EmbeddedPostgres  # noqa: E402
from foundation.kernel.database import Database  # noqa: E402
from tests.contract.engine.worlds import PulumiWorld  # noqa: E402

_MB = 1024 * 1024


class Memory:
    """Watches how much memory the children of this process take."""

    def __init__(self) -> None:
        self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            total = 0
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if "postgres" not in process.name():
                        total += process.memory_full_info().pss
            self.peak = max(self.peak, total)


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


def run_of(world: PulumiWorld, number: int, things: int) -> Run:
    run = world.run(things=things)
    deployment = f"dep_bench_{number}"
    return replace(
        run,
        stack=StackRef(deployment, "sample", deployment),
        deployment=replace(run.deployment, id=deployment, name=f"shop{number}"),
        limits=replace(run.limits, seconds=600, operation_seconds=1800),
    )


def measure(world: PulumiWorld, deployments: int, things: int) -> None:
    runs = [run_of(world, number, things) for number in range(deployments)]
    for verb in ("apply", "destroy"):
        seconds: list[float] = []

        def work(run: Run, verb: str = verb, seconds: list[float] = seconds) -> None:
            begin = time.perf_counter()
            engine = world.engine
            result = engine.apply(run, confirm=yes) if verb == "apply" else engine.destroy(run)
            if result.state is not ApplyState.SUCCEEDED:
                raise SystemExit(result.error)
            seconds.append(time.perf_counter() - begin)

        begin = time.perf_counter()
        with Memory() as memory, ThreadPoolExecutor(deployments) as pool:
            for done in [pool.submit(work, run) for run in runs]:
                done.result()
        took = time.perf_counter() - begin
        print(
            f"  {verb:8}{took:7.1f} s in all, {60 * deployments / took:5.1f} a minute, the longest "
            f"{max(seconds):6.1f} s, the shortest {min(seconds):5.1f} s, "
            f"peak {memory.peak / _MB:,.0f} MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deployments", type=int, default=20)
    parser.add_argument("--things", type=int, default=10)
    parser.add_argument("--places", type=int, nargs="*", default=[0, 4])
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with (
        tempfile.TemporaryDirectory() as name,
        EmbeddedPostgres(Path(name) / "postgres", durable=True) as server,
    ):
        database = Database(server.url("borough"), pool_size=options.deployments)
        SCHEMA.upgrade(database)
        host = ProgramHost()
        host.start()
        for places in options.places:
            folder = Path(name) / str(places)
            folder.mkdir()
            world = PulumiWorld(host, database, folder)
            turns = RegionTurns(database.url, places or 1)
            world.engine._turns = turns if places else None  # noqa: SLF001 - as wired
            print(
                f"{options.deployments} deployments of {options.things} resources, "
                f"{places or 'any number'} at once"
            )
            measure(world, options.deployments, options.things)
            turns.close()
            world.close()
        host.close()
        database.close()


if __name__ == "__main__":
    main()
