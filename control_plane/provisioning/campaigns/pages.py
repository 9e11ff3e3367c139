"""Pages of campaigns: the list with a form, and one campaign with its waves."""

from functools import partial
from itertools import groupby

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.campaigns.model import SETTLED
from control_plane.provisioning.campaigns.service import Campaigns, Wish
from control_plane.provisioning.service import Provisioning
from foundation.access import policy
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest, everything
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("campaigns", __name__)
pages.navigation(N_("Campaigns"), "campaigns", action="campaign.view", group="platform", order=45)
pages.subjects["cam"] = "campaigns_pages.campaign"
pages.notices["campaign.stop"] = N_("No further deployment is begun.")
pages.notices["campaign.retry"] = N_("What did not succeed is planned anew.")

_BEYOND = {
    "creates": N_("creates resources"),
    "replaces": N_("replaces resources"),
    "deletes": N_("deletes resources"),
    "prepares": N_("changes the tenancy first"),
    "quota": N_("takes or gives back quota"),
    "usage": N_("costs more or less"),
    "policy": N_("a policy forbids it"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"beyond_word": beyond_word}


def beyond_word(reason: object) -> str:
    """Why a department has to order an upgrade, in the request's language."""
    return str(gettext(_BEYOND[str(reason)]))


@pages.get("/campaigns")
@requires("campaign.view")
def campaigns() -> ResponseReturnValue:
    """All campaigns, and a form for another."""
    return _list({}, [], 200)


def _list(form: dict[str, str], problems: list[Problem], status: int) -> ResponseReturnValue:
    actor = current_actor()
    known = everything(partial(use(Provisioning).blueprints, actor))
    return show(
        "campaigns/campaigns.html",
        status,
        page=use(Campaigns).campaigns(actor, PageRequest(request.args.get("cursor"))),
        creates=policy.allows(actor, "campaign.create", policy.ROOT),
        blueprints=[b.name for b in known],
        form=form,
        problems=[(p.field, say_problem(p)) for p in problems],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Campaigns"))],
    )


@pages.post("/campaigns")
@requires("campaign.create")
def create() -> ResponseReturnValue:
    """Choose deployments and plan their upgrade."""
    form = {name: value.strip() for name, value in request.form.items()}
    wish = Wish(
        form.get("title", ""), form.get("blueprint", ""), form.get("version", ""),
        path=form.get("path") or policy.ROOT,
        waves=tuple(part.strip() for part in form.get("waves", "").split(",")),
        automatic=bool(form.get("automatic")),
    )  # fmt: skip
    try:
        made = use(Campaigns).create(current_actor(), wish)
    except Invalid as error:
        return _list(form, list(error.problems), 422)
    return go("campaigns_pages.campaign", id=made.id)


@pages.get("/campaigns/<id>")
@requires("campaign.view")
def campaign(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One campaign: its waves, each deployment, and what waits for approval."""
    actor = current_actor()
    found, members, digest = use(Campaigns).campaign(actor, id)
    waves = {wave: list(some) for wave, some in groupby(members, key=lambda m: m.wave)}
    return show(
        "campaigns/campaign.html",
        campaign=found,
        waves=waves,
        settled=sum(m.state in SETTLED for m in members),
        total=len(members),
        digest=digest,
        approves=policy.allows(actor, "campaign.approve", policy.ROOT)
        and found.created_by != actor.id,
        stops=policy.allows(actor, "campaign.stop", policy.ROOT),
        creates=policy.allows(actor, "campaign.create", policy.ROOT),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Campaigns"), url_for("campaigns_pages.campaigns")),
            Crumb(found.title),
        ],
    )


@pages.post("/campaigns/<id>/approve")
@requires("campaign.approve")
def approve(id: str) -> ResponseReturnValue:  # noqa: A002
    """Let the next wave begin, as it was shown."""
    use(Campaigns).approve(current_actor(), id, request.form.get("digest", ""))
    return go("campaigns_pages.campaign", id=id)


@pages.post("/campaigns/<id>/stop")
@requires("campaign.stop")
def stop(id: str) -> ResponseReturnValue:  # noqa: A002
    """Begin no further deployment."""
    use(Campaigns).stop(current_actor(), id)
    return go("campaigns_pages.campaign", id=id, notice="campaign.stop")


@pages.post("/campaigns/<id>/retry")
@requires("campaign.create")
def retry(id: str) -> ResponseReturnValue:  # noqa: A002
    """Plan anew what did not succeed."""
    use(Campaigns).retry(current_actor(), id)
    return go("campaigns_pages.campaign", id=id, notice="campaign.retry")
