"""A worker of the kill tests: applies a run in a process of its own until it is killed.

Arguments: a pickled (run, search path, database URL, folder). Prints a line when the apply has
begun, and one when it has ended.
"""

import pickle
import sys
from pathlib import Path

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.graph import EngineEvent, EventKind
from tests.integration.sample import pulumi_engine, yes


def main() -> None:
    run, path, url, folder = pickle.loads(Path(sys.argv[1]).read_bytes())  # noqa: S301 - ours
    host = ProgramHost()

    def tell(event: EngineEvent) -> None:
        if event.kind is EventKind.PHASE and event.message == "apply":
            sys.stdout.write("begun\n")
            sys.stdout.flush()

    with pulumi_engine(host, path, url, folder) as engine:
        result = engine.apply(run, confirm=yes, on_event=tell)
    host.close()
    sys.stdout.write(f"ended {result.state}\n")


main()
