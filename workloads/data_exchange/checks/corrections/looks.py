"""How corrections look: words for their states, and their clocks."""

from datetime import datetime

from flask_babel import gettext, ngettext
from markupsafe import Markup

from foundation.surface.web.i18n import N_
from foundation.surface.web.show import icon
from foundation.surface.web.states import Look
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar
from workloads.data_exchange.checks.corrections.model import Correction, CorrectionState

_LOOKS: dict[CorrectionState, Look] = {
    CorrectionState.OPEN: Look(N_("with the agency that holds it"), "hourglass_empty", "wait"),
    CorrectionState.CORRECTED: Look(N_("corrected, asked again"), "check_circle", "good"),
    CorrectionState.REFUSED: Look(N_("the record stays"), "highlight_off", "bad"),
}


def state(one: Correction) -> Markup:
    """Where it stands."""
    look = _LOOKS[one.state]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), gettext(look.word)
    )


def clock(one: Correction, calendar: WorkingCalendar, now: datetime) -> str:
    """How much time is left, in words; empty once it was decided."""
    if one.decided_at is not None:
        return ""
    if one.overdue(now):
        return str(gettext("overdue"))
    left = calendar.between(now, one.due_at)
    if left == 0:
        return str(gettext("due today"))
    return str(ngettext("%(num)d working day left", "%(num)d working days left", left))
