"""Pages of lotteries: to hold one, and what everybody sees of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.kernel.errors import BoroughError, Conflict, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, public, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.checks.service import Checks
from workloads.data_exchange.lottery import forms
from workloads.data_exchange.lottery.drawing import Draws
from workloads.data_exchange.lottery.model import OPEN, PERSON_MAX, LotteryState, Standing
from workloads.data_exchange.lottery.service import Lotteries
from workloads.data_exchange.lottery.verify import Standing as Place

pages = Pages("lottery", __name__)
pages.navigation(N_("Lotteries"), "lotteries", action="lottery.view", order=60)
pages.notices["lottery.done"] = N_("Done.")
_SHOWN = 100

#: As people read them.
STATES = {
    LotteryState.DRAFT: N_("draft"),
    LotteryState.OPEN: N_("takes applications"),
    LotteryState.COMMITTED: N_("all parties have committed"),
    LotteryState.FROZEN: N_("list frozen"),
    LotteryState.REVEALING: N_("parties reveal"),
    LotteryState.VOID: N_("round void, parties commit anew"),
    LotteryState.DRAWN: N_("drawn"),
    LotteryState.ABORTED: N_("aborted"),
}
STANDINGS = {
    Standing.PENDING: N_("to be judged"),
    Standing.QUALIFIED: N_("takes part"),
    Standing.REFUSED: N_("refused"),
}


@pages.get("/lotteries")
@requires("lottery.view")
def lotteries() -> ResponseReturnValue:
    """All lotteries, newest first."""
    found = use(Lotteries).lotteries(current_actor(), PageRequest(limit=_SHOWN))
    crumbs = [Crumb(gettext("Home"), "/"), Crumb(gettext("Lotteries"))]
    return show("lottery/lotteries.html", lotteries=found.items, states=STATES, crumbs=crumbs)


@pages.get("/lotteries/new")
@requires("lottery.manage")
def new() -> ResponseReturnValue:
    """The form of a draft."""
    return _new({})


def _new(
    given: Mapping[str, Any], problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    actor, all_ = current_actor(), options()
    mine = [one for one in all_ if policy.allows(actor, "lottery.manage", one.value)]
    scenarios = [Option(one.name, local(one.title)) for one in use(Checks).scenarios(actor)
                 if not one.data.get("inputs")]  # fmt: skip
    return show(
        "lottery/new.html", status,
        form=Form.of(forms.fields(given, mine, all_, scenarios), forms.placed(problems)),
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Lotteries"), "/lotteries"),
            Crumb(gettext("New lottery")),
        ],
    )  # fmt: skip


@pages.post("/lotteries/new")
@requires("lottery.manage")
def create() -> ResponseReturnValue:
    """Draft a lottery, or say what is wrong."""
    zone = use(Calendar).now().zone
    try:
        made = use(Lotteries).create(current_actor(), forms.read(request.form, zone))
    except Invalid as error:
        return _new(forms.filled(request.form), error.problems, 422)
    except NotFound:
        wrong = Problem("agency", "is no agency of yours")
        return _new(forms.filled(request.form), [wrong], 422)
    return go("lottery_pages.lottery", notice="lottery.done", lottery_id=made.id)


@pages.get("/lotteries/<lottery_id>")
@requires("lottery.view")
def lottery(lottery_id: str) -> ResponseReturnValue:
    """Hold a lottery: what is missing, who applied, the next step."""
    return _lottery(lottery_id, ())


def _lottery(
    lottery_id: str, problems: tuple[Problem, ...], status: int = 200
) -> ResponseReturnValue:
    actor, service = current_actor(), use(Lotteries)
    now = service.lottery(actor, lottery_id)
    try:
        pending = service.applications(
            actor, lottery_id, Standing.PENDING, PageRequest(limit=_SHOWN)
        ).items
    except BoroughError:  # only those who judge see them
        pending = ()
    one, sent = now.lottery, request.form
    fields = [
        Field("reason", gettext("Reason"), value=sent.get("reason", ""), max_length=500),
        Field("person", gettext("Resident number"), value=sent.get("person", ""), required=True,
              max_length=PERSON_MAX, autocomplete="off",
              help=gettext("It is turned into a pseudonym.")),
        Field("pool", gettext("Pool"), "select", sent.get("pool", ""), required=True,
              options=tuple(Option(name, name) for name, _ in one.pools)),
        Field("chances", gettext("Chances"), "number", sent.get("chances", "1"), required=True,
              minimum=1, maximum=one.rules["chances"], step=1),
    ]  # fmt: skip
    return show(
        "lottery/lottery.html", status, lottery=one, now=now, states=STATES, standings=STANDINGS,
        count=service.count(actor, lottery_id), pending=pending, opens=OPEN,
        LotteryState=LotteryState,
        form=Form.of(fields, problems),
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Lotteries"), "/lotteries"),
            Crumb(local(one.name)),
        ],
    )  # fmt: skip


@pages.post("/lotteries/<lottery_id>")
@requires("lottery.manage")
def step(lottery_id: str) -> ResponseReturnValue:
    """Take the next step, or say why not."""
    service, actor = use(Lotteries), current_actor()
    try:
        match request.form.get("step", ""):
            case "open":
                service.open(actor, lottery_id)
            case "freeze":
                service.freeze(actor, lottery_id)
            case "beacon":
                use(Draws).give_beacon(actor, lottery_id, request.form.get("value", ""))
            case _:
                service.abort(actor, lottery_id, reason=request.form.get("reason", ""))
    except Invalid as error:
        return _lottery(lottery_id, error.problems, 422)
    except Conflict as error:
        return _lottery(lottery_id, (Problem("", error.message),), 409)
    return go("lottery_pages.lottery", notice="lottery.done", lottery_id=lottery_id)


@pages.post("/lotteries/<lottery_id>/applications")
@requires("lottery.apply")
def apply(lottery_id: str) -> ResponseReturnValue:
    """Take an application at the counter, and show what the applicant keeps, once."""
    sent = request.form
    chances = sent.get("chances", "")
    number = int(chances) if chances.isascii() and chances.isdigit() and len(chances) < 5 else 0  # noqa: PLR2004 - more than any rules allow
    try:
        made, receipt = use(Lotteries).apply(
            current_actor(), lottery_id, person=sent.get("person", ""),
            pool=sent.get("pool", ""), chances=number,
        )  # fmt: skip
    except Invalid as error:
        return _lottery(lottery_id, error.problems, 422)
    except Conflict as error:
        return _lottery(lottery_id, (Problem("", error.message),), 409)
    return show(
        "lottery/applied.html", 201, one=made, receipt=receipt, standings=STANDINGS,
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Lotteries"), "/lotteries"),
            Crumb(gettext("Application")),
        ],
    )  # fmt: skip


@pages.post("/lotteries/<lottery_id>/judge")
@requires("lottery.judge")
def judge(lottery_id: str) -> ResponseReturnValue:
    """Say whether somebody takes part."""
    sent = request.form
    try:
        use(Lotteries).judge(
            current_actor(), lottery_id, sent.get("pseudonym", ""),
            qualified=sent.get("qualified") == "yes", reason=sent.get("reason", ""),
        )  # fmt: skip
    except Invalid as error:
        return _lottery(lottery_id, error.problems, 422)
    except Conflict as error:
        return _lottery(lottery_id, (Problem("", error.message),), 409)
    return go("lottery_pages.lottery", notice="lottery.done", lottery_id=lottery_id)


@pages.get("/draws/<lottery_id>")
@public
def draw(lottery_id: str) -> ResponseReturnValue:
    """What everybody sees: rules, parties, void rounds, winners, and one's own result."""
    draws, pseudonym = use(Draws), request.args.get("pseudonym", "").strip()
    record = draws.record(lottery_id, listed=False)
    drawn = record["state"] is LotteryState.DRAWN
    place: Place | None = None
    problems: tuple[Problem, ...] = ()
    if drawn and pseudonym:
        try:
            place = draws.proof(lottery_id, pseudonym)
        except BoroughError as error:
            problems = (Problem("pseudonym", error.message),)
    fields = [Field("pseudonym", gettext("Pseudonym"), value=pseudonym, max_length=100)]
    return show(
        "lottery/draw.html", 404 if problems else 200, record=record, states=STATES, place=place,
        outcomes=draws.outcomes(lottery_id) if drawn else (), form=Form.of(fields, problems),
        name=record["rules"]["name"], drawn=drawn, crumbs=[Crumb(gettext("Lottery"))],
    )  # fmt: skip
