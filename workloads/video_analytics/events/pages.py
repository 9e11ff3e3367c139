"""Pages of events: the list, one event, receivers, incidents and exports."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.departments.pages import all_departments
from workloads.video_analytics.events import looks
from workloads.video_analytics.events.answers import file_answer
from workloads.video_analytics.events.linkage.model import IncidentState
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.model import (
    ARCHIVE,
    EventFilter,
    EventState,
    Severity,
    Verdict,
)
from workloads.video_analytics.events.notification.model import (
    DeliveryState,
    Matching,
    ReceiverKind,
)
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.privacy.exports import Exports
from workloads.video_analytics.events.service import Events
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.vision.model import RuleKind

T = TypeVar("T")

pages = Pages("events", __name__)
pages.navigation(N_("Events"), "events", action="event.view", order=20)
pages.navigation(N_("Incidents"), "incidents", action="event.view", order=22)
pages.navigation(N_("Receivers"), "receivers", action="receiver.view", order=52)
pages.navigation(N_("Exports"), "exports", action="evidence.export", order=54)
pages.subjects.update(evt="events_pages.event", inc="events_pages.incident")
pages.notices.update({
    "event.acknowledged": N_("You have acknowledged the event."),
    "event.judged": N_("Your judgement was kept."),
    "event.exported": N_("The export waits for a second person's approval."),
    "event.incident": N_("An incident was opened."),
    "incident.stepped": N_("The incident has gone a step on."),
    "export.decided": N_("Your decision was kept."),
    "receiver.removed": N_("The receiver was removed."),
    "receiver.changed": N_("The receiver was changed."),
    "delivery.retried": N_("The delivery is tried again."),
})  # fmt: skip
_PAGE = 24


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "event_kind": looks.kind_word, "event_mark": looks.mark, "event_word": looks.word,
        "event_change": looks.change_word, "camera_name": camera_name, "rule_name": rule_name,
    }  # fmt: skip


def camera_name(camera_id: str, otherwise: str) -> str:
    """A camera's name in the request's language; ``otherwise`` when it is not known any more."""
    known = use(Cameras).known({camera_id}).get(camera_id)
    return local(known.settings.name) if known else otherwise


def rule_name(rule_id: str, otherwise: str) -> str:
    """A rule's name in the request's language; ``otherwise`` when it is not known any more."""
    known = use(Rules).known({rule_id}).get(rule_id)
    return local(known.name) if known else otherwise


def _among(kind: Iterable[T], text: str) -> T | None:
    return next((one for one in kind if str(one) == text), None)


def _chosen(value: T | None, name: str) -> T:
    if value is None:
        raise Invalid([Problem(name, "is required")])
    return value


def instant(name: str, text: str) -> datetime | None:
    """A day, or a day and a time, in UTC.

    Raises:
        Invalid: it is none.
    """
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid([Problem(name, "must be a day and a time")]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@pages.get("/events")
@requires("event.view")
def events() -> ResponseReturnValue:
    """The events that the visitor may see, as the address filters them."""
    given = {n: request.args.get(n, "") for n in (
        "kind", "severity", "state", "verdict", "acknowledged", "camera", "rule", "since", "until",
    )}  # fmt: skip
    kind, severity = _among(RuleKind, given["kind"]), _among(Severity, given["severity"])
    wanted = EventFilter(
        (kind,) if kind else (), (severity,) if severity else (),
        _among(EventState, given["state"]), given["camera"], given["rule"],
        _among(Verdict, given["verdict"]),
        {"yes": True, "no": False}.get(given["acknowledged"]),
        instant("since", given["since"]), instant("until", given["until"]),
    )  # fmt: skip
    page = use(Events).events(
        current_actor(), wanted, PageRequest(request.args.get("cursor"), _PAGE)
    )
    return show(
        "events/events.html",
        page=page,
        given=given,
        kinds=list(RuleKind),
        severities=list(Severity),
        states=list(EventState),
        verdicts=list(Verdict),
        shows_pictures=may("evidence.view"),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Events"))],
    )


@pages.get("/events/rates")
@requires("event.view")
def rates() -> ResponseReturnValue:
    """False alarms by rule and version."""
    return show(
        "events/rates.html",
        rates=use(Events).rates(current_actor()),
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Events"), url_for("events_pages.events")),
            Crumb(gettext("False alarms")),
        ],
    )  # fmt: skip


@pages.get("/events/<id>")
@requires("event.view")
def event(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One event with its picture, clip, history, and what may be done about it."""
    return _event(id)


def _event(
    event_id: str, problems: tuple[Problem, ...] = (), status: int = 200
) -> ResponseReturnValue:
    actor = current_actor()
    found = use(Events).event(actor, event_id)
    return show(
        "events/event.html", status,
        event=found,
        history=use(Events).history(actor, event_id),
        deeds=use(Linkages).deeds(actor, event_id),
        incidents=use(Linkages).incidents(actor, PageRequest(), event_id=event_id).items,
        shows_pictures=may("evidence.view"),
        export_form=Form.of((
            Field("reason", gettext("Reason"), "textarea", request.form.get("reason", ""),
                  required=True, max_length=1000,
                  help=gettext("It stands in the picture and in the audit log.")),
            Field("blurred", gettext("Make people unrecognisable"), "checkbox",
                  request.form.get("blurred", "on")),
        ), problems),
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Events"), url_for("events_pages.events")),
            Crumb(looks.kind_word(found.kind)),
        ],
    )  # fmt: skip


@pages.get("/events/<id>/evidence/<sha256>")
@requires("evidence.view")
def evidence(id: str, sha256: str) -> Response:  # noqa: A002
    """A picture or clip; written into the audit log."""
    found, file = use(Events).view(current_actor(), id, sha256)
    return file_answer(file, found.kind, found.sha256)


@pages.post("/events/<id>/acknowledge")
@requires("event.acknowledge")
def acknowledge(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take note of it."""
    use(Events).acknowledge(current_actor(), id, request.form.get("note", ""))
    return go("events_pages.event", id=id, notice="event.acknowledged")


@pages.post("/events/<id>/judge")
@requires("event.acknowledge")
def judge(id: str) -> ResponseReturnValue:  # noqa: A002
    """Say whether it was true or a false alarm."""
    verdict = _among(Verdict, request.form.get("verdict", ""))
    if verdict is None:
        raise Invalid([Problem("verdict", "must be true or false_alarm")])
    use(Events).judge(current_actor(), id, verdict, request.form.get("note", ""))
    return go("events_pages.event", id=id, notice="event.judged")


@pages.post("/events/<id>/incident")
@requires("event.acknowledge")
def open_incident(id: str) -> ResponseReturnValue:  # noqa: A002
    """Open an incident for it."""
    made = use(Linkages).open(current_actor(), id)
    return go("events_pages.incident", id=made.id, notice="event.incident")


@pages.post("/events/<id>/export")
@requires("evidence.export")
def export(id: str) -> ResponseReturnValue:  # noqa: A002
    """Ask for its evidence."""
    try:
        use(Exports).request(
            current_actor(), [id], request.form.get("reason", ""),
            blurred=request.form.getlist("blurred")[-1:] != ["off"],
        )  # fmt: skip
    except Invalid as error:
        return _event(id, tuple(error.problems), 422)
    return go("events_pages.exports", notice="event.exported")


@pages.get("/incidents")
@requires("event.view")
def incidents() -> ResponseReturnValue:
    """The incidents that the visitor may see."""
    state = _among(IncidentState, request.args.get("state", ""))
    page = use(Linkages).incidents(
        current_actor(), PageRequest(request.args.get("cursor")), state=state
    )
    return show(
        "events/incidents.html", page=page, states=list(IncidentState), state=state,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Incidents"))],
    )  # fmt: skip


@pages.get("/incidents/<id>")
@requires("event.view")
def incident(id: str) -> ResponseReturnValue:  # noqa: A002
    """One incident with its way."""
    return _incident(id)


def _incident(
    incident_id: str, problems: tuple[Problem, ...] = (), status: int = 200
) -> ResponseReturnValue:
    found = use(Linkages).incident(current_actor(), incident_id)
    options = tuple(
        Option(str(s), looks.word("incident", s))
        for s in (IncidentState.ASSIGNED, IncidentState.ACTING, IncidentState.CLOSED)
    )
    form = Form.of((
        Field("state", gettext("Next"), "radio", request.form.get("state", ""), required=True,
              options=options),
        Field("assigned_to", gettext("Who takes care of it"),
              value=request.form.get("assigned_to", found.assigned_to), max_length=200),
        Field("note", gettext("Note, or the report"), "textarea", request.form.get("note", ""),
              max_length=4000, help=gettext("An incident is closed with a report.")),
    ), problems)  # fmt: skip
    return show(
        "events/incident.html", status, incident=found, form=form,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Incidents"), url_for("events_pages.incidents")), Crumb(found.title),
        ],
    )  # fmt: skip


@pages.post("/incidents/<id>/step")
@requires("event.acknowledge")
def step_incident(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take it a step on."""
    sent = request.form
    try:
        state = _chosen(_among(IncidentState, sent.get("state", "")), "state")
        use(Linkages).step(
            current_actor(), id, state, assigned_to=sent.get("assigned_to", ""),
            note=sent.get("note", ""),
        )  # fmt: skip
    except Invalid as error:
        return _incident(id, tuple(error.problems), 422)
    return go("events_pages.incident", id=id, notice="incident.stepped")


@pages.get("/exports")
@requires("evidence.export")
def exports() -> ResponseReturnValue:
    """Evidence that leaves, and what waits for approval."""
    page = use(Exports).exports(current_actor(), PageRequest(request.args.get("cursor")))
    return show(
        "events/exports.html", page=page, me=current_actor().id,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Exports"))],
    )  # fmt: skip


@pages.post("/exports/<id>/decide")
@requires("evidence.approve")
def decide_export(id: str) -> ResponseReturnValue:  # noqa: A002
    """Approve or refuse."""
    approve = request.form.get("decision") == "approve"
    use(Exports).decide(current_actor(), id, approve=approve, note=request.form.get("note", ""))
    return go("events_pages.exports", notice="export.decided")


@pages.get("/exports/<id>/archive")
@requires("evidence.export")
def export_archive(id: str) -> Response:  # noqa: A002
    """The archive; written into the audit log."""
    found, file = use(Exports).download(current_actor(), id)
    return file_answer(file, ARCHIVE, found.id, download=True)


@pages.get("/receivers")
@requires("receiver.view")
def receivers() -> ResponseReturnValue:
    """Who is told of events, and what could not be sent."""
    return _receivers()


def _receivers(
    problems: tuple[Problem, ...] = (), status: int = 200, secret: str = ""
) -> ResponseReturnValue:
    actor, sent = current_actor(), request.form
    places = tuple(Option(d.path, f"{local(d.name)} ({d.path})") for d in all_departments())
    kinds = tuple(Option(str(k), looks.kind_word(k)) for k in RuleKind)
    grave = tuple(Option(str(s), looks.word("severity", s)) for s in Severity)
    form = Form.of((
        Field("path", gettext("Department"), "select", sent.get("path", ""), required=True,
              options=places),
        Field("name", gettext("Name"), value=sent.get("name", ""), required=True, max_length=200),
        Field("kind", gettext("Sent by"), "radio", sent.get("kind", "webhook"), required=True,
              options=(Option("webhook", gettext("Web-hook, signed")),
                       Option("mail", gettext("E-mail")))),
        Field("target", gettext("Address"), value=sent.get("target", ""), required=True,
              help=gettext("https://… or a mailbox")),
        Field("kinds", gettext("Only these kinds"), "checkboxes", sent.getlist("kinds"),
              options=kinds),
        Field("severities", gettext("Only these severities"), "checkboxes",
              sent.getlist("severities"), options=grave),
        Field("start", gettext("Only from (HH:MM)"), value=sent.get("start", "")),
        Field("end", gettext("until (HH:MM)"), value=sent.get("end", "")),
    ), problems)  # fmt: skip
    dead = use(Receivers).deliveries(actor, PageRequest(), state=DeliveryState.DEAD)
    return show(
        "events/receivers.html", status, receivers=use(Receivers).receivers(actor), form=form,
        dead=dead, secret=secret,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Receivers"))],
    )  # fmt: skip


@pages.post("/receivers")
@requires("receiver.manage")
def add_receiver() -> ResponseReturnValue:
    """Add one; the secret of its web-hook is shown once, in the answer itself."""
    sent = request.form
    kind = _among(ReceiverKind, sent.get("kind", ""))
    try:
        chosen = _chosen(kind, "kind")
        wanted: dict[str, object] = {
            "kinds": [k for k in sent.getlist("kinds") if _among(RuleKind, k)],
            "severities": [s for s in sent.getlist("severities") if _among(Severity, s)],
        }
        if sent.get("start") or sent.get("end"):
            wanted["hours"] = {"start": sent.get("start"), "end": sent.get("end")}
        _, secret = use(Receivers).add(
            current_actor(), sent.get("path", ""), sent.get("name", ""), chosen,
            sent.get("target", ""), Matching.parse(wanted, ""),
        )  # fmt: skip
    except Invalid as error:
        plain = tuple(Problem(p.field.removeprefix(".hours."), p.message) for p in error.problems)
        return _receivers(plain, 422)
    return _receivers(secret=secret or "-")


@pages.post("/receivers/<id>/switch")
@requires("receiver.manage")
def switch_receiver(id: str) -> ResponseReturnValue:  # noqa: A002
    """Turn it on or off."""
    enabled = request.form.get("enabled") == "on"
    use(Receivers).change(current_actor(), id, enabled=enabled)
    return go("events_pages.receivers", notice="receiver.changed")


@pages.post("/receivers/<id>/remove")
@requires("receiver.manage")
def remove_receiver(id: str) -> ResponseReturnValue:  # noqa: A002
    """Forget it."""
    use(Receivers).remove(current_actor(), id)
    return go("events_pages.receivers", notice="receiver.removed")


@pages.post("/deliveries/<id>/retry")
@requires("receiver.manage")
def retry_delivery(id: str) -> ResponseReturnValue:  # noqa: A002
    """Try a dead delivery again."""
    use(Receivers).send_again(current_actor(), id)
    return go("events_pages.receivers", notice="delivery.retried")
