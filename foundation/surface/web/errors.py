"""Errors as pages: what happened, what was kept, what to try."""

import contextlib
from typing import Any

from flask import g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from foundation.kernel.errors import Unauthenticated
from foundation.surface import auth
from foundation.surface.web.i18n import N_, say
from foundation.surface.web.pages import is_htmx

#: For each status: what happened, what was kept, what to try.
_WORDS: dict[int, tuple[str, str, str]] = {
    400: (
        N_("The request could not be read"),
        N_("Nothing was changed."),
        N_("Go back and try again from the page."),
    ),
    403: (
        N_("You may not do this"),
        N_("Nothing was changed."),
        N_("Ask an administrator of your department for the role that it needs."),
    ),
    404: (
        N_("There is nothing here"),
        N_("It may have been removed, or it belongs to another department."),
        N_("Check the address, or start from your home page."),
    ),
    409: (
        N_("This cannot be done now"),
        N_("Nothing was changed."),
        N_("Load the page again to see the present state."),
    ),
    412: (
        N_("Somebody else changed this meanwhile"),
        N_("Their change was kept; yours was not."),
        N_("Load the page again, look at the difference and repeat your change."),
    ),
    422: (
        N_("Something in the request is wrong"),
        N_("Nothing was changed."),
        N_("Go back, correct what is named and send it again."),
    ),
    429: (
        N_("Too many requests"),
        N_("Nothing was changed."),
        N_("Wait a moment and try again."),
    ),
    503: (
        N_("A part of the platform does not answer"),
        N_("Everything that was stored is safe."),
        N_("Try again in a few seconds; running operations continue by themselves."),
    ),
    500: (
        N_("The platform failed to answer"),
        N_("What was stored before is safe; this step was not carried out."),
        N_("Try again. If it fails again, give the operators the request id."),
    ),
}


def words(status: int) -> tuple[str, str, str]:
    """What the page of an error says, in the request's language."""
    return tuple(str(gettext(text)) for text in _WORDS.get(status) or _WORDS[500])  # type: ignore[return-value]


def show(body: dict[str, Any], error: BaseException) -> ResponseReturnValue:
    """The page of an error, or the part that htmx puts above the page.

    A stranger is sent to sign in and comes back afterwards.
    """
    if isinstance(error, Unauthenticated):
        return _sign_in()
    status = int(body["status"])
    # The layout asks who is signed in; when even that fails it must not fail again.
    if status < 500:  # noqa: PLR2004 - HTTP
        with contextlib.suppress(Exception):
            auth.identity()
    g.setdefault("borough_identity", None)
    what, kept, try_this = words(status)
    context = {
        "status": status,
        "what": what,
        "kept": kept,
        "try_this": try_this,
        "detail": say(body["detail"]) if status != 404 else "",  # noqa: PLR2004
        "wrong": [(item["field"], say(item["message"])) for item in body.get("errors", ())],
        "details": body.get("details", {}),
        "request_id": body.get("request_id", ""),
    }
    template = "borough/error_part.html" if is_htmx() else "borough/error.html"
    return render_template(template, **context), status


def _sign_in() -> Response:
    back = request.full_path.rstrip("?") if request.method == "GET" and not is_htmx() else "/"
    target = url_for("access_pages.sign_in", next=back)
    if is_htmx():
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target, 303)
