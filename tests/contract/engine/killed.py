"""Applies the contract's program in a process of its own, and is killed at its n-th event.

Arguments: kind, database URL, folder, number of the event, verb, and to import the ids by URN.
Prints ``done`` when it was not killed.
"""

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.graph import EngineEvent
from foundation.kernel.database import Database
from tests.contract.engine.worlds import EmbeddedWorld, PulumiWorld


class StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def main() -> None:
    kind, url, folder, number, verb, *existing = sys.argv[1:]
    database, host = Database(url), ProgramHost()
    seen = 0

    def die(_event: EngineEvent) -> None:
        nonlocal seen
        seen += 1
        if seen == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    world: EmbeddedWorld | PulumiWorld
    if kind == "embedded":
        world = EmbeddedWorld(host, database, StillClock(), Path(folder))
    else:
        world = PulumiWorld(host, database, Path(folder))
    run = world.run(things=2)
    if verb == "apply":
        result = world.engine.apply(run, confirm=lambda _preview: None, on_event=die)
    elif verb == "import":
        result = world.engine.import_existing(
            run, json.loads(existing[0]), confirm=lambda _preview: None, on_event=die
        )
    else:
        result = world.engine.destroy(run, on_event=die)
    host.close()
    sys.stdout.write(f"done {result.state}")


main()
