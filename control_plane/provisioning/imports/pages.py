"""Pages of imports: what is in a region, what might become of a project, and its plan."""

from collections.abc import Mapping
from typing import Any

import yaml
from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.imports.model import Taken
from control_plane.provisioning.imports.service import Imports, Wish
from control_plane.provisioning.model import Deployment, DeploymentState, Plan, Region
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.kernel import yaml_text
from foundation.kernel.errors import BoroughError, Collector, Conflict, Invalid, NotFound
from foundation.kernel.paging import MAX_LIMIT, PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("imports", __name__)
pages.notices["import.started"] = N_("It is being taken in; nothing is made anew.")
pages.notices["import.planned"] = N_("It is planned; nothing was touched.")
pages.notices["import.abandoned"] = N_("The import is given up: what it took in stays as it is.")

_NAMES = ("tenancy", "blueprint", "name", "inputs", "ids", "creations")
_LONGEST = 200_000
#: In these what was imported can be changed.
_CHANGEABLE = frozenset({DeploymentState.ACTIVE, DeploymentState.FAILED, DeploymentState.UNKNOWN})


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"import_of": import_of}


def import_of(deployment_id: str) -> Taken | None:
    """How the import of a deployment stands, for its page; None when it was not imported."""
    return use(Imports).standing(current_actor(), deployment_id)


@pages.get("/regions/<id>/imports")
@requires("deployment.import")
def projects(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """The projects of a region, and how much in each no deployment owns."""
    region = _region(id)
    return show(
        "imports/projects.html",
        region=region,
        projects=use(Imports).discover(current_actor(), region.id),
        crumbs=_crumbs(region, last=True),
    )


@pages.get("/regions/<id>/imports/<project>")
@requires("deployment.import")
def proposals(id: str, project: str) -> ResponseReturnValue:  # noqa: A002
    """What might become of a project; each proposal can be corrected and planned."""
    return _show_proposals(id, project)


def _show_proposals(
    reference: str, project: str, error: BoroughError | None = None, status: int = 200
) -> ResponseReturnValue:
    region = _region(reference)
    found = use(Imports).propose(current_actor(), region.id, project)
    problems = error.problems if isinstance(error, Invalid) else ()
    return show(
        "imports/proposals.html",
        status,
        region=region,
        proposals=found,
        tenancies=use(TenancyService)
        .tenancies(current_actor(), PageRequest(limit=MAX_LIMIT))
        .items,
        sent={name: request.form.get(name, "") for name in _NAMES},
        problems=[(p.field, p.message) for p in problems],
        harm=list(error.details.get("harm", ())) or [error.message]
        if error is not None and not problems
        else [],
        as_yaml=_as_yaml,
        crumbs=[*_crumbs(region), Crumb(found.name)],
    )


@pages.post("/regions/<id>/imports/<project>")
@requires("deployment.import")
def plan(id: str, project: str) -> ResponseReturnValue:  # noqa: A002
    """Plan what was proposed and corrected; nothing is touched."""
    region = _region(id)
    try:
        made = use(Imports).plan(current_actor(), _wish(region))
    except (Invalid, Conflict) as error:
        return _show_proposals(id, project, error, 422)
    return go("imports_pages.standing", id=made.deployment_id, notice="import.planned")


@pages.get("/deployments/<id>/import")
@requires("deployment.import")
def standing(id: str) -> ResponseReturnValue:  # noqa: A002
    """The plan of an import: what is taken in and what differs; carry it out or give it up."""
    there, taken = _imported(id)
    return _show_plan(there, taken, use(Provisioning).plan(current_actor(), taken.plan))


@pages.get("/plans/<id>/import")
@requires("deployment.import")
def planned(id: str) -> ResponseReturnValue:  # noqa: A002
    """A plan of an import, or of a later change of what was imported."""
    wanted = use(Provisioning).plan(current_actor(), id)
    there, taken = _imported(wanted.deployment_id)
    return _show_plan(there, taken, wanted)


def _imported(deployment: str) -> tuple[Deployment, Taken]:
    there = use(Provisioning).deployment(current_actor(), deployment)
    taken = use(Imports).standing(current_actor(), there.id)
    if taken is None:
        raise Conflict("the deployment was not imported")
    return there, taken


def _show_plan(
    there: Deployment,
    taken: Taken,
    plan: Plan,
    error: BoroughError | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    return show(
        "imports/plan.html",
        status,
        region=_region(there.region_id),
        deployment=there,
        tenancy=use(TenancyService).tenancy(current_actor(), there.tenancy_id),
        taken=taken,
        plan=plan,
        ready=_may_begin(there, taken, plan),
        error=error,
        reason=request.form.get("reason", ""),
        crumbs=_crumbs_of(there, gettext("Import") if plan.imports else gettext("Change")),
    )


def _may_begin(there: Deployment, taken: Taken, plan: Plan) -> bool:
    """Whether this plan can be carried out now, for the first time or again."""
    if plan.imports or not taken.complete:
        return taken.ready and plan.id == taken.plan
    done = there.plan_id == plan.id and there.state is DeploymentState.ACTIVE
    return not there.operation and there.state in _CHANGEABLE and not done


@pages.get("/deployments/<id>/change")
@requires("deployment.import")
def change(id: str) -> ResponseReturnValue:  # noqa: A002
    """The inputs of what was imported, to be changed and planned."""
    return _show_change(id)


def _show_change(
    deployment: str, error: BoroughError | None = None, status: int = 200
) -> ResponseReturnValue:
    there, _taken = _imported(deployment)
    problems = error.problems if isinstance(error, Invalid) else ()
    return show(
        "imports/change.html",
        status,
        region=_region(there.region_id),
        deployment=there,
        inputs=request.form.get("inputs", _as_yaml(there.inputs)),
        problems=[(p.field, p.message) for p in problems],
        error="" if error is None or problems else error.message,
        crumbs=_crumbs_of(there, gettext("Change")),
    )


@pages.post("/deployments/<id>/change")
@requires("deployment.import")
def plan_change(id: str) -> ResponseReturnValue:  # noqa: A002
    """Plan other inputs of what was imported; nothing is touched."""
    there, taken = _imported(id)
    if not taken.complete:
        raise Conflict("the import is not complete: carry out its own plan first")
    found = Collector()
    inputs = _mapping(request.form.get("inputs", ""), "inputs", found)
    try:
        found.finish()
        made = use(Provisioning).plan_deployment(current_actor(), there.id, inputs=inputs)
    except (Invalid, Conflict) as error:
        return _show_change(id, error, 422)
    return go("imports_pages.planned", id=made.id, notice="import.planned")


def _crumbs_of(there: Deployment, last: str) -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Deployments"), url_for("provisioning_pages.deployments")),
        Crumb(there.name, url_for("provisioning_pages.deployment", id=there.id)),
        Crumb(last),
    ]


@pages.post("/deployments/<id>/abandon-import")
@requires("deployment.import")
def abandon(id: str) -> ResponseReturnValue:  # noqa: A002
    """Give up an import that was not completed."""
    try:
        started = use(Imports).request_abandon(
            current_actor(), id, reason=request.form.get("reason", "")
        )
    except Invalid as error:
        there, taken = _imported(id)
        wanted = use(Provisioning).plan(current_actor(), taken.plan)
        return _show_plan(there, taken, wanted, error, 422)
    return go("operations_pages.operation", id=started.id, notice="import.abandoned")


@pages.post("/plans/<id>/import")
@requires("deployment.import")
def apply(id: str) -> ResponseReturnValue:  # noqa: A002
    """Carry out a plan under the digest that was shown."""
    started = use(Imports).request_apply(current_actor(), id, request.form.get("digest", ""))
    return go("operations_pages.operation", id=started.id, notice="import.started")


def _wish(region: Region) -> Wish:
    found = Collector()
    sent = {name: request.form.get(name, "").strip() for name in _NAMES}
    inputs, ids = _mapping(sent["inputs"], "inputs", found), _mapping(sent["ids"], "ids", found)
    for name in ("tenancy", "blueprint"):
        found.check(bool(sent[name]), name, "is required")
    if sent["tenancy"]:
        try:
            use(TenancyService).tenancy(current_actor(), sent["tenancy"])
        except NotFound:
            found.check(False, "tenancy", "is no tenancy")
    found.finish()
    return Wish(
        tenancy=sent["tenancy"],
        region=region.id,
        blueprint=sent["blueprint"],
        inputs=inputs,
        ids={str(name): str(value) for name, value in ids.items()},
        name=sent["name"],
        creations=sent["creations"] == "1",
    )


def _mapping(text: str, name: str, found: Collector) -> Mapping[str, Any]:
    if not found.check(len(text) <= _LONGEST, name, f"must have {_LONGEST} characters or fewer"):
        return {}
    try:
        read = yaml_text.read_strangers(text) if text else {}
    except yaml.YAMLError:
        read = None
    if not isinstance(read, dict):
        found.check(False, name, "must be lines of the form “name: value”")
        return {}
    return {str(key): value for key, value in read.items()}


def _as_yaml(tree: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(tree), sort_keys=False, allow_unicode=True)


def _region(reference: str) -> Region:
    return use(Provisioning).region(current_actor(), reference)


def _crumbs(region: Region, *, last: bool = False) -> list[Crumb]:
    made_by_hand = gettext("Made by hand")
    there = url_for("imports_pages.projects", id=region.slug)
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Regions"), url_for("provisioning_pages.regions")),
        Crumb(local(region.title), url_for("provisioning_pages.region", id=region.slug)),
        Crumb(made_by_hand) if last else Crumb(made_by_hand, there),
    ]
