"""Pages of workload identity: the trusted issuers, and which workloads are let in."""

from datetime import timedelta

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.access.workload_identity.service import RuleWish, WorkloadIdentity
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import MAX_LIMIT, PageRequest
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("identity", __name__)
pages.navigation(
    N_("Workload identity"), "identity", action="identity_rule.view", group="platform", order=85
)
pages.notices["issuer.added"] = N_("The issuer is trusted. Now say which of its workloads.")
pages.notices["issuer.removed"] = N_("The issuer is trusted no more.")
pages.notices["rule.added"] = N_("The rule lets workloads in.")
pages.notices["rule.removed"] = N_("The rule is gone; its tokens ended.")

_Problems = tuple[Problem, ...]


@pages.get("/identity")
@requires("identity_rule.view")
def identity() -> ResponseReturnValue:
    """The trusted issuers and the rules, with forms for those who may change them."""
    return _page()


def _page(
    status: int = 200, *, of_issuer: _Problems = (), of_rule: _Problems = (), other: _Problems = ()
) -> ResponseReturnValue:
    actor, service = current_actor(), use(WorkloadIdentity)
    whole = PageRequest(limit=MAX_LIMIT)
    issuers = service.issuers(actor, whole).items if may("identity_issuer.view") else ()
    rules = service.rules(actor, PageRequest(request.args.get("cursor"), 50))
    roles = policy.table().roles
    return show(
        "workload_identity/identity.html",
        status,
        issuers=issuers,
        rules=rules,
        names={issuer.id: issuer.slug for issuer in issuers},
        role_name=lambda role: local(roles.get(role, {}) or role),
        issuer_form=Form.of(_issuer_fields(), of_issuer),
        rule_form=Form.of(_rule_fields([issuer.slug for issuer in issuers]), of_rule),
        other=Form.of([], other),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Workload identity"))],
    )


def _sent(name: str) -> str:
    """What was typed into a field of one of the page's forms, whose names differ."""
    return request.form.get(name, "")


def _issuer_fields() -> list[Field]:
    return [
        Field("new.slug", gettext("Name"), value=_sent("new.slug"), required=True, max_length=63),
        Field(
            "new.url",
            gettext("Address"),
            value=_sent("new.url"),
            required=True,
            max_length=500,
            help=gettext("As its tokens name it (iss), such as https://gitlab.city.example"),
        ),
        Field(
            "new.audience",
            gettext("Audience"),
            value=_sent("new.audience"),
            required=True,
            max_length=500,
            help=gettext("What its tokens must be meant for (aud): this platform's address."),
        ),
    ]


def _rule_fields(issuers: list[str]) -> list[Field]:
    roles = policy.table().roles
    chosen = request.form.getlist("roles") if "path" in request.form else ["member"]
    return [
        Field("slug", gettext("Name"), value=_sent("slug"), required=True, max_length=63),
        Field(
            "issuer",
            gettext("Issuer"),
            "select",
            _sent("issuer"),
            required=True,
            options=tuple(Option(slug, slug) for slug in issuers),
        ),
        Field(
            "match",
            gettext("Claims"),
            "lines",
            _sent("match"),
            required=True,
            help=gettext(
                "One a line: repository=city/health. * is anything but / and :, ** is anything."
            ),
        ),
        Field(
            "path",
            gettext("Organisation"),
            value=_sent("path"),
            required=True,
            help=gettext("Where the roles hold, such as /city/health/"),
        ),
        Field(
            "roles",
            gettext("Roles"),
            "checkboxes",
            chosen,
            required=True,
            options=tuple(Option(name, local(titles)) for name, titles in sorted(roles.items())),
        ),
        Field(
            "minutes",
            gettext("Life of a token"),
            "number",
            _sent("minutes") or 15,
            unit=gettext("minutes"),
            required=True,
            minimum=1,
            maximum=15,
            step=1,
        ),
    ]


@pages.post("/identity/issuers")
@requires("identity_issuer.manage")
def add_issuer() -> ResponseReturnValue:
    """Trust an issuer whose keys are found by discovery."""
    try:
        use(WorkloadIdentity).add_issuer(
            current_actor(),
            slug=_sent("new.slug").strip(),
            url=_sent("new.url").strip(),
            audience=_sent("new.audience").strip(),
        )
    except Invalid as error:
        found = Collector()
        found.include(error, "new")
        return _page(422, of_issuer=tuple(found.problems))
    except Conflict as error:
        return _page(409, of_issuer=(Problem("new.slug", error.message),))
    return go("identity_pages.identity", notice="issuer.added")


@pages.post("/identity/issuers/<issuer_id>/remove")
@requires("identity_issuer.manage")
def remove_issuer(issuer_id: str) -> ResponseReturnValue:
    """Trust an issuer no more."""
    service, actor = use(WorkloadIdentity), current_actor()
    found = service.issuer(actor, issuer_id)
    if request.form.get("name", "").strip() != found.slug:
        return _page(422, other=(Problem("name", "is not the name of the issuer"),))
    try:
        service.remove_issuer(actor, found.id)
    except Conflict as error:
        return _page(409, other=(Problem("", error.message),))
    return go("identity_pages.identity", notice="issuer.removed")


@pages.post("/identity/rules")
@requires("identity_rule.manage")
def add_rule() -> ResponseReturnValue:
    """Let workloads in."""
    match, problems = _match(request.form.get("match", ""))
    minutes = request.form.get("minutes", "").strip()
    wish = RuleWish(
        slug=request.form.get("slug", "").strip(),
        issuer=request.form.get("issuer", ""),
        match=match,
        path=request.form.get("path", "").strip(),
        roles=request.form.getlist("roles"),
        life=timedelta(minutes=int(minutes) if minutes.isdecimal() and len(minutes) < 4 else 0),  # noqa: PLR2004 - digits
    )
    if problems:
        return _page(422, of_rule=problems)
    try:
        use(WorkloadIdentity).add_rule(current_actor(), wish)
    except Invalid as error:
        return _page(422, of_rule=error.problems)
    except Conflict as error:
        return _page(409, of_rule=(Problem("slug", error.message),))
    return go("identity_pages.identity", notice="rule.added")


def _match(text: str) -> tuple[dict[str, str], _Problems]:
    found: dict[str, str] = {}
    for line in filter(None, (line.strip() for line in text.splitlines())):
        claim, equals, wanted = line.partition("=")
        if not equals or claim.strip() in found:
            return {}, (Problem("match", "must be one claim=pattern a line, each claim once"),)
        found[claim.strip()] = wanted.strip()
    return found, ()


@pages.post("/identity/rules/<rule_id>/remove")
@requires("identity_rule.manage")
def remove_rule(rule_id: str) -> ResponseReturnValue:
    """Let nobody in by a rule any more."""
    service, actor = use(WorkloadIdentity), current_actor()
    found = service.rule(actor, rule_id)
    if request.form.get("name", "").strip() != found.slug:
        return _page(422, other=(Problem("name", "is not the name of the rule"),))
    service.remove_rule(actor, found.id)
    return go("identity_pages.identity", notice="rule.removed")
