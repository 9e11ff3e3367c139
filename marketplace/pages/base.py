"""What the marketplace's pages share: their blueprint, and names of things of features below."""

from collections.abc import Mapping, Sequence
from functools import partial

from flask import g
from flask_babel import gettext

from control_plane.metering.model import Meter
from control_plane.metering.service import Metering
from control_plane.provisioning.model import Region
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.model import System, Tenancy
from control_plane.tenancy.service import TenancyService
from foundation.kernel.paging import everything
from foundation.surface.auth import current_actor
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Pages

pages = Pages("marketplace", "marketplace")
pages.subjects["ord"] = "marketplace_pages.order"
pages.subjects["ins"] = "marketplace_pages.instance"

KINDS = {
    "apply": N_("New service"),
    "change": N_("Change of a service"),
    "delete": N_("Return of a service"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "order_kind": order_kind,
        "tenancy_name": tenancy_name,
        "system_name": system_name,
        "region_name": region_name,
        "region_of": region_of,
        "meter_title": meter_title,
        "meter_unit": meter_unit,
    }


def order_kind(kind: object) -> str:
    """What a kind of order is called."""
    text = str(getattr(kind, "value", kind))
    return str(gettext(KINDS[text])) if text in KINDS else text


def tenancies() -> Mapping[str, Tenancy]:
    """The tenancies that the visitor may see, by id; read once per request."""
    if "marketplace_tenancies" not in g:
        every = everything(partial(use(TenancyService).tenancies, current_actor()))
        g.marketplace_tenancies = {one.id: one for one in every}
    found: Mapping[str, Tenancy] = g.marketplace_tenancies
    return found


def systems() -> Mapping[str, System]:
    """The systems that the visitor may see, by id; read once per request."""
    if "marketplace_systems" not in g:
        every = everything(partial(use(TenancyService).systems, current_actor()))
        g.marketplace_systems = {one.id: one for one in every}
    found: Mapping[str, System] = g.marketplace_systems
    return found


def regions() -> Mapping[str, Region]:
    """All regions by id; read once per request."""
    if "marketplace_regions" not in g:
        every = everything(partial(use(Provisioning).regions, current_actor()))
        g.marketplace_regions = {one.id: one for one in every}
    found: Mapping[str, Region] = g.marketplace_regions
    return found


def _meters() -> Mapping[str, Meter]:
    if "marketplace_meters" not in g:
        g.marketplace_meters = {m.name: m for m in use(Metering).meters(current_actor())}
    found: Mapping[str, Meter] = g.marketplace_meters
    return found


def tenancy_name(tenancy_id: str) -> str:
    """What a tenancy is called, by id or slug."""
    for one in tenancies().values():
        if tenancy_id in {one.id, one.slug}:
            return local(one.name)
    return tenancy_id


def system_name(system_id: str | None) -> str:
    """What a system is called; empty without one."""
    one = systems().get(system_id or "")
    return local(one.name) if one else system_id or ""


def region_of(reference: str) -> Region | None:
    """A region by id or slug."""
    return next((r for r in regions().values() if reference in {r.id, r.slug}), None)


def region_name(reference: str) -> str:
    """What a region is called, by id or slug."""
    one = region_of(reference)
    return local(one.title) if one else reference


def meter_title(name: str) -> str:
    """What a meter is called."""
    return local(_meters()[name].title) if name in _meters() else name


def meter_unit(name: str) -> str:
    """The unit of a meter."""
    return _meters()[name].unit if name in _meters() else ""


def own_paths() -> Sequence[str]:
    """The paths on which the visitor holds a role, the nearest to the root first."""
    return sorted({grant.path for grant in current_actor().grants}, key=len)
