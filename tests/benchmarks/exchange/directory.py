"""How fast a directory of 172,654 entries is searched, and how fast another platform is harvested.

    python -m tests.benchmarks.exchange.directory --entries 172654 --users 20 --seconds 20

Twenty users search without a pause, in this process: words, facets and counts. The peer is a plain
``ILIKE`` over the same titles and descriptions in the same run. Then they search over HTTP, as the
service is deployed, in one process and in two: without a pause and with a second's thought.
Harvesting reads catalogues of CKAN and of DCAT in Turtle from loopback. Prints figures; asserts
nothing. ``--folder`` keeps the directory, which takes minutes to fill, for the next time.
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import psutil
import sqlalchemy as sa

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.benchmarks.exchange.entries import AGENCIES, COUNT, bodies, searches
from tests.benchmarks.exchange.searchers import over_http
from tests.fakes.catalogues import Answer, Platform, platform
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.directory.model import Body, Entry, EntryId, Kind, State, Work
from workloads.data_exchange.directory.rdf.forms import TURTLE, written
from workloads.data_exchange.directory.rdf.names import Names, new_graph
from workloads.data_exchange.directory.rdf.write import Writer
from workloads.data_exchange.directory.searching import Query
from workloads.data_exchange.directory.store import PostgresEntries
from workloads.data_exchange.harvesting import ckan
from workloads.data_exchange.harvesting.model import SourceProtocol
from workloads.data_exchange.settings import Settings

SYSTEM = Actor.system("benchmark")
_BATCH = 1000
_PROTOCOLS = (SourceProtocol.CKAN, SourceProtocol.DCAT)
_ILIKE = """
    SELECT id FROM exchange_entry WHERE state IN ('published', 'revised', 'frozen')
    AND {all} ORDER BY modified_at DESC LIMIT 20
"""


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--entries", type=int, default=COUNT)
    given.add_argument("--harvested", type=int, default=5000)
    given.add_argument("--protocols", nargs="*", type=SourceProtocol, help="ckan, dcat")
    given.add_argument("--users", type=int, default=20)
    given.add_argument("--seconds", type=float, default=20, help="of each; 0: no searches")
    given.add_argument("--folder", default="", help="keep the directory there, for the next time")
    asked = given.parse_args()
    near = {"provider_networks": "127.0.0.0/8", "database_pool": asked.users}
    with contextlib.ExitStack() as stack:
        folder = Path(asked.folder or stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)  # PostgreSQL's own user passes through
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        given = Settings(home=folder / "home", database_url=postgres.url(), **near)  # type: ignore[arg-type]
        exchange = stack.enter_context(open_exchange(given))
        run(exchange, asked, Meter(folder / "postgres" / "data" / "postmaster.pid"))


class Meter:
    """Processor time of this process and of the database's: on a busy machine clocks say little.

    Args:
        file: in which PostgreSQL says its process id.
    """

    def __init__(self, file: Path) -> None:
        self._server = psutil.Process(int(file.read_text().split()[0]))
        self._last = self._now()

    def _now(self) -> tuple[float, float]:
        found = 0.0
        for process in (self._server, *self._server.children()):
            with contextlib.suppress(psutil.NoSuchProcess):
                found += sum(process.cpu_times()[:2])
        return time.process_time(), found

    def milliseconds(self, count: float) -> str:
        """Of each of so many since this was asked last: here, and in the database."""
        last, self._last = self._last, self._now()
        own, database = ((now - then) * 1000 for now, then in zip(self._last, last, strict=True))
        return f"CPU {own / count:.2f} ms here, {database / count:.2f} ms of PostgreSQL each"


def run(exchange: Exchange, asked: argparse.Namespace, meter: Meter) -> None:
    print(f"load {os.getloadavg()[0]:.1f}")
    if exchange.cataloguing.search.count(SYSTEM, Query()).total < asked.entries:
        _prepare(exchange, asked.entries)
    terms = searches(5000)
    if asked.seconds:
        _search(exchange, terms, asked, meter)
        for processes in (1, 2):
            over_http(exchange, terms, asked.users, asked.seconds, processes)
    print(f"load {os.getloadavg()[0]:.1f}")
    if asked.harvested:
        harvest(exchange, asked.harvested, asked.protocols or list(_PROTOCOLS), meter)


def _prepare(exchange: Exchange, count: int) -> None:
    for n in range(AGENCIES):
        exchange.agencies.create(
            SYSTEM, parent="/", slug=f"a{n}", name=Text(f"Agency {n}", f"{n}局"),
            level=list(Level)[n % len(Level)],
        )  # fmt: skip
    fill(exchange, count)


def _search(exchange: Exchange, terms: list[str], asked: argparse.Namespace, meter: Meter) -> None:
    """In this process, by threads, as the service's own do it."""
    search = exchange.cataloguing.search

    def one(words: str) -> None:
        search.find(SYSTEM, Query(words), PageRequest(limit=20))

    def page(words: str) -> None:
        one(words)
        search.count(SYSTEM, Query(words))

    def plain(words: str) -> None:
        parts = words.split()
        said = " AND ".join(
            f"(shown ->> 'title' ILIKE :p{n} OR shown ->> 'description' ILIKE :p{n})"
            for n in range(len(parts))
        )
        values = {f"p{n}": f"%{part}%" for n, part in enumerate(parts)}
        with exchange.base.database.transaction():
            exchange.base.database.execute(sa.text(_ILIKE.format(all=said)), values).all()

    def told(
        name: str, work: Callable[[str], None], some: list[str], users: int, seconds: float
    ) -> dict[str, float]:
        meter.milliseconds(1)
        took = measured(work, some, users, seconds)
        print(f"{name}: {took}, {meter.milliseconds(took['calls'])}", flush=True)
        return took

    told("one user, words only", one, terms[:200], 1, 10.0)
    told("one user, words and facets", page, terms[200:400], 1, 10.0)
    crowd = told(f"{asked.users} users, words only", one, terms[400:], asked.users, asked.seconds)
    told(f"{asked.users} users, words and facets", page, terms[2400:], asked.users, asked.seconds)
    peer = told(f"{asked.users} users, plain ILIKE", plain, terms, asked.users, asked.seconds)
    print(f"ILIKE / words only at p95: {peer['p95'] / crowd['p95']:.1f}")


def fill(exchange: Exchange, count: int) -> None:
    """Publish so many entries at once, as a harvest does."""
    store, database = PostgresEntries(exchange.base.database), exchange.base.database
    begun, now = time.perf_counter(), datetime.now(UTC)
    numbered = enumerate(bodies(count))
    while part := list(islice(numbered, _BATCH)):
        with database.transaction():
            store.put_all([_entry(n, body, now) for n, body in part])
    seconds = time.perf_counter() - begun
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        tables = "exchange_entry", "exchange_entry_title", "exchange_entry_index"
        connection.execute(sa.text(f"VACUUM ANALYZE {', '.join(tables)}"))
        size = sum(
            connection.execute(
                sa.text("SELECT pg_total_relation_size(:name) / 1048576"), {"name": name}
            ).scalar_one()
            for name in tables[1:]
        )
    print(f"{count} entries kept and indexed in {seconds:.0f} s: {count / seconds:.0f}/s, "
          f"index {size} MiB")  # fmt: skip


def _entry(n: int, body: Body, now: datetime) -> Entry:
    return Entry(
        EntryId(f"dst_{n:08}"), Kind.DATASET, f"/a{n % AGENCIES}/",
        list(Level)[n % AGENCIES % len(Level)], State.PUBLISHED, Work.NONE, None, body, 1, (), now,
        now, issued_at=now, modified_at=now,
    )  # fmt: skip


def measured(
    work: Callable[[str], None], terms: list[str], users: int, seconds: float
) -> dict[str, float]:
    """Milliseconds of each call while so many users call without a pause."""
    took: list[float] = []
    lock, given, end = threading.Lock(), iter(terms), time.perf_counter() + seconds

    def user() -> None:
        while time.perf_counter() < end:
            with lock:
                words = next(given, None)
            if words is None:
                return
            begun = time.perf_counter()
            work(words)
            with lock:
                took.append((time.perf_counter() - begun) * 1000)

    threads = [threading.Thread(target=user) for _ in range(users)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - begun
    cuts = statistics.quantiles(took, n=20) if len(took) > 1 else [took[0]] * 19
    return {
        "p50": round(cuts[9], 1), "p95": round(cuts[18], 1), "calls": len(took),
        "per_second": round(len(took) / whole, 1),
    }  # fmt: skip


def harvest(
    exchange: Exchange, count: int, protocols: "list[SourceProtocol]", meter: Meter
) -> None:
    """Read so many entries of each kind of catalogue, twice; memory is what it grew by.

    Time of this process includes that of the other platform, which answers in a thread of it.
    """
    with platform() as there:
        places = {SourceProtocol.CKAN: there.url, SourceProtocol.DCAT: f"{there.url}/d/0"}
        for protocol in protocols:
            url = places[protocol]
            if protocol is SourceProtocol.CKAN:
                _serve_ckan(there, count)
            else:
                _serve_dcat(there, count)
            harvesting, reading = exchange.cataloguing.harvesting, exchange.cataloguing.reading
            source = harvesting.mount(
                SYSTEM, agency="/a0/", protocol=protocol, url=url, title=Text("O", "其他")
            )
            for again in ("first", "again, unchanged"):
                before, begun = _memory(), time.perf_counter()
                meter.milliseconds(1)
                run = harvesting.start(SYSTEM, source.id)
                reading.read(run.id)
                done = reading.withdraw(run.id)
                harvesting.end(run.id, None)
                seconds = time.perf_counter() - begun
                memory = _memory(peak=True) - before
                print(f"harvest {protocol.value}, {again}: {done.found} entries in {done.pages} "
                      f"pages, {done.changed} written, {done.found / seconds:.0f}/s, "
                      f"{memory:.0f} MiB more at most, {meter.milliseconds(done.found)}",
                      flush=True)  # fmt: skip


def _memory(*, peak: bool = False) -> float:
    """MiB of this process: now, or at most since it was last asked for now."""
    status = Path("/proc/self/status").read_text()
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmHWM:" if peak else "VmRSS:"
    (line,) = [one for one in status.splitlines() if one.startswith(name)]
    return int(line.split()[1]) / 1024


def _parts(count: int, size: int) -> Iterator[tuple[int, list[tuple[int, Body]]]]:
    numbered, at = enumerate(bodies(count)), 0
    while part := list(islice(numbered, size)):
        yield at, part
        at += len(part)


def _serve_ckan(there: Platform, count: int) -> None:
    for at, part in _parts(count, ckan.ROWS):
        packages = [
            {
                "id": f"p{n}",
                "title_translated": body.title.as_json(),
                "notes_translated": body.description.as_json(),
                "license_id": "cc-by-4.0",
                "tags": [{"name": word} for word in body.keywords],
                "resources": [{"name": "File", "format": "CSV", "url": f"https://c.example/{n}"}],
                "organization": {"title": body.contact.name},
            }
            for n, body in part
        ]
        answer = {"success": True, "result": {"count": count, "results": packages}}
        there.answers[ckan.search_address("", at)] = Answer(
            json.dumps(answer).encode(), "application/json"
        )


def _serve_dcat(there: Platform, count: int) -> None:
    names, now = Names("https://province.example"), datetime.now(UTC)
    for at, part in _parts(count, 500):
        graph = new_graph()
        writer = Writer(graph, names, {}, ())
        for n, body in part:
            writer.entry(_entry(n, body, now))
        more = at + len(part) < count
        link = {"Link": f'<{there.url}/d/{at + len(part)}>; rel="next"'} if more else {}
        there.answers[f"/d/{at}"] = Answer(written(graph, TURTLE), headers=link, etag=f'"{at}"')


if __name__ == "__main__":
    main()
