"""What playbook runs need from outside: something that runs them, and a store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from control_plane.provisioning.playbooks.model import (
    Access,
    Host,
    HostKey,
    HostState,
    Playbook,
    Run,
    RunState,
)
from control_plane.provisioning.ports import Cancellation
from foundation.kernel.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Target:
    """A server to run on.

    Attributes:
        name: its own among the targets; letters, digits, ``.``, ``_`` and ``-``.
        alias: what its key is known under.
        known: lines of its key (type and key); without one the key that it shows is learned.
    """

    name: str
    alias: str
    address: str
    port: int
    user: str
    become: bool
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """One playbook on some servers.

    Attributes:
        folder: of the playbooks.
        variables: values by Ansible's names; texts are taken as they are and never as templates.
        private_key: OpenSSH's own format, not encrypted.
        check: change nothing and say what would be.
        seconds: after so long it is ended.
    """

    folder: Path
    playbook: str
    targets: tuple[Target, ...]
    variables: Mapping[str, Any] = field(repr=False)
    private_key: str = field(repr=False)
    check: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class TaskEvent:
    """How a task ended on a server.

    Attributes:
        status: ``ok``, ``changed``, ``failed``, ``ignored`` (failed, and that is no matter),
            ``unreachable``, ``skipped``, ``again`` (it is tried again) or ``item_failed``.
        message: what failed; empty where all is well.
        diff: what was changed, or would be, as lines.
    """

    host: str
    task: str
    status: str
    message: str = ""
    diff: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """How a server stands after the work, with its tasks by how they ended."""

    state: HostState
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0


class Ending(StrEnum):
    """How the work ended: servers that failed are outcomes of ``done``."""

    DONE = "done"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work ended.

    Attributes:
        hosts: every target.
        learned: keys of servers that were met for the first time, as (alias, line).
        message: why it is broken.
    """

    ending: Ending
    hosts: Mapping[str, HostOutcome]
    learned: tuple[tuple[str, str], ...] = ()
    message: str = ""


class Runner(Protocol):
    """Runs playbooks."""

    def run(
        self,
        work: Work,
        *,
        on_event: Callable[[TaskEvent], None],
        cancel: Cancellation | None = None,
    ) -> Outcome:
        """Run it to its end; everything that it started ends with it, and with this process.

        Neither the private key nor a variable is in a list of arguments, or left in a file.

        Raises:
            Unavailable: there is nothing to run it with on this machine.
        """
        ...


class RunStore(Protocol):
    """Runs, ways in and host keys; every call joins the open transaction."""

    def add(self, run: Run, hosts: Sequence[Host], sealed: str | None) -> bool:
        """Keep a run with its sealed secrets; False when its cause has one already."""
        ...

    def run(self, run_id: str, *, lock: bool = False) -> Run | None: ...

    def runs(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Run]:
        """Those at or below any of the paths, newest first.

        Filters: ``deployment_id``, ``playbook``, ``state``.
        """
        ...

    def save(self, run: Run) -> None: ...

    def hosts(self, run_id: str) -> list[Host]:
        """Its servers, by wave and name."""
        ...

    def save_hosts(self, hosts: Sequence[Host]) -> None: ...

    def sealed_secrets(self, run_id: str) -> str | None: ...

    def erase_secrets(self, run_id: str) -> None: ...

    def with_secrets(self, ended_before: datetime) -> list[str]:
        """Runs that ended before and still have their secrets."""
        ...

    def lock_queue(self) -> None:
        """Keep others from beginning runs until the transaction ends."""
        ...

    def queued(self) -> list[Run]:
        """Those that are to begin, the oldest first."""
        ...

    def in_state(self, state: RunState) -> list[Run]: ...

    def access(self, tenancy_id: str) -> Access | None: ...

    def sealed_key(self, tenancy_id: str) -> str | None: ...

    def put_access(self, access: Access, sealed_key: str) -> None: ...

    def host_keys(self, deployment_id: str) -> list[HostKey]: ...

    def learn(self, key: HostKey) -> None:
        """Keep a key, unless the server has one of that type already."""
        ...

    def forget(self, deployment_id: str, alias: str) -> int:
        """Forget a server's keys; answers how many."""
        ...

    def applied(self, limit: int) -> list[tuple[str, str, list[Any]]]:
        """Deployments whose blueprint names playbooks that were not all begun for their plan.

        Returns:
            The id of each, of the plan that was applied, and the ``playbooks`` of its blueprint;
            none of which a playbook has not succeeded.
        """
        ...

    def caused(self, cause: str) -> Run | None:
        """The run that began for a cause."""
        ...


class Playbooks(Protocol):
    """What there is to run."""

    @property
    def folder(self) -> Path:
        """Where it is."""
        ...

    def all(self) -> Mapping[str, Playbook]:
        """By name."""
        ...
