"""How checks look: words for states, verdicts and what is waited for."""

from flask_babel import gettext
from markupsafe import Markup

from foundation.surface.web.i18n import N_
from foundation.surface.web.show import icon
from foundation.surface.web.states import Look
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    ConsentState,
    Question,
    QuestionState,
    Verdict,
    Why,
)
from workloads.data_exchange.checks.service import seen

_STATES: dict[CheckState, Look] = {
    CheckState.CONSENT: Look(N_("waits for consent"), "hourglass_empty", "wait"),
    CheckState.ASKING: Look(N_("registries are asked"), "hourglass_empty", "wait"),
    CheckState.DONE: Look(N_("done"), "check_circle", "good"),
    CheckState.STOPPED: Look(N_("stopped"), "highlight_off", "idle"),
}
_VERDICTS: dict[Verdict, Look] = {
    Verdict.YES: Look(N_("yes"), "check_circle", "good"),
    Verdict.NO: Look(N_("no"), "highlight_off", "bad"),
    Verdict.CANNOT_TELL: Look(N_("cannot tell"), "help", "warn"),
    Verdict.NOT_YET: Look(N_("cannot tell yet"), "hourglass_empty", "wait"),
}
_CONSENTS: dict[ConsentState, Look] = {
    ConsentState.WAITING: Look(N_("not decided"), "hourglass_empty", "wait"),
    ConsentState.GIVEN: Look(N_("given"), "check_circle", "good"),
    ConsentState.REFUSED: Look(N_("refused"), "highlight_off", "bad"),
    ConsentState.WITHDRAWN: Look(N_("withdrawn"), "undo", "idle"),
}
_QUESTIONS: dict[QuestionState, Look] = {
    QuestionState.WAITING: Look(N_("no answer yet"), "hourglass_empty", "wait"),
    QuestionState.ANSWERED: Look(N_("answered"), "check_circle", "good"),
    QuestionState.REFUSED: Look(N_("the registry cannot say"), "help", "warn"),
}
_WHY: dict[str, str] = {
    Why.NOT_CONNECTED: N_("No service of the directory answers this question: an administrator "
                          "connects one, then the check is begun anew."),
    Why.NO_AGREEMENT: N_("The agency that asks has no agreement in force for this."),
    Why.NO_KEY: N_("The agency that asks has no key here with which its questions are signed."),
    Why.NO_GATEWAY: N_("The gateway cannot be reached."),
    Why.NOT_ALLOWED: N_("The agreement does not allow this question."),
    Why.SLOW: N_("The registry is slow; it is asked again."),
    Why.DOWN: N_("The registry does not answer; it is asked again."),
}  # fmt: skip
#: Why a check was stopped.
_STOPPED: dict[str, str] = {
    "refused": N_("Somebody refused their consent."),
    "withdrawn": N_("Somebody withdrew their consent."),
    "no_consent": N_("Not everybody consented in time."),
}


def _shown(look: Look) -> Markup:
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), gettext(look.word)
    )


def state(check: Check) -> Markup:
    """How far a check is."""
    return _shown(_STATES[check.state])


def verdict(check: Check) -> Markup:
    """What it says to who waits."""
    return _shown(_VERDICTS[seen(check)])


def consent(one: ConsentState) -> Markup:
    """What somebody decided."""
    return _shown(_CONSENTS[one])


def question(one: Question) -> Markup:
    """How far a question is."""
    return _shown(_QUESTIONS[one.state])


def why(one: Question) -> str:
    """Why there is no answer yet; empty when it was not asked."""
    return str(gettext(_WHY[one.why])) if one.why else ""


def stopped(check: Check) -> str:
    """Why a check was stopped; empty when it was not."""
    words = [_STOPPED[one] for one in check.reasons if one in _STOPPED]
    return str(gettext(words[0])) if check.state is CheckState.STOPPED and words else ""
