"""Entries over HTTP: describe, review, publish, and the end of it."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    PageOut,
    PageQuery,
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
from workloads.data_exchange.directory.api.fields import (
    CertificateOut,
    DescriptionBody,
    EntryNoteBody,
    EntryOut,
    EntryStepListOut,
    EntrySummaryOut,
    EntryVersionListOut,
)
from workloads.data_exchange.directory.model import Entry, Kind, State, Work
from workloads.data_exchange.directory.ports import EntryQuery
from workloads.data_exchange.directory.service import Directory

api = ApiBlueprint("entries", __name__, tag="Directory")

Secret = Annotated[
    str,
    Field(max_length=4000, description="With which the provider is asked; kept sealed, not shown."),
]


class EntryCreate(Input):
    """A new entry, as a draft."""

    kind: Kind
    agency: Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
    level: Level | None = None
    body: DescriptionBody
    secret: Secret = ""


class DraftChange(Input):
    """The whole next version."""

    body: DescriptionBody
    secret: Annotated[
        Secret | None, Field(description="Another one; empty: none; left out: as it is.")
    ] = None


class EntryApproveBody(Input):
    """What is to be said with it."""

    note: Annotated[str, Field(max_length=2000)] = ""


class EntryDestroyBody(Input):
    """How the data themselves were destroyed."""

    method: Annotated[str, Field(min_length=1, max_length=2000)]


class EntriesQuery(PageQuery):
    """Which of the entries that you make or review."""

    kind: Kind | None = None
    state: State | None = None
    work: Work | None = None
    agency: Annotated[str, Field(max_length=500, description="A path; those below too.")] = ""


@api.get("/entries")
@requires("dataset.view")
@api.input(EntriesQuery, location="query")
@api.output(PageOut[EntrySummaryOut])
def list_entries(query_data: EntriesQuery) -> Page[dict[str, Any]]:
    """The entries that you make or review, in any state."""
    asked = EntryQuery(query_data.kind, query_data.state, query_data.work, query_data.agency)
    return use(Directory).entries(current_actor(), asked, query_data.page()).map(summary)


@api.post("/entries")
@requires("dataset.manage")
@rehearsable
@idempotent
@api.input(EntryCreate)
@api.output(EntryOut, 201)
def create_entry(json_data: EntryCreate) -> ResponseReturnValue:
    """Begin an entry, as a draft."""
    made = use(Directory).create(
        current_actor(), json_data.kind, agency=json_data.agency, body=json_data.body.value(),
        level=json_data.level, secret=json_data.secret,
    )  # fmt: skip
    return created(whole(made), f"/api/v1/entries/{made.id}", _tag(made))


@api.get("/entries/<entry_id>")
@requires("dataset.view")
@api.output(EntryOut)
def get_entry(entry_id: str) -> Answer:
    """One entry, in the newest version that you may see."""
    return _answer(use(Directory).entry(current_actor(), entry_id))


@api.put("/entries/<entry_id>/draft")
@requires("dataset.manage")
@requires_match
@api.input(DraftChange)
@api.output(EntryOut)
def change_draft(entry_id: str, json_data: DraftChange) -> Answer:
    """Write the next version; what is shown stays until it is approved."""
    actor, directory = current_actor(), use(Directory)
    there = directory.entry(actor, entry_id)
    check_match(_tag(there))
    after = directory.change(
        actor, entry_id, json_data.body.value(), secret=json_data.secret, revision=there.revision
    )
    return _answer(after)


@api.delete("/entries/<entry_id>/draft")
@requires("dataset.manage")
@api.output(EntryOut)
def discard_draft(entry_id: str) -> Answer:
    """Drop the next version; what is shown stays."""
    return _answer(use(Directory).discard(current_actor(), entry_id))


@api.post("/entries/<entry_id>/submit")
@requires("dataset.manage")
@idempotent
@api.output(EntryOut)
def submit_entry(entry_id: str) -> Answer:
    """Give the draft to review."""
    return _answer(use(Directory).submit(current_actor(), entry_id))


@api.post("/entries/<entry_id>/send-back")
@requires("dataset.review")
@idempotent
@api.input(EntryNoteBody)
@api.output(EntryOut)
def send_entry_back(entry_id: str, json_data: EntryNoteBody) -> Answer:
    """Give the draft back to its authors."""
    return _answer(use(Directory).send_back(current_actor(), entry_id, json_data.note))


@api.post("/entries/<entry_id>/approve")
@requires("dataset.review")
@idempotent
@api.input(EntryApproveBody)
@api.output(EntryOut)
def approve_entry(entry_id: str, json_data: EntryApproveBody) -> Answer:
    """Publish what is under review; its authors cannot."""
    return _answer(use(Directory).approve(current_actor(), entry_id, json_data.note))


@api.post("/entries/<entry_id>/withdraw")
@requires("dataset.manage")
@idempotent
@api.input(EntryNoteBody)
@api.output(EntryOut)
def withdraw_entry(entry_id: str, json_data: EntryNoteBody) -> Answer:
    """Take it out of the directory at once."""
    return _answer(use(Directory).withdraw(current_actor(), entry_id, json_data.note))


@api.post("/entries/<entry_id>/freeze")
@requires("dataset.manage")
@idempotent
@api.output(EntryOut)
def freeze_entry(entry_id: str) -> Answer:
    """Let it be used on and never revised again."""
    return _answer(use(Directory).freeze(current_actor(), entry_id))


@api.post("/entries/<entry_id>/archive")
@requires("dataset.manage")
@idempotent
@api.input(EntryNoteBody)
@api.output(EntryOut)
def archive_entry(entry_id: str, json_data: EntryNoteBody) -> Answer:
    """Offer it no more."""
    return _answer(use(Directory).archive(current_actor(), entry_id, json_data.note))


@api.post("/entries/<entry_id>/destroy")
@requires("dataset.destroy")
@idempotent
@api.input(EntryDestroyBody)
@api.output(CertificateOut)
def destroy_entry(entry_id: str, json_data: EntryDestroyBody) -> Answer:
    """Erase what it said; what is left is a certificate. Not by who archived it."""
    return use(Directory).destroy(current_actor(), entry_id, method=json_data.method)


@api.get("/certificates/<entry_id>")
@requires("dataset.view")
@api.output(CertificateOut)
def get_certificate(entry_id: str) -> Answer:
    """The certificate of what was destroyed."""
    return use(Directory).certificate(current_actor(), entry_id)


@api.get("/entries/<entry_id>/versions")
@requires("dataset.view")
@api.output(EntryVersionListOut)
def list_versions(entry_id: str) -> Answer:
    """The earlier published versions, the newest first."""
    return {"items": use(Directory).versions(current_actor(), entry_id)}


@api.get("/entries/<entry_id>/steps")
@requires("dataset.view")
@api.output(EntryStepListOut)
def list_steps(entry_id: str) -> Answer:
    """What was done to it, the newest first."""
    return {"items": use(Directory).steps(current_actor(), entry_id)}


def summary(entry: Entry) -> dict[str, Any]:
    """An entry for a list."""
    body = entry.body
    return {
        "id": entry.id, "kind": entry.kind, "path": entry.path, "level": entry.level,
        "state": entry.state, "work": entry.work, "version": entry.version,
        "title": body and body.title, "description": body and body.description,
        "themes": list(body.themes) if body else [],
        "formats": list(body.formats()) if body else [], "access": body.access if body else "",
        "origin": entry.origin, "modified_at": entry.modified_at,
    }  # fmt: skip


def whole(entry: Entry) -> dict[str, Any]:
    """An entry by itself."""
    return {
        **summary(entry), "body": entry.body, "note": entry.note, "revision": entry.revision,
        "has_secret": entry.has_secret, "created_at": entry.created_at,
        "changed_at": entry.changed_at, "issued_at": entry.issued_at,
    }  # fmt: skip


def _answer(entry: Entry) -> Answer:
    return with_etag(whole(entry), _tag(entry))


def _tag(entry: Entry) -> str:
    return etag(entry.id, entry.revision)
