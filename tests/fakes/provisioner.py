"""Provisioning in memory: one blueprint, one region, and faults on demand.

It is held to ``tests/contract/marketplace/test_provisioner.py`` together with the real service.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.provisioning.graph import Change, EngineEvent, EventKind, Op, Progress
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import (
    Deployment,
    DeploymentId,
    DeploymentState,
    EngineKind,
    Estimate,
    Finding,
    InventoryState,
    MeterQuantity,
    Plan,
    PlanAction,
    PlanId,
    Region,
    RegionId,
    RegionState,
    Resource,
    ResourceId,
    Revision,
    Severity,
)
from control_plane.provisioning.ports import Cancellation, OnEvent
from control_plane.provisioning.standing import Standing
from control_plane.tenancy.service import TenancyService
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, Invalid, NeedsApproval, NotFound, Problem
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock

CPUS = {"s": 1, "m": 2, "l": 4}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["servers", "size", "volume_gb"],
    "properties": {
        "servers": {"type": "integer", "minimum": 1, "maximum": 16, "default": 2},
        "size": {"type": "string", "enum": ["s", "m", "l"], "default": "m"},
        "volume_gb": {"type": "integer", "minimum": 10, "maximum": 2000, "default": 20},
    },
}


class FakeProvisioner:
    """Makes servers and a volume of nothing.

    Attributes:
        revision: what ``web-application`` is; replace it to publish another.
        refuse: what the region says to the next apply; empty when it does not refuse.
        surprise: whether the next apply finds that something else would happen.
        standing: where the blueprint is in its life.
        findings: what the policies say of resources; ``price_findings`` of the price.
    """

    def __init__(self, db: UnitOfWork, clock: Clock, tenancies: TenancyService) -> None:
        self._db = db
        self._clock = clock
        self._tenancies = tenancies
        self._lock = threading.RLock()
        self._deployments: dict[str, Deployment] = {}
        self._plans: dict[str, Plan] = {}
        self._resources: dict[str, list[Resource]] = {}
        self.refuse = ""
        self.surprise = False
        self.standing = Standing("web-application")
        self.findings: tuple[Finding, ...] = ()
        self.price_findings: tuple[Finding, ...] = ()
        self.applied: list[str] = []
        self.evaluated = 0
        self.revision = self.make_revision("1.0.0")
        self._region = Region(
            RegionId("reg_east"), "east", Text("East", "东区"), frozenset({"openstack"}),
            EngineKind.EMBEDDED, True, {}, {}, frozenset({"public", "internal"}),
            RegionState.ACTIVE, frozenset(), clock.now(),
        )  # fmt: skip

    def make_revision(self, version: str) -> Revision:
        """Another content of the blueprint."""
        document = {
            "title": {"en": "Web application", "zh": "网站应用"},
            "kinds": ["openstack"],
            "data_classes": ["public", "internal"],
            "inputs": SCHEMA,
            "outputs": {},
            "version": version,
        }
        return Revision(
            canonical.digest(document), "web-application", version, document, self._clock.now(),
            "per_operator",
        )  # fmt: skip

    def find_revision(self, reference: str, version: str | None = None) -> Revision:
        if reference in {"web-application", self.revision.digest} and version in {
            None, self.revision.version,
        }:  # fmt: skip
            return self.revision
        raise NotFound(f"there is no blueprint {reference}")

    def standing_in_transaction(self, blueprint: str) -> Standing:
        return self.standing if blueprint == "web-application" else Standing(blueprint)

    def region(self, actor: Actor, reference: str) -> Region:
        del actor
        if reference not in {self._region.id, self._region.slug}:
            raise NotFound(f"there is no region {reference}")
        return self._region

    def check_inputs(
        self, actor: Actor, *, blueprint: str, inputs: Mapping[str, Any], region: str
    ) -> None:
        self.region(actor, region)
        checked(self.find_revision(blueprint).inputs, inputs)

    def evaluate(
        self,
        actor: Actor,
        *,
        blueprint: str,
        inputs: Mapping[str, Any],
        region: str,
        version: str | None = None,
        data_class: str = "",
        tenancy: str = "",
    ) -> Estimate:
        del data_class, tenancy
        self._db.assert_no_transaction()
        self.evaluated += 1
        self.region(actor, region)
        revision = self.find_revision(blueprint, version)
        full = checked(revision.inputs, inputs)
        return Estimate(
            revision.digest, full, tuple((c.type, c.name) for c in _changes(full, Op.CREATE)),
            _footprint(full), _hourly(full), self.findings,
        )  # fmt: skip

    def judge_price(
        self, *, tenancy: str, month: Money, deployment: str = ""
    ) -> tuple[Finding, ...]:
        del tenancy, month, deployment
        return self.price_findings

    def make_plan(
        self,
        *,
        tenancy: str,
        action: str,
        region: str = "",
        blueprint: str = "",
        version: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        deployment: str | None = None,
        name: str = "",
        owner: str = "",
        tags: Mapping[str, str] | None = None,
        like: Plan | None = None,
    ) -> Plan:
        del like
        self._db.assert_no_transaction()
        with self._db.transaction():
            there = self._tenancies.tenancy_in_transaction(tenancy)
        wanted = PlanAction(action)
        revision = self.find_revision(blueprint, version) if blueprint else self.revision
        full = {} if wanted is PlanAction.DELETE else checked(revision.inputs, inputs or {})
        with self._lock:
            if deployment is None:
                if wanted is not PlanAction.CREATE:
                    raise Invalid([Problem("deployment", "is required")])
                found = self._create(there.id, there.path, region, revision, name, owner, tags)
            else:
                found = self._deployment(deployment)
            return self._keep(self._planned(found, wanted, revision, full))

    def _create(
        self, tenancy: str, path: str, region: str, revision: Revision, name: str, owner: str,
        tags: Mapping[str, str] | None,
    ) -> Deployment:  # fmt: skip
        taken = any(
            d.name == name and d.tenancy_id == tenancy and d.state is not DeploymentState.DESTROYED
            for d in self._deployments.values()
        )
        if taken:
            raise Conflict(f"the tenancy has a deployment {name} already")
        self.region(Actor.system("fake"), region)
        at = self._clock.now()
        made = Deployment(
            DeploymentId(ids.new("dep")), tenancy, path, self._region.id, revision.blueprint,
            revision.digest, name, {}, DeploymentState.PENDING, {}, (), None, owner, "", "", "",
            {}, dict(tags or {}), at, at,
        )  # fmt: skip
        self._deployments[made.id] = made
        return made

    def _planned(
        self, found: Deployment, action: PlanAction, revision: Revision, full: Mapping[str, Any]
    ) -> Plan:
        there = {r.urn for r in self._resources.get(found.id, ())}
        wanted = _changes(full, Op.CREATE) if full else ()
        changes = [replace(c, op=Op.SAME if c.urn in there else Op.CREATE) for c in wanted]
        left = there - {c.urn for c in wanted}
        changes += [Change(urn, "fake:Thing", urn.rpartition("::")[2], Op.DELETE) for urn in left]
        footprint = _footprint(full) if full else {}
        quota = {
            name: delta
            for name in sorted({*footprint, *found.footprint})
            if (delta := footprint.get(name, Decimal(0)) - found.footprint.get(name, Decimal(0)))
        }
        made = Plan(
            PlanId(ids.new("plan")), "", found.id, found.tenancy_id, found.path, action,
            self._region.id, {"slug": "east"}, revision.blueprint, revision.digest,
            revision.version, dict(full), None, tuple(sorted(changes, key=lambda c: c.urn)), {},
            quota, footprint, {}, _hourly(full) if full else (), self.findings,
            self._clock.now(),
        )  # fmt: skip
        return replace(made, digest=canonical.digest(made.document()))

    def _keep(self, plan: Plan) -> Plan:
        for known in self._plans.values():
            if (known.deployment_id, known.digest) == (plan.deployment_id, plan.digest):
                return known
        self._plans[plan.id] = plan
        return plan

    def plan_in_transaction(self, reference: str) -> Plan:
        for plan in self._plans.values():
            if reference in {plan.id, plan.digest}:
                return plan
        raise NotFound("there is no such plan")

    def apply(
        self,
        plan: str,
        *,
        operation: str,
        digest: str | None = None,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> Deployment:
        del cancel
        self._db.assert_no_transaction()
        with self._lock:
            approved = self.plan_in_transaction(plan)
            there = self._deployment(approved.deployment_id)
            if digest not in {None, approved.digest}:
                raise NeedsApproval("the plan is not the one that was approved", difference=[])
            ended = {DeploymentState.ACTIVE, DeploymentState.DESTROYED}
            if there.last_operation == operation and there.state in ended:
                return there
            if self.surprise:
                self.surprise = False
                raise NeedsApproval("something else would be done", difference=[{"kind": "x"}])
            if self.refuse:
                failed = replace(
                    there, state=DeploymentState.FAILED, error=self.refuse,
                    last_operation=operation,
                )  # fmt: skip
                self._deployments[there.id] = failed
                return failed
            return self._make(there, approved, operation, on_event)

    def _make(
        self, there: Deployment, plan: Plan, operation: str, on_event: OnEvent | None
    ) -> Deployment:
        self.applied.append(operation)
        kept = {r.urn: r for r in self._resources.get(there.id, ())}
        for change in plan.changes:
            if on_event is not None and change.op is not Op.SAME:
                on_event(
                    EngineEvent(
                        EventKind.RESOURCE, "", change.urn, change.type, change.name, change.op,
                        Progress.DONE,
                    )
                )  # fmt: skip
            if change.op is Op.DELETE:
                kept.pop(change.urn)
            elif change.op is Op.CREATE:
                kept[change.urn] = self._resource(there, plan, change)
        gone = plan.action is PlanAction.DELETE
        self._resources[there.id] = list(kept.values())
        made = replace(
            there,
            state=DeploymentState.DESTROYED if gone else DeploymentState.ACTIVE,
            inputs=dict(plan.inputs), plan_id=plan.id, footprint=dict(plan.footprint), error="",
            outputs={} if gone else {"url": f"https://{there.name}.east.example"},
            last_operation=operation,
        )  # fmt: skip
        self._deployments[there.id] = made
        return made

    def _resource(self, there: Deployment, plan: Plan, change: Change) -> Resource:
        return Resource(
            ResourceId(ids.new("res")), there.id, there.region_id, there.tenancy_id, there.path,
            change.urn, change.type, change.name, ids.new("phys"), InventoryState.CREATED, "",
            tuple(m for m in plan.hourly if m.resource == change.urn), self._clock.now(),
        )  # fmt: skip

    def discard(self, deployment: str) -> None:
        there = self._deployment(deployment)
        if there.state is DeploymentState.DESTROYED:
            return
        if there.state is not DeploymentState.PENDING:
            raise Conflict(f"the deployment is {there.state.value}")
        self._deployments[there.id] = replace(there, state=DeploymentState.DESTROYED)

    def deployments(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Deployment]:
        del actor, request
        wanted = filters or {}
        return Page(
            tuple(
                d
                for d in self._deployments.values()
                if all(getattr(d, name) == value for name, value in wanted.items())
            )
        )

    def deployment_in_transaction(self, deployment_id: str) -> Deployment:
        return self._deployment(deployment_id)

    def resources(self, actor: Actor, deployment_id: str) -> list[Resource]:
        del actor
        return list(self._resources.get(deployment_id, ()))

    def imported_in_transaction(self, deployment_id: str) -> Mapping[str, str]:
        del deployment_id
        return {}

    def resolve_resources(self, names: Iterable[str]) -> Mapping[str, Resource]:
        wanted = set(names)
        everything: Sequence[Resource] = [r for rows in self._resources.values() for r in rows]
        return {name: r for r in everything for name in (r.id, r.physical_id) if name in wanted}

    def _deployment(self, deployment_id: str) -> Deployment:
        found = self._deployments.get(deployment_id)
        if found is None:
            raise NotFound("there is no such deployment")
        return found


def forbidden(subject: str) -> Finding:
    """A finding that stops a plan."""
    return Finding(
        "network.public_exposure", Severity.MANDATORY, subject,
        Text("must not be open to the internet", "不得对互联网开放"),
    )  # fmt: skip


def _changes(inputs: Mapping[str, Any], op: Op) -> tuple[Change, ...]:
    servers = [
        Change(f"urn::fake:Server::server-{n}", "fake:Server", f"server-{n}", op)
        for n in range(inputs["servers"])
    ]
    return (*servers, Change("urn::fake:Volume::volume", "fake:Volume", "volume", op))


def _footprint(inputs: Mapping[str, Any]) -> dict[str, Decimal]:
    servers = Decimal(inputs["servers"])
    return {
        "instances": servers,
        "vcpus": servers * CPUS[inputs["size"]],
        "volume_gb": Decimal(inputs["volume_gb"]),
    }


def _hourly(inputs: Mapping[str, Any]) -> tuple[MeterQuantity, ...]:
    servers = [
        MeterQuantity(c.urn, "server.instance_hours", {"flavor": inputs["size"]}, Decimal(1))
        for c in _changes(inputs, Op.CREATE)
        if c.type == "fake:Server"
    ]
    volume = MeterQuantity(
        "urn::fake:Volume::volume", "volume.gb_hours", {"type": "standard"},
        Decimal(inputs["volume_gb"]),
    )  # fmt: skip
    return (*servers, volume)
