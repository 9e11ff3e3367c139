"""Playbook runs: values and their rules."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from control_plane.provisioning.graph import Json
from control_plane.provisioning.model import MASK
from foundation.kernel import canonical
from foundation.kernel.text import Text

#: Servers that one run may have, tasks on them that are told live, and controls kept per server.
MOST_HOSTS = 1000
MOST_TOLD = 20_000
MOST_CONTROLS = 300
MOST_MINUTES = 24 * 60
LONGEST_MESSAGE = 2000
#: A shorter text is no secret, and masking it would make the rest unreadable.
_SHORTEST_SECRET = 4
_SHORTEST_LINE = 8
#: What a task of a compliance report is called: its control's number, and what it asks.
_CONTROL = re.compile(r"(?:[a-z0-9_]+ : )?([A-Z][A-Z0-9]{0,9}-[0-9]{1,4}) \| (.{1,300})")


class RunState(StrEnum):
    """Where a run is in its life; ``waiting`` is for another person's approval."""

    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}


class HostState(StrEnum):
    """What a run did to one server.

    ``SKIPPED`` was never begun, because the run ended before its wave; ``UNKNOWN`` was cut off.
    """

    PENDING = "pending"
    RUNNING = "running"
    OK = "ok"
    CHANGED = "changed"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


#: What needs no other attempt.
GOOD = frozenset({HostState.OK, HostState.CHANGED})


class ControlState(StrEnum):
    """What a run found of a control; ``failing`` was not repaired, ``changed`` was."""

    PASSING = "passing"
    FAILING = "failing"
    CHANGED = "changed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Playbook:
    """Something that can be run on servers.

    Attributes:
        roles: whose options its inputs are; the first one's lose its name as their beginning.
        schema: JSON Schema 2020-12 of the inputs.
        variables: Ansible's name of each input.
        secrets: inputs that are sealed and never shown.
        approval: whether another person approves a run that is no check.
        report: whether its tasks are controls.
        waves: how its servers are parted unless somebody says otherwise.
        digest: of all content of the folder.
    """

    name: str
    title: Text
    description: Text
    roles: tuple[str, ...]
    schema: Mapping[str, Any]
    variables: Mapping[str, str]
    secrets: frozenset[str]
    approval: bool
    report: bool
    waves: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Access:
    """How the platform signs in to the servers of a tenancy; its private key is kept sealed.

    Attributes:
        user: of the servers; outputs of a deployment may name others.
        become: whether that user becomes root by sudo.
        reach: which addresses are used, ``inside`` or ``public``.
        public_key: one line of OpenSSH's; what the servers must trust.
    """

    tenancy_id: str
    path: str
    user: str
    port: int
    become: bool
    reach: str
    public_key: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Server:
    """A server of a deployment.

    Attributes:
        name: unique in the deployment; of its resource where that is known.
        alias: what its host key is kept under: the region's own id, so that a server that was
            made anew has another.
    """

    name: str
    alias: str
    address: str
    user: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Control:
    """What a run found of one control on one server."""

    id: str
    title: str
    state: ControlState
    message: str = ""

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return {
            "id": self.id, "title": self.title, "state": self.state.value, "message": self.message,
        }  # fmt: skip

    @staticmethod
    def read(document: Mapping[str, Any]) -> "Control":
        """Read it again from what is stored."""
        return Control(
            document["id"], document["title"], ControlState(document["state"]), document["message"]
        )


@dataclass(frozen=True, slots=True)
class Host:
    """A server in a run.

    Attributes:
        wave: from 0.
        ok, changed, failed, skipped: tasks by how they ended.
        message: why it failed or was not reached.
    """

    run_id: str
    name: str
    alias: str
    address: str
    user: str
    port: int
    wave: int
    state: HostState = HostState.PENDING
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    message: str = ""
    controls: tuple[Control, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """A playbook on the servers of a deployment.

    Attributes:
        content: digest of the playbooks' folder when it was asked for.
        inputs: with defaults; secret ones as masks.
        check: nothing is changed: the run says what it would do.
        minutes: after so long a wave is ended.
        cause: what began it if no person did: ``apply:PLAN:N``; for a retry ``retry:RUN``.
        digest: of all that an approval stands for.
        operation: that works on it, or did; empty while it waits.
        why: why it failed or was cancelled.
    """

    id: str
    deployment_id: str
    tenancy_id: str
    path: str
    playbook: str
    content: str
    inputs: Mapping[str, Json]
    check: bool
    waves: tuple[str, ...]
    minutes: int
    cause: str
    digest: str
    state: RunState
    why: str
    operation: str
    approved_by: str
    created_by: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostKey:
    """The key by which a server was known when it was first met.

    Attributes:
        line: as in a known_hosts file, without the name: type and key.
    """

    deployment_id: str
    alias: str
    line: str
    learned_at: datetime


def digest_of(run: Run, hosts: Sequence[Host]) -> str:
    """What an approval stands for: the content, the inputs, the servers and their waves."""
    return canonical.digest(
        {
            "format": 1,
            "deployment": run.deployment_id,
            "playbook": run.playbook,
            "content": run.content,
            "inputs": dict(run.inputs),
            "check": run.check,
            "minutes": run.minutes,
            "hosts": [[h.wave, h.name, h.alias, h.address, h.user, h.port] for h in hosts],
        }
    )


def masked(inputs: Mapping[str, Any], secrets: frozenset[str]) -> dict[str, Json]:
    """Inputs as they are kept and shown; a secret that was left empty stays empty."""
    return {n: MASK if n in secrets and v not in {None, ""} else v for n, v in inputs.items()}


def control_of(task: str) -> tuple[str, str] | None:
    """The number and title of the control that a task is; None for other tasks."""
    match = _CONTROL.fullmatch(task)
    return (match[1], match[2]) if match else None


_WORST = (ControlState.FAILING, ControlState.CHANGED, ControlState.PASSING, ControlState.SKIPPED)


def control_state(status: str, *, check: bool) -> ControlState | None:
    """What the end of a task says of its control; None when it says nothing."""
    return {
        "ok": ControlState.PASSING,
        "changed": ControlState.FAILING if check else ControlState.CHANGED,
        "failed": ControlState.FAILING,
        "ignored": ControlState.FAILING,
        "skipped": ControlState.SKIPPED,
    }.get(status)


def worst(controls: Iterable[Control]) -> tuple[Control, ...]:
    """Controls by number, each once; of several tasks of one the worst counts."""
    found: dict[str, Control] = {}
    for each in controls:
        there = found.get(each.id)
        if there is None or _WORST.index(each.state) < _WORST.index(there.state):
            found[each.id] = each
    return tuple(found[name] for name in sorted(found))[:MOST_CONTROLS]


class Redactor:
    """Takes secrets out of what a run says.

    It is the second belt: roles hide tasks with secrets (``no_log``). What a server makes of a
    secret, such as its base 64, is not known here.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = set()
        for secret in secrets:
            found.add(secret.strip())
            lines = secret.splitlines()
            found |= {line.strip() for line in lines if len(line.strip()) >= _SHORTEST_LINE}
        escaped = {canonical.dumps(each)[1:-1] for each in found}
        self._words = sorted(
            (w for w in found | escaped if len(w) >= _SHORTEST_SECRET), key=len, reverse=True
        )

    def __call__(self, text: str) -> str:
        """The text without them."""
        for word in self._words:
            text = text.replace(word, MASK)
        return text
