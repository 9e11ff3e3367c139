"""The parent's side: starts programs and commands through a fork server."""

import array
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host import keeper
from control_plane.adapters.program_host.child import Child
from control_plane.adapters.program_host.session import Session
from control_plane.provisioning.ports import EngineError, Limits

_START_SECONDS = 120.0
_SEND_SECONDS = 20
_END_SECONDS = 15.0


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
