"""Pages of the timeline: search, duckweed on rivers, and construction by night."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, here, show
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.events.answers import file_answer
from workloads.video_analytics.events.model import JPEG, EventFilter
from workloads.video_analytics.events.service import Events
from workloads.video_analytics.rules.service import Rules
from workloads.video_analytics.timeline.chart import Chart, chart_of
from workloads.video_analytics.timeline.model import (
    PERSON_SIZE,
    VEHICLE_SIZE,
    DailyCover,
    Direction,
    Search,
)
from workloads.video_analytics.timeline.service import Timeline
from workloads.video_analytics.vision.model import Point, RuleKind

pages = Pages("timeline", __name__)
pages.navigation(N_("Search"), "search", action="timeline.search", order=24)
pages.navigation(N_("Water"), "water", action="event.view", order=26)
pages.navigation(N_("Night construction"), "nights", action="event.view", order=28)

_NAMES = ("camera", "since", "until", "size", "kind", "colour", "shortest", "line", "direction")
_SIZES: dict[str, tuple[float, float]] = {"person": PERSON_SIZE, "vehicle": VEHICLE_SIZE}
_COLOURS = {
    "black": N_("black"), "white": N_("white"), "grey": N_("grey"), "red": N_("red"),
    "yellow": N_("yellow"), "green": N_("green"), "blue": N_("blue"), "brown": N_("brown"),
}  # fmt: skip


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"colour_name": colour_name}


def colour_name(colour: str) -> str:
    """A colour in the request's language; as it is when it is none of ours."""
    return str(gettext(_COLOURS[colour])) if colour in _COLOURS else colour


_MOST_DAYS = 92


@dataclass(frozen=True, slots=True)
class Night:
    """A day of the calendar with the events of construction of the night that began on it."""

    day: date
    events: tuple[Any, ...]


@pages.get("/search")
@requires("timeline.search")
def search() -> ResponseReturnValue:
    """What moved where and when; the form is in the address, so that a search can be sent on."""
    given = {name: request.args.get(name, "") for name in _NAMES}
    found = None
    problems: tuple[Problem, ...] = ()
    if given["since"]:
        try:
            wanted = _wanted(given)
            found = use(Timeline).search(
                current_actor(), wanted, request.args.get("cursor"), limit=24
            )
        except Invalid as error:
            problems = tuple(error.problems)
    return show(
        "timeline/search.html", 422 if problems else 200,
        form=_form(given, problems), found=found, here=here,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Search"))],
    )  # fmt: skip


def _form(given: dict[str, str], problems: tuple[Problem, ...]) -> Form:
    anything = Option("", gettext("any"))
    cameras = use(Cameras).cameras(current_actor(), CameraQuery(), PageRequest(limit=200)).items
    known = tuple(Option(c.id, local(c.settings.name)) for c in cameras)
    now = use(Runtime).clock.now()
    before = (now - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    return Form.of((
        Field("camera", gettext("Camera"), "select", given["camera"], options=(anything, *known)),
        Field("since", gettext("From (UTC)"), "datetime-local", given["since"] or before,
              required=True),
        Field("until", gettext("Until (UTC)"), "datetime-local",
              given["until"] or now.strftime("%Y-%m-%dT%H:%M"), required=True),
        Field("size", gettext("Size"), "select", given["size"],
              options=(anything, Option("person", gettext("of a person")),
                       Option("vehicle", gettext("of a vehicle")))),
        Field("kind", gettext("Kind, by a model"), value=given["kind"], max_length=40),
        Field("colour", gettext("Colour"), "select", given["colour"],
              options=(anything, *(Option(c, gettext(w)) for c, w in _COLOURS.items()))),
        Field("shortest", gettext("Dwelling at least"), "number", given["shortest"],
              unit=gettext("seconds"), minimum=0),
        Field("line", gettext("Crossed this line"), value=given["line"],
              help=gettext("Points of the picture, 0 to 1: 0.5,0.1 0.5,0.9")),
        Field("direction", gettext("Direction"), "select", given["direction"],
              options=(Option("any", gettext("any")),
                       Option("left_to_right", gettext("left to right along the line")),
                       Option("right_to_left", gettext("right to left along the line")))),
    ), problems)  # fmt: skip


def _wanted(given: dict[str, str]) -> Search:
    low, high = _SIZES.get(given["size"], (None, None))
    known = given["direction"] in {str(d) for d in Direction}
    return Search(
        _instant("since", given["since"]), _instant("until", given["until"]),
        (given["camera"],) if given["camera"] else (), line=_line(given["line"]),
        direction=Direction(given["direction"]) if known else Direction.ANY,
        smallest=low, largest=high, shortest=_number("shortest", given["shortest"]),
        colours=(given["colour"],) if given["colour"] else (),
        kinds=(given["kind"].strip(),) if given["kind"].strip() else (),
    )  # fmt: skip


def _instant(name: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid([Problem(name, "must be a day and a time")]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _number(name: str, text: str) -> float | None:
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise Invalid([Problem(name, "must be a number")]) from None


def _line(text: str) -> tuple[Point, ...]:
    try:
        pairs = [pair.split(",") for pair in text.split()]
        return tuple(Point(float(x), float(y)) for x, y in pairs)
    except ValueError:
        raise Invalid([Problem("line", "must be points such as 0.5,0.1 0.5,0.9")]) from None


@pages.get("/search/tracks/<id>")
@requires("timeline.search")
def track(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One piece of a track, and where it may have gone."""
    actor, timeline = current_actor(), use(Timeline)
    found = timeline.track(actor, id)
    before, after, unplaced = [], [], False
    try:
        before = timeline.candidates(actor, id, before=True)[1]
        after = timeline.candidates(actor, id)[1]
    except Invalid:
        unplaced = True
    return show(
        "timeline/track.html", track=found, before=before, after=after, unplaced=unplaced,
        crumbs=[
            Crumb(gettext("Home"), "/"), Crumb(gettext("Search"), url_for("timeline_pages.search")),
            Crumb(found.camera),
        ],
    )  # fmt: skip


@pages.get("/search/thumbnails/<sha256>")
@requires("timeline.search")
def thumbnail(sha256: str) -> Response:
    """The picture of a track; written into the audit log."""
    if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004
        raise Invalid([Problem("sha256", "is not a digest")])
    return file_answer(use(Timeline).thumbnail(current_actor(), sha256), JPEG, sha256)


@pages.get("/water")
@requires("event.view")
def water() -> ResponseReturnValue:
    """Duckweed on each river: a chart with forecast and interval, and the same numbers."""
    until = use(Timeline).today()
    covers = use(Timeline).covers(current_actor(), "", until - timedelta(days=_MOST_DAYS), until)
    by_rule: dict[str, list[DailyCover]] = {}
    for cover in covers:
        by_rule.setdefault(cover.rule, []).append(cover)
    names = use(Rules).known(set(by_rule))
    cameras = use(Cameras).known({c.camera_id for c in covers})
    shown: list[tuple[str, str, Chart, list[DailyCover]]] = []
    for rule, days in by_rule.items():
        name = local(names[rule].name) if rule in names else rule
        camera = cameras.get(days[0].camera_id)
        place = local(camera.settings.name) if camera else days[0].camera_id
        shown.append((name, place, chart_of(days), days[::-1]))
    return show(
        "timeline/water.html", rivers=shown,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Water"))],
    )  # fmt: skip


@pages.get("/nights")
@requires("event.view")
def nights() -> ResponseReturnValue:
    """Construction at forbidden hours by the night on which it began, a month at a time."""
    today = use(Timeline).today()
    first = _month(request.args.get("month", ""), today)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    start = datetime(first.year, first.month, 1, tzinfo=UTC) - timedelta(days=1)
    wanted = EventFilter((RuleKind.CONSTRUCTION,), since=start, until=start + timedelta(days=33))
    page = use(Events).events(current_actor(), wanted, PageRequest(limit=200))
    cameras = use(Cameras).known({e.camera_id for e in page.items})
    by_day: dict[date, list[Any]] = {}
    for event in page.items:
        camera = cameras.get(event.camera_id)
        zone = ZoneInfo(camera.settings.timezone if camera else "Asia/Shanghai")
        # What goes on after midnight belongs to the night that began the day before.
        night = (event.began.astimezone(zone) - timedelta(hours=12)).date()
        by_day.setdefault(night, []).append(event)
    weeks = [
        [Night(day, tuple(by_day.get(day, ()))) if day.month == first.month else None
         for day in week]
        for week in calendar.Calendar().monthdatescalendar(first.year, first.month)
    ]  # fmt: skip
    return show(
        "timeline/nights.html", weeks=weeks, month=first, before=before, after=following,
        more=page.next is not None,
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Night construction"))],
    )  # fmt: skip


def _month(text: str, today: date) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        return today.replace(day=1)
