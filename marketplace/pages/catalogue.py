"""Pages of the catalogue: shelves and filters, one offering, a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Forbidden, NotFound
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, show
from marketplace.model import Availability, Category, Maturity, Offering, PriceTag
from marketplace.pages.base import own_paths, pages
from marketplace.service import Marketplace

pages.navigation(N_("Catalogue"), "catalogue", action="catalog.view", order=10)

DATA_CLASSES = ("public", "internal", "sensitive")
AVAILABILITIES = {
    "orderable": N_("can be ordered"),
    "planned": N_("planned"),
    "external": N_("from an external broker"),
}
_COMPARED = 4


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category with the offerings that fit the filters."""

    category: Category
    offerings: list[Offering]


@pages.app_context_processor
def _availability() -> dict[str, object]:
    return {"availability": lambda value: gettext(AVAILABILITIES[str(value.value)])}


@pages.get("/catalogue")
@requires("catalog.view")
def catalogue() -> ResponseReturnValue:
    """The catalogue; all filters are in the address."""
    actor, service = current_actor(), use(Marketplace)
    chosen = {
        name: request.args.get(name) or None
        for name in ("category", "data_class", "maturity", "availability")
    }
    words = request.args.get("words", "")
    found = service.offerings(actor, **chosen, words=words)
    shelves = service.categories(actor)
    return show(
        "marketplace/catalogue.html",
        shelves=[
            Shelf(shelf, fitting)
            for shelf in shelves
            if (fitting := [one for one in found if one.category == shelf.slug])
        ],
        categories=shelves,
        chosen=chosen,
        words=words,
        total=len(found),
        maturities=list(Maturity),
        availabilities=list(Availability),
        data_classes=DATA_CLASSES,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Catalogue"))],
    )


@pages.get("/catalogue/<slug>")
@requires("catalog.view")
def offering(slug: str) -> ResponseReturnValue:
    """One offering: its plans as columns, what they cost, how long it takes."""
    actor, service = current_actor(), use(Marketplace)
    found = service.offering(actor, slug)
    path, prices = plan_prices(slug)
    return show(
        "marketplace/offering.html",
        offering=found,
        category=next((c for c in service.categories(actor) if c.slug == found.category), None),
        prices=prices,
        priced_for=path,
        usage=service.usage(actor, slug),
        revision=service.input_schema(actor, slug),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Catalogue"), url_for("marketplace_pages.catalogue")),
            Crumb(local(found.name)),
        ],
    )


def plan_prices(slug: str) -> tuple[str, Mapping[str, PriceTag]]:
    """What the plans cost the visitor's own organisation; empty where it has no contract."""
    for path in own_paths():
        try:
            found = use(Marketplace).plan_prices(current_actor(), slug, path)
        except (Forbidden, NotFound):
            continue
        if found:
            return path, found
    return "", {}


@pages.get("/catalogue/compare")
@requires("catalog.view")
def compare() -> ResponseReturnValue:
    """Up to four plans side by side: ``?plan=offering:plan``, repeated."""
    columns = []
    for reference in request.args.getlist("plan")[:_COMPARED]:
        slug, _, plan_slug = reference.partition(":")
        one = use(Marketplace).offering(current_actor(), slug)
        plan = one.plan(plan_slug) if plan_slug else one.plans[0]
        if plan is None:
            raise NotFound(f"there is no plan {plan_slug} of {slug}")
        columns.append((one, plan, plan_prices(slug)[1].get(plan.slug)))
    return show(
        "marketplace/compare.html",
        columns=columns,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Catalogue"), url_for("marketplace_pages.catalogue")),
            Crumb(gettext("Compare")),
        ],
    )
