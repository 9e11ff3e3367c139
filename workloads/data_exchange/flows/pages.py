"""The map of flows, with the table beside it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlencode

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.time import parse_instant
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, show
from foundation.surface.web.show import now
from workloads.data_exchange.agencies.model import Level, above
from workloads.data_exchange.flows.drawing import Drawing, draw
from workloads.data_exchange.flows.model import (
    Calls,
    Flow,
    Grain,
    Outcome,
    Place,
    Query,
    Seen,
    Sort,
)
from workloads.data_exchange.flows.service import Flows

_T = TypeVar("_T", Level, Outcome, Sort)
pages = Pages("flows", __name__)
pages.navigation(N_("Flows"), "flows", action="flow.view", order=35)

LEVELS = {
    Level.NATIONAL: N_("National"),
    Level.PROVINCIAL: N_("Provincial"),
    Level.MUNICIPAL: N_("Municipal"),
    Level.DISTRICT: N_("District"),
}
OUTCOMES = {
    Outcome.ANSWERED: N_("answered"),
    Outcome.REFUSED: N_("refused"),
    Outcome.FAILED: N_("failed"),
}
#: The periods that are offered: their length and what they are counted by.
PERIODS = {
    "day": (N_("The last day, by the hour"), timedelta(days=1), Grain.HOUR),
    "week": (N_("The last week, by the hour"), timedelta(days=7), Grain.HOUR),
    "month": (N_("The last month, by the day"), timedelta(days=31), Grain.DAY),
    "year": (N_("The last year, by the day"), timedelta(days=366), Grain.DAY),
}
_OTHER = "other"
_ROWS = 200
#: The columns of the table that sort it.
_COLUMNS = (
    (Sort.CONSUMER, N_("Consumer"), ""),
    (Sort.PROVIDER, N_("Provider"), ""),
    (Sort.CALLS, N_("Calls"), "number"),
    (Sort.REFUSED, N_("Refused"), "number"),
    (Sort.FAILED, N_("Failed"), "number"),
    (Sort.P95, N_("Latency p50 · p95, ms"), "number"),
    (Sort.BYTES, N_("Bytes"), "number"),
)


@pages.get("/flows")
@requires("flow.view")
def flows() -> ResponseReturnValue:
    """Who exchanges with whom: the map, the table, and the course over time."""
    given = request.args
    fields, problems = _fields(given), list[Problem]()
    seen: Seen | None = None
    try:
        seen = use(Flows).look(current_actor(), _asked(given))
    except Invalid as error:
        problems = list(error.problems)
    drawing, places = _drawn(seen)
    return show(
        "flows/flows.html",
        422 if problems else 200,
        form=Form.of(fields, problems),
        seen=seen,
        drawing=drawing,
        name=lambda path: _name(path, places),
        level_names=LEVELS,
        columns=[(one, text, kind, _sorted_by(one)) for one, text, kind in _COLUMNS],
        sort=_word(Sort, "sort", given.get("sort")) or Sort.CALLS,
        by_service=given.get("by_service") == "on",
        steps=_steps(seen),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Flows"))],
    )


def _fields(given: Mapping[str, str]) -> list[Field]:
    def options(texts: Mapping[str, str]) -> tuple[Option, ...]:
        return tuple(Option(value, gettext(text)) for value, text in texts.items())

    everything = {"": N_("all")}
    periods = {name: text for name, (text, _, _) in PERIODS.items()}
    return [
        Field("period", gettext("Period"), "select", _period(given),
              options=options({**periods, _OTHER: N_("from … until …")})),
        Field("start", gettext("From (RFC 3339)"), value=given.get("start", ""), max_length=40),
        Field("end", gettext("Until (RFC 3339)"), value=given.get("end", ""), max_length=40),
        Field("agency", gettext("Agency (path)"), value=given.get("agency", ""), max_length=500),
        Field("level", gettext("Level"), "select", given.get("level", ""),
              options=options({**everything, **{k.value: v for k, v in LEVELS.items()}})),
        Field("outcome", gettext("Outcome"), "select", given.get("outcome", ""),
              options=options({**everything, **{k.value: v for k, v in OUTCOMES.items()}})),
        Field("by_service", gettext("Each interface for itself"), "checkbox",
              given.get("by_service") == "on"),
    ]  # fmt: skip


def _period(given: Mapping[str, str]) -> str:
    asked = given.get("period", "")
    return asked if asked in PERIODS else _OTHER if given.get("start") else "day"


def _asked(given: Mapping[str, str]) -> Query:
    """What the form asks for.

    Raises:
        Invalid: names a wrong field.
    """
    length, grain = PERIODS["day"][1:]
    end = now()
    start = end - length
    if (period := _period(given)) in PERIODS:
        _, length, grain = PERIODS[period]
        start = end - length
    else:
        end = parse_instant(given["end"], "end") if given.get("end") else end
        start = parse_instant(given.get("start", ""), "start")
        grain = Grain.HOUR if end - start <= PERIODS["week"][1] else Grain.DAY
    return Query(
        start, end, grain, given.get("agency", "").strip(),
        _word(Level, "level", given.get("level")), _word(Outcome, "outcome", given.get("outcome")),
        given.get("by_service") == "on", _word(Sort, "sort", given.get("sort")) or Sort.CALLS,
        _ROWS,
    )  # fmt: skip


def _word(kind: type[_T], field: str, given: str | None) -> _T | None:
    if not given:
        return None
    try:
        return kind(given)
    except ValueError:
        raise Invalid([Problem(field, "is not one of the choices")]) from None


def _drawn(seen: Seen | None) -> tuple[Drawing, Mapping[str, Place]]:
    shown = seen.flows if seen else ()
    paths = {path for one in shown for path in (one.consumer, one.provider)}
    places = use(Flows).places(paths | {above(path) for path in paths} - {"/"}) if paths else {}
    pairs: dict[tuple[str, str], Calls] = {}
    for one in shown:
        pairs.setdefault((one.consumer, one.provider), Calls()).merge(one.calls)
    return draw([Flow(*pair, "", calls) for pair, calls in pairs.items()], places), places


def _name(path: str, places: Mapping[str, Place]) -> str:
    """As people read it; the path of one that is gone, or far above."""
    found = places.get(path)
    return local(found.name) if found else path


def _sorted_by(sort: Sort) -> str:
    """The address of the same with other rows first."""
    given = {name: value for name, value in request.args.items() if name != "sort"}
    return "?" + urlencode({**given, "sort": sort.value})


def _steps(seen: Seen | None) -> Sequence[tuple[str, Calls]]:
    """Hours and days as they are called; a city's day has the date of its noon."""
    if seen is None:
        return ()
    return [
        (f"{one.start:%Y-%m-%d %H:00}Z" if seen.grain is Grain.HOUR
         else f"{one.start + timedelta(hours=12):%Y-%m-%d}", one.calls)
        for one in seen.steps
    ]  # fmt: skip
