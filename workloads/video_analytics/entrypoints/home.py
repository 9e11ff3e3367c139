"""The first page: how the cameras do, and the way to everything else."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.surface.auth import current_actor, may, signed_in
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, show
from workloads.video_analytics.cameras.model import HealthState
from workloads.video_analytics.cameras.service import Cameras

pages = Pages("home", __name__)
pages.navigation(N_("Home"), "home", order=0)


@pages.get("/")
@signed_in
def home() -> ResponseReturnValue:
    """How the cameras do."""
    overview = use(Cameras).overview(current_actor()) if may("camera.view") else None
    return show(
        "video/home.html",
        overview=overview,
        states=list(HealthState),
        crumbs=[Crumb(gettext("Home"))],
    )
