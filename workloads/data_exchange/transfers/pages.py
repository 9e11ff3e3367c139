"""Pages of transfers: batches with their progress, and one with its files."""

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
from foundation.surface.web.show import number
from foundation.surface.web.states import Look
from workloads.data_exchange.transfers.model import Batch, BatchState
from workloads.data_exchange.transfers.service import Batches

pages = Pages("transfers", __name__)
pages.navigation(N_("Transfers"), "transfers", action="transfer.view", order=23)
pages.notices["transfer.deleted"] = N_("The batch was taken back; its files go.")
pages.subjects["bat"] = "transfers_pages.one"

_STEP, _UNITS = 1024, ("B", "KiB", "MiB", "GiB", "TiB")
LOOKS: dict[BatchState, Look] = {
    BatchState.OPEN: Look(N_("files are sent"), "hourglass_empty", "wait"),
    BatchState.CHECKING: Look(N_("is checked"), "search", "wait"),
    BatchState.PUBLISHED: Look(N_("published"), "check_circle", "good"),
    BatchState.GONE: Look(N_("gone"), "history", "idle"),
}


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "batch_look": lambda one: LOOKS[one.state],
        "batch_size": batch_size,
        "batch_part": lambda one: 100 if not one.size else one.received * 100 // one.size,
    }


def batch_size(count: int) -> str:
    """Bytes as people read them; the exact number is on the batch's own page."""
    shown, unit = float(count), 0
    while shown >= _STEP and unit < len(_UNITS) - 1:
        shown, unit = shown / _STEP, unit + 1
    return f"{number(round(shown, 1))} {_UNITS[unit]}"


@pages.get("/transfers")
@requires("transfer.view")
def transfers() -> ResponseReturnValue:
    """The batches that the visitor may see, newest first."""
    agreement = request.args.get("agreement", "")[:100]
    page = use(Batches).batches(
        current_actor(), PageRequest(request.args.get("cursor")), agreement=agreement
    )
    return show(
        "transfers/transfers.html", page=page, agreement=agreement,
        why_not=say(use(Batches).why_not),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Transfers"))],
    )  # fmt: skip


@pages.get("/transfers/<id>")
@requires("transfer.view")
def one(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One batch: how far it is, its files, and what its check found."""
    return _one(id)


def _one(batch_id: str, status: int = 200, *, wrong: str = "") -> ResponseReturnValue:
    actor, service = current_actor(), use(Batches)
    batch: Batch = service.batch(actor, batch_id)
    page = service.files(actor, batch_id, PageRequest(request.args.get("cursor")))
    may = batch.state is not BatchState.GONE and policy.allows(actor, "transfer.send", batch.path)
    return show(
        "transfers/transfer.html", status, one=batch, page=page, wrong=wrong, may_delete=may,
        why_not=say(service.why_not),
        crumbs=[Crumb(gettext("Home"), "/"),
                Crumb(gettext("Transfers"), url_for("transfers_pages.transfers")),
                Crumb(batch.title)],
    )  # fmt: skip


@pages.post("/transfers/<id>/delete")
@requires("transfer.send")
def delete(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take a batch back."""
    try:
        use(Batches).delete(current_actor(), id)
    except (Conflict, Forbidden) as error:
        return _one(id, 409 if isinstance(error, Conflict) else 403, wrong=say(error.message))
    return go("transfers_pages.one", id=id, notice="transfer.deleted")
