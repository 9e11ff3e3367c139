"""Runs ``ansible-playbook`` as a child of a keeper, and reads what it says."""

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from control_plane.adapters.ansible import files
from control_plane.adapters.ansible.events import Reader
from control_plane.adapters.ansible.installation import Installation
from control_plane.adapters.program_host.child import Child
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.provisioning.playbooks.ports import Ending, Outcome, TaskEvent, Work
from control_plane.provisioning.ports import Cancellation, EngineError
from foundation.kernel.errors import Unavailable
from foundation.kernel.scratch import Scratch

#: Ansible ends with these when servers failed (2), were not reached (4), or both.
_OF_SERVERS = frozenset({0, 2, 4, 6})
_TICK = 0.1
_OUTPUT_BYTES = 64 * 1024
_GRACE_SECONDS = 15.0
#: What one of its processes may take; several run at a time.
_LIMITS = """
import os, resource, sys
for what, limit in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 1 << 28),
                    (resource.RLIMIT_NOFILE, 4096), (resource.RLIMIT_AS, 4 << 30)):
    hard = resource.getrlimit(what)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(what, (limit, limit))
os.umask(0o077)
os.execve(sys.argv[1], sys.argv[1:], os.environ)
"""


class AnsibleRunner:
    """Implements ``Runner``.

    Args:
        host: starts children that end with this process, and all that they started with them.
        installation: of Ansible.
    """

    def __init__(self, host: ProgramHost, installation: Installation) -> None:
        self._host = host
        self._installation = installation

    def run(
        self,
        work: Work,
        *,
        on_event: Callable[[TaskEvent], None],
        cancel: Cancellation | None = None,
    ) -> Outcome:
        """See the port."""
        program = self._installation.find()
        with Scratch("borough-playbook-") as scratch:
            home = scratch.path
            files.write(home, work)
            os.mkfifo(home / "events", 0o600)
            reader = Reader((t.name for t in work.targets), on_event)
            events = os.open(home / "events", os.O_RDONLY | os.O_NONBLOCK)
            try:
                child = self._start(program, work, home)
                try:
                    watch = _Watch(child, events, reader, cancel, work.seconds)
                    ending, message = watch.to_the_end()
                finally:
                    child.close()
            finally:
                os.close(events)
            learned = files.learned(home, work.targets)
            return Outcome(ending, reader.outcomes(), learned, message)

    def _start(self, program: Path, work: Work, home: Path) -> Child:
        limited = [sys.executable, "-I", "-S", "-c", _LIMITS, str(program)]
        arguments = [
            *("-i", str(home / "inventory.yml"), "-e", f"@{home / 'variables.yml'}"),
            *("--private-key", str(home / "key"), "--diff"),
            *(["--check"] if work.check else []),
            str(work.folder / f"{work.playbook}.yml"),
        ]
        environment = files.environment(home, program)
        try:
            return self._host.command([*limited, *arguments], folder=home, environment=environment)
        except EngineError as error:
            raise Unavailable(error.message) from error


class _Watch:
    """Reads one run's events and output, and passes on a cancel."""

    def __init__(
        self, child: Child, events: int, reader: Reader, cancel: Cancellation | None, seconds: float
    ) -> None:
        self._child = child
        self._events = events
        self._reader = reader
        self._cancel = cancel
        self._deadline = time.monotonic() + seconds
        self._said = bytearray()
        self._open = {child.output, events}
        self._asked = 0.0
        self._ending = Ending.DONE

    def to_the_end(self) -> tuple[Ending, str]:
        """How it ended, and why it is broken when it is."""
        while not self._child.poll():
            self._read(_TICK)
            self._pass_on()
        while self._read(0.0):  # what it wrote last is still in the pipes
            pass
        if self._ending is not Ending.DONE:
            return self._ending, ""
        status = self._child.report.status
        if status in _OF_SERVERS and self._reader.complete:
            return Ending.DONE, ""
        return Ending.BROKEN, _end_of(bytes(self._said)) or f"it ended with status {status}"

    def _read(self, seconds: float) -> bool:
        waiting: list[Any] = [*self._open, self._child.control] if seconds else [*self._open]
        ready = select.select(waiting, [], [], seconds)[0]
        took = [self._take(handle) for handle in ready if isinstance(handle, int)]
        return any(took)

    def _take(self, handle: int) -> bool:
        try:
            data = os.read(handle, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            # A pipe without a writer is always ready; before the first writer nothing is.
            self._open.discard(handle)
        elif handle == self._events:
            self._reader.feed(data)
        else:
            self._said += data
            del self._said[:-_OUTPUT_BYTES]
        return bool(data)

    def _pass_on(self) -> None:
        now = time.monotonic()
        if self._asked:
            if now > self._asked + _GRACE_SECONDS:
                self._child.signal(signal.SIGKILL)
            return
        if self._cancel is not None and self._cancel.is_set():
            self._ending = Ending.CANCELLED
        elif now > self._deadline:
            self._ending = Ending.TIMED_OUT
        else:
            return
        self._asked = now
        self._child.signal(signal.SIGINT)


def _end_of(said: bytes) -> str:
    """The end of what Ansible said for people, as one line."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    text = "; ".join(lines[-12:])
    return "".join(c if c.isprintable() else "?" for c in text)[-2000:]
