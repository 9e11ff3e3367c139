"""Pages of sources: what is mounted, and how its readings went."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.agencies.pages import LEVELS, options
from workloads.data_exchange.harvesting.model import SourceProtocol
from workloads.data_exchange.harvesting.service import Harvesting

pages = Pages("harvesting", __name__)
pages.navigation(N_("Other platforms"), "sources", action="harvest.view", order=16)
pages.subjects["src"] = "harvesting_pages.source"
pages.notices.update({
    "source.mounted": N_("It was mounted and will be read in a moment."),
    "source.started": N_("It will be read in a moment."),
    "source.unmounted": N_("It is read no more, and its entries were taken out."),
})  # fmt: skip


@pages.get("/directory/sources")
@requires("harvest.view")
def sources() -> ResponseReturnValue:
    """What is mounted."""
    return _sources(())


def _sources(problems: tuple[Problem, ...], status: int = 200) -> ResponseReturnValue:
    sent, harvesting = request.form, use(Harvesting)
    fields = [
        Field("url", gettext("Address"), value=sent.get("url", ""), required=True,
              max_length=2000, help=gettext("Of the DCAT document, or the root of a CKAN.")),
        Field("protocol", gettext("Protocol"), "select", sent.get("protocol", "dcat"),
              options=tuple(Option(one.value, one.value.upper()) for one in SourceProtocol)),
        Field("agency", gettext("Shown below"), "select", sent.get("agency", ""),
              options=options()),
        Field("level", gettext("Level"), "select", sent.get("level", Level.MUNICIPAL.value),
              options=tuple(Option(one.value, gettext(LEVELS[one])) for one in Level)),
        Field("title.en", gettext("Title in English"), value=sent.get("title.en", ""),
              required=True, max_length=400),
        Field("title.zh", gettext("Title in Chinese"), value=sent.get("title.zh", ""),
              required=True, max_length=400),
        Field("hours", gettext("Hours between readings"), "number", sent.get("hours", "24"),
              minimum=0, maximum=2160, step=1),
        Field("token", gettext("Token"), "password", autocomplete="off",
              help=gettext("With which it is asked, if it wants one; kept sealed.")),
    ]  # fmt: skip
    found = [(one, harvesting.catalog(one)) for one in harvesting.sources(current_actor())]
    return show(
        "harvesting/sources.html", status, sources=found, form=Form.of(fields, problems),
        crumbs=_crumbs(),
    )  # fmt: skip


@pages.post("/directory/sources")
@requires("harvest.manage")
def mount() -> ResponseReturnValue:
    """Mount a catalogue, or say what is wrong."""
    sent = request.form
    hours, level, protocol = sent.get("hours", ""), sent.get("level", ""), sent.get("protocol", "")
    found = Collector()
    whole = hours.isascii() and hours.isdigit() and len(hours) < len("100000")
    found.check(whole, "hours", "must be a number")
    found.check(level in {*Level}, "level", "is not one of the choices")
    found.check(protocol in {*SourceProtocol}, "protocol", "is not one of the choices")
    try:
        found.finish()
        use(Harvesting).mount(
            current_actor(), agency=sent.get("agency", ""), protocol=SourceProtocol(protocol),
            url=sent.get("url", ""), title=Text(sent.get("title.en", ""), sent.get("title.zh", "")),
            level=Level(level), hours=int(hours), token=sent.get("token", ""),
        )  # fmt: skip
    except Invalid as error:
        return _sources(error.problems, 422)
    except Conflict as error:
        return _sources((Problem("url", error.message),), 409)
    return go("harvesting_pages.sources", notice="source.mounted")


@pages.get("/directory/sources/<id>")
@requires("harvest.view")
def source(id: str) -> ResponseReturnValue:  # noqa: A002 - the name that other pages link by
    """One source with its runs."""
    return _source(id, ())


def _source(source_id: str, problems: tuple[str, ...], status: int = 200) -> ResponseReturnValue:
    harvesting, actor = use(Harvesting), current_actor()
    found = harvesting.source(actor, source_id)
    catalog = harvesting.catalog(found)
    return show(
        "harvesting/source.html", status, source=found, catalog=catalog, problems=problems,
        runs=harvesting.runs(actor, source_id, PageRequest(request.args.get("cursor"), 20)),
        crumbs=_crumbs(Crumb(local(catalog.title))),
    )  # fmt: skip


@pages.post("/directory/sources/<source_id>/read")
@requires("harvest.manage")
def read(source_id: str) -> ResponseReturnValue:
    """Read it now."""
    try:
        accepts = request.form.get("accepts_loss") == "on"
        use(Harvesting).start(current_actor(), source_id, accepts_loss=accepts)
    except Conflict as error:
        return _source(source_id, (error.message,), 409)
    return go("harvesting_pages.source", id=source_id, notice="source.started")


@pages.post("/directory/sources/<source_id>/unmount")
@requires("harvest.manage")
def unmount(source_id: str) -> ResponseReturnValue:
    """Read it no more, and take its entries out."""
    try:
        use(Harvesting).unmount(current_actor(), source_id)
    except Conflict as error:
        return _source(source_id, (error.message,), 409)
    return go("harvesting_pages.sources", notice="source.unmounted")


def _crumbs(*more: Crumb) -> list[Crumb]:
    here = Crumb(gettext("Other platforms"), url_for("harvesting_pages.sources"))
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Directory"), url_for("directory_pages.search")), here, *more,
    ]  # fmt: skip
