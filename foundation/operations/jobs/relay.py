"""Hands on what services have published, at least once and in the order of the ids."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from foundation.kernel.database import UnitOfWork
from foundation.kernel.outbox import Message, Outbox
from foundation.operations.jobs.context import Schedule

#: Gets every message in its own transaction; drops ids that it has seen.
Receiver: TypeAlias = Callable[[Message], None]

_SECONDS = 1.0
_BATCH = 100


def relay(outbox: Outbox, db: UnitOfWork, receivers: Sequence[Receiver]) -> Schedule:
    """The schedule that does it.

    A message counts as delivered when every receiver took it. Receivers write to the database, in
    the same transaction; whoever speaks to the outside queues an operation.
    """

    def deliver() -> None:
        while _some(outbox, db, receivers):
            pass

    return Schedule("operations.relay", _SECONDS, deliver)


def _some(outbox: Outbox, db: UnitOfWork, receivers: Sequence[Receiver]) -> bool:
    with db.transaction():
        found = outbox.pending(_BATCH)
        for message in found:
            for receive in receivers:
                receive(message)
            outbox.delivered(message.id)
    return len(found) == _BATCH
