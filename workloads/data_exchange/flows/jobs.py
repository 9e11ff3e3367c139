"""What a worker does for flows again and again."""

from collections.abc import Sequence

from foundation.operations.jobs import Schedule
from workloads.data_exchange.flows.service import Flows

_FORGET_SECONDS = 3600.0


def schedules(flows: Flows) -> Sequence[Schedule]:
    """Forget what is too old to be kept."""
    return (Schedule("exchange.flows", _FORGET_SECONDS, flows.forget),)
