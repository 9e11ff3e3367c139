"""Pages of agreements: the list, and one agreement in words with its signatures."""

import json

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from foundation.access import policy
from foundation.kernel.errors import Conflict, Forbidden, Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, say, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import icon, now
from foundation.surface.web.states import Look
from workloads.data_exchange.agreements.contracts.model import (
    REASON_MAX,
    Agreement,
    AgreementState,
    Party,
)
from workloads.data_exchange.agreements.contracts.service import Agreements
from workloads.data_exchange.agreements.words import said

pages = Pages("agreements", __name__)
pages.navigation(N_("Agreements"), "agreements", action="agreement.view", order=21)
pages.notices["agreement.signed"] = N_("It was signed.")
pages.notices["agreement.revoked"] = N_("It was revoked; gateways refuse the next call.")
pages.subjects["agr"] = "agreements_pages.one"

LOOKS: dict[AgreementState, Look] = {
    AgreementState.PROPOSED: Look(N_("waits for signatures"), "hourglass_empty", "wait"),
    AgreementState.SIGNED: Look(N_("signed, not begun"), "schedule", "wait"),
    AgreementState.IN_FORCE: Look(N_("in force"), "check_circle", "good"),
    AgreementState.ENDED: Look(N_("ended"), "history", "idle"),
    AgreementState.REVOKED: Look(N_("revoked"), "undo", "bad"),
}
PARTIES = {Party.PROVIDER: N_("provider"), Party.CONSUMER: N_("consumer")}


def _shown(one: Agreement) -> Markup:
    look = LOOKS[one.state(now())]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), gettext(look.word)
    )


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "agreement_state": _shown,
        "party_name": lambda party: gettext(PARTIES[party]),
    }


@pages.get("/agreements")
@requires("agreement.view")
def agreements() -> ResponseReturnValue:
    """The agreements that the visitor may see, newest first."""
    given = request.args.get("state", "")
    state = AgreementState(given) if given in {*AgreementState} else None
    page = use(Agreements).agreements(
        current_actor(), PageRequest(request.args.get("cursor")), state=state
    )
    choices = [(one.value, gettext(look.word)) for one, look in LOOKS.items()]
    return show(
        "agreements/agreements.html", page=page, chosen=given, choices=choices,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Agreements"))],
    )  # fmt: skip


@pages.get("/agreements/<id>")
@requires("agreement.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One agreement: what it allows, who signed it, and whether that holds."""
    return _one(id)


def _one(
    agreement: str, problems: tuple[Problem, ...] = (), status: int = 200, *, wrong: str = ""
) -> ResponseReturnValue:
    service, actor = use(Agreements), current_actor()
    found = service.agreement(actor, agreement)
    versions = service.versions(actor, agreement)
    asked = request.args.get("version", "")
    chosen = next((v for v in versions if str(v.number) == asked), versions[0])
    state = found.state(now())
    open_ = state not in {AgreementState.REVOKED, AgreementState.ENDED}
    mine = [p for p in Party if policy.allows(actor, "agreement.sign", found.path(p))]
    revokes = [p for p in Party if policy.allows(actor, "agreement.revoke", found.path(p))]
    reason = Field("reason", gettext("Why"), "textarea", request.form.get("reason", ""),
                   required=True, max_length=REASON_MAX)  # fmt: skip
    sides = tuple(Option(p.value, gettext(PARTIES[p])) for p in revokes)
    side = Field("party", gettext("For which side"), "radio",
                 request.form.get("party") or (revokes[0].value if revokes else ""),
                 required=True, options=sides)  # fmt: skip
    return show(
        "agreements/agreement.html", status, one=found, versions=versions, version=chosen,
        words=said(service.terms(chosen)), wrong=wrong,
        verified=service.verify(actor, agreement, chosen.number),
        policy=json.dumps(json.loads(chosen.policy), ensure_ascii=False, indent=2),
        to_sign=[p for p in mine if p not in versions[0].signatures] if open_ else [],
        revoke=Form.of([side, reason], problems) if open_ and revokes else None,
        crumbs=[Crumb(gettext("Home"), "/"),
                Crumb(gettext("Agreements"), url_for("agreements_pages.agreements")),
                Crumb(found.id)],
    )  # fmt: skip


@pages.post("/agreements/<id>/signatures")
@requires("agreement.sign")
def sign(id: str) -> ResponseReturnValue:  # noqa: A002
    """Sign the version that was shown, or bring a signature made elsewhere."""
    given, service = request.form, use(Agreements)
    party = given.get("party", "")
    if party not in {*Party}:
        return _one(id, (), 422, wrong=gettext("Say for which side you sign."))
    try:
        if given.get("jws", "").strip():
            service.submit(current_actor(), id, Party(party), given["jws"].strip())
        else:
            service.sign(current_actor(), id, Party(party), given.get("digest", ""))
    except Invalid as error:
        wrong = "; ".join(say_problem(one) for one in error.problems)
        return _one(id, (), 422, wrong=gettext("The signature: %(why)s", why=wrong))
    except (Conflict, Forbidden) as error:
        status = 409 if isinstance(error, Conflict) else 403
        return _one(id, (), status, wrong=say(error.message))
    return go("agreements_pages.one", id=id, notice="agreement.signed")


@pages.post("/agreements/<id>/revoke")
@requires("agreement.revoke")
def revoke(id: str) -> ResponseReturnValue:  # noqa: A002
    """End it now."""
    given = request.form
    party = given.get("party", "")
    if party not in {*Party}:
        return _one(id, (Problem("party", "is required"),), 422)
    try:
        use(Agreements).revoke(current_actor(), id, Party(party), given.get("reason", ""))
    except Invalid as error:
        return _one(id, error.problems, 422)
    except (Conflict, Forbidden) as error:
        status = 409 if isinstance(error, Conflict) else 403
        return _one(id, (), status, wrong=say(error.message))
    return go("agreements_pages.one", id=id, notice="agreement.revoked")
