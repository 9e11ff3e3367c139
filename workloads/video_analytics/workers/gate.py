"""Where a decoder may connect to: each connection of FFmpeg is looked at by address, by the kernel.

FFmpeg follows redirects of HTTP and of RTSP, opens what playlists name, and resolves names itself;
none of it asks us. So the process hands every ``connect`` to a thread of its own (seccomp's user
notification, Linux 5.5, https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html), which sees
the very address that is about to be connected to: nothing lies between the check and the
connection, whatever a name led to a moment before. The calling thread waits meanwhile, inside of
the system call, so it cannot change what was looked at.

It holds FFmpeg to what cameras may reach. It is no jail for code that has taken over the process:
that would need the network's own policy.
"""

import contextlib
import ctypes
import errno
import fcntl
import ipaddress
import logging
import os
import platform
import socket
import struct
import threading
from typing import NamedTuple

from foundation.kernel.addresses import Address
from workloads.video_analytics.cameras.reach import Reach

_log = logging.getLogger("borough.video.decoder")


class _Machine(NamedTuple):
    """Numbers of a processor: its name in audits, and two system calls."""

    audit: int
    seccomp: int
    connect: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 317, 42),
    "aarch64": _Machine(0xC00000B7, 277, 203),
}
# linux/prctl.h, linux/seccomp.h, linux/filter.h
_NO_NEW_PRIVS = 38
_MODE_FILTER = 1
_ALL_THREADS, _NEW_LISTENER, _NO_THREAD_ID = 1, 8, 16
_LOAD, _EQUALS, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ASK, _REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.EPERM
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_ASKED = struct.Struct("<QIIiIQ6Q")
_ANSWER = struct.Struct("<QqiI")
_STEP = struct.Struct("<HBBI")
_LONGEST = 128


class Gate:
    """Lets the threads of this process connect where their camera may lead them.

    A thread that was not let in anywhere connects nowhere. Sockets of datagrams are passed over:
    names are resolved with them, and FFmpeg opens none (``sources``).
    """

    def __init__(self) -> None:
        self.holds = False
        self._reaches: dict[int, Reach] = {}
        self._refused: set[int] = set()

    def install(self) -> bool:
        """Hold this process from now on; False where the kernel does not know how to."""
        machine = _MACHINES.get(platform.machine())
        if machine is None or self.holds:
            return self.holds
        libc = ctypes.CDLL(None, use_errno=True)
        steps = b"".join((
            _STEP.pack(_LOAD, 0, 0, 4), _STEP.pack(_EQUALS, 1, 0, machine.audit),
            _STEP.pack(_RETURN, 0, 0, _REFUSE),
            _STEP.pack(_LOAD, 0, 0, 0), _STEP.pack(_EQUALS, 0, 1, machine.connect),
            _STEP.pack(_RETURN, 0, 0, _ASK), _STEP.pack(_RETURN, 0, 0, _ALLOW),
        ))  # fmt: skip
        buffer = ctypes.create_string_buffer(steps, len(steps))
        program = struct.pack("<HxxxxxxQ", len(steps) // _STEP.size, ctypes.addressof(buffer))
        if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            return False
        flags = _ALL_THREADS | _NEW_LISTENER | _NO_THREAD_ID
        handle = libc.syscall(
            machine.seccomp, _MODE_FILTER, flags, ctypes.create_string_buffer(program, len(program))
        )
        if handle < 0:
            return False
        os.set_inheritable(handle, False)
        self.holds = True
        threading.Thread(target=self._answer, args=(handle,), name="gate", daemon=True).start()
        return True

    def let(self, reach: Reach | None) -> None:
        """Let the calling thread connect to these places, or nowhere."""
        thread = threading.get_native_id()
        self._refused.discard(thread)
        if reach is None:
            self._reaches.pop(thread, None)
        else:
            self._reaches[thread] = reach

    def refused(self) -> bool:
        """Whether the calling thread was refused a connection since it last asked."""
        thread = threading.get_native_id()
        there = thread in self._refused
        self._refused.discard(thread)
        return there

    # The thread of the gate ---------------------------------------------------------------------

    def _answer(self, handle: int) -> None:
        with open("/proc/self/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - no file to speak of
            while True:
                asked = bytearray(_ASKED.size)
                try:
                    fcntl.ioctl(handle, _RECEIVE, asked, True)
                except OSError as error:
                    if error.errno in {errno.EINTR, errno.ENOENT}:
                        continue  # who asked is gone
                    raise
                number, thread, *_, given, at, length, _, _, _ = _ASKED.unpack(asked)
                try:
                    allowed = self._allows(thread, int(given), memory.fileno(), at, length)
                except Exception:  # noqa: BLE001 - what cannot be judged is refused
                    allowed = False
                if not allowed:
                    self._refused.add(thread)
                answer = (number, 0, 0, _CONTINUE) if allowed else (number, 0, -errno.EACCES, 0)
                with contextlib.suppress(OSError):
                    fcntl.ioctl(handle, _SEND, bytearray(_ANSWER.pack(*answer)), True)

    def _allows(self, thread: int, given: int, memory: int, at: int, length: int) -> bool:
        with socket.socket(fileno=os.dup(given)) as there:
            if there.family == socket.AF_UNIX or there.type & 0xF == socket.SOCK_DGRAM:
                return True
        target = _target(os.pread(memory, min(length, _LONGEST), at))
        reach = self._reaches.get(thread)
        return target is not None and reach is not None and reach.allows(*target)


def _target(raw: bytes) -> tuple[Address, int] | None:
    """Address and port of a ``sockaddr``; None for other families."""
    (family,) = struct.unpack_from("=H", raw)
    if family == socket.AF_INET:
        port, number = struct.unpack_from("!H4s", raw, 2)
        return ipaddress.IPv4Address(number), port
    if family == socket.AF_INET6:
        port, number = struct.unpack_from("!H4x16s", raw, 2)
        return ipaddress.IPv6Address(number), port
    return None


GATE = Gate()
