"""Use cases of runs: ask for one, approve it, stop it, try again, and see what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from control_plane.provisioning.campaigns.model import check_waves, part
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import Deployment
from control_plane.provisioning.playbooks.model import (
    GOOD,
    MOST_MINUTES,
    Host,
    HostState,
    Playbook,
    Run,
    RunState,
    Server,
    digest_of,
    masked,
)
from control_plane.provisioning.playbooks.service.core import SYSTEM
from control_plane.provisioning.playbooks.service.ways import Ways
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    BoroughError,
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.operations.model import OperationState

RUN = "playbook.run"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be run.

    Attributes:
        check: change nothing, and say what would be.
        servers: names of those that it is run on; none takes all.
        waves: how they are parted; none takes the playbook's own.
        minutes: after so long a wave is ended; 0 takes the platform's.
    """

    playbook: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    servers: tuple[str, ...] = ()
    waves: tuple[str, ...] = ()
    minutes: int = 0


class Runs(Ways):
    """Runs, from asking for one to its report."""

    def start(self, actor: Actor, deployment: str, wish: Wish) -> Run:
        """Ask for a run; it begins at once, in its turn, or when another person approved it.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such deployment, or none that the actor may know of; no such playbook.
            Conflict: the deployment has no servers that a playbook could run on.
        """
        playbook = self._playbook(wish.playbook)
        with self._db.transaction():
            there = self._deployment(actor, deployment, "playbook_run.create")
            servers, _ = self._servers(there)
            found = Collector()
            inputs: dict[str, Any] = {}
            try:
                inputs = checked(playbook.schema, wish.inputs)
            except Invalid as error:
                found.include(error)
            waves = wish.waves or playbook.waves
            try:
                check_waves(waves)
            except Invalid as error:
                found.include(error)
            found.check(
                0 <= wish.minutes <= MOST_MINUTES, "minutes", f"must be 0 to {MOST_MINUTES}"
            )
            known = {s.name for s in servers}
            for index, name in enumerate(wish.servers):
                found.check(name in known, f"servers.{index}", "is not a server of the deployment")
            found.finish()
            chosen = [s for s in servers if not wish.servers or s.name in wish.servers]
            return self._begin(actor, there, playbook, wish, inputs, waves, chosen)

    def approve(self, actor: Actor, run_id: str, digest: str) -> Run:
        """Let a run begin, as it was shown.

        Raises:
            Conflict: it does not wait for approval.
            Forbidden: who asked for a run does not approve it.
            NeedsApproval: the digest is not the run's.
        """
        with self._db.transaction():
            there = self._seen(actor, run_id, "playbook_run.approve", lock=True)
            if there.state is not RunState.WAITING:
                raise Conflict(f"the run is {there.state.value}: nothing waits for approval")
            if there.created_by == actor.id:
                raise Forbidden("who asked for a run does not approve it")
            if digest != there.digest:
                raise NeedsApproval(
                    "the run is not the one that you saw", difference=[], approved=digest,
                    current=there.digest,
                )  # fmt: skip
            self._store.save(replace(there, state=RunState.QUEUED, approved_by=actor.id))
            details = {"playbook": there.playbook, "digest": digest}
            self._note(actor, "playbook_run.approve", there.id, there.path, details)
            self.dispatch()
            return self._run(run_id)

    def cancel(self, actor: Actor, run_id: str) -> Run:
        """Stop a run: the tasks that are under way are ended, and no further wave begins.

        Raises:
            Conflict: it has ended.
        """
        with self._db.transaction():
            there = self._seen(actor, run_id, "playbook_run.cancel", lock=True)
            if there.state.ended:
                raise Conflict(f"the run has ended: it {there.state.value}")
            self._note(actor, "playbook_run.cancel", there.id, there.path, {})
            if there.operation:
                self._needs.operations.cancel(SYSTEM, there.operation)
                return there
            return self._close(there, RunState.CANCELLED, "cancelled before it began")

    def retry(self, actor: Actor, run_id: str) -> Run:
        """Run again, with the same inputs, on the servers alone that did not succeed.

        Raises:
            Conflict: it has not ended, every server succeeded, the servers are others by now, or
                its secrets were erased: then a new run asks for them.
        """
        with self._db.transaction():
            before = self._seen(actor, run_id, "playbook_run.create", lock=True)
            if not before.state.ended:
                raise Conflict(f"the run is {before.state.value}")
            left = {h.name for h in self._store.hosts(before.id) if h.state not in GOOD}
            if before.cause.startswith("apply:") and not self._store.hosts(before.id):
                left = set()
            elif not left:
                raise Conflict("every server succeeded: there is nothing to try again")
            playbook = self._playbook(before.playbook)
            there = self._provisioning.deployment_in_transaction(before.deployment_id)
            servers, _ = self._servers(there)
            chosen = [s for s in servers if not left or s.name in left]
            if not chosen:
                raise Conflict("none of these servers is there any more")
            secrets = self._opened(before.id)
            lost = [n for n in playbook.secrets if before.inputs.get(n) and n not in secrets]
            if lost:
                raise Conflict("the secrets of this run were erased: ask for a new run")
            inputs = checked(playbook.schema, {**before.inputs, **secrets})
            wish = Wish(
                before.playbook, check=before.check, waves=before.waves, minutes=before.minutes
            )
            return self._begin(
                actor, there, playbook, wish, inputs, before.waves, chosen,
                cause=f"retry:{before.id}",
            )  # fmt: skip

    def run(self, actor: Actor, run_id: str) -> tuple[Run, list[Host]]:
        """A run and its servers.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._seen(actor, run_id, "playbook_run.view")
            return found, self._store.hosts(found.id)

    def runs(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Run]:
        """The runs that the actor may see, newest first.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``deployment_id``, ``playbook``, ``state``.
        """
        paths = policy.visible_paths(actor, "playbook_run.view")
        with self._db.transaction():
            return self._store.runs(paths, filters or {}, request)

    # For schedules ------------------------------------------------------------------------------

    def after_applies(self, limit: int = 100) -> int:
        """Begin what blueprints name to be run after an apply; answers how many.

        One after the other, each when the one before succeeded; each plan has each of them once.
        What cannot be begun is kept as a run that failed, with the reason.
        """
        with self._db.transaction():
            waiting = self._store.applied(limit)
        return sum(self._after_apply(*each) for each in waiting)

    def _after_apply(self, deployment: str, plan: str, named: Sequence[Any]) -> bool:
        for number, each in enumerate(named):
            cause = f"apply:{plan}:{number}"
            with self._db.transaction():
                if self._store.caused(cause) is not None:
                    continue
                there = self._provisioning.deployment_in_transaction(deployment)
                name = each if isinstance(each, str) else each["name"]
                inputs = {} if isinstance(each, str) else each.get("inputs", {})
                self._caused(there, Wish(name, inputs), cause)
            return True
        return False

    def _caused(self, there: Deployment, wish: Wish, cause: str) -> None:
        try:
            playbook = self._playbook(wish.playbook)
            servers, _ = self._servers(there)
            inputs = checked(playbook.schema, wish.inputs)
        except BoroughError as error:
            at = self._clock.now()
            failed = Run(
                ids.new("pbr"), there.id, there.tenancy_id, there.path, wish.playbook, "",
                dict(wish.inputs), False, ("rest",), self._needs.limits.minutes, cause, "",
                RunState.FAILED, error.message, "", "", SYSTEM.id, at, None, at,
            )  # fmt: skip
            self._store.add(failed, (), None)
            return
        self._begin(SYSTEM, there, playbook, wish, inputs, playbook.waves, servers, cause=cause)

    def dispatch(self) -> int:
        """Begin the runs whose turn it is; answers how many.

        So many are worked on at once in the whole platform, one on a deployment, and none while an
        operation changes the deployment.
        """
        with self._db.transaction():
            self._store.lock_queue()
            running = self._store.in_state(RunState.RUNNING)
            busy = {r.deployment_id for r in running}
            room = self._needs.limits.at_once - len(running)
            begun = 0
            for each in self._store.queued():
                if begun >= room:
                    break
                there = self._provisioning.deployment_in_transaction(each.deployment_id)
                if each.deployment_id in busy or there.operation:
                    continue
                now = self._run(each.id, lock=True)  # it may have been cancelled meanwhile
                if now.state is not RunState.QUEUED:
                    continue
                busy.add(each.deployment_id)
                self._dispatch(now)
                begun += 1
            return begun

    def _dispatch(self, run: Run) -> None:
        started = self._needs.operations.start(
            RUN, subject=run.id, path=run.path,
            inputs={"playbook": run.playbook, "deployment": run.deployment_id, "check": run.check},
            actor=SYSTEM, key=f"{RUN}:{run.id}",
        )  # fmt: skip
        self._store.save(
            replace(run, state=RunState.RUNNING, operation=started.id, started_at=self._clock.now())
        )

    def tidy(self) -> int:
        """Erase the secrets of runs that ended long ago, and end those whose work did.

        Returns:
            Of how many runs secrets were erased.
        """
        with self._db.transaction():
            running = self._store.in_state(RunState.RUNNING)
        for each in running:
            self._settle_lost(each)
        keep = self._clock.now() - timedelta(days=self._needs.limits.keep_days)
        with self._db.transaction():
            old = self._store.with_secrets(keep)
            for run_id in old:
                self._store.erase_secrets(run_id)
        return len(old)

    def _settle_lost(self, run: Run) -> None:
        """End a run whose operation was cancelled before it began, or is stuck."""
        operation = self._needs.operations.get(SYSTEM, run.operation)
        if not operation.state.ended:
            return
        cancelled = operation.state is OperationState.CANCELLED
        state = RunState.CANCELLED if cancelled else RunState.FAILED
        why = "cancelled before it began" if cancelled else "its work ended without a result"
        with self._db.transaction():
            there = self._run(run.id, lock=True)
            if there.state is RunState.RUNNING:
                self._close(there, state, why)

    # Inside -------------------------------------------------------------------------------------

    def _begin(
        self,
        actor: Actor,
        there: Deployment,
        playbook: Playbook,
        wish: Wish,
        inputs: Mapping[str, Any],
        waves: Sequence[str],
        servers: Sequence[Server],
        *,
        cause: str = "",
    ) -> Run:
        made = Run(
            id=ids.new("pbr"),
            deployment_id=there.id,
            tenancy_id=there.tenancy_id,
            path=there.path,
            playbook=playbook.name,
            content=playbook.digest,
            inputs=masked(inputs, playbook.secrets),
            check=wish.check,
            waves=tuple(waves),
            minutes=wish.minutes or self._needs.limits.minutes,
            cause=cause,
            digest="",
            # A blueprint was reviewed with what it names; what it does after an apply is its own.
            state=RunState.WAITING
            if playbook.approval and not wish.check and not cause.startswith("apply:")
            else RunState.QUEUED,
            why="",
            operation="",
            approved_by="",
            created_by=actor.id,
            created_at=self._clock.now(),
        )
        hosts = [
            Host(made.id, s.name, s.alias, s.address, s.user, s.port, wave)
            for s, wave in zip(servers, part(len(servers), waves), strict=True)
        ]
        made = replace(made, digest=digest_of(made, hosts))
        secrets = {n: inputs[n] for n in playbook.secrets if inputs.get(n) not in {None, ""}}
        if not self._store.add(made, hosts, self._sealed(secrets, made.id)):
            raise Conflict("it was begun already")
        details = {
            "deployment": there.id, "playbook": playbook.name, "check": wish.check,
            "servers": len(hosts), "digest": made.digest, "inputs": dict(made.inputs),
        }  # fmt: skip
        self._note(actor, "playbook_run.create", made.id, there.path, details)
        if made.state is RunState.QUEUED:
            self.dispatch()
        return self._run(made.id)

    def _close(self, run: Run, state: RunState, why: str) -> Run:
        """End a run; what was not begun is skipped, what was under way is unknown."""
        left = [h for h in self._store.hosts(run.id) if h.state in _OPEN]
        self._store.save_hosts([replace(h, state=_OPEN[h.state]) for h in left])
        closed = replace(run, state=state, why=why[:2000], ended_at=self._clock.now())
        self._store.save(closed)
        if state is RunState.SUCCEEDED:
            self._store.erase_secrets(run.id)
        return closed


_OPEN = {HostState.PENDING: HostState.SKIPPED, HostState.RUNNING: HostState.UNKNOWN}
