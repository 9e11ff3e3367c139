"""Use cases of drift: bring back what was applied, or want what is there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from control_plane.provisioning import differences
from control_plane.provisioning.drift import model
from control_plane.provisioning.drift.matching import Target, counted, explaining
from control_plane.provisioning.drift.model import Finding, FindingState
from control_plane.provisioning.drift.service.looking import ADOPT, REPAIR, Looking
from control_plane.provisioning.graph import Change, DriftKind, Graph, Json, Op, Preview
from control_plane.provisioning.model import Deployment, DeploymentState, Plan
from control_plane.provisioning.ports import ProgramError
from control_plane.provisioning.service.carrying import Watch
from foundation.kernel.actor import Actor
from foundation.kernel.canonical import decimal_text
from foundation.kernel.errors import Collector, Conflict, Invalid, NeedsApproval
from foundation.operations.model import Operation

_ROUNDS = 3
_ZERO = Decimal(0)
_CAPACITY = "capacity.region"
"""A finding that says nothing here: what is adopted is in the region already."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What adopting comes to.

    Attributes:
        inputs: what the deployment has afterwards.
        inputs_by_urn: by resource that the program describes by then, the inputs that do; empty
            for a property that the program says nothing of.
        taken: ids of the findings of these resources.
        deviations: ids of the findings that no input describes.
        change: of the quota that the deployment holds.
        plan_id: the plan that was applied last when it was worked out.
    """

    inputs: Mapping[str, Json]
    inputs_by_urn: Mapping[str, str]
    taken: tuple[str, ...]
    deviations: tuple[str, ...]
    change: Mapping[str, Decimal]
    plan_id: str

    def document(self) -> dict[str, Any]:
        """As a step keeps it."""
        return {
            "inputs": dict(self.inputs),
            "inputs_by_urn": dict(self.inputs_by_urn),
            "taken": list(self.taken),
            "deviations": list(self.deviations),
            "change": {name: decimal_text(amount) for name, amount in self.change.items()},
            "plan_id": self.plan_id,
        }

    @staticmethod
    def read(document: Mapping[str, Any]) -> "Adoption":
        """It again, from what a step kept."""
        return Adoption(
            document["inputs"],
            document["inputs_by_urn"],
            tuple(document["taken"]),
            tuple(document["deviations"]),
            {name: Decimal(amount) for name, amount in document["change"].items()},
            document["plan_id"],
        )


class Deciding(Looking):
    """What is done about drift."""

    # Repair -----------------------------------------------------------------------------------

    def request_repair(
        self,
        actor: Actor,
        deployment: str,
        *,
        everything: bool = False,
        remove: Collection[str] = (),
        reason: str = "",
    ) -> Operation:
        """Start an operation that brings back what was applied last.

        Args:
            actor: who asks.
            deployment: which; all of its drift is repaired together, but for what was added.
            everything: also what is ignored or was accepted, but for what was added.
            remove: of what was added, the ids of what is to go; the rest is left as it is.
            reason: for the record.

        Raises:
            Invalid: ``remove`` names what was not added, or lies where others work too.
            Conflict: nothing is open; something is ignored or accepted and would be undone; all
                that differs was added and none of it is named; it is not active, or an operation
                works on it.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._idle(actor, deployment, REPAIR)
            everywhere = self._store.standing(there.id)
            if not everywhere:
                raise Conflict("nothing is known to differ: check the deployment first")
            _check_removable(everywhere, remove)
            standing = _chosen(everywhere, remove)
            if not standing:
                raise Conflict(
                    "all that differs was added, and is only removed by its id",
                    findings=[f.id for f in everywhere],
                )
            kept = [f for f in standing if f.state is not FindingState.OPEN and not f.added]
            if kept and not everything:
                names = ", ".join(sorted({f.name for f in kept}))
                raise Conflict(
                    f"a repair would also undo what is ignored or accepted ({names}): say that "
                    "everything is to be repaired",
                    findings=[f.id for f in kept],
                )
            inputs = {"reason": reason, "everything": everything, "by": actor.name,
                      "remove": sorted(set(remove))}  # fmt: skip
            started = self._start(actor, REPAIR, there, inputs)
            self._note(
                actor, REPAIR, there,
                {"operation": started.id, "reason": reason, "findings": [f.id for f in standing],
                 "remove": inputs["remove"]},
            )  # fmt: skip
            return started

    def verify_repair(
        self, deployment: str, *, everything: bool, remove: Collection[str] = ()
    ) -> dict[str, Any]:
        """What was applied last is still what its program says; step of the repair.

        Returns:
            ``findings``: ids of what is repaired; ``brought_back``: whether any of it is more than
            a removal.

        Raises:
            NeedsApproval: it is not: a repair would do something that nobody approved.
            Conflict: something was ignored or accepted meanwhile.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            standing = _chosen(self._store.standing(there.id), remove)
        rest = [f for f in standing if not f.added]
        if not everything and any(f.state is not FindingState.OPEN for f in rest):
            raise Conflict("something was ignored or accepted meanwhile")
        pending = self._provisioning.outlook(there).effective if rest else ()
        if pending:
            raise _unapproved("what would be repaired is not what was approved", pending)
        return {"findings": [f.id for f in standing], "brought_back": bool(rest)}

    def remove(self, deployment: str, ids: Collection[str]) -> dict[str, Any]:
        """Remove what was added, by the cloud's ids; step of the repair, may run again.

        Raises:
            StackBusyError: something works on it.
            EngineError: the region did not answer, or refused.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
        return {"removed": list(self._provisioning.take_away(there, ids))}

    def check_repaired(self, deployment: str, removed: Collection[str]) -> None:
        """Nothing differs after a repair that removed these, but for what was left.

        Raises:
            Conflict: something does, and is named.
        """
        with self._db.transaction():
            left = _chosen(self._store.standing(deployment), removed)
        if left:
            names = ", ".join(" ".join(filter(None, (f.name, f.attribute))) for f in left)
            raise Conflict(
                f"the region still differs after the repair: {names}",
                findings=[f.id for f in left],
            )

    def repair(self, deployment: str, watch: Watch) -> dict[str, Any]:
        """Bring back what was applied last; step of the repair, may run again.

        Raises:
            NeedsApproval: more than that would be done; nothing was touched.
            Unavailable: another operation works on it.
            EngineError: the region did not answer.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            standing = self._store.standing(there.id)
        drifted = {f.urn: f.kind for f in standing if not f.added}

        def judge(fresh: Preview, _again: bool) -> None:  # noqa: FBT001 - as it is called
            beyond = model.beyond_repair(fresh, drifted)
            if beyond:
                raise _unapproved("a repair would do more than bring back what was", beyond)

        done = self._provisioning.bring_back(there, judge, watch)
        return {"deployment": done.id, "state": done.state.value, "error": done.error}

    def record_repair(
        self, deployment: str, operation: str, findings: Sequence[str], *, by: str, reason: str
    ) -> dict[str, Any]:
        """Close what was repaired; step of the repair."""
        at = self._clock.now()
        with self._db.transaction():
            self._store.standing(deployment, lock=True)
            # A look may have closed them meanwhile, as gone by themselves.
            there = [self._existing(each) for each in findings]
            self._store.put(
                f.turned(
                    FindingState.REPAIRED,
                    at=at,
                    by=by,
                    reason=reason,
                    closes=True,
                    operation=operation,
                )
                for f in there
                if f.operation != operation or f.closed_at is None
            )
        return {"repaired": len(there)}

    # Adopt ------------------------------------------------------------------------------------

    def request_adopt(
        self, actor: Actor, deployment: str, *, findings: Collection[str] = (), reason: str
    ) -> Operation:
        """Start an operation that wants what is there: through inputs, or as a deviation.

        Args:
            actor: who asks.
            deployment: which.
            findings: which of its findings, each with the others of its resource; none for all
                that are open or ignored.
            reason: why; it is kept.

        Raises:
            Invalid: no reason, or findings that are not this deployment's or do not stand.
            Conflict: nothing is open; it is not active, or an operation works on it.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._idle(actor, deployment, ADOPT)
            undecided = [f for f in self._store.standing(there.id) if not f.deviation]
            known = {f.id for f in undecided}
            found = Collector()
            found.check(reason.strip(), "reason", "is required")
            for each in sorted(set(findings) - known):
                message = f"{each} is not a finding of this deployment that can be adopted"
                found.check(False, "findings", message)
            found.finish()
            if not undecided:
                raise Conflict("nothing is known to differ: check the deployment first")
            chosen = sorted(set(findings) or known)
            inputs = {"findings": chosen, "reason": reason.strip(), "by": actor.name}
            started = self._start(actor, ADOPT, there, inputs)
            self._note(
                actor, ADOPT, there,
                {"operation": started.id, "reason": reason.strip(), "findings": chosen},
            )  # fmt: skip
            return started

    def resolve(self, deployment: str, findings: Sequence[str]) -> Adoption:
        """Work out what adopting comes to; step of the adoption. Nothing is changed.

        Raises:
            Conflict: a finding does not stand any more; no input describes what quota or meters
                see; or a policy forbids what it would be.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            standing = [f for f in self._store.standing(there.id) if not f.deviation]
        chosen = {f.urn for f in standing if f.id in set(findings)}
        if not set(findings) <= {f.id for f in standing}:
            raise Conflict("what was to be adopted is not there any more: look again")
        added = [f for f in standing if f.urn in chosen and f.added]
        _check_added(added)
        targets = _targets([f for f in standing if f.urn in chosen and not f.added])
        inputs, by_urn = self._inputs_for(there, targets) if targets else (dict(there.inputs), {})
        rest = [t for t in targets if t.urn not in by_urn]
        self._check_rest(there, [t for t in targets if not by_urn.get(t.urn)])
        change: Mapping[str, Decimal] = {}
        if by_urn:
            change = self._change(there, self._planned(there, inputs))
        left = {t.urn for t in rest} | {f.urn for f in added}
        return Adoption(
            inputs=inputs,
            inputs_by_urn=by_urn,
            taken=tuple(f.id for f in standing if f.urn in by_urn),
            deviations=tuple(f.id for f in standing if f.urn in left),
            change=change,
            plan_id=there.plan_id or "",
        )

    def reserve(self, deployment: str, operation: str, adoption: Adoption) -> dict[str, Any]:
        """Hold the quota that an adoption takes; step of the adoption, may run again.

        Raises:
            QuotaExceeded: it does not fit; ``details["exceeded"]`` says where.
        """
        if adoption.change:
            with self._db.transaction():
                there = self._provisioning.deployment_in_transaction(deployment)
                self._needs.tenancy.reserve(_key(operation), there.tenancy_id, adoption.change)
        return {"reserved": bool(adoption.change)}

    def release(self, operation: str, adoption: Adoption) -> dict[str, Any]:
        """Give back what was reserved for an adoption that failed."""
        if adoption.change:
            with self._db.transaction():
                self._needs.tenancy.release(_key(operation))
        return {}

    def carry_out(self, deployment: str, operation: str, adoption: Adoption) -> dict[str, Any]:
        """Write reality into the state and the inputs; step of the adoption, may run again.

        Raises:
            Conflict: the deployment has changed meanwhile.
            Unavailable: another operation works on it.
            EngineError: the region did not answer.
        """
        if not adoption.inputs_by_urn:
            return {}
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            taken = [self._existing(each) for each in adoption.taken]
        missing = {f.urn for f in taken if f.kind is DriftKind.MISSING}
        done = there.last_operation == operation and there.inputs == adoption.inputs
        if not done:
            if (there.plan_id or "") != adoption.plan_id:
                raise Conflict("the deployment was changed meanwhile")
            self._provisioning.accept(
                there, tuple(adoption.inputs_by_urn), operation, missing=missing
            )
            plan = self._planned(there, adoption.inputs)
            if Preview(plan.changes).effective:
                raise Conflict("the region has changed meanwhile: look again")
            made = self._provisioning.apply(plan.id, operation=operation, digest=plan.digest)
            if made.state is not DeploymentState.ACTIVE:
                raise Conflict(made.error or f"the deployment is {made.state.value}")
        return {"inputs": dict(adoption.inputs)}

    def record_adoption(
        self, deployment: str, operation: str, adoption: Adoption, *, by: str, reason: str
    ) -> dict[str, Any]:
        """Consume the quota, tell the owner, close the findings; last step of the adoption."""
        at = self._clock.now()
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            self._store.standing(there.id, lock=True)
            # A look may have closed them meanwhile: they do not differ any more.
            taken = [self._existing(each) for each in adoption.taken]
            left = [self._existing(each) for each in adoption.deviations]
            if not any(f.operation == operation for f in (*taken, *left)):
                self._consume(there, operation, adoption)
                self._store.put(
                    f.turned(
                        FindingState.ADOPTED,
                        at=at,
                        by=by,
                        reason=reason,
                        closes=True,
                        input=adoption.inputs_by_urn[f.urn],
                        operation=operation,
                    )
                    for f in taken
                )
                self._store.put(
                    f.turned(FindingState.ADOPTED, at=at, by=by, reason=reason, operation=operation)
                    for f in left
                    if f.closed_at is None
                )
        return {
            "adopted": len(taken),
            "deviations": len(left),
            "inputs": sorted(set(", ".join(adoption.inputs_by_urn.values()).split(", ")) - {""}),
        }

    # Inside -----------------------------------------------------------------------------------

    def _consume(self, there: Deployment, operation: str, adoption: Adoption) -> None:
        if adoption.change:
            try:
                self._needs.tenancy.consume(_key(operation))
            except Conflict:
                # It would give back what nobody had taken.
                self._needs.tenancy.release(_key(operation))
            if there.stands_alone:
                self._store.keep_reservation(there.id, _key(operation))
        if adoption.inputs_by_urn and there.owner:
            self._needs.owners.adopted(there.owner, adoption.inputs, adoption.change)

    def _inputs_for(
        self, there: Deployment, targets: list[Target]
    ) -> tuple[dict[str, Json], dict[str, str]]:
        """The inputs that describe targets, and by URN the inputs that do."""
        present = dict(there.inputs)
        before = _by_urn(self._provisioning.outlook(there, real=True))
        # An apply would not touch them: the program says nothing of what differs.
        by_urn = {t.urn: "" for t in targets if t.urn not in before}
        if there.is_landing and not there.owner:
            return present, by_urn  # its inputs are the tenancy's quota, and follow it
        schema = self._provisioning.find_revision(there.revision).inputs
        considered = [t for t in targets if t.urn in before]
        for _ in range(_ROUNDS):
            found = explaining(
                schema, present, considered, lambda inputs: self._declared(there, inputs)
            )
            if not found:
                break
            inputs = {**present, **found}
            after = _by_urn(self._provisioning.outlook(there, inputs=inputs, real=True))
            described = [t.urn for t in considered if t.urn not in after]
            if after == {urn: c for urn, c in before.items() if urn not in described}:
                return inputs, by_urn | dict.fromkeys(described, ", ".join(sorted(found)))
            # They disturb what they do not describe: without those, fewer inputs may do.
            considered = [t for t in considered if t.urn in described]
        return present, by_urn

    def _declared(self, there: Deployment, inputs: Mapping[str, Json]) -> Graph | None:
        try:
            return self._provisioning.declared(there, inputs)
        except ProgramError:
            return None

    def _check_rest(self, there: Deployment, rest: list[Target]) -> None:
        """What no input describes may differ only in what nobody counts."""
        if not rest:
            return
        graph = self._provisioning.declared(there, there.inputs)
        facts = self._provisioning.region_access(there.region_id).config
        nodes = {n.urn: n for n in graph.resources}
        counts = sorted(
            nodes[t.urn].logical_name
            for t in rest
            if t.urn in nodes and counted(nodes[t.urn], t, facts)
        )
        if counts:
            names = ", ".join(counts)
            raise Conflict(
                f"no input of the blueprint describes what {names} is now, and quota or usage "
                "would be wrong: repair it, ignore it until a date, or order a change",
                resources=counts,
            )

    def _planned(self, there: Deployment, inputs: Mapping[str, Json]) -> Plan:
        """The plan with other inputs; what a policy forbids anew is not adopted."""
        try:
            plan = self._provisioning.make_plan(
                tenancy=there.tenancy_id, action="change", deployment=there.id, inputs=inputs
            )
        except Invalid as error:
            raise Conflict(error.message) from None
        with self._db.transaction():
            last = self._provisioning.plan_in_transaction(there.plan_id) if there.plan_id else None
        known = {f.policy for f in last.findings} if last else set()
        blocked = [f for f in plan.blocked if f.policy not in {*known, _CAPACITY}]
        if blocked:
            said = "; ".join(f"{f.subject}: {f.message.en}" for f in blocked)
            raise Conflict(
                f"a policy forbids what it would be: {said}",
                findings=[f.document() for f in blocked],
            )
        return plan

    @staticmethod
    def _change(there: Deployment, plan: Plan) -> dict[str, Decimal]:
        """What an adoption adds to the quota that is held.

        Nobody reserved anything for a deployment without an order, so it gives nothing back.
        """
        found = {
            name: plan.footprint.get(name, _ZERO) - there.footprint.get(name, _ZERO)
            for name in sorted({*plan.footprint, *there.footprint})
        }
        return {n: a for n, a in found.items() if a and (there.owner or a > 0)}


def _chosen(standing: Sequence[Finding], remove: Collection[str]) -> list[Finding]:
    """What a repair is about: all but what was added, and of that what is named."""
    return [f for f in standing if not f.added or f.attribute in remove]


def _check_removable(standing: Sequence[Finding], remove: Collection[str]) -> None:
    """Raises ``Invalid`` for each id that a repair may not remove."""
    added = {f.attribute: f for f in standing if f.added}
    found = Collector()
    for each in sorted(set(remove)):
        if found.check(
            each in added, "remove", f"{each} is not known to have been added to this deployment"
        ):
            message = f"{each} lies where others work too: remove it where it is used"
            found.check(added[each].removable, "remove", message)
    found.finish()


def _check_added(added: Sequence[Finding]) -> None:
    """Only what nobody counts is accepted where it was added."""
    counts = sorted(f"{f.name}: {f.attribute}" for f in added if not f.removable)
    if counts:
        raise Conflict(
            f"quota and usage would be wrong with what was added ({', '.join(counts)}): import it "
            "as a deployment, ignore it until a date, or remove it where it is used",
            resources=counts,
        )


def _targets(findings: Sequence[Finding]) -> list[Target]:
    by_urn: dict[str, list[Finding]] = {}
    for each in findings:
        by_urn.setdefault(each.urn, []).append(each)
    return [
        Target(
            urn,
            each[0].kind,
            {f.attribute: f.found for f in each if f.kind is DriftKind.CHANGED},
        )
        for urn, each in sorted(by_urn.items())
    ]


def _by_urn(preview: Preview) -> dict[str, Change]:
    return {c.urn: c for c in preview.effective}


def _key(operation: str) -> str:
    return f"drift:{operation}"


def _unapproved(message: str, changes: Sequence[Change]) -> NeedsApproval:
    was = [Change(c.urn, c.type, c.name, Op.SAME) for c in changes]
    found = differences.changed_resources(was, changes)
    return NeedsApproval(message, difference=[d.document() for d in found])
