"""The running product: ``borough serve`` and ``borough worker`` as real processes on loopback.

The demonstration city is loaded before they start. ``product`` is one for the whole session: tests
make things of their own in it and leave what they find. ``disturbed_product`` is the same for tests
that end or kill its processes: they are as before afterwards.
"""

import atexit
import functools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from control_plane.adapters.shiftable_clock import ShiftableClock
from control_plane.bootstrap import Platform, open_platform
from control_plane.demonstration.files import load_city
from control_plane.entrypoints.demo.loader import load
from control_plane.settings import from_environment
from foundation.kernel.processes import spawn
from foundation.kernel.scratch import Scratch
from foundation.surface.cli.client import Client
from tests.conftest import memory

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 120


@dataclass
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Product:
    """A running platform.

    Attributes:
        url: where it answers.
        home: its BOROUGH_HOME.
        passwords: by login, of the demonstration's accounts.
        platform: its services in this process, on the same database.
    """

    home: Path
    passwords: Mapping[str, str]
    platform: Platform
    url: str = ""
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of its processes."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("BOROUGH_")
        }
        return {
            **kept, "PYTHONPATH": str(_ROOT), "BOROUGH_HOME": str(self.home), "BOROUGH_PORT": "0",
            "BOROUGH_HEARTBEAT_SECONDS": "1", "BOROUGH_LEASE_SECONDS": "4",
            "BOROUGH_IDENTITY_PRIVATE_HOSTS": "127.0.0.1", **more,
        }  # fmt: skip

    def log(self, name: str) -> str:
        """All that a process has said."""
        return (self.home / "logs" / f"{name}.log").read_text()

    def start(self, *names: str, **settings: str) -> None:
        """Start ``serve`` or workers (``worker``, ``worker-2``, …); wait until they are ready."""
        for name in names:
            self._processes[name] = self._spawn(name, settings)
        for name in names:
            self._wait(name)

    def _spawn(self, name: str, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
        (self.home / "logs").mkdir(parents=True, exist_ok=True)
        log: IO[bytes]
        with (self.home / "logs" / f"{name}.log").open("wb") as log:
            # They die with the tests, also when those are interrupted.
            return spawn(
                [sys.executable, "-m", "control_plane.entrypoints.cli.main", *_command(name)],
                environment=self.environment(**settings), folder=self.home, stdout=log, stderr=log,
            )  # fmt: skip

    def _wait(self, name: str) -> None:
        said = (
            r"Borough answers at (\S+)"
            if name.startswith("serve")
            else r"worker \S+ \(\S+\) is ready"
        )
        end = time.monotonic() + _START_SECONDS
        while True:
            found = re.search(said, self.log(name))
            if found:
                break
            ended = self._processes[name].poll()
            assert ended is None, f"{name} ended with {ended}\n{self.log(name)}"
            assert time.monotonic() < end, f"{name} is not ready\n{self.log(name)}"
            time.sleep(0.05)
        if name.startswith("serve"):
            self.url = found[1]

    def pid(self, name: str) -> int:
        """The process id of what runs under that name."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def end(self, name: str) -> int:
        """SIGTERM; answers the exit status."""
        process = self._processes.pop(name)
        process.terminate()
        return process.wait(60)

    def close(self) -> None:
        """End all that runs; the web process last, for it may be the one that holds PostgreSQL."""
        for name in sorted(self._processes, reverse=True):
            assert self.end(name) == 0, self.log(name)

    def restore(self, *names: str) -> None:
        """Let exactly these run."""
        for name in set(self._processes) - set(names):
            self.end(name)
        running = {name for name, process in self._processes.items() if process.poll() is None}
        self.start(*(name for name in names if name not in running))

    def token(self, login: str) -> str:
        """An API token of one of the demonstration's accounts; none of nobody's."""
        if not login:
            return ""
        if login not in self._tokens:
            body = {"login": login, "password": self.passwords[login], "name": "tests", "days": 1}
            self._tokens[login] = Client(self.url).post("/login", body)["secret"]
        return self._tokens[login]

    def api(self, login: str) -> Client:
        """A client of the API in somebody's name."""
        return Client(self.url, self.token(login))

    def cli(self, login: str, *arguments: str, stdin: str = "", timeout: float = 120) -> Ran:
        """``borough ARGUMENTS`` as a process, in somebody's name."""
        environment = self.environment(BOROUGH_URL=self.url, BOROUGH_TOKEN=self.token(login))
        environment["XDG_CONFIG_HOME"] = str(self.home / "config")
        done = subprocess.run(
            [sys.executable, "-m", "control_plane.entrypoints.cli.main", *arguments],
            input=stdin, env=environment, cwd=self.home, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout, done.stderr)


def _command(name: str) -> list[str]:
    """``worker-2`` is another worker; ``serve --with-worker`` is what it says."""
    return name.split() if " " in name else [name.partition("-")[0]]


@functools.cache
def _furnished_home() -> Path:
    """A home with the demonstration city: made once in a test process, copied for each product."""
    scratch = Scratch("borough-furnished-", memory())
    atexit.register(scratch.close)
    home = scratch.path / "home"
    with open_platform(from_environment({"BOROUGH_HOME": str(home)})) as platform:
        _load(platform)
    return home


def _load(platform: Platform) -> None:
    for _ in load(platform, load_city(), datetime.now(UTC)):  # noqa: TID251 - the product's own clock
        pass


@contextmanager
def running_product(at: datetime | None = None, **more: str) -> Iterator[Product]:
    """A platform with the demonstration city, a web process and a worker.

    Args:
        at: what time it is on the platform from the beginning; the true time without it. A region
            is collected from when it was added, as soon as there is a worker.
        more: settings of its processes.
    """
    passwords = {one.login: one.demonstration_password for one in load_city().accounts}
    with ExitStack() as stack:
        home = stack.enter_context(Scratch("borough-functional-", memory())).path / "home"
        if at is None:
            # With the owners of the files: PostgreSQL runs as a user of its own under root.
            subprocess.run(["cp", "-a", str(_furnished_home()), str(home)], check=True)
        settings = from_environment({"BOROUGH_HOME": str(home), **more})
        # Held open until the end: the embedded database outlives every process of a test.
        platform = stack.enter_context(open_platform(settings))
        product = Product(home, passwords, platform)
        if at is not None:
            assert isinstance(platform.clock, ShiftableClock)
            platform.clock.shift_to(at)
            _load(platform)
        stack.callback(product.close)
        product.start("serve", "worker", **more)
        yield product


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    with running_product() as made:
        yield made


@pytest.fixture
def disturbed_product(product: Product) -> Iterator[Product]:
    yield product
    product.restore("serve", "worker")
