"""Files on their way into a gateway of tests, and out of it."""

import base64
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Unauthenticated
from tests.contract.exchange.gateway_calls import Answered, Running, gateway
from tests.harness.agreements import in_force
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, person
from tests.harness.exchange_gateway import grant
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.transfers.model import Batch
from workloads.data_exchange.transfers.service import KIND

STEWARD = person("steward", CIVIL)
OTHER = person("steward", HOUSING)
OFFSET = "application/offset+octet-stream"


def bearer(token: str) -> Actor:
    """The actor of a token of tests."""
    found = {"steward": STEWARD, "other": OTHER}.get(token)
    if found is None:
        raise Unauthenticated("the token is not known")
    return found


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@dataclass
class Post:
    """A gateway with an agreement, its provider who sends, and its consumer who fetches."""

    exchange: Exchange
    running: Running
    agreement: str

    def batch(self, **more: Any) -> Batch:
        given = {"title": "Households of November", "days": 7, **more}
        return self.exchange.handing.batches.create(STEWARD, self.agreement, **given)

    async def tus(self, method: str, target: str, headers: Mapping[str, str] | None = None,
                  body: bytes = b"", token: str = "steward") -> Answered:  # fmt: skip  # noqa: S107
        given = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}", **(headers or {})}
        if method == "PATCH" or body:
            given.setdefault("Content-Type", OFFSET)
        return await self.running.send(method, target, given, body)

    async def announce(self, batch: str, name: str, size: int, **more: str) -> Answered:
        meta = f"batch {encoded(batch)},filename {encoded(name)}"
        given = {"Upload-Length": str(size), "Upload-Metadata": meta, **more}
        return await self.tus("POST", "/uploads", given)

    async def put(self, batch: str, name: str, data: bytes) -> str:
        """Send a whole file; answers its address."""
        made = await self.announce(batch, name, len(data))
        assert made.status == 201, made.body
        where = made.headers["location"]
        if data:
            sent = await self.tus("PATCH", where, {"Upload-Offset": "0"}, data)
            assert (sent.status, sent.headers["upload-offset"]) == (204, str(len(data))), sent.body
        return where

    def seal(self, batch: str, files: Mapping[str, bytes]) -> None:
        """Seal it, and do the worker's part."""
        listed = [
            {"name": name, "size": len(data), "digest": digest(data)}
            for name, data in files.items()
        ]
        self.exchange.handing.batches.seal(STEWARD, batch, files=listed)
        self.check(batch)

    def check(self, batch: str) -> None:
        """What a worker does with a sealed batch."""
        checking = self.exchange.handing.checking
        found = {
            one: checking.digest(one, lambda: False, lambda _part: None)
            for one in checking.files(batch)
        }
        checking.publish(batch, found)

    async def publish(self, files: Mapping[str, bytes]) -> Batch:
        made = self.batch()
        for name, data in files.items():
            await self.put(made.id, name, data)
        self.seal(made.id, files)
        return self.exchange.handing.batches.batch(SYSTEM, made.id)

    async def get(self, target: str, headers: dict[str, str] | None = None, *,
                  method: str = "GET", **proof: Any) -> Answered:  # fmt: skip
        return await self.running.call(target, method=method, headers=headers, **proof)


@contextlib.asynccontextmanager
async def post(exchange: Exchange, **changes: Any) -> AsyncIterator[Post]:
    """A gateway that takes files in and hands them out."""
    agreement = in_force(exchange).agreement
    fronts = replace(exchange.handing, bearer=bearer).fronts()
    changes = {"agreement": agreement, "provider": CIVIL, "consumer": HOUSING, **changes}
    provider = changes.pop("provider")
    async with gateway(exchange, more=fronts, **changes) as running:
        held = running.told.terms[agreement]
        running.told.terms[agreement] = replace(held, provider=provider)
        running.token = grant(agreement=agreement)
        yield Post(exchange, running, agreement)


__all__ = ["KIND", "Post", "bearer", "digest", "post"]
