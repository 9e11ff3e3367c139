"""What several resources of events share."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import Input
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.notification.model import Hours, Matching
from workloads.video_analytics.vision.model import RuleKind

Path = Annotated[str, Field(max_length=300, description="Of a department: /city/water/.")]
Id = Annotated[str, Field(max_length=64)]


class HoursIn(Input):
    """Hours of the day; a start after the end goes over midnight."""

    start: Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}$")]
    end: Annotated[str, Field(pattern=r"^[0-9]{2}:[0-9]{2}$")]
    timezone: Annotated[str, Field(max_length=64)] = "Asia/Shanghai"


class MatchingIn(Input):
    """Which events are meant; empty fields mean all."""

    kinds: Annotated[list[RuleKind], Field(max_length=30)] = []  # noqa: RUF012 - pydantic copies it
    severities: Annotated[list[Severity], Field(max_length=4)] = []  # noqa: RUF012 - pydantic copies it
    rules: Annotated[list[Id], Field(max_length=200)] = []  # noqa: RUF012 - pydantic copies it
    cameras: Annotated[list[Id], Field(max_length=200)] = []  # noqa: RUF012 - pydantic copies it
    hours: HoursIn | None = None

    def value(self, field: str) -> Matching:
        """The model's value.

        Raises:
            Invalid: names every wrong field.
        """
        hours = Hours.parse(self.hours.model_dump(), f"{field}.hours") if self.hours else None
        return Matching(
            tuple(self.kinds), tuple(self.severities), tuple(self.rules), tuple(self.cameras), hours
        )


Json = dict[str, Any]
