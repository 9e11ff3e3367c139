"""Pages of the dataspace: negotiations and transfers with their states, and what may be done."""

import json

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from foundation.kernel.errors import BoroughError, Invalid
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, say, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import icon
from foundation.surface.web.states import Look
from workloads.data_exchange.dataspace.acting import Dataspace
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import REASON_MAX, Process, SendingState
from workloads.data_exchange.dataspace.participants import Participants

pages = Pages("dataspace", __name__)
pages.navigation(N_("Dataspace"), "processes", action="dataspace.view", order=23)
pages.subjects.update({"dsn": "dataspace_pages.one", "dtp": "dataspace_pages.one"})
pages.notices["dataspace.done"] = N_("It was done; the other side is told.")

LOOKS: dict[ProcessState, Look] = {
    ProcessState.REQUESTED: Look(N_("requested"), "hourglass_empty", "wait"),
    ProcessState.OFFERED: Look(N_("offered"), "hourglass_empty", "wait"),
    ProcessState.ACCEPTED: Look(N_("accepted"), "hourglass_empty", "wait"),
    ProcessState.AGREED: Look(N_("agreed"), "hourglass_empty", "wait"),
    ProcessState.VERIFIED: Look(N_("verified"), "hourglass_empty", "wait"),
    ProcessState.FINALIZED: Look(N_("finalized"), "check_circle", "good"),
    ProcessState.STARTED: Look(N_("started"), "check_circle", "good"),
    ProcessState.SUSPENDED: Look(N_("suspended"), "schedule", "wait"),
    ProcessState.COMPLETED: Look(N_("completed"), "history", "idle"),
    ProcessState.TERMINATED: Look(N_("terminated"), "undo", "bad"),
}
KINDS = {ProcessKind.NEGOTIATION: N_("negotiation"), ProcessKind.TRANSFER: N_("transfer")}
ROLES = {Role.PROVIDER: N_("provider"), Role.CONSUMER: N_("consumer")}
ACTS = {
    ProcessAct.REQUEST: N_("Ask again"), ProcessAct.OFFER: N_("Make the offer"),
    ProcessAct.ACCEPT: N_("Accept the offer"), ProcessAct.AGREE: N_("Agree"),
    ProcessAct.VERIFY: N_("Verify the agreement"), ProcessAct.FINALIZE: N_("Finalize"),
    ProcessAct.START: N_("Start"), ProcessAct.SUSPEND: N_("Suspend"),
    ProcessAct.COMPLETE: N_("Complete"),
    ProcessAct.TERMINATE: N_("Terminate"),
}  # fmt: skip
SENDING = {
    SendingState.WAITING: N_("waits to be sent"), SendingState.SENT: N_("arrived"),
    SendingState.FAILED: N_("failed"), SendingState.DROPPED: N_("not sent"),
}  # fmt: skip


def _shown(one: Process) -> Markup:
    look = LOOKS[one.state]
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        look.tone, icon(look.icon), gettext(look.word)
    )


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "process_state": _shown,
        "process_kind": lambda kind: gettext(KINDS[kind]),
        "process_role": lambda role: gettext(ROLES[role]),
        "process_act": lambda act: gettext(ACTS[act]),
        "sending_state": lambda state: gettext(SENDING[state]),
    }


@pages.get("/dataspace")
@requires("dataspace.view")
def processes() -> ResponseReturnValue:
    """Negotiations and transfers, and who takes part."""
    chosen = request.args.get("kind", "")
    kind = ProcessKind(chosen) if chosen in {*ProcessKind} else None
    actor, dataspace, participants = current_actor(), use(Dataspace), use(Participants)
    page = PageRequest(request.args.get("cursor"), 25)
    return show(
        "dataspace/processes.html", page=dataspace.processes(actor, page, kind=kind),
        chosen=chosen if kind else "",
        kinds=[(one.value, gettext(KINDS[one])) for one in ProcessKind],
        own=participants.own, offers=dataspace.offers(actor, PageRequest(limit=25)).items,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Dataspace"))],
    )  # fmt: skip


@pages.get("/dataspace/<id>")
@requires("dataspace.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name that other pages link by
    """One negotiation or transfer: where it stands, what was said, what may be done."""
    return _one(id, "")


def _one(process_id: str, wrong: str, status: int = 200) -> ResponseReturnValue:
    actor, dataspace = current_actor(), use(Dataspace)
    found = dataspace.process(actor, process_id)
    return show(
        "dataspace/process.html", status, one=found, wrong=wrong,
        policy=json.dumps(found.policy, indent=2, ensure_ascii=False),
        sendings=dataspace.sendings(actor, process_id), acts=dataspace.may(actor, found),
        reason_max=REASON_MAX,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Dataspace"), url_for("dataspace_pages.processes")), Crumb(found.id),
        ],
    )  # fmt: skip


@pages.post("/dataspace/<id>/acts")
@requires("dataspace.view")
def act(id: str) -> ResponseReturnValue:  # noqa: A002 - as above
    """Do what its state allows our side."""
    sent = request.form.get("act", "")
    if sent not in {*ProcessAct}:
        return _one(id, gettext("Choose what is to be done."), 422)
    try:
        use(Dataspace).act(
            current_actor(), id, ProcessAct(sent), reason=request.form.get("reason", "")
        )
    except Invalid as error:
        return _one(id, " ".join(say_problem(one) for one in error.problems), 422)
    except BoroughError as error:
        if error.code != "conflict":
            raise
        return _one(id, say(error.message), 409)
    return go("dataspace_pages.one", id=id, notice="dataspace.done")
