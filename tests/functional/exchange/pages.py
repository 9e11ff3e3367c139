"""The pages of Borough Exchange, and the browser test of each one's main task."""

from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts

PAGES: dict[str, str] = {}
#: GET and no page: files, protocols, streams.
_NONE = ("/api/", "/static", "/dsp/", "/.well-known", "/licence/s", "/vct/", "/status-lists/",
         "/healthz", "/readyz", "/metrics", "/theme")  # fmt: skip


def rules(exchange: Exchange) -> set[str]:
    """The addresses of all pages."""
    app = create_app(parts(exchange), exchange.settings)
    return {
        rule.rule
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith(_NONE)
    }
