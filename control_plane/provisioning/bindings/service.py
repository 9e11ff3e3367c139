"""Use cases of bindings."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from control_plane.provisioning.bindings.model import (
    LONGEST_OVERLAP_HOURS,
    TOUCHED,
    Binding,
    BindingState,
    Credential,
    Offer,
    users,
)
from control_plane.provisioning.bindings.ports import BindingStore, Owners
from control_plane.provisioning.graph import Preview
from control_plane.provisioning.model import Deployment, DeploymentState, Plan
from control_plane.provisioning.ports import Audit
from control_plane.provisioning.service import Provisioning
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, NeedsApproval, NotFound
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from foundation.operations.service import Operations

APPLY = "binding.apply"
DEFAULT_OVERLAP_HOURS = 24

_PLATFORM = Actor.system("platform")
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
_LONGEST_NAME = 40
_CAPACITY = "capacity.region"


@dataclass(frozen=True, slots=True)
class Needs:
    """What bindings work with."""

    store: BindingStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    operations: Operations
    provisioning: Provisioning
    owners: Owners


class Bindings:
    """A department's own credentials on its services."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._provisioning = needs.provisioning

    # Showing them -----------------------------------------------------------------------------

    def bindings(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Binding]:
        """The bindings that the actor may see, newest first; deleted ones only by their state.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``deployment_id``, ``tenancy_id``, ``state``.
        """
        paths = policy.visible_paths(actor, "binding.view")
        with self._db.transaction():
            return self._store.bindings(paths, filters or {}, request)

    def binding(self, actor: Actor, binding_id: str) -> Binding:
        """One binding.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, binding_id, "binding.view")

    def offer(
        self, actor: Actor, deployment: str
    ) -> tuple[Deployment, Offer | None, list[Binding]]:
        """What a deployment offers to bind to, and its bindings, by name.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            policy.require(actor, "binding.view", there.path, "deployment")
            return there, self._offer(there), self._store.of_deployment(there.id)

    # Changing them ----------------------------------------------------------------------------

    def create(
        self, actor: Actor, deployment: str, *, name: str, target: str = "", access: str = ""
    ) -> Binding:
        """Have a user of one's own made on a service.

        Args:
            actor: who asks.
            deployment: which.
            name: of the user: lower-case letters and digits, parts joined by underscores.
            target: what it may use; empty for the first that there is.
            access: how; empty for the first that the blueprint offers.

        Raises:
            Invalid: names every wrong field.
            Conflict: the service offers no bindings, is not active, or is being changed.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._idle(actor, deployment, "binding.create")
            offer = self._offer(there)
            if offer is None:
                raise Conflict(f"{there.blueprint} offers no bindings")
            known = self._store.of_deployment(there.id, lock=True)
            targets = [str(each) for each in _listed(there.inputs.get(offer.targets))]
            target = target or next(iter(targets), "")
            access = access or offer.access[0]
            found = Collector()
            found.check(
                _NAME.fullmatch(name) and len(name) <= _LONGEST_NAME,
                "name",
                f"must be 1 to {_LONGEST_NAME} lower-case letters and digits, parts joined by "
                "underscores and begun with a letter",
            )
            taken = {b.name for b in known} | {u["name"] for u in _users(there, offer)}
            found.check(name not in taken, "name", "is taken on this service", "taken")
            found.check(target in targets, "target", f"must be one of {', '.join(targets)}")
            found.check(
                access in offer.access, "access", f"must be one of {', '.join(offer.access)}"
            )
            found.finish()
            at = self._clock.now()
            first = self._store.newest(there.id, name) + 1
            made = Binding(
                ids.new("bnd"), there.id, there.tenancy_id, there.path, name, target, access,
                BindingState.CHANGING, (first,), (), first, 0, 0, None, "", "", actor.name, at, at,
                None,
            )  # fmt: skip
            return self._begin(actor, "binding.create", there, made)

    def rotate(
        self, actor: Actor, binding_id: str, *, overlap_hours: int = DEFAULT_OVERLAP_HOURS
    ) -> Binding:
        """Have a new credential made; the one before works on for so long beside it.

        Raises:
            Invalid: the overlap is too long.
            Conflict: it or its service is being changed, or the last change of it failed.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there, now = self._changeable(actor, binding_id, "binding.rotate")
            found = Collector()
            found.check(
                0 <= overlap_hours <= LONGEST_OVERLAP_HOURS,
                "overlap_hours",
                f"must be from 0 to {LONGEST_OVERLAP_HOURS}",
            )
            found.finish()
            if now.state is not BindingState.ACTIVE or now.current is None:
                raise Conflict(f"the binding is {now.state.value}: try again what failed first")
            fresh = now.newest + 1
            wanted = (now.current, fresh) if overlap_hours else (fresh,)
            changed = now.changing(wanted, self._clock.now(), overlap_hours=overlap_hours)
            return self._begin(actor, "binding.rotate", there, changed)

    def delete(self, actor: Actor, binding_id: str) -> Binding:
        """Have a user and all its credentials taken away.

        Raises:
            Conflict: it or its service is being changed.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there, now = self._changeable(actor, binding_id, "binding.delete")
            return self._begin(actor, "binding.delete", there, now.changing((), self._clock.now()))

    def retry(self, actor: Actor, binding_id: str) -> Binding:
        """Try again what failed, with the same credentials.

        Raises:
            Conflict: nothing failed, or the service is being changed.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there, now = self._changeable(actor, binding_id, "binding.rotate")
            if now.state is not BindingState.FAILED:
                raise Conflict(f"the binding is {now.state.value}: there is nothing to try again")
            again = now.changing(now.wanted, self._clock.now(), overlap_hours=now.overlap_hours)
            return self._begin(actor, "binding.retry", there, again)

    def reveal(self, actor: Actor, binding_id: str) -> Credential:
        """Show the newest credential, once; it is written into the audit log.

        Raises:
            Conflict: it was shown already, or there is none yet.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            now = self._seen(actor, binding_id, "binding.reveal", lock=True)
            number = now.current
            if number is None:
                raise Conflict("it has no credential yet")
            if not now.revealable:
                raise Conflict("its credential was shown already: renew it to get another")
            there = self._provisioning.deployment_in_transaction(now.deployment_id)
            offer = self._offer(there)
            if offer is None:
                raise Conflict(f"{there.blueprint} offers no bindings")
            secret = self._provisioning.secret_output(there.id, offer.output)
            kept = json.loads(str(secret)) if secret else {}
            logins = kept.get(now.name, {}).get("logins", [])
            mine = next((each for each in logins if each["credential"] == number), None)
            if mine is None:
                raise Conflict("the service does not have it any more: renew it")
            self._store.put(replace(now, revealed=number))
            self._note(actor, "binding.reveal", now, {"credential": number})
        facts = {name: there.outputs.get(name) for name in ("port", "ca_certificate")}
        return Credential(
            {
                "host": mine["host"],
                "port": facts["port"],
                "login": mine["login"],
                "target": now.target,
                "ca_certificate": facts["ca_certificate"],
            },
            mine["password"],
        )

    # Steps of the work ------------------------------------------------------------------------

    def plan(self, binding_id: str) -> dict[str, Any]:
        """Plan what a binding wants; step of the work.

        Raises:
            NeedsApproval: more than secrets and jobs would change; nothing was touched.
            Conflict: a policy forbids it.
            Invalid: the blueprint does not take it.
        """
        with self._db.transaction():
            now = self._existing(binding_id)
            there = self._provisioning.deployment_in_transaction(now.deployment_id)
            offer = self._offer(there)
            others = self._store.of_deployment(there.id)
            last = self._provisioning.plan_in_transaction(there.plan_id) if there.plan_id else None
        if offer is None:
            raise Conflict(f"{there.blueprint} offers no bindings any more")
        inputs = {**there.inputs, offer.input: users(_users(there, offer), others, now)}
        plan = self._provisioning.make_plan(
            tenancy=there.tenancy_id, action="change", deployment=there.id, inputs=inputs
        )
        _check_harmless(plan, last)
        return {"plan": plan.id, "digest": plan.digest}

    def record(self, binding_id: str, operation: str) -> dict[str, Any]:
        """Write down that what was wanted is so; last step of the work, may run again."""
        at = self._clock.now()
        with self._db.transaction():
            now = self._existing(binding_id, lock=True)
            if now.operation != operation or now.state is not BindingState.CHANGING:
                return {"state": now.state.value}
            there = self._provisioning.deployment_in_transaction(now.deployment_id)
            if there.owner:
                self._needs.owners.adopted(there.owner, there.inputs, {})
            overlapping = len(now.wanted) > 1
            done = replace(
                now,
                state=BindingState.ACTIVE if now.wanted else BindingState.DELETED,
                valid=now.wanted,
                overlap_until=at + timedelta(hours=now.overlap_hours) if overlapping else None,
                changed_at=at,
                deleted_at=None if now.wanted else at,
            )
            self._store.put(done)
            return {"state": done.state.value}

    def record_failure(self, binding_id: str, operation: str, error: str) -> dict[str, Any]:
        """Write down that the work failed; what was valid before still is."""
        with self._db.transaction():
            now = self._existing(binding_id, lock=True)
            if now.operation == operation and now.state is BindingState.CHANGING:
                failed = replace(
                    now, state=BindingState.FAILED, error=error, changed_at=self._clock.now()
                )
                self._store.put(failed)
        return {}

    def tidy(self) -> int:
        """Begin to take away old credentials whose overlap is over, and forget what is gone.

        Returns:
            How many credentials are being taken away.
        """
        at = self._clock.now()
        with self._db.transaction():
            for gone in self._store.orphans():
                self._store.put(
                    replace(
                        gone, state=BindingState.DELETED, valid=(), deleted_at=at, changed_at=at
                    )
                )
            due = self._store.due(at)
        return sum(self._end_overlap(each.id) for each in due)

    def _end_overlap(self, binding_id: str) -> bool:
        try:
            with self._db.transaction():
                there, now = self._changeable(_PLATFORM, binding_id, "binding.rotate")
                if now.state is not BindingState.ACTIVE or now.current is None:
                    return False
                changed = now.changing((now.current,), self._clock.now())
                self._begin(_PLATFORM, "binding.rotate", there, changed)
        except Conflict:
            return False  # its service is being changed: the next turn
        return True

    # Inside -----------------------------------------------------------------------------------

    def _begin(self, actor: Actor, action: str, there: Deployment, wish: Binding) -> Binding:
        self._store.put(wish)
        started = self._needs.operations.start(
            APPLY,
            subject=wish.id,
            path=there.path,
            inputs={"deployment": there.id, "credentials": list(wish.wanted)},
            actor=actor,
        )
        begun = replace(wish, operation=started.id)
        self._store.put(begun)
        self._note(actor, action, begun, {"operation": started.id, "wanted": list(wish.wanted)})
        return begun

    def _changeable(self, actor: Actor, binding_id: str, action: str) -> tuple[Deployment, Binding]:
        now = self._seen(actor, binding_id, action)
        there = self._idle(actor, now.deployment_id, action)
        self._store.of_deployment(there.id, lock=True)
        now = self._existing(binding_id, lock=True)
        if now.state is BindingState.DELETED:
            raise Conflict("the binding is deleted")
        return there, now

    def _idle(self, actor: Actor, deployment: str, action: str) -> Deployment:
        there = self._provisioning.deployment_in_transaction(deployment)
        policy.require(actor, action, there.path, "deployment")
        others = self._store.of_deployment(there.id, lock=True)
        at_work = next((b for b in others if b.state is BindingState.CHANGING), None)
        if at_work is not None:
            raise Conflict(
                f"the binding {at_work.name} is being changed", operation=at_work.operation
            )
        if there.operation:
            raise Conflict(
                f"the operation {there.operation} works on the service", operation=there.operation
            )
        if there.state not in {DeploymentState.ACTIVE, DeploymentState.FAILED}:
            raise Conflict(f"the service is {there.state.value}")
        return there

    def _offer(self, there: Deployment) -> Offer | None:
        return Offer.of(self._provisioning.find_revision(there.revision).inputs)

    def _existing(self, binding_id: str, *, lock: bool = False) -> Binding:
        found = self._store.binding(binding_id, lock=lock)
        if found is None:
            raise NotFound("there is no such binding")
        return found

    def _seen(self, actor: Actor, binding_id: str, action: str, *, lock: bool = False) -> Binding:
        found = self._existing(binding_id, lock=lock)
        policy.require(actor, action, found.path, "binding")
        return found

    def _note(
        self, actor: Actor, action: str, binding: Binding, details: Mapping[str, Any]
    ) -> None:
        full = {"deployment": binding.deployment_id, "name": binding.name, **details}
        self._needs.audit.record(actor, action, subject=binding.id, path=binding.path, details=full)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return list(value) if isinstance(value, list | tuple) else []


def _users(there: Deployment, offer: Offer) -> list[Mapping[str, Any]]:
    return _listed(there.inputs.get(offer.input))


def _check_harmless(plan: Plan, last: Plan | None) -> None:
    """Refuse a plan that somebody would have to approve."""
    effective = Preview(plan.changes).effective
    beyond = [c for c in effective if c.type not in TOUCHED]
    charged = last is not None and last.hourly != plan.hourly
    if beyond or charged or any(plan.quota.values()):
        names = ", ".join(c.name for c in beyond) or "quota or cost"
        raise NeedsApproval(
            f"more than credentials would change ({names}): order a change of the service first",
            difference=[c.document() for c in beyond],
        )
    known = {f.policy for f in last.findings} if last else set()
    blocked = [f for f in plan.blocked if f.policy not in {*known, _CAPACITY}]
    if blocked:
        raise Conflict("; ".join(f"{f.subject}: {f.message.en}" for f in blocked))
