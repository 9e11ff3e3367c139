"""Pages of the citizen ledger: codes at the counter, and for a citizen who asked about them.

Codes and keys are sent in bodies alone, never in an address.
"""

import json
from collections.abc import Sequence

from flask import Response, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Conflict, Invalid, NotFound, Problem
from foundation.kernel.time import format_instant
from foundation.surface.auth import current_actor, public, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_, say
from foundation.surface.web.pages import Crumb, Pages, show
from workloads.data_exchange.checks.corrections.model import LONGEST_TEXT
from workloads.data_exchange.checks.service import Checks
from workloads.data_exchange.ledger.api import entry_out
from workloads.data_exchange.ledger.citizens import Citizens
from workloads.data_exchange.ledger.service import Ledger

pages = Pages("ledger", __name__)
pages.navigation(N_("Citizen ledger"), "codes", action="ledger.open", order=58)


@pages.get("/ledger/codes")
@requires("ledger.open")
def codes() -> ResponseReturnValue:
    """The form at the counter."""
    return _codes()


def _codes(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    field = Field("number", gettext("Resident number"), required=True, max_length=18,
                  autocomplete="off",
                  help=gettext("Of somebody who proved at the counter who they are."))  # fmt: skip
    return show(
        "ledger/codes.html", status, form=Form.of([field], problems), code="",
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Citizen ledger"))],
    )  # fmt: skip


@pages.post("/ledger/codes")
@requires("ledger.open")
def create_code() -> ResponseReturnValue:
    """Show a code, once."""
    try:
        code = use(Ledger).code(current_actor(), request.form.get("number", "").strip())
    except Invalid as error:
        return _codes(error.problems, 422)
    return show(
        "ledger/codes.html", 201, form=None, code=code,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Citizen ledger"))],
    )  # fmt: skip


@pages.get("/ledger")
@public
def start() -> ResponseReturnValue:
    """Asks for the code from the counter."""
    return _start()


def _start(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    field = Field("code", gettext("Code"), required=True, max_length=200, autocomplete="off",
                  help=gettext("From the counter; it opens your ledger once."))  # fmt: skip
    return show(
        "ledger/start.html", status, form=Form.of([field], problems),
        crumbs=[Crumb(gettext("Who asked about me"))],
    )  # fmt: skip


@pages.post("/ledger")
@public
def look() -> ResponseReturnValue:
    """A citizen's own entries."""
    try:
        opened = use(Ledger).open(request.form.get("code", "").strip())
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    return _look(opened.key)


def _key() -> str:
    return request.form.get("key", "")


def _look(
    key: str, problems: Sequence[Problem] = (), status: int = 200, *, wrong: str = "",
    notice: str = "",
) -> ResponseReturnValue:  # fmt: skip
    try:
        entries, told = use(Ledger).entries(key), use(Citizens).corrections(key)
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    text = Field("text", gettext("What is wrong"), "textarea",
                 request.form.get("text", "") if problems else "", required=True,
                 max_length=LONGEST_TEXT)  # fmt: skip
    return show(
        "ledger/ledger.html", status, entries=entries, told=told, key=key, wrong=wrong,
        notice_=notice, titles=use(Checks).titles(), form=Form.of([text], problems),
        chosen=request.form.get("entry", ""), crumbs=[Crumb(gettext("Who asked about me"))],
    )  # fmt: skip


@pages.post("/ledger/corrections")
@public
def object_to() -> ResponseReturnValue:
    """Object to what was answered to the question of an entry."""
    given = request.form
    try:
        use(Citizens).object(_key(), given.get("entry", ""), given.get("text", ""))
    except NotFound as error:
        return _look(_key(), (), 404, wrong=say(error.message))
    except Invalid as error:
        return _look(_key(), error.problems, 422)
    except Conflict as error:
        return _look(_key(), (), 409, wrong=say(error.message))
    told = gettext("The agency that holds the record was asked to correct it.")
    return _look(_key(), notice=told)


@pages.post("/ledger/export")
@public
def export() -> ResponseReturnValue:
    """The same as a file of JSON."""
    try:
        entries, told = use(Ledger).entries(_key()), use(Citizens).corrections(_key())
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    items = [{**entry_out(one), "at": format_instant(one.at)} for one in entries]
    objections = [
        {
            "question": one.correction.question, "provider": one.correction.provider,
            "state": one.correction.state.value, "text": one.text, "answer": one.answer,
            "created_at": format_instant(one.correction.created_at),
        }
        for one in told
    ]  # fmt: skip
    data = json.dumps({"entries": items, "corrections": objections}, ensure_ascii=False, indent=2)
    disposition = 'attachment; filename="ledger.json"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(data, mimetype="application/json", headers=headers)


@pages.post("/ledger/close")
@public
def close() -> ResponseReturnValue:
    """Let the key count no more."""
    use(Ledger).close(_key())
    return _start()
