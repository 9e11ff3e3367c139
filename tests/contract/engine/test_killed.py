"""The process that works is killed at every event; another one finishes, and nothing is doubled."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from control_plane.provisioning.graph import ApplyState, Preview
from foundation.kernel.database import Database

MOST = 40
#: It is killed at every third event, at each with THOROUGH=1.
STEP = 1 if os.environ.get("THOROUGH") else 3


def killed(kind: str, database: Database, folder: Path, number: int, verb: str, *more: str) -> bool:
    """Run it; True when it was killed at that event, False when it came to its end before."""
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "killed.py"),
            *(kind, database.url, str(folder), str(number), verb, *more),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode in {0, -9}, done.stderr
    return done.returncode == -9


def test_killed_at_every_event_of_an_apply(
    world: Any, kind: str, database: Database, tmp_path: Path
) -> None:
    approved = world.engine.preview(world.run(things=2))
    for number in range(1, MOST, STEP):
        cut_off = killed(kind, database, tmp_path, number, "apply")
        beyond: list[Any] = []

        def check(preview: Preview, found: list[Any] = beyond) -> None:
            found += preview.beyond(approved)

        world.engine.recover(world.run(things=2))
        result = world.engine.apply(world.run(things=2), confirm=check)
        assert result.state is ApplyState.SUCCEEDED, (number, result.error)
        assert beyond == [], number
        assert world.labels() == ["shop-0", "shop-1"], number
        assert len({o.physical_id for o in result.outcomes}) == 2
        assert world.engine.destroy(world.run(things=2)).state is ApplyState.SUCCEEDED
        assert world.labels() == [], number
        if not cut_off:
            assert number > 5
            return
    raise AssertionError("it never came to its end")


def test_killed_at_every_event_of_a_destroy(
    world: Any, kind: str, database: Database, tmp_path: Path
) -> None:
    run = world.run(things=2)
    for number in range(1, MOST, STEP):
        assert world.engine.apply(run, confirm=lambda _p: None).state is ApplyState.SUCCEEDED
        cut_off = killed(kind, database, tmp_path, number, "destroy")
        world.engine.recover(run)
        assert world.engine.destroy(run).state is ApplyState.SUCCEEDED, number
        assert world.labels() == [], number
        if not cut_off:
            assert number > 4
            return
    raise AssertionError("it never came to its end")


def test_killed_at_every_event_of_an_import(
    world: Any, kind: str, database: Database, tmp_path: Path
) -> None:
    """Nothing is made and nothing deleted, wherever it stops; the same call completes it."""
    run = world.run(things=2)
    first = world.plant(run, "thing-0", label="by hand")
    second = world.plant(run, "thing-1", uses=first, size=9)
    existing = {world.urn("thing-0"): first, world.urn("thing-1"): second}
    approved = world.engine.preview_import(run, existing)
    for number in range(1, MOST, STEP):
        cut_off = killed(kind, database, tmp_path, number, "import", json.dumps(existing))
        assert len(world.labels()) == 2, number
        beyond: list[Any] = []

        def check(preview: Preview, found: list[Any] = beyond, wanted: Preview = approved) -> None:
            found += preview.beyond(wanted)

        world.engine.recover(run)
        result = world.engine.import_existing(run, existing, confirm=check)
        assert result.state is ApplyState.SUCCEEDED, (number, result.error)
        assert beyond == [], number
        assert {o.urn: o.physical_id for o in result.outcomes} == existing
        assert world.engine.preview(run).effective == ()
        assert world.labels() == ["shop-0", "shop-1"], number
        if not cut_off:
            assert number > 4
            return
        # Back to what it was, by hand.
        world.tamper("thing-0", 5)
        world.tamper("thing-1", 9)
        world.engine.refresh(run, accept=True)
        world.engine.release(run, list(existing))
        approved = world.engine.preview_import(run, existing)
        assert len(approved.effective) == 2, number
    raise AssertionError("it never came to its end")
