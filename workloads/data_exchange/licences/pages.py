"""Pages of officers: types, issue, approve, offer, suspend and revoke."""

import json
from collections.abc import Sequence
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from pydantic import ValidationError

from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import parse_instant
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web import forms
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.licences.api import base, offer_url
from workloads.data_exchange.licences.bodies import LicenceTypeCreate
from workloads.data_exchange.licences.kinds import LicenceTypes
from workloads.data_exchange.licences.model import LicenceState, LicenceType, Reason
from workloads.data_exchange.licences.samples import sample
from workloads.data_exchange.licences.service import Licences, Proposed, Wish
from workloads.data_exchange.licences.words import DISCLOSURES, REASONS, STATES

pages = Pages("licences", __name__)
pages.navigation(N_("Licences"), "licences", action="licence.view", order=58)
pages.notices["licence.done"] = N_("Done.")
pages.notices["licence.proposed"] = N_("It waits for a second officer.")
pages.notices["licence_type.made"] = N_("The type was made; the version before is retired.")
_DOCUMENT_MAX = 100_000
#: Which reasons are offered for which step.
_STEPS = {
    "suspend": (Reason.UNDER_REVIEW, Reason.HOLDER_ASKED, Reason.KEY_LOST),
    "reinstate": (Reason.REVIEW_PASSED, Reason.HOLDER_ASKED),
    "revoke": (
        Reason.FACTS_CHANGED, Reason.WRONGLY_OBTAINED, Reason.KEY_LOST, Reason.HOLDER_ASKED,
        Reason.ENDED,
    ),
}  # fmt: skip


def _crumbs(*more: Crumb) -> list[Crumb]:
    return [Crumb(gettext("Home"), "/"), Crumb(gettext("Licences"), "/licences"), *more]


def _types() -> dict[str, LicenceType]:
    found = use(LicenceTypes).types(current_actor(), PageRequest(limit=200))
    return {one.id: one for one in found.items}


@pages.get("/licences")
@requires("licence.view")
def licences() -> ResponseReturnValue:
    """The licences of one's agencies, without what they say."""
    asked = request.args.get("state", "")
    state = LicenceState(asked) if asked in set(LicenceState) else None
    page = use(Licences).licences(
        current_actor(), state, PageRequest(request.args.get("cursor") or None)
    )
    types = _types()
    return show(
        "licences/licences.html", page=page, states=STATES, state=asked, types=types,
        open_types=[one for one in types.values() if one.retired_at is None],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Licences"))],
    )  # fmt: skip


def _schema(made: LicenceType) -> dict[str, Any]:
    """The fields of a type as one schema, for the form."""
    return {
        "type": "object",
        "required": [one.name for one in made.fields if one.required],
        "properties": {
            one.name: {**one.schema, "title": one.title.en, "x-zh": {"title": one.title.zh}}
            for one in made.fields
        },
    }


@pages.get("/licence-types/<type_id>/issue")
@requires("licence.issue")
def form(type_id: str) -> ResponseReturnValue:
    """What a licence is to say."""
    return _form(type_id, ())


def _form(type_id: str, problems: Sequence[Problem], status: int = 200) -> ResponseReturnValue:
    made, sent = use(LicenceTypes).type(current_actor(), type_id), request.form
    schema = _schema(made)
    fields = [
        Field("reference", gettext("Reference, such as a case number; it names no person"),
              value=sent.get("reference", ""), required=True, max_length=64),
        *forms.draw(schema, forms.read(schema, sent, "claims") if sent else {}, "claims"),
        Field("valid_until", gettext("Valid until"), "date", sent.get("valid_until", ""),
              help=gettext("Left out: as long as the type says.")),
    ]  # fmt: skip
    return show(
        "licences/issue.html", status, type=made, form=Form.of(fields, problems),
        crumbs=_crumbs(Crumb(gettext("Issue"))),
    )  # fmt: skip


@pages.post("/licence-types/<type_id>/issue")
@requires("licence.issue")
def issue(type_id: str) -> ResponseReturnValue:
    """Issue or propose, or say what is wrong."""
    sent, actor = request.form, current_actor()
    try:
        made = use(LicenceTypes).type(actor, type_id)
        base()
        ends = sent.get("valid_until", "").strip()
        until = parse_instant(f"{ends}T00:00:00Z", "valid_until") if ends else None
        claims = forms.read(_schema(made), sent, "claims")
        wish = Wish(sent.get("reference", "").strip(), claims, None, until)
        done = use(Licences).propose(actor, type_id, wish)
    except Invalid as error:
        return _form(type_id, error.problems, 422)
    except Conflict as error:
        return _form(type_id, (Problem("", error.message),), 409)
    return _handed(done, "licence.proposed")


def _handed(done: Proposed, notice: str) -> ResponseReturnValue:
    """The offer, this once; or the licence, when there is none."""
    if done.offer is None:
        return go("licences_pages.licence", notice=notice, licence_id=done.licence.id)
    return show(
        "licences/offer.html", licence=done.licence, pin=done.offer.pin,
        url=offer_url(done.offer.token), crumbs=_crumbs(Crumb(gettext("Offer"))),
    )  # fmt: skip


@pages.get("/licences/<licence_id>")
@requires("licence.view")
def licence(licence_id: str) -> ResponseReturnValue:
    """One licence and what may be done with it."""
    return _licence(licence_id, "")


def _licence(licence_id: str, problem: str, status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    found = use(Licences).licence(actor, licence_id)
    steps = {
        LicenceState.ISSUED: ("suspend", "revoke"),
        LicenceState.SUSPENDED: ("reinstate", "revoke"),
        LicenceState.PROPOSED: ("revoke",),
        LicenceState.OFFERED: ("revoke",),
    }.get(found.state, ())
    reasons = {
        step: Field(f"reason-{step}", gettext("Why"), "select",
                    options=tuple(Option(one.value, gettext(REASONS[one])) for one in _STEPS[step]))
        for step in steps
    }  # fmt: skip
    waits = found.state is LicenceState.PROPOSED
    return show(
        "licences/licence.html", status, licence=found, states=STATES, reasons=REASONS,
        type=use(LicenceTypes).type(actor, found.type), steps=reasons, problem=problem,
        shown=waits and request.args.get("claims") == "shown" and may("licence.approve"),
        claims=_claims, waits=waits, offered=found.state is LicenceState.OFFERED,
        crumbs=_crumbs(Crumb(found.reference)),
    )  # fmt: skip


def _claims(licence_id: str) -> dict[str, Any]:
    return dict(use(Licences).claims(current_actor(), licence_id))


@pages.post("/licences/<licence_id>/approve")
@requires("licence.approve")
def approve(licence_id: str) -> ResponseReturnValue:
    """Approve or refuse what another officer proposed."""
    service, actor = use(Licences), current_actor()
    try:
        if request.form.get("decision") != "approve":
            service.refuse(actor, licence_id)
            return go("licences_pages.licence", notice="licence.done", licence_id=licence_id)
        base()
        return _handed(service.approve(actor, licence_id), "licence.done")
    except Conflict as error:
        return _licence(licence_id, error.message, 409)


@pages.post("/licences/<licence_id>/offer")
@requires("licence.issue")
def offer(licence_id: str) -> ResponseReturnValue:
    """A new link and PIN."""
    try:
        base()
        return _handed(use(Licences).offer(current_actor(), licence_id), "licence.done")
    except Conflict as error:
        return _licence(licence_id, error.message, 409)


@pages.post("/licences/<licence_id>/status")
@requires("licence.revoke")
def status(licence_id: str) -> ResponseReturnValue:
    """Suspend, reinstate, or end it."""
    service, actor, step = use(Licences), current_actor(), request.form.get("step", "")
    word = request.form.get(f"reason-{step}", "")
    if step not in _STEPS or word not in set(Reason):
        return _licence(licence_id, "choose a step and why", 422)
    work = {"suspend": service.suspend, "reinstate": service.reinstate, "revoke": service.revoke}
    try:
        work[step](actor, licence_id, Reason(word))
    except Conflict as error:
        return _licence(licence_id, error.message, 409)
    return go("licences_pages.licence", notice="licence.done", licence_id=licence_id)


@pages.get("/licence-types")
@requires("licence_type.view")
def types() -> ResponseReturnValue:
    """All versions of all types, and a form for a new one."""
    return _type_list(())


def _type_list(problems: Sequence[Problem], status: int = 200) -> ResponseReturnValue:
    sent = request.form
    text = sent.get("document") or json.dumps(sample(), ensure_ascii=False, indent=2)
    fields = [
        Field("agency", gettext("Issued by"), "select", sent.get("agency", ""), required=True,
              options=options()),
        Field("document", gettext("The type, as JSON"), "textarea", text, required=True,
              max_length=_DOCUMENT_MAX),
    ]  # fmt: skip
    found = use(LicenceTypes).types(
        current_actor(), PageRequest(request.args.get("cursor") or None)
    )
    return show(
        "licences/types.html", status, page=found, form=Form.of(fields, problems),
        crumbs=_crumbs(Crumb(gettext("Types"))),
    )  # fmt: skip


@pages.post("/licence-types")
@requires("licence_type.manage")
def create_type() -> ResponseReturnValue:
    """Make a type, or say what is wrong."""
    sent = request.form
    try:
        told = json.loads(sent.get("document", "")[:_DOCUMENT_MAX])
        body = LicenceTypeCreate.model_validate({**told, "agency": sent.get("agency", "")})
        use(LicenceTypes).create(current_actor(), body.value(), base())
    except ValidationError as error:
        wrong = [
            Problem("document", f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}")
            for one in error.errors()[:20]
        ]
        return _type_list(wrong, 422)
    except Invalid as error:
        wrong = [Problem("document", f"{one.field}: {one.message}") for one in error.problems]
        return _type_list(wrong, 422)
    except Conflict as error:
        return _type_list((Problem("", error.message),), 409)
    except (ValueError, TypeError, RecursionError):
        return _type_list((Problem("document", "is not JSON"),), 422)
    return go("licences_pages.types", notice="licence_type.made")


@pages.get("/licence-types/<type_id>")
@requires("licence_type.view")
def licence_type(type_id: str) -> ResponseReturnValue:
    """One version of a type: its fields, and which are always shown."""
    found = use(LicenceTypes).type(current_actor(), type_id)
    return show(
        "licences/type.html", type=found, disclosures=DISCLOSURES,
        crumbs=_crumbs(Crumb(gettext("Types"), "/licence-types"), Crumb(local(found.title))),
    )  # fmt: skip


@pages.post("/licence-types/<type_id>/retire")
@requires("licence_type.manage")
def retire(type_id: str) -> ResponseReturnValue:
    """Issue no licence of it any more."""
    use(LicenceTypes).retire(current_actor(), type_id)
    return go("licences_pages.licence_type", notice="licence.done", type_id=type_id)
