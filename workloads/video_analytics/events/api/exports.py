"""Exports of evidence, and how long what is kept."""

from typing import Annotated

from flask import Response
from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)
from workloads.video_analytics.events.answers import file_answer
from workloads.video_analytics.events.api.fields import Id, Json
from workloads.video_analytics.events.model import ARCHIVE
from workloads.video_analytics.events.privacy.exports import Exports
from workloads.video_analytics.events.privacy.model import ExportState, Retention
from workloads.video_analytics.events.privacy.retention import Retaining

api = ApiBlueprint("exports", __name__, tag="Privacy")


class ExportCreate(Input):
    """Ask for the evidence of events."""

    events: Annotated[list[Id], Field(min_length=1, max_length=50)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    blurred: Annotated[bool, Field(description="Make people unrecognisable.")] = True


class ExportDecision(Input):
    """Approve or refuse."""

    approve: bool
    note: Annotated[str, Field(max_length=2000)] = ""


class ExportOut(Schema):
    """Evidence that leaves."""

    id: str
    path: str
    event_ids: list[str]
    reason: str
    blurred: bool
    state: ExportState
    requested_by: str
    requested_name: str
    requested_at: Instant
    decided_by: str
    decided_name: str
    decided_at: Instant | None
    note: str
    ready_at: Instant | None
    archive: Annotated[str, Field(description="SHA-256 of the archive.")]
    size: int
    manifest: Annotated[str, Field(description="SHA-256 of the list of its files.")]
    error: str
    contents: list[Json]


class ExportsQuery(PageQuery):
    """Which exports."""

    state: ExportState | None = None


class RetentionOut(Schema):
    """How many days what is kept of cameras of a data class."""

    data_class: str
    evidence: int
    tracks: int
    reads: int


class RetentionsOut(Schema):
    """By data class."""

    items: list[RetentionOut]


class RetentionSet(Input):
    """Days."""

    evidence: Annotated[int, Field(ge=1, le=3650)]
    tracks: Annotated[int, Field(ge=1, le=3650)]
    reads: Annotated[int, Field(ge=1, le=3650)]


@api.get("/exports")
@requires("evidence.export")
@api.input(ExportsQuery, location="query")
@api.output(PageOut[ExportOut])
def list_exports(query_data: ExportsQuery) -> Answer:
    """The exports that you may see, newest first."""
    return use(Exports).exports(current_actor(), query_data.page(), query_data.state)


@api.post("/exports")
@requires("evidence.export")
@idempotent
@api.input(ExportCreate)
@api.output(ExportOut, 201)
def create_export(json_data: ExportCreate) -> Answer:
    """Ask for evidence; a second person approves it."""
    made = use(Exports).request(
        current_actor(), json_data.events, json_data.reason, blurred=json_data.blurred
    )
    return created(made, f"/api/v1/exports/{made.id}")


@api.get("/exports/<id>")
@requires("evidence.export")
@api.output(ExportOut)
def get_export(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One export."""
    return use(Exports).export(current_actor(), id)


@api.post("/exports/<id>/decision")
@requires("evidence.approve")
@idempotent
@api.input(ExportDecision)
@api.output(ExportOut)
def decide_export(id: str, json_data: ExportDecision) -> Answer:  # noqa: A002
    """Approve or refuse somebody else's export."""
    return use(Exports).decide(current_actor(), id, approve=json_data.approve, note=json_data.note)


@api.get("/exports/<id>/archive")
@requires("evidence.export")
def get_export_archive(id: str) -> Response:  # noqa: A002
    """The archive: a ZIP with its list of hashes; parts on request. Each download is audited."""
    found, file = use(Exports).download(current_actor(), id)
    return file_answer(file, ARCHIVE, found.id, download=True)


@api.get("/retention")
@requires("privacy.manage")
@api.output(RetentionsOut)
def list_retention() -> Answer:
    """How long what is kept, by data class."""
    return {"items": use(Retaining).periods(current_actor())}


@api.put("/retention/<data_class>")
@requires("privacy.manage")
@api.input(RetentionSet)
@api.output(RetentionOut)
def set_retention(data_class: str, json_data: RetentionSet) -> Answer:
    """Say how long what of a data class is kept."""
    period = Retention(data_class, json_data.evidence, json_data.tracks, json_data.reads)
    return use(Retaining).set_period(current_actor(), period)
