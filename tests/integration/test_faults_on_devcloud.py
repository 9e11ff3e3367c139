"""OpenStack fails while a tenancy is made: it is made all the same, or it fails cleanly.

A proxy of the tests stands before every OpenStack service. It answers 500 or 429, answers nothing,
answers late, or resets the connection, before the service has seen the request or after it has done
the work. Nothing may be doubled or left outside the state, and what failed is named.

Three kinds of faults at some calls of the creation are chosen by ``SEED``; with ``THOROUGH=1``
every kind meets every call once. ``FAULTS="500,429"`` takes only these.
"""

import contextlib
import os
import random
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import ApplyResult, ApplyState, ResourceState
from control_plane.provisioning.ports import (
    DeploymentContext,
    Limits,
    Program,
    RegionAccess,
    Run,
    StackRef,
)
from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError
from tests.integration.conftest import Devcloud
from tests.integration.cutting import Way
from tests.integration.sample import pulumi_engine, search_path, yes

THOROUGH = bool(os.environ.get("THOROUGH"))
SEED = int(os.environ.get("SEED", "20261121"))
LANES = 3
ROOT = Path(__file__).resolve().parents[2]
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "500": {"do": "status", "status": 500},
    "500 after the work": {"do": "status", "status": 500, "after": True},
    "429": {"do": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "504, a time-out at a gateway": {"do": "status", "status": 504},
    "slow": {"do": "delay", "seconds": 2},
    "reset": {"do": "reset"},
    "reset after the work": {"do": "reset", "after": True},
}
ONLY = [kind for kind in os.environ.get("FAULTS", "").split(",") if kind]
#: Calls that are disturbed for each kind when not all are.
SAMPLE = 3


@dataclass
class Stage:
    """What the tests of one lane work with."""

    engine: PulumiEngine
    way: Way
    osdev: Any

    def run(self, name: str, limits: Limits | None = None) -> Run:
        deployment = f"dep_{name.replace('-', '_')}"
        external = self.osdev.network.find_network("external")
        facts: dict[str, Any] = {
            "auth_url": self.way.auth_url,
            "region_name": "RegionOne",
            "domain": "Default",
            "roles": {r.name: r.id for r in self.osdev.identity.roles()},
            "external_network_id": external.id,
        }
        return Run(
            stack=StackRef(deployment, "tenancy", deployment),
            program=Program(ROOT / "blueprints" / "tenancy", "sha256:integration"),
            inputs={
                "platforms": ["openstack"],
                "vcpus": 8,
                "ram_gb": 16,
                "volume_gb": 100,
                "load_balancers": 1,
                "floating_ips": 1,
                "network_cidr": "10.78.0.0/24",
            },
            region=RegionAccess(
                "reg_devcloud",
                frozenset({"openstack"}),
                {"openstack": facts},
                {
                    "openstack": {
                        "user_name": "admin",
                        "password": "admin-secret",
                        "project_name": "admin",
                    }
                },
            ),
            deployment=DeploymentContext(deployment, name, name, {}, "faults-seed-".ljust(40, "x")),
            limits=limits or Limits(operation_seconds=600),
        )


@contextlib.contextmanager
def a_stage(
    devcloud: Devcloud, osdev: Any, database: Database, folder: Path, **settings: Any
) -> Iterator[Stage]:
    folder.mkdir()
    host, way = ProgramHost(), Way()
    way.open()
    try:
        path = search_path(devcloud.home)
        with pulumi_engine(host, path, database.url, folder, **settings) as engine:
            yield Stage(engine, way, osdev)
    finally:
        way.cut()
        host.close()


def call_of(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    """Service, method and path of a request, without what is different each time."""
    path = str(entry["path"]).partition("?")[0]
    return str(entry["service"]), str(entry["method"]), re.sub(r"/[0-9a-f-]{32,36}\b", "/ID", path)


def rule_for(call: tuple[str, str, str]) -> dict[str, Any]:
    service, method, path = call
    expression = "^" + re.escape(path).replace("/ID", "/[0-9a-f-]{32,36}") + r"(\?|$)"
    return {"service": service, "method": method, "path": expression}


def in_the_cloud(osdev: Any, name: str) -> set[str]:
    """The ids of all that the tenancy has by its name."""
    project = osdev.identity.find_project(name)
    found = {x.id for x in osdev.identity.users(name=f"{name}-user")}
    found |= {x.id for x in osdev.identity.projects(name=name)}
    network = osdev.network
    lists = {
        "network": network.networks,
        "subnet": network.subnets,
        "router": network.routers,
        "inside": network.security_groups,
    }
    for kind, listing in lists.items():
        found |= {x.id for x in listing(name=f"{name}-{kind}")}
    if project is not None:
        for listing in lists.values():
            found |= {x.id for x in listing(project_id=project.id) if x.name != "default"}
    return found


_NAMED = ("Project", "User", "Network", "Subnet", "Router", "SecGroup")


def in_the_state(result: ApplyResult) -> set[str]:
    """The ids of the same things, as the engine says."""
    return {o.physical_id for o in result.outcomes if o.type.rpartition(":")[2] in _NAMED}


def check_whole(stage: Stage, run: Run, result: ApplyResult) -> None:
    assert result.state is ApplyState.SUCCEEDED, result.error
    assert in_the_state(result) == in_the_cloud(stage.osdev, run.deployment.name)
    assert len(in_the_state(result)) == len(_NAMED)
    assert stage.engine.preview(run).effective == ()


def unwind(stage: Stage, run: Run) -> None:
    """Give back what there is, and look that nothing is left."""
    stage.way.calm()
    stage.engine.recover(run)
    gone = stage.engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error
    left = in_the_cloud(stage.osdev, run.deployment.name)
    assert not left, f"left outside: {left}"


def disturbed(stage: Stage, fault: str, calls: list[tuple[str, str, str]]) -> str:
    """Create a tenancy while calls are disturbed; say how it went."""
    run = stage.run(f"faults-{uuid.uuid4().hex[:6]}")
    if THOROUGH:
        stage.way.disturb(each=True, **FAULTS[fault])
    for call in () if THOROUGH else calls:
        stage.way.disturb(**rule_for(call), **FAULTS[fault])
    waited: list[str] = []
    begin = time.monotonic()
    try:
        result = stage.engine.apply(
            run,
            confirm=yes,
            on_event=lambda e: waited.append(e.message) if "trying again" in e.message else None,
        )
        rules = stage.way.calm()
        met = sum(r["used"] for r in rules) + sum(
            c["used"] for r in rules for c in r["calls"].values()
        )
        assert met, "no call was disturbed"
        check_whole(stage, run, result)
        return (
            f"{fault}: {met} calls disturbed, tried again {len(waited)} times, "
            f"made in {time.monotonic() - begin:.0f} s"
        )
    finally:
        unwind(stage, run)


def calls_of_a_creation(stage: Stage) -> list[tuple[str, str, str]]:
    """Create a tenancy undisturbed, and return the distinct calls that it takes."""
    run = stage.run(f"faults-{uuid.uuid4().hex[:6]}")
    try:
        check_whole(stage, run, stage.engine.apply(run, confirm=yes))
        return sorted({call_of(entry) for entry in stage.way.log()})
    finally:
        unwind(stage, run)


def test_a_tenancy_is_made_although_calls_fail(
    devcloud: Devcloud, osdev: Any, database: Database, tmp_path: Path
) -> None:
    pauses = (0.5,) * 60 if THOROUGH else (0.5, 1.0, 1.0, 1.0)
    with a_stage(devcloud, osdev, database, tmp_path / "calls") as stage:
        calls = calls_of_a_creation(stage)
    print(f"{len(calls)} distinct calls")
    assert len(calls) > 15
    chance = random.Random(SEED)  # noqa: S311 - it chooses calls
    kinds = ONLY or (sorted(FAULTS) if THOROUGH else chance.sample(sorted(FAULTS), LANES))
    waiting = [(fault, chance.sample(calls, SAMPLE)) for fault in kinds]
    failures: list[str] = []
    lock = threading.Lock()

    def lane(number: int) -> None:
        with a_stage(devcloud, osdev, database, tmp_path / str(number), pauses=pauses) as stage:
            while True:
                with lock:
                    if not waiting:
                        return
                    fault, some = waiting.pop()
                try:
                    print(disturbed(stage, fault, some), flush=True)
                except (AssertionError, BoroughError, OSError) as error:
                    failures.append(f"{fault} at {some}: {error!r}")

    with ThreadPoolExecutor(LANES) as pool:
        for done in [pool.submit(lane, n) for n in range(LANES)]:
            done.result()
    assert not failures, "\n".join(failures)


def test_what_goes_on_failing_is_named_and_can_be_unwound(
    devcloud: Devcloud, osdev: Any, database: Database, tmp_path: Path
) -> None:
    with a_stage(devcloud, osdev, database, tmp_path / "stage", pauses=(0.2,)) as stage:
        run = stage.run(f"faults-{uuid.uuid4().hex[:6]}")
        subnets = {"service": "neutron", "method": "POST", "path": r"/subnets$", "times": 0}
        stage.way.disturb(**subnets, do="status", status=503)
        try:
            result = stage.engine.apply(run, confirm=yes)
            assert result.state is ApplyState.FAILED
            assert [o.name for o in result.failed] == ["subnet"]
            assert result.error.startswith("subnet: "), result.error
            assert "503" in result.error or "unable to handle the request" in result.error
            assert stage.way.rules()[0]["used"] == 2  # once, and once more
            known = {o.name: o.state for o in result.outcomes}
            assert known["network"] is ResourceState.CREATED
        finally:
            unwind(stage, run)


def test_a_region_that_never_answers_ends_with_the_operations_time(
    devcloud: Devcloud, osdev: Any, database: Database, tmp_path: Path
) -> None:
    with a_stage(devcloud, osdev, database, tmp_path / "stage", cancel_seconds=2.0) as stage:
        run = stage.run(f"faults-{uuid.uuid4().hex[:6]}")
        short = replace(run, limits=Limits(operation_seconds=20))
        stage.way.disturb(
            service="neutron", method="POST", path=r"/networks$", do="hang", after=True
        )
        try:
            result = stage.engine.apply(short, confirm=yes)
            assert result.state is ApplyState.FAILED
            assert "longer than 20 s" in result.error
            unknown = [o.name for o in result.outcomes if o.state is ResourceState.UNKNOWN]
            # What is made beside it may not be done by then; what lies in it was never begun.
            assert "network" in unknown
            assert "subnet" not in unknown
            assert "network: " in result.error
            stage.way.calm()
            stage.engine.recover(run)
            check_whole(stage, run, stage.engine.apply(run, confirm=yes))
        finally:
            unwind(stage, run)
