"""Messages between the processes of a worker: a JSON header and bytes behind it.

Nothing here executes what it reads (no pickle): a decoder that a hostile stream has taken over can
send nonsense, and no more. Lengths are bounded before anything is allocated.
"""

import json
import os
import select
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
    TrackPiece,
)

_HEAD = struct.Struct(">II")
_MAX_HEADER = 4 * 2**20
_MAX_BODY = 64 * 2**20

Header = dict[str, Any]


class Message(NamedTuple):
    """What was said; ``parts`` are the bytes that came with it."""

    header: Header
    parts: tuple[memoryview, ...]


class Garbled(Exception):
    """What came is no message."""


def pack(header: Mapping[str, Any], *parts: bytes | memoryview) -> list[bytes | memoryview]:
    """A message as pieces to be written one after the other."""
    body = sum(len(part) for part in parts)
    text = _ENCODER.encode({**header, "parts": [len(part) for part in parts]}).encode()
    if len(text) > _MAX_HEADER or body > _MAX_BODY:
        raise ValueError("the message is too long")
    return [_HEAD.pack(len(text), body), text, *parts]


def write(handle: int, header: Mapping[str, Any], *parts: bytes | memoryview) -> None:
    """Write a message, waiting as long as the reader makes us.

    Raises:
        OSError: the reader is gone.
    """
    pieces = [memoryview(piece).cast("B") for piece in pack(header, *parts) if len(piece)]
    while pieces:
        done = os.writev(handle, pieces)
        while pieces and done >= len(pieces[0]):
            done -= len(pieces.pop(0))
        if done:
            pieces[0] = pieces[0][done:]


def read(handle: int) -> Message | None:
    """The next message, waiting for it; None at the end.

    Raises:
        Garbled: it is none.
    """
    head = memoryview(bytearray(_HEAD.size))
    if not _fill(handle, [head]):
        return None
    header_length, body_length = _HEAD.unpack(head)
    if header_length > _MAX_HEADER or body_length > _MAX_BODY:
        raise Garbled("too long")
    text, body = memoryview(bytearray(header_length)), memoryview(bytearray(body_length))
    if not _fill(handle, [text, body]):
        return None
    try:
        header = json.loads(bytes(text))
        lengths = [int(length) for length in header["parts"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Garbled("no header") from error
    if not isinstance(header, dict) or min([*lengths, 0]) < 0 or sum(lengths) != body_length:
        raise Garbled("lengths do not fit")
    parts, at = [], 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    return Message(header, tuple(parts))


def readable(handles: Sequence[int], seconds: float) -> list[int]:
    """Those of the handles from which something can be read, waiting for it for so long."""
    poller = select.poll()
    for handle in handles:
        poller.register(handle, select.POLLIN | select.POLLHUP | select.POLLERR)
    return [handle for handle, _ in poller.poll(seconds * 1000)]


def _fill(handle: int, buffers: list[memoryview]) -> bool:
    """Read as much as the buffers hold; whether there was so much."""
    left = [buffer for buffer in buffers if len(buffer)]
    while left:
        got = os.readv(handle, left)
        if not got:
            return False
        while left and got >= len(left[0]):
            got -= len(left.pop(0))
        if got:
            left[0] = left[0][got:]
    return True


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a detector put into its data
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return value.tolist()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    return str(value)


_ENCODER = json.JSONEncoder(default=_plain)


# What the messages hold ---------------------------------------------------------------------------


def signal_out(signal: Signal) -> Header:
    """A signal as JSON."""
    return {
        "rule": signal.rule, "version": signal.version, "key": signal.key,
        "phase": signal.phase.value, "at": signal.at.isoformat(),
        "began": signal.began.isoformat(), "box": signal.box, "score": signal.score,
        "track": signal.track, "data": dict(signal.data),
    }  # fmt: skip


def signal_in(value: Header) -> Signal:
    """A signal from JSON."""
    return Signal(
        value["rule"], value["version"], value["key"], Phase(value["phase"]),
        _instant(value["at"]), _instant(value["began"]), _box(value["box"]), value["score"],
        value["track"], value["data"],
    )  # fmt: skip


def piece_out(piece: TrackPiece) -> Header:
    """A piece of a track as JSON."""
    return {
        "id": piece.id, "path": [(at.isoformat(), *point) for at, point in piece.path],
        "size": piece.size, "colour": piece.colour, "kind": piece.kind,
        "dwell": piece.dwell_seconds, "ended": piece.ended, "box": piece.box,
    }  # fmt: skip


def piece_in(value: Header) -> TrackPiece:
    """A piece of a track from JSON."""
    return TrackPiece(
        value["id"], tuple((_instant(at), Point(x, y)) for at, x, y in value["path"]),
        value["size"], value["colour"], value["kind"], value["dwell"], value["ended"],
        Box(*value["box"]),
    )  # fmt: skip


def rule_out(rule: RuleSpec) -> Header:
    """A rule as JSON."""
    return {
        "id": rule.id, "version": rule.version, "kind": rule.kind.value,
        "points": rule.points, "parameters": dict(rule.parameters),
    }  # fmt: skip


def rule_in(value: Header) -> RuleSpec:
    """A rule from JSON."""
    return RuleSpec(
        value["id"], value["version"], RuleKind(value["kind"]),
        tuple(Point(*point) for point in value["points"]), value["parameters"],
    )  # fmt: skip


def view_out(view: CameraView) -> Header:
    """What the analysis knows of a camera, as JSON."""
    return asdict(view)


def view_in(value: Header) -> CameraView:
    """What the analysis knows of a camera, from JSON."""
    masks = tuple(tuple(Point(*point) for point in mask) for mask in value["masks"])
    return CameraView(**{**value, "masks": masks})


def tier_in(value: str) -> Tier:
    """A tier by its name."""
    return Tier(value)


def _box(value: Sequence[float] | None) -> Box | None:
    return None if value is None else Box(*value)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
