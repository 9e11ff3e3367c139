"""The work of a run: its waves, one after the other, each with a gate behind it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from control_plane.provisioning.playbooks.model import (
    GOOD,
    LONGEST_MESSAGE,
    MOST_TOLD,
    Access,
    Control,
    Host,
    HostKey,
    HostState,
    Redactor,
    Run,
    RunState,
    control_of,
    control_state,
    worst,
)
from control_plane.provisioning.playbooks.ports import Ending, Outcome, Target, TaskEvent, Work
from control_plane.provisioning.playbooks.service.runs import Runs
from control_plane.provisioning.ports import Cancellation
from foundation.kernel.errors import Conflict, NeedsApproval

Tell = Callable[[str, Mapping[str, Any]], None]
_BAD = frozenset({"failed", "unreachable", "item_failed", "again", "ignored"})
_NAMED = 5


class Working(Runs):
    """What workers do; who asked for it was authorised."""

    def prepare(self, run_id: str, operation: str) -> dict[str, Any]:
        """Look once more whether the run is what was asked for; first step.

        Raises:
            Conflict: the servers are others by now, or the run has ended.
            NeedsApproval: the playbooks have changed since.
        """
        with self._db.transaction():
            run = self._mine(run_id, operation)
            playbook = self._playbook(run.playbook)
            if playbook.digest != run.content:
                raise NeedsApproval(
                    "the playbooks have changed since the run was asked for", difference=[]
                )
            there = self._provisioning.deployment_in_transaction(run.deployment_id)
            now = {(s.name, s.alias, s.address, s.user, s.port) for s in self._servers(there)[0]}
            hosts = self._store.hosts(run.id)
        gone = [h.name for h in hosts if (h.name, h.alias, h.address, h.user, h.port) not in now]
        if gone:
            named = ", ".join(gone[:_NAMED])
            raise Conflict(f"the servers are others than when the run was asked for: {named}")
        return {"waves": max((h.wave for h in hosts), default=-1) + 1}

    def run_wave(
        self,
        run_id: str,
        wave: int,
        *,
        operation: str,
        tell: Tell,
        cancel: Cancellation,
        fence: Callable[[], None],
    ) -> dict[str, Any]:
        """Run the playbook on the servers of a wave that are not done yet.

        Called again after a worker died, it runs again on those that were under way: roles bring
        about a state, so doing them twice is doing them once.

        Args:
            run_id: which run.
            wave: from 0.
            operation: the one that works on it.
            tell: receives what happens, live.
            cancel: asked all the time.
            fence: raises Superseded where another worker took over; in the open transaction.

        Returns:
            ``go``: whether the next wave may begin; ``ending`` and the servers by state.

        Raises:
            Unavailable: there is no Ansible on this machine.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            run = self._mine(run_id, operation)
            hosts = [
                replace(h, state=HostState.RUNNING, message="", controls=())
                for h in self._store.hosts(run.id)
                if h.wave == wave and h.state not in GOOD
            ]
            self._store.save_hosts(hosts)
            access = self._store.access(run.tenancy_id)
            if access is None:
                raise Conflict("the platform has no key for the servers of this tenancy any more")
            key, secrets = self._private_key(run.tenancy_id), self._opened(run.id)
            known = self._store.host_keys(run.deployment_id)
        if not hosts:
            return {"go": True, "ending": Ending.DONE, "hosts": {}}
        values = {**run.inputs, **secrets}
        redact = Redactor([key, *(v for v in secrets.values() if isinstance(v, str))])
        live = _Live(run, len(hosts), redact, tell)
        outcome = self._needs.runner.run(
            self._work(run, hosts, access, known, key, values), on_event=live, cancel=cancel
        )
        with self._db.transaction():
            fence()
            settled = [_settled(h, outcome, live) for h in hosts]
            self._store.save_hosts(settled)
            names = {h.alias: h for h in hosts}
            for alias, line in outcome.learned:
                if alias in names:
                    at = self._clock.now()
                    self._store.learn(HostKey(run.deployment_id, alias, line, at))
        counts: dict[str, int] = {}
        for each in settled:
            counts[each.state] = counts.get(each.state, 0) + 1
        good = outcome.ending is Ending.DONE and all(h.state in GOOD for h in settled)
        return {
            "go": good, "ending": outcome.ending, "message": redact(outcome.message),
            "hosts": counts,
        }  # fmt: skip

    def finish(self, run_id: str, operation: str, ending: str, message: str) -> dict[str, Any]:
        """Write down how a run ended; last step, may run again.

        Args:
            run_id: which run.
            operation: the one that works on it.
            ending: how its last wave ended, or ``cancelled``, or ``broken``.
            message: why it is broken.
        """
        with self._db.transaction():
            run = self._run(run_id, lock=True)
            hosts = self._store.hosts(run.id)
            if run.operation != operation or run.state is not RunState.RUNNING:
                return {"state": run.state.value, "why": run.why}
            state, why = _verdict(run, hosts, ending, message)
            closed = self._close(run, state, why)
        self.dispatch()
        return {"state": closed.state.value, "why": closed.why}

    def _mine(self, run_id: str, operation: str) -> Run:
        run = self._run(run_id, lock=True)
        if run.operation != operation or run.state is not RunState.RUNNING:
            raise Conflict(f"the run is {run.state.value}")
        return run

    def _work(
        self,
        run: Run,
        hosts: Sequence[Host],
        access: Access,
        known: Sequence[HostKey],
        key: str,
        values: Mapping[str, Any],
    ) -> Work:
        playbook = self._playbook(run.playbook)
        return Work(
            folder=self._needs.playbooks.folder,
            playbook=run.playbook,
            targets=tuple(
                Target(
                    h.name, h.alias, h.address, h.port, h.user, access.become,
                    tuple(k.line for k in known if k.alias == h.alias),
                )
                for h in hosts
            ),
            variables={playbook.variables[n]: v for n, v in values.items() if v is not None},
            private_key=key,
            check=run.check,
            seconds=run.minutes * 60.0,
        )  # fmt: skip


class _Live:
    """Passes on what happens, without secrets, and keeps what is said of each server."""

    def __init__(self, run: Run, hosts: int, redact: Redactor, tell: Tell) -> None:
        self._check = run.check
        self._redact = redact
        self._tell = tell
        self._told = 0
        self._most = max(MOST_TOLD // max(len(run.waves), 1), hosts)
        self.messages: dict[str, str] = {}
        self.controls: dict[str, list[Control]] = {}

    def __call__(self, event: TaskEvent) -> None:
        message = self._redact(event.message)[:LONGEST_MESSAGE]
        if event.status in {"failed", "unreachable"}:
            # What a rescue says last is what a person should read first.
            self.messages[event.host] = f"{event.task}: {message}"[:LONGEST_MESSAGE]
        control, state = control_of(event.task), control_state(event.status, check=self._check)
        if control is not None and state is not None:
            found = Control(*control, state, message[:500])
            self.controls.setdefault(event.host, []).append(found)
        self._told += 1
        if self._told > self._most and event.status not in _BAD:
            return
        data = {
            "host": event.host, "task": event.task, "status": event.status,
            "message": f"{event.host}: {event.task}: {event.status}",
        }  # fmt: skip
        if message:
            data["said"] = message
        if event.diff:
            data["diff"] = self._redact(event.diff)
        self._tell("playbook.task", data)


def _settled(host: Host, outcome: Outcome, live: _Live) -> Host:
    found = outcome.hosts[host.name]
    cut_off = found.state in {HostState.PENDING, HostState.UNKNOWN}
    bad = found.state not in GOOD
    return replace(
        host,
        state=HostState.UNKNOWN if cut_off else found.state,
        ok=found.ok,
        changed=found.changed,
        failed=found.failed,
        skipped=found.skipped,
        message=live.messages.get(host.name, "") if bad else "",
        controls=worst(live.controls.get(host.name, ())),
    )


def _verdict(run: Run, hosts: Sequence[Host], ending: str, message: str) -> tuple[RunState, str]:
    if ending == Ending.CANCELLED:
        return RunState.CANCELLED, "cancelled on request"
    if ending == Ending.TIMED_OUT:
        return RunState.FAILED, f"a wave took longer than {run.minutes} minutes"
    if ending == Ending.BROKEN:
        return RunState.FAILED, message or "the playbook could not be run"
    bad = [h for h in hosts if h.state not in GOOD | {HostState.PENDING}]
    if bad:
        named = ", ".join(f"{h.name} ({h.state.value})" for h in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        return RunState.FAILED, f"not every server succeeded: {named}{more}"
    return RunState.SUCCEEDED, ""
