"""Use cases of imports: look at what nobody owns, propose, plan, and take it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning.graph import Graph, Json
from control_plane.provisioning.imports import guessing, model
from control_plane.provisioning.imports.matching import match
from control_plane.provisioning.imports.model import (
    Found,
    Project,
    Proposal,
    Proposals,
    Taken,
    harmful,
)
from control_plane.provisioning.imports.ports import Finder, Reservations
from control_plane.provisioning.model import (
    IMPORT_OWNER,
    TENANCY_BLUEPRINT,
    Deployment,
    DeploymentState,
    EngineKind,
    Plan,
    PlanAction,
    Region,
)
from control_plane.provisioning.ports import Audit, NotThereError, ProgramError
from control_plane.provisioning.service import Provisioning
from control_plane.provisioning.service.carrying import Watch
from control_plane.provisioning.service.wishes import check_name
from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    BoroughError,
    Collector,
    Conflict,
    Invalid,
    NeedsApproval,
    NotFound,
    Unavailable,
)
from foundation.kernel.text import Text
from foundation.operations.model import Operation
from foundation.operations.service import Operations

APPLY = "import.apply"
ABANDON = "import.abandon"
#: The blueprints that are proposed.
PROPOSED = (TENANCY_BLUEPRINT, "virtual-server")
_MOST_IDS = 2000
_ACTION = "deployment.import"


@dataclass(frozen=True, slots=True)
class Needs:
    """What imports work with.

    Attributes:
        finders: by kind of engine.
    """

    db: UnitOfWork
    audit: Audit
    tenancy: TenancyService
    operations: Operations
    provisioning: Provisioning
    reservations: Reservations
    finders: Mapping[EngineKind, Finder]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be imported.

    Attributes:
        tenancy, region: id or slug.
        name: of the deployment, in names of its resources; empty takes the blueprint's.
        ids: ids of objects by the logical name (or URN) that each is to have.
        creations: whether missing objects may be made; nothing is replaced or deleted ever.
    """

    tenancy: str
    region: str
    blueprint: str
    inputs: Mapping[str, Any]
    ids: Mapping[str, str]
    name: str = ""
    creations: bool = False


class Imports:
    """What is in regions becomes deployments, without being made anew."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._db = needs.db
        self._provisioning = needs.provisioning

    # Looking ----------------------------------------------------------------------------------

    def discover(self, actor: Actor, region: str) -> list[Project]:
        """The projects of a region, and how much in each no deployment owns; by name.

        Raises:
            NotFound: no such region.
            Unavailable: it does not answer, or nothing can be looked for in it.
        """
        policy.require(actor, _ACTION, policy.ROOT)
        there = self._region(actor, region)
        found = self._find(there)
        owners = self._owners(there, found)
        return _projects(found, owners)

    def inside(self, actor: Actor, region: str, project: str) -> list[Found]:
        """What is in a project that no deployment owns, by type and id.

        Raises:
            NotFound: no such region or project.
            Unavailable: the region does not answer.
        """
        policy.require(actor, _ACTION, policy.ROOT)
        there = self._region(actor, region)
        return self._unowned(there, project)

    def propose(self, actor: Actor, region: str, project: str) -> Proposals:
        """Which blueprints with which inputs and ids describe what is in a project.

        A guess, by names, types and structure: whoever imports may correct all of it.

        Raises:
            NotFound: no such region or project.
            Unavailable: the region does not answer.
        """
        policy.require(actor, _ACTION, policy.ROOT)
        there = self._region(actor, region)
        found = self._unowned(there, project)
        schemas = {name: s for name in PROPOSED if (s := self._schema(actor, name)) is not None}
        facts: Any = there.config.get("openstack") or {}
        items, taken = [], set()
        for guess in guessing.guesses(found, facts, schemas):
            proposal, used = self._proposal(there, guess)
            items.append(proposal)
            taken |= used
        left = tuple(f for f in found if (f.type, f.id) not in taken)
        name = next((f.name for f in found if f.type == model.PROJECT), "")
        return Proposals(project, tuple(items), left, name or project)

    def _proposal(
        self, region: Region, guess: guessing.Guess
    ) -> tuple[Proposal, set[tuple[str, str]]]:
        against = list(guess.against)
        graph = Graph(())
        try:
            graph = self._provisioning.sketch(
                blueprint=guess.blueprint, inputs=guess.inputs, region=region.id, name=guess.name
            )
        except (Invalid, ProgramError) as error:
            against.append(Text(error.message, error.message))
        chosen = match(graph, guess.objects)
        names = {n.urn: n.logical_name for n in graph.resources}
        made = [
            n.logical_name for n in graph.resources
            if n.custom and n.urn not in chosen and not n.type.startswith("pulumi:")
        ]  # fmt: skip
        proposal = Proposal(
            guess.blueprint,
            guess.name,
            guess.inputs,
            {names[urn]: f.id for urn, f in sorted(chosen.items())},
            tuple(sorted(made)),
            tuple(against),
        )
        return proposal, {(f.type, f.id) for f in chosen.values()}

    # Planning ---------------------------------------------------------------------------------

    def plan(self, actor: Actor, wish: Wish) -> Plan:
        """What an import would do, under a digest to approve; nothing is touched.

        Raises:
            Invalid: names every wrong input and every id that does not do, and why.
            NotFound: no such tenancy, region or blueprint.
            Conflict: it would replace, delete or rebuild something, or make something without
                leave; ``details["harm"]`` names each with its differing properties. Or what it
                goes into is not in the region.
            Unavailable: the region does not answer.
        """
        # Whose an unowned object is, nobody has said yet: the platform decides, no department.
        policy.require(actor, _ACTION, policy.ROOT)
        with self._db.transaction():
            tenancy = self._needs.tenancy.tenancy_in_transaction(wish.tenancy)
        region = self._region(actor, wish.region)
        self._check_ids(region, tenancy, wish)
        self._make_room(tenancy, region, wish)
        is_tenancy = wish.blueprint == TENANCY_BLUEPRINT
        plan = self._make_plan(wish, IMPORT_OWNER + ids.new("imp") if is_tenancy else "")
        said = harmful(plan.changes, creations=wish.creations)
        if said:
            self._provisioning.discard(plan.deployment_id)
            raise Conflict(
                "the import would do more than take in what is there: " + "; ".join(said), harm=said
            )
        with self._db.transaction():
            self._needs.audit.record(
                actor, "import.plan", subject=plan.deployment_id, path=plan.path,
                details={"plan": plan.digest, "ids": dict(wish.ids)},
            )  # fmt: skip
        return plan

    def _make_plan(self, wish: Wish, owner: str) -> Plan:
        made: list[str] = []
        try:
            return self._provisioning.make_plan(
                tenancy=wish.tenancy, action="create", region=wish.region,
                blueprint=wish.blueprint, inputs=wish.inputs, owner=owner,
                name=wish.name, imports=wish.ids, on_row=made.append,
            )  # fmt: skip
        except NotThereError as error:
            self._discard(made)
            names = [urn.rpartition("::")[2] for urn in error.details["missing"]]
            found = Collector()
            for name in names:
                found.check(False, f"ids.{name}", "is not in the region, or of another type")
            raise Invalid(found.problems) from error
        except BoroughError:
            self._discard(made)
            raise

    def _make_room(self, tenancy: Tenancy, region: Region, wish: Wish) -> None:
        """Forget what was planned before and nothing was done for.

        That is an earlier plan of the same import; or a project that a plan of an order would make
        for the tenancy, and that the order will now find there: its plan is made anew.
        """
        with self._db.transaction():
            there = (
                self._provisioning.landing_in_transaction(tenancy.id, region.id)
                if wish.blueprint == TENANCY_BLUEPRINT
                else self._provisioning.named_in_transaction(tenancy.id, region.id, wish.name)
            )
            if there is None or there.state is not DeploymentState.PENDING or there.operation:
                return
            imported = self._provisioning.imported_in_transaction(there.id)
            ordered = bool(there.owner) if there.is_landing else True
        if imported or not ordered:
            self._provisioning.discard(there.id)

    def _discard(self, made: Sequence[str]) -> None:
        for each in made:
            self._provisioning.discard(each)

    def _check_ids(self, region: Region, tenancy: Tenancy, wish: Wish) -> None:
        """Refuse ids that are gone, owned, of another type, doubled or in another project.

        What a finder does not list (keys, groups of servers) only the engine can judge.
        """
        found = Collector()
        check_name(found, wish.name)
        found.check(bool(wish.ids), "ids", "must name at least one object")
        if not found.check(len(wish.ids) <= _MOST_IDS, "ids", f"must be {_MOST_IDS} or fewer"):
            found.finish()
        with self._db.transaction():
            owned = self._provisioning.claimed_in_transaction(region.id, wish.ids.values())
            landing = self._provisioning.landing_in_transaction(tenancy.id, region.id)
        graph = self._graph(region, wish, found)
        types = {n.logical_name: n.type for n in graph.resources}
        types |= {n.urn: n.type for n in graph.resources}
        home = "" if landing is None else str(landing.outputs.get("project_id") or "")
        project = home or next(
            (i for n, i in wish.ids.items() if types.get(n) == model.PROJECT), ""
        )
        there = self._find(region, project)
        by_type: dict[tuple[str, str], Found] = {(f.type, f.id): f for f in there}
        by_id = {f.id: f for f in there}
        listed = {f.type for f in there} | set(_ALWAYS)
        seen: dict[tuple[str, str], str] = {}
        for name, physical in sorted(wish.ids.items()):
            field, type_ = f"ids.{name}", types.get(name)
            if type_ is None:
                continue
            other = seen.setdefault((type_, physical), name)
            found.check(other == name, field, f"is given for {other} too")
            if physical in owned:
                found.check(False, field, f"belongs to the deployment {owned[physical]}")
            elif type_ in listed and (type_, physical) not in by_type:
                elsewhere = by_id.get(physical)
                kind = type_.rpartition(":")[2]
                message = (
                    f"is a {elsewhere.kind}, not a {kind}"
                    if elsewhere is not None and elsewhere.type != type_
                    else f"is no {kind} in the project {project or '(none)'}"
                )
                found.check(False, field, message)
        found.finish()

    def _graph(self, region: Region, wish: Wish, found: Collector) -> Graph:
        try:
            graph = self._provisioning.sketch(
                blueprint=wish.blueprint, inputs=wish.inputs, region=region.id,
                name=wish.name or "import",
            )  # fmt: skip
        except Invalid as error:
            found.include(error)
            found.finish()
            raise
        known = {n.logical_name for n in graph.resources} | {n.urn for n in graph.resources}
        # A URN says which deployment; the sketch has none.
        for name in sorted(wish.ids):
            if not name.startswith("urn:"):
                found.check(name in known, f"ids.{name}", "is no resource of the blueprint")
        return graph

    def standing(self, actor: Actor, deployment: str) -> Taken | None:
        """How the import of a deployment stands; None when it was not imported.

        Raises:
            NotFound: there is no such deployment, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            policy.require(actor, "deployment.view", there.path, "deployment")
            imported = self._provisioning.imported_in_transaction(there.id)
            newest = self._provisioning.newest_plan_in_transaction(there.id)
        # What is being imported has no other plans than its import's.
        if not imported or newest is None:
            return None
        open_ = there.state in _OPEN and not there.operation
        return Taken(len(imported), _is_complete(there), open_, there.plan_id or newest.id)

    # Doing it ---------------------------------------------------------------------------------

    def request_apply(self, actor: Actor, plan: str, digest: str) -> Operation:
        """Start an operation that carries out a plan of an import, or of a later change of it.

        Raises:
            NeedsApproval: the plan is another one than the digest says.
            Conflict: the plan is of no imported deployment; a policy forbids it; something else
                works on it.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            wanted = self._provisioning.plan_in_transaction(plan)
            policy.require(actor, _ACTION, wanted.path, "plan")
            there = self._provisioning.deployment_in_transaction(wanted.deployment_id)
            if digest != wanted.digest:
                raise NeedsApproval(
                    "the plan is not the one that was approved", difference=[],
                    approved=digest, current=wanted.digest,
                )  # fmt: skip
            self._check_imported(there)
            if wanted.action is PlanAction.DELETE:
                raise Conflict("the plan returns the deployment: return it like any other")
            if there.state is DeploymentState.DESTROYED:
                raise Conflict("the deployment is destroyed: plan the import anew")
            if not wanted.imports and not _is_complete(there):
                raise Conflict("the import is not complete: carry out its own plan first")
            _check_idle(there)
            inputs = {"plan": wanted.id, "digest": wanted.digest}
            started = self._start(actor, APPLY, there, inputs)
            self._needs.audit.record(
                actor, APPLY, subject=there.id, path=there.path,
                details={"plan": wanted.digest, "operation": started.id,
                         "imports": dict(wanted.imports)},
            )  # fmt: skip
            return started

    def request_abandon(self, actor: Actor, deployment: str, *, reason: str) -> Operation:
        """Start an operation that gives up an import: what was taken in is nobody's again.

        Only what the import itself has made is deleted.

        Raises:
            Invalid: no reason.
            Conflict: the import was completed: the deployment is returned like any other.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            policy.require(actor, _ACTION, there.path, "deployment")
            found = Collector()
            found.check(bool(reason.strip()), "reason", "is required")
            found.finish()
            self._check_imported(there)
            if there.state not in _OPEN:
                raise Conflict(f"the deployment is {there.state.value}: its import is not open")
            if _is_complete(there):
                raise Conflict("the import was completed: return the deployment instead")
            _check_idle(there)
            started = self._start(actor, ABANDON, there, {"reason": reason.strip()})
            self._needs.audit.record(
                actor, ABANDON, subject=there.id, path=there.path,
                details={"reason": reason.strip(), "operation": started.id},
            )  # fmt: skip
            return started

    def reserve(self, plan: str, operation: str) -> dict[str, Any]:
        """Hold the quota that a plan takes; step of the import, may run again.

        Raises:
            QuotaExceeded: it does not fit; ``details["exceeded"]`` says where.
        """
        with self._db.transaction():
            wanted = self._provisioning.plan_in_transaction(plan)
            if wanted.quota:
                self._needs.tenancy.reserve(_key(operation), wanted.tenancy_id, wanted.quota)
        return {"reserved": bool(wanted.quota)}

    def carry_out(self, plan: str, digest: str, watch: Watch) -> Deployment:
        """Carry out a plan; step of the import, may run again.

        Raises:
            NeedsApproval: what would happen is not what the plan shows.
            Conflict: another deployment owns some of it by now.
        """
        return self._provisioning.apply(
            plan, operation=watch.operation, digest=digest, on_event=watch.on_event,
            cancel=watch.cancel,
        )  # fmt: skip

    def settle(self, plan: str, operation: str) -> dict[str, Any]:
        """Let the quota be used, until the deployment is gone; last step of the import."""
        with self._db.transaction():
            wanted = self._provisioning.plan_in_transaction(plan)
            if wanted.quota:
                self._needs.tenancy.consume(_key(operation))
                self._needs.reservations.hold_quota(wanted.deployment_id, _key(operation))
        return {"imported": len(wanted.imports)}

    def release(self, plan: str, operation: str) -> dict[str, Any]:
        """Give back what was reserved for an import that failed."""
        with self._db.transaction():
            if self._provisioning.plan_in_transaction(plan).quota:
                self._needs.tenancy.release(_key(operation))
        return {}

    def abandon(self, deployment: str, watch: Watch) -> Deployment:
        """Give up an import; step of the operation, may run again."""
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
        if there.state is DeploymentState.PENDING:
            self._provisioning.discard(there.id)
            with self._db.transaction():
                return self._provisioning.deployment_in_transaction(deployment)
        return self._provisioning.destroy(
            deployment, operation=watch.operation, on_event=watch.on_event, cancel=watch.cancel
        )

    # Inside -----------------------------------------------------------------------------------

    def _check_imported(self, there: Deployment) -> None:
        if not there.stands_alone or not self._provisioning.imported_in_transaction(there.id):
            raise Conflict("the deployment was not imported")

    def _start(
        self, actor: Actor, kind: str, there: Deployment, inputs: Mapping[str, Json]
    ) -> Operation:
        """Start work on a deployment; while the same waits or runs, it is answered."""
        key = f"{kind}:{there.id}"
        while True:
            started = self._needs.operations.start(
                kind, subject=there.id, path=there.path, inputs=inputs, actor=actor, key=key
            )
            if not started.state.ended:
                if dict(started.inputs) != dict(inputs):
                    message = f"the operation {started.id} does something else"
                    raise Conflict(message, operation=started.id)
                return started
            key = f"{kind}:{there.id}:{started.id}"

    def _region(self, actor: Actor, reference: str) -> Region:
        return self._provisioning.region(actor, reference)

    def _schema(self, actor: Actor, blueprint: str) -> Mapping[str, Any] | None:
        try:
            return self._provisioning.revision(actor, blueprint).inputs
        except NotFound:
            return None

    def _find(self, region: Region, project: str = "") -> Sequence[Found]:
        finder = self._needs.finders.get(region.engine)
        if finder is None or "openstack" not in region.kinds:
            raise Unavailable(f"nothing can be looked for in the region {region.slug}", 60.0)
        self._db.assert_no_transaction()
        return finder.find(self._provisioning.region_access(region.id), project)

    def _owners(self, region: Region, found: Sequence[Found]) -> Mapping[str, str]:
        with self._db.transaction():
            return self._provisioning.claimed_in_transaction(region.id, [f.id for f in found])

    def _unowned(self, region: Region, project: str) -> list[Found]:
        found = self._find(region, project)
        if not found:
            raise NotFound(f"there is nothing in a project {project} of the region")
        owners = self._owners(region, found)
        return [f for f in found if f.id not in owners]


#: In these a plan can be carried out, or the import be abandoned.
_OPEN = frozenset({DeploymentState.PENDING, DeploymentState.FAILED})
#: Types that a finder lists wherever there are any.
_ALWAYS = (
    model.PROJECT, model.NETWORK, model.SUBNET, model.ROUTER, model.INTERFACE, model.GROUP,
    model.RULE, model.PORT, model.ADDRESS, model.SERVER, model.VOLUME, model.ATTACHMENT,
)  # fmt: skip


def _projects(found: Sequence[Found], owners: Mapping[str, str]) -> list[Project]:
    counts: dict[str, dict[str, int]] = {}
    for each in found:
        if each.id not in owners:
            of = counts.setdefault(each.project, {})
            of[each.kind] = of.get(each.kind, 0) + 1
    named = {f.id: f.name for f in found if f.type == model.PROJECT}
    made = [
        Project(p, named.get(p, p), owners.get(p, ""), dict(sorted(counts.get(p, {}).items())))
        for p in {*named, *counts}
        if p
    ]
    return sorted(made, key=lambda p: (p.name, p.id))


def _is_complete(there: Deployment) -> bool:
    return there.state is DeploymentState.ACTIVE or bool(there.outputs or there.footprint)


def _check_idle(there: Deployment) -> None:
    if there.operation:
        raise Conflict(
            f"the operation {there.operation} works on the deployment", operation=there.operation
        )


def _key(operation: str) -> str:
    return f"import:{operation}"
