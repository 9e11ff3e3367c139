"""Pages of rules: the list, the editor that draws on a frame, and the calendar of permits."""

import calendar
from datetime import date, timedelta
from functools import partial

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import PageRequest, everything
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.forms import Field, Form, Option, said
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.video_analytics.cameras.live import LivePictures
from workloads.video_analytics.cameras.model import Camera
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.rules.forms import read_rule, rule_form
from workloads.video_analytics.rules.model import Permit, Rule, shape
from workloads.video_analytics.rules.ports import PermitQuery, RuleQuery
from workloads.video_analytics.rules.service import PermitWish, Rules
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS

pages = Pages("rules", __name__)
pages.navigation(N_("Rules"), "rules", action="rule.view", order=20)
pages.navigation(N_("Permits"), "permits", action="permit.view", order=40)
pages.subjects["rul"] = "rules_pages.rule"
pages.notices["rule.created"] = N_("The camera is watched for this from now on.")
pages.notices["rule.updated"] = N_("A new version of the rule is in force; the older one is kept.")
pages.notices["rule.switched"] = N_("The rule was switched.")
pages.notices["rule.removed"] = N_("The rule was removed; its versions are kept.")
pages.notices["rule.copied"] = N_("The rule was copied to the cameras of the group without one.")
pages.notices["permit.created"] = N_("The permit was entered.")
pages.notices["permit.revoked"] = N_("The permit counts no more.")

_WEEK = 7


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"kind_title": kind_title}


def kind_title(kind: RuleKind) -> str:
    """What a kind is called in the request's language."""
    return said(PARAMETERS[kind], "title") if kind in PARAMETERS else kind.value


@pages.get("/rules")
@requires("rule.view")
def rules() -> ResponseReturnValue:
    """The rules that the visitor may see, of one camera or of all."""
    actor, camera_id = current_actor(), request.args.get("camera", "")
    camera = use(Cameras).camera(actor, camera_id) if camera_id else None
    query = RuleQuery(camera_id=camera.id if camera else None)
    page = use(Rules).rules(actor, query, PageRequest(request.args.get("cursor")))
    return show(
        "rules/rules.html",
        page=page,
        camera=camera,
        cameras=use(Cameras).known({one.camera_id for one in page.items}),
        kinds=use(Rules).kinds(),
        missing=use(Rules).missing,
        crumbs=_crumbs(Crumb(local(camera.settings.name)) if camera else None),
    )


@pages.get("/rules/new")
@requires("rule.manage")
def new() -> ResponseReturnValue:
    """The editor of a new rule of a camera."""
    camera = use(Cameras).camera(
        current_actor(), request.args.get("camera", ""), action="rule.manage"
    )
    return _editor(_kind(request.args.get("kind", "")), camera, None)


@pages.post("/rules")
@requires("rule.manage")
def create() -> ResponseReturnValue:
    """Watch a camera for something, or say what is wrong."""
    actor, kind = current_actor(), _kind(request.form.get("kind", ""))
    camera = use(Cameras).camera(actor, request.form.get("camera", ""), action="rule.manage")
    try:
        made = use(Rules).create(actor, camera.id, read_rule(kind, request.form))
    except Invalid as error:
        return _editor(kind, camera, None, error.problems)
    return go("rules_pages.rule", id=made.id, notice="rule.created")


@pages.get("/rules/<id>")
@requires("rule.view")
def rule(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One rule in the editor, with its versions."""
    found = use(Rules).rule(current_actor(), id)
    return _editor(found.kind, use(Cameras).known([found.camera_id])[found.camera_id], found)


@pages.post("/rules/<id>")
@requires("rule.manage")
def change(id: str) -> ResponseReturnValue:  # noqa: A002
    """Make a new version, or say what is wrong."""
    actor = current_actor()
    there = use(Rules).rule(actor, id)
    seen = request.form.get("version", "")
    try:
        use(Rules).change(
            actor, id, read_rule(there.kind, request.form),
            version=int(seen) if seen.isascii() and seen.isdigit() else None,
        )  # fmt: skip
    except Invalid as error:
        camera = use(Cameras).known([there.camera_id])[there.camera_id]
        return _editor(there.kind, camera, there, error.problems)
    return go("rules_pages.rule", id=id, notice="rule.updated")


def _editor(
    kind: RuleKind, camera: Camera, there: Rule | None, problems: tuple[Problem, ...] = ()
) -> ResponseReturnValue:
    parameters = there.parameters if there else {}
    seen = use(Cameras).may_look(current_actor(), camera)
    return show(
        "rules/rule.html",
        422 if problems else 200,
        kind=kind,
        camera=camera,
        rule=there,
        draw=shape(kind, parameters),
        choice=PARAMETERS[kind].get("x-points") == "line|field",
        about=said(PARAMETERS[kind], "description"),
        taken=use(LivePictures).taken(camera) if seen else None,
        missing=use(Rules).missing(kind),
        groups=use(Cameras).groups(current_actor()),
        versions=use(Rules).versions(current_actor(), there.id) if there else (),
        form=rule_form(kind, there, request.form, problems),
        crumbs=_crumbs(Crumb(local(there.name) if there else gettext("New rule"))),
    )


@pages.post("/rules/<id>/switch")
@requires("rule.manage")
def switch(id: str) -> ResponseReturnValue:  # noqa: A002
    """Switch a rule on or off."""
    use(Rules).enable(current_actor(), id, enabled=request.form.get("enabled") == "true")
    return go("rules_pages.rule", id=id, notice="rule.switched")


@pages.post("/rules/<id>/copy")
@requires("rule.manage")
def copy(id: str) -> ResponseReturnValue:  # noqa: A002
    """Copy a rule to the cameras of a group."""
    use(Rules).copy(current_actor(), id, group=request.form.get("group", ""))
    return go("rules_pages.rule", id=id, notice="rule.copied")


@pages.post("/rules/<id>/remove")
@requires("rule.manage")
def remove(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take a rule away."""
    camera = use(Rules).rule(current_actor(), id).camera_id
    use(Rules).remove(current_actor(), id)
    return go("rules_pages.rules", camera=camera, notice="rule.removed")


def _kind(text: str) -> RuleKind:
    for kind in use(Rules).kinds():
        if kind.value == text:
            return kind
    raise Invalid([Problem("kind", "is not a kind that can be watched for")])


# Permits -----------------------------------------------------------------------------------------


@pages.get("/permits")
@requires("permit.view")
def permits() -> ResponseReturnValue:
    """The permits of a month on a calendar, and the form that enters one."""
    return _permits(())


def _permits(problems: tuple[Problem, ...], status: int = 200) -> ResponseReturnValue:
    month = _month(request.args.get("month", ""))
    after = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    query = PermitQuery(since=month, until=after - timedelta(days=1))
    actor, found = current_actor(), use(Rules)
    there = list(everything(partial(found.permits, actor, query)))
    sites = list(everything(partial(found.rules, actor, RuleQuery(kind=RuleKind.CONSTRUCTION))))
    return show(
        "rules/permits.html",
        status,
        month=month,
        before=(month - timedelta(days=1)).replace(day=1),
        after=after,
        weeks=_weeks(month, there),
        permits=there,
        sites=found.known({one.rule_id for one in there}),
        form=_permit_form(sites, problems),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Permits"))],
    )


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        return use(Runtime).clock.now().date().replace(day=1)


def _weeks(month: date, there: list[Permit]) -> list[list[tuple[date | None, list[Permit]]]]:
    """The month in weeks from Monday; each day with the permits that cover it."""
    days: list[tuple[date | None, list[Permit]]] = [(None, [])] * month.weekday()
    for number in range(1, calendar.monthrange(month.year, month.month)[1] + 1):
        day = month.replace(day=number)
        days.append((day, [one for one in there if one.first <= day <= one.last]))
    days += [(None, [])] * (-len(days) % _WEEK)
    return [days[at : at + _WEEK] for at in range(0, len(days), _WEEK)]


def _permit_form(sites: list[Rule], problems: tuple[Problem, ...]) -> Form:
    sent = request.form
    choices = tuple(Option(one.id, local(one.name)) for one in sites)
    fields = [
        Field("rule", gettext("Site"), "select", sent.get("rule", ""), required=True,
              options=choices),
        Field("number", gettext("Number"), value=sent.get("number", ""), required=True,
              max_length=100),
        Field("holder", gettext("Holder"), value=sent.get("holder", ""), max_length=200),
        Field("first", gettext("First day"), "date", sent.get("first", ""), required=True),
        Field("last", gettext("Last day"), "date", sent.get("last", ""), required=True),
        Field("start", gettext("From"), value=sent.get("start", "22:00"), max_length=5),
        Field("end", gettext("Until"), value=sent.get("end", "06:00"), max_length=5,
              help=gettext("At or before the start: of the next day.")),
        Field("note", gettext("Note"), "textarea", sent.get("note", ""), max_length=1000),
    ]  # fmt: skip
    return Form.of(fields, problems)


@pages.post("/permits")
@requires("permit.manage")
def create_permit() -> ResponseReturnValue:
    """Enter a permit, or say what is wrong."""
    sent, found = request.form, Collector()
    days = {}
    for name in ("first", "last"):
        try:
            days[name] = date.fromisoformat(sent.get(name, ""))
        except ValueError:
            found.check(False, name, "must be a day such as 2026-11-30")
    try:
        found.finish()
        wish = PermitWish(
            sent.get("number", ""), days["first"], days["last"], sent.get("holder", ""),
            sent.get("start", ""), sent.get("end", ""), sent.get("note", ""),
        )  # fmt: skip
        use(Rules).grant_permit(current_actor(), sent.get("rule", ""), wish)
    except Invalid as error:
        return _permits(error.problems, 422)
    except Conflict as error:
        return _permits((Problem("number", error.message),), 409)
    return go("rules_pages.permits", month=f"{wish.first:%Y-%m}", notice="permit.created")


@pages.post("/permits/<id>/revoke")
@requires("permit.manage")
def revoke(id: str) -> ResponseReturnValue:  # noqa: A002
    """Let a permit count no more."""
    there = use(Rules).revoke_permit(current_actor(), id)
    return go("rules_pages.permits", month=f"{there.first:%Y-%m}", notice="permit.revoked")


def _crumbs(last: Crumb | None) -> list[Crumb]:
    above = [Crumb(gettext("Home"), "/"), Crumb(gettext("Rules"), url_for("rules_pages.rules"))]
    return [*above, last] if last else above
