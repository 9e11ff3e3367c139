#!/usr/bin/env python3
"""What our engines cost: apply against bare ``pulumi up`` of the same program, and evaluation.

    python tests/benchmarks/engine_overhead.py [--things 10] [--rounds 3]

Needs the Pulumi CLI on PATH (or the devcloud's). The cloud is the provider plugin of the contract
tests, which writes files: what is measured is the engine, not a cloud. "Bare" is the Automation
API's ``stack.up()`` of the same program, given inline, on the same state backend; both run a
preview first, as ``pulumi up`` does. Prints medians and ratios.
"""

import argparse
import os
import runpy
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import yaml  # noqa: E402
from pulumi import automation as auto  # noqa: E402

from blueprints.conftest import FACTS, PLACE, SECRETS  # noqa: E402
from control_plane.adapters.program_host.evaluate import evaluate, order_for  # noqa: E402
from control_plane.adapters.program_host.host import ProgramHost  # noqa: E402
from control_plane.adapters.pulumi.cli import backend_url  # noqa: E402
from control_plane.migrations import SCHEMA  # noqa: E402
from control_plane.provisioning.graph import ApplyState, Preview  # noqa: E402
from control_plane.provisioning.ports import (  # noqa: E402
    DeploymentContext,
    Program,
    RegionAccess,
    Run,
    StackRef,
)
from foundation.adapters.postgres.embedded import EmbeddedPostgres  # noqa: E402
from foundation.kernel.database import Database  # noqa: E402
from tests.contract.engine.worlds import EmbeddedWorld, PulumiWorld, has_pulumi  # noqa: E402


class MachineClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def yes(_preview: Preview) -> None:
    """Confirm whatever it is."""


def timed(work: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


class Bare:
    """The same program by the Automation API alone."""

    def __init__(self, world: PulumiWorld, database: Database, folder: Path) -> None:
        self._order = order_for(world.run(), dry_run=False)
        self._folder = world.folder
        os.environ["PATH"] = os.pathsep.join(
            [str(folder / "plugins"), has_pulumi(), os.environ["PATH"]]
        )
        environment = {
            "PULUMI_BACKEND_URL": backend_url(database.url),
            "PULUMI_HOME": str(folder / "pulumi"),
            "PULUMI_CONFIG_PASSPHRASE": "bare",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self.stack = auto.create_or_select_stack(
            "bare",
            "sample",
            self.program,
            opts=auto.LocalWorkspaceOptions(env_vars=environment),
        )

    def program(self) -> None:
        runpy.run_path(str(self._folder / "__main__.py"), run_name="__main__")

    def up(self, run: Run) -> None:
        order = order_for(run, dry_run=False)
        for name, value in order.config.items():
            self.stack.set_config(name, auto.ConfigValue(value, secret=name in order.secret_keys))
        self.preview_and_up()

    def preview_and_up(self) -> None:
        self.stack.preview()
        self.stack.up()


def median(times: list[float]) -> float:
    return statistics.median(times)


def compare(things: int, rounds: int, folder: Path, database: Database, host: ProgramHost) -> None:
    world = PulumiWorld(host, database, folder)
    run = world.run(things=things)
    bare = Bare(world, database, folder)
    ours: dict[str, list[float]] = {"create": [], "unchanged": [], "destroy": []}
    theirs: dict[str, list[float]] = {"create": [], "unchanged": [], "destroy": []}
    bare.up(run)
    bare.stack.destroy()
    for _ in range(rounds):
        theirs["create"].append(timed(bare.preview_and_up))
        theirs["unchanged"].append(timed(bare.preview_and_up))
        theirs["destroy"].append(timed(bare.stack.destroy))
        ours["create"].append(timed(lambda: ensure(world.engine.apply(run, confirm=yes))))
        ours["unchanged"].append(timed(lambda: ensure(world.engine.apply(run, confirm=yes))))
        ours["destroy"].append(timed(lambda: ensure(world.engine.destroy(run))))
    print(f"{things} resources, medians of {rounds} rounds")
    print(f"{'':12}{'bare':>9}{'ours':>9}{'ratio':>8}")
    for what, times in ours.items():
        one, other = median(theirs[what]), median(times)
        print(f"{what:12}{one:8.2f}s{other:8.2f}s{other / one:8.2f}")
    world.close()


def ensure(result: Any) -> None:
    if result.state is not ApplyState.SUCCEEDED:
        raise SystemExit(result.error)


def embedded(things: int, rounds: int, folder: Path, database: Database, host: ProgramHost) -> None:
    world = EmbeddedWorld(host, database, MachineClock(), folder / "embedded")
    (folder / "embedded").mkdir(exist_ok=True)
    run = world.run(things=things)
    made, same, gone = [], [], []
    for _ in range(rounds):
        made.append(timed(lambda: ensure(world.engine.apply(run, confirm=yes))))
        same.append(timed(lambda: ensure(world.engine.apply(run, confirm=yes))))
        gone.append(timed(lambda: ensure(world.engine.destroy(run))))
    print(
        f"embedded: create {median(made):.2f}s  unchanged {median(same):.2f}s  "
        f"destroy {median(gone):.2f}s"
    )
    world.close()


def evaluation(rounds: int, host: ProgramHost) -> None:
    for name in ("tenancy", "web-application"):
        folder = ROOT / "blueprints" / name
        samples = yaml.safe_load((folder / "blueprint.yaml").read_text())["samples"]
        for sample in samples:
            run = Run(
                StackRef("dep_1", name, "dep_1"),
                Program(folder, ""),
                sample["inputs"],
                RegionAccess(
                    "reg_1",
                    frozenset({"openstack", "kubernetes"}),
                    FACTS,
                    {"openstack": {"user_name": "admin", "password": SECRETS["region"]}},
                ),
                DeploymentContext("dep_1", "shop", "health", {}, "s" * 40, PLACE, {}),
            )
            times = []
            nodes = 0
            for _ in range(max(rounds, 5)):
                begin = time.perf_counter()
                nodes = len(evaluate(host, run, b"k" * 32).nodes)
                times.append(time.perf_counter() - begin)
            print(
                f"evaluate {name}, {sample['name']}: {nodes} resources, "
                f"median {median(times):.3f}s, best {min(times):.3f}s"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--things", type=int, nargs="*", default=[10, 50])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        host = ProgramHost()
        print(f"fork server warm after {timed(host.start):.2f}s")
        with EmbeddedPostgres(folder / "postgres", durable=True) as server:
            database = Database(server.url("borough"))
            SCHEMA.upgrade(database)
            evaluation(options.rounds, host)
            for things in options.things:
                embedded(things, options.rounds, folder, database, host)
                if has_pulumi():
                    compare(things, options.rounds, folder / str(things), database, host)
            database.close()
        host.close()


if __name__ == "__main__":
    main()
