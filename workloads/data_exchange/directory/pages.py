"""Pages of the directory: search, one entry, its form, reviews."""

from collections.abc import Callable
from typing import Any

from flask import g, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_, local, say_problem
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.pages import LEVELS, all_agencies, options
from workloads.data_exchange.directory import forms
from workloads.data_exchange.directory.catalogue import Catalogue
from workloads.data_exchange.directory.elements import Masking, Sensitivity
from workloads.data_exchange.directory.model import Body, Entry, Kind, Work
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.directory.searching import FACETS, Order, Query, Search
from workloads.data_exchange.directory.service import Directory
from workloads.data_exchange.directory.vocabulary import (
    ACCESS,
    FREQUENCIES,
    LICENCES,
    THEMES,
    name_of,
)

pages = Pages("directory", __name__)
pages.navigation(N_("Directory"), "search", action="dataset.view", order=10)
pages.navigation(N_("My entries"), "mine", action="dataset.manage", order=12)
pages.navigation(N_("Reviews"), "reviews", action="dataset.review", order=14)
pages.subjects.update(dst="directory_pages.entry", ser="directory_pages.entry")
pages.subjects["dsv"] = "directory_pages.entry"
pages.notices.update({
    "entry.created": N_("The draft was kept."),
    "entry.changed": N_("The next version was kept as a draft."),
    "entry.submitted": N_("It waits for somebody else's review."),
    "entry.approved": N_("It was published."),
    "entry.sent_back": N_("It was sent back to its authors."),
    "entry.done": N_("It was done."),
    "entry.destroyed": N_("What it said was destroyed; the certificate is on this page."),
})  # fmt: skip

FACET_NAMES = {
    "kind": N_("Kind"), "level": N_("Level"), "theme": N_("Theme"), "agency": N_("Agency"),
    "format": N_("Format"), "frequency": N_("Updated"), "access": N_("Access"),
    "licence": N_("Licence"), "catalog": N_("Source"),
}  # fmt: skip
ACTIONS = {
    "create": N_("begun"), "change": N_("changed"), "discard": N_("draft discarded"),
    "submit": N_("given to review"), "send_back": N_("sent back"), "approve": N_("published"),
    "withdraw": N_("withdrawn"), "freeze": N_("frozen"), "archive": N_("archived"),
    "destroy": N_("destroyed"),
}  # fmt: skip
SENSITIVITIES = {
    Sensitivity.PUBLIC: N_("public"), Sensitivity.INTERNAL: N_("internal"),
    Sensitivity.PERSONAL: N_("personal"), Sensitivity.SENSITIVE: N_("sensitive"),
}  # fmt: skip
#: What an agreement gives of a field that it does not give whole.
MASKINGS = {
    Masking.OMIT: N_("omit"), Masking.PARTIAL: N_("partial"),
    Masking.GENERALISE: N_("generalise"), Masking.PSEUDONYM: N_("pseudonym"),
}  # fmt: skip
#: Words of states that the foundation has no look for; they are shown as they are, translated.
STATES = (N_("in review"), N_("revised"), N_("frozen"), N_("archived"))
_TABLES = {"theme": THEMES, "frequency": FREQUENCIES, "access": ACCESS, "licence": LICENCES}
_PAGE, _SHOWN = 20, 12


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "facet_value": facet_value, "entry_kind": kind_name, "levels": LEVELS,
        "data_title": data_title, "sensitivities": SENSITIVITIES, "maskings": MASKINGS,
    }  # fmt: skip


def kind_name(kind: str) -> str:
    """What an entry is, as people read it."""
    return str(gettext(forms.KINDS[Kind(kind)])) if kind in {*Kind} else kind


def data_title(reference: str) -> str:
    """What a data set or service is called; its id where the visitor cannot find it here."""
    there: dict[str, str] = g.setdefault("data_titles", {})
    if reference not in there:
        try:
            found = use(Directory).known(current_actor(), [reference]).get(reference)
        except (Forbidden, NotFound):
            found = None
        there[reference] = local(found.body.title) if found and found.body else reference
    return there[reference]


def facet_value(name: str, value: str, known: dict[str, Text] | None = None) -> str:
    """A value of a facet as people read it."""
    if name == "kind":
        return kind_name(value)
    if name == "level":
        return next((str(gettext(text)) for one, text in LEVELS.items() if one == value), value)
    if name in _TABLES:
        return local(name_of(_TABLES[name], value))
    found = (known or {}).get(value)
    return local(found) if found else value


@pages.get("/directory")
@requires("dataset.view")
def search() -> ResponseReturnValue:
    """Search with facets."""
    actor, words = current_actor(), request.args.get("q", "").strip()[:200]
    chosen = {
        name: [one for one in request.args.getlist(name) if one][:20]
        for name in FACETS
    }  # fmt: skip
    modified = request.args.get("order") == Order.MODIFIED.value
    asked = Query(words, chosen, Order.MODIFIED if modified else Order.RELEVANCE)
    return show(
        "directory/search.html",
        words=words,
        chosen=chosen,
        page=use(Search).find(actor, asked, PageRequest(request.args.get("cursor"), _PAGE)),
        counts=use(Search).count(actor, asked),
        facets=FACET_NAMES,
        shown=_SHOWN,
        known=_known(),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Directory"))],
    )


def _known() -> dict[str, Text]:
    found = {one.path: one.name for one in all_agencies()}
    return found | {one.id: one.title for one in use(Catalogue).catalogs(current_actor())}


@pages.get("/directory/mine")
@requires("dataset.manage")
def mine() -> ResponseReturnValue:
    """The entries that the visitor makes, in any state."""
    return _list(None, N_("My entries"), "dataset list", "GET /api/v1/entries")


@pages.get("/directory/reviews")
@requires("dataset.review")
def reviews() -> ResponseReturnValue:
    """What waits for review."""
    cli, api = "dataset list --work in_review", "GET /api/v1/entries?work=in_review"
    return _list(Work.IN_REVIEW, N_("Reviews"), cli, api)


def _list(work: Work | None, title: str, cli: str, api: str) -> ResponseReturnValue:
    page = use(Directory).entries(
        current_actor(), EntryQuery(work=work), PageRequest(request.args.get("cursor"), _PAGE)
    )
    return show(
        "directory/list.html", page=page, title=gettext(title), cli=cli, api=api, kinds=forms.KINDS,
        crumbs=_crumbs(Crumb(gettext(title))),
    )  # fmt: skip


@pages.get("/directory/<id>")
@requires("dataset.view")
def entry(id: str) -> ResponseReturnValue:  # noqa: A002 - the name that other pages link by
    """One entry: what it holds, how it may be had, its life."""
    return _entry(id, ())


def _entry(entry_id: str, problems: tuple[Problem, ...], status: int = 200) -> ResponseReturnValue:
    actor, directory = current_actor(), use(Directory)
    found = directory.entry(actor, entry_id)
    body = found.body
    ended = found.state.value == "destroyed"
    named = [body.series, *body.serves] if body else []
    return show(
        "directory/entry.html",
        status,
        entry=found,
        body=body,
        problems=[say_problem(one) for one in problems],
        may_do={
            a: directory.may(actor, f"dataset.{a}", found) for a in ("manage", "review", "destroy")
        },
        serving=directory.serving(actor, found.id) if found.kind is Kind.DATASET else (),
        named=directory.known(actor, [one for one in named if one]),
        versions=directory.versions(actor, found.id),
        steps=directory.steps(actor, found.id),
        certificate=directory.certificate(actor, found.id) if ended else None,
        actions=ACTIONS,
        known=_known(),
        crumbs=_crumbs(Crumb(local(body.title) if body else found.id)),
    )


@pages.get("/directory/new")
@requires("dataset.manage")
def new() -> ResponseReturnValue:
    """The form of a new entry."""
    return _form(_kind(request.args.get("kind", "")), None, ())


@pages.post("/directory/new")
@requires("dataset.manage")
def create() -> ResponseReturnValue:
    """Keep a draft, or say what is wrong."""
    kind = _kind(request.form.get("kind", ""))
    try:
        body = forms.read(kind, request.form, request.form.getlist("themes"), None)
        made = use(Directory).create(
            current_actor(), kind, agency=request.form.get("agency", ""), body=body,
            secret=request.form.get("secret", ""),
        )  # fmt: skip
    except Invalid as error:
        return _form(kind, None, error.problems)
    return go("directory_pages.entry", id=made.id, notice="entry.created")


@pages.get("/directory/<entry_id>/edit")
@requires("dataset.manage")
def edit(entry_id: str) -> ResponseReturnValue:
    """The form of the next version."""
    found = _held(entry_id)
    return _form(found.kind, found, ())


@pages.post("/directory/<entry_id>/edit")
@requires("dataset.manage")
def change(entry_id: str) -> ResponseReturnValue:
    """Keep the next version, or say what is wrong."""
    there = _held(entry_id)
    revision = request.form.get("revision", "")
    try:
        body = forms.read(there.kind, request.form, request.form.getlist("themes"), there.body)
        use(Directory).change(
            current_actor(), entry_id, body, secret=request.form.get("secret") or None,
            revision=int(revision) if revision.isascii() and revision.isdigit() else None,
        )  # fmt: skip
    except Invalid as error:
        return _form(there.kind, there, error.problems)
    except Conflict as error:
        return _form(there.kind, there, (Problem("", error.message),))
    return go("directory_pages.entry", id=entry_id, notice="entry.changed")


def _held(entry_id: str) -> Entry:
    found = use(Directory).entry(current_actor(), entry_id)
    use(Directory).require(current_actor(), "dataset.manage", found)
    return found


def _form(kind: Kind, there: Entry | None, problems: tuple[Problem, ...]) -> ResponseReturnValue:
    body: Body | None = there.body if there else None
    listed = forms.fields(kind, body, request.form, request.form.getlist("themes"))
    label = (
        gettext("New: %(kind)s", kind=kind_name(kind))
        if there is None
        else (local(body.title) if body else there.id)
    )
    return show(
        "directory/form.html",
        422 if problems else 200,
        kind=kind,
        kinds=forms.KINDS,
        entry=there,
        form=forms.drawn(listed, problems),
        agencies=options(),
        agency=request.form.get("agency", ""),
        title=label,
        crumbs=_crumbs(Crumb(label)),
    )


@pages.post("/directory/<entry_id>/steward")
@requires("dataset.manage")
def steward(entry_id: str) -> ResponseReturnValue:
    """A step of its life that its makers take."""
    directory, actor, note = use(Directory), current_actor(), request.form.get("note", "")
    todo: dict[str, Callable[[], Any]] = {
        "submit": lambda: directory.submit(actor, entry_id),
        "discard": lambda: directory.discard(actor, entry_id),
        "withdraw": lambda: directory.withdraw(actor, entry_id, note),
        "freeze": lambda: directory.freeze(actor, entry_id),
        "archive": lambda: directory.archive(actor, entry_id, note),
    }
    what = request.form.get("action", "")
    told = "entry.submitted" if what == "submit" else "entry.done"
    return _do(entry_id, todo.get(what), told)


@pages.post("/directory/<entry_id>/review")
@requires("dataset.review")
def review(entry_id: str) -> ResponseReturnValue:
    """Publish it, or send it back."""
    directory, actor, note = use(Directory), current_actor(), request.form.get("note", "")
    todo: dict[str, Callable[[], Any]] = {
        "approve": lambda: directory.approve(actor, entry_id, note),
        "send_back": lambda: directory.send_back(actor, entry_id, note),
    }
    what = request.form.get("action", "")
    told = "entry.approved" if what == "approve" else "entry.sent_back"
    return _do(entry_id, todo.get(what), told)


@pages.post("/directory/<entry_id>/destroy")
@requires("dataset.destroy")
def destroy(entry_id: str) -> ResponseReturnValue:
    """Erase what it said."""
    method = request.form.get("method", "")
    return _do(
        entry_id, lambda: use(Directory).destroy(current_actor(), entry_id, method=method),
        "entry.destroyed",
    )  # fmt: skip


def _do(entry_id: str, work: Callable[[], Any] | None, notice: str) -> ResponseReturnValue:
    if work is None:
        return _entry(entry_id, (Problem("action", "is not one of the choices"),), 422)
    try:
        work()
    except Invalid as error:
        return _entry(entry_id, error.problems, 422)
    except Conflict as error:
        return _entry(entry_id, (Problem("", error.message),), 409)
    return go("directory_pages.entry", id=entry_id, notice=notice)


def _kind(text: str) -> Kind:
    return Kind(text) if text in {*Kind} else Kind.DATASET


def _crumbs(*more: Crumb) -> list[Crumb]:
    directory = Crumb(gettext("Directory"), url_for("directory_pages.search"))
    return [Crumb(gettext("Home"), "/"), directory, *more]
