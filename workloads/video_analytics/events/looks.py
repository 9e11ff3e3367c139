"""How events, incidents and exports are called and shown."""

from flask_babel import gettext
from markupsafe import Markup

from foundation.surface.web.i18n import N_
from foundation.surface.web.show import icon
from workloads.video_analytics.events.linkage.model import IncidentState, Outcome
from workloads.video_analytics.events.model import Change, EventState, Severity, Verdict
from workloads.video_analytics.events.notification.model import DeliveryState
from workloads.video_analytics.events.privacy.model import ExportState
from workloads.video_analytics.vision.model import RuleKind

KINDS = {
    RuleKind.MOTION: N_("Motion"),
    RuleKind.LINE_CROSSING: N_("Line crossing"),
    RuleKind.FIELD_ENTRY: N_("Entry"),
    RuleKind.FIELD_PRESENCE: N_("Presence"),
    RuleKind.LOITERING: N_("Loitering"),
    RuleKind.COUNTING: N_("Counting"),
    RuleKind.CROWD: N_("Crowd"),
    RuleKind.OBJECT_ABANDONED: N_("Object abandoned"),
    RuleKind.OBJECT_REMOVED: N_("Object removed"),
    RuleKind.TAMPERING: N_("Tampering"),
    RuleKind.VEGETATION: N_("Vegetation on water"),
    RuleKind.CONSTRUCTION: N_("Construction at forbidden hours"),
    RuleKind.OBJECT_CLASS: N_("Object class"),
    RuleKind.FACE: N_("Face"),
    RuleKind.PLATE: N_("Licence plate"),
}
#: Word, symbol of the design system, tone.
_WORDS: dict[str, dict[str, tuple[str, str, str]]] = {
    "severity": {
        Severity.CRITICAL: (N_("critical"), "error", "bad"),
        Severity.MAJOR: (N_("major"), "warning", "bad"),
        Severity.MINOR: (N_("minor"), "info", "warn"),
        Severity.WARNING: (N_("warning"), "info", "idle"),
    },
    "event": {
        EventState.ACTIVE: (N_("begun"), "notifications_active", "busy"),
        EventState.UPDATED: (N_("going on"), "autorenew", "busy"),
        EventState.ENDED: (N_("ended"), "check", "idle"),
    },
    "verdict": {
        Verdict.TRUE: (N_("true"), "check_circle", "good"),
        Verdict.FALSE_ALARM: (N_("false alarm"), "highlight_off", "warn"),
    },
    "incident": {
        IncidentState.WARNING: (N_("warning"), "warning", "warn"),
        IncidentState.ASSIGNED: (N_("assigned"), "person", "wait"),
        IncidentState.ACTING: (N_("acting"), "autorenew", "busy"),
        IncidentState.CLOSED: (N_("closed"), "check_circle", "good"),
    },
    "outcome": {
        Outcome.PENDING: (N_("pending"), "schedule", "idle"),
        Outcome.DONE: (N_("done"), "check_circle", "good"),
        Outcome.FAILED: (N_("failed"), "error", "bad"),
        Outcome.SKIPPED: (N_("skipped"), "remove", "idle"),
    },
    "delivery": {
        DeliveryState.PENDING: (N_("pending"), "schedule", "idle"),
        DeliveryState.DELIVERED: (N_("delivered"), "check_circle", "good"),
        DeliveryState.DEAD: (N_("given up"), "error", "bad"),
    },
    "export": {
        ExportState.REQUESTED: (N_("waits for approval"), "hourglass_empty", "wait"),
        ExportState.APPROVED: (N_("approved"), "thumb_up_alt", "busy"),
        ExportState.REFUSED: (N_("refused"), "highlight_off", "bad"),
        ExportState.READY: (N_("ready"), "check_circle", "good"),
        ExportState.FAILED: (N_("failed"), "error", "bad"),
        ExportState.EXPIRED: (N_("expired"), "history", "idle"),
    },
}
CHANGES = {
    Change.ACTIVE: N_("It began."),
    Change.ENDED: N_("It ended."),
    Change.EVIDENCE: N_("Evidence was added."),
    Change.ACKNOWLEDGED: N_("It was acknowledged."),
    Change.JUDGED: N_("It was judged."),
    Change.LINKED: N_("A linked action was done."),
    Change.HELD: N_("A legal hold was put on it."),
    Change.RELEASED: N_("The legal hold was ended."),
    Change.EXPORTED: N_("Its evidence was exported."),
    Change.ERASED: N_("Its evidence was erased after its time of retention."),
}


def kind_word(kind: RuleKind) -> str:
    """What a kind of event is called, in the request's language."""
    return str(gettext(KINDS[kind]))


def word(group: str, value: str) -> str:
    """What a value is called, in the request's language."""
    return str(gettext(_WORDS[group][value][0]))


def mark(group: str, value: str) -> Markup:
    """A value as word and icon."""
    _, symbol, tone = _WORDS[group][value]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        tone, icon(symbol), word(group, value)
    )


def change_word(change: Change) -> str:
    """What happened, in the request's language."""
    return str(gettext(CHANGES[change]))
