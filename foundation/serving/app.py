"""A product's one WSGI application: API, pages, health and metrics.

Making it does nothing that needs the outside: it connects to nothing and reads no file but its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from apiflask import APIFlask
from flask import Response
from werkzeug.middleware.proxy_fix import ProxyFix

from foundation.kernel.settings import CommonSettings
from foundation.products import Product
from foundation.serving import health, logs, metrics
from foundation.surface import auth, registry
from foundation.surface.api import headers, limits, openapi, problems
from foundation.surface.auth import Authenticator, public
from foundation.surface.runtime import Runtime

#: The version of the HTTP API, not of the software: it grows when the description changes.
API_VERSION = "1.0.0"

#: The largest request, bytes; a batch of usage events is the largest that there is.
MAX_REQUEST = 16 * 1024 * 1024
MAX_FORM = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parts:
    """What the composition root hands to the application.

    Attributes:
        runtime: database, clock and key ring.
        authenticator: who a token or a session stands for.
        services: what endpoints and pages ask for by class.
        ready: questions that must all be answered with yes before requests are sent here, by name;
            an exception is a no.
        gauges: figures for ``/metrics``, asked when they are read: name to (help, label, values).
        theme: the city's face; None for Borough's own.
    """

    runtime: Runtime
    authenticator: Authenticator
    services: Iterable[object]
    ready: dict[str, Callable[[], bool]] = field(default_factory=dict)
    gauges: tuple[metrics.Gauge, ...] = ()
    theme: Any = None


def create_app(
    parts: Parts,
    settings: CommonSettings,
    product: Product,
    *,
    features: Sequence[str],
    pages: Callable[[APIFlask, Any], None] | None = None,
    rate_limits: limits.Limits | None = None,
    behind_proxy: bool = False,
) -> APIFlask:
    """Make the application.

    Args:
        parts: what it is made of.
        settings: of this process.
        product: whose application it is.
        features: the modules with the API's resources; each exports ``api``, or several, ``apis``.
        pages: puts the web pages into it, given it and the theme; None for an API alone.
        rate_limits: other limits than the usual ones.
        behind_proxy: believe X-Forwarded-For, -Proto and -Host of one proxy in front. Without a
            proxy a caller could claim any address with them.
    """
    app = APIFlask(
        product.program,
        title=product.title,
        version=API_VERSION,
        spec_path=openapi.SPEC_PATH,
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]  # Flask takes None: there is no such folder
        json_errors=False,
    )
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_REQUEST,
        MAX_FORM_MEMORY_SIZE=MAX_FORM,
        MAX_FORM_PARTS=1000,
        SESSION_COOKIE_SECURE=settings.cookie_secure,
        TRUSTED_HOSTS=trusted_hosts(settings),
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # Flask's default provider
    if behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    registry.provide(app, parts.runtime, *parts.services)
    problems.install(app)
    headers.install(app)
    logs.install(app)
    figures = metrics.install(app, parts.gauges)
    auth.install(app, parts.authenticator, product)
    limits.install(app, rate_limits or limits.Limits())
    openapi.configure(app)
    public(app.view_functions["openapi.spec"])
    health.register(app, parts.ready)
    app.add_url_rule("/metrics", "metrics", public(lambda: _exposition(figures)))
    for name in features:
        module = import_module(name)
        for blueprint in getattr(module, "apis", None) or (module.api,):
            app.register_blueprint(blueprint)
    if pages is not None:
        pages(app, parts.theme)
    return app


def _exposition(figures: metrics.Figures) -> Response:
    text, kind = figures.exposition()
    return Response(text, content_type=kind)


def trusted_hosts(settings: CommonSettings) -> list[str] | None:
    """The host names under which requests are taken; None takes all.

    They are that of the public address and this machine's own. A platform that listens for others
    without a public address is reached under names that only they know: it takes all.
    """
    own = ["localhost", "127.0.0.1", "[::1]"]
    if settings.public_url:
        host = urlsplit(settings.public_url).hostname or ""
        return [f"[{host}]" if ":" in host else host, *own]
    return own if settings.host in {"localhost", "127.0.0.1", "::1"} else None
