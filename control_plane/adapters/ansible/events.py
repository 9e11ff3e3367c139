"""Reads the lines that the callback plugin writes (``playbooks/plugins/callback/borough.py``)."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from control_plane.provisioning.playbooks.model import HostState
from control_plane.provisioning.playbooks.ports import HostOutcome, TaskEvent

#: A line that is longer is no event of ours: the plugin cuts what it says.
_LONGEST_LINE = 256 * 1024
_TOLD = frozenset(
    {"ok", "changed", "failed", "ignored", "unreachable", "skipped", "again", "item_failed"}
)


class Reader:
    """Gathers what a run says of its servers.

    Args:
        hosts: names of the targets; what is said of others is nobody's.
        tell: receives the end of each task on each server.
    """

    def __init__(self, hosts: Iterable[str], tell: Callable[[TaskEvent], None]) -> None:
        self._hosts = frozenset(hosts)
        self._tell = tell
        self._rest = bytearray()
        self._ended: dict[str, HostOutcome] = {}
        self._touched: set[str] = set()
        #: Whether the run came to its end by itself.
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        self._rest += data
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest if len(rest) <= _LONGEST_LINE else b"")
        for line in lines:
            self._line(line)

    def outcomes(self) -> dict[str, HostOutcome]:
        """How each target stands; one that began and did not end is unknown."""
        return {name: self._outcome(name) for name in sorted(self._hosts)}

    def _outcome(self, name: str) -> HostOutcome:
        if name in self._ended:
            return self._ended[name]
        begun = name in self._touched
        return HostOutcome(HostState.UNKNOWN if begun or self.complete else HostState.PENDING)

    def _line(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return
        if not isinstance(said, dict):
            return
        if said.get("event") == "end":
            self.complete = True
        elif said.get("host") in self._hosts:
            if said.get("event") == "result":
                self._result(said)
            elif said.get("event") == "host":
                self._ended[said["host"]] = _outcome(said)

    def _result(self, said: dict[str, Any]) -> None:
        self._touched.add(said["host"])
        status = str(said.get("status", ""))
        if status in _TOLD:
            event = TaskEvent(
                said["host"], str(said.get("task", "")), status, str(said.get("message", "")),
                str(said.get("diff", "")), float(said.get("seconds", 0.0)),
            )  # fmt: skip
            self._tell(event)


def _outcome(said: dict[str, Any]) -> HostOutcome:
    ok, changed, failed, skipped = (
        int(said.get(name, 0)) for name in ("ok", "changed", "failures", "skipped")
    )
    if int(said.get("unreachable", 0)):
        state = HostState.UNREACHABLE
    elif failed:
        state = HostState.FAILED
    else:
        state = HostState.CHANGED if changed else HostState.OK
    return HostOutcome(state, ok, changed, failed, skipped)
