"""Pages of provisioning: regions, blueprints, deployments with their resources."""

from collections.abc import Iterable
from decimal import Decimal
from functools import partial

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.fleet.service import Fleet
from control_plane.provisioning.model import DeploymentState, InventoryState, Region
from control_plane.provisioning.registry.service import Registry
from control_plane.provisioning.service import Provisioning
from foundation.kernel.paging import MAX_LIMIT, PageRequest, everything
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Form
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("provisioning", __name__)
pages.navigation(N_("Regions"), "regions", action="region.add", group="platform", order=10)
pages.navigation(
    N_("Blueprints"), "blueprints", action="blueprint.publish", group="platform", order=30
)
pages.navigation(
    N_("Deployments"), "deployments", action="deployment.apply", group="platform", order=40
)
pages.navigation(N_("Inventory"), "inventory", action="resource.view", group="platform", order=42)
pages.notices["deployment.applied"] = N_("It is tried again.")
pages.notices["deployment.returned"] = N_("It is being returned.")
pages.subjects["reg"] = "provisioning_pages.region"
pages.subjects["dep"] = "provisioning_pages.deployment"

#: What bars the regions' page shows first.
MAIN = ("vcpus", "ram_gb", "volume_gb")


#: So many resources a deployment's page has itself; the inventory has all, page by page.
MOST_RESOURCES = 100


def region_of(region_id: str) -> Region | None:
    """A region by id, asked once per request."""
    return _regions().get(region_id)


def _regions() -> dict[str, Region]:
    every = everything(partial(use(Provisioning).regions, current_actor()))
    return {region.id: region for region in every}


@pages.get("/regions")
@requires("region.view")
def regions() -> ResponseReturnValue:
    """All regions with what is used of them."""
    actor, service = current_actor(), use(Provisioning)
    found = list(_regions().values())
    return show(
        "provisioning/regions.html",
        regions=[(region, bars(region, service.held(actor, region.id))) for region in found],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Regions"))],
    )


def bars(
    region: Region, held: "dict[str, Decimal]", only: Iterable[str] = ()
) -> list[tuple[str, Decimal, Decimal | None]]:
    """For each resource of a region: its name, what is held and how much there is."""
    names = list(only) or sorted({*region.capacity, *held})
    return [(name, held.get(name, Decimal(0)), region.capacity.get(name)) for name in names]


@pages.get("/regions/<id>")
@requires("region.view")
def region(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One region: whether it answers, its room, and why it is closed."""
    return show_region(id)


def show_region(reference: str, form: Form | None = None, status: int = 200) -> ResponseReturnValue:
    """The page of a region, with the form that closes it as it was sent."""
    actor, service = current_actor(), use(Provisioning)
    found = service.region(actor, reference)
    return show(
        "provisioning/region.html",
        status,
        region=found,
        condition=use(Fleet).condition(actor, found.id),
        form=form,
        bars=bars(found, service.held(actor, found.id)),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Regions"), url_for("provisioning_pages.regions")),
            Crumb(local(found.title)),
        ],
    )


@pages.get("/blueprints")
@requires("blueprint.view")
def blueprints() -> ResponseReturnValue:
    """All published blueprints."""
    page = use(Provisioning).blueprints(
        current_actor(), PageRequest(request.args.get("cursor"), MAX_LIMIT)
    )
    return show(
        "provisioning/blueprints.html",
        page=page,
        standings=use(Provisioning).standings(current_actor()),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Blueprints"))],
    )


@pages.get("/blueprints/<name>")
@requires("blueprint.view")
def blueprint(name: str) -> ResponseReturnValue:
    """One blueprint: what its newest revision takes and gives, and its revisions."""
    actor, service = current_actor(), use(Provisioning)
    newest = service.revision(actor, name)
    return show(
        "provisioning/blueprint.html",
        revision=newest,
        document=newest.document,
        revisions=service.revisions(actor, name, PageRequest(request.args.get("cursor"))),
        standing=service.standing(actor, name),
        users=use(Registry).user_counts(actor, name),
        origins=use(Registry).origins(actor, name),
        others=[b.name for b in everything(partial(service.blueprints, actor))],
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Blueprints"), url_for("provisioning_pages.blueprints")),
            Crumb(local(newest.title)),
        ],
    )


@pages.get("/deployments")
@requires("deployment.view")
def deployments() -> ResponseReturnValue:
    """The deployments that the visitor may see; filters are in the address."""
    filters = {
        name: value
        for name in ("state", "blueprint", "region_id", "tenancy_id")
        if (value := request.args.get(name))
    }
    page = use(Provisioning).deployments(
        current_actor(), PageRequest(request.args.get("cursor")), filters
    )
    return show(
        "provisioning/deployments.html",
        page=page,
        regions=_regions(),
        filters=filters,
        states=list(DeploymentState),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Deployments"))],
    )


@pages.get("/inventory")
@requires("resource.view")
def inventory() -> ResponseReturnValue:
    """All resources that the visitor may see, newest first; filters are in the address."""
    filters = {
        name: value
        for name in ("state", "type", "region_id", "tenancy_id", "deployment_id")
        if (value := request.args.get(name, "").strip())
    }
    page = use(Provisioning).inventory(
        current_actor(), PageRequest(request.args.get("cursor")), filters
    )
    return show(
        "provisioning/inventory.html",
        page=page,
        regions=_regions(),
        filters=filters,
        states=list(InventoryState),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Inventory"))],
    )


@pages.get("/deployments/<id>")
@requires("deployment.view")
def deployment(id: str) -> ResponseReturnValue:  # noqa: A002
    """One deployment: inputs, outputs with secrets masked, resources."""
    actor, service = current_actor(), use(Provisioning)
    found = service.deployment(actor, id)
    return show(
        "provisioning/deployment.html",
        deployment=found,
        region=_regions().get(found.region_id),
        owner="" if found.stands_alone else found.owner.partition(":")[2],
        resources=service.resources(actor, id),
        most=MOST_RESOURCES,
        findings=service.plan(actor, found.plan_id).findings if found.plan_id else (),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Deployments"), url_for("provisioning_pages.deployments")),
            Crumb(found.name),
        ],
    )


@pages.post("/deployments/<id>/apply")
@requires("deployment.apply")
def apply_again(id: str) -> ResponseReturnValue:  # noqa: A002
    """Apply a failed deployment's last plan again."""
    started = use(Provisioning).request_apply(current_actor(), id)
    return go("operations_pages.operation", id=started.id, notice="deployment.applied")


@pages.post("/deployments/<id>/destroy")
@requires("deployment.destroy")
def destroy(id: str) -> ResponseReturnValue:  # noqa: A002
    """Return everything that a deployment has, also what a failed one has left."""
    actor, service = current_actor(), use(Provisioning)
    reason = request.form.get("reason", "").strip()
    owned = not service.deployment(actor, id).stands_alone
    started = service.request_destroy(actor, id, reason=reason, force=owned)
    return go("operations_pages.operation", id=started.id, notice="deployment.returned")
