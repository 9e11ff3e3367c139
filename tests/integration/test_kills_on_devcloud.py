"""An apply on the real clouds is cut off at random points: nothing is lost, nothing is doubled.

What dies: the CLI, a provider's plugin, the worker with all that it started, the region's API (a
proxy of the test's before OpenStack and Kubernetes). Afterwards the state of every resource is
known, one retry completes, and what is in the clouds is what is in the state, to the id.

With ``THOROUGH=1`` each kind is cut off at ten points; otherwise at one. ``SEED`` names other
points.
"""

import contextlib
import os
import pickle
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import kubernetes
import psutil
from openstack.connection import Connection

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import (
    ApplyResult,
    ApplyState,
    EngineEvent,
    EventKind,
    ResourceState,
)
from control_plane.provisioning.ports import Run
from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError
from tests.integration.conftest import Devcloud
from tests.integration.cutting import Way
from tests.integration.sample import (
    RESOURCES,
    in_the_clouds,
    in_the_state,
    pulumi_engine,
    sample_run,
    search_path,
    yes,
)

THOROUGH = bool(os.environ.get("THOROUGH"))
POINTS = 10 if THOROUGH else 1
LANES = 6 if THOROUGH else 4
SEED = int(os.environ.get("SEED", "20261121"))
#: An apply of the sample takes about so long here; a point is a part of it.
SECONDS = 23.0
KINDS = ("cli", "plugin", "worker", "region")
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Cut:
    """One apply that is cut off.

    Attributes:
        kind: what dies.
        after: how many seconds after the apply began.
        told: what happened, for people.
    """

    kind: str
    after: float
    number: int
    told: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind} after {self.after:.1f} s"


@dataclass
class Stage:
    """What the tests of one lane work with: processes, a way to the clouds, a database."""

    engine: PulumiEngine
    host: ProgramHost
    way: Way
    devcloud: Devcloud
    osdev: Connection
    kube: kubernetes.client.ApiClient
    database: str
    folder: Path

    def run(self, name: str) -> Run:
        kubeconfig = self.way.kubeconfig(self.devcloud.kubeconfig.read_text())
        return sample_run(name, self.osdev, self.way.auth_url, kubeconfig)

    def processes(self) -> list[psutil.Process]:
        server = psutil.Process(self.host._server.pid)  # type: ignore[union-attr]  # noqa: SLF001
        return [p for p in server.children(recursive=True) if "pulumi" in _name(p)]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def points(kind: str) -> list[Cut]:
    """Seeded, spread over the whole apply."""
    chance = random.Random(f"{SEED} {kind}")  # noqa: S311 - it chooses a moment
    parts = [(n + chance.random()) / POINTS for n in range(POINTS)]
    return [Cut(kind, SECONDS * part, n) for n, part in enumerate(parts)]


class Trigger:
    """Starts a clock when the apply begins, and does something when it has run."""

    def __init__(self, after: float, act: Callable[[], None]) -> None:
        self._timer = threading.Timer(after, act)

    def __call__(self, event: EngineEvent) -> None:
        if event.kind is EventKind.PHASE and event.message == "apply":
            self._timer.start()

    def over(self) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()


def kill_cli(stage: Stage, _cut: Cut) -> None:
    for process in stage.processes():
        if _name(process) == "pulumi":
            process.kill()


def kill_plugin(stage: Stage, cut: Cut) -> None:
    wanted = "pulumi-resource-openstack" if cut.number % 2 == 0 else "pulumi-resource-kubernetes"
    # The kernel keeps fifteen characters of a name.
    for process in stage.processes():
        if wanted in " ".join(process.cmdline()[:1]):
            process.kill()


def cut_region(stage: Stage, _cut: Cut) -> None:
    stage.way.cut()


ACTS = {"cli": kill_cli, "plugin": kill_plugin, "region": cut_region}


def cut_off(stage: Stage, cut: Cut, run: Run) -> ApplyResult | None:
    """Apply and cut it off; what the engine says of it, None when nobody is left to say it."""
    if cut.kind == "worker":
        kill_worker(stage, cut, run)
        return None
    trigger = Trigger(cut.after, lambda: ACTS[cut.kind](stage, cut))
    try:
        return stage.engine.apply(run, confirm=yes, on_event=trigger)
    finally:
        trigger.over()
        if cut.kind == "region":
            stage.way.cut()
            stage.way.open()


def kill_worker(stage: Stage, cut: Cut, run: Run) -> None:
    order = stage.folder / f"order-{uuid.uuid4().hex}"
    order.write_bytes(
        pickle.dumps((run, search_path(stage.devcloud.home), stage.database, stage.folder))
    )
    worker = subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "integration" / "cut_worker.py"), str(order)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"begun\n"
    time.sleep(cut.after)
    family = psutil.Process(worker.pid).children(recursive=True)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive, "the worker's children outlived it"


def check_known(result: ApplyResult) -> str:
    """Every resource is made, failed or unknown, and what is not made says why."""
    counts: dict[str, int] = {}
    for outcome in result.outcomes:
        counts[outcome.state.value] = counts.get(outcome.state.value, 0) + 1
        if outcome.state in {ResourceState.FAILED, ResourceState.UNKNOWN}:
            assert outcome.error, outcome
    if result.state is not ApplyState.SUCCEEDED:
        assert result.error
        return f"{result.state.value} {counts} ({result.error.splitlines()[0][:100]})"
    return f"{result.state.value} {counts}"


def play(stage: Stage, cut: Cut) -> None:
    """One cut, from an empty place to an empty place."""
    name = f"cut-{cut.kind}-{cut.number}-{uuid.uuid4().hex[:4]}"
    run = stage.run(name)
    try:
        result = cut_off(stage, cut, run)
        cut.told.append(check_known(result) if result else "nobody left to tell")
        begin = time.monotonic()
        stage.engine.recover(run)
        cut.told.append(f"recovered in {time.monotonic() - begin:.1f} s")
        begin = time.monotonic()
        again = stage.engine.apply(run, confirm=yes)
        assert again.state is ApplyState.SUCCEEDED, again.error
        cut.told.append(f"retried in {time.monotonic() - begin:.1f} s")
        assert len(again.outcomes) == RESOURCES
        there = in_the_clouds(name, stage.osdev, stage.kube)
        assert in_the_state(again) == there
        assert len(there) == RESOURCES
        assert stage.engine.preview(run).effective == ()
    except BaseException:
        with contextlib.suppress(BoroughError):
            stage.engine.recover(run)
            stage.engine.destroy(run)
        raise
    else:
        gone = stage.engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error
    deadline = time.monotonic() + 60
    while left := in_the_clouds(name, stage.osdev, stage.kube):
        assert time.monotonic() < deadline, f"left outside: {left}"
        time.sleep(1)


def test_an_apply_that_is_cut_off_anywhere(
    devcloud: Devcloud,
    osdev: Connection,
    kube: kubernetes.client.ApiClient,
    database: Database,
    tmp_path: Path,
) -> None:
    cuts = [cut for kind in KINDS for cut in points(kind)]
    waiting = list(reversed(cuts))
    failures: dict[str, BaseException] = {}
    lock = threading.Lock()

    def lane(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        host, way = ProgramHost(), Way()
        way.open()
        host.start()
        try:
            with pulumi_engine(
                host, search_path(devcloud.home), database.url, folder, pauses=(1.0, 2.0)
            ) as engine:
                stage = Stage(engine, host, way, devcloud, osdev, kube, database.url, folder)
                while True:
                    with lock:
                        if not waiting:
                            return
                        cut = waiting.pop()
                    try:
                        play(stage, cut)
                    except (AssertionError, BoroughError, OSError) as error:
                        failures[str(cut)] = error
                    print(f"{cut}: {'; '.join(cut.told)}", flush=True)
        finally:
            way.cut()
            host.close()

    with ThreadPoolExecutor(LANES) as pool:
        for done in [pool.submit(lane, n) for n in range(LANES)]:
            done.result()
    assert not failures, "\n".join(f"{cut}: {error!r}" for cut, error in failures.items())
    assert len([c for c in cuts if c.told]) == POINTS * len(KINDS)
