"""The page of keys: which there are, make one, revoke one."""

from collections.abc import Sequence

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import now
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.keys.model import REASON_MAX, KeyState
from workloads.data_exchange.keys.service import Keys

pages = Pages("keys", __name__)
pages.navigation(N_("Keys"), "keys", action="key.view", group="platform", order=25)
pages.notices["key.made"] = N_("The key was made; it replaces the one that was kept before.")
pages.notices["key.revoked"] = N_("The key was revoked; what it signed before still counts.")

STATES = {
    KeyState.ACTIVE: N_("signs"),
    KeyState.RETIRED: N_("replaced"),
    KeyState.REVOKED: N_("revoked"),
}


@pages.get("/keys")
@requires("key.view")
def keys() -> ResponseReturnValue:
    """The keys of an agency, or of all, newest first."""
    return _page()


def _page(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    agency, sent = request.args.get("agency", ""), request.form
    page = use(Keys).keys(current_actor(), agency, PageRequest(request.args.get("cursor")))
    own = Option("/", gettext("The exchange itself"))
    make = Field("agency", gettext("For whom"), "select", sent.get("agency", ""), required=True,
                 options=(own, *options()))  # fmt: skip
    signs = tuple(
        Option(k.kid, f"{k.kid[:12]}… ({k.path})") for k in page.items if k.revoked_at is None
    )
    revoke = [
        Field("kid", gettext("Key"), "select", sent.get("kid", ""), required=True, options=signs),
        Field("reason", gettext("Why it must not be trusted"), "textarea", sent.get("reason", ""),
              required=True, max_length=REASON_MAX),
    ]  # fmt: skip
    at = now()
    return show(
        "keys/keys.html", status, page=page, agency=agency,
        states={k.kid: gettext(STATES[k.state(at)]) for k in page.items},
        make=Form.of([make]), revoke=Form.of(revoke, problems) if signs else None,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Keys"))],
    )  # fmt: skip


@pages.post("/keys")
@requires("key.manage")
def generate() -> ResponseReturnValue:
    """Make a key that is kept here for an agency."""
    use(Keys).generate(current_actor(), request.form.get("agency", ""))
    return go("keys_pages.keys", notice="key.made")


@pages.post("/keys/revoke")
@requires("key.manage")
def revoke() -> ResponseReturnValue:
    """Revoke a key, or say what is wrong."""
    sent = request.form
    try:
        use(Keys).revoke(current_actor(), sent.get("kid", ""), reason=sent.get("reason", ""))
    except Invalid as error:
        return _page(error.problems, 422)
    except NotFound:
        return _page([Problem("kid", "is no key of yours")], 404)
    return go("keys_pages.keys", notice="key.revoked")
