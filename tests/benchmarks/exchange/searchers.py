"""People who search over HTTP: processes that serve as deployed, users with tokens."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import psutil
import uvloop

from foundation.kernel.actor import Actor
from tests.benchmarks.exchange.users import Found, drive
from workloads.data_exchange.bootstrap import Exchange

_SYSTEM = Actor.system("benchmark")
#: What is asked for, and for how long each user thinks between two searches, in seconds.
_ASKED = (
    ("API, words only", "/api/v1/directory?limit=20&q=", 0.0),
    ("page with facets", "/directory?q=", 0.0),
    ("page with facets, a second's thought", "/directory?q=", 1.0),
)


def over_http(
    exchange: Exchange, terms: list[str], users: int, seconds: float, processes: int
) -> None:
    """Print how long users waited for their searches.

    Args:
        exchange: whose directory is searched.
        terms: what people look for.
        users: at once.
        seconds: of each measurement.
        processes: that serve; users are spread over them.
    """
    tokens = [_token(exchange, f"user{n}") for n in range(users)]
    with _serving(exchange, processes) as servers:
        ports, given = [port for port, _ in servers], iter(cycle(terms))
        for name, address, pause in _ASKED:
            before = _cpu(servers)
            found = uvloop.run(
                drive(ports, _requests(given, tokens, address), users, seconds=seconds, pause=pause)
            )
            _show(f"{processes} process(es), {users} users, {name}", found, _cpu(servers) - before)


def _show(name: str, found: Found, cpu: float) -> None:
    print(
        f"{name}: p50 {found.percentile(0.5):.0f} ms, p95 {found.percentile(0.95):.0f} ms, "
        f"{len(found.seconds)} searches, {found.rate:.0f}/s, "
        f"CPU of the service {cpu / len(found.seconds) * 1000:.1f} ms"
        f"{f', NOT ANSWERED {found.bad}' if found.bad else ''}",
        flush=True,
    )


def _requests(terms: Iterator[str], tokens: list[str], address: str) -> Iterator[bytes]:
    for words, token in zip(terms, cycle(tokens), strict=False):
        yield (
            f"GET {address}{quote(words)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n"
        ).encode()


def _token(exchange: Exchange, login: str) -> str:
    """Of a person who may search; made when there is none of that name."""
    people, gate = exchange.people, exchange.base.gate
    name = f"{login}-{os.urandom(4).hex()}"
    person = people.create_person(
        _SYSTEM, login=name, name=name, path="/", password=f"{name}-demo-only"
    )
    people.grant(_SYSTEM, principal_id=person.id, role="exchange_officer", path="/")
    return gate.create_token(Actor(person.id, person.name, person.kind), name="benchmark")[1]


@contextlib.contextmanager
def _serving(
    exchange: Exchange, processes: int
) -> "Iterator[list[tuple[int, subprocess.Popen[str]]]]":
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        servers = []
        for n in range(processes):
            home = Path(name) / str(n)
            home.mkdir()
            environment = {
                **os.environ, "BOROUGH_EXCHANGE_HOME": str(home), "BOROUGH_EXCHANGE_PORT": "0",
                "BOROUGH_EXCHANGE_DATABASE_URL": exchange.base.database.url,
                "BOROUGH_EXCHANGE_SECRET_KEY_FILE": str(exchange.settings.ring_file),
            }  # fmt: skip
            made = subprocess.Popen(
                [sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", "serve"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            stack.callback(_end, made)
            assert made.stdout is not None
            servers.append((int(made.stdout.readline().rpartition(":")[2]), made))
        yield servers


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _cpu(servers: "list[tuple[int, subprocess.Popen[str]]]") -> float:
    return sum(sum(psutil.Process(made.pid).cpu_times()[:2]) for _, made in servers)
