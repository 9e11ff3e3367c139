"""Fields that several of these resources share."""

from typing import Annotated

from pydantic import Field

from foundation.access.model import (
    PASSWORD_MAX,
    PASSWORD_MIN,
)
from foundation.surface.api import (
    Schema,
)

Login = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["ann"])]
OrganisationPath = Annotated[
    str,
    Field(pattern=r"^/([a-z0-9][a-z0-9-]*/)*$", max_length=1000, examples=["/city/health/"]),
]
Email = Annotated[str, Field(max_length=254, description="Empty for none.")]
Password = Annotated[
    str,
    Field(
        min_length=PASSWORD_MIN, max_length=PASSWORD_MAX, json_schema_extra={"format": "password"}
    ),
]
Scope = Annotated[
    str, Field(pattern=r"^[a-z_*]+\.[a-z_*]+$", max_length=100, examples=["order.view", "order.*"])
]
Days = Annotated[int, Field(ge=1, le=3650, description="Life in days.")]


class GrantBody(Schema):
    """A role and where it holds."""

    role: str
    path: str
