"""Pages of events: subscriptions with their lag, and one with its dead letters."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.kernel.errors import Conflict, Forbidden
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, say
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.states import Look
from workloads.data_exchange.events.model import SubscriptionState
from workloads.data_exchange.events.service import Topics
from workloads.data_exchange.events.subscribing import Subscriptions

pages = Pages("events", __name__)
pages.navigation(N_("Events"), "events", action="event.view", order=24)
pages.notices["event.changed"] = N_("The subscription was changed.")
pages.notices["event.replayed"] = N_("The event is delivered again.")
pages.notices["event.dropped"] = N_("The dead letter was dropped.")
pages.subjects["sub"] = "events_pages.one"

LOOKS: dict[SubscriptionState, Look] = {
    SubscriptionState.ACTIVE: Look(N_("is served"), "check_circle", "good"),
    SubscriptionState.PAUSED: Look(N_("paused"), "hourglass_empty", "wait"),
    SubscriptionState.ENDED: Look(N_("ended"), "history", "idle"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"subscription_look": lambda one: LOOKS[one.state]}


@pages.get("/events")
@requires("event.view")
def events() -> ResponseReturnValue:
    """The subscriptions that the visitor may see, newest first; and the topics."""
    actor = current_actor()
    page = use(Subscriptions).subscriptions(actor, PageRequest(request.args.get("cursor")))
    return show(
        "events/events.html", page=page, topics=use(Topics).topics(actor, PageRequest()).items,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Events"))],
    )  # fmt: skip


@pages.get("/events/<id>")
@requires("event.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One subscription: how far it is, and what could not be delivered."""
    return _one(id)


def _one(name: str, status: int = 200, *, wrong: str = "") -> ResponseReturnValue:
    actor, service = current_actor(), use(Subscriptions)
    found = service.subscription(actor, name)
    ended = found.state is SubscriptionState.ENDED
    return show(
        "events/subscription.html", status, one=found, cursors=service.cursors(actor, name),
        page=service.letters(actor, name, PageRequest(request.args.get("cursor"))), wrong=wrong,
        may=not ended and policy.allows(actor, "event.subscribe", found.path),
        crumbs=[Crumb(gettext("Home"), "/"),
                Crumb(gettext("Events"), url_for("events_pages.events")), Crumb(found.id)],
    )  # fmt: skip


@pages.post("/events/<id>/state")
@requires("event.subscribe")
def change(id: str) -> ResponseReturnValue:  # noqa: A002
    """Pause, go on, end."""
    state = request.form.get("state", "")
    if state not in {*SubscriptionState}:
        return _one(id, 422, wrong=gettext("Say what is to become of it."))
    try:
        use(Subscriptions).change(current_actor(), id, SubscriptionState(state))
    except (Conflict, Forbidden) as error:
        return _one(id, 409 if isinstance(error, Conflict) else 403, wrong=say(error.message))
    return go("events_pages.one", id=id, notice="event.changed")


@pages.post("/events/<id>/letters/<letter_id>")
@requires("event.subscribe")
def letter(id: str, letter_id: str) -> ResponseReturnValue:  # noqa: A002
    """Have a dead letter delivered again, or drop it."""
    replays = request.form.get("action") == "replay"
    try:
        if replays:
            use(Subscriptions).replay(current_actor(), id, letter_id)
        else:
            use(Subscriptions).drop(current_actor(), id, letter_id)
    except (Conflict, Forbidden) as error:
        return _one(id, 409 if isinstance(error, Conflict) else 403, wrong=say(error.message))
    return go("events_pages.one", id=id, notice="event.replayed" if replays else "event.dropped")
