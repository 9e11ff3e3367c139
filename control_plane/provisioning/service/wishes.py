"""What a plan is made of: read, checked and written down."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from control_plane.provisioning import region_kinds
from control_plane.provisioning.graph import Json
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import (
    TENANCY_BLUEPRINT,
    Deployment,
    DeploymentId,
    DeploymentState,
    PlanAction,
    Region,
    RegionState,
    Revision,
)
from control_plane.provisioning.service.core import Core
from control_plane.tenancy.model import Tenancy, TenancyState
from foundation.kernel import ids
from foundation.kernel.errors import Collector, Conflict, Invalid, NotFound, Problem

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_UNFINISHED = frozenset({DeploymentState.PENDING, DeploymentState.FAILED})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a plan is made of."""

    action: PlanAction
    deployment: Deployment
    tenancy: Tenancy
    region: Region
    revision: Revision
    inputs: Mapping[str, Json]
    imports: Mapping[str, str] = field(default_factory=dict)


class Wishes(Core):
    """What is wished for; ``Making`` makes plans of it."""

    def _wanted_revision(self, blueprint: str, version: str | None) -> Revision:
        if blueprint.startswith("sha256:"):
            return self._revision(blueprint)
        found = self._store.revision_of(blueprint, version)
        if found is None:
            raise NotFound(f"there is no blueprint {' '.join(filter(None, (blueprint, version)))}")
        return found

    def _wish(  # noqa: PLR0913, PLR0917 - it gathers them
        self,
        action: PlanAction,
        tenancy_ref: str,
        region_ref: str,
        blueprint: str,
        version: str | None,
        inputs: Mapping[str, Any],
        deployment_id: str | None,
        name: str,
        owner: str,
        tags: Mapping[str, str],
    ) -> Wish:
        tenancy = self._with.tenancy.tenancy_in_transaction(tenancy_ref)
        if deployment_id is None:
            if action is not PlanAction.CREATE:
                raise Invalid([Problem("deployment", "is required")])
            region = self._region(region_ref)
            _check_open(tenancy, region)
            revision = self._wanted_revision(blueprint, version)
            self._check_standing(revision)
            full = self._checked_inputs(revision, inputs, region)
            made = self._create_row(tenancy, region, revision, full, name, owner, tags)
            return Wish(action, made, tenancy, region, revision, full)
        there = self._deployment(deployment_id)
        if there.tenancy_id != tenancy.id:
            raise NotFound("there is no such deployment in this tenancy")
        _check_state(action, there)
        unfinished = there.state in _UNFINISHED and not (there.outputs or there.footprint)
        if unfinished and self._store.imported(there.id):
            # Without what it is to take in, its program would make everything a second time.
            raise Conflict("the deployment is being imported: complete or abandon that first")
        region = self._region(there.region_id)
        revision = (
            self._wanted_revision(blueprint, version)
            if blueprint
            else self._revision(there.revision)
        )
        if action is PlanAction.DELETE:
            return Wish(action, there, tenancy, region, self._revision(there.revision), {})
        if revision.blueprint != there.blueprint:
            raise Invalid([Problem("blueprint", f"the deployment is of {there.blueprint}")])
        full = self._checked_inputs(revision, inputs, region)
        if action is PlanAction.CHANGE:
            _check_growth(revision, there.inputs, full)
        return Wish(action, there, tenancy, region, revision, full)

    def _check_standing(self, revision: Revision) -> None:
        """Refuse something new from a blueprint that takes nothing new."""
        standing = self._store.standing(revision.blueprint)
        if standing.refuses(self._clock.now()):
            raise Conflict(standing.refusal(), successor=standing.successor)

    def _checked_inputs(
        self, revision: Revision, inputs: Mapping[str, Any], region: Region
    ) -> dict[str, Json]:
        """The inputs with defaults, for a region that has what they ask for."""
        found = Collector()
        full: dict[str, Json] = {}
        try:
            chosen = region_kinds.with_choice(revision.inputs, inputs, region.kinds)
            full = checked(revision.inputs, chosen)
        except Invalid as error:
            found.include(error)
        found.problems.extend(
            region_kinds.region_problem(revision.document["kinds"], region.slug, region.kinds)
        )
        needs = revision.document.get("needs", ())
        found.problems.extend(region_kinds.lacking(needs, region.slug, region.config))
        found.problems.extend(
            region_kinds.input_problems(revision.inputs, full, region.slug, region.kinds)
        )
        found.finish()
        return full

    def _create_row(
        self,
        tenancy: Tenancy,
        region: Region,
        revision: Revision,
        inputs: Mapping[str, Json],
        name: str,
        owner: str,
        tags: Mapping[str, str],
    ) -> Deployment:
        """Write a new deployment down; nothing outside knows of it."""
        found = Collector()
        check_name(found, name)
        found.finish()
        deployment_id = ids.new("dep")
        # The last characters of an id are random: two of one blueprint never meet.
        short = f"{revision.blueprint[:31]}-{deployment_id[-8:]}"
        at = self._clock.now()
        made = Deployment(
            DeploymentId(deployment_id), tenancy.id, tenancy.path, region.id, revision.blueprint,
            revision.digest, name or short, dict(inputs), DeploymentState.PENDING, {}, (), None,
            owner, "", "", "", {}, dict(tags), at, at,
        )  # fmt: skip
        seed = self._secrets.seal(
            secrets.token_hex(32).encode(),
            f"provisioning_deployment:{deployment_id}:seed",
        )
        if not self._store.add_deployment(made, seed):
            raise Conflict(
                f"the tenancy {tenancy.slug} has a deployment {made.name} in {region.slug} already"
                if revision.blueprint != TENANCY_BLUEPRINT
                else f"the tenancy {tenancy.slug} is in {region.slug} already"
            )
        return made


def check_name(found: Collector, name: str) -> None:
    """Note a problem when a deployment cannot be called so; empty stands for a made-up name."""
    fits = not name or (_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME)
    message = f"must be 1 to {_LONGEST_NAME} lower-case letters, digits and inner hyphens"
    found.check(fits, "name", message)


def _check_open(tenancy: Tenancy, region: Region) -> None:
    if tenancy.state is TenancyState.CLOSED:
        raise Conflict(f"the tenancy {tenancy.slug} is closed")
    if region.state is not RegionState.ACTIVE:
        raise Conflict(f"the region {region.slug} takes nothing new", state=region.state.value)


_ALLOWED = {
    PlanAction.CREATE: {DeploymentState.PENDING, DeploymentState.FAILED, DeploymentState.UNKNOWN},
    PlanAction.CHANGE: {DeploymentState.ACTIVE, DeploymentState.FAILED, DeploymentState.UNKNOWN},
    PlanAction.DELETE: {DeploymentState.ACTIVE, DeploymentState.FAILED, DeploymentState.UNKNOWN,
                        DeploymentState.PENDING},
}  # fmt: skip


def _check_state(action: PlanAction, there: Deployment) -> None:
    # A plan that is worked on now is planned again by the operation that does so.
    busy = {DeploymentState.APPLYING, DeploymentState.DESTROYING}
    if there.state not in _ALLOWED[action] | busy:
        raise Conflict(f"the deployment is {there.state.value}: it cannot be planned to {action}")


def _check_growth(
    revision: Revision, before: Mapping[str, Json], after: Mapping[str, Json]
) -> None:
    found = Collector()
    for name, schema in revision.inputs["properties"].items():
        if not schema.get("x-grows-only"):
            continue
        was, now = before.get(name), after.get(name)
        if isinstance(was, int | float) and isinstance(now, int | float):
            found.check(now >= was, f"inputs.{name}", f"cannot become smaller than {was}")
    found.finish()
