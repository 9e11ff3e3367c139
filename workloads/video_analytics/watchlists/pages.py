"""Pages of watch lists."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, NotFound, Problem, Unavailable
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import now
from workloads.video_analytics.watchlists.model import PICTURE_MAX, ListKind, Wish
from workloads.video_analytics.watchlists.service import Watchlists

pages = Pages("watchlists", __name__)
pages.navigation(N_("Watch lists"), "lists", action="watchlist.view", group="platform", order=40)
pages.notices["watchlist.created"] = N_("The watch list is there.")
pages.notices["watchlist.added"] = N_("The entry is there.")
pages.notices["watchlist.removed"] = N_("The entry is destroyed.")
pages.notices["watchlist.approved"] = N_("Cameras may look for these faces from now on.")
pages.notices["watchlist.closed"] = N_("The watch list is over; its entries are destroyed.")
pages.subjects["wal"] = "watchlists_pages.one"

KINDS = {"faces": N_("faces"), "plates": N_("number plates")}
_USUAL = timedelta(days=90)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"watchlist_kind": _kind}


def _kind(kind: object) -> str:
    return str(gettext(KINDS[str(kind)]))


@pages.get("/watchlists")
@requires("watchlist.view")
def lists() -> ResponseReturnValue:
    """The lists that the visitor may see."""
    page = use(Watchlists).lists(current_actor(), PageRequest(request.args.get("cursor")))
    return show(
        "watchlists/lists.html", page=page, state_of=use(Watchlists).state,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Watch lists"))],
    )  # fmt: skip


@pages.get("/watchlists/new")
@requires("watchlist.manage")
def new() -> ResponseReturnValue:
    """The form of a list."""
    return _new()


@pages.post("/watchlists/new")
@requires("watchlist.manage")
def create() -> ResponseReturnValue:
    """Begin a list, or say what is wrong."""
    given = request.form
    try:
        wish = Wish(
            given.get("kind", ""), given.get("name", ""), given.get("path", "").strip(),
            given.get("legal_basis", ""), _end(given.get("ends_on", "")),
        )  # fmt: skip
        made = use(Watchlists).create(current_actor(), wish)
    except Invalid as error:
        return _new(error.problems, 422)
    except NotFound:
        return _new([Problem("path", "is not a department")], 422)
    return go("watchlists_pages.one", id=made.id, notice="watchlist.created")


def _end(text: str) -> datetime:
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        raise Invalid([Problem("ends_on", "must be a day")]) from None
    return datetime.combine(after, datetime.min.time(), UTC)


def _new(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    given = request.form
    options = tuple(Option(kind, _kind(kind)) for kind in KINDS)
    fields = [
        Field("kind", gettext("Of what"), "radio", given.get("kind") or "plates", required=True,
              options=options),
        Field("name", gettext("Name"), value=given.get("name", ""), required=True, max_length=200),
        Field("path", gettext("Department that answers for it"), value=given.get("path", ""),
              required=True, max_length=400, help=gettext("Its path, such as /city/traffic/.")),
        Field("legal_basis", gettext("Legal basis"), "textarea", given.get("legal_basis", ""),
              required=True, max_length=2000,
              help=gettext("On what ground it may be; whoever agrees to it reads this.")),
        Field("ends_on", gettext("Last day"), "date",
              given.get("ends_on") or (now() + _USUAL).date().isoformat(), required=True,
              help=gettext("At most a year ahead; then its entries are destroyed.")),
    ]  # fmt: skip
    placed = [
        Problem("ends_on", p.message, p.code) if p.field == "ends_at" else p for p in problems
    ]
    crumbs = [*_way(), Crumb(gettext("New watch list"))]
    return show("watchlists/new.html", status, form=Form.of(fields, placed), crumbs=crumbs)


@pages.get("/watchlists/<id>")
@requires("watchlist.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One list with its entries."""
    return _one(id)


def _one(
    list_id: str, problems: Sequence[Problem] = (), status: int = 200, wrong: str = ""
) -> ResponseReturnValue:
    actor = current_actor()
    found = use(Watchlists).get(actor, list_id)
    page = use(Watchlists).entries(actor, list_id, PageRequest(request.args.get("cursor")))
    given = request.form
    label = Field("label", gettext("Label"), value=given.get("label", ""), required=True,
                  max_length=200, help=gettext("Such as the number of a case."))  # fmt: skip
    pattern = Field("pattern", gettext("Plate"), value=given.get("pattern", ""), required=True,
                    max_length=40, help=gettext("? for one character, * for any."))  # fmt: skip
    reason = Field("reason", gettext("Why it ends before its day"), "textarea",
                   given.get("reason", ""), required=True, max_length=2000)  # fmt: skip
    picture = Field(
        "picture",
        gettext("Picture"),
        "file",
        required=True,
        help=gettext("JPEG or PNG with exactly one face, at most 4 MB; not kept."),
    )
    added = [label, picture if found.kind is ListKind.FACES else pattern]
    return show(
        "watchlists/one.html", status, list=found, page=page, state=use(Watchlists).state(found),
        add=Form.of(added, problems), close=Form.of([reason], problems), wrong=wrong,
        crumbs=[*_way(), Crumb(found.name)],
    )  # fmt: skip


@pages.post("/watchlists/<id>/entries")
@requires("watchlist.manage")
def add(id: str) -> ResponseReturnValue:  # noqa: A002
    """Put a face or a plate on a list, or say what is wrong."""
    watchlists, actor, label = use(Watchlists), current_actor(), request.form.get("label", "")
    try:
        if "pattern" in request.form:
            watchlists.add_plate(actor, id, label=label, pattern=request.form["pattern"])
        else:
            watchlists.add_face(actor, id, label=label, picture=_picture())
    except Invalid as error:
        return _one(id, error.problems, 422)
    except Unavailable:
        said = gettext("This server has no model of faces: an administrator must fetch one.")
        return _one(id, status=503, wrong=said)
    return go("watchlists_pages.one", id=id, notice="watchlist.added")


def _picture() -> bytes:
    """What was sent as the picture; no more than one byte too many is read."""
    sent: Any = request.files.get("picture")
    return bytes(sent.stream.read(PICTURE_MAX + 1)) if sent else b""


@pages.post("/watchlists/<id>/entries/<entry>/remove")
@requires("watchlist.manage")
def remove(id: str, entry: str) -> ResponseReturnValue:  # noqa: A002
    """Destroy an entry."""
    use(Watchlists).remove_entry(current_actor(), id, entry)
    return go("watchlists_pages.one", id=id, notice="watchlist.removed")


@pages.post("/watchlists/<id>/approve")
@requires("watchlist.manage")
def approve(id: str) -> ResponseReturnValue:  # noqa: A002
    """Agree as a second person."""
    use(Watchlists).approve(current_actor(), id)
    return go("watchlists_pages.one", id=id, notice="watchlist.approved")


@pages.post("/watchlists/<id>/close")
@requires("watchlist.manage")
def close(id: str) -> ResponseReturnValue:  # noqa: A002
    """End a list before its day, or say what is wrong."""
    try:
        use(Watchlists).close(current_actor(), id, request.form.get("reason", ""))
    except Invalid as error:
        return _one(id, error.problems, 422)
    return go("watchlists_pages.one", id=id, notice="watchlist.closed")


def _way() -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Watch lists"), url_for("watchlists_pages.lists")),
    ]
