"""How much CPU ``borough`` takes to start: ``python tests/benchmarks/command_line.py [RUNS]``.

The verb asks an address where nobody listens: it loads all that a verb needs.
"""

import os
import statistics
import subprocess
import sys
import time

_CASES = {
    "python -c pass": ["-c", "pass"],
    "borough --help": ["-m", "control_plane.entrypoints.cli.main", "--help"],
    "borough order list": [
        "-m", "control_plane.entrypoints.cli.main", "order", "list", "--url", "http://127.0.0.1:1",
    ],
}  # fmt: skip


def cpu_of(arguments: list[str]) -> float:
    before = os.times()
    subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    after = os.times()
    return (
        after.children_user - before.children_user + after.children_system - before.children_system
    )


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, arguments in _CASES.items():
        begun = time.perf_counter()
        taken = [cpu_of(arguments) * 1000 for _ in range(runs)]
        wall = (time.perf_counter() - begun) / runs * 1000
        print(
            f"{name:20} CPU median {statistics.median(taken):.0f} ms, least {min(taken):.0f} ms;"
            f" wall {wall:.0f} ms"
        )


if __name__ == "__main__":
    main()
