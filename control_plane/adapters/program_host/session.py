"""A running program, from the parent's side: its calls, its printing, its limits."""

import json
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from control_plane.adapters.program_host import wire
from control_plane.adapters.program_host.child import Child, Report
from control_plane.provisioning.ports import Cancellation, Limits, ProgramError

_TICK_MS = 100
_MOST_OUTPUT = 64 * 1024 * 1024
_SIGNALS = {
    signal.SIGXCPU: "it used more processor time than it may",
    signal.SIGKILL: "it was killed: it used more processor time or memory than there is",
    signal.SIGXFSZ: "it wrote a larger file than it may",
    signal.SIGSYS: "it made a system call that programs may not make",
}


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
        if self._child.report.full:
            return "it wrote more onto the disk than it may"
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
