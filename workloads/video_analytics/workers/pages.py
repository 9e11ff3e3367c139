"""The page of workers and shards."""

from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, show
from workloads.video_analytics.cameras.model import SHARDS
from workloads.video_analytics.workers.service import State, Workers

pages = Pages("workers", __name__)
pages.navigation(N_("Workers"), "workers", action="shard.view", group="platform", order=70)


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"carrying": carrying}


def carrying() -> State | None:
    """How the workers do, for the page of health; None for who may not see it."""
    return use(Workers).state(current_actor()) if may("shard.view") else None


@pages.get("/workers")
@requires("shard.view")
def workers() -> ResponseReturnValue:
    """Who watches what."""
    state = use(Workers).state(current_actor())
    return show(
        "workers/workers.html", state=state, all_shards=SHARDS,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Workers"))],
    )  # fmt: skip
