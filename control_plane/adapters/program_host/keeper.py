"""The fork server, and the keepers that it forks: one small trusted process per child.

A keeper watches its child and its control socket. When the socket is closed (the operation is
over, or the parent died) it ends the child and whatever that left, and removes its folder. So no
child outlives its operation, and none depends on a thread of the parent.

This module runs in a process of its own: ``python -c "…; main(fd)"`` with an empty environment.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from control_plane.adapters.program_host import confine, program, wire
from foundation.kernel.scratch import Scratch

#: Modules that most programs use, imported before any fork.
WARM = (
    "pulumi",
    "pulumi.runtime.stack",
    *(
        f"pulumi_openstack.{m}"
        for m in ("identity", "compute", "networking", "blockstorage", "loadbalancer")
    ),
    *(
        f"pulumi_kubernetes.{m}"
        for m in (
            *("core.v1", "apps.v1", "networking.v1", "rbac.v1", "policy.v1"),
            *("autoscaling.v2", "batch.v1", "meta.v1"),
        )
    ),
)

_MESSAGE = 1 << 18
_BLOCK = 512  # of st_blocks
_GRACE_SECONDS = 10.0
_PROGRAM_BYTES = 32 * 1024 * 1024
#: What a program may have on the disk at once; looked at so often, in milliseconds.
_DISK_BYTES = 256 * 1024 * 1024
_DISK_FILES = 10_000
_DISK_TICK = 200
_PROGRAM_UIDS = (0x60000000, 0x0FFFFFFF)


def main(control_fd: int) -> None:
    """Serve until the parent closes its end."""
    control = socket.socket(fileno=control_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _warm_up()
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(Scratch("borough-programs-")).path
        # Others may pass through to their own folder, and not list.
        root.chmod(0o711)
        control.send(b"ready")
        while True:
            request, handles = _receive(control)
            _reap()
            if request is None:
                break
            if os.fork() == 0:
                stack.pop_all()
                control.close()
                _keep(request, handles, root)
            for handle in handles:
                os.close(handle)
        _wait_for_keepers()


def _warm_up() -> None:
    for name in WARM:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            # The Kubernetes SDK loads its classes on first use.
            for attribute in getattr(module, "__all__", ()) or ():
                getattr(module, attribute, None)
    gc.collect()
    gc.freeze()


def _receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    handles = array.array("i")
    data, extra, _, _ = control.recvmsg(_MESSAGE, socket.CMSG_SPACE(3 * handles.itemsize))
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            handles.frombytes(content[: len(content) - len(content) % handles.itemsize])
    return (json.loads(data) if data else None), list(handles)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _wait_for_keepers() -> None:
    deadline = time.monotonic() + _GRACE_SECONDS
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.01)


def _keep(request: dict[str, Any], handles: list[int], root: Path) -> NoReturn:
    """Be a keeper: fork the child, watch it, end it, clean up."""
    control_fd, channel, output = handles
    status = 1
    try:
        confine.die_with_parent()
        confine.adopt_orphans()
        home = Path(tempfile.mkdtemp(dir=root))
        uid = _PROGRAM_UIDS[0] + secrets.randbelow(_PROGRAM_UIDS[1])
        try:
            if "program" in request:
                _copy_program(Path(request["program"]), home)
            child = os.fork()
            if child == 0:
                os.close(control_fd)
                _be_child(request, channel, output, home, uid)
            os.close(channel)
            os.close(output)
            with socket.socket(fileno=control_fd) as control:
                _watch(control, child, home, bounded="program" in request)
        finally:
            shutil.rmtree(home, ignore_errors=True)
        status = 0
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(control_fd, wire.pack({"failed": str(error)}))
    os._exit(status)


def _copy_program(source: Path, home: Path) -> None:
    """Give the program its own copy: it cannot change the original, whoever it runs as."""
    size = sum(p.stat().st_size for p in source.rglob("*") if p.is_file())
    if size > _PROGRAM_BYTES:
        raise OSError(f"the blueprint holds {size} bytes, more than {_PROGRAM_BYTES}")
    shutil.copytree(source, home / "program", ignore=shutil.ignore_patterns("__pycache__"))


def _watch(control: socket.socket, child: int, home: Path, *, bounded: bool) -> None:
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    poll.register(control, select.POLLIN)
    reader = wire.Reader()
    running, full = True, False
    while running and not full:
        for which, _ in poll.poll(_DISK_TICK if bounded else None):
            if which == handle or not _obey(control, reader, child):
                running = False
        full = bounded and not _has_room(child, home / "tmp")
    _end(control, child, home, full=full)


def _has_room(child: int, folder: Path) -> bool:
    """Tell whether a program has no more on the disk than it may, also in files without a name."""
    used, files = 0, 0
    for found in _sizes(child, folder):
        used, files = used + found, files + 1
        if used > _DISK_BYTES or files > _DISK_FILES:
            return False
    return True


def _sizes(child: int, folder: Path) -> Iterator[int]:
    """Yield how many bytes each file and folder takes."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False).st_blocks * _BLOCK
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
    seen: set[int] = set()
    with contextlib.suppress(OSError):
        for handle in os.scandir(f"/proc/{child}/fd"):
            with contextlib.suppress(OSError):
                found = handle.stat()
                if stat.S_ISREG(found.st_mode) and not found.st_nlink and found.st_ino not in seen:
                    seen.add(found.st_ino)
                    yield found.st_blocks * _BLOCK


def _obey(control: socket.socket, reader: wire.Reader, child: int) -> bool:
    """Carry out what the parent asks; False when it is gone or done."""
    try:
        data = control.recv(4096)
    except OSError:
        return False
    for header, _ in reader.feed(data):
        if "signal" in header:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, header["signal"])
    return bool(data)


def _end(control: socket.socket, child: int, home: Path, *, full: bool) -> None:
    """Kill the child, unless it has ended, and all that it left: then report."""
    exited, status, usage = os.wait4(child, os.WNOHANG)
    _kill(child, group=True)
    if not exited:
        _, status, usage = os.wait4(child, 0)
    _kill_descendants()
    shutil.rmtree(home, ignore_errors=True)
    report = {
        "status": status,
        "peak_kb": usage.ru_maxrss,
        "cpu": usage.ru_utime + usage.ru_stime,
        "full": full,
    }
    with contextlib.suppress(OSError):
        control.sendall(wire.pack(report))


def _kill(pid: int, *, group: bool = False) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)


def _kill_descendants() -> None:
    """Orphans come to the keeper (subreaper); kill until none is left."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # mostly there is none, and no need to look at every process
        while True:
            for pid in _children():
                _kill(pid)
            os.waitpid(-1, 0)


def _children() -> list[int]:
    own = os.getpid()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == own:
                    found.append(int(entry.name))
    return found


def _be_child(request: dict[str, Any], channel: int, output: int, home: Path, uid: int) -> NoReturn:
    status = 70
    try:
        os.setsid()
        confine.die_with_parent()
        # The handles are above 2, where the server's own were; the channel's place comes last.
        for number, handle in enumerate((os.open(os.devnull, os.O_RDWR), output, output, channel)):
            os.dup2(handle, number)
        os.closerange(4, 1 << 16)
        if "command" in request:
            os.close(3)
            os.chdir(request["folder"])
            os.execve(  # noqa: S606 - no shell is wanted
                request["command"][0], request["command"], request["environment"]
            )
        _confine_program(request, home, uid)
        program.main(socket.socket(fileno=3), home / "program")
        status = 0
    except BaseException as error:  # noqa: BLE001 - the last words before the process ends
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(status)


def _confine_program(request: dict[str, Any], home: Path, uid: int) -> None:
    private = home / "tmp"
    private.mkdir()
    python = _python_paths()
    os.environ.clear()
    os.environ.update(
        HOME=str(private),
        TMPDIR=str(private),
        PATH="/usr/bin:/bin",
        LANG="C.UTF-8",
        PYTHONDONTWRITEBYTECODE="1",
    )
    tempfile.tempdir = None
    sys.dont_write_bytecode = True
    nobody = confine.become_nobody(uid, home, python)
    if not nobody:
        confine.drop_capabilities()
    # A change of user clears it.
    confine.die_with_parent()
    devices = [Path("/dev") / n for n in ("null", "zero", "urandom", "random")]
    readable = [*python, *devices, home / "program", Path(f"/proc/{os.getpid()}")]
    files = confine.hide_files(readable, [private, Path("/dev/null")])
    os.chdir(home / "program")
    confine.Bounds(**request["bounds"]).apply()
    calls = confine.forbid_system_calls()
    program.ISOLATION = {"user": nobody, "files": files, "system_calls": calls}


def _python_paths() -> list[Path]:
    """Python's own files: the standard library, the installed packages, shared libraries."""
    roots = {Path(p).resolve() for p in (sys.prefix, sys.base_prefix)}
    inside = [
        Path(p).resolve()
        for p in sys.path
        if p and any(Path(p).resolve().is_relative_to(r) for r in roots)
    ]
    libraries = [Path(p) for p in ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/localtime")]
    shared = [Path("/usr/share/zoneinfo"), Path("/usr/local/lib")]
    return [p for p in (*inside, *libraries, *shared) if p.exists()]


def bounds(memory_bytes: int, cpu_seconds: int) -> dict[str, int]:
    """Return the form in which limits travel to the fork server."""
    return asdict(confine.Bounds(memory_bytes, cpu_seconds))
