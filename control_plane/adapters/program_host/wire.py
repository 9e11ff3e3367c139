"""Frames between the parent and a program: a JSON header and a body of bytes.

A frame is two big-endian 32-bit lengths, the header (one JSON object) and the body.
"""

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

_LENGTHS = struct.Struct(">II")
MAX_FRAME = 32 * 1024 * 1024
"""Longest header or body that is accepted, in bytes."""


class WireError(Exception):
    """What came is not a frame."""


def pack(header: dict[str, Any], body: bytes = b"") -> bytes:
    """Return one frame as bytes."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(body)) + head + body


class Reader:
    """Cuts a stream of bytes into frames, whatever pieces it arrives in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Take bytes and yield the frames that are complete.

        Raises:
            WireError: The bytes are no frame, or one is too long.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head, body = _LENGTHS.unpack_from(self._buffer)
            if max(head, body) > MAX_FRAME:
                raise WireError("a frame is longer than allowed")
            end = _LENGTHS.size + head + body
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[_LENGTHS.size : end])
            del self._buffer[:end]
            yield _header(frame[:head]), frame[head:]


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise WireError("a header is not JSON") from None
    if not isinstance(header, dict):
        raise WireError("a header is not an object")
    return header


def receive(sock: socket.socket, reader: Reader) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield frames from a blocking socket until the other side closes it."""
    while data := sock.recv(1 << 16):
        yield from reader.feed(data)
