"""The part of the composition root that wires the archiving of receipts."""

from pathlib import Path

from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.receipts.archive_store import PostgresArchive
from workloads.data_exchange.receipts.archiving import Archiving


def archiving(exchange: Exchange) -> Archiving:
    """What writes old days into files, with the settings of the process."""
    base, settings = exchange.base, exchange.settings
    return Archiving(
        PostgresArchive(base.database), exchange.receipts, base.database, base.clock, base.audit,
        Path(settings.receipt_archive), settings.receipt_days,
    )  # fmt: skip
