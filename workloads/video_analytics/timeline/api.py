"""The timeline over HTTP: searching, and taking reads in."""

from datetime import date, timedelta
from typing import Annotated, Any

from flask import Response
from pydantic import Field

from foundation.kernel.errors import Invalid, Problem
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.video_analytics.events.answers import file_answer
from workloads.video_analytics.events.model import JPEG
from workloads.video_analytics.timeline.model import Direction, ReadKind, Search, Track
from workloads.video_analytics.timeline.ports import ReadFilter
from workloads.video_analytics.timeline.reads import BATCH, Incoming
from workloads.video_analytics.timeline.service import Timeline
from workloads.video_analytics.vision.model import Point

api = ApiBlueprint("timeline", __name__, tag="Timeline")

Id = Annotated[str, Field(max_length=64)]
Part = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1e7)]
Name = Annotated[str, Field(max_length=40)]


class Near(Input):
    """Cameras around a place."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    metres: Annotated[float, Field(gt=0, le=100_000)]


class SearchIn(Input):
    """What moved where and when. Sizes are parts of the frame's area; lines are in the frame."""

    since: Instant
    until: Instant
    cameras: Annotated[list[Id], Field(max_length=500)] = []  # noqa: RUF012 - pydantic copies it
    group: Annotated[str, Field(max_length=64)] = ""
    near: Near | None = None
    line: Annotated[
        list[Annotated[list[Part], Field(min_length=2, max_length=2)]], Field(max_length=64)
    ] = []  # noqa: RUF012 - pydantic copies it
    direction: Annotated[
        Direction, Field(description="Seen along the line from its first point.")
    ] = Direction.ANY
    smallest: Part | None = None
    largest: Part | None = None
    shortest: Annotated[Seconds | None, Field(description="Dwell in seconds.")] = None
    longest: Seconds | None = None
    colours: Annotated[list[Name], Field(max_length=20)] = []  # noqa: RUF012 - pydantic copies it
    kinds: Annotated[list[Name], Field(max_length=20)] = []  # noqa: RUF012 - pydantic copies it
    cursor: Annotated[str, Field(max_length=2000)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 25

    def value(self) -> Search:
        """The model's value."""
        near = self.near
        return Search(
            self.since, self.until, tuple(self.cameras), self.group,
            (near.latitude, near.longitude, near.metres) if near else None,
            tuple(Point(x, y) for x, y in self.line), self.direction, self.smallest, self.largest,
            self.shortest, self.longest, tuple(self.colours), tuple(self.kinds),
        )  # fmt: skip


class CrossingOut(Schema):
    """When and which way it crossed the line."""

    at: Instant
    direction: Direction


class PositionOut(Schema):
    """Where it stood, in the frame."""

    at: Instant
    x: float
    y: float


class TrackOut(Schema):
    """A piece of a track."""

    id: str
    camera_id: str
    camera: str
    track: str
    began: Instant
    ended: Instant
    size: float
    dwell_seconds: float
    colour: str
    kind: str
    path: list[PositionOut]
    thumbnail: Annotated[str | None, Field(description="/api/v1/timeline/thumbnails/{sha256}")]
    crossing: CrossingOut | None
    event_id: Annotated[str | None, Field(description="An event with evidence of it.")]


class FoundOut(Schema):
    """A part of the answer; ``next`` goes on where ``searched_to`` ended."""

    items: list[TrackOut]
    searched_to: Instant
    next: str | None


class CandidateOut(Schema):
    """A track of another camera that may be the same thing."""

    track: TrackOut
    metres: float
    seconds: float
    speed: float
    likeness: float


class CandidatesOut(Schema):
    """The likeliest first; candidates, no identification."""

    items: list[CandidateOut]


class CandidatesQuery(Input):
    """Where it came from, instead of where it went."""

    before: bool = False


class ReadIn(Input):
    """A read of a plate, a tag or a card, by the reader's clock."""

    source: Annotated[str, Field(max_length=128, description="The reader, such as gate-3/rfid.")]
    number: Annotated[str, Field(max_length=128, description="The reader's own number of it.")]
    at: Instant
    kind: ReadKind
    subject: Annotated[str, Field(max_length=128)]
    camera_id: Id = ""
    latitude: float | None = None
    longitude: float | None = None
    direction: Annotated[str, Field(max_length=40)] = ""
    score: float | None = None
    sent_at: Annotated[Instant | None, Field(description="The reader's clock at sending.")] = None


class ReadsPush(Input):
    """Reads of the readers of a department."""

    path: Annotated[str, Field(max_length=300)]
    reads: Annotated[list[ReadIn], Field(min_length=1, max_length=BATCH)]


class PushedOut(Schema):
    """How many were new, and how many were known."""

    new: int
    known: int


class ReadOut(Schema):
    """A read; of an ID card the last four characters."""

    source: str
    number: str
    at: Instant
    kind: ReadKind
    subject: str
    path: str
    received_at: Instant
    camera_id: str
    latitude: float | None
    longitude: float | None
    direction: str
    score: float | None
    clock_offset_seconds: float | None


class ReadsSearch(PageQuery):
    """Which reads; in a body, so that no number stands in an address or a log."""

    since: Instant
    until: Instant
    kinds: Annotated[list[ReadKind], Field(max_length=3)] = []  # noqa: RUF012 - pydantic copies it
    subject: Annotated[str, Field(max_length=128, description="A whole number.")] = ""
    begins: Annotated[str, Field(max_length=64, description="Of plates and tags.")] = ""
    source: Annotated[str, Field(max_length=128)] = ""
    camera: Id = ""


class CoverQuery(Input):
    """Of which rule and days."""

    rule: Id = ""
    since: Annotated[date | None, Field(strict=False)] = None
    until: Annotated[date | None, Field(strict=False)] = None


class CoverOut(Schema):
    """How much of a water was covered on a day; null: insufficient data."""

    camera_id: str
    rule: str
    day: date
    cover: float | None
    frames: int
    data: dict[str, Any]


class CoversOut(Schema):
    """Days in order."""

    items: list[CoverOut]


def _out(track: Track) -> dict[str, Any]:
    values = {name: getattr(track, name) for name in TrackOut.model_fields}
    return {**values, "path": [{"at": at, "x": p.x, "y": p.y} for at, p in track.path]}


@api.post("/timeline/search")
@requires("timeline.search")
@api.input(SearchIn)
@api.output(FoundOut)
def search_timeline(json_data: SearchIn) -> Answer:
    """What moved where and when, the latest first. Each search is written into the audit log."""
    found = use(Timeline).search(
        current_actor(), json_data.value(), json_data.cursor, json_data.limit
    )
    items = [_out(track) for track in found.items]
    return {"items": items, "searched_to": found.searched_to, "next": found.next}


@api.get("/timeline/tracks/<id>")
@requires("timeline.search")
@api.output(TrackOut)
def get_track(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One piece of a track."""
    return _out(use(Timeline).track(current_actor(), id))


@api.get("/timeline/tracks/<id>/candidates")
@requires("timeline.search")
@api.input(CandidatesQuery, location="query")
@api.output(CandidatesOut)
def list_track_candidates(id: str, query_data: CandidatesQuery) -> Answer:  # noqa: A002
    """Where it may have been seen next (or before), by time and distance."""
    _, found = use(Timeline).candidates(current_actor(), id, before=query_data.before)
    names = ("metres", "seconds", "speed", "likeness")
    return {"items": [{"track": _out(c.track), **{n: getattr(c, n) for n in names}} for c in found]}


@api.get("/timeline/thumbnails/<sha256>")
@requires("timeline.search")
def get_thumbnail(sha256: str) -> Response:
    """The picture of a track. Each viewing is written into the audit log."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004
        raise Invalid([Problem("sha256", "is not a digest")])
    return file_answer(use(Timeline).thumbnail(current_actor(), sha256), JPEG, sha256)


@api.post("/reads")
@requires("read.push")
@api.input(ReadsPush)
@api.output(PushedOut)
def push_reads(json_data: ReadsPush) -> Answer:
    """Take reads in. The same read (source, number, time) again changes nothing."""
    reads = [Incoming(**{n: getattr(r, n) for n in ReadIn.model_fields}) for r in json_data.reads]
    made, known = use(Timeline).push(current_actor(), json_data.path, reads)
    return {"new": made, "known": known}


@api.post("/reads/search")
@requires("timeline.search")
@api.input(ReadsSearch)
@api.output(PageOut[ReadOut])
def search_reads(json_data: ReadsSearch) -> Answer:
    """Reads, the latest first. Each search is written into the audit log."""
    wanted = ReadFilter(
        json_data.since, json_data.until, tuple(json_data.kinds), "", json_data.begins,
        json_data.source, json_data.camera,
    )  # fmt: skip
    return use(Timeline).reads(current_actor(), wanted, json_data.subject, json_data.page())


@api.get("/timeline/cover")
@requires("event.view")
@api.input(CoverQuery, location="query")
@api.output(CoversOut)
def list_cover(query_data: CoverQuery) -> Answer:
    """Days of water cover; without days the last 60."""
    until = query_data.until or use(Timeline).today()
    since = query_data.since or until - timedelta(days=60)
    return {"items": use(Timeline).covers(current_actor(), query_data.rule, since, until)}
