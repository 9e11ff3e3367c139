"""Sources over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.harvesting.model import Run, Source, SourceProtocol, SourceRunState
from workloads.data_exchange.harvesting.service import Harvesting

api = ApiBlueprint("sources", __name__, tag="Harvesting")

Hours = Annotated[int, Field(ge=0, le=2160, description="Between runs; 0: only when asked.")]
Token = Annotated[str, Field(max_length=4000, description="With which it is asked; kept sealed.")]


class SourceCreate(Input):
    """Another platform's catalogue."""

    agency: Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
    protocol: SourceProtocol
    url: Annotated[
        str, Field(max_length=2000, description="Of the document, or the root of a CKAN.")
    ]
    title: TextBody
    level: Level | None = None
    hours: Hours = 24
    token: Token = ""


class SourceChange(Input):
    """What may change of a source."""

    hours: Hours
    enabled: bool
    token: Annotated[
        Token | None, Field(description="Another one; empty: none; left out: as it is.")
    ] = None


class SourceRunCreate(Input):
    """How it is read."""

    accepts_loss: Annotated[
        bool, Field(description="Believe it when most of what was known is gone.")
    ] = False


class SourceOut(Schema):
    """A source."""

    id: str
    catalog: str
    path: str
    level: Level
    protocol: SourceProtocol
    url: str
    hours: int
    enabled: bool
    has_token: bool
    created_at: Instant
    next_at: Instant | None


class SourceListOut(Schema):
    """Sources."""

    items: list[SourceOut]


class SourceRunOut(Schema):
    """One reading of a source."""

    id: str
    source: str
    state: SourceRunState
    started_at: Instant
    ended_at: Instant | None
    pages: int
    found: int
    changed: int
    unchanged: int
    refused: int
    withdrawn: int
    message: str


@api.get("/sources")
@requires("harvest.view")
@api.output(SourceListOut)
def list_sources() -> Answer:
    """The sources that you may see."""
    return {"items": use(Harvesting).sources(current_actor())}


@api.post("/sources")
@requires("harvest.manage")
@rehearsable
@idempotent
@api.input(SourceCreate)
@api.output(SourceOut, 201)
def create_source(json_data: SourceCreate) -> ResponseReturnValue:
    """Show another platform's catalogue below an agency, and read it again and again."""
    made = use(Harvesting).mount(
        current_actor(), agency=json_data.agency, protocol=json_data.protocol, url=json_data.url,
        title=json_data.title.value(), level=json_data.level, hours=json_data.hours,
        token=json_data.token,
    )  # fmt: skip
    return created(made, f"/api/v1/sources/{made.id}", _tag(made))


@api.get("/sources/<source_id>")
@requires("harvest.view")
@api.output(SourceOut)
def get_source(source_id: str) -> Answer:
    """One source."""
    found = use(Harvesting).source(current_actor(), source_id)
    return with_etag(found, _tag(found))


@api.put("/sources/<source_id>")
@requires("harvest.manage")
@requires_match
@api.input(SourceChange)
@api.output(SourceOut)
def change_source(source_id: str, json_data: SourceChange) -> Answer:
    """Change how often it is read, whether at all, and with which token."""
    harvesting, actor = use(Harvesting), current_actor()
    check_match(_tag(harvesting.source(actor, source_id)))
    after = harvesting.change(
        actor, source_id, hours=json_data.hours, enabled=json_data.enabled, token=json_data.token
    )
    return with_etag(after, _tag(after))


@api.delete("/sources/<source_id>")
@requires("harvest.manage")
@api.output({}, status_code=204)
def remove_source(source_id: str) -> ResponseReturnValue:
    """Read it no more, and take its entries out of the directory."""
    use(Harvesting).unmount(current_actor(), source_id)
    return "", 204


@api.post("/sources/<source_id>/runs")
@requires("harvest.manage")
@idempotent
@api.input(SourceRunCreate)
@api.output(SourceRunOut, 201)
def create_run(source_id: str, json_data: SourceRunCreate) -> ResponseReturnValue:
    """Read it now; the worker does."""
    run = use(Harvesting).start(current_actor(), source_id, accepts_loss=json_data.accepts_loss)
    return created(run, f"/api/v1/sources/{source_id}/runs", etag(run.id))


@api.get("/sources/<source_id>/runs")
@requires("harvest.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[SourceRunOut])
def list_runs(source_id: str, query_data: PageQuery) -> Page[Run]:
    """Its runs, the newest first."""
    return use(Harvesting).runs(current_actor(), source_id, query_data.page())


def _tag(source: Source) -> str:
    return etag(source.id, source.version)
