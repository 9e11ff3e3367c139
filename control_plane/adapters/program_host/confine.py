"""Takes away from a process what a blueprint's program has no business with.

Three layers, each of which stands alone: resource limits (POSIX), system calls (seccomp,
https://docs.kernel.org/userspace-api/seccomp_filter.html) and files and network (Landlock,
https://docs.kernel.org/userspace-api/landlock.html). None needs privileges. All are inherited and
cannot be lifted again.
"""

import contextlib
import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2


def _prctl(option: int, *arguments: int) -> None:
    longs = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *longs):
        raise OSError(ctypes.get_errno(), "prctl")


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that none gets away."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of the POSIX kind for one program."""

    memory_bytes: int
    cpu_seconds: int
    file_bytes: int = 64 * 1024 * 1024
    open_files: int = 128

    def apply(self) -> None:
        """Set them on this process; they cannot be raised again."""
        wanted = {
            resource.RLIMIT_AS: self.memory_bytes,
            resource.RLIMIT_DATA: self.memory_bytes,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_NOFILE: self.open_files,
            resource.RLIMIT_CORE: 0,
        }
        for which, value in wanted.items():
            resource.setrlimit(which, (value, value))
        # One second between SIGXCPU, which a program may catch, and SIGKILL.
        resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_seconds, self.cpu_seconds + 1))


# ---------------------------------------------------------------------------------------- seccomp

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_DENIED = {
    "x86_64": {
        *(41, 57, 58, 59, 322, 101, 62, 310, 311, 272, 308, 165, 321, 298),
        *(248, 249, 250, 323, 304, 200, 161, 155, 246, 320, 175, 313, 129, 297),
        *(319, 29, 30, 64, 68, 240),
    },
    "aarch64": {
        *(198, 221, 281, 117, 129, 270, 271, 97, 268, 40, 280, 241),
        *(217, 218, 219, 282, 265, 130, 51, 41, 104, 294, 105, 273, 138, 240),
        *(279, 194, 196, 190, 186, 180),
    },
}
"""socket, fork, vfork, execve, execveat, ptrace, kill, process_vm_readv/writev, unshare, setns,
mount, bpf, perf_event_open, add_key, request_key, keyctl, userfaultfd, open_by_handle_at, tkill,
chroot, pivot_root, kexec_load, kexec_file_load, init_module, finit_module, rt_sigqueueinfo,
rt_tgsigqueueinfo; and what takes memory that no limit counts, or that outlives the process:
memfd_create, shmget, shmat, semget, msgget, mq_open."""

_DENIED_EVERYWHERE = frozenset({424, 425, 438, 440, 434, 447})
"""pidfd_send_signal, io_uring_setup (it would go around this filter), pidfd_getfd,
process_madvise, pidfd_open, memfd_secret: numbers that all architectures share."""

_CLONE = {"x86_64": 56, "aarch64": 220}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}
_TGKILL = {"x86_64": 234, "aarch64": 131}
_FCNTL = {"x86_64": 72, "aarch64": 25}
_F_SETOWN, _F_SETOWN_EX = 8, 15
_CLONE3 = 435
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_REFUSE = 0x00050000
_LOAD, _EQUAL, _ABOVE, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _when(number: int, *then: bytes) -> list[bytes]:
    """Run instructions for one system call; they must end in a return."""
    return [_op(_LOAD, _NUMBER), _op(_EQUAL, number, 0, len(then)), *then]


def _refuse(code: int = errno.EPERM) -> bytes:
    return _op(_RETURN, _REFUSE | code)


def _filter(machine: str) -> bytes:
    own = os.getpid()
    allow = _op(_RETURN, _ALLOW)
    code = [
        _op(_LOAD, _ARCHITECTURE),
        _op(_EQUAL, _AUDIT_ARCH[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
        _op(_ABOVE, _X32, 0, 1),
        _refuse(),
    ]
    for number in sorted(_DENIED[machine] | _DENIED_EVERYWHERE):
        code += _when(number, _refuse())
    # Threads are fine, processes are not. glibc falls back to clone when clone3 is missing.
    code += _when(_CLONE3, _refuse(errno.ENOSYS))
    code += _when(
        _CLONE[machine],
        _op(_LOAD, _ARGUMENT),
        _op(_BITS, _CLONE_THREAD, 1, 0),
        _refuse(),
        allow,
    )
    # Only its own threads may be signalled, and only its own limits be read.
    code += _when(_TGKILL[machine], _op(_LOAD, _ARGUMENT), _op(_EQUAL, own, 1, 0), _refuse(), allow)
    code += _when(_PRLIMIT[machine], _op(_LOAD, _ARGUMENT), _op(_EQUAL, 0, 1, 0), _refuse(), allow)
    # The owner of a file is sent a signal of the program's choice when the file is ready.
    code += _when(
        _FCNTL[machine],
        _op(_LOAD, _SECOND_ARGUMENT),
        _op(_EQUAL, _F_SETOWN, 1, 0),
        _op(_EQUAL, _F_SETOWN_EX, 0, 1),
        _refuse(),
        allow,
    )
    return b"".join([*code, allow])


def forbid_system_calls() -> bool:
    """Refuse processes, sockets, tracing and signals to others; False where it cannot be had."""
    machine = platform.machine()
    if machine not in _AUDIT_ARCH:
        return False
    code = _filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    try:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))
    except OSError:
        return False
    return True


# --------------------------------------------------------------------------------------- landlock

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FOLDER, _REMOVE_FILE, _MAKE_FOLDER, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_FOLDER
_WRITE = (
    _WRITE_FILE
    | _READ_FILE
    | _READ_FOLDER
    | _REMOVE_FOLDER
    | _REMOVE_FILE
    | _MAKE_FOLDER
    | _MAKE_FILE
    | _TRUNCATE
)
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_FS_LATEST = 16
_ABI_NETWORK, _ABI_SCOPE = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def landlock_version() -> int:
    """Return the version of Landlock that the kernel speaks, 0 when none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not path.is_dir():
                rights &= _FILE_RIGHTS
            rule = _Beneath(rights, folder)
            _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(folder)


def hide_files(readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Leave only these files and folders, and no TCP; False where the kernel cannot."""
    version = landlock_version()
    if not version:
        return False
    everything = (1 << _FS_RIGHTS.get(version, _FS_LATEST)) - 1
    wanted = _Ruleset(
        everything,
        0b11 if version >= _ABI_NETWORK else 0,
        0b11 if version >= _ABI_SCOPE else 0,
    )
    size = 24 if version >= _ABI_SCOPE else 16 if version >= _ABI_NETWORK else 8
    ruleset = _libc.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _allow(ruleset, path, _READ & everything)
        for path in writable:
            _allow(ruleset, path, _WRITE & everything)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        return int(_libc.syscall(_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


# ----------------------------------------------------------------------------------------- rights


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Give up what being root means beyond the name; nothing for anybody else."""
    header = _CapHeader(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _libc.capset(ctypes.byref(header), ctypes.byref(nothing))


def become_nobody(uid: int, home: Path, needed: Iterable[Path]) -> bool:
    """Take another user's id when root; False when not root or when files would go out of reach.

    Args:
        uid: The id to take; one that nobody else has.
        home: A folder that the new user gets as its own.
        needed: Files and folders that must stay readable, for example Python's own.
    """
    if os.geteuid() != 0 or not all(map(_open_to_all, needed)):
        return False
    try:
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:
        return False
    return True


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    if not path.exists():
        return True
    wanted = 0o5 if path.is_dir() else 0o4
    own = path.stat().st_mode & wanted == wanted
    return own and all(p.stat().st_mode & 0o1 for p in path.parents)
