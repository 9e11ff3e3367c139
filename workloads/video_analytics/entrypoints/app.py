"""Borough Video's WSGI application: every feature's resources and pages."""

from typing import Any

from apiflask import APIFlask

from foundation.access.pages import pages as access
from foundation.kernel.text import Text
from foundation.operations.pages import pages as operations
from foundation.serving import app
from foundation.serving.app import Parts
from foundation.surface.api import limits
from foundation.surface.web.install import Theme, install
from workloads.video_analytics import PRODUCT
from workloads.video_analytics.cameras.device_pages import pages as devices
from workloads.video_analytics.cameras.pages import pages as cameras
from workloads.video_analytics.departments.pages import pages as departments
from workloads.video_analytics.entrypoints.home import pages as home
from workloads.video_analytics.events.linkage.pages import pages as linkages
from workloads.video_analytics.events.pages import pages as events
from workloads.video_analytics.rules.pages import pages as rules
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.timeline.pages import pages as timeline
from workloads.video_analytics.watchlists.pages import pages as watchlists
from workloads.video_analytics.workers.pages import pages as workers

#: The features with an API; each module exports ``api``, or several as ``apis``.
FEATURES = (
    "foundation.access.api",
    "foundation.operations.api",
    "workloads.video_analytics.departments.api",
    "workloads.video_analytics.cameras.api",
    "workloads.video_analytics.rules.api",
    "workloads.video_analytics.events.api",
    "workloads.video_analytics.timeline.api",
    "workloads.video_analytics.usage.api",
    "workloads.video_analytics.workers.api",
    "workloads.video_analytics.watchlists.api",
)

#: The pages of the features.
PAGES = (
    home, access, operations, departments, cameras, devices, rules, events, linkages, timeline,
    workers, watchlists,
)  # fmt: skip

ABOUT = Text(
    "Borough Video: cameras, watched for the city", "Borough 视频分析：为城市看好每一路画面"
)


def create_app(
    parts: Parts, settings: Settings, *, rate_limits: limits.Limits | None = None
) -> APIFlask:
    """Make the application; it connects to nothing until it is asked."""
    return app.create_app(
        parts, settings, PRODUCT, features=FEATURES, pages=_register, rate_limits=rate_limits,
        behind_proxy=settings.trust_proxy,
    )  # fmt: skip


def _register(application: APIFlask, theme: Any) -> None:  # noqa: ANN401 - Theme or None
    install(application, theme or Theme(about=ABOUT))
    for pages in PAGES:
        application.register_blueprint(pages)
