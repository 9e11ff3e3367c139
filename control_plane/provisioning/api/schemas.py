"""What several resources of provisioning are made of."""

from typing import Annotated, Any

from pydantic import Field

from control_plane.provisioning.model import (
    Severity,
)
from foundation.surface.api import (
    DecimalText,
    Instant,
    Schema,
    TextBody,
)

Reference = Annotated[str, Field(min_length=1, max_length=100)]
Filter = Annotated[str, Field(max_length=100)]
Json = dict[str, Any]


class ExemptionOut(Schema):
    """The waiver that lets a finding pass."""

    id: str
    owner: Annotated[str, Field(description="Who answers for it.")]
    owner_name: str
    reason: str
    ends_at: Instant


class FindingOut(Schema):
    """What a policy says.

    A mandatory finding forbids publishing and approval, a waivable one approval until a waiver
    holds.
    """

    policy: str
    severity: Severity
    subject: str
    message: TextBody
    waiver: Annotated[ExemptionOut | None, Field(description="Null: nothing lets it pass.")]


class MeterQuantityOut(Schema):
    """What a resource uses of a meter in an hour."""

    resource: str
    meter: str
    dimensions: dict[str, str]
    per_hour: DecimalText
