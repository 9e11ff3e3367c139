"""How requests look: words for states, sides and acts."""

from datetime import datetime

from flask_babel import gettext, ngettext
from markupsafe import Markup

from foundation.surface.web.i18n import N_
from foundation.surface.web.show import icon
from foundation.surface.web.states import Look
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar
from workloads.data_exchange.agreements.requests.model import Act, Request, RequestState, Side

LOOKS: dict[RequestState, Look] = {
    RequestState.COMPLIANCE: Look(N_("compliance review"), "hourglass_empty", "wait"),
    RequestState.REVIEW: Look(N_("with the provider"), "hourglass_empty", "wait"),
    RequestState.CLARIFICATION: Look(N_("question asked"), "help", "wait"),
    RequestState.OFFERED: Look(N_("partly approved"), "hourglass_empty", "wait"),
    RequestState.REFUSED: Look(N_("refused"), "error", "bad"),
    RequestState.DISPUTED: Look(N_("disputed"), "hourglass_empty", "warn"),
    RequestState.APPROVED: Look(N_("approved"), "thumb_up_alt", "good"),
    RequestState.DISMISSED: Look(N_("finally refused"), "highlight_off", "bad"),
    RequestState.WITHDRAWN: Look(N_("withdrawn"), "undo", "idle"),
}
SIDES: dict[Side, str] = {
    Side.CONSUMER: N_("consumer"),
    Side.COMPLIANCE: N_("compliance review"),
    Side.PROVIDER: N_("provider"),
    Side.ARBITER: N_("level above"),
}
ACTS: dict[Act, str] = {
    Act.ASK_FOR: N_("asked for access"),
    Act.PASS: N_("let it pass"),
    Act.REFUSE: N_("refused it"),
    Act.INQUIRE: N_("asked a question"),
    Act.ANSWER: N_("answered"),
    Act.APPROVE: N_("approved it"),
    Act.OFFER: N_("offered less"),
    Act.ACCEPT: N_("accepted the offer"),
    Act.WITHDRAW: N_("withdrew it"),
    Act.DISPUTE: N_("disputed the refusal"),
    Act.UPHOLD: N_("upheld the refusal"),
    Act.OVERRULE: N_("overruled the refusal"),
}
#: What stands on the buttons.
BUTTONS: dict[Act, str] = {
    Act.PASS: N_("Let it pass"),
    Act.REFUSE: N_("Refuse"),
    Act.INQUIRE: N_("Ask a question"),
    Act.ANSWER: N_("Answer"),
    Act.APPROVE: N_("Approve"),
    Act.ACCEPT: N_("Accept the offer"),
    Act.WITHDRAW: N_("Withdraw the request"),
    Act.DISPUTE: N_("Dispute the refusal"),
    Act.UPHOLD: N_("Uphold the refusal"),
    Act.OVERRULE: N_("Overrule the refusal"),
}


def shown(state: RequestState) -> Markup:
    """A state as word and icon."""
    look = LOOKS[state]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), gettext(look.word)
    )


def clock(request: Request, calendar: WorkingCalendar, now: datetime) -> str:
    """How much time is left, in words: working days, or that somebody is late."""
    if request.due_at is None:
        return ""
    left = calendar.between(now, request.due_at)
    if not request.overdue(now):
        if left == 0:
            return str(gettext("due today"))
        return str(ngettext("%(num)d working day left", "%(num)d working days left", left))
    if request.state is RequestState.REFUSED:
        return str(gettext("no longer open to dispute"))
    late = calendar.between(request.due_at, now)
    if late == 0:
        return str(gettext("overdue"))
    return str(ngettext("%(num)d working day late", "%(num)d working days late", late))
