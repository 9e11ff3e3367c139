"""Pages of requests: the inbox with its clocks, the form, and one request."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local, say
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import now
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.agreements.ask import Ask
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.agreements.purposes import titles
from workloads.data_exchange.agreements.requests import forms, looks
from workloads.data_exchange.agreements.requests.model import (
    EXPLAINED,
    LONGEST_TEXT,
    MACHINE,
    WAITS_FOR,
    Act,
    Request,
    RequestState,
    Side,
)
from workloads.data_exchange.agreements.requests.ports import RequestQuery
from workloads.data_exchange.agreements.requests.service import Requests

pages = Pages("requests", __name__)
pages.navigation(N_("Requests"), "inbox", action="request.view", order=20)
pages.notices["request.created"] = N_("The request was sent to the compliance review.")
pages.notices["request.moved"] = N_("Done; whoever is next sees it.")
pages.subjects["req"] = "requests_pages.one"

#: Each side's acts and the address to which its forms go.
_SIDES: Mapping[Side, str] = {
    Side.COMPLIANCE: "review", Side.PROVIDER: "decide", Side.CONSUMER: "reply",
    Side.ARBITER: "rule",
}  # fmt: skip


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "request_state": looks.shown,
        "request_side": lambda side: gettext(looks.SIDES[side]),
        "request_act": lambda act: gettext(looks.ACTS[act]),
        "request_clock": lambda one: looks.clock(one, use(Calendar).now(), now()),
        "waits_for": WAITS_FOR.get,
        "purpose_name": purpose_name,
    }


def purpose_name(purpose: str) -> str:
    """A purpose as people read it."""
    found = titles().get(purpose)
    return local(found) if found else purpose


def _way(*more: Crumb) -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Requests"), url_for("requests_pages.inbox")),
        *more,
    ]


@pages.get("/requests")
@requires("request.view")
def inbox() -> ResponseReturnValue:
    """What waits for the visitor, or all that they may see, the next due first."""
    given = request.args
    state = given.get("state", "")
    which = given.get("which", "mine")
    query = RequestQuery(
        (RequestState(state),) if state in {*RequestState} else (),
        overdue_at=now() if which == "late" else None,
    )
    page = use(Requests).requests(
        current_actor(), query, PageRequest(given.get("cursor")), mine=which == "mine"
    )
    return show(
        "requests/inbox.html", page=page, which=which, calendar=use(Calendar).now(),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Requests"))],
    )  # fmt: skip


@pages.get("/requests/new")
@requires("request.create")
def new() -> ResponseReturnValue:
    """The form of a request; first which data set, then what of it."""
    return _new(request.args)


@pages.post("/requests/new")
@requires("request.create")
def create() -> ResponseReturnValue:
    """Send a request, or say what is wrong."""
    given, requests = request.form, use(Requests)
    ask: Ask | None = None
    offered = requests.offered(current_actor(), given.get("dataset", ""), given.get("service", ""))
    if offered is None:
        return _new(given, [Problem("service", "is no published interface of this data set")], 422)
    try:
        ask = forms.read(given, offered, use(Calendar).now().zone)
        made = requests.create(
            current_actor(), consumer=given.get("consumer", ""), dataset=offered.dataset,
            service=offered.service, ask=ask, legal_basis=given.get("legal_basis", ""),
            justification=given.get("justification", ""), amends=given.get("amends", ""),
        )  # fmt: skip
    except Invalid as error:
        return _new(given, forms.placed(error.problems, ask), 422)
    except NotFound:
        unknown = [Problem("consumer", "is no agency of yours")]
        return _new({**given, "consumer": ""}, unknown, 422)
    return go("requests_pages.one", id=made.id, notice="request.created")


def _new(
    given: Mapping[str, str], problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    dataset, service = given.get("dataset", ""), given.get("service", "")
    offered = use(Requests).offered(current_actor(), dataset, service)
    fields = [
        Field("dataset", gettext("Data set"), value=dataset, required=True, max_length=500),
        Field("service", gettext("Interface"), value=service, required=True, max_length=500),
    ]
    if (dataset or service) and offered is None and not problems:
        problems, status = [Problem("service", "is no published interface of this data set")], 422
    asked = []
    if offered is not None:
        fields = []
        asked = [
            Field("consumer", gettext("Agency that would use it"), "select",
                  given.get("consumer", ""), required=True, options=_mine()),
            *forms.fields(offered, given),
            Field("legal_basis", gettext("Legal basis"), "textarea", given.get("legal_basis", ""),
                  required=True, max_length=LONGEST_TEXT,
                  help=gettext("By which law the agency does what it needs the data for.")),
            Field("justification", gettext("Why it needs them"), "textarea",
                  given.get("justification", ""), required=True, max_length=LONGEST_TEXT),
            Field("amends", gettext("Agreement that this would change"),
                  value=given.get("amends", ""), max_length=100,
                  help=gettext("Its id; empty for a new agreement.")),
        ]  # fmt: skip
    return show(
        "requests/new.html", status, offered=offered, dataset=dataset, service=service,
        form=Form.of([*fields, *asked], problems), crumbs=_way(Crumb(gettext("New request"))),
    )  # fmt: skip


def _mine() -> tuple[Option, ...]:
    """The agencies for which the visitor may ask."""
    actor = current_actor()
    return tuple(one for one in options() if policy.allows(actor, "request.create", one.value))


@pages.get("/requests/<id>")
@requires("request.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One request: what is asked for, its clock, what was done, and what one may do."""
    return _one(id)


def _one(
    request_id: str,
    problems: Sequence[Problem] = (),
    status: int = 200,
    *,
    act: Act | None = None,
    wrong: str = "",
) -> ResponseReturnValue:
    requests, actor = use(Requests), current_actor()
    found = requests.request(actor, request_id)
    acts = requests.acts(actor, found)
    return show(
        "requests/one.html", status, one=found, steps=requests.steps(actor, request_id),
        words=requests.words(actor, request_id), offers=Act.OFFER in acts, wrong=wrong,
        forms=[_form(found, one, problems if one is act else ()) for one in acts
               if one is not Act.OFFER],
        calendar=use(Calendar).now(), crumbs=_way(Crumb(found.id)),
    )  # fmt: skip


def _form(found: Request, act: Act, problems: Sequence[Problem]) -> dict[str, Any]:
    side = MACHINE[found.state, act]
    explained = act in EXPLAINED
    text = Field(
        f"text-{act}", gettext("Reason, question or answer"), "textarea",
        request.form.get(f"text-{act}", "") if problems else "", required=explained,
        max_length=LONGEST_TEXT,
    )  # fmt: skip
    placed = [Problem(f"text-{act}", one.message, one.code) for one in problems]
    return {
        "act": act, "address": url_for(f"requests_pages.{_SIDES[side]}", id=found.id),
        "label": gettext(looks.BUTTONS[act]), "explained": explained,
        "form": Form.of([text], placed),
        "calm": act in {Act.WITHDRAW, Act.REFUSE, Act.INQUIRE, Act.UPHOLD},
    }  # fmt: skip


@pages.post("/requests/<id>/review")
@requires("request.review")
def review(id: str) -> ResponseReturnValue:  # noqa: A002
    """Let it pass or refuse it, for the compliance review."""
    return _act(id, {Act.PASS, Act.REFUSE})


@pages.post("/requests/<id>/decision")
@requires("request.decide")
def decide(id: str) -> ResponseReturnValue:  # noqa: A002
    """Approve, refuse or ask, for the provider."""
    return _act(id, {Act.APPROVE, Act.REFUSE, Act.INQUIRE})


@pages.post("/requests/<id>/reply")
@requires("request.create")
def reply(id: str) -> ResponseReturnValue:  # noqa: A002
    """Answer, accept, withdraw or dispute, for the consumer."""
    return _act(id, {Act.ANSWER, Act.ACCEPT, Act.WITHDRAW, Act.DISPUTE})


@pages.post("/requests/<id>/ruling")
@requires("request.review")
def rule(id: str) -> ResponseReturnValue:  # noqa: A002
    """Decide a dispute, for the level above."""
    return _act(id, {Act.UPHOLD, Act.OVERRULE})


def _act(request_id: str, allowed: set[Act]) -> ResponseReturnValue:
    given = request.form
    known = given.get("act", "") in allowed
    act = Act(given["act"]) if known else None
    version = given.get("version", "")
    if act is None:
        return _one(request_id, (), 422, wrong=gettext("That cannot be done here."))
    try:
        use(Requests).act(
            current_actor(), request_id, act, text=given.get(f"text-{act}", ""),
            version=int(version) if version.isascii() and version[:9].isdigit() else None,
        )  # fmt: skip
    except Invalid as error:
        texts = [one for one in error.problems if one.field == "text"]
        rest = [f"{one.field}: {say(one.message)}" for one in error.problems if one.field != "text"]
        return _one(request_id, texts, 422, act=act, wrong="; ".join(rest))
    except (Conflict, Forbidden) as error:
        status = 409 if isinstance(error, Conflict) else 403
        return _one(request_id, (), status, wrong=say(error.message))
    return go("requests_pages.one", id=request_id, notice="request.moved")


@pages.get("/requests/<id>/offer")
@requires("request.decide")
def offer(id: str) -> ResponseReturnValue:  # noqa: A002
    """The form in which a provider gives less than was asked for."""
    return _offer(id)


@pages.post("/requests/<id>/offer")
@requires("request.decide")
def send_offer(id: str) -> ResponseReturnValue:  # noqa: A002
    """Offer less, or say what is wrong."""
    given, requests, actor = request.form, use(Requests), current_actor()
    ask: Ask | None = None
    there = requests.request(actor, id)
    offered = requests.offered(actor, there.dataset, there.service)
    if offered is None:
        return _gone(id)
    try:
        ask = forms.read(given, offered, use(Calendar).now().zone)
        requests.act(actor, id, Act.OFFER, text=given.get("text", ""), offer=_exact(ask, there))
    except Invalid as error:
        return _offer(id, forms.placed(error.problems, ask), 422)
    except (Conflict, Forbidden) as error:
        status = 409 if isinstance(error, Conflict) else 403
        return _one(id, (), status, wrong=say(error.message))
    return go("requests_pages.one", id=id, notice="request.moved")


def _exact(given: Ask, there: Request) -> Ask:
    """Forms know days; a day that was left as it was is the moment that was asked for."""
    zone = use(Calendar).now().zone
    asked, sent = forms.filled(there.ask, zone), forms.filled(given, zone)
    same = {name: getattr(there.ask, name) for name in ("begins", "ends")
            if asked[name] == sent[name]}  # fmt: skip
    return replace(given, **same)


def _offer(
    request_id: str, problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    requests, actor = use(Requests), current_actor()
    there = requests.request(actor, request_id)
    offered = requests.offered(actor, there.dataset, there.service)
    if offered is None:
        return _gone(request_id)
    given = request.form or forms.filled(there.ask, use(Calendar).now().zone)
    text = Field("text", gettext("Why less"), "textarea", given.get("text", ""), required=True,
                 max_length=LONGEST_TEXT)  # fmt: skip
    return show(
        "requests/offer.html", status, one=there, title=local(offered.title),
        form=Form.of([*forms.fields(offered, given), text], problems),
        crumbs=_way(Crumb(there.id, url_for("requests_pages.one", id=there.id)),
                    Crumb(gettext("Offer less"))),
    )  # fmt: skip


def _gone(request_id: str) -> ResponseReturnValue:
    wrong = say("the data set is not offered by this agency any more")
    return _one(request_id, (), 409, wrong=wrong)
