"""Children die with their parent, however it dies."""

import subprocess
import sys
import threading
import time

import psutil

from foundation.kernel.processes import spawn

_PARENT = """
import sys, threading, time
from foundation.kernel.processes import spawn
children = []
# From a thread that ends at once: the signal must not come then.
thread = threading.Thread(target=lambda: children.append(spawn(["sleep", "600"])))
thread.start(); thread.join()
time.sleep(0.3)
assert children[0].poll() is None, "it died with its thread"
print(children[0].pid, flush=True)
time.sleep(600)
"""


def test_a_child_dies_with_its_parent_and_not_with_a_thread() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
        parent.wait()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert not alive
    assert gone


def test_what_a_child_says_and_how_it_ends() -> None:
    with spawn(
        [sys.executable, "-c", "import os; print(os.environ['A']); raise SystemExit(7)"],
        environment={"A": "b"},
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b"b\n"
        assert child.wait() == 7


def test_many_at_once_from_many_threads() -> None:
    children: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        children.append(spawn(["true"]))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(20) for child in children] == [0] * 8


def test_a_program_that_is_not_there_says_so() -> None:
    with spawn(["/nonexistent/program"], stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        assert b"No such file" in child.stderr.read()
        assert child.wait() == 1


def test_stopping_one_leaves_the_others() -> None:
    first, second = spawn(["sleep", "60"]), spawn(["sleep", "60"])
    first.kill()
    first.wait()
    time.sleep(0.1)
    assert second.poll() is None
    second.kill()
    second.wait()
