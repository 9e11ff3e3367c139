"""What a durable receipt costs: PostgreSQL in shared commits, beside a journal with fsync.

    .venv/bin/python -m tests.benchmarks.exchange.receipts [--receipts 5000]

Both write the same receipts; as many wait at a time as calls do in a gateway. Then the bytes of a
receipt: as text, in the table with its indexes, in a bundle, and in packed NDJSON.
"""

import argparse
import asyncio
import gzip
import lzma
import os
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import sqlalchemy as sa
import uvloop

from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.actor import Actor
from tests.harness.exchange_receipts import draft
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.receipts.model import Chains, Draft, digest, new_log
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.receipts.writer import Writer
from workloads.data_exchange.settings import Settings


async def _database(url: str, drafts: "list[Draft]", waiting: int) -> "tuple[float, float]":
    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""))

    writer = Writer(connect, SystemClock(), patience=60)
    task, left = asyncio.create_task(writer.run()), iter(drafts)

    async def one() -> None:
        for each in left:
            await writer.write(each)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(waiting)))
    found = time.perf_counter() - began, time.process_time() - cpu
    task.cancel()
    return found


def _journal(folder: Path, drafts: "list[Draft]", waiting: int) -> "tuple[float, float]":
    chains = Chains(new_log(SystemClock().now()))
    began, cpu = time.perf_counter(), time.process_time()
    with (folder / "journal").open("ab") as file:
        for at in range(0, len(drafts), waiting):
            made = chains.place(drafts[at : at + waiting])
            file.write("".join(f"{one.body}\t{one.proof}\n" for one in made).encode())
            file.flush()
            os.fsync(file.fileno())
            chains.keep(len(made))
    return time.perf_counter() - began, time.process_time() - cpu


def _varied(count: int) -> "list[Draft]":
    """Calls of fifty agencies and five hundred agreements, no two alike."""
    chance = random.Random(17)  # noqa: S311 - the same each time
    made, now = [], SystemClock().now()
    for n in range(count):
        agreement = chance.randrange(500)
        one = draft(now, f"agr_01k{agreement:023d}", target=f"/people/{n}?a=1")
        made.append(
            replace(
                one, consumer=f"/city/agency-{agreement % 50}/", milliseconds=chance.randrange(900),
                provider=f"/city/agency-{agreement % 7}/", service=f"svc_{agreement % 90}",
                answer=digest(str(n).encode()), size=chance.randrange(20_000),
                rows=chance.randrange(20), status=chance.choice([200] * 30 + [403, 504]),
            )
        )  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", type=int, default=5000)
    count = parser.parse_args().receipts
    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "postgres") as server:
        folder = Path(name)
        given = Settings(home=folder / "home", database_url=server.url())
        with open_exchange(given) as exchange:
            exchange.receipts.keep_house()
            drafts = _varied(count)
            for waiting in (1, 8, 64, 256):
                some = drafts[: max(200, count * waiting // 256)]
                for what, (wall, cpu) in (
                    ("PostgreSQL", uvloop.run(_database(server.url(), some, waiting))),
                    ("journal", _journal(folder, some, waiting)),
                ):
                    print(
                        f"{waiting:4} at a time, {what:10} {len(some) / wall:8.0f}/s  "
                        f"{cpu / len(some) * 1e6:5.0f} us CPU a receipt",
                        flush=True,
                    )
            while exchange.receipts.sign_checkpoint() is not None:
                pass
            _bytes(exchange)


def _bytes(exchange: Exchange) -> None:
    database, receipts = exchange.base.database, exchange.receipts
    with database.transaction():
        query = sa.text(
            "SELECT count(*), avg(length(body)), avg(length(proof)), "
            "(SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            " WHERE inhparent = 'exchange_receipt'::regclass) FROM exchange_receipt"
        )
        count, body, proof, table = database.execute(query).one()
    day = SystemClock().now().date()
    began = time.perf_counter()
    lines = list(receipts.archive(Actor.system("benchmark"), day))
    writing = time.perf_counter() - began
    began = time.perf_counter()
    report = verify(lines)
    seconds = time.perf_counter() - began
    raw = b"".join(lines)
    packed, small = gzip.compress(raw, 6), lzma.compress(raw, preset=6)
    with database.transaction():
        flows, bytes_of_flows = database.execute(
            sa.text("SELECT count(*), pg_total_relation_size('exchange_flow') FROM exchange_flow")
        ).one()
    print(
        f"{count} receipts: text {body:.0f} B, signature of the request {proof:.0f} B, table with "
        f"indexes {int(table) / count:.0f} B, bundle {len(raw) / count:.0f} B, packed "
        f"{len(packed) / count:.0f} B (xz {len(small) / count:.0f} B) each; {flows} rows of flows, "
        f"{int(bytes_of_flows) / max(flows, 1):.0f} B each; 17 million a day: "
        f"{int(table) / count * 17e6 / 1e9:.1f} GB of table, "
        f"{len(packed) / count * 17e6 / 1e9:.1f} GB packed; "
        f"written {count / writing:.0f}/s, verified {report.receipts / seconds:.0f}/s, "
        f"{len(report.problems)} problems"
    )


if __name__ == "__main__":
    main()
