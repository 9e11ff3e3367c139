"""Watch lists on their way from the database to the lanes that look for what is on them.

They travel through the lanes' pipes alone, as every order does: what tells a face apart is in no
argument, file or log. A lane is told until when they hold; it forgets them when it has not been
told again by then. So what was withdrawn matches no longer, even when the worker hangs or the
database is away.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import numpy as np

from foundation.kernel.errors import BoroughError
from foundation.kernel.secretbox import SecretError
from workloads.video_analytics.vision.model import RuleKind, RuleSpec
from workloads.video_analytics.vision.models.ports import (
    FaceList,
    PlateList,
    Watched,
    WatchedFace,
)
from workloads.video_analytics.workers.ports import WatchLists
from workloads.video_analytics.workers.wire import Header

_log = logging.getLogger("borough.video.worker")
#: Seconds for which lists hold without being told again; from when they were read.
HOLD_SECONDS = 50.0
_SLACK = 5.0
_KINDS = frozenset({RuleKind.FACE, RuleKind.PLATE})


class Watching(NamedTuple):
    """A camera, the lane it is in, its department and its rules."""

    lane: int
    camera: str
    path: str
    rules: Sequence[RuleSpec]


class Tell(Protocol):
    """Gives a lane an order."""

    def __call__(self, number: int, order: Header, *parts: bytes) -> None: ...


#: Of a lane: list → the cameras with a rule that names it, with their departments.
_Named = dict[str, set[tuple[str, str]]]


class Teller:
    """The worker's side: tells each lane the lists that rules of its cameras name, and no others.

    A list holds for cameras of the department that answers for it and of those below.

    Args:
        lists: where they are.
        tell: gives a lane an order.
        clock: seconds, the same for all processes of this machine.
    """

    def __init__(
        self, lists: WatchLists, tell: Tell, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lists = lists
        self._tell = tell
        self._clock = clock
        self._named: dict[int, _Named] = {}
        self._told: dict[int, tuple[float, dict[str, bytes]]] = {}
        self._lock = threading.Lock()

    def forget(self, lane: int) -> None:
        """A lane was started anew: it knows nothing."""
        with self._lock:
            self._named.pop(lane, None)
            self._told.pop(lane, None)

    def tell(self, cameras: Iterable[Watching], *, due: bool) -> None:
        """Tell the lanes what they may look for.

        Args:
            cameras: all that are watched here.
            due: lists are read again even where the same ones are named as before.
        """
        named = _named(cameras)
        lanes = [lane for lane in named if due or named[lane] != self._named.get(lane)]
        ids = {one for lane in lanes for one in named[lane]}
        until = self._clock() + HOLD_SECONDS
        try:
            known = self._lists.known(ids) if ids else {}
            found = self._lists.in_force(ids) if ids else Watched()
        except (BoroughError, SecretError) as error:
            # Not told again, they hold no longer than they did.
            _log.error("the watch lists cannot be read: %s", type(error).__name__)
            return
        paths = {list_id: one.path for list_id, one in known.items()}
        for lane in lanes:
            with self._lock:
                self._tell_lane(lane, [*found.faces, *found.plates], named[lane], paths, until)
                self._named[lane] = named[lane]

    def _tell_lane(
        self, lane: int, lists: Sequence[FaceList | PlateList], named: _Named,
        paths: Mapping[str, str], until: float,
    ) -> None:  # fmt: skip
        held, before = self._told.get(lane, (0.0, {}))
        if self._clock() >= held - _SLACK:
            before = {}  # it may have forgotten them meanwhile
        told: dict[str, bytes] = {}
        for one in lists:
            users = sorted(
                camera for camera, path in named.get(one.id, ()) if path.startswith(paths[one.id])
            )
            if not users:
                continue
            order, part = _out(one, users)
            digest = hashlib.sha256(json.dumps(order).encode() + part).digest()
            told[order["key"]] = digest
            if before.get(order["key"]) != digest:
                self._tell(lane, order, part)
        self._tell(lane, {"do": "lists", "until": until, "keys": sorted(told)})
        self._told[lane] = (until, told)


def _named(cameras: Iterable[Watching]) -> dict[int, _Named]:
    found: dict[int, _Named] = {}
    for one in cameras:
        lane = found.setdefault(one.lane, {})
        for rule in one.rules:
            if rule.kind in _KINDS:
                for each in rule.parameters.get("watchlists") or ():
                    lane.setdefault(each, set()).add((one.camera, one.path))
    return found


class Held(NamedTuple):
    """A list as a lane has it."""

    of: FaceList | PlateList
    cameras: frozenset[str]


class Lists:
    """The lane's side: what it was told, as long as it holds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._come: dict[str, Held] = {}
        self._held: dict[str, Held] = {}
        self._until = 0.0

    def take(self, order: Header, parts: Sequence[memoryview]) -> None:
        """A list that comes (``list``), or which of them hold and until when (``lists``)."""
        if order["do"] == "list":
            self._come[order["key"]] = Held(_in(order, parts), frozenset(order["cameras"]))
            return
        known = {**self._held, **self._come}
        self._held = {key: known[key] for key in order["keys"] if key in known}
        self._come = {}
        self._until = order["until"]

    def of(self, camera: str) -> Watched:
        """The lists that a camera's rules may look for now."""
        if self._clock() >= self._until:
            self._held, self._come = {}, {}
        mine = [held.of for held in self._held.values() if camera in held.cameras]
        return Watched(
            tuple(one for one in mine if isinstance(one, FaceList)),
            tuple(one for one in mine if isinstance(one, PlateList)),
        )


def _out(one: FaceList | PlateList, cameras: Sequence[str]) -> tuple[Header, bytes]:
    order: Header = {
        "do": "list", "id": one.id, "until": one.until.isoformat(), "cameras": cameras,
    }  # fmt: skip
    if isinstance(one, PlateList):
        patterns = [list(pair) for pair in one.patterns]
        return {**order, "key": one.id, "patterns": patterns}, b""
    entries = [face.entry for face in one.faces]
    matrix = b"".join(face.embedding.astype("<f4").tobytes() for face in one.faces)
    key = f"{one.id}/{one.space}"
    return {**order, "key": key, "space": one.space, "entries": entries}, matrix


def _in(order: Header, parts: Sequence[memoryview]) -> FaceList | PlateList:
    until = datetime.fromisoformat(order["until"])
    if "patterns" in order:
        return PlateList(order["id"], until, [(entry, text) for entry, text in order["patterns"]])
    entries = order["entries"]
    matrix = np.frombuffer(parts[0], "<f4").astype(np.float32).reshape(len(entries), -1)
    faces = [WatchedFace(entry, row) for entry, row in zip(entries, matrix, strict=True)]
    return FaceList(order["id"], order["space"], until, faces)
