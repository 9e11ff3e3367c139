"""The reference in ``docs/reference/exchange``.

    python -m workloads.data_exchange.entrypoints.reference

writes its pages anew; a test holds that they are current.
"""

from pathlib import Path
from typing import Any

from foundation.serving import metrics, reference
from foundation.serving.app import Parts
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange
from workloads.data_exchange.settings import PROGRAM, Settings

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "exchange"


def source() -> reference.Source:
    """What the pages are made of; it needs no database."""
    nothing: Any = object()
    return reference.Source(
        "workloads.data_exchange.entrypoints.reference",
        PROGRAM,
        Settings,
        "`borough-exchange serve` and `db`",
        exchange,
        reference.description_of(create_app(Parts(nothing, nothing, ()), Settings())),
        metrics.describe(()),
    )


if __name__ == "__main__":
    reference.write(source(), FOLDER)
