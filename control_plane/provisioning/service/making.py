"""How a wish becomes a plan: the tenancy's stage first, then its own, and what policies say."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from control_plane.provisioning import differences, usage_map
from control_plane.provisioning.graph import Change, Graph, Json, Op, PropertyChange
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import (
    CAPACITY,
    IMPORT_OWNER,
    TENANCY_BLUEPRINT,
    Deployment,
    DeploymentState,
    Finding,
    Plan,
    PlanId,
    Region,
    Revision,
    Severity,
    Stage,
    plan_digest,
)
from control_plane.provisioning.policies.model import Holder, Priced, Subject
from control_plane.provisioning.service.core import PENDING, Place
from control_plane.provisioning.service.wishes import Wish, Wishes
from control_plane.tenancy.model import RESOURCES, Tenancy
from foundation.kernel import ids
from foundation.kernel.canonical import decimal_text
from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.money import Money
from foundation.kernel.text import Text

_ESTIMATE_ID = "dep_estimate0000000000000000000"
#: The limits of a tenancy that become limits of its project and namespace: inputs of one name.
_LANDING_LIMITS = (
    "vcpus", "ram_gb", "instances", "volume_gb", "load_balancers", "floating_ips"
)  # fmt: skip
_ZERO = Decimal(0)


class Making(Wishes):
    """Plans of what is wished for."""

    def _making(self, wish: Wish, like: Plan | None) -> Plan:
        stage, place, prepared_graph = self._preparation(wish, like)
        run = self._run(wish.deployment, wish.revision, wish.inputs, wish.tenancy, place)
        engine = self._engine(wish.region.engine)
        self._db.assert_no_transaction()
        graph = engine.evaluate(run)
        existing = _by_urn(graph, wish.imports)
        if existing:
            preview = self._when_free(lambda: engine.preview_import(run, existing))
            changes, outputs = preview.changes, dict(preview.outputs)
        elif stage is not None and place.outputs and _stands_in(place):
            changes = stand_in_changes(graph)
            outputs = differences.without_stand_ins(graph.outputs, PENDING)
        else:
            preview = self._when_free(lambda: engine.preview(run))
            changes, outputs = preview.changes, dict(preview.outputs)
        footprint = usage_map.quota_of(graph, wish.region.config)
        findings = [
            *self._findings(wish, graph),
            *self._prepared_findings(wish, stage, prepared_graph),
        ]
        with self._db.transaction():
            held = self._store.held(wish.region.id)
            measured = self._with.measured(wish.region.id)
            said = self._store.standing(wish.revision.blueprint).finding()
        findings.extend([said] if said else [])
        quota = _delta(wish.deployment.footprint, footprint)
        room = {name: total - held.get(name, _ZERO) for name, total in wish.region.capacity.items()}
        room |= {name: min(room.get(name, left), left) for name, left in measured.items()}
        findings.extend(_room_findings(quota, room))
        return _plan(
            wish,
            stage=stage,
            changes=changes,
            outputs=outputs,
            quota=quota,
            footprint=footprint,
            capacity={name: room.get(name) for name in footprint},
            hourly=usage_map.usage_of(graph, wish.region.config),
            findings=tuple(findings),
            imports=existing,
            at=self._clock.now(),
        )

    def _findings(self, wish: Wish, graph: Graph) -> tuple[Finding, ...]:
        holder = _holder(wish.tenancy, wish.deployment.id)
        return self._judged(graph, holder, wish.region, wish.revision)

    def _prepared_findings(
        self, wish: Wish, stage: Stage | None, graph: Graph | None
    ) -> list[Finding]:
        if stage is None or graph is None:
            return []
        with self._db.transaction():
            revision = self._revision(stage.revision)
        holder = _holder(wish.tenancy, stage.deployment_id)
        return list(self._judged(graph, holder, wish.region, revision, under="tenancy/"))

    def _judged(
        self, graph: Graph, holder: Holder, region: Region, revision: Revision, *, under: str = ""
    ) -> tuple[Finding, ...]:
        """What the city's policies say."""
        subject = Subject(graph, holder, region.config, region.data_classes, revision.data_classes)
        return self._with.policies.judge(subject, under=under)

    def _estimated(self, tenancy: str, data_class: str) -> Holder:
        """Whose it would be."""
        if not tenancy:
            return Holder(deployment=_ESTIMATE_ID, data_class=data_class)
        there = self._with.tenancy.tenancy_in_transaction(tenancy)
        return Holder(_ESTIMATE_ID, there.id, there.path, data_class or there.data_class.value)

    def judge_price(
        self, *, tenancy: str, month: Money, deployment: str = ""
    ) -> tuple[Finding, ...]:
        """What policies say of a service's price, where it is known; for features above.

        Within the open transaction.

        Args:
            tenancy: id or slug of the tenancy that it is in.
            month: what it costs in a month.
            deployment: if there is one already.
        """
        there = self._with.tenancy.tenancy_in_transaction(tenancy)
        return self._with.policies.judge_price(Priced(_holder(there, deployment), month))

    # The tenancy's own deployment -------------------------------------------------------------

    def _preparation(
        self, wish: Wish, like: Plan | None
    ) -> tuple[Stage | None, Place, Graph | None]:
        """What has to be done to the tenancy first, and what it offers afterwards."""
        if not wish.revision.in_tenancy:
            return None, Place(), None
        if wish.imports:
            with self._db.transaction():
                there = self._store.landing(wish.tenancy.id, wish.region.id)
            if there is None or there.state is not DeploymentState.ACTIVE:
                raise Conflict("the tenancy is not in the region yet: import or order it first")
            # An import changes nothing but what it takes in.
            return None, self._place(there), None
        with self._db.transaction():
            landing = self._landing(wish)
            revision = self._landing_revision(landing)
            wanted = self._landing_inputs(landing, revision, wish)
        ready = landing.state is DeploymentState.ACTIVE
        if ready and like is not None and like.preparation and _was_prepared(like, landing):
            made = all(c.op is Op.CREATE for c in like.preparation.changes)
            place = self._pending_place() if made else self._place(landing)
            return like.preparation, place, None
        if ready and wanted == landing.inputs:
            return None, self._place(landing), None
        run = self._run(landing, revision, wanted, wish.tenancy, Place())
        engine = self._engine(wish.region.engine)
        self._db.assert_no_transaction()
        preview = self._when_free(lambda: engine.preview(run))
        stage = Stage(landing.id, revision.digest, wanted, preview.effective)
        place = self._place(landing) if ready else self._pending_place()
        return stage, place, engine.evaluate(run)

    def _landing(self, wish: Wish) -> Deployment:
        """The tenancy's deployment in the region; written down when there is none."""
        there = self._store.landing(wish.tenancy.id, wish.region.id)
        if there is None:
            revision = self._wanted_revision(TENANCY_BLUEPRINT, None)
            inputs = self._limits_as_inputs(revision, wish.tenancy, wish.region)
            return self._create_row(
                wish.tenancy, wish.region, revision, inputs, wish.tenancy.slug, "", {}
            )
        if there.state is DeploymentState.DESTROYING:
            raise Conflict(f"the tenancy {wish.tenancy.slug} is being removed from the region")
        if there.owner.startswith(IMPORT_OWNER) and there.state is not DeploymentState.ACTIVE:
            raise Conflict(
                f"the tenancy {wish.tenancy.slug} is being imported in {wish.region.slug}: "
                "complete or abandon that first",
                deployment=there.id,
            )
        if there.owner and there.state is not DeploymentState.ACTIVE:
            raise Conflict(
                f"the tenancy {wish.tenancy.slug} was ordered for {wish.region.slug} and is "
                f"{there.state.value} there; that order has to succeed first",
                deployment=there.id,
            )
        return there

    def _landing_revision(self, landing: Deployment) -> Revision:
        """An active one keeps its revision until somebody changes it; others take the newest."""
        if landing.state is DeploymentState.ACTIVE:
            return self._revision(landing.revision)
        return self._wanted_revision(TENANCY_BLUEPRINT, None)

    def _landing_inputs(
        self, landing: Deployment, revision: Revision, wish: Wish
    ) -> Mapping[str, Json]:
        """What the tenancy should be in the region; one that was ordered stays so."""
        if landing.owner:
            return landing.inputs
        return self._limits_as_inputs(revision, wish.tenancy, wish.region)

    def _limits_as_inputs(
        self, revision: Revision, tenancy: Tenancy, region: Region
    ) -> dict[str, Json]:
        """The tenancy's own quota as limits of its project and namespace.

        The platform's reservations are the real limit; the region's are a second belt, and as wide
        as the blueprint allows where the tenancy has none.
        """
        levels = self._with.tenancy.quota_levels_in_transaction(tenancy.id)
        limits = {q.resource: q.limit for q in levels[-1].quotas}
        properties = revision.inputs["properties"]
        inputs: dict[str, Json] = {"platforms": list[Json](sorted(region.kinds))}
        for name in _LANDING_LIMITS:
            schema = properties.get(name)
            if schema is None:
                continue
            low, high = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
            limit = limits.get(name)
            whole = high if limit is None else int(limit.to_integral_value(ROUND_FLOOR))
            inputs[name] = max(low, min(high, whole))
        return checked(revision.inputs, inputs)

    # Plans that return something --------------------------------------------------------------

    def _deletion(self, wish: Wish) -> Plan:
        with self._db.transaction():
            if wish.deployment.is_landing:
                self._check_landing(wish.deployment)
            there = self._store.resources(wish.deployment.id)
        changes = tuple(Change(r.urn, r.type, r.name, Op.DELETE) for r in there)
        return _plan(
            wish,
            stage=None,
            changes=changes,
            outputs={},
            quota=_delta(wish.deployment.footprint, {}),
            footprint={},
            capacity={},
            hourly=(),
            findings=(),
            at=self._clock.now(),
        )


def _by_urn(graph: Graph, imports: Mapping[str, str]) -> dict[str, str]:
    """Ids of what is imported by URN.

    Raises:
        Invalid: a name stands for no resource of the program, or for several.
    """
    found = Collector()
    by_urn: dict[str, str] = {}
    for name, physical in sorted(imports.items()):
        named = [
            n.urn
            for n in graph.resources
            if n.custom and name in {n.urn, n.logical_name}
            and not n.type.startswith("pulumi:providers:")
        ]  # fmt: skip
        known = ", ".join(sorted(n.logical_name for n in graph.resources if n.custom))
        field_ = f"ids.{name}"
        if found.check(bool(named), field_, f"is no resource of the blueprint; it has {known}"):
            found.check(len(named) == 1, field_, "stands for several resources: give the URN")
            by_urn[named[0]] = physical
    found.finish()
    return by_urn


def stand_in_changes(graph: Graph) -> tuple[Change, ...]:
    """What a program would make, with everything unknown that its tenancy will only tell later."""
    return tuple(
        replace(
            change,
            properties=tuple(
                PropertyChange(p.path, None, differences.without_stand_ins(p.after, PENDING))
                for p in change.properties
            ),
        )
        for change in differences.creations(graph)
    )


def _stands_in(place: Place) -> bool:
    return any(isinstance(v, str) and v.startswith(PENDING) for v in place.outputs.values())


def _was_prepared(like: Plan, landing: Deployment) -> bool:
    stage = like.preparation
    return (
        stage is not None
        and stage.deployment_id == landing.id
        and stage.revision == landing.revision
        and dict(stage.inputs) == dict(landing.inputs)
    )


def _holder(tenancy: Tenancy, deployment_id: str) -> Holder:
    return Holder(deployment_id, tenancy.id, tenancy.path, tenancy.data_class.value)


def _delta(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    names = sorted({*before, *after})
    found = {name: after.get(name, _ZERO) - before.get(name, _ZERO) for name in names}
    return {name: amount for name, amount in found.items() if amount}


def _room_findings(quota: Mapping[str, Decimal], room: Mapping[str, Decimal]) -> list[Finding]:
    found = []
    for name, amount in sorted(quota.items()):
        left = room.get(name)
        if left is not None and amount > max(left, _ZERO):
            title = RESOURCES[name].title
            text = (decimal_text(amount), decimal_text(max(left, _ZERO)))
            found.append(
                Finding(
                    CAPACITY,
                    Severity.MANDATORY,
                    name,
                    Text(
                        f"{title.en}: {text[0]} are needed, the region has {text[1]} left.",
                        f"{title.zh}：需要 {text[0]}，资源区仅余 {text[1]}。",
                    ),
                )
            )
    return found


def _plan(wish: Wish, *, stage: Stage | None, **parts: Any) -> Plan:  # noqa: ANN401
    at = parts.pop("at")
    region = wish.region
    made = Plan(
        id=PlanId(ids.new("plan")),
        digest="",
        deployment_id=wish.deployment.id,
        tenancy_id=wish.tenancy.id,
        path=wish.tenancy.path,
        action=wish.action,
        region_id=region.id,
        region={
            "slug": region.slug,
            "kinds": list[Json](sorted(region.kinds)),
            "engine": region.engine.value,
            "simulated": region.simulated,
        },
        blueprint=wish.revision.blueprint,
        revision=wish.revision.digest,
        version=wish.revision.version,
        inputs=dict(wish.inputs),
        preparation=stage,
        created_at=at,
        **parts,
    )
    return replace(made, digest=plan_digest(made.document()))
