"""The first page: what there is, and the way to everything else."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.surface.auth import signed_in
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, show

pages = Pages("home", __name__)
pages.navigation(N_("Home"), "home", order=0)


@pages.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """What there is."""
    return show("exchange/home.html", crumbs=[Crumb(gettext("Home"))])
