"""What several resources of provisioning are made of."""

from typing import Annotated, Any

from pydantic import Field

from control_plane.provisioning.model import (
    Severity,
)
from control_plane.surface.api import (
    DecimalText,
    Schema,
    TextBody,
)

Reference = Annotated[str, Field(min_length=1, max_length=100)]
Filter = Annotated[str, Field(max_length=100)]
Json = dict[str, Any]


class FindingOut(Schema):
    """What a policy says; a mandatory finding forbids publishing and approval."""

    policy: str
    severity: Severity
    subject: str
    message: TextBody


class MeterQuantityOut(Schema):
    """What a resource uses of a meter in an hour."""

    resource: str
    meter: str
    dimensions: dict[str, str]
    per_hour: DecimalText
