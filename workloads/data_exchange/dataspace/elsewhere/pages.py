"""Pages of what other participants offer: who they are, a catalogue, a data set with its offers."""

import json
import shlex

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.kernel.errors import BoroughError, Invalid
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Option
from foundation.surface.web.i18n import N_, local, say, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.agencies.service import Agencies
from workloads.data_exchange.dataspace.acting import Dataspace
from workloads.data_exchange.dataspace.elsewhere import words
from workloads.data_exchange.dataspace.elsewhere.service import Elsewhere
from workloads.data_exchange.dataspace.participants import Participants

pages = Pages("elsewhere", __name__)
pages.subjects["dsd"] = "elsewhere_pages.dataset"
pages.notices["elsewhere.asked"] = N_("It was asked; this is what it says.")
#: What the other side does is no fault of the visitor's, and no page of its own.
_THEIRS = frozenset({"conflict", "unavailable"})
_STATUS = {"conflict": 409, "unavailable": 503}


@pages.get("/dataspace/participants")
@requires("dataspace.view")
def participants() -> ResponseReturnValue:
    """The connectors that are known here."""
    known = use(Participants)
    return show(
        "elsewhere/participants.html",
        items=[(one, _agency(one.agency)) for one in known.participants(current_actor())],
        own=known.own, crumbs=_crumbs(),
    )  # fmt: skip


@pages.get("/dataspace/participants/<agency_id>")
@requires("dataspace.view")
def participant(agency_id: str) -> ResponseReturnValue:
    """A participant by the agency for which it stands: its catalogue, searched."""
    return _participant(agency_id, "")


def _participant(agency_id: str, wrong: str, status: int = 200) -> ResponseReturnValue:
    actor, elsewhere = current_actor(), use(Elsewhere)
    peer = use(Participants).standing_for(actor, agency_id)
    text = request.args.get("q", "").strip()[:200]
    page = PageRequest(request.args.get("cursor"), 25)
    return show(
        "elsewhere/participant.html", status, peer=peer, agency_id=agency_id, wrong=wrong,
        words=text, command=_command("catalogue", peer.id), asked=elsewhere.asked(actor, peer.id),
        page=elsewhere.datasets(actor, peer.id, page, words=text),
        may_ask=policy.may_somewhere(actor, "dataspace.use"),
        crumbs=[*_crumbs(), Crumb(peer.id)],
    )  # fmt: skip


@pages.post("/dataspace/participants/<agency_id>/ask")
@requires("dataspace.use")
def ask(agency_id: str) -> ResponseReturnValue:
    """Ask a participant for its catalogue."""
    actor = current_actor()
    peer = use(Participants).standing_for(actor, agency_id)
    try:
        use(Elsewhere).ask(actor, peer.id)
    except BoroughError as error:
        if error.code not in _THEIRS:
            raise
        return _participant(agency_id, say(error.message), _STATUS[error.code])
    return go("elsewhere_pages.participant", agency_id=agency_id, notice="elsewhere.asked")


@pages.get("/dataspace/datasets/<id>")
@requires("dataspace.view")
def dataset(id: str) -> ResponseReturnValue:  # noqa: A002 - the name that other pages link by
    """A data set of another participant: what it is, and each of its offers in words."""
    return _dataset(id, "")


def _dataset(dataset_id: str, wrong: str, status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    found = use(Elsewhere).dataset(actor, dataset_id)
    known = {one.id: one.agency for one in use(Participants).participants(actor)}
    offers = [
        (one, words.said(one.rules()), json.dumps(dict(one.policy), indent=2, ensure_ascii=False))
        for one in found.offers
    ]
    there, owner = _agency(known[found.participant]), known.get(found.owner)
    return show(
        "elsewhere/dataset.html", status, one=found, wrong=wrong, offers=offers,
        owner_page=_agency(owner) if owner else "", mine=_mine(),
        chosen=request.form.get("agency", ""),
        command=_command("dataset", found.participant, found.name),
        crumbs=[
            *_crumbs(),
            Crumb(found.participant, url_for("elsewhere_pages.participant", agency_id=there)),
            Crumb(local(found.title)),
        ],
    )  # fmt: skip


@pages.post("/dataspace/datasets/<dataset_id>/ask")
@requires("dataspace.use")
def ask_for(dataset_id: str) -> ResponseReturnValue:
    """Ask for the data set anew."""
    actor, elsewhere = current_actor(), use(Elsewhere)
    found = elsewhere.dataset(actor, dataset_id)
    try:
        elsewhere.ask_for(actor, found.participant, found.name)
    except BoroughError as error:
        if error.code not in _THEIRS:
            raise
        return _dataset(dataset_id, say(error.message), _STATUS[error.code])
    return go("elsewhere_pages.dataset", id=dataset_id, notice="elsewhere.asked")


@pages.post("/dataspace/datasets/<dataset_id>/negotiations")
@requires("dataspace.use")
def negotiate(dataset_id: str) -> ResponseReturnValue:
    """Begin a negotiation with one of its offers."""
    actor, sent = current_actor(), request.form
    found = use(Elsewhere).dataset(actor, dataset_id)
    if found.owner or found.offer(sent.get("offer", "")) is None:
        return _dataset(dataset_id, gettext("This offer is not made any more: choose one."), 409)
    try:
        made = use(Dataspace).negotiate(
            actor, agency=sent.get("agency", ""), provider=found.participant, dataset=found.name,
            offer=sent["offer"],
        )  # fmt: skip
    except Invalid as error:
        return _dataset(dataset_id, " ".join(say_problem(one) for one in error.problems), 422)
    return go("dataspace_pages.one", id=made.id)


def _command(*words: str) -> str:
    """The same at the command line; strangers chose the names in it."""
    return shlex.join(["dataspace", *words])


def _agency(path: str) -> str:
    """The id of an agency, by which its participant's page is found."""
    return use(Agencies).agency(current_actor(), path).id


def _mine() -> tuple[Option, ...]:
    """The agencies for which the visitor may negotiate."""
    actor = current_actor()
    return tuple(one for one in options() if policy.allows(actor, "dataspace.use", one.value))


def _crumbs() -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Dataspace"), url_for("dataspace_pages.processes")),
        Crumb(gettext("Participants"), url_for("elsewhere_pages.participants")),
    ]  # fmt: skip
