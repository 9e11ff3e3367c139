"""The audit log over HTTP."""

from typing import Annotated, Any, Literal

from pydantic import Field

from foundation.access.model import (
    AuditQuery,
)
from foundation.access.service import AuditLog
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
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

api = ApiBlueprint("audit", __name__, tag="Audit log")


class AuditEntryOut(Schema):
    """Who did what."""

    seq: int
    at: Instant
    actor_id: str
    actor_name: str
    action: str
    subject: str
    path: str
    # Not the enumeration itself: usage has one of that name, and a name means one thing.
    outcome: Literal["done", "refused", "failed"]
    detail: dict[str, Any]
    prev: str
    hash: str


class AuditListQuery(PageQuery):
    """Which entries."""

    actor: Annotated[str | None, Field(description="The id of who acted.")] = None
    action: Annotated[str | None, Field(description="By name; `order.*` for a noun.")] = None
    subject: Annotated[str | None, Field(description="The id of what was acted upon.")] = None
    since: Annotated[Instant | None, Field(description="From this instant on.")] = None
    until: Annotated[Instant | None, Field(description="Before this instant.")] = None


class VerificationQuery(Input):
    """The head that an earlier verification gave and that was kept elsewhere: both or neither."""

    head_seq: Annotated[int | None, Field(ge=0, le=2**62)] = None
    head_hash: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$")] = None


class AuditFindingOut(Schema):
    """One thing that is wrong with the log."""

    seq: int
    kind: str
    message: str


class VerificationOut(Schema):
    """What reading the whole log showed; keep the head elsewhere and give it to the next one."""

    ok: bool
    entries: int
    head_seq: int
    head_hash: str
    findings: Annotated[list[AuditFindingOut], Field(description="The first hundred.")]


@api.get("/audit")
@requires("audit.view")
@api.input(AuditListQuery, location="query")
@api.output(PageOut[AuditEntryOut])
def list_audit_entries(query_data: AuditListQuery) -> Answer:
    """The entries that you may read, newest first."""
    query = AuditQuery(
        actor=query_data.actor,
        action=query_data.action,
        subject=query_data.subject,
        since=query_data.since,
        until=query_data.until,
    )
    return use(AuditLog).entries(
        current_actor(), query, PageRequest(query_data.cursor, query_data.limit)
    )


@api.get("/audit/verification")
@requires("audit.verify")
@api.input(VerificationQuery, location="query")
@api.output(VerificationOut)
def verify_audit_log(query_data: VerificationQuery) -> Answer:
    """Read the whole log and say what is wrong with it."""
    seq, digest = query_data.head_seq, query_data.head_hash
    if (seq is None) != (digest is None):
        missing = "head_seq" if seq is None else "head_hash"
        raise Invalid([Problem(missing, "is required with the other", "required")])
    kept = None if seq is None or digest is None else (seq, digest)
    return use(AuditLog).verify(current_actor(), kept=kept)
