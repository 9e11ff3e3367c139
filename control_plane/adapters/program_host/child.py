"""A child under its keeper, from the parent's side."""

import os
import select
import socket
import time
from dataclasses import dataclass, field

from control_plane.adapters.program_host import wire
from control_plane.provisioning.ports import EngineError

_END_SECONDS = 15.0


@dataclass(slots=True)
class Report:
    """How a child ended.

    Attributes:
        status: Exit status; negative is the signal that ended it. None when nobody knows.
        peak_kb: Most memory that it held.
        cpu_seconds: Processor time it used.
        full: It was ended because it had more on the disk than it may.
        isolation: What confined it; empty for commands.
    """

    status: int | None = None
    peak_kb: int = 0
    cpu_seconds: float = 0.0
    full: bool = False
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
            self.report.full = header["full"]
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
