"""The registry over a real database, the embedded engine and blueprints of the tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.adapters.embedded.rules import forces
from control_plane.adapters.git.addresses import Reach
from control_plane.adapters.git.repositories import GitRepositories
from control_plane.provisioning.model import Deployment
from control_plane.provisioning.registry.jobs import handlers
from control_plane.provisioning.registry.service import Needs, Registry
from control_plane.provisioning.registry.store import PostgresRegistry
from foundation.kernel.secretbox import SecretBox
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import (
    PLATFORM,
    World,
    cache,
    empty,
    furnished,
    host,
    world,
)
from tests.contract.provisioning.test_blueprints import DOCUMENT
from tests.fakes.context import FakeContext

__all__ = ["cache", "empty", "furnished", "host", "world"]

PROGRAM = """
import pulumi
import pulumi_kubernetes as k8s
config = pulumi.Config()
deployment = config.require_object("deployment")
inputs = config.require_object("inputs")
for number in range(inputs.get("copies", 1)):
    k8s.core.v1.ConfigMap(
        f"note-{number}",
        metadata={"name": f"{deployment['name']}-%NAME%{number}",
                  "labels": {"borough": deployment["id"]}},
        data={"text": inputs["text"], "format": "%FORMAT%"},
    )
pulumi.export("text", inputs["text"])
"""


def note(
    version: str = "1.0.0",
    *,
    name: str = "note",
    format: str = "plain",  # noqa: A002 - of the note
    prefix: str = "",
    more: Mapping[str, Any] | None = None,
    **changed: Any,
) -> dict[str, bytes]:
    """The files of a blueprint of config maps.

    Args:
        version: its own.
        name: its own.
        format: another one changes each map in place.
        prefix: another one gives each map another name, which replaces it.
        more: properties of its inputs beyond ``text`` and ``copies``.
        changed: of the document.
    """
    text = DOCUMENT["inputs"]["properties"]["text"]
    copies = {"type": "integer", "minimum": 1, "maximum": 5, "default": 1, "title": "Copies",
              "x-zh": {"title": "份数"}}  # fmt: skip
    inputs = {**DOCUMENT["inputs"], "properties": {"text": text, "copies": copies, **(more or {})}}
    carries = {"data_classes": ["public", "internal"]}
    document = {
        **DOCUMENT, **carries, "name": name, "version": version, "inputs": inputs, **changed,
    }  # fmt: skip
    program = PROGRAM.replace("%FORMAT%", format).replace("%NAME%", prefix)
    return {
        "blueprint.yaml": yaml.safe_dump(document, allow_unicode=True).encode(),
        "Pulumi.yaml": f"name: {name}\nruntime: python\n".encode(),
        "README.md": b"# Note\n",
        "__main__.py": program.encode(),
    }


@dataclass
class Shelf:
    """A world with a registry."""

    world: World
    registry: Registry

    def deploy(self, tenancy: str = "", blueprint: str = "note", **inputs: Any) -> Deployment:
        """Something that runs."""
        plan = self.world.plan(
            tenancy=tenancy or self.world.health.id, blueprint=blueprint,
            inputs={"text": "hello", **inputs},
        )  # fmt: skip
        return self.world.apply(plan)

    def run(self, operation: Operation) -> FakeContext:
        """Do an operation's work; what it raises is its outcome."""
        context = FakeContext(operation)
        context.result = handlers(self.registry)[operation.kind].run(context)  # type: ignore[attr-defined, arg-type]
        return context


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """A folder from which sources may be read."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


@pytest.fixture
def shelf(world: World, repositories: Path) -> Shelf:
    needs = Needs(
        store=PostgresRegistry(world.database),
        db=world.database,
        clock=world.clock,
        audit=world.audit,
        operations=world.operations,
        provisioning=world.service,
        secrets=SecretBox([b"k" * 32]),
        repositories=GitRepositories(Reach(folders=(repositories,))),
        forces=forces,
    )
    world.service.publish(PLATFORM, note())
    return Shelf(world, Registry(needs))
