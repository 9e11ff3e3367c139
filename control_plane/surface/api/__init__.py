"""What a feature's ``api.py`` needs; ``control_plane/surface/README.md`` shows one."""

from control_plane.surface.api.blueprint import ApiBlueprint
from control_plane.surface.api.conditions import (
    accepted,
    check_match,
    created,
    etag,
    matched_tag,
    requires_match,
    with_etag,
)
from control_plane.surface.api.idempotency import (
    idempotency_key,
    idempotent,
    idempotent_outside,
)
from control_plane.surface.api.rehearsal import rehearsable
from control_plane.surface.api.schema import (
    Answer,
    DecimalText,
    Input,
    Instant,
    Line,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
)
from control_plane.surface.auth import current_actor, public, requires, signed_in
from control_plane.surface.registry import use

__all__ = [
    "Answer",
    "ApiBlueprint",
    "DecimalText",
    "Input",
    "Instant",
    "Line",
    "MoneyBody",
    "PageOut",
    "PageQuery",
    "Schema",
    "Slug",
    "TextBody",
    "accepted",
    "check_match",
    "created",
    "current_actor",
    "etag",
    "idempotency_key",
    "idempotent",
    "idempotent_outside",
    "matched_tag",
    "public",
    "rehearsable",
    "requires",
    "requires_match",
    "signed_in",
    "use",
    "with_etag",
]
