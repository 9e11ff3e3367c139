"""Pages of orders: the form with its price, drafts, the list, one order and its way."""

from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Invalid,
    NotFound,
    PreconditionFailed,
    Problem,
)
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Form, described
from foundation.surface.web.i18n import N_, local, say
from foundation.surface.web.pages import Crumb, go, show
from marketplace.model import Order, OrderKind, OrderState, Wish
from marketplace.pages.base import pages
from marketplace.pages.wishes import Draft, blank, draft_of, fields_of, url_of_form, wish_from
from marketplace.service import Marketplace

pages.navigation(N_("Orders"), "orders", action="order.view", order=20)
pages.notices["order.saved"] = N_("The draft is saved.")
pages.notices["order.submitted"] = N_("The order is submitted: it is planned and priced now.")
pages.notices["order.withdrawn"] = N_("The order is withdrawn.")
pages.notices["order.reopened"] = N_("The order is a draft again.")
pages.notices["order.retried"] = N_("The order is planned anew.")

#: States in which something works on the order by itself.
MOVING = frozenset(
    {OrderState.SUBMITTED, OrderState.PLANNING, OrderState.APPROVED, OrderState.PROVISIONING}
)


# --- the form


@pages.get("/orders/new")
@requires("order.create")
def new_order() -> ResponseReturnValue:
    """An empty order form for an offering and plan."""
    draft = draft_of(request.args.get("offering", ""), request.args.get("plan", ""))
    if not draft.offering.orderable:
        raise Conflict(f"cannot be ordered: {draft.offering.availability_note.en}")
    return show_form(draft, blank(draft))


@pages.post("/orders")
@requires("order.create")
def create_order() -> ResponseReturnValue:
    """Save a draft, or submit it at once."""
    draft = _posted_draft()
    return _keep(draft, None)


@pages.post("/orders/<id>")
@requires("order.create")
def update_order(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """Change a draft, or submit it."""
    order = use(Marketplace).order(current_actor(), id)
    return _keep(_posted_draft(order), order)


@pages.post("/orders/quote")
@requires("order.create")
def quote_order() -> ResponseReturnValue:
    """The price beside the form, and what is wrong with each field, while one types."""
    draft = _posted_draft()
    wish, problems, raw = wish_from(draft, request.form)
    quote, trouble = None, ""
    try:
        quote = use(Marketplace).quote(current_actor(), wish)
    except Invalid as error:
        problems += error.problems
    except BoroughError as error:
        trouble = say(error.message)
    form = Form.of(fields_of(draft, wish, raw), _without_empty(problems))
    return show(
        "marketplace/quote.html",
        quote=quote,
        form=form,
        trouble=trouble,
        open_fields={p.field for p in problems},
    )


def _without_empty(problems: Sequence[Problem]) -> list[Problem]:
    """While one types, a field that is still empty is not held against anybody."""
    return [p for p in problems if p.code != "required"]


def _posted_draft(order: Order | None = None) -> Draft:
    if order is not None:
        return _draft_of_order(order)
    instance_id = request.form.get("instance", "")
    instance = use(Marketplace).instance(current_actor(), instance_id) if instance_id else None
    offering = instance.offering if instance else request.form.get("offering", "")
    return draft_of(offering, request.form.get("plan", ""), instance)


def _draft_of_order(order: Order) -> Draft:
    instance = None
    if order.kind is not OrderKind.APPLY:
        instance = use(Marketplace).instance(current_actor(), order.instance_id)
    plan = request.form.get("plan") or request.args.get("plan") or order.wish.plan
    return draft_of(order.wish.offering, plan, instance)


def _keep(draft: Draft, order: Order | None) -> ResponseReturnValue:
    """Save what was typed and, when that was asked for, submit it."""
    actor, service = current_actor(), use(Marketplace)
    wish, problems, raw = wish_from(draft, request.form)
    if problems:
        return show_form(draft, wish, order, problems, raw, 422)
    try:
        order = (
            service.create_order(actor, wish)
            if order is None
            else service.update_order(actor, order.id, wish, version=_version(order))
        )
        if request.form.get("then") == "submit":
            service.submit(actor, order.id)
            return go("marketplace_pages.order", id=order.id, notice="order.submitted")
    except Invalid as error:
        return show_form(draft, wish, order, error.problems, raw, 422)
    except PreconditionFailed as error:
        return show_form(draft, wish, order, [Problem("", error.message)], raw, 412)
    return go("marketplace_pages.order", id=order.id, notice="order.saved")


def _version(order: Order) -> int:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() else order.version


def show_form(
    draft: Draft,
    wish: Wish,
    order: Order | None = None,
    problems: Sequence[Problem] = (),
    raw: dict[str, str] | None = None,
    status: int = 200,
) -> ResponseReturnValue:
    """The order form: empty, a draft, or with what is wrong."""
    title = gettext("Order: %(what)s", what=local(draft.offering.name))
    if draft.instance:
        title = gettext("Change: %(name)s", name=draft.instance.name)
    return show(
        "marketplace/order_form.html",
        status,
        draft=draft,
        order=order,
        form=Form.of(fields_of(draft, wish, raw), problems),
        title=title,
        url_of_form=lambda plan: url_of_form(draft, plan),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Catalogue"), url_for("marketplace_pages.catalogue")),
            Crumb(
                local(draft.offering.name),
                url_for("marketplace_pages.offering", slug=draft.offering.slug),
            ),
            Crumb(title),
        ],
    )


# --- orders


@pages.get("/orders")
@requires("order.view")
def orders() -> ResponseReturnValue:
    """The orders that the visitor may see, newest first; filters are in the address."""
    filters = {
        name: value for name in ("state", "kind", "offering") if (value := request.args.get(name))
    }
    found = use(Marketplace).orders(
        current_actor(), PageRequest(request.args.get("cursor")), filters
    )
    return show(
        "marketplace/orders.html",
        page=found,
        filters=filters,
        states=list(OrderState),
        kinds=list(OrderKind),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Orders"))],
    )


@pages.get("/orders/<id>")
@requires("order.view")
def order(id: str) -> ResponseReturnValue:  # noqa: A002
    """One order: a draft as its form, anything later with its plan, approvals and way."""
    actor, service = current_actor(), use(Marketplace)
    found = service.order(actor, id)
    mine = found.requester_id == actor.id
    if found.state is OrderState.DRAFT and mine and found.kind is not OrderKind.DELETE:
        return show_form(_draft_of_order(found), found.wish, found)
    return show(
        "marketplace/order.html",
        order=found,
        mine=mine,
        name=name_of(found),
        review=_review(id),
        history=service.history(actor, id),
        moving=found.state in MOVING,
        offering=_offering_name(found),
        inputs=_inputs(found),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Orders"), url_for("marketplace_pages.orders")),
            Crumb(name_of(found)),
        ],
    )


def _review(order_id: str) -> Any:  # noqa: ANN401 - a Review, or None before there is a plan
    try:
        return use(Marketplace).approval(current_actor(), order_id)
    except BoroughError:
        return None


def _inputs(found: Order) -> list[tuple[str, str]]:
    try:
        revision = use(Marketplace).input_schema(current_actor(), found.wish.offering)
    except NotFound:
        revision = None
    return described(revision.inputs if revision else {}, found.wish.inputs)


def _offering_name(found: Order) -> str:
    try:
        return local(use(Marketplace).offering(current_actor(), found.wish.offering).name)
    except NotFound:
        return found.wish.offering


def name_of(found: Order) -> str:
    """What an order is called: the service it is for, or its id while that has no name."""
    return found.wish.name or found.id


# --- what may be done with an order


@pages.post("/orders/<id>/withdraw")
@requires("order.withdraw")
def withdraw_order(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take an order back."""
    use(Marketplace).withdraw(current_actor(), id, request.form.get("reason", "").strip())
    return go("marketplace_pages.order", id=id, notice="order.withdrawn")


@pages.post("/orders/<id>/reopen")
@requires("order.create")
def reopen_order(id: str) -> ResponseReturnValue:  # noqa: A002
    """Make an order that ended without a service a draft again."""
    use(Marketplace).reopen(current_actor(), id)
    return go("marketplace_pages.order", id=id, notice="order.reopened")


@pages.post("/orders/<id>/retry")
@requires("order.submit")
def retry_order(id: str) -> ResponseReturnValue:  # noqa: A002
    """Plan a failed order anew."""
    use(Marketplace).retry(current_actor(), id)
    return go("marketplace_pages.order", id=id, notice="order.retried")
