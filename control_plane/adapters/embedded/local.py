"""Deployments of bundled workloads, which the simulated region really runs: as local processes.

No pod stands behind them, but the workload's own program does, started by a worker of the platform
(``local_supervisor.py``) with what the Deployment gives its container.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.adapters.embedded.tables import PROCESS, RESOURCE
from control_plane.adapters.program_host import values
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type
SERVICE = "kubernetes:core/v1:Service"


@dataclass(frozen=True, slots=True)
class Program:
    """A bundled workload's program.

    Attributes:
        module: what ``python -m`` runs.
        prefix: of its variables; others are not handed on.
        verbs: its first arguments that may run; anything else is not started here.
        ports: for verbs that listen, the variable of the port, without the prefix.
    """

    module: str
    prefix: str
    verbs: frozenset[str]
    ports: Mapping[str, str] = field(default_factory=lambda: {"serve": "PORT"})


#: By the command of a container.
PROGRAMS = {
    "borough-video": Program(
        "workloads.video_analytics.entrypoints.cli",
        "BOROUGH_VIDEO_",
        frozenset({"serve", "worker"}),
    ),
    "borough-exchange": Program(
        "workloads.data_exchange.entrypoints.cli",
        "BOROUGH_EXCHANGE_",
        frozenset({"serve", "worker", "gateway"}),
        {"serve": "PORT", "gateway": "GATEWAY_PORT"},
    ),
}
#: What a container is told of its surroundings, and a local process has its own of.
_OWN = (
    "HOME", "HOST", "PORT", "GATEWAY_PORT", "DATABASE_URL", "SECRET_KEYS", "SECRET_KEY_FILE",
    "PUBLIC_URL", "CHECKS_GATEWAY_URL", "TRANSFER_FOLDER", "TRANSFER_S3_ENDPOINT",
    "TRANSFER_S3_BUCKET", "TRANSFER_S3_REGION", "TRANSFER_S3_ACCESS_KEY", "TRANSFER_S3_SECRET_KEY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LocalProcess:
    """A process that shall run, as often as ``replicas`` says.

    Attributes:
        labels: of its pods, by which Services find it.
        environment: what the container is given, secrets in clear.
        digest: of all that a running one was started with.
    """

    deployment: str
    urn: str
    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    replicas: int

    @property
    def digest(self) -> str:
        """Another text when it must be started anew."""
        told = [self.program, self.arguments, sorted(self.environment.items())]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


class Secrets:
    """The Secrets of one program's run, in clear, for the containers that refer to them."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def note(self, inputs: Mapping[str, Any]) -> None:
        """Remember a Secret's values."""
        plain = values.clear(dict(inputs))
        name = str((plain.get("metadata") or {}).get("name", ""))
        found = {str(k): str(v) for k, v in (plain.get("stringData") or {}).items()}
        for key, text in (plain.get("data") or {}).items():
            try:
                found[str(key)] = base64.b64decode(str(text), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue  # no variable can hold it
        self._known[name] = found

    def of(self, name: object, key: object) -> str | None:
        """One value; None where there is none."""
        return self._known.get(str(name), {}).get(str(key))

    def whole(self, name: object) -> Mapping[str, str]:
        """All values of one."""
        return self._known.get(str(name), {})


def process_of(
    deployment: str, urn: str, inputs: Mapping[str, Any], secrets: Secrets
) -> LocalProcess | None:
    """What a Deployment runs here; None when it is no bundled workload's."""
    spec = values.clear(dict(inputs)).get("spec") or {}
    template = spec.get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    command = list(containers[0].get("command") or []) if containers else []
    program = PROGRAMS.get(command[0]) if command else None
    if program is None:
        return None
    arguments = (*command[1:], *(containers[0].get("args") or []))
    if not arguments or arguments[0] not in program.verbs:
        return None
    own = {program.prefix + name for name in _OWN}
    environment = {
        name: value
        for name, value in _environment(containers[0], secrets)
        if name.startswith(program.prefix) and name not in own
    }
    labels = (template.get("metadata") or {}).get("labels") or {}
    # Two of them cannot listen on one port of this machine.
    replicas = 1 if arguments[0] in program.ports else int(spec.get("replicas", 1))
    return LocalProcess(
        deployment, urn, command[0], tuple(map(str, arguments)), environment,
        {str(k): str(v) for k, v in labels.items()}, replicas,
    )  # fmt: skip


def _environment(container: Mapping[str, Any], secrets: Secrets) -> Iterator[tuple[str, str]]:
    for source in container.get("envFrom") or []:
        yield from secrets.whole((source.get("secretRef") or {}).get("name")).items()
    for entry in container.get("env") or []:
        reference = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
        value = secrets.of(reference.get("name"), reference.get("key")) if reference else None
        if "value" in entry:
            value = str(entry["value"])
        if value is not None:
            yield str(entry["name"]), value


class LocalProcesses:
    """What shall run, and how it does; kept in the database, variables sealed."""

    def __init__(self, database: Database, box: SecretBox, clock: Clock) -> None:
        self._db = database
        self._box = box
        self._clock = clock

    def put(self, wanted: LocalProcess) -> None:
        """Let this run from now on."""
        sealed = self._box.seal(
            json.dumps(dict(wanted.environment)).encode(), _context(wanted.deployment, wanted.urn)
        )
        row = {
            "deployment": wanted.deployment, "urn": wanted.urn, "program": wanted.program,
            "arguments": list(wanted.arguments), "labels": dict(wanted.labels),
            "replicas": wanted.replicas, "digest": wanted.digest,
        }  # fmt: skip
        with self._db.transaction():
            known = self._db.execute(
                sa.select(PROCESS.c.digest, PROCESS.c.replicas).where(*_is(wanted))
            ).first()
            if known is not None and tuple(known) == (wanted.digest, wanted.replicas):
                return
            insert = postgresql.insert(PROCESS).values(
                **row, environment=sealed, state="starting", detail="", changed_at=self._clock.now()
            )
            self._db.execute(
                insert.on_conflict_do_update(
                    index_elements=["deployment", "urn"],
                    set_={name: insert.excluded[name] for name in PROCESS.c.keys()},  # noqa: SIM118
                )
            )

    def end(self, deployment: str, urn: str) -> None:
        """Let it run no more."""
        with self._db.transaction():
            self._db.execute(
                sa.delete(PROCESS).where(PROCESS.c.deployment == deployment, PROCESS.c.urn == urn)
            )

    def wanted(self) -> list[LocalProcess]:
        """All that shall run."""
        with self._db.transaction():
            rows = self._db.execute(sa.select(PROCESS)).all()
        return [
            LocalProcess(
                row.deployment, row.urn, row.program, tuple(row.arguments),
                json.loads(self._box.open(row.environment, _context(row.deployment, row.urn))),
                row.labels, row.replicas,
            )
            for row in rows
        ]  # fmt: skip

    def port(self, wanted: LocalProcess) -> int:
        """The node port of the Service that finds it; 0 when there is none."""
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(RESOURCE.c.inputs, RESOURCE.c.computed).where(
                    RESOURCE.c.deployment == wanted.deployment, RESOURCE.c.type == SERVICE
                )
            ).all()
        for row in rows:
            selector = (row.inputs.get("spec") or {}).get("selector") or {}
            ports = (row.computed.get("spec") or {}).get("ports") or []
            if selector and ports and selector.items() <= dict(wanted.labels).items():
                return int(ports[0].get("nodePort", 0))
        return 0

    def note(self, wanted: LocalProcess, state: str, detail: str) -> None:
        """Write down how it does."""
        with self._db.transaction():
            self._db.execute(
                sa.update(PROCESS)
                .where(*_is(wanted), PROCESS.c.state != state)
                .values(state=state, detail=detail[:500], changed_at=self._clock.now())
            )


def _is(wanted: LocalProcess) -> tuple[Any, ...]:
    return (PROCESS.c.deployment == wanted.deployment, PROCESS.c.urn == wanted.urn)


def _context(deployment: str, urn: str) -> str:
    return f"embedded_process:{deployment}:{urn}"
