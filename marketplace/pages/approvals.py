"""Pages of approvers: what waits, and everything to decide on about one order."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, NeedsApproval, Problem, QuotaExceeded
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_, say
from foundation.surface.web.pages import Crumb, go, show
from marketplace.model import OrderState
from marketplace.pages.base import pages
from marketplace.pages.ordering import name_of
from marketplace.service import Marketplace, Review

pages.navigation(N_("Approvals"), "approvals", action="approval.view", order=30)
pages.notices["approval.approved"] = N_("You approved it.")
pages.notices["approval.rejected"] = N_("You rejected it; the requester sees your reason.")


@pages.get("/approvals")
@requires("approval.view")
def approvals() -> ResponseReturnValue:
    """Orders that wait for approval."""
    mine = request.args.get("mine") == "1"
    found = use(Marketplace).approvals(
        current_actor(), PageRequest(request.args.get("cursor")), mine=mine
    )
    return show(
        "marketplace/approvals.html",
        page=found,
        mine=mine,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Approvals"))],
    )


@pages.get("/approvals/<id>")
@requires("approval.view")
def approval(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One order as an approver sees it."""
    return _page(id)


def _page(
    order_id: str,
    *,
    problems: Sequence[Problem] = (),
    difference: Sequence[Mapping[str, Any]] | None = None,
    exceeded: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    review: Review = use(Marketplace).approval(current_actor(), order_id)
    reason = Field(
        "reason",
        gettext("Why you reject it"),
        "textarea",
        request.form.get("reason", ""),
        help=gettext("The requester reads this."),
        required=True,
        max_length=2000,
    )
    return show(
        "marketplace/approval.html",
        status,
        review=review,
        order=review.order,
        plan=review.plan.document["provisioning"],
        name=name_of(review.order),
        form=Form.of([reason], problems),
        difference=difference,
        exceeded=exceeded,
        waiting=review.order.state is OrderState.IN_APPROVAL,
        history=use(Marketplace).history(current_actor(), order_id),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Approvals"), url_for("marketplace_pages.approvals")),
            Crumb(name_of(review.order)),
        ],
    )


@pages.post("/approvals/<id>/approve")
@requires("approval.decide")
def approve(id: str) -> ResponseReturnValue:  # noqa: A002
    """Approve the digest that was on the page, and nothing else."""
    try:
        order = use(Marketplace).approve(current_actor(), id, request.form.get("digest", ""))
    except NeedsApproval as error:
        return _page(id, difference=error.details.get("difference") or [], status=409)
    except QuotaExceeded as error:
        return _page(id, exceeded=say(error.message), status=409)
    if order.state is OrderState.APPROVED:
        return go("marketplace_pages.order", id=id, notice="approval.approved")
    return go("marketplace_pages.approval", id=id, notice="approval.approved")


@pages.post("/approvals/<id>/reject")
@requires("approval.decide")
def reject(id: str) -> ResponseReturnValue:  # noqa: A002
    """Reject the digest that was on the page, with a reason."""
    digest, reason = request.form.get("digest", ""), request.form.get("reason", "")
    try:
        use(Marketplace).reject(current_actor(), id, digest, reason)
    except NeedsApproval as error:
        return _page(id, difference=error.details.get("difference") or [], status=409)
    except Invalid as error:
        return _page(id, problems=error.problems, status=422)
    return go("marketplace_pages.order", id=id, notice="approval.rejected")
