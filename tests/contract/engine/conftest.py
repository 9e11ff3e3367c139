"""Fixtures: every test of this folder runs against both engines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.adapters.program_host.host import ProgramHost
from foundation.kernel.database import Database
from tests.contract.engine.worlds import EmbeddedWorld, PulumiWorld, World, why_no_pulumi

KINDS = [
    "embedded",
    pytest.param(
        "pulumi",
        marks=pytest.mark.skipif(bool(why_no_pulumi()), reason=why_no_pulumi()),
    ),
]


@pytest.fixture(scope="session")
def host() -> Iterator[ProgramHost]:
    host = ProgramHost()
    host.start()
    yield host
    host.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(
    kind: str, host: ProgramHost, database: Database, clock: Any, tmp_path: Path
) -> Iterator[World]:
    made: EmbeddedWorld | PulumiWorld
    if kind == "embedded":
        made = EmbeddedWorld(host, database, clock, tmp_path)
    else:
        made = PulumiWorld(host, database, tmp_path)
    yield made
    made.close()


@pytest.fixture
def pulumi_world(host: ProgramHost, database: Database, tmp_path: Path) -> Iterator[PulumiWorld]:
    world = PulumiWorld(host, database, tmp_path)
    yield world
    world.close()
