"""Pages of linkage rules: the list, and the form of one."""

from collections.abc import Sequence

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, NotFound, Problem
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.video_analytics.cameras.pages import all_cameras
from workloads.video_analytics.departments.pages import all_departments
from workloads.video_analytics.events.linkage.forms import Drawn, Wish, values_of
from workloads.video_analytics.events.linkage.model import Action, ActionKind, Linkage
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.notification.service import Receivers

pages = Pages("linkages", __name__)
pages.navigation(N_("Linkage"), "linkages", action="rule.view", order=24)
pages.subjects["lnk"] = "linkages_pages.linkage"
pages.notices.update({
    "linkage.added": N_("The linkage rule is in force."),
    "linkage.changed": N_("The linkage rule was changed."),
    "linkage.removed": N_("The linkage rule was removed; what it did stays."),
})  # fmt: skip


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"action_word": _word}


def _word(action: Action) -> str:
    if action.kind is ActionKind.PTZ:
        return str(gettext("turn a camera"))
    if action.kind is ActionKind.WEBHOOK:
        return str(gettext("tell a receiver"))
    return str(gettext("open an incident"))


@pages.get("/linkages")
@requires("rule.view")
def linkages() -> ResponseReturnValue:
    """The rules that the visitor may see."""
    return show(
        "linkages/linkages.html", linkages=use(Linkages).linkages(current_actor()),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Linkage"))],
    )  # fmt: skip


@pages.get("/linkages/new")
@requires("rule.manage")
def new() -> ResponseReturnValue:
    """The form of a new rule."""
    return _form(None)


@pages.post("/linkages")
@requires("rule.manage")
def create() -> ResponseReturnValue:
    """Add a rule, or say what is wrong."""
    wish: Wish | None = None
    try:
        wish = Wish(request.form)
        use(Linkages).add(
            current_actor(), wish.path, wish.name, wish.when, wish.then, wish.pause
        )  # fmt: skip
    except Invalid as error:
        return _form(None, _placed(wish, error), 422)
    except NotFound:
        return _form(None, [Problem("path", "is not a department")], 422)
    return go("linkages_pages.linkages", notice="linkage.added")


@pages.get("/linkages/<id>")
@requires("rule.view")
def linkage(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One rule; its form for those who may change it."""
    return _form(use(Linkages).linkage(current_actor(), id))


@pages.post("/linkages/<id>")
@requires("rule.manage")
def change(id: str) -> ResponseReturnValue:  # noqa: A002
    """Change a rule, or say what is wrong."""
    there = use(Linkages).linkage(current_actor(), id)
    wish: Wish | None = None
    seen = request.form.get("version", "")
    try:
        wish = Wish(request.form)
        use(Linkages).change(
            current_actor(), id, wish.name, wish.when, wish.then, wish.pause,
            version=int(seen) if seen.isdecimal() else None,
        )  # fmt: skip
    except Invalid as error:
        return _form(there, _placed(wish, error), 422)
    return go("linkages_pages.linkages", notice="linkage.changed")


@pages.post("/linkages/<id>/switch")
@requires("rule.manage")
def switch(id: str) -> ResponseReturnValue:  # noqa: A002
    """Turn a rule on or off."""
    use(Linkages).switch(current_actor(), id, enabled=request.form.get("enabled") == "on")
    return go("linkages_pages.linkages", notice="linkage.changed")


@pages.post("/linkages/<id>/remove")
@requires("rule.manage")
def remove(id: str) -> ResponseReturnValue:  # noqa: A002
    """Forget a rule."""
    use(Linkages).remove(current_actor(), id)
    return go("linkages_pages.linkages", notice="linkage.removed")


def _placed(wish: Wish | None, error: Invalid) -> Sequence[Problem]:
    return error.problems if wish is None else wish.placed(error.problems)


def _form(
    there: Linkage | None, problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    actor = current_actor()
    sent = request.form if request.method == "POST" else values_of(there)
    receivers = use(Receivers).receivers(actor) if may("receiver.view") else []
    drawn = Drawn(
        sent, problems,
        places=[Option(d.path, f"{local(d.name)} ({d.path})") for d in all_departments()],
        receivers=[Option(r.id, f"{r.name} ({r.path})") for r in receivers],
        cameras=[Option(c.id, local(c.settings.name)) for c in all_cameras()],
        kept=there is not None,
    )  # fmt: skip
    hidden = [(name, one) for name in ("rules", "timezone") for one in sent.getlist(name)]
    last = Crumb(there.name if there else gettext("New linkage rule"))
    way = Crumb(gettext("Linkage"), url_for("linkages_pages.linkages"))
    return show(
        "linkages/linkage.html", status, linkage=there, drawn=drawn, hidden=hidden,
        crumbs=[Crumb(gettext("Home"), "/"), way, last],
    )  # fmt: skip
