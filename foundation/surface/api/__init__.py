"""What a feature's ``api.py`` needs; ``foundation/surface/README.md`` shows one."""

from foundation.surface.api.blueprint import ApiBlueprint
from foundation.surface.api.conditions import (
    accepted,
    check_match,
    created,
    etag,
    matched_tag,
    requires_match,
    with_etag,
)
from foundation.surface.api.idempotency import (
    idempotency_key,
    idempotent,
    idempotent_outside,
)
from foundation.surface.api.rehearsal import rehearsable
from foundation.surface.api.schema import (
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
from foundation.surface.auth import current_actor, public, requires, signed_in
from foundation.surface.registry import use

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
