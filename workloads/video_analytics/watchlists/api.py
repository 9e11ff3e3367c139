"""Watch lists over HTTP."""

import base64
import binascii
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)
from workloads.video_analytics.watchlists.model import (
    PICTURE_MAX,
    TEXT_MAX,
    Entry,
    ListKind,
    ListState,
    WatchList,
    Wish,
)
from workloads.video_analytics.watchlists.service import Watchlists

api = ApiBlueprint("watchlists", __name__, tag="Watch lists")

Words = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]


class WatchListCreate(Input):
    """A list that is to be begun."""

    kind: Annotated[ListKind, Field(strict=False)]
    name: Line
    path: Annotated[str, Field(min_length=1, max_length=400, description="Of the department.")]
    legal_basis: Annotated[Words, Field(description="On what ground it may be.")]
    ends_at: Annotated[Instant, Field(description="At most 366 days ahead.")]


class WatchListOut(Schema):
    """A list of faces or plates that cameras may look for."""

    id: str
    kind: ListKind
    name: str
    path: str
    legal_basis: str
    state: ListState
    ends_at: Instant
    entries: int
    pending: Annotated[int, Field(description="Entries that wait for a second person.")]
    created_at: Instant
    created_by: str
    created_by_name: str
    approved_at: Instant | None
    approved_by: str
    approved_by_name: str
    closed_at: Instant | None
    closed_by: str
    closed_by_name: str
    closed_because: str


class WatchListQuery(PageQuery):
    """Which lists."""

    kind: Annotated[ListKind | None, Field(strict=False)] = None


class WatchListEntryOut(Schema):
    """Somebody, or plates, that are looked for; of a face nothing is ever given out."""

    id: str
    list_id: str
    label: str
    pattern: Annotated[str, Field(description="Of plates; empty for a face.")]
    added_at: Instant
    added_by: str
    added_by_name: str
    approved_at: Annotated[Instant | None, Field(description="Null: it does not count yet.")]


class FaceCreate(Input):
    """Somebody who is to be looked for."""

    label: Line
    picture: Annotated[
        str,
        Field(
            min_length=1, max_length=PICTURE_MAX * 4 // 3 + 4,
            description="JPEG or PNG as base64, with exactly one face. It is not kept.",
        ),
    ]  # fmt: skip

    def content(self) -> bytes:
        """The picture.

        Raises:
            Invalid: it is no base64.
        """
        try:
            return base64.b64decode(self.picture, validate=True)
        except (binascii.Error, ValueError):
            raise Invalid([Problem("picture", "must be base64")]) from None


class PlateCreate(Input):
    """Plates that are to be looked for."""

    label: Line
    pattern: Annotated[
        str,
        Field(min_length=1, max_length=40, description="A plate; ? for a character, * for any."),
    ]


class CloseInput(Input):
    """Why a list ends before its day."""

    reason: Words


@api.get("/watchlists")
@requires("watchlist.view")
@api.input(WatchListQuery, location="query")
@api.output(PageOut[WatchListOut])
def list_watchlists(query_data: WatchListQuery) -> Page[dict[str, Any]]:
    """The watch lists that you may see, the newest first; that you looked is noted."""
    found = use(Watchlists).lists(current_actor(), query_data.page(), kind=query_data.kind)
    return found.map(_list)


@api.post("/watchlists")
@requires("watchlist.manage")
@idempotent
@api.input(WatchListCreate)
@api.output(WatchListOut, 201)
def create_watchlist(json_data: WatchListCreate) -> ResponseReturnValue:
    """Begin a watch list; one of faces is in force when a second person agreed."""
    wish = Wish(
        json_data.kind, json_data.name, json_data.path, json_data.legal_basis, json_data.ends_at
    )
    made = use(Watchlists).create(current_actor(), wish)
    return created(_list(made), f"/api/v1/watchlists/{made.id}")


@api.get("/watchlists/<watchlist_id>")
@requires("watchlist.view")
@api.output(WatchListOut)
def get_watchlist(watchlist_id: str) -> dict[str, Any]:
    """One watch list; that you looked is noted."""
    return _list(use(Watchlists).get(current_actor(), watchlist_id))


@api.get("/watchlists/<watchlist_id>/entries")
@requires("watchlist.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[WatchListEntryOut])
def list_watchlist_entries(watchlist_id: str, query_data: PageQuery) -> Page[Entry]:
    """What is on a watch list; that you looked is noted."""
    return use(Watchlists).entries(current_actor(), watchlist_id, query_data.page())


@api.post("/watchlists/<watchlist_id>/faces")
@requires("watchlist.manage")
@idempotent
@api.input(FaceCreate)
@api.output(WatchListEntryOut, 201)
def add_watchlist_face(watchlist_id: str, json_data: FaceCreate) -> Answer:
    """Put somebody on a list of faces; the picture is not kept."""
    return use(Watchlists).add_face(
        current_actor(), watchlist_id, label=json_data.label, picture=json_data.content()
    )


@api.post("/watchlists/<watchlist_id>/plates")
@requires("watchlist.manage")
@idempotent
@api.input(PlateCreate)
@api.output(WatchListEntryOut, 201)
def add_watchlist_plate(watchlist_id: str, json_data: PlateCreate) -> Answer:
    """Put plates on a list of plates."""
    return use(Watchlists).add_plate(
        current_actor(), watchlist_id, label=json_data.label, pattern=json_data.pattern
    )


@api.delete("/watchlists/<watchlist_id>/entries/<entry_id>")
@requires("watchlist.manage")
@api.output({}, 204)
def remove_watchlist_entry(watchlist_id: str, entry_id: str) -> tuple[str, int]:
    """Destroy an entry."""
    use(Watchlists).remove_entry(current_actor(), watchlist_id, entry_id)
    return "", 204


@api.post("/watchlists/<watchlist_id>/approve")
@requires("watchlist.manage")
@idempotent
@api.output(WatchListOut)
def approve_watchlist(watchlist_id: str) -> dict[str, Any]:
    """Agree, as a second person, to a list of faces and to all that waits in it."""
    return _list(use(Watchlists).approve(current_actor(), watchlist_id))


@api.post("/watchlists/<watchlist_id>/close")
@requires("watchlist.manage")
@idempotent
@api.input(CloseInput)
@api.output(WatchListOut)
def close_watchlist(watchlist_id: str, json_data: CloseInput) -> dict[str, Any]:
    """End a watch list before its day and destroy its entries."""
    return _list(use(Watchlists).close(current_actor(), watchlist_id, json_data.reason))


def _list(found: WatchList) -> dict[str, Any]:
    names = [name for name in WatchListOut.model_fields if name != "state"]
    values = {name: getattr(found, name) for name in names}
    return {**values, "state": use(Watchlists).state(found)}
