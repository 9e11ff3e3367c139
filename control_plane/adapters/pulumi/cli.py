"""Runs the Pulumi CLI: finds it, gives it its environment, reads its events, ends it.

Everything that is learnt from the CLI's words for people is in this module.
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host.child import Child
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi.reach import PACKAGES
from control_plane.provisioning.ports import Cancellation, EngineError, StackBusyError
from foundation.kernel.scratch import Scratch

_TICK = 0.05
_OUTPUT_BYTES = 256 * 1024
_COLOURS = re.compile(r"<\{%.*?%\}>")
_PASSED_ON = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR"),
)
_INSTALL_SECONDS = 600.0
#: What the CLI says when several of it make the table of states at once in a new database, where
#: PostgreSQL lets "CREATE TABLE IF NOT EXISTS" fail. Nothing has been done yet.
_FIRST_AT_ONCE = "failed to create table"
_MOST_BEGINNINGS = 3

OnRaw = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class PulumiSettings:
    """Where the engine finds and keeps things.

    Attributes:
        home: Folder for plugins, and for the CLI when it is installed on demand.
        backend_url: Where stacks' state is kept, ``postgres://…`` or ``file://…``.
        search_path: Where the CLI and plugins are looked for first; ``PATH`` comes after.
        install: Whether a missing CLI, or a provider's missing plugin, may be downloaded.
        cancel_seconds: How long running steps may take to end after a cancel, before the CLI is
            told a second time, which leaves their resources unknown.
        environment: More variables for the CLI and its plugins.
        parallel: How many resources of one operation are worked on at once.
        service_parallel: The same for one OpenStack service, while things are made or changed.
        pauses: How long to wait, in seconds, before each further attempt when a region fails in a
            way that is likely to pass.
        packages: The providers that programs may use.
        settle_seconds: How long a cloud may still be at work on a creation that it was asked for
            before the asker was cut off.
    """

    home: Path
    backend_url: str
    search_path: str = ""
    install: bool = True
    cancel_seconds: float = 120.0
    environment: Mapping[str, str] = field(default_factory=dict)
    parallel: int = 8
    service_parallel: int = 4
    pauses: tuple[float, ...] = (2.0, 8.0, 20.0)
    packages: frozenset[str] = PACKAGES
    settle_seconds: float = 10.0


def backend_url(database_url: str) -> str:
    """Return the URL of a state backend in the platform's own database.

    Args:
        database_url: SQLAlchemy URL, ``postgresql+psycopg://…``.
    """
    _, _, rest = database_url.partition("://")
    if "sslmode=" not in rest:
        # The Go driver asks for TLS unless told; psycopg prefers it and does without.
        socket = "host=%2F" in rest or "host=/" in rest
        if socket or "@localhost" in rest or "@127.0.0.1" in rest:
            rest += ("&" if "?" in rest else "?") + "sslmode=disable"
    return f"postgres://{rest}"


@dataclass(slots=True)
class Ended:
    """How a command ended.

    Attributes:
        status: Exit status; negative is a signal.
        output: The end of what it said.
        cancelled: It was asked to stop.
        timed_out: It was ended because it took too long.
    """

    status: int
    output: str
    cancelled: bool = False
    timed_out: bool = False


class PulumiCli:
    """The CLI of one installation; safe to use from many threads."""

    def __init__(self, host: ProgramHost, settings: PulumiSettings) -> None:
        self._host = host
        self.settings = settings
        self._lock = threading.Lock()
        self._command: str | None = None
        # Salts of stacks' secrets; without one the CLI makes another, which costs half a second.
        self._salts: dict[str, str] = {}

    def find(self) -> str:
        """Return the CLI's path, installing it when that is allowed.

        Raises:
            EngineError: There is none.
        """
        with self._lock:
            if self._command is None:
                path = os.pathsep.join(
                    p for p in (self.settings.search_path, os.environ.get("PATH", "")) if p
                )
                installed = str(self.settings.home / "cli" / "bin")
                found = shutil.which("pulumi", path=os.pathsep.join([path, installed]))
                self._command = found or self._install()
            return self._command

    def _install(self) -> str:
        if not self.settings.install:
            raise EngineError("the Pulumi CLI is not on PATH, and may not be installed")
        from pulumi.automation import PulumiCommand  # noqa: PLC0415 - rarely needed, slow to load

        try:
            command = PulumiCommand.install(root=str(self.settings.home / "cli"))
        except Exception as error:  # the SDK raises what its download raises
            raise EngineError(f"the Pulumi CLI could not be installed: {error}") from error
        return str(command.command)

    def version(self) -> str:
        """Return the CLI's version, ``v3.…``.

        Raises:
            EngineError: There is no CLI, or it does not run.
        """
        done = subprocess.run(  # noqa: S603 - our own CLI
            [self.find(), "version"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_INSTALL_SECONDS,
            env={"PULUMI_SKIP_UPDATE_CHECK": "true", "HOME": str(self.settings.home)},
        )
        if done.returncode:
            raise EngineError(f"the Pulumi CLI does not run: {done.stderr[-500:]}")
        return done.stdout.strip()

    @contextlib.contextmanager
    def workspace(self, project: str, stack: str) -> Iterator[Path]:
        """Give a folder in which commands on a stack run; it is gone afterwards."""
        with Scratch("borough-pulumi-") as scratch:
            path = scratch.path
            (path / "Pulumi.yaml").write_text(json.dumps({"name": project, "runtime": "python"}))
            config = path / f"Pulumi.{stack}.yaml"
            if stack in self._salts:
                config.write_text(self._salts[stack])
            yield path
            if config.exists():
                self._salts[stack] = config.read_text()

    def environment(self, passphrase: str, folder: Path) -> dict[str, str]:
        """Return the whole environment of a command."""
        settings = self.settings
        settings.home.mkdir(parents=True, exist_ok=True)
        paths = [str(Path(self.find()).parent), settings.search_path, os.environ.get("PATH", "")]
        return {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "PATH": os.pathsep.join(p for p in paths if p),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PULUMI_HOME": str(settings.home),
            "PULUMI_BACKEND_URL": settings.backend_url,
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_AUTOMATION_API": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            # The database has its own backups; copies would outlive their stack.
            "PULUMI_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": str(not settings.install).lower(),
            **settings.environment,
        }

    def run(
        self,
        arguments: list[str],
        folder: Path,
        passphrase: str,
        *,
        on_event: OnRaw | None = None,
        cancel: Cancellation | None = None,
        seconds: float = 600.0,
    ) -> Ended:
        """Run a command to its end.

        Args:
            arguments: What follows ``pulumi``.
            folder: A workspace.
            passphrase: Of the stack's secrets.
            on_event: Receives the engine's events, as the CLI logs them.
            cancel: Asks running steps to end.
            seconds: After so long it is cancelled.

        Raises:
            EngineError: It could not be started.
        """
        for _ in range(_MOST_BEGINNINGS - 1):
            ended = self._once(arguments, folder, passphrase, on_event, cancel, seconds)
            if not ended.status or _FIRST_AT_ONCE not in ended.output:
                return ended
        return self._once(arguments, folder, passphrase, on_event, cancel, seconds)

    def _once(
        self,
        arguments: list[str],
        folder: Path,
        passphrase: str,
        on_event: OnRaw | None,
        cancel: Cancellation | None,
        seconds: float,
    ) -> Ended:
        command = [self.find(), *arguments, "--non-interactive", "--color", "never"]
        events: int | None = None
        if on_event is not None:
            log = folder / "events"
            log.unlink(missing_ok=True)
            os.mkfifo(log, 0o600)
            events = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
            command += ["--event-log", str(log)]
        child = self._host.command(
            command, folder=folder, environment=self.environment(passphrase, folder)
        )
        watch = _Watch(child, events, on_event, cancel, seconds, self.settings.cancel_seconds)
        try:
            return watch.to_the_end()
        finally:
            child.close()
            if events is not None:
                os.close(events)


class _Watch:
    """Reads one command's output and events, and passes on a cancel."""

    def __init__(
        self,
        child: Child,
        events: int | None,
        on_event: OnRaw | None,
        cancel: Cancellation | None,
        seconds: float,
        grace: float,
    ) -> None:
        self._child = child
        self._events = events
        self._on_event = on_event
        self._cancel = cancel
        self._deadline = time.monotonic() + seconds
        self._grace = grace
        self._output = bytearray()
        self._lines = bytearray()
        self._asked: list[float] = []
        self._timed_out = False
        self._open = {child.output} | ({events} if events is not None else set())

    def to_the_end(self) -> Ended:
        while not self._child.poll():
            self._read(_TICK)
            self._pass_on_cancel()
        # What it wrote last is still in the pipes.
        while self._read(0.0):
            pass
        status = self._child.report.status
        return Ended(
            status=-signal.SIGKILL if status is None else status,
            output=self._output.decode(errors="replace"),
            cancelled=bool(self._asked) and not self._timed_out,
            timed_out=self._timed_out,
        )

    def _read(self, seconds: float) -> bool:
        waiting: list[Any] = [*self._open, self._child.control] if seconds else [*self._open]
        ready = select.select(waiting, [], [], seconds)[0]
        some = False
        for handle in ready:
            if isinstance(handle, int):
                some = self._take(handle) or some
        return some

    def _take(self, handle: int) -> bool:
        try:
            data = os.read(handle, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            # The CLI has closed it; before it opens it nothing is ready to be read.
            self._open.discard(handle)
        if handle == self._events:
            self._lines += data
            *whole, rest = bytes(self._lines).split(b"\n")
            self._lines = bytearray(rest)
            for line in whole:
                self._tell(line)
            return bool(data)
        self._output += data
        del self._output[:-_OUTPUT_BYTES]
        return bool(data)

    def _tell(self, line: bytes) -> None:
        if line.strip() and self._on_event is not None:
            self._on_event(json.loads(line))

    def _pass_on_cancel(self) -> None:
        now = time.monotonic()
        if not self._asked:
            self._timed_out = now > self._deadline
            if self._timed_out or (self._cancel is not None and self._cancel.is_set()):
                self._ask(now)
        elif now - self._asked[-1] > self._grace:
            if len(self._asked) < _MOST_ASKED:
                self._ask(now)
            else:
                self._child.signal(signal.SIGKILL)

    def _ask(self, now: float) -> None:
        self._asked.append(now)
        self._child.signal(signal.SIGINT)


_MOST_ASKED = 2


def plain(text: str) -> str:
    """Return a message of the engine without its colours."""
    return _COLOURS.sub("", text).strip()


def no_such_stack(ended: Ended) -> bool:
    """Tell whether a command failed because there is no such stack."""
    return bool(ended.status) and "no stack named" in ended.output


def locked(ended: Ended) -> bool:
    """Tell whether a command failed because another one holds the stack, or was killed."""
    words = ("currently locked by", "conflict: Another update is currently in progress")
    return bool(ended.status) and any(w in ended.output for w in words)


def check(ended: Ended, what: str, mask: Callable[[str], str]) -> None:
    """Raise what a command's failure means.

    Raises:
        StackBusyError: The stack is locked.
        EngineError: Anything else.
    """
    if not ended.status:
        return
    if locked(ended):
        raise StackBusyError("the stack is locked by an operation that was cut off; recover it")
    raise EngineError(f"{what} failed: {mask(reason(ended))}")


def reason(ended: Ended) -> str:
    """Return why a command failed, in the CLI's words, short."""
    if ended.status < 0:
        return f"the Pulumi CLI was ended by {signal.Signals(-ended.status).name}"
    lines = [plain(line) for line in ended.output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return "\n".join(errors[-5:] or lines[-8:])[:4000]
