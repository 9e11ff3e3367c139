"""What a worker does for receipts again and again."""

from collections.abc import Sequence

from foundation.operations.jobs import Schedule
from workloads.data_exchange.receipts.service import Receipts

#: How long a receipt waits for its checkpoint.
CHECKPOINT_SECONDS = 10.0
_HOUSE_SECONDS = 60.0


def schedules(receipts: Receipts) -> Sequence[Schedule]:
    """Sign checkpoints; make the partitions of the coming days."""

    def sign() -> None:
        receipts.sign_checkpoint()

    return (
        Schedule("exchange.checkpoints", CHECKPOINT_SECONDS, sign),
        Schedule("exchange.receipts", _HOUSE_SECONDS, receipts.keep_house),
    )
