"""A program host for all tests of this folder, and programs written in a test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.ports import (
    DeploymentContext,
    Limits,
    Program,
    RegionAccess,
    Run,
    StackRef,
)

SECRET = "correct-horse-battery"


@pytest.fixture(scope="session")
def host() -> Iterator[ProgramHost]:
    host = ProgramHost()
    host.start()
    yield host
    host.close()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Run]:
    """Write a program and return a run of it."""

    def write(source: str, *, limits: Limits | None = None, **inputs: Any) -> Run:
        folder = tmp_path / "program"
        folder.mkdir(exist_ok=True)
        (folder / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
        (folder / "__main__.py").write_text(dedent(source))
        run = Run(
            stack=StackRef("dep_1", "sample", "dep_1"),
            program=Program(folder, "sha256:0"),
            inputs=inputs,
            region=RegionAccess(
                "reg_1",
                frozenset({"openstack"}),
                {"openstack": {"auth_url": "http://identity.example/v3"}},
                {"openstack": {"user_name": "admin", "password": SECRET}},
            ),
            deployment=DeploymentContext(
                "dep_1", "shop", "health", {"department": "health"}, "s" * 40
            ),
        )
        return replace(run, limits=limits) if limits else run

    return write
