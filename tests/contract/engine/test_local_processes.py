"""Bundled workloads in the simulated region: they really run, as processes of this machine."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest
import sqlalchemy as sa

from control_plane.adapters.embedded.engine import EmbeddedEngine
from control_plane.adapters.embedded.local import LocalProcess, LocalProcesses, Secrets, process_of
from control_plane.adapters.embedded.local_supervisor import LocalSupervisor
from control_plane.provisioning.graph import ApplyResult, ApplyState
from foundation.kernel.database import Database
from tests.contract.engine.test_embedded import Make, engine, make, tenancy, yes

__all__ = ["engine", "make", "tenancy"]

VIDEO = {"cameras": 4}
HERE = {"node_address": "127.0.0.1", "await_pods": False}


T = TypeVar("T")


def until(wanted: Callable[[], T | None], seconds: float = 90) -> T:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = wanted()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError("it did not come about in time")


def answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(f"{url}readyz", timeout=5) as found:  # noqa: S310 - loopback
            return bytes(found.read())
    except OSError:
        return None


def listener(port: int) -> int | None:
    """The process that listens on a loopback port."""
    for connection in psutil.net_connections("tcp4"):
        if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN":
            return connection.pid
    return None


@pytest.fixture
def video(engine: EmbeddedEngine, make: Make, tenancy: ApplyResult) -> ApplyResult:
    run = make("video-analytics", VIDEO, place=tenancy, cluster=HERE)
    result = engine.apply(run, confirm=yes)
    assert result.state is ApplyState.SUCCEEDED, result.error
    return result


@pytest.fixture
def supervisor(
    engine: EmbeddedEngine, database: Database, tmp_path: Path
) -> Iterator[LocalSupervisor]:
    with LocalSupervisor(database, engine.local, tmp_path, lambda: "") as running:
        yield running


def test_what_a_deployment_gives_its_container_is_what_the_process_gets(
    engine: EmbeddedEngine, video: ApplyResult
) -> None:
    told = {each.urn.rpartition("::")[2]: each for each in engine.local.wanted()}
    assert set(told) == {"api", "worker"}
    given = told["api"].environment
    assert given["BOROUGH_VIDEO_MOST_CAMERAS"] == "4"
    assert (
        given["BOROUGH_VIDEO_ADMINISTRATOR_PASSWORD"]
        == (video.secret_outputs["administrator_password"])
    )
    assert given["BOROUGH_VIDEO_PLATFORM_TOKEN"].startswith("bwl_dep_health_video-analytics.Bo1-")
    # What stands for the container's surroundings is not the process's.
    assert not {n.removeprefix("BOROUGH_VIDEO_") for n in given} & {"HOME", "PORT", "DATABASE_URL"}
    assert told["api"].replicas == 1


def test_no_secret_of_it_is_kept_in_clear(video: ApplyResult, database: Database) -> None:
    password = str(video.secret_outputs["administrator_password"])
    with database.transaction():
        rows = database.execute(sa.text("SELECT * FROM embedded_process")).all()
        rows += database.execute(sa.text("SELECT * FROM embedded_resource")).all()
    assert rows
    assert password not in str(rows)


@pytest.mark.usefixtures("supervisor")
def test_it_answers_is_started_again_when_killed_and_ends_with_its_deployment(
    engine: EmbeddedEngine,
    make: Make,
    tenancy: ApplyResult,
    video: ApplyResult,
) -> None:
    url = str(video.outputs["url"])
    port = int(url.rstrip("/").rpartition(":")[2])
    assert 30000 <= port < 32768
    assert b'"ok"' in until(lambda: answer(url))
    first = until(lambda: listener(port))
    os.kill(first, signal.SIGKILL)
    again = until(lambda: (pid := listener(port)) != first and pid)
    assert again != first
    until(lambda: answer(url))
    run = make("video-analytics", VIDEO, place=tenancy, cluster=HERE)
    assert engine.destroy(run).state is ApplyState.SUCCEEDED
    until(lambda: listener(port) is None)
    assert engine.local.wanted() == []


@pytest.mark.rehearsal
def test_another_worker_goes_on_when_this_one_ends(
    engine: EmbeddedEngine, video: ApplyResult, database: Database, tmp_path: Path
) -> None:
    url = str(video.outputs["url"])
    port = int(url.rstrip("/").rpartition(":")[2])
    with LocalSupervisor(database, engine.local, tmp_path, lambda: ""):
        until(lambda: answer(url))
        first = listener(port)
        with LocalSupervisor(database, engine.local, tmp_path, lambda: ""):
            time.sleep(2)
            assert listener(port) == first, "one looks after them at a time"
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port)):
        pass
    with LocalSupervisor(database, engine.local, tmp_path, lambda: ""):
        until(lambda: answer(url))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(["/bin/sh"], ["-c", "true"]), (["borough-video"], ["administrator"]), ([], [])],
)
def test_nothing_else_is_ever_started(command: list[str], arguments: list[str]) -> None:
    containers: list[dict[str, Any]] = [{"command": command, "args": arguments}]
    inputs = {"spec": {"template": {"spec": {"containers": containers}}}}
    assert process_of("dep_1", "urn", inputs, Secrets()) is None


def test_a_place_in_pods_is_no_place_here() -> None:
    """Paths of containers and stores of the simulated region are not told; switches are."""
    told = {
        "BOROUGH_EXCHANGE_TRANSFERS": "true",
        "BOROUGH_EXCHANGE_TRANSFER_FOLDER": "/transfers/files",
        "BOROUGH_EXCHANGE_TRANSFER_QUOTA": "1073741824",
        "BOROUGH_EXCHANGE_TRANSFER_S3_ENDPOINT": "http://objects.simulated.invalid",
    }
    box = {
        "command": ["borough-exchange"],
        "args": ["gateway"],
        "env": [{"name": name, "value": value} for name, value in told.items()],
    }
    found = process_of(
        "dep_1", "urn", {"spec": {"template": {"spec": {"containers": [box]}}}}, Secrets()
    )
    assert found is not None
    assert set(found.environment) == {
        "BOROUGH_EXCHANGE_TRANSFERS", "BOROUGH_EXCHANGE_TRANSFER_QUOTA",
    }  # fmt: skip


def test_a_change_of_what_it_is_told_is_kept_once(engine: EmbeddedEngine) -> None:
    processes: LocalProcesses = engine.local
    one = LocalProcess("dep_1", "urn::api", "borough-video", ("serve",), {"A": "1"}, {}, 1)
    processes.put(one)
    processes.note(one, "running", "")
    processes.put(one)
    other = LocalProcess("dep_1", "urn::api", "borough-video", ("serve",), {"A": "2"}, {}, 1)
    assert other.digest != one.digest
    processes.put(other)
    assert processes.wanted() == [other]
