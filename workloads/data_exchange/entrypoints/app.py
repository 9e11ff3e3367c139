"""Borough Exchange's WSGI application: every feature's resources and pages."""

from typing import Any

from apiflask import APIFlask

from foundation.access.pages import pages as access
from foundation.kernel.text import Text
from foundation.operations.pages import pages as operations
from foundation.serving import app
from foundation.serving.app import Parts
from foundation.surface.api import limits
from foundation.surface.web.i18n import N_
from foundation.surface.web.install import Theme, install
from workloads.data_exchange import PRODUCT
from workloads.data_exchange.agencies.pages import pages as agencies
from workloads.data_exchange.agreements.calendar.pages import pages as calendar
from workloads.data_exchange.agreements.contracts.pages import pages as agreements
from workloads.data_exchange.agreements.requests.pages import pages as requests
from workloads.data_exchange.checks.consent_pages import pages as consent
from workloads.data_exchange.checks.corrections.pages import pages as corrections
from workloads.data_exchange.checks.pages import pages as checks
from workloads.data_exchange.dataspace.binding import binding
from workloads.data_exchange.dataspace.elsewhere.pages import pages as elsewhere
from workloads.data_exchange.dataspace.pages import pages as dataspace
from workloads.data_exchange.directory.pages import pages as directory
from workloads.data_exchange.entrypoints.home import pages as home
from workloads.data_exchange.events.pages import pages as events
from workloads.data_exchange.flows.pages import pages as flows
from workloads.data_exchange.harvesting.pages import pages as harvesting
from workloads.data_exchange.keys.pages import pages as keys
from workloads.data_exchange.ledger.pages import pages as ledger
from workloads.data_exchange.licences.pages import pages as licences
from workloads.data_exchange.licences.wallet import pages as wallet
from workloads.data_exchange.lottery.pages import pages as lottery
from workloads.data_exchange.receipts.pages import pages as receipts
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.transfers.pages import pages as transfers

#: The features with an API; each module exports ``api``, or several as ``apis``.
FEATURES = (
    "foundation.access.api",
    "foundation.operations.api",
    "workloads.data_exchange.agencies.api",
    "workloads.data_exchange.directory.api",
    "workloads.data_exchange.harvesting.api",
    "workloads.data_exchange.keys.api",
    "workloads.data_exchange.agreements.calendar.api",
    "workloads.data_exchange.agreements.requests.api",
    "workloads.data_exchange.agreements.contracts.api",
    "workloads.data_exchange.receipts.api",
    "workloads.data_exchange.flows.api",
    "workloads.data_exchange.lottery.api",
    "workloads.data_exchange.usage.api",
    "workloads.data_exchange.checks.api",
    "workloads.data_exchange.checks.consent_api",
    "workloads.data_exchange.checks.corrections.api",
    "workloads.data_exchange.ledger.api",
    "workloads.data_exchange.licences.api",
    "workloads.data_exchange.transfers.api",
    "workloads.data_exchange.events.api",
    "workloads.data_exchange.dataspace.api",
    "workloads.data_exchange.dataspace.elsewhere.api",
)

#: The pages of the features.
PAGES = (
    home, access, operations, directory, harvesting, requests, agreements, transfers, events,
    flows, receipts, lottery, checks, consent, corrections, ledger, agencies, keys, calendar,
    licences, wallet, dataspace, elsewhere,
)  # fmt: skip

#: What long work is called.
OPERATIONS = {
    "harvest.run": N_("Read another platform's catalogue"),
    "transfers.publish": N_("Check and publish a batch"),
}

ABOUT = Text(
    "Borough Exchange: data, published, agreed on and proven", "Borough 数据交换：发布、约定、可证"
)


def create_app(
    parts: Parts, settings: Settings, *, rate_limits: limits.Limits | None = None
) -> APIFlask:
    """Make the application; it connects to nothing until it is asked."""
    made = app.create_app(
        parts, settings, PRODUCT, features=FEATURES, pages=_register, rate_limits=rate_limits,
        behind_proxy=settings.trust_proxy,
    )  # fmt: skip
    made.config["PUBLIC_URL"] = settings.public_url
    made.config["OPERATION_KINDS"] = OPERATIONS
    return made


def _register(application: APIFlask, theme: Any) -> None:  # noqa: ANN401 - Theme or None
    install(application, theme or Theme(about=ABOUT))
    for pages in PAGES:
        application.register_blueprint(pages)
    application.register_blueprint(binding)
