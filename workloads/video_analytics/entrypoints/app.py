"""Borough Video's WSGI application: every feature's resources and pages."""

from typing import Any

from apiflask import APIFlask
from flask import redirect
from flask.typing import ResponseReturnValue

from foundation.access.pages import pages as access
from foundation.kernel.text import Text
from foundation.operations.pages import pages as operations
from foundation.serving import app
from foundation.serving.app import Parts
from foundation.surface.api import limits
from foundation.surface.auth import signed_in
from foundation.surface.web.install import Theme, install
from workloads.video_analytics import PRODUCT
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.watchlists.pages import pages as watchlists

#: The features with an API; each module exports ``api``, or several as ``apis``.
FEATURES = (
    "foundation.access.api",
    "foundation.operations.api",
    "workloads.video_analytics.watchlists.api",
)

#: The pages of the features.
PAGES = (access, operations, watchlists)

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
    application.add_url_rule("/", "home", signed_in(_home))


def _home() -> ResponseReturnValue:
    return redirect("/account", 303)
