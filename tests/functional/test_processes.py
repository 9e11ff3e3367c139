"""The processes of the platform: how they start, end, die, and what a client sees of that."""

import http.client
import json
import os
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from control_plane.metering.service import COLLECT
from foundation.kernel.actor import Actor
from foundation.kernel.paging import PageRequest
from foundation.operations.model import Operation
from tests.functional.conftest import Product
from tests.harness.processes import wait_until

ROOT = Path(__file__).parents[2]
SYSTEM = Actor.system("test")


def _collect(product: Product) -> Operation:
    """Some real work: reading the usage of the demonstration's region."""
    region = product.platform.provisioning.regions(SYSTEM, PageRequest()).items[0]
    return product.platform.operations.start(
        COLLECT, subject=region.id, path="/city/", inputs={}, actor=SYSTEM
    )


def _stream(product: Product, path: str, token: str) -> list[dict[str, str]]:
    """The messages of a stream of server-sent events, until it ends."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{product.url}/api/v1{path}",
        headers={"Accept": "text/event-stream", "Authorization": f"Bearer {token}"},
    )
    messages: list[dict[str, str]] = []
    with urllib.request.urlopen(request, timeout=40) as answer:  # noqa: S310
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for block in answer.read().decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "event" in fields:
                messages.append(fields)
    return messages


def test_it_is_ready(product: Product) -> None:
    assert product.api("").get("/readyz")["checks"] == {"database": "ok", "schema": "ok"}
    with urllib.request.urlopen(f"{product.url}/metrics") as answer:  # noqa: S310
        figures = answer.read().decode()
    assert 'borough_workers{state="alive"} 1.0' in figures


def test_signing_in_by_command_line(product: Product) -> None:
    password = product.passwords["operator"]
    signed_in = product.cli(
        "", "login", product.url, "--login", "operator", "--password-stdin", "--name", "here",
        stdin=password,
    )  # fmt: skip
    assert signed_in.status == 0, signed_in.err
    listed = product.cli("", "context", "list", "-o", "json").json
    assert [(item["name"], item["url"]) for item in listed] == [("here", product.url)]
    wrong = product.cli("", "login", product.url, "-l", "operator", "--password-stdin", stdin="no")
    assert wrong.status == 4
    product.cli("", "context", "remove", "here")


def test_work_is_done_and_seen_on_every_surface(product: Product) -> None:
    made = _collect(product)
    watched = product.cli("operator", "operation", "watch", made.id, "--timeout", "60")
    assert watched.status == 0, watched.err
    assert "step.succeeded step=collect" in watched.err
    shown = product.cli("operator", "operation", "show", made.id, "-o", "json").json
    assert (shown["state"], shown["progress"]) == ("succeeded", 1.0)
    api = product.api("operator")
    assert api.get(f"/operations/{made.id}") == shown
    events = api.get(f"/operations/{made.id}/events")
    assert (events["state"], events["more"]) == ("succeeded", False)
    messages = _stream(product, f"/operations/{made.id}/events?after=1", product.token("operator"))
    assert [m["event"] for m in messages] == [e["type"] for e in events["items"][1:]] + ["end"]
    assert [json.loads(m["data"])["seq"] for m in messages[:-1]] == [
        e["seq"] for e in events["items"][1:]
    ]
    assert product.cli("operator", "operation", "workers").status == 0


def test_a_neighbour_sees_nothing_of_it(product: Product) -> None:
    made = _collect(product)
    product.platform.operations.wait(made.id, 60)
    assert product.cli("water.requester", "operation", "show", made.id).status == 3
    assert made.id not in product.cli("water.requester", "operation", "list", "-o", "name").out
    assert product.cli("auditor", "operation", "cancel", made.id).status == 4
    assert product.cli("operator", "operation", "cancel", made.id).status == 5
    assert product.cli("operator", "operation", "retry", made.id).status == 5


def test_a_web_process_that_is_asked_to_end_answers_first(disturbed_product: Product) -> None:
    where = urlsplit(disturbed_product.url).netloc
    headers = {"Authorization": f"Bearer {disturbed_product.token('operator')}"}
    asked = [http.client.HTTPConnection(where, timeout=30) for _ in range(20)]
    with ExitStack() as stack:
        for connection in asked:
            stack.callback(connection.close)
            connection.request("GET", "/api/v1/operations", headers=headers)
        assert disturbed_product.end("serve") == 0
        answers = [connection.getresponse() for connection in asked]
        assert [answer.status for answer in answers] == [200] * len(asked)
        assert all("items" in json.loads(answer.read()) for answer in answers)
    assert not (disturbed_product.home / "run" / "serve.json").exists()


def test_processes_of_workers_die_with_them(disturbed_product: Product) -> None:
    worker = psutil.Process(disturbed_product.pid("worker"))
    disturbed_product.platform.operations.wait(_collect(disturbed_product).id, 60)
    children = worker.children(recursive=True)
    disturbed_product.kill("worker")
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
    assert len(gone) == len(children)
    made = _collect(disturbed_product)
    disturbed_product.start("worker-2")
    assert disturbed_product.platform.operations.wait(made.id, 60).crashes == 0


def test_a_companion_worker_dies_with_the_web_process(disturbed_product: Product) -> None:
    disturbed_product.end("worker")
    disturbed_product.end("serve")
    disturbed_product.start("serve --with-worker")
    disturbed_product.platform.operations.wait(_collect(disturbed_product).id, 60)
    children = psutil.Process(disturbed_product.pid("serve --with-worker")).children()
    assert len(children) == 1
    disturbed_product.kill("serve --with-worker")
    assert not psutil.wait_procs(children, timeout=5)[1]


def _hears(process: psutil.Process) -> bool:
    """Whether it has a handler for SIGTERM."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) & (1 << (signal.SIGTERM - 1)))


@pytest.mark.parametrize("name", ["serve", "worker"])
@pytest.mark.parametrize("moment", ["it hears", "its database is made"])
def test_a_process_that_is_asked_to_end_while_it_starts(
    name: str, moment: str, tmp_path: Path
) -> None:
    """It ends as one that was ready does, and leaves no database behind."""
    home = tmp_path / "home"
    with subprocess.Popen(
        [sys.executable, "-m", "control_plane.entrypoints.cli.main", name],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={"PATH": os.defpath, "BOROUGH_HOME": str(home), "BOROUGH_PORT": "0"},
    ) as process:  # fmt: skip
        starting = psutil.Process(process.pid)
        reached = {
            "it hears": lambda: _hears(starting),
            "its database is made": (home / "postgres" / "data" / "PG_VERSION").exists,
        }
        wait_until(reached[moment])
        process.terminate()
        told = process.communicate(timeout=60)[1]
        assert process.returncode == 0, told
        assert "Traceback" not in told
    assert not (home / "postgres" / "data" / "postmaster.pid").exists()
    assert not list((home / "run").glob("*.json"))
