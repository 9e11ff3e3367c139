"""Pages of tenancy: the tree of organisations, and one organisation with its quotas."""

from dataclasses import dataclass, field
from functools import partial

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.tenancy.model import (
    RESOURCES,
    Organisation,
    QuotaLevel,
    System,
    Tenancy,
    ancestors,
)
from control_plane.tenancy.service import TenancyService
from foundation.kernel.paging import everything
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, show

pages = Pages("tenancy", __name__)
pages.navigation(
    N_("Organisations"), "organisations", action="quota.set", group="platform", order=20
)
pages.subjects["org"] = "tenancy_pages.organisation"
pages.subjects["ten"] = "tenancy_pages.tenancy"

#: What kinds of organisation and classes of data are called.
WORDS = {
    "city": N_("city"),
    "bureau": N_("bureau"),
    "district": N_("district"),
    "office": N_("office"),
    "tenancy": N_("tenancy"),
    "public": N_("public"),
    "internal": N_("internal"),
    "sensitive": N_("sensitive"),
}
#: What the tree shows beside each organisation.
_TREE_RESOURCES = ("vcpus", "ram_gb", "volume_gb")


@dataclass(slots=True)
class Node:
    """An organisation in the tree."""

    organisation: Organisation
    level: QuotaLevel
    below: list["Node"] = field(default_factory=list)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"word": word, "resource_title": resource_title, "resource_unit": resource_unit}


def word(value: object) -> str:
    """A kind of organisation or a class of data in the request's language."""
    text = str(getattr(value, "value", value))
    return str(gettext(WORDS[text])) if text in WORDS else text


def resource_title(name: str) -> str:
    """What a resource of quotas is called."""
    return local(RESOURCES[name].title) if name in RESOURCES else name


def resource_unit(name: str) -> str:
    """The unit of a resource of quotas."""
    return RESOURCES[name].unit if name in RESOURCES else ""


@pages.get("/organisations")
@requires("organisation.view")
def organisations() -> ResponseReturnValue:
    """The tree of organisations with what each holds."""
    actor, service = current_actor(), use(TenancyService)
    nodes: dict[str, Node] = {}
    roots: list[Node] = []
    for organisation in _all_organisations():
        level = service.quota_view(actor, organisation.path)[-1]
        node = Node(organisation, level)
        above = nodes.get(_above(organisation.path))
        (above.below if above else roots).append(node)
        nodes[organisation.path] = node
    return show(
        "tenancy/organisations.html",
        roots=roots,
        count_all=len(nodes),
        resources=_TREE_RESOURCES,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Organisations"))],
    )


def _above(path: str) -> str:
    chain = ancestors(path)
    return chain[-2] if len(chain) > 1 else ""


def _all_organisations() -> list[Organisation]:
    """All that the visitor may see, those above before those below."""
    found = everything(partial(use(TenancyService).organisations, current_actor()))
    return sorted(found, key=lambda o: o.path)


@pages.get("/organisations/<id>")
@requires("organisation.view")
def organisation(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One organisation: its quotas at each level, its systems and its tenancies."""
    actor, service = current_actor(), use(TenancyService)
    found = service.organisation(actor, id)
    return show(
        "tenancy/organisation.html",
        organisation=found,
        levels=service.quota_view(actor, found.path),
        systems=[s for s in _systems() if s.path.startswith(found.path)],
        tenancies=[t for t in _tenancies() if t.path.startswith(found.path)],
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Organisations"), url_for("tenancy_pages.organisations")),
            Crumb(local(found.name)),
        ],
    )


def _systems() -> list[System]:
    return list(everything(partial(use(TenancyService).systems, current_actor())))


def _tenancies() -> list[Tenancy]:
    return list(everything(partial(use(TenancyService).tenancies, current_actor())))


@pages.get("/tenancies/<id>")
@requires("tenancy.view")
def tenancy(id: str) -> ResponseReturnValue:  # noqa: A002
    """One tenancy with its quotas at each level."""
    actor, service = current_actor(), use(TenancyService)
    found = service.tenancy(actor, id)
    owner = service.organisation(actor, found.organisation_id)
    return show(
        "tenancy/tenancy.html",
        tenancy=found,
        owner=owner,
        system=service.system(actor, found.system_id) if found.system_id else None,
        levels=service.quota_view(actor, found.id),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Organisations"), url_for("tenancy_pages.organisations")),
            Crumb(local(owner.name), url_for("tenancy_pages.organisation", id=owner.id)),
            Crumb(local(found.name)),
        ],
    )
