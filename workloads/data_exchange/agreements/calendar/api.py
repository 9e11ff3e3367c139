"""The calendar over HTTP."""

from datetime import date
from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Schema,
    check_match,
    current_actor,
    etag,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.data_exchange.agreements.calendar.model import MOST_DAYS, WorkingCalendar
from workloads.data_exchange.agreements.calendar.service import Calendar

api = ApiBlueprint("calendar", __name__, tag="Calendar")

Days = Annotated[list[Annotated[str, Field(max_length=10)]], Field(max_length=MOST_DAYS)]


class CalendarReplace(Input):
    """The whole calendar."""

    zone: Annotated[str, Field(max_length=64, description="IANA time zone of the city.")]
    weekend: Annotated[
        list[int], Field(max_length=7, description="Days of the week off; 7 is Sunday.")
    ]
    holidays: Annotated[Days, Field(description="Further days off, such as 2026-10-01.")]
    workdays: Annotated[Days, Field(description="Days of weekends on which one works.")]
    periods: Annotated[
        dict[str, int],
        Field(max_length=20, description="Working days that a request may wait in each state."),
    ]


class CalendarOut(Schema):
    """The calendar by which due dates are set."""

    version: Annotated[int, Field(description="0 is the sample that comes with the program.")]
    zone: str
    weekend: list[int]
    holidays: list[date]
    workdays: list[date]
    periods: dict[str, int]


def _out(found: tuple[WorkingCalendar, int]) -> dict[str, Any]:
    return {"version": found[1], **found[0].as_json()}


@api.get("/calendar")
@requires("calendar.view")
@api.output(CalendarOut)
def get_calendar() -> Answer:
    """Which days count, and how many of them a request may wait."""
    found = use(Calendar).calendar(current_actor())
    return with_etag(_out(found), etag("calendar", found[1]))


@api.put("/calendar")
@requires("calendar.manage")
@requires_match
@api.input(CalendarReplace)
@api.output(CalendarOut)
def replace_calendar(json_data: CalendarReplace) -> Answer:
    """Enter the holidays of another year; the due dates of what waits move with them."""
    calendar, actor = use(Calendar), current_actor()
    version = calendar.versioned()[1]
    check_match(etag("calendar", version))
    made = calendar.replace(actor, json_data.model_dump(), version)
    return with_etag(_out(made), etag("calendar", made[1]))
