"""So many operations change one region at once, over all processes; a dead one holds none."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.adapters.pulumi.engine import places
from control_plane.adapters.region_turns import RegionTurns
from control_plane.provisioning.ports import EngineError, RegionAccess
from foundation.kernel.database import Database

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def turns(database: Database) -> Iterator[RegionTurns]:
    made = RegionTurns(database.url, 2)
    yield made
    made.close()


def test_a_third_operation_waits_and_says_so_once(turns: RegionTurns) -> None:
    waited: list[str] = []
    entered = threading.Event()

    def third() -> None:
        with turns.hold("reg_1", on_wait=lambda: waited.append("waits")):
            entered.set()

    with turns.hold("reg_1"):
        with turns.hold("reg_1"), turns.hold("reg_2"):
            thread = threading.Thread(target=third)
            thread.start()
            assert not entered.wait(1.2)
            assert waited == ["waits"]
        assert entered.wait(5)
    thread.join()


def test_never_more_than_there_are_places(turns: RegionTurns) -> None:
    lock = threading.Lock()
    now = most = 0

    def work() -> None:
        nonlocal now, most
        with turns.hold("reg_1", most=3):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.05)
            with lock:
                now -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (now, most) == (0, 3)


def test_who_cancels_while_waiting_gets_no_place(turns: RegionTurns) -> None:
    cancel = threading.Event()
    cancel.set()
    with (
        turns.hold("reg_1", most=1),
        pytest.raises(EngineError, match="cancelled while it waited"),
        turns.hold("reg_1", most=1, cancel=cancel),
    ):
        pass
    with turns.hold("reg_1", most=1, cancel=cancel):
        pass


def test_a_place_of_a_killed_process_is_free_at_once(
    turns: RegionTurns, database: Database
) -> None:
    code = (
        "import sys, time\n"
        "from control_plane.adapters.region_turns import RegionTurns\n"
        "with RegionTurns(sys.argv[1], 1).hold('reg_1'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, database.url],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    waited: list[str] = []

    def kill() -> None:
        waited.append("waits")
        holder.send_signal(signal.SIGKILL)

    with turns.hold("reg_1", most=1, on_wait=kill):
        assert waited == ["waits"]
    holder.wait()
    holder.stdout.close()


def test_a_region_may_say_how_many_places_it_has() -> None:
    def region(**config: object) -> RegionAccess:
        return RegionAccess("reg_1", frozenset({"openstack"}), config)  # type: ignore[arg-type]

    assert places(region()) is None
    assert places(region(openstack={"auth_url": "http://x"})) is None
    both = region(openstack={"operations_at_once": 4}, kubernetes={"operations_at_once": 2})
    assert places(both) == 2
    assert places(region(openstack={"operations_at_once": 0})) is None
