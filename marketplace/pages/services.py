"""Pages of the services that a department has: the list, one service, change and return."""

from collections.abc import Mapping
from dataclasses import replace

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.metering.service import Metering
from control_plane.provisioning.model import Revision
from foundation.kernel.errors import Conflict, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, described
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, go, show
from marketplace.model import Instance, InstanceState, OrderKind, TakenIn, Wish
from marketplace.pages.base import pages
from marketplace.pages.ordering import show_form
from marketplace.pages.wishes import blank, draft_of
from marketplace.service import Marketplace

pages.navigation(N_("Services"), "instances", action="instance.view", order=15)

TABS = {
    "overview": N_("Overview"),
    "resources": N_("Resources"),
    "usage": N_("Usage and cost"),
    "changes": N_("Changes"),
}


@pages.get("/services")
@requires("instance.view")
def instances() -> ResponseReturnValue:
    """The services that the visitor may see; filters are in the address."""
    filters = {
        name: value
        for name in ("state", "offering", "tenancy_id", "system_id", "region_id")
        if (value := request.args.get(name))
    }
    found = use(Marketplace).instances(
        current_actor(), PageRequest(request.args.get("cursor")), filters
    )
    return show(
        "marketplace/instances.html",
        page=found,
        taken=_taken_in(filters),
        filters=filters,
        states=list(InstanceState),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Services"))],
    )


def _taken_in(filters: Mapping[str, str]) -> list[TakenIn]:
    """What is there without an order; on the first page, where no filter leaves it out."""
    if set(filters) - {"tenancy_id"} or "cursor" in request.args or not may("deployment.view"):
        return []
    return use(Marketplace).taken_in(current_actor(), filters.get("tenancy_id"))


@pages.get("/services/<id>")
@requires("instance.view")
def instance(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One service; ``?tab=`` chooses overview, resources, usage or changes."""
    actor, service = current_actor(), use(Marketplace)
    found = service.instance(actor, id)
    tab = request.args.get("tab", "overview")
    if tab not in TABS:
        raise NotFound("there is no such page of the service")
    deployment, resources = service.instance_deployment(actor, id)
    used = []
    if tab == "usage":
        own = {found.id, *(resource.id for resource in resources)}  # its fees are its own
        window = use(Metering).this_month()
        everything = use(Metering).usage(actor, window, {"tenancy_id": found.tenancy_id})
        used = [one for one in everything if one.resource_id in own]
    orders = service.orders(actor, PageRequest(), {"instance_id": id}).items
    revision = _revision(found)
    return show(
        "marketplace/instance.html",
        instance=found,
        tab=tab,
        tabs=[
            (gettext(label), url_for("marketplace_pages.instance", id=id, tab=name), name == tab)
            for name, label in TABS.items()
        ],
        offering=_offering_name(found),
        deployment=deployment,
        resources=resources,
        outputs=described(revision.outputs if revision else {}, found.outputs),
        inputs=described(revision.inputs if revision else {}, found.inputs),
        used=used,
        orders=orders,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Services"), url_for("marketplace_pages.instances")),
            Crumb(found.name),
        ],
    )


def _offering_name(found: Instance) -> str:
    try:
        return local(use(Marketplace).offering(current_actor(), found.offering).name)
    except NotFound:
        return found.offering


def _revision(found: Instance) -> Revision | None:
    """What the blueprint behind a service says today of inputs and outputs."""
    try:
        return use(Marketplace).input_schema(current_actor(), found.offering)
    except NotFound:
        return None


# --- change and return


@pages.get("/services/<id>/change")
@requires("order.create")
def change_instance(id: str) -> ResponseReturnValue:  # noqa: A002
    """The order form of a change, filled with what the service has."""
    found = use(Marketplace).instance(current_actor(), id)
    if found.state not in {InstanceState.ACTIVE, InstanceState.FAILED}:
        raise Conflict(f"the service is {found.state.value}: it cannot be changed now")
    draft = draft_of(found.offering, request.args.get("plan") or found.plan, found)
    wish = replace(blank(draft), ends_at=found.ends_at)
    return show_form(draft, wish)


def _return_form(found: Instance, problems: tuple[Problem, ...] = ()) -> Form:
    fields = [
        Field(
            "justification",
            gettext("Why"),
            "textarea",
            request.form.get("justification", ""),
            help=gettext("Approvers read this first."),
            required=True,
            max_length=2000,
        ),
        Field(
            "name",
            gettext("Type %(name)s to return it", name=found.name),
            value=request.form.get("name", ""),
            required=True,
            autocomplete="off",
        ),
    ]
    return Form.of(fields, problems)


@pages.get("/services/<id>/return")
@requires("order.create")
def return_instance(id: str) -> ResponseReturnValue:  # noqa: A002
    """Ask before a service is returned: what goes, and its name to be typed."""
    return _return_page(id, ())


def _return_page(
    instance_id: str, problems: tuple[Problem, ...], status: int = 200
) -> ResponseReturnValue:
    actor, service = current_actor(), use(Marketplace)
    found = service.instance(actor, instance_id)
    _, resources = service.instance_deployment(actor, instance_id)
    return show(
        "marketplace/return.html",
        status,
        instance=found,
        resources=resources,
        form=_return_form(found, problems),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Services"), url_for("marketplace_pages.instances")),
            Crumb(found.name, url_for("marketplace_pages.instance", id=found.id)),
            Crumb(gettext("Return")),
        ],
    )


@pages.post("/services/<id>/return")
@requires("order.create")
def order_return(id: str) -> ResponseReturnValue:  # noqa: A002
    """Order the return of a service."""
    actor, service = current_actor(), use(Marketplace)
    found = service.instance(actor, id)
    problems = []
    if request.form.get("name", "").strip() != found.name:
        problems.append(Problem("name", "is not the name of the service"))
    if not request.form.get("justification", "").strip():
        problems.append(Problem("justification", "is required", "required"))
    if problems:
        return _return_page(id, tuple(problems), 422)
    wish = Wish(
        kind=OrderKind.DELETE,
        instance=id,
        justification=request.form["justification"].strip(),
    )
    try:
        order = service.create_order(actor, wish)
        service.submit(actor, order.id)
    except Invalid as error:
        return _return_page(id, error.problems, 422)
    return go("marketplace_pages.order", id=order.id, notice="order.submitted")
