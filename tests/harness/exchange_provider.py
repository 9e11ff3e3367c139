"""A provider for tests: answers as the address says, and remembers what it was asked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

RECORDS = [
    {"id": "1", "name": "Zhang San Feng", "secret": "never"},
    {"id": "2", "name": "Li Si", "secret": "never"},
]


class FakeProvider:
    """An HTTP server of few lines; ``answers`` says what a path answers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        #: Path without query → (status, headers, body), or bytes that are sent as they are.
        self.answers: dict[str, tuple[int, dict[str, str], bytes] | bytes] = {}
        self.delay = 0.0
        self.port = 0
        self._open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here = asyncio.current_task()
        self._open[here] = writer
        try:
            await self._talk(reader, writer)
        finally:
            del self._open[here]
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, target, _ = head[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append((method, target, headers, body))
                await asyncio.sleep(self.delay)
                path = target.partition("?")[0]
                if path.startswith("/big/"):
                    await self._big(writer, int(path.removeprefix("/big/")))
                    continue
                found = self.answers.get(path) or (
                    200, {"content-type": "application/json"},
                    json.dumps({"records": RECORDS, "total": 2}).encode(),
                )  # fmt: skip
                if isinstance(found, bytes):
                    writer.write(found)
                    await writer.drain()
                    break
                status, given, text = found
                lines = [f"HTTP/1.1 {status} X", f"content-length: {len(text)}"]
                lines += [f"{name}: {value}" for name, value in given.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode() + text)
                await writer.drain()

    async def _big(self, writer: asyncio.StreamWriter, size: int) -> None:
        kind = "content-type: application/octet-stream"
        writer.write(f"HTTP/1.1 200 OK\r\n{kind}\r\ncontent-length: {size}\r\n\r\n".encode())
        part = bytes(range(256)) * 1024
        while size:
            writer.write(part[:size])
            size -= min(size, len(part))
            await writer.drain()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["FakeProvider"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in self._open.values():
                writer.close()
            while self._open:  # noqa: ASYNC110 - they end by themselves
                await asyncio.sleep(0.01)
