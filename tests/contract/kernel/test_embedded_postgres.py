import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from foundation.kernel.errors import Unavailable
from foundation.kernel.scratch import Scratch

HOLD = """
import sys, time
from pathlib import Path
from foundation.adapters.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False).start()
print("up", flush=True)
sys.stdin.readline()
server.stop()
"""


def postmaster(folder: Path) -> psutil.Process | None:
    pid_file = folder / "data" / "postmaster.pid"
    if not pid_file.exists():
        return None
    return psutil.Process(int(pid_file.read_text().split()[0]))


def ended(process: psutil.Process) -> bool:
    """Whether it is gone; a machine whose init reaps nothing shows it as a zombie."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's: the next run closes its folders again, and PostgreSQL is another user."""
    with Scratch("borough-pg-") as scratch:
        yield scratch.path / "postgres"


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_it_is_the_newest_postgresql(database: Database) -> None:
    with database.transaction():
        version = database.execute(sa.text("SHOW server_version_num")).scalar_one()
    assert int(version) >= 180000


def test_two_users_share_a_server_and_the_last_one_stops_it(folder: Path) -> None:
    with holder(folder) as first, holder(folder) as second:
        server = postmaster(folder)
        assert server is not None
        first.communicate("\n", timeout=30)
        assert server.is_running()
        second.communicate("\n", timeout=30)
    assert ended(server)
    assert postmaster(folder) is None


def test_a_killed_user_is_forgotten(folder: Path) -> None:
    with holder(folder) as first, holder(folder) as second:
        server = postmaster(folder)
        assert server is not None
        first.kill()
        first.wait()
        second.communicate("\n", timeout=30)
    assert ended(server)


def test_a_server_whose_users_were_all_killed_ends(folder: Path) -> None:
    with holder(folder) as first, holder(folder) as second:
        server = postmaster(folder)
        assert server is not None
        for user in (first, second):
            user.kill()
    deadline = time.monotonic() + 30
    while not ended(server):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert postmaster(folder) is None
    with EmbeddedPostgres(folder, durable=False):
        assert postmaster(folder) is not None


def test_it_starts_again_after_it_was_killed(folder: Path) -> None:
    with EmbeddedPostgres(folder) as kept:
        with psycopg.connect(kept.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        server = postmaster(folder)
        assert server is not None
        server.kill()
        server.wait()
        with EmbeddedPostgres(folder) as again:
            with psycopg.connect(again.url().replace("+psycopg", "")) as connection:
                row = connection.execute("SELECT n FROM kept").fetchone()
            assert row == (7,)


def test_a_socket_folder_that_somebody_else_made_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "socket").symlink_to(tmp_path)
    with pytest.raises(Unavailable, match="belongs to somebody else"):
        EmbeddedPostgres(folder, durable=False).start()


def _try_as_nobody(path: Path) -> int:
    try:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
    except PermissionError:
        return 0
    except BaseException:  # noqa: BLE001 - a forked child may not go on in pytest
        return 2
    return 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user of the machine to try")
# Newer Pythons warn of a fork beside threads; the child here calls the kernel and ends.
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_another_user_of_the_machine_gets_no_connection(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False):
        child = os.fork()
        if child == 0:
            os._exit(_try_as_nobody(folder / "socket" / ".s.PGSQL.5432"))
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
