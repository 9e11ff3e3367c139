"""How a state looks: a word in two languages, an icon of the design system, and a tone.

The words are those of the features' enumerations; a test holds the table to them.
"""

from dataclasses import dataclass

from flask_babel import gettext

from foundation.surface.web.i18n import N_


@dataclass(frozen=True, slots=True)
class Look:
    """How to show one state.

    Attributes:
        word: English, for the catalogue.
        icon: a symbol of the design system's sprite.
        tone: ``good``, ``busy``, ``wait``, ``warn``, ``bad`` or ``idle``, as the style sheet has.
    """

    word: str
    icon: str
    tone: str


LOOKS: dict[str, Look] = {
    # orders
    "draft": Look(N_("draft"), "edit", "idle"),
    "submitted": Look(N_("submitted"), "send", "busy"),
    "planning": Look(N_("planning"), "schedule", "busy"),
    "in_approval": Look(N_("in approval"), "hourglass_empty", "wait"),
    "approved": Look(N_("approved"), "thumb_up_alt", "good"),
    "provisioning": Look(N_("provisioning"), "autorenew", "busy"),
    "active": Look(N_("active"), "check_circle", "good"),
    "rejected": Look(N_("rejected"), "highlight_off", "bad"),
    "withdrawn": Look(N_("withdrawn"), "undo", "idle"),
    "expired": Look(N_("expired"), "history", "idle"),
    # operations and their steps
    "queued": Look(N_("queued"), "schedule", "idle"),
    "pending": Look(N_("pending"), "schedule", "idle"),
    "running": Look(N_("running"), "autorenew", "busy"),
    "succeeded": Look(N_("succeeded"), "check_circle", "good"),
    "failed": Look(N_("failed"), "error", "bad"),
    "cancelled": Look(N_("cancelled"), "cancel", "idle"),
    "stuck": Look(N_("stuck"), "warning", "warn"),
    "skipped": Look(N_("skipped"), "remove", "idle"),
    # servers and controls of a playbook's run
    "unreachable": Look(N_("not reached"), "link_off", "bad"),
    "passing": Look(N_("passes"), "check_circle", "good"),
    "failing": Look(N_("does not pass"), "highlight_off", "bad"),
    # deployments, resources, regions
    "applying": Look(N_("applying"), "autorenew", "busy"),
    "destroying": Look(N_("destroying"), "autorenew", "busy"),
    "destroyed": Look(N_("destroyed"), "delete", "idle"),
    "deleting": Look(N_("deleting"), "autorenew", "busy"),
    "deleted": Look(N_("deleted"), "delete", "idle"),
    "changing": Look(N_("changing"), "autorenew", "busy"),
    "cordoned": Look(N_("takes nothing new"), "do_not_disturb", "warn"),
    "maintenance": Look(N_("under maintenance"), "construction", "warn"),
    "unknown": Look(N_("unknown"), "help", "warn"),
    "created": Look(N_("created"), "check_circle", "good"),
    "updated": Look(N_("updated"), "check_circle", "good"),
    "replaced": Look(N_("replaced"), "check_circle", "good"),
    "same": Look(N_("unchanged"), "check", "idle"),
    "creating": Look(N_("creating"), "autorenew", "busy"),
    "updating": Look(N_("updating"), "autorenew", "busy"),
    # offerings, blueprints, contracts, tenancies
    "supported": Look(N_("supported"), "check_circle", "good"),
    "preview": Look(N_("preview"), "visibility", "wait"),
    "orderable": Look(N_("can be ordered"), "check_circle", "good"),
    "planned": Look(N_("planned"), "schedule", "idle"),
    "deprecated": Look(N_("deprecated"), "warning", "warn"),
    "retired": Look(N_("retired"), "history", "idle"),
    "external": Look(N_("from an external broker"), "launch", "idle"),
    "published": Look(N_("published"), "check_circle", "good"),
    "closed": Look(N_("closed"), "lock", "idle"),
    "disabled": Look(N_("disabled"), "highlight_off", "idle"),
    # approvals, money, usage
    "lapsed": Look(N_("lapsed"), "warning", "warn"),
    "open": Look(N_("open"), "lock_open", "wait"),
    "issued": Look(N_("issued"), "check_circle", "good"),
    # health and verification
    "fine": Look(N_("fine"), "check_circle", "good"),
    "late": Look(N_("late"), "warning", "warn"),
    "verified": Look(N_("verified"), "verified_user", "good"),
    "broken": Look(N_("broken"), "error", "bad"),
    # drift
    "undecided": Look(N_("undecided"), "warning", "warn"),
    "ignored": Look(N_("ignored"), "schedule", "idle"),
    "adopted": Look(N_("adopted"), "check_circle", "good"),
    "accepted": Look(N_("accepted deviation"), "info", "wait"),
    "repaired": Look(N_("repaired"), "build", "good"),
    "gone": Look(N_("went back by itself"), "undo", "idle"),
    "clean": Look(N_("as applied"), "check_circle", "good"),
    "drifted": Look(N_("differs"), "warning", "warn"),
    "unseen": Look(N_("could not be looked at"), "help", "warn"),
    # findings
    "advisory": Look(N_("advisory"), "info", "wait"),
    "waivable": Look(N_("waivable"), "lock", "warn"),
    "waived": Look(N_("waived"), "lock_open", "wait"),
    "mandatory": Look(N_("mandatory"), "error", "bad"),
    "revoked": Look(N_("revoked"), "undo", "idle"),
    "passed": Look(N_("passed"), "check_circle", "good"),
    # migration of systems and its targets
    "in_progress": Look(N_("in progress"), "autorenew", "busy"),
    "moved": Look(N_("moved"), "check_circle", "good"),
    "exempt": Look(N_("exempt"), "remove", "idle"),
    "target_met": Look(N_("met"), "check_circle", "good"),
    "target_missed": Look(N_("missed"), "error", "bad"),
    "target_open": Look(N_("open"), "schedule", "wait"),
    # what a newer revision does
    "create": Look(N_("create"), "add_circle", "good"),
    "update": Look(N_("change"), "edit", "busy"),
    "replace": Look(N_("replace"), "autorenew", "warn"),
    "delete": Look(N_("delete"), "delete", "bad"),
    "read": Look(N_("read"), "visibility", "idle"),
    "changed": Look(N_("changed"), "edit", "wait"),
    "added": Look(N_("new"), "add_circle", "good"),
    "removed": Look(N_("gone"), "remove", "idle"),
    "waiting": Look(N_("waits for approval"), "hourglass_empty", "wait"),
    "stopped": Look(N_("stopped"), "do_not_disturb", "warn"),
    "done": Look(N_("done"), "check_circle", "good"),
    "selected": Look(N_("chosen"), "schedule", "idle"),
    "needs_order": Look(N_("needs an order"), "hourglass_empty", "wait"),
    "unplannable": Look(N_("cannot be planned"), "warning", "warn"),
    "upgraded": Look(N_("upgraded"), "check_circle", "good"),
    "overtaken": Look(N_("overtaken"), "warning", "warn"),
    "refused": Look(N_("refused"), "error", "bad"),
    "unchanged": Look(N_("unchanged"), "check", "idle"),
    # what happened to a request
    "ok": Look(N_("ok"), "check_circle", "good"),
    "denied": Look(N_("denied"), "do_not_disturb", "warn"),
}

UNKNOWN = Look(N_("unknown"), "help", "idle")


def look(state: object) -> Look:
    """How a state looks; one that the table does not know keeps its own word."""
    word = str(getattr(state, "value", state))
    return LOOKS.get(word) or Look(word.replace("_", " "), UNKNOWN.icon, UNKNOWN.tone)


def word(state: object) -> str:
    """A state in the request's language."""
    return str(gettext(look(state).word))
