"""What was counted, over HTTP."""

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.data_exchange.usage.service import Usage

api = ApiBlueprint("usage", __name__, tag="Usage")


class UsageQuery(PageQuery):
    """Which hours: the last 31 days without ``start``."""

    start: Instant | None = None
    end: Instant | None = None


class UsageLineOut(Schema):
    """What was counted of a meter in one hour."""

    meter: str
    dimensions: dict[str, str] = Field(
        description="By which it is sold, such as interface and size"
    )
    hour: Instant
    quantity: DecimalText
    told: DecimalText = Field(description="As much of it as was told to the platform's outbox")


@api.get("/usage")
@requires("usage.view")
@api.input(UsageQuery, location="query")
@api.output(PageOut[UsageLineOut])
def list_usage(query_data: UsageQuery) -> Answer:
    """Calls, checks, licences and hours of data sets, by hour, oldest first; 100 days at most."""
    return use(Usage).lines(current_actor(), query_data.start, query_data.end, query_data.page())
