"""A gateway with a provider behind it, in this process, and a client of few lines."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from foundation.adapters.clock import SystemClock
from tests.harness.exchange_gateway import (
    SERVICE,
    VAULT,
    Told,
    grant,
    options,
    secret,
    signed,
    terms,
)
from tests.harness.exchange_provider import FakeProvider
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.gateway.ports import Front
from workloads.data_exchange.gateway.process import Hall, serving


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass
class Running:
    """A gateway that runs; ``call`` signs and sends."""

    port: int
    told: Told
    provider: FakeProvider
    token: str = field(default_factory=grant)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def call(self, target: str = f"/services/{SERVICE}/people?a=1", *, method: str = "GET",
                   body: bytes = b"", token: str = "", headers: dict[str, str] | None = None,
                   **proof: Any) -> Answered:  # fmt: skip
        token = token or self.token
        given = signed(self.url, target, token, method=method, body=body, **proof)
        return await self.send(method, target, {**given, **(headers or {})}, body)

    async def send(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b""
    ) -> Answered:
        lines = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        data = "\r\n".join([*lines, "", ""]).encode() + body
        return await self.raw(data, bodiless=method == "HEAD")

    async def raw(self, data: bytes, seconds: float = 20, *, bodiless: bool = False) -> Answered:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(seconds):
                writer.write(data)
                return await read_answer(reader, bodiless=bodiless)
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader, *, bodiless: bool = False) -> Answered:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    if bodiless:
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answered(int(head[0].split(" ")[1]), headers, body)


@contextlib.asynccontextmanager
async def gateway(
    exchange: Exchange, provider: dict[str, Any] | None = None,
    bounds: dict[str, Any] | None = None, told: Told | None = None,
    more: Sequence[Callable[[Hall], Front]] = (), **changes: Any,
) -> AsyncIterator[Running]:  # fmt: skip
    """A gateway with one agreement."""
    async with FakeProvider().running() as behind:
        told = told or Told()
        made = terms(**changes)
        told.terms[made.agreement] = made
        given = {
            "paths": ("/people", "/people/{id}"), "headers": {"x-secret": "provider-secret"},
            "records": "/records", **(provider or {}),
        }  # fmt: skip
        told.providers[SERVICE] = Provider(SERVICE, behind.url + "/base", **given)
        chosen = options(exchange.base.database.url, **(bounds or {}))
        async with serving(chosen, told, secret, SystemClock(), VAULT, more) as port:
            yield Running(port, told, behind)
