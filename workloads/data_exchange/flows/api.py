"""Who exchanges with whom, over HTTP."""

from typing import Annotated

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.flows.model import Calls, Grain, Outcome, Query, Seen, Sort
from workloads.data_exchange.flows.service import BUSIEST, Flows

api = ApiBlueprint("flows", __name__, tag="Flows")


class FlowQuery(Input):
    """Which flows: those of the last day without ``start`` and ``end``."""

    start: Instant | None = None
    end: Instant | None = None
    grain: Grain | None = Field(None, description="Hours up to three days, else days")
    agency: str = Field("", max_length=500, description="A path: one side is there or below")
    level: Level | None = Field(None, description="One side is of this level")
    outcome: Outcome | None = Field(None, description="Only calls that ended so")
    by_service: bool = Field(False, description="Each interface for itself")
    sort: Sort = Field(Sort.CALLS, description="What the first ones have most of")
    limit: int = Field(200, ge=1, le=BUSIEST)

    def asked(self) -> Query:
        """As the service takes it."""
        return Query(
            self.start, self.end, self.grain, self.agency, self.level, self.outcome,
            self.by_service, self.sort, self.limit,
        )  # fmt: skip


class FlowCalls(Schema):
    """Calls put together."""

    calls: int
    answered: int
    refused: int = Field(description="By the agreement, or as there is nothing")
    failed: int = Field(description="By the provider or the exchange, or broken off")
    rows: int
    bytes: int
    p50: Annotated[
        float | None, Field(description="Milliseconds, within a step of latency; answered calls")
    ]
    p95: float | None


class FlowOut(FlowCalls):
    """Calls from one agency to the data of another."""

    consumer: str
    provider: str
    service: str = Field(description="Empty where interfaces are put together")


class FlowStepOut(FlowCalls):
    """One hour or day of all that was asked for."""

    start: Instant


class FlowsOut(Schema):
    """Who exchanged with whom, and how it went over time."""

    start: Instant
    end: Instant
    grain: Grain
    more: bool = Field(description="Whether there are more flows than are given")
    total: FlowCalls
    items: list[FlowOut]
    steps: list[FlowStepOut]


@api.get("/flows")
@requires("flow.view")
@api.input(FlowQuery, location="query")
@api.output(FlowsOut)
def list_flows(query_data: FlowQuery) -> Answer:
    """The flows of the agencies that you may see, as consumer or provider."""
    return told(use(Flows).look(current_actor(), query_data.asked()))


def told(seen: Seen) -> dict[str, object]:
    """What is handed out of it."""
    return {
        "start": seen.start, "end": seen.end, "grain": seen.grain, "more": seen.more,
        "total": _calls(seen.total),
        "items": [
            {"consumer": one.consumer, "provider": one.provider, "service": one.service,
             **_calls(one.calls)}
            for one in seen.flows
        ],
        "steps": [{"start": one.start, **_calls(one.calls)} for one in seen.steps],
    }  # fmt: skip


def _calls(one: Calls) -> dict[str, object]:
    return {
        "calls": one.calls, "answered": one.answered, "refused": one.refused,
        "failed": one.failed, "rows": one.rows, "bytes": one.size,
        "p50": _rounded(one.p50), "p95": _rounded(one.p95),
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
