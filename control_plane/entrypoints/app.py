"""Borough's WSGI application: what the control plane and the marketplace put into it."""

from apiflask import APIFlask

from control_plane.entrypoints import api
from foundation import products
from foundation.kernel.settings import CommonSettings
from foundation.serving import app
from foundation.serving.app import Parts, trusted_hosts
from foundation.surface.api import limits

__all__ = ["Parts", "create_app", "trusted_hosts"]


def create_app(
    parts: Parts,
    settings: CommonSettings,
    *,
    features: tuple[str, ...] = api.FEATURES,
    with_pages: bool = True,
    rate_limits: limits.Limits | None = None,
    behind_proxy: bool = False,
) -> APIFlask:
    """Make the application; see ``foundation.serving.app.create_app``."""
    pages = None
    if with_pages:
        from control_plane.entrypoints import web  # noqa: PLC0415 - an API alone needs no templates

        pages = web.register
    return app.create_app(
        parts, settings, products.declared_by("control_plane"), features=features, pages=pages,
        rate_limits=rate_limits, behind_proxy=behind_proxy,
    )  # fmt: skip
