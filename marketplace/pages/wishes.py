"""The order form: a wish as fields, and fields as a wish."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flask import url_for
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from control_plane.tenancy.model import TenancyState
from foundation.kernel.errors import NotFound, Problem
from foundation.surface.auth import current_actor
from foundation.surface.registry import use
from foundation.surface.web import forms
from foundation.surface.web.forms import Field, Option
from foundation.surface.web.i18n import local
from marketplace.model import Instance, Offering, OrderKind, Plan, Wish
from marketplace.pages.base import regions, systems, tenancies
from marketplace.service import Marketplace

INPUTS = "inputs"


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form is about.

    Attributes:
        schema: of the plan's inputs, with the plan's own presets and limits in it.
        instance: the service that is changed; None for a new one.
    """

    offering: Offering
    plan: Plan
    schema: Mapping[str, Any]
    instance: Instance | None = None

    @property
    def kind(self) -> OrderKind:
        """What the order asks for."""
        return OrderKind.CHANGE if self.instance else OrderKind.APPLY


def draft_of(offering_slug: str, plan_slug: str, instance: Instance | None = None) -> Draft:
    """What a form for this plan is about; without a plan, for the first one.

    Raises:
        NotFound: there is no such offering or plan.
    """
    offering = use(Marketplace).offering(current_actor(), offering_slug)
    plan = offering.plan(plan_slug) if plan_slug else offering.plans[0]
    if plan is None:
        raise NotFound(f"there is no plan {plan_slug} of {offering_slug}")
    revision = use(Marketplace).input_schema(current_actor(), offering_slug)
    schema = _narrowed(revision.inputs if revision else {}, plan)
    return Draft(offering, plan, schema, instance)


def _narrowed(schema: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """The blueprint's schema with what the plan presets, fixes and limits."""
    narrowed = deepcopy(dict(schema))
    fixed = set(getattr(plan, "fixed", ()))
    for name, rule in narrowed.get("properties", {}).items():
        if name in plan.inputs:
            rule["default"] = plan.inputs[name]
        if name in plan.limits:
            rule["minimum"], rule["maximum"] = plan.limits[name]
        if name in fixed:
            rule["x-borough-hidden"] = True
    return narrowed


# --- a wish as fields


def fields_of(draft: Draft, wish: Wish, raw: Mapping[str, str] | None = None) -> list[Field]:
    """The fields of the form, filled with a wish.

    Args:
        draft: what the form is about.
        wish: what is asked for so far.
        raw: what was typed, where it could not be read into the wish.
    """
    typed = raw or {}
    place = [] if draft.instance else _place_fields(wish)
    inputs = {**(draft.instance.inputs if draft.instance else {}), **wish.inputs}
    return [
        *place,
        *forms.draw(draft.schema, inputs, INPUTS),
        Field(
            "justification",
            gettext("Why"),
            "textarea",
            wish.justification,
            help=gettext("Approvers read this first."),
            required=True,
            max_length=2000,
        ),
        Field(
            "ends_at",
            gettext("Until"),
            "date",
            typed.get("ends_at") or (f"{wish.ends_at:%Y-%m-%d}" if wish.ends_at else ""),
            help=gettext("The day on which it ends; empty for as long as the contract."),
        ),
    ]


def _place_fields(wish: Wish) -> list[Field]:
    return [
        Field(
            "name",
            gettext("Name of the service"),
            value=wish.name,
            required=True,
            max_length=40,
            help=gettext("Lower-case letters, digits and hyphens, for example appointment-web."),
        ),
        Field(
            "tenancy",
            gettext("Tenancy"),
            "select",
            wish.tenancy,
            required=True,
            options=tuple(_tenancy_options()),
            help=gettext("The room in the cloud that it goes into."),
        ),
        Field(
            "system",
            gettext("System"),
            "select",
            wish.system or "",
            options=(Option("", gettext("that of the tenancy")), *_system_options()),
            help=gettext("The system of the register that it serves."),
        ),
        Field(
            "region",
            gettext("Region"),
            "radio",
            wish.region,
            required=True,
            options=tuple(_region_options()),
        ),
    ]


def _tenancy_options() -> Iterable[Option]:
    return [
        Option(one.id, local(one.name), one.data_class.value)
        for one in sorted(tenancies().values(), key=lambda t: t.slug)
        if one.state is TenancyState.ACTIVE
    ]


def _system_options() -> Iterable[Option]:
    return [
        Option(one.id, local(one.name))
        for one in sorted(systems().values(), key=lambda s: (s.path, s.slug))
    ]


def _region_options() -> Iterable[Option]:
    return [
        Option(
            one.id,
            local(one.title),
            gettext("simulated: nothing of it exists outside the platform")
            if one.simulated
            else " + ".join(sorted(one.kinds)),
        )
        for one in sorted(regions().values(), key=lambda r: r.slug)
        if one.state.value == "active"
    ]


# --- fields as a wish


def wish_from(
    draft: Draft, form: "MultiDict[str, str]"
) -> tuple[Wish, list[Problem], dict[str, str]]:
    """What a form asks for, what could not be read, and those texts as they were typed."""
    ends_at, problems = _day(form.get("ends_at", "").strip())
    wish = Wish(
        kind=draft.kind,
        offering=draft.offering.slug,
        plan=draft.plan.slug,
        inputs=forms.read(draft.schema, form, INPUTS),
        justification=form.get("justification", "").strip(),
        ends_at=ends_at,
    )
    if draft.instance:
        wish = replace(wish, instance=draft.instance.id)
    else:
        wish = replace(
            wish,
            tenancy=form.get("tenancy", ""),
            region=form.get("region", ""),
            name=form.get("name", "").strip(),
            system=form.get("system") or None,
        )
    return wish, problems, {"ends_at": form.get("ends_at", "")} if problems else {}


def _day(text: str) -> tuple[datetime | None, list[Problem]]:
    if not text:
        return None, []
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC), []
    except ValueError:
        return None, [Problem("ends_at", "must be a day such as 2027-11-30")]


def blank(draft: Draft) -> Wish:
    """What a new form begins with: the only tenancy and region there are, when there is one."""
    rooms = [option.value for option in _tenancy_options()]
    places = [option.value for option in _region_options()]
    return Wish(
        kind=draft.kind,
        offering=draft.offering.slug,
        plan=draft.plan.slug,
        tenancy=rooms[0] if len(rooms) == 1 else "",
        region=places[0] if len(places) == 1 else "",
        instance=draft.instance.id if draft.instance else None,
    )


def url_of_form(draft: Draft, plan: str | None = None) -> str:
    """The address of the form for another plan."""
    chosen = plan or draft.plan.slug
    if draft.instance:
        return url_for("marketplace_pages.change_instance", id=draft.instance.id, plan=chosen)
    return url_for("marketplace_pages.new_order", offering=draft.offering.slug, plan=chosen)
