"""Something that runs the contract's playbook on servers that are only remembered."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from control_plane.provisioning.playbooks.model import HostState
from control_plane.provisioning.playbooks.ports import (
    Ending,
    HostOutcome,
    Outcome,
    Target,
    TaskEvent,
    Work,
)
from control_plane.provisioning.ports import Cancellation
from foundation.kernel.errors import Unavailable

_TICK = 0.01


@dataclass
class FakeServers:
    """Servers by address and port, and what is written on each.

    Attributes:
        keys: host keys.
        written: the words that were written.
        trusted: the private key that they let in.
    """

    keys: dict[tuple[str, int], str] = field(default_factory=dict)
    written: dict[tuple[str, int], str] = field(default_factory=dict)
    trusted: str = ""


class FakeRunner:
    """Implements ``Runner`` for ``tests/harness/playbooks/contract.yml``.

    Its variables: ``words`` are written; ``contract_secret`` is used and never shown;
    ``contract_fail`` names servers that fail; ``contract_seconds`` is how long it takes.
    """

    def __init__(self, servers: FakeServers, *, there: bool = True) -> None:
        self.servers = servers
        self.there = there
        self.works: list[Work] = []
        #: Called when a run begins; what it raises ends it as a worker's death would.
        #: Seconds that stand for those that a run may take.
        self.at_most: float | None = None
        self.before: Callable[[Work], None] = lambda _work: None

    def run(
        self,
        work: Work,
        *,
        on_event: Callable[[TaskEvent], None],
        cancel: Cancellation | None = None,
    ) -> Outcome:
        if not self.there:
            raise Unavailable("Ansible is not on PATH, and may not be installed", 300.0)
        self.works.append(work)
        self.before(work)
        if not (work.folder / f"{work.playbook}.yml").exists():
            return Outcome(Ending.BROKEN, _untouched(work), message="the playbook is not there")
        ending = self._wait(work, cancel)
        if ending is not Ending.DONE:
            return Outcome(ending, _untouched(work))
        outcomes = {t.name: self._one(work, t, on_event) for t in work.targets}
        learned = tuple(
            (t.alias, self.servers.keys[t.address, t.port])
            for t in work.targets
            if (t.address, t.port) in self.servers.keys and not t.known
        )
        return Outcome(Ending.DONE, outcomes, learned)

    def _wait(self, work: Work, cancel: Cancellation | None) -> Ending:
        begun = time.monotonic()
        takes = float(work.variables.get("contract_seconds", 0))
        while time.monotonic() < begun + takes:
            if cancel is not None and cancel.is_set():
                return Ending.CANCELLED
            if time.monotonic() > begun + (self.at_most or work.seconds):
                return Ending.TIMED_OUT
            time.sleep(_TICK)
        return Ending.DONE

    def _one(self, work: Work, target: Target, tell: Callable[[TaskEvent], None]) -> HostOutcome:
        place = (target.address, target.port)
        key = self.servers.keys.get(place)
        if key is None or (target.known and key not in target.known):
            tell(TaskEvent(target.name, "T-1 | The words are there", "unreachable", "no way in"))
            return HostOutcome(HostState.UNREACHABLE)
        words = str(work.variables.get("contract_words", ""))
        changed = self.servers.written.get(place) != words
        status = "changed" if changed else "ok"
        diff = f"+{words}" if changed else ""
        tell(TaskEvent(target.name, "T-1 | The words are there", status, "", diff))
        if changed and not work.check:
            self.servers.written[place] = words
        if target.name in _names(work.variables):
            tell(TaskEvent(target.name, "Fail where it is asked", "failed", "asked to fail"))
            return HostOutcome(HostState.FAILED, 1, int(changed), 1)
        state = HostState.CHANGED if changed else HostState.OK
        return HostOutcome(state, 2, int(changed))


def _names(variables: Mapping[str, object]) -> list[str]:
    listed = variables.get("contract_fail", [])
    return [str(name) for name in listed] if isinstance(listed, list) else []


def _untouched(work: Work) -> dict[str, HostOutcome]:
    return {t.name: HostOutcome(HostState.PENDING) for t in work.targets}
