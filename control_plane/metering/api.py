"""HTTP resources of metering."""

from datetime import timedelta
from typing import Annotated, Any

import pydantic
from flask import request
from flask.typing import ResponseReturnValue

from control_plane.metering.model import IntakeResult, Outcome
from control_plane.metering.service import Metering
from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.time import Interval, month
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    accepted,
    current_actor,
    idempotent,
    requires,
    use,
)
from foundation.surface.api.problems import UnsupportedMediaType
from foundation.surface.api.schema import load_json

api = ApiBlueprint("metering", __name__, tag="Metering")

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_MAX_BATCH = 1000

Filter = Annotated[str, pydantic.Field(max_length=200)]


class IntakeOut(Schema):
    """What became of one event."""

    source: str
    id: str
    outcome: Outcome = pydantic.Field(
        description="accepted; duplicate: known, nothing changed; conflict: known with another "
        "payload; quarantined: kept, not counted, see reasons"
    )
    reasons: list[str]


class IntakeListOut(Schema):
    """What became of the events, in their order."""

    items: list[IntakeOut]


class MeterOut(Schema):
    """Something that is counted."""

    name: str
    title: TextBody
    unit: str = pydantic.Field(description="UCUM where it has one")
    aggregation: str
    dimensions: list[str]
    billable: bool


class MeterListOut(Schema):
    """All meters."""

    items: list[MeterOut]


class UsageQuery(PageQuery):
    """Which records: a month, or from ``start`` to ``end`` (excluded)."""

    period: Annotated[str, pydantic.Field(pattern=r"^\d{4}-\d{2}$")] | None = None
    start: Instant | None = None
    end: Instant | None = None
    tenancy: Filter | None = None
    resource: Filter | None = None
    meter: Filter | None = None


class RecordOut(Schema):
    """The use of a meter in one hour, from one event."""

    tenancy_id: str
    path: str
    resource_id: str
    meter: str
    dimensions: dict[str, str]
    hour: Instant
    quantity: DecimalText
    event_source: str
    event_id: str


class UsageOut(Schema):
    """A sum over the window."""

    tenancy_id: str
    resource_id: str
    meter: str
    dimensions: dict[str, str]
    quantity: DecimalText


class QuarantinedOut(Schema):
    """An event that waits."""

    id: str
    source: str
    event_id: str
    reasons: list[str]
    payload: object
    pushed_by: str
    received_at: Instant


class WatermarkOut(Schema):
    """Up to when a region has been collected."""

    region_id: str
    collected_until: Instant | None
    tried_at: Instant | None
    succeeded_at: Instant | None
    error: str | None


class CollectionIn(Input):
    """Which region to collect."""

    region: Annotated[str, pydantic.Field(min_length=1, max_length=200, description="Its id")]


class WatermarkListOut(Schema):
    """All regions that were ever collected."""

    items: list[WatermarkOut]


_EVENT = {
    "type": "object",
    "required": ["specversion", "type", "source", "id", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "type": {"const": "dev.borough.usage.v1"},
        "source": {"type": "string"},
        "id": {"type": "string"},
        "data": {"type": "object"},
    },
}


@api.post("/usage-events")
@requires("usage.push")
@api.output(IntakeListOut)
@api.doc(
    operation_id="push_usage",
    responses={409: "An event has the source and id of another one; the others were taken in."},
)
def push_usage() -> Answer:
    """Push usage as CloudEvents 1.0: one (structured mode) or up to 1,000 (batch mode).

    Source and id make an event known: sending it again is safe, so no Idempotency-Key is needed.
    The status is 409 when any event conflicts with one that was accepted before; what became of
    each is in the answer.
    """
    results = use(Metering).ingest(current_actor(), _events())
    items = [_result(each) for each in results]
    if any(result.outcome is Outcome.CONFLICT for result in results):
        # The others were taken in: the intake has been committed.
        raise Conflict("an event has the source and id of another one", items=items)
    return {"items": items}


def _events() -> list[Any]:
    kind = request.mimetype
    if kind not in {_STRUCTURED, _BATCH}:
        raise UnsupportedMediaType(f"send {_STRUCTURED} or {_BATCH}")
    value = load_json(request.get_data())
    if kind == _STRUCTURED:
        return [value]
    if not isinstance(value, list):
        raise Invalid([Problem("", "must be a JSON array of events")])
    if len(value) > _MAX_BATCH:
        raise Invalid([Problem("", f"must hold at most {_MAX_BATCH} events")])
    return value


def _result(result: IntakeResult) -> dict[str, object]:
    return {
        "source": result.source,
        "id": result.id,
        "outcome": result.outcome,
        "reasons": list(result.reasons),
    }


@api.get("/meters")
@requires("meter.view")
@api.output(MeterListOut)
def list_meters() -> Answer:
    """What is counted, and in which units."""
    return {"items": use(Metering).meters(current_actor())}


@api.get("/usage-records")
@requires("usage.view")
@api.input(UsageQuery, location="query")
@api.output(PageOut[RecordOut])
def list_usage_records(query_data: UsageQuery) -> Answer:
    """Hourly records of a window of 100 days at most, oldest hour first."""
    return use(Metering).records(
        current_actor(), _window(query_data), query_data.page(), _filters(query_data)
    )


@api.get("/usage")
@requires("usage.view")
@api.input(UsageQuery, location="query")
@api.output(PageOut[UsageOut])
def summarise_usage(query_data: UsageQuery) -> Answer:
    """Use over a window of 100 days at most, summed by resource and meter."""
    return use(Metering).usage_page(
        current_actor(), _window(query_data), query_data.page(), _filters(query_data)
    )


def _window(query: UsageQuery) -> Interval:
    if query.period is not None:
        if query.start is not None or query.end is not None:
            raise Invalid([Problem("period", "goes without start and end")])
        return month(query.period)
    if query.start is None and query.end is None:
        return use(Metering).this_month()
    if query.start is None:
        raise Invalid([Problem("start", "is required with end")])
    try:
        return Interval(query.start, query.end or query.start + timedelta(days=31))
    except OverflowError:
        raise Invalid([Problem("end", "is required", "required")]) from None


def _filters(query: UsageQuery) -> dict[str, str]:
    given = {
        "tenancy_id": query.tenancy,
        "resource_id": query.resource,
        "meter": query.meter,
    }
    return {name: value for name, value in given.items() if value is not None}


@api.get("/usage-quarantine")
@requires("usage.release")
@api.input(PageQuery, location="query")
@api.output(PageOut[QuarantinedOut])
def list_quarantined_usage(query_data: PageQuery) -> Answer:
    """Events that were kept and not counted, oldest first."""
    return use(Metering).quarantine(current_actor(), query_data.page())


@api.post("/usage-quarantine/<id>/release")
@requires("usage.release")
@api.output(IntakeOut)
def release_quarantined_usage(id: str) -> Answer:  # noqa: A002 - the name in the address
    """Try an event again, now that its meter or resource may be known."""
    return _result(use(Metering).release(current_actor(), id))


@api.post("/usage-collections")
@requires("usage.collect")
@idempotent
@api.input(CollectionIn)
@api.output(OperationOut, 202)
def collect_usage(json_data: CollectionIn) -> ResponseReturnValue:
    """Collect a region's use now, from its watermark on."""
    started = use(Metering).request_collection(current_actor(), json_data.region)
    return accepted(started, started.id)


@api.get("/usage-watermarks")
@requires("region.view")
@api.output(WatermarkListOut)
def list_usage_watermarks() -> Answer:
    """How far each region is collected, and whether its last collection failed."""
    return {"items": use(Metering).watermarks(current_actor())}
