"""Pages of drift: all tenancies at a glance, one deployment, one finding; and what is decided."""

from datetime import UTC, date, datetime

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.drift.model import Finding, FindingState, Watched
from control_plane.provisioning.drift.service import Drift
from control_plane.provisioning.graph import DriftKind
from control_plane.provisioning.pages import region_of
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface import auth
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("drift", __name__)
pages.navigation(N_("Drift"), "drift", action="drift.check", group="platform", order=45)
pages.subjects["drf"] = "drift_pages.finding"
pages.notices["drift.ignored"] = N_("Nobody is bothered with it until then.")
pages.notices["drift.due"] = N_("Everything is looked at, in small batches, from now on.")

#: How open findings and accepted deviations look: as no state of anything else does.
UNDECIDED, DEVIATION = "undecided", "accepted"
#: What kinds of drift are called.
KINDS = {
    DriftKind.CHANGED.value: N_("changed"),
    DriftKind.MISSING.value: N_("missing"),
    DriftKind.ADDED.value: N_("added"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "drift_kind": lambda kind: str(gettext(KINDS[kind])),
        "drift_state": state_of,
        "drift_of": drift_of,
        "region_name": region_name,
    }


def state_of(finding: Finding) -> str:
    """The state of a finding as the table of looks knows it."""
    if finding.deviation:
        return DEVIATION
    return UNDECIDED if finding.state is FindingState.OPEN else finding.state.value


def region_name(region_id: str) -> str:
    """What a region is called; its id when the visitor may not know it."""
    found = region_of(region_id)
    return local(found.title) if found is not None else region_id


def drift_of(deployment_id: str) -> tuple[Watched | None, tuple[Finding, ...]] | None:
    """How a deployment stands with drift, for its page; None for who may not know."""
    if not auth.may("drift.view"):
        return None
    look, found = use(Drift).of_deployment(current_actor(), deployment_id)
    return look, tuple(found)


@pages.get("/drift")
@requires("drift.view")
def drift() -> ResponseReturnValue:
    """All that differs, by region and kind; filters are in the address."""
    filters = {
        name: value
        for name in ("region_id", "kind", "state", "tenancy_id", "deployment_id")
        if (value := request.args.get(name))
    }
    actor, service = current_actor(), use(Drift)
    found = service.findings(actor, PageRequest(request.args.get("cursor")), filters)
    return show(
        "drift/drift.html",
        page=found,
        regions=service.summary(actor),
        filters=filters,
        kinds=KINDS,
        states=list(FindingState),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Drift"))],
    )


@pages.post("/drift/checks")
@requires("drift.check")
def check_all() -> ResponseReturnValue:
    """Let everything be looked at soon."""
    use(Drift).request_checks(current_actor(), request.form.get("region") or None)
    return go("drift_pages.drift", notice="drift.due")


@pages.get("/drift/<id>")
@requires("drift.view")
def finding(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One finding with its history, and how to have it ignored."""
    return _show_finding(id, _ignore_form())


def _show_finding(finding_id: str, form: Form, status: int = 200) -> ResponseReturnValue:
    found = use(Drift).finding(current_actor(), finding_id)
    return show(
        "drift/finding.html",
        status,
        finding=found,
        form=form,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Drift"), url_for("drift_pages.drift")),
            Crumb(found.name),
        ],
    )


def _ignore_form(problems: tuple[Problem, ...] = ()) -> Form:
    sent = {name: request.form.get(name, "") for name in ("until", "reason")}
    fields = (
        Field("until", gettext("Ignore until"), "date", sent["until"], required=True),
        Field("reason", gettext("Reason"), "textarea", sent["reason"], required=True,
              max_length=500),
    )  # fmt: skip
    return Form.of(fields, problems)


@pages.post("/drift/<id>/ignore")
@requires("drift.ignore")
def ignore(id: str) -> ResponseReturnValue:  # noqa: A002
    """Have a finding ignored until a date, or say what is wrong."""
    try:
        until = date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        problems = [Problem("until", "must be a date")]
        if not request.form.get("reason", "").strip():
            problems.append(Problem("reason", "is required"))
        return _show_finding(id, _ignore_form(tuple(problems)), 422)
    try:
        use(Drift).ignore(
            current_actor(),
            id,
            until=datetime(until.year, until.month, until.day, tzinfo=UTC),
            reason=request.form.get("reason", ""),
        )
    except Invalid as error:
        return _show_finding(id, _ignore_form(error.problems), 422)
    return go("drift_pages.finding", id=id, notice="drift.ignored")


@pages.get("/deployments/<id>/drift")
@requires("drift.view")
def deployment_drift(id: str) -> ResponseReturnValue:  # noqa: A002
    """What differs of one deployment, what was decided before, and what to do."""
    return _show_deployment(id, _adopt_form())


def _show_deployment(deployment_id: str, form: Form, status: int = 200) -> ResponseReturnValue:
    actor, service = current_actor(), use(Drift)
    look, standing = service.of_deployment(actor, deployment_id)
    there = use(Provisioning).deployment(actor, deployment_id)
    history = [
        found
        for state in (FindingState.REPAIRED, FindingState.ADOPTED, FindingState.GONE)
        for found in service.findings(
            actor, PageRequest(), {"deployment_id": there.id, "state": state.value}
        ).items
        if found.closed_at is not None
    ]
    history.sort(key=lambda f: f.id, reverse=True)
    return show(
        "drift/deployment.html",
        status,
        deployment=there,
        region=region_of(there.region_id),
        look=look,
        standing=standing,
        undecided=[f for f in standing if not f.deviation],
        kept=[f for f in standing if f.state is not FindingState.OPEN and not f.added],
        removable=[f for f in standing if f.removable],
        history=history,
        form=form,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Deployments"), url_for("provisioning_pages.deployments")),
            Crumb(there.name, url_for("provisioning_pages.deployment", id=there.id)),
            Crumb(gettext("Drift")),
        ],
    )


def _adopt_form(problems: tuple[Problem, ...] = ()) -> Form:
    sent = request.form.get("reason", "")
    fields = (Field("reason", gettext("Reason"), "textarea", sent, required=True, max_length=500),)
    return Form.of(fields, problems)


@pages.post("/deployments/<id>/drift/check")
@requires("drift.check")
def check(id: str) -> ResponseReturnValue:  # noqa: A002
    """Look at the deployment now."""
    started = use(Drift).request_check(current_actor(), id)
    return go("operations_pages.operation", id=started.id)


@pages.post("/deployments/<id>/drift/repair")
@requires("drift.repair")
def repair(id: str) -> ResponseReturnValue:  # noqa: A002
    """Bring back what was applied last."""
    started = use(Drift).request_repair(
        current_actor(),
        id,
        everything=request.form.get("everything") == "on",
        remove=request.form.getlist("remove"),
        reason=request.form.get("reason", "")[:500],
    )
    return go("operations_pages.operation", id=started.id)


@pages.post("/deployments/<id>/drift/adopt")
@requires("drift.adopt")
def adopt(id: str) -> ResponseReturnValue:  # noqa: A002
    """Want what is there, or say what is wrong."""
    try:
        started = use(Drift).request_adopt(
            current_actor(),
            id,
            findings=request.form.getlist("findings"),
            reason=request.form.get("reason", ""),
        )
    except Invalid as error:
        return _show_deployment(id, _adopt_form(error.problems), 422)
    return go("operations_pages.operation", id=started.id)
