"""Pages of receipts: search, one with its proof, and verification of a bundle."""

from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import parse_instant
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, show
from workloads.data_exchange.receipts.api import proven, shown
from workloads.data_exchange.receipts.ports import Filter
from workloads.data_exchange.receipts.service import Receipts
from workloads.data_exchange.receipts.verify import LONGEST, Report, verify

pages = Pages("receipts", __name__)
pages.navigation(N_("Receipts"), "receipts", action="receipt.view", order=40)

#: What is verified on a page; larger bundles are for the command line.
_UPLOAD = 16 * 1024 * 1024


@pages.get("/receipts")
@requires("receipt.view")
def receipts() -> ResponseReturnValue:
    """The receipts of one's agencies."""
    return _receipts(None)


def _receipts(report: Report | None, problem: str = "") -> ResponseReturnValue:
    given = request.args
    fields = [
        Field("agreement", gettext("Agreement"), value=given.get("agreement", ""), max_length=100),
        Field("since", gettext("Since (RFC 3339)"), value=given.get("since", ""), max_length=40),
        Field("until", gettext("Until (RFC 3339)"), value=given.get("until", ""), max_length=40),
    ]  # fmt: skip
    form = Form.of(fields)
    found: Page[dict[str, Any]] = Page((), None)
    try:
        chosen = Filter(
            given.get("agreement", ""),
            since=parse_instant(given["since"], "since") if given.get("since") else None,
            until=parse_instant(given["until"], "until") if given.get("until") else None,
        )
        page = use(Receipts).receipts(
            current_actor(), chosen, PageRequest(given.get("cursor") or None)
        )
        found = Page(tuple(shown(one) for _, one in page.items), page.next)
    except Invalid as error:
        form = Form.of(fields, error.problems)
    return show(
        "receipts/receipts.html",
        422 if problem else 200,
        page=found,
        form=form,
        report=report,
        problem=problem,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Receipts"))],
    )


@pages.get("/receipts/<id>")
@requires("receipt.view")
def receipt(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in addresses
    """One receipt with its proof."""
    return show(
        "receipts/receipt.html",
        one=proven(use(Receipts).receipt(current_actor(), id)),
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Receipts"), "/receipts"),
            Crumb(gettext("Receipt")),
        ],
    )


@pages.post("/receipts/verify")
@requires("receipt.view")
def check() -> ResponseReturnValue:
    """Verify a bundle that somebody brings; nothing of it is kept."""
    file = request.files.get("bundle")
    data = file.stream.read(_UPLOAD + 1) if file is not None else b""
    if not data:
        # A form sends lines with both of their ends; a bundle has one.
        data = request.form.get("text", "")[: _UPLOAD + 1].replace("\r\n", "\n").encode()
    if not data:
        return _receipts(None, gettext("Choose a file, or put its text in."))
    if len(data) > _UPLOAD:
        return _receipts(
            None, gettext("Larger than 16 MB: verify it with the command line, which needs nobody.")
        )
    lines = [line[: LONGEST + 1] for line in data.splitlines(keepends=True)]
    return _receipts(verify(lines))
