"""Receipts for tests: drafts of calls that a consumer signed, and a writer on a database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import psycopg

from foundation.kernel import ids
from foundation.kernel.time import Clock
from tests.harness.exchange import CIVIL, HOUSING
from tests.harness.loops import run as run_alone
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.proofs.requests import prove
from workloads.data_exchange.receipts.model import Draft, Receipt, ReceiptKind, digest
from workloads.data_exchange.receipts.writer import Request, Writer

CONSUMER = PrivateKey(bytes(range(32)))


def draft(at: datetime, agreement: str = "agr_1", *, nonce: str = "", target: str = "/x?a=1",
          status: int = 200) -> Draft:  # fmt: skip
    proof = prove(
        CONSUMER, method="GET", url="http://gateway/x", target=target, grant="g", at=at,
        nonce=nonce or ids.new("n"), purpose="dpv:PublicBenefit",
    )  # fmt: skip
    return Draft(
        ReceiptKind.CALL, at, agreement, digest(b"terms"), "gra_1", HOUSING, CIVIL, "dat_1",
        "svc_1",
        CONSUMER.kid, proof, "GET", "/x", digest(target.encode()), "", "dpv:PublicBenefit",
        status, digest(b"{}"), 1, 2, 5, ("masked:name",),
    )  # fmt: skip


def request(nonce: str, at: datetime) -> Request:
    return Request(CONSUMER.kid, nonce, at + timedelta(minutes=2))


@contextlib.asynccontextmanager
async def writing(url: str, clock: Clock) -> AsyncIterator[Writer]:
    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(url.replace("+psycopg", ""))

    writer = Writer(connect, clock)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def written(exchange: Exchange, drafts: Sequence[Draft]) -> list[Receipt]:
    """The receipts of some calls that came at once."""

    async def run() -> list[Receipt]:
        async with writing(exchange.base.database.url, exchange.base.clock) as writer:
            return list(await asyncio.gather(*map(writer.write, drafts)))

    return run_alone(run())
