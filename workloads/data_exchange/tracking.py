"""The part of the composition root that wires flows."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from foundation.kernel.errors import Invalid, Problem
from foundation.operations.jobs import Schedule
from foundation.serving.base import Base
from workloads.data_exchange.flows import jobs
from workloads.data_exchange.flows.service import Flows
from workloads.data_exchange.flows.store import PostgresFlows
from workloads.data_exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Tracking:
    """Who exchanges with whom, in one process."""

    flows: Flows

    @property
    def services(self) -> tuple[object, ...]:
        """What endpoints and pages ask for by class."""
        return (self.flows,)

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return [*jobs.schedules(self.flows)]


def tracking(settings: Settings, base: Base) -> Tracking:
    """Wire it.

    Raises:
        Invalid: the time zone is none.
    """
    try:
        zone = ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid([Problem("time_zone", "is not a time zone of the IANA")]) from None
    return Tracking(Flows(PostgresFlows(base.database), base.database, base.clock, zone))
