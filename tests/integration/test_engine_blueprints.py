"""What the real engine says and survives with the bundled blueprints; their lives are elsewhere."""

import os
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.provisioning.graph import (
    ApplyResult,
    ApplyState,
    EngineEvent,
    Op,
    Progress,
    ResourceState,
)
from control_plane.provisioning.ports import RegionAccess, Run
from tests.integration.lives import make_run, succeeded, yes

TENANCY = {
    "vcpus": 8,
    "ram_gb": 16,
    "volume_gb": 100,
    "load_balancers": 1,
    "floating_ips": 1,
    "network_cidr": "10.79.0.0/24",
    "platforms": ["openstack"],
}


@pytest.fixture
def name() -> str:
    return f"eng-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def tenancy(engine: PulumiEngine, region: RegionAccess) -> Iterator[tuple[Run, ApplyResult]]:
    """A tenancy that these tests share."""
    run = make_run("tenancy", f"eng-{uuid.uuid4().hex[:6]}", region, TENANCY)
    try:
        yield run, succeeded(engine.apply(run, confirm=yes))
    finally:
        engine.recover(run)
        gone = engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error


def application(
    tenancy: tuple[Run, ApplyResult], region: RegionAccess, name: str, **inputs: Any
) -> Run:
    around, place = tenancy
    return make_run("web-application", name, region, inputs, place, of=around.deployment.name)


def test_a_quota_of_the_cloud_is_said_in_its_own_words(
    engine: PulumiEngine,
    tenancy: tuple[Run, ApplyResult],
    region: RegionAccess,
    osdev: Any,
    name: str,
) -> None:
    _, place = tenancy
    run = application(tenancy, region, name, servers=3, size="l", volume_gb=10)
    try:
        result = engine.apply(run, confirm=yes)
        assert result.state is ApplyState.FAILED
        assert any("server-" in o.name for o in result.failed), result.outcomes
        print("said:", result.error)
        assert "uota exceeded" in result.error, result.error
        # Which of the three the cloud refused is chance, and Pulumi makes before it deletes: what
        # is there is given back first.
        engine.recover(run)
        assert engine.destroy(run).state is ApplyState.SUCCEEDED
        fits = application(tenancy, region, name, servers=1, size="l", volume_gb=10)
        succeeded(engine.apply(fits, confirm=yes))
        found = osdev.compute.servers(all_projects=True, project_id=place.outputs["project_id"])
        assert len(list(found)) == 1
    finally:
        engine.recover(run)
        gone = engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error


def test_a_killed_operation_on_a_real_cloud_is_taken_up_again(
    engine: PulumiEngine,
    tenancy: tuple[Run, ApplyResult],
    region: RegionAccess,
    host: ProgramHost,
    osdev: Any,
    name: str,
) -> None:
    """The CLI and its plugins die while two servers and a balancer are being made."""
    _, place = tenancy
    run = application(tenancy, region, name, servers=2, size="s", volume_gb=10)
    project = place.outputs["project_id"]
    server = psutil.Process(host._server.pid)  # type: ignore[union-attr]  # noqa: SLF001

    def kill() -> None:
        for process in server.children(recursive=True):
            if "pulumi" in process.name():
                process.kill()

    def watch(event: EngineEvent) -> None:
        if event.name == "server-2" and event.progress is Progress.STARTED:
            threading.Timer(0.7, kill).start()

    try:
        result = engine.apply(run, confirm=yes, on_event=watch)
        assert result.state is ApplyState.FAILED
        unknown = [o.name for o in result.outcomes if o.state is ResourceState.UNKNOWN]
        print("unknown after the kill:", unknown)
        assert unknown
        engine.recover(run)
        again = succeeded(engine.apply(run, confirm=yes))
        assert not again.failed
        names = sorted(s.name for s in osdev.compute.servers(all_projects=True, project_id=project))
        assert names == [f"{name}-1", f"{name}-2"]
        volumes = osdev.block_storage.volumes(all_projects=True, project_id=project)
        assert len(list(volumes)) == 1
        balancers = [b for b in osdev.load_balancer.load_balancers() if b.project_id == project]
        assert len(balancers) == 1
        assert engine.preview(run).effective == ()
    finally:
        engine.recover(run)
        gone = engine.destroy(run)
    assert gone.state is ApplyState.SUCCEEDED, gone.error
    assert not list(osdev.compute.servers(all_projects=True, project_id=project))


def test_the_evaluated_graph_is_what_the_engine_previews(
    engine: PulumiEngine, region: RegionAccess, name: str
) -> None:
    run = make_run("tenancy", name, region, TENANCY)
    graph = engine.evaluate(run)
    preview = engine.preview(run)
    assert {n.urn for n in graph.resources} == {c.urn for c in preview.changes}
    assert {c.op for c in preview.changes} == {Op.CREATE}
    assert engine.preview(run).document() == preview.document()
    text = repr(preview) + repr(graph)
    for secret in ("admin-secret", "integration-seed", "client-key-data"):
        assert secret not in text
    engine.destroy(run)


@pytest.fixture(autouse=True)
def _no_settings_of_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.startswith(("PULUMI_", "OS_")) and variable != "OS_CLIENT_CONFIG_FILE":
            monkeypatch.delenv(variable)
