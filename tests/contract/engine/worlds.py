"""Both engines with a cloud that the tests can look into and disturb.

The program of the contract makes things of the type ``sample:index:Thing``. In the embedded engine
they are objects of the simulated region; in Pulumi they are files in a folder, made by a provider
plugin of the tests (``provider.py``).
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from control_plane.adapters.embedded.engine import EmbeddedEngine
from control_plane.adapters.embedded.things import Fault
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.cli import PulumiSettings, backend_url
from control_plane.adapters.pulumi.engine import PulumiEngine
from control_plane.adapters.pulumi.recovery import Pending
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.ports import (
    DeploymentContext,
    Engine,
    Limits,
    Program,
    RegionAccess,
    Run,
    StackRef,
)
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock

PROGRAM = '''
import json
import random
import pulumi

class Provider(pulumi.ProviderResource):
    def __init__(self, name, **props):
        super().__init__("sample", name, props)

class Thing(pulumi.CustomResource):
    """A thing; another colour means another thing."""
    label: pulumi.Output[str]
    def __init__(self, name, provider, depends_on=None, **props):
        super().__init__("sample:index:Thing", name, {"label": None, "size": None,
            "colour": None, "password": None, "uses": None, "tags": None, **props},
            pulumi.ResourceOptions(provider=provider, depends_on=depends_on,
                                   replace_on_changes=["colour", "uses"]))

class Group(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("sample:index:Group", name)

config = pulumi.Config()
inputs = config.require_object("inputs")
region = config.require_object("region")
deployment = config.require_object("deployment")
credentials = config.require_secret("credentials").apply(json.loads)
password = credentials.apply(lambda c: c["region"]["sample"]["password"])
provider = Provider("cloud", folder=region.get("sample", {}).get("folder", ""), password=password)
Group("group")
before = None
for number in range(inputs.get("things", 2)):
    colour = inputs.get("colour", "blue")
    before = Thing(f"thing-{number}", provider, label=f"{deployment['name']}-{number}",
                   size=random.random() if inputs.get("dice") else inputs.get("size", 1),
                   colour=colour, password=password,
                   uses=before.id if before else "", tags={"borough.dev/of": deployment["id"]})
if inputs.get("raises"):
    raise ValueError("the inputs make no sense")
pulumi.export("last", before.id if before else "")
pulumi.export("size", inputs.get("size", 1))
pulumi.export("secret", pulumi.Output.concat("pw:", password))
'''

PASSWORD = "open-sesame-0815"


class World(Protocol):
    """An engine, and the cloud behind it."""

    engine: Engine

    def run(self, **inputs: Any) -> Run: ...

    def labels(self) -> list[str]:
        """The labels of all things that are really there, sorted."""

    def refuse(self, name: str, op: str = "any", times: int | None = None) -> None:
        """Let steps of a thing fail."""

    def hang(self, name: str, op: str = "create") -> None:
        """Let a step of a thing be ordered and never answered."""

    def heal(self) -> None:
        """Let everything go well again."""

    def tamper(self, name: str, size: int) -> None:
        """Change a thing behind the engine's back."""

    def remove(self, name: str) -> None:
        """Remove a thing behind the engine's back."""

    def urn(self, name: str) -> str:
        """What the engine calls a thing."""

    def plant(self, run: Run, name: str, **other: Any) -> str:
        """Make a thing by hand: as the program declares it but for some properties. Its id."""


@dataclass
class Programs:
    """Runs of the contract's program."""

    engine: Any = field(init=False)
    folder: Path
    deployment: str = "dep_contract"
    facts: dict[str, Any] | None = None

    def run(self, **inputs: Any) -> Run:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
        (self.folder / "__main__.py").write_text(PROGRAM)
        password = inputs.pop("password", PASSWORD)
        return Run(
            stack=StackRef(self.deployment, "sample", self.deployment),
            program=Program(self.folder, "sha256:contract"),
            inputs=inputs,
            region=RegionAccess(
                "reg_contract",
                frozenset({"sample"}),
                {"sample": self.facts or {}},
                {"sample": {"password": password}},
            ),
            deployment=DeploymentContext(self.deployment, "shop", "health", {}, "s" * 40),
            limits=Limits(seconds=60, operation_seconds=120),
        )

    def said(self, run: Run, name: str) -> dict[str, Any]:
        """What the program says of a thing."""
        graph = self.engine.evaluate(run)
        return dict(next(n.inputs for n in graph.resources if n.logical_name == name))

    def urn(self, name: str) -> str:
        return f"urn:pulumi:{self.deployment}::sample::sample:index:Thing::{name}"


class EmbeddedWorld(Programs):
    """Things are objects of the simulated region."""

    def __init__(self, host: ProgramHost, database: Database, clock: Clock, folder: Path) -> None:
        super().__init__(folder / "program")
        self._locks = StackLocks(database.url)
        box = SecretBox([b"k" * 32])
        self.engine = EmbeddedEngine(host, database, clock, box, self._locks)

    def close(self) -> None:
        self._locks.close()

    def labels(self) -> list[str]:
        region = self.engine.region
        things = [*region.things(self.deployment), *region.outside("reg_contract")]
        return sorted(
            t.inputs["label"] for t in things if t.state == "created" and not t.drift.get("missing")
        )

    def _add(self, **fault: Any) -> None:
        self.engine.region.add_fault("reg_contract", Fault(type="sample:*", **fault))

    def refuse(self, name: str, op: str = "any", times: int | None = None) -> None:
        self._add(name=name, op=op, kind="fail", message="no more things", remaining=times)

    def hang(self, name: str, op: str = "create") -> None:
        self._add(name=name, op=op, kind="hang", message="")

    def heal(self) -> None:
        self.engine.region.clear_faults("reg_contract")

    def tamper(self, name: str, size: int) -> None:
        self.engine.region.tamper(self.deployment, self.urn(name), "size", size)

    def remove(self, name: str) -> None:
        self.engine.region.remove(self.deployment, self.urn(name))

    def plant(self, run: Run, name: str, **other: Any) -> str:
        inputs = {**self.said(run, name), **other}
        return self.engine.region.plant("reg_contract", "sample:index:Thing", inputs).physical_id


class PulumiWorld(Programs):
    """Things are files, made by the provider plugin of the tests."""

    def __init__(self, host: ProgramHost, database: Database, folder: Path) -> None:
        self.cloud = folder / "cloud"
        self.silent = False
        super().__init__(folder / "program", facts={"folder": str(self.cloud)})
        plugins = folder / "plugins"
        for new in (self.cloud / "faults", self.cloud / "things", plugins):
            new.mkdir(parents=True, exist_ok=True)
        plugin = plugins / "pulumi-resource-sample"
        program = Path(__file__).parent / "provider.py"
        plugin.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{program}" "$@"\n')
        plugin.chmod(0o755)
        settings = PulumiSettings(
            home=folder / "pulumi",
            backend_url=backend_url(database.url),
            search_path=os.pathsep.join([str(plugins), has_pulumi()]),
            install=False,
            cancel_seconds=2.0,
            pauses=(0.1, 0.1),
            packages=frozenset({"sample"}),
            settle_seconds=0.0,
            environment={"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true"},
        )
        self._locks = StackLocks(database.url)
        self.engine = PulumiEngine(
            host,
            settings,
            database=database,
            key=b"k" * 32,
            locks=self._locks,
            lookups={"sample:": self._lookup},
        )

    def _lookup(self, pending: Pending) -> str | None:
        if self.silent:
            raise ConnectionError("the cloud does not answer")
        for file, thing in self.things().items():
            if thing["tags"]["borough.dev/of"] == pending.deployment and (
                thing["label"] == pending.inputs["label"] and file.stem not in pending.known
            ):
                return file.stem
        return None

    def close(self) -> None:
        self._locks.close()

    def things(self) -> dict[Path, dict[str, Any]]:
        return {f: json.loads(f.read_text()) for f in (self.cloud / "things").iterdir()}

    def labels(self) -> list[str]:
        return sorted(t["label"] for t in self.things().values())

    def fault(self, name: str, op: str, kind: str, times: int | None = 1) -> None:
        """Disturb a thing's steps in a way that ``provider.py`` knows."""
        (self.cloud / "faults" / f"{name}.{op}").write_text(json.dumps([kind, times]))

    def refuse(self, name: str, op: str = "any", times: int | None = None) -> None:
        self.fault(name, op, "fail", times)

    def hang(self, name: str, op: str = "create") -> None:
        self.fault(name, op, "hang", None)

    def heal(self) -> None:
        for file in (self.cloud / "faults").iterdir():
            file.unlink()

    def _file(self, name: str) -> Path:
        label = f"shop-{name.rpartition('-')[2]}"
        return next(f for f, t in self.things().items() if t["label"] == label)

    def tamper(self, name: str, size: int) -> None:
        file = self._file(name)
        file.write_text(json.dumps({**json.loads(file.read_text()), "size": size}))

    def remove(self, name: str) -> None:
        self._file(name).unlink()

    def plant(self, run: Run, name: str, **other: Any) -> str:
        made = f"hand-{len(self.things())}"
        inputs = {**self.said(run, name), "password": PASSWORD, **other}
        (self.cloud / "things" / f"{made}.json").write_text(json.dumps(inputs))
        return made


def why_no_pulumi() -> str:
    """Why the real engine is not tried in this run; empty when it is."""
    if os.environ.get("BOROUGH_SHORT_TESTS"):
        return "takes minutes: run ./dev test tests/contract/engine (.ci/run does)"
    return "" if has_pulumi() else "the Pulumi CLI is neither on PATH nor built"


def has_pulumi() -> str:
    """Where the CLI is: on PATH, or where the devcloud builds it; empty when nowhere."""
    home = os.environ.get("BOROUGH_DEVCLOUD_HOME", "~/.cache/borough-devcloud")
    built = str(Path(home).expanduser() / "bin")
    found = shutil.which("pulumi", path=os.pathsep.join([os.environ.get("PATH", ""), built]))
    return str(Path(found).parent) if found else ""
