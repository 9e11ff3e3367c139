"""``borough-exchange serve``, ``worker`` and what prepares the service."""

from foundation.serving.verbs import Verbs
from workloads.data_exchange.settings import PROGRAM, from_environment

_HERE = "workloads.data_exchange.entrypoints"
_VERBS = Verbs(PROGRAM, from_environment, "workloads.data_exchange.bootstrap")

archive = _VERBS.process(
    "archive", f"{_HERE}.archive", "archive",
    "Write days of receipts older than BOROUGH_EXCHANGE_RECEIPT_DAYS into files, and drop them.",
)  # fmt: skip
administrator = _VERBS.administrator()
config = _VERBS.config()
db = _VERBS.db()
serve = _VERBS.process(
    "serve", f"{_HERE}.serve", "serve",
    "Run the web and API process, on BOROUGH_EXCHANGE_HOST and BOROUGH_EXCHANGE_PORT.",
)  # fmt: skip
gateway = _VERBS.process(
    "gateway", f"{_HERE}.gateway", "gateway",
    "Run the gateway, on BOROUGH_EXCHANGE_HOST and BOROUGH_EXCHANGE_GATEWAY_PORT.",
)  # fmt: skip
worker = _VERBS.process(
    "worker", f"{_HERE}.worker", "work",
    "Run a worker until it is asked to end; several share the work.",
)  # fmt: skip
