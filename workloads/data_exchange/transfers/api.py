"""Batches over HTTP; their bytes come and go by the gateway (``tus.py``, ``front.py``)."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
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
from workloads.data_exchange.transfers.model import Batch, BatchState, File
from workloads.data_exchange.transfers.service import Batches

api = ApiBlueprint("transfers", __name__, tag="Transfers")


class BatchWrongOut(Schema):
    """Why a batch was not published."""

    name: Annotated[str, Field(description="Of the file.")]
    why: str


class BatchOut(Schema):
    """Files that are published together, for the consumer of one agreement."""

    id: str
    agreement: str
    path: Annotated[str, Field(description="Of the provider.")]
    consumer: str
    title: str
    state: BatchState
    files: int
    size: Annotated[int, Field(description="Bytes, as they were announced.")]
    received: Annotated[int, Field(description="Bytes that have come.")]
    wrong: list[BatchWrongOut]
    manifest: Annotated[
        str, Field(description="A compact JWS of the provider's; empty until then.")
    ]
    created_at: Instant
    expires_at: Instant
    published_at: Instant | None


class BatchFileOut(Schema):
    """A file of a batch."""

    id: str
    name: str
    size: int | None
    received: int
    digest: Annotated[str, Field(description="sha256:…, once it was checked.")]


class BatchQuery(PageQuery):
    """Which batches."""

    agreement: Annotated[str, Field(max_length=100)] = ""
    state: BatchState | None = None


class BatchCreate(Input):
    """A batch to be sent."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    days: Annotated[int, Field(description="After which it goes with its files.")] = 30


class BatchListed(Input):
    """A file as a manifest lists it."""

    name: Annotated[str, Field(max_length=200)]
    size: Annotated[int, Field(ge=0)]
    digest: Annotated[str, Field(max_length=80, description="sha256:… of the whole file.")]


class BatchSeal(Input):
    """What a batch is made of: ``files`` to be signed here, or a manifest signed elsewhere."""

    files: list[BatchListed] | None = None
    jws: Annotated[str, Field(max_length=1_000_000, description="Type exchange-manifest+jws.")] = ""


@api.get("/batches")
@requires("transfer.view")
@api.input(BatchQuery, location="query")
@api.output(PageOut[BatchOut])
def list_batches(query_data: BatchQuery) -> Answer:
    """The batches of your agencies, as provider or consumer, newest first."""
    return use(Batches).batches(
        current_actor(), query_data.page(), agreement=query_data.agreement, state=query_data.state
    ).map(_out)  # fmt: skip


@api.post("/agreements/<agreement_id>/batches")
@requires("transfer.send")
@idempotent
@api.input(BatchCreate)
@api.output(BatchOut, 201)
def create_batch(agreement_id: str, json_data: BatchCreate) -> ResponseReturnValue:
    """Begin a batch for the agreement's consumer; its files come by tus, at the gateway."""
    made = use(Batches).create(
        current_actor(), agreement_id, title=json_data.title, days=json_data.days
    )
    return created(_out(made), f"/api/v1/batches/{made.id}")


@api.get("/batches/<batch_id>")
@requires("transfer.view")
@api.output(BatchOut)
def get_batch(batch_id: str) -> Answer:
    """One batch."""
    return _out(use(Batches).batch(current_actor(), batch_id))


@api.get("/batches/<batch_id>/files")
@requires("transfer.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[BatchFileOut])
def list_batch_files(batch_id: str, query_data: PageQuery) -> Answer:
    """The files of a batch, by name."""
    return use(Batches).files(current_actor(), batch_id, query_data.page()).map(_file)


@api.post("/batches/<batch_id>/manifest")
@requires("transfer.send")
@idempotent
@api.input(BatchSeal)
@api.output(BatchOut, 201)
def seal_batch(batch_id: str, json_data: BatchSeal) -> ResponseReturnValue:
    """Say what it is made of; it is read again, compared, and published whole or not at all."""
    files = None
    if json_data.files is not None:
        files = [one.model_dump() for one in json_data.files]
    sealed = use(Batches).seal(current_actor(), batch_id, files=files, jws=json_data.jws)
    return created(_out(sealed), f"/api/v1/batches/{sealed.id}")


@api.delete("/batches/<batch_id>")
@requires("transfer.send")
@api.output(BatchOut)
def delete_batch(batch_id: str) -> Answer:
    """Take a batch back; its files go."""
    return _out(use(Batches).delete(current_actor(), batch_id))


def _out(one: Batch) -> dict[str, Any]:
    names = (
        "id", "agreement", "path", "consumer", "title", "state", "files", "size", "received",
        "manifest", "created_at", "expires_at", "published_at",
    )  # fmt: skip
    wrong = [{"name": each.name, "why": each.why} for each in one.wrong]
    return {**{name: getattr(one, name) for name in names}, "wrong": wrong}


def _file(one: File) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("id", "name", "size", "received", "digest")}
