"""The parent's side: starts programs and commands, speaks to them, and bounds them."""

import array
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host import keeper, wire
from control_plane.provisioning.ports import Cancellation, EngineError, Limits, ProgramError

_START_SECONDS = 120.0
_SEND_SECONDS = 20
_TICK_MS = 100
_END_SECONDS = 15.0
_MOST_OUTPUT = 64 * 1024 * 1024
_SIGNALS = {
    signal.SIGXCPU: "it used more processor time than it may",
    signal.SIGKILL: "it was killed: it used more processor time or memory than there is",
    signal.SIGXFSZ: "it wrote a larger file than it may",
    signal.SIGSYS: "it made a system call that programs may not make",
}


@dataclass(slots=True)
class Report:
    """How a child ended.

    Attributes:
        status: Exit status; negative is the signal that ended it. None when nobody knows.
        peak_kb: Most memory that it held.
        cpu_seconds: Processor time it used.
        isolation: What confined it; empty for commands.
    """

    status: int | None = None
    peak_kb: int = 0
    cpu_seconds: float = 0.0
    isolation: dict[str, bool] = field(default_factory=dict)


class Child:
    """A child under its keeper; closing it ends it and all that it left."""

    def __init__(self, control: socket.socket, output: int) -> None:
        self.control = control
        self.output = output
        self.report = Report()
        self._reader = wire.Reader()
        self._ended = False

    def signal(self, number: int) -> None:
        """Send a signal to the child, unless it has ended."""
        try:
            self.control.sendall(wire.pack({"signal": number}))
        except OSError:
            self._ended = True

    def poll(self) -> bool:
        """Read what the keeper says, without waiting; True once the child has ended."""
        self._listen(0.0)
        return self._ended

    def wait(self, seconds: float) -> bool:
        """Wait until the child has ended; False when it has not in that time."""
        deadline = time.monotonic() + seconds
        while not self._ended and (left := deadline - time.monotonic()) > 0:
            self._listen(left)
        return self._ended

    def _listen(self, seconds: float) -> None:
        if self._ended or not select.select([self.control], [], [], seconds)[0]:
            return
        try:
            data = self.control.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._ended = True
        for header, _ in self._reader.feed(data):
            if "failed" in header:
                raise EngineError(f"a child could not be started: {header['failed']}")
            self.report.status = os.waitstatus_to_exitcode(header["status"])
            self.report.peak_kb = header["peak_kb"]
            self.report.cpu_seconds = header["cpu"]
            self._ended = True

    def close(self) -> Report:
        """End the child and everything it left; return how it ended."""
        try:
            self.control.shutdown(socket.SHUT_WR)
            self.wait(_END_SECONDS)
        except OSError:
            pass
        finally:
            self.control.close()
            if self.output >= 0:
                os.close(self.output)
                self.output = -1
        return self.report


class Call:
    """One call of a program; it waits until somebody answers, from any thread."""

    def __init__(self, session: "Session", number: int, method: str, body: bytes) -> None:
        self.method = method
        self.body = body
        self._session = session
        self._number = number

    def request(self) -> dict[str, Any]:
        """Return the body of a call in the ``json`` form.

        Raises:
            ProgramError: It is not a JSON object.
        """
        try:
            request = json.loads(self.body)
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            raise ProgramError("the blueprint's program spoke nonsense on its channel")
        return request

    def answer(self, body: bytes | Mapping[str, Any]) -> None:
        """Answer with a message or with JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._session.send({"id": self._number}, data)

    def refuse(self, message: str, status: str = "UNKNOWN") -> None:
        """Answer with an error, which the program meets as an exception."""
        self._session.send({"id": self._number, "error": message, "status": status})


OnCall = Callable[[Call], None]
OnLog = Callable[[int, str, str], None]


class Session:
    """A running program."""

    def __init__(self, child: Child, channel: socket.socket, limits: Limits) -> None:
        self._child = child
        self._channel = channel
        self._limits = limits
        self._lock = threading.Lock()
        self._reader = wire.Reader()
        self._printed = bytearray()
        self._printed_bytes = 0
        self._outstanding = 0
        self._ended: str | None = None

    @property
    def printed(self) -> str:
        """The end of what the program printed."""
        return self._printed.decode(errors="replace")

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a frame; a program that has ended does not mind."""
        with self._lock:
            if "run" not in header:
                self._outstanding -= 1
            try:
                self._channel.sendall(wire.pack(header, body))
            except OSError:
                self._ended = self._ended or ""

    def serve(
        self,
        on_call: OnCall,
        *,
        on_log: OnLog | None = None,
        cancel: Cancellation | None = None,
    ) -> None:
        """Carry the program's calls until it has ended well.

        Raises:
            ProgramError: It ended in any other way, or ``cancel`` was set.
        """
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._child.output, select.POLLIN)
        own = 0.0
        last = time.monotonic()
        while self._ended is None:
            for which, _ in poll.poll(_TICK_MS):
                if which == self._child.output:
                    self._read_output(poll)
                elif not self._read_channel(on_call, on_log or _ignore):
                    self._fail(self._cause_of_death())
            now = time.monotonic()
            own, last = own + (now - last if self._outstanding <= 0 else 0.0), now
            if own > self._limits.seconds and self._ended is None:
                self._fail(f"it took longer than {self._limits.seconds:g} s")
            if cancel is not None and cancel.is_set():
                self._fail("it was cancelled")
        if self._ended:
            self._fail(self._ended)

    def _read_output(self, poll: select.poll) -> None:
        data = os.read(self._child.output, 1 << 16)
        if not data:
            poll.unregister(self._child.output)
            return
        self._printed_bytes += len(data)
        self._printed += data
        del self._printed[: -self._limits.output_bytes]
        if self._printed_bytes > _MOST_OUTPUT:
            self._fail(f"it printed more than {_MOST_OUTPUT >> 20} MiB")

    def _read_channel(self, on_call: OnCall, on_log: OnLog) -> bool:
        try:
            data = self._channel.recv(1 << 16)
        except OSError:
            data = b""
        try:
            for header, body in self._reader.feed(data):
                self._take(header, body, on_call, on_log)
        except wire.WireError as error:
            self._fail(f"it spoke nonsense on its channel: {error}")
        return bool(data)

    def _take(self, header: dict[str, Any], body: bytes, on_call: OnCall, on_log: OnLog) -> None:
        match header:
            case {"call": str(method), "id": int(number)}:
                with self._lock:
                    self._outstanding += 1
                on_call(Call(self, number, method, body))
            case {"log": int(severity), "message": str(message)}:
                on_log(severity, message, str(header.get("urn", "")))
            case {"ended": "well"}:
                self._ended = ""
            case {"ended": "error", "message": str(message)}:
                self._ended = message
            case {"isolation": dict(isolation)}:
                self._child.report.isolation = {str(k): bool(v) for k, v in isolation.items()}
            case _:
                self._fail("it spoke nonsense on its channel: an unknown frame")

    def _cause_of_death(self) -> str:
        if not self._child.wait(2.0):
            return "it closed its channel before it was finished"
        status = self._child.report.status
        if status is None:
            return "it ended before it was finished"
        if status < 0:
            name = signal.Signals(-status)
            return _SIGNALS.get(name, f"it was ended by {name.name}")
        return f"it exited with status {status} before it was finished"

    def _fail(self, why: str) -> None:
        raise ProgramError(f"The blueprint's program failed: {why}", output=self.printed)

    def abort(self) -> None:
        """Let ``serve``, in another thread, end as soon as it can."""
        self._ended = self._ended or "its operation was ended"

    def close(self) -> Report:
        """End the program, if it has not ended, and everything it left."""
        report = self._child.close()
        self._channel.close()
        return report


def _ignore(_severity: int, _message: str, _urn: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Order:
    """What a program is told when it starts.

    Attributes:
        folder: The blueprint's content.
        project, stack: Names for its URNs.
        config: Configuration, full keys (``project:name``) and JSON texts.
        secret_keys: Which of them are secrets.
        form: ``json`` or ``raw``; see :mod:`~control_plane.adapters.program_host.program`.
        dry_run: True while nothing is really made.
        mask_key: When given, secrets are masked by it before they leave the program (``json``).
    """

    folder: Path
    project: str
    stack: str
    config: Mapping[str, str]
    secret_keys: tuple[str, ...]
    form: str = "json"
    dry_run: bool = True
    mask_key: bytes | None = None

    def document(self) -> dict[str, Any]:
        """Return its JSON."""
        return {
            "project": self.project,
            "stack": self.stack,
            "config": dict(self.config),
            "secret_keys": list(self.secret_keys),
            "form": self.form,
            "dry_run": self.dry_run,
            "mask_key": self.mask_key.hex() if self.mask_key else "",
        }


class ProgramHost:
    """Starts children through a fork server of its own, which starts on first use.

    One per process; safe to use from many threads. Make it after the process has forked, if it
    does (gunicorn's workers).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the fork server and wait until it is warm (about 2 s), unless it runs."""
        with self._lock:
            self._ensure()

    def close(self) -> None:
        """End the fork server and all its children."""
        with self._lock:
            self._stop()

    def isolation(self) -> dict[str, bool]:
        """Return which layers confine programs on this machine."""
        folder = Path(__file__).parent / "probe"
        order = Order(folder, "probe", "probe", {}, ())
        session = self.program(order, Limits(seconds=20))
        try:
            session.serve(lambda call: call.answer({"urn": "urn:pulumi:probe"}))
        finally:
            report = session.close()
        return report.isolation

    def program(self, order: Order, limits: Limits) -> Session:
        """Start a program.

        Raises:
            EngineError: It cannot be started.
        """
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _SEND_SECONDS, 0))
        request = {
            "program": str(order.folder.resolve()),
            "bounds": keeper.bounds(limits.memory_bytes, limits.cpu_seconds),
        }
        child = self._spawn(request, theirs)
        session = Session(child, ours, limits)
        session.send({"run": order.document()})
        return session

    def command(self, command: list[str], *, folder: Path, environment: Mapping[str, str]) -> Child:
        """Start a trusted command with exactly this environment; it is not confined.

        Its output, both streams, comes through ``Child.output``.

        Raises:
            EngineError: It cannot be started.
        """
        request = {
            "command": command,
            "folder": str(folder),
            "environment": dict(environment),
        }
        ours, theirs = socket.socketpair()
        ours.close()
        return self._spawn(request, theirs)

    def _spawn(self, request: dict[str, Any], channel: socket.socket) -> Child:
        control, their_control = socket.socketpair()
        output, their_output = os.pipe()
        handles = array.array("i", [their_control.fileno(), channel.fileno(), their_output])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)]
        message = json.dumps(request).encode()
        try:
            with self._lock:
                try:
                    self._ensure().sendmsg([message], ancillary)
                except (BrokenPipeError, ConnectionResetError):
                    # It died (out of memory, say); the next one serves as well.
                    self._stop()
                    self._ensure().sendmsg([message], ancillary)
        except OSError as error:
            control.close()
            os.close(output)
            raise EngineError(f"a child could not be started: {error}") from error
        finally:
            their_control.close()
            channel.close()
            os.close(their_output)
        return Child(control, output)

    def _ensure(self) -> socket.socket:
        if self._server and self._control and self._server.poll() is None:
            return self._control
        self._stop()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        root = str(Path(__file__).resolve().parents[3])
        code = (
            f"import sys; sys.path.append({root!r}); "
            "from control_plane.adapters.program_host.keeper import main; "
            f"main({theirs.fileno()})"
        )
        self._server = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-I", "-c", code],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            start_new_session=True,
        )
        theirs.close()
        ours.settimeout(_START_SECONDS)
        try:
            ready = ours.recv(16)
        except OSError:
            ready = b""
        self._control = ours
        if ready != b"ready":
            self._stop()
            raise EngineError("the fork server for programs did not start")
        ours.settimeout(_SEND_SECONDS)
        return ours

    def _stop(self) -> None:
        if self._control:
            self._control.close()
            self._control = None
        if self._server:
            try:
                self._server.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None
