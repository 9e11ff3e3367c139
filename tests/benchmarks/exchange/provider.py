"""A provider that costs little: records at each address, and bytes below ``/big/``."""

import asyncio
import json

import httptools
import uvloop

_RECORDS = [{"id": str(n), "name": f"Name of {n}", "a": n, "b": "x" * 20} for n in range(3)]
_BODY = json.dumps({"records": _RECORDS}).encode()
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n"
_RECORDS_ANSWER = _HEAD % (b"application/json", len(_BODY)) + _BODY
_PART = bytes(range(256)) * 1024


class _Protocol(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._parser = httptools.HttpRequestParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self._url = b""

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._url.startswith(b"/big/"):
            self._task = asyncio.get_running_loop().create_task(self._big(int(self._url[5:])))
        else:
            self._transport.write(_RECORDS_ANSWER)

    async def _big(self, size: int) -> None:
        self._transport.write(_HEAD % (b"application/octet-stream", size))
        while size:
            await self._writable.wait()
            self._transport.write(_PART[:size])
            size -= min(size, len(_PART))
            await asyncio.sleep(0)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(_Protocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
