"""Pages of policies: what deployments are held to, and the waivers that let something pass."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies.checks import CATALOGUE
from control_plane.provisioning.policies.model import (
    Pack,
    Settings,
    SubjectKind,
    Use,
    WaiverRequest,
    WaiverState,
)
from control_plane.provisioning.policies.service import Policies
from foundation.kernel.errors import Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import parse_instant
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web import forms
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import now

pages = Pages("policies", __name__)
pages.navigation(N_("Policies"), "policies", action="policy.manage", group="platform", order=35)
pages.notices["pack.enabled"] = N_("Plans are held to it from now on.")
pages.notices["pack.disabled"] = N_("Plans are not held to it any more.")
pages.notices["waiver.granted"] = N_("The waiver holds from now on.")
pages.notices["waiver.revoked"] = N_("The waiver holds no longer.")
pages.subjects["wai"] = "policies_pages.waiver"

KINDS = {
    "deployment": N_("one deployment"),
    "tenancy": N_("all of a tenancy"),
    "path": N_("all of an organisation and below it"),
}
_SOON = timedelta(days=14)
_USUAL = timedelta(days=90)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "policy_title": _title,
        "as_instant": as_instant,
        "subject_kind": _kind,
    }


def _kind(kind: object) -> str:
    """What a waiver is for, in words."""
    text = KINDS.get(str(kind))
    return str(gettext(text)) if text else ""


def as_instant(value: Any) -> datetime:  # noqa: ANN401 - of a finding's object or of its JSON
    """An instant, whether it comes as one or as text."""
    return value if isinstance(value, datetime) else parse_instant(str(value))


def _title(policy_id: str) -> str:
    """What a policy is called; a rule of a pack by its id."""
    known = CATALOGUE.get(policy_id)
    return local(known.title) if known else policy_id


# Policies and packs ------------------------------------------------------------------------------


@pages.get("/policies")
@requires("policy.view")
def policies() -> ResponseReturnValue:
    """All packs with their policies, and what each asks for."""
    packs = use(Policies).packs(current_actor())
    uses = use(Policies).policies(current_actor())
    return show(
        "policies/policies.html",
        packs=[(pack, _lines(pack, uses)) for pack in packs],
        unused=[found for found in uses if not found.packs],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Policies"))],
    )


def _lines(
    pack: Pack, uses: Sequence[Use]
) -> list[tuple[Use, Severity | None, list[tuple[str, str]]]]:
    """Each policy of a pack: what it is, how it weighs, and its settings in words."""
    return [
        (found, pack.severity_of(found.id), _settings(found, pack.settings_of(found.id)))
        for found in uses
        if pack.severity_of(found.id) is not None
    ]


def _settings(found: Use, values: Settings) -> list[tuple[str, str]]:
    """Settings that say something, as people call them."""
    schema = found.settings
    shown: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            shown[name] = [
                f"{key}: {', '.join(item) if isinstance(item, list) else item}"
                for key, item in sorted(value.items())
            ]
        else:
            shown[name] = value
    return [(title, text) for title, text in forms.described(schema, shown) if text]


@pages.post("/policies/packs/<name>/switch")
@requires("policy.manage")
def switch_pack(name: str) -> ResponseReturnValue:
    """Switch a pack on or off."""
    enabled = request.form.get("enabled") == "1"
    use(Policies).switch_pack(current_actor(), name, enabled=enabled)
    notice = "pack.enabled" if enabled else "pack.disabled"
    return go("policies_pages.policies", notice=notice)


# Waivers -----------------------------------------------------------------------------------------


@pages.get("/waivers")
@requires("waiver.view")
def waivers() -> ResponseReturnValue:
    """The waivers that the visitor may see, the first to end first."""
    asked = request.args.get("state", WaiverState.ACTIVE.value)
    state = WaiverState(asked) if asked in set(WaiverState) else None
    page = use(Policies).waivers(
        current_actor(), PageRequest(request.args.get("cursor")), state=state
    )
    return show(
        "policies/waivers.html",
        page=page,
        state=state,
        states=list(WaiverState),
        state_of=use(Policies).waiver_state,
        soon=now() + _SOON,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Policies"), url_for("policies_pages.policies")),
            Crumb(gettext("Waivers")),
        ],
    )


@pages.get("/waivers/<id>")
@requires("waiver.view")
def waiver(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One waiver, with what ends it."""
    return _waiver(id)


def _waiver(
    waiver_id: str, *, problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    found = use(Policies).waiver(current_actor(), waiver_id)
    reason = Field(
        "reason", gettext("Why it ends before its day"), "textarea",
        request.form.get("reason", ""), required=True, max_length=2000,
    )  # fmt: skip
    return show(
        "policies/waiver.html",
        status,
        waiver=found,
        state=use(Policies).waiver_state(found),
        form=Form.of([reason], problems),
        crumbs=[*_way(), Crumb(_title(found.policy))],
    )


@pages.post("/waivers/<id>/revoke")
@requires("policy.waive")
def revoke_waiver(id: str) -> ResponseReturnValue:  # noqa: A002
    """End a waiver before its day."""
    try:
        use(Policies).revoke(current_actor(), id, request.form.get("reason", ""))
    except Invalid as error:
        return _waiver(id, problems=error.problems, status=422)
    return go("policies_pages.waiver", id=id, notice="waiver.revoked")


@pages.get("/waivers/new")
@requires("policy.waive")
def new_waiver() -> ResponseReturnValue:
    """The form of a waiver; the address may fill parts of it."""
    return _form(request.args)


@pages.post("/waivers/new")
@requires("policy.waive")
def grant_waiver() -> ResponseReturnValue:
    """Show what would be waived; grant it when that was confirmed."""
    given = request.form
    try:
        wanted = _request(given)
        if given.get("confirmed") != "yes":
            return _form(given, confirming=True)
        made = use(Policies).waive(current_actor(), wanted)
    except Invalid as error:
        return _form(given, problems=error.problems, status=422)
    except NotFound:
        unknown = [Problem("subject", "is not known")]
        return _form(given, problems=unknown, status=422)
    return go("policies_pages.waiver", id=made.id, notice="waiver.granted")


def _request(given: Any) -> WaiverRequest:  # noqa: ANN401 - a form
    """What the form asks for.

    Raises:
        Invalid: no day is given.
    """
    kind, subject = given.get("kind", ""), given.get("subject", "").strip()
    return WaiverRequest(
        policy=given.get("policy", ""),
        owner=given.get("owner", "").strip(),
        reason=given.get("reason", ""),
        ends_at=_end(given.get("ends_on", "")),
        resource=given.get("resource", "").strip() or "*",
        **({kind: subject} if kind in KINDS else {}),
    )


def _end(text: str) -> datetime:
    """The instant at which a day is over, in UTC."""
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Invalid([Problem("ends_on", "must be a day")]) from None
    return datetime.combine(after, datetime.min.time(), UTC)


def _form(
    given: Any,  # noqa: ANN401 - the address's parameters or a form
    *,
    problems: Sequence[Problem] = (),
    confirming: bool = False,
    status: int = 200,
) -> ResponseReturnValue:
    placed = [
        Problem("ends_on", p.message, p.code) if p.field == "ends_at" else p for p in problems
    ]
    return show(
        "policies/waive.html",
        status,
        form=Form.of(_fields(given), placed),
        given=given,
        confirming=confirming,
        crumbs=[*_way(), Crumb(gettext("Grant a waiver"))],
    )


def _fields(given: Any) -> list[Field]:  # noqa: ANN401 - the address's parameters or a form
    usual = (now() + _USUAL).date().isoformat()
    return [
        Field(
            "policy", gettext("Policy"), "select", given.get("policy", ""), required=True,
            options=_waivable(),
        ),
        Field(
            "kind", gettext("For"), "radio", given.get("kind") or SubjectKind.TENANCY.value,
            required=True,
            options=tuple(Option(kind, str(gettext(text))) for kind, text in KINDS.items()),
        ),
        Field(
            "subject", gettext("Which one"), value=given.get("subject", ""), required=True,
            max_length=400,
            help=gettext("Id of the deployment, name of the tenancy, or a path (/city/health/)."),
        ),
        Field(
            "resource", gettext("Resources"), value=given.get("resource") or "*", max_length=200,
            help=gettext("A name, or a pattern such as data-*; * for all."),
        ),
        Field(
            "owner", gettext("Who answers for it"), value=given.get("owner", ""), required=True,
            help=gettext("Login of a person or service account; it cannot be you."), max_length=100,
        ),
        Field(
            "reason", gettext("Why it may pass"), "textarea", given.get("reason", ""),
            required=True, max_length=2000, help=gettext("Whoever approves reads this."),
        ),
        Field(
            "ends_on", gettext("Last day"), "date", given.get("ends_on") or usual, required=True,
            help=gettext("At most a year ahead."),
        ),
    ]  # fmt: skip


def _waivable() -> tuple[Option, ...]:
    """The policies that some pack lets be waived."""
    return tuple(
        Option(found.id, f"{local(found.title)} ({found.id})")
        for found in use(Policies).policies(current_actor())
        if any(p.enabled and p.severity_of(found.id) is Severity.WAIVABLE for p in found.packs)
    )


def _way() -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Policies"), url_for("policies_pages.policies")),
        Crumb(gettext("Waivers"), url_for("policies_pages.waivers")),
    ]
