"""The form in which a lottery is drafted: its fields, and back from the browser."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from foundation.kernel.errors import Problem
from foundation.kernel.text import Text
from foundation.surface.web.forms import Field, Option
from workloads.data_exchange.lottery.model import CHANCES_MAX, NAME_MAX, Beacon, Pool, Rules

_DIGITS = 12


def fields(
    given: Mapping[str, Any], mine: Sequence[Option], all_: Sequence[Option],
    scenarios: Sequence[Option],
) -> list[Field]:  # fmt: skip
    """The form.

    Args:
        given: what was filled in before.
        mine: the agencies that may hold it.
        all_: the agencies that may be its parties.
        scenarios: by which applicants may be judged.
    """
    officer = Option("", gettext("An officer judges each"))
    return [
        Field("agency", gettext("Agency that holds it"), "select", given.get("agency", ""),
              required=True, options=tuple(mine)),
        Field("name.en", gettext("Name in English"), value=given.get("name.en", ""), required=True,
              max_length=NAME_MAX),
        Field("name.zh", gettext("Name in Chinese"), value=given.get("name.zh", ""), required=True,
              max_length=NAME_MAX),
        Field("conditions", gettext("Who may take part, in words"), "textarea",
              given.get("conditions", ""), max_length=20_000),
        Field("check.scenario", gettext("How applicants are judged"), "select",
              given.get("check.scenario", ""), options=(officer, *scenarios),
              help=gettext("The rules of a check are public and signed with the lottery's.")),
        Field("pools", gettext("Pools"), "lines", given.get("pools", ""), required=True,
              help=gettext("One a line: the name, a space, the number of places.")),
        Field("parties", gettext("Parties that commit and reveal"), "checkboxes",
              given.get("parties", []), required=True, options=tuple(all_)),
        Field("chances", gettext("Most chances of one application"), "number",
              given.get("chances", "1"), required=True, minimum=1, maximum=CHANCES_MAX, step=1),
        Field("closes_at", gettext("Last day of applications"), "date", given.get("closes_at", ""),
              required=True),
        Field("reveal_hours", gettext("Time to reveal"), "number", given.get("reveal_hours", "24"),
              required=True, minimum=1, maximum=720, step=1, unit=gettext("h")),
        Field("beacon.name", gettext("Public source of randomness"),
              value=given.get("beacon.name", ""), max_length=NAME_MAX,
              help=gettext("May be empty; then the parties alone make the seed.")),
        Field("beacon.round", gettext("Which of its values"), value=given.get("beacon.round", ""),
              max_length=NAME_MAX),
    ]  # fmt: skip


def filled(form: "MultiDict[str, str]") -> dict[str, Any]:
    """What a form sent, as ``fields`` shows it again."""
    return {**form.to_dict(), "parties": form.getlist("parties")}


def read(form: "MultiDict[str, str]", zone: str) -> Rules:
    """The rules that a form drafts; what is no number or day is one that the service refuses."""
    beacon = form.get("beacon.name", "").strip(), form.get("beacon.round", "").strip()
    scenario = form.get("check.scenario", "")
    return Rules(
        form.get("agency", ""), Text(form.get("name.en", ""), form.get("name.zh", "")),
        form.get("conditions", "").strip(),
        tuple(_pool(line) for line in form.get("pools", "").splitlines() if line.strip()),
        tuple(form.getlist("parties")), _number(form.get("chances", "")),
        _end_of(form.get("closes_at", ""), zone), _number(form.get("reveal_hours", "")),
        Beacon(*beacon) if any(beacon) else None, {"scenario": scenario} if scenario else None,
    )  # fmt: skip


def placed(problems: Sequence[Problem]) -> list[Problem]:
    """Problems under the names of the form's fields."""
    joined = ("pools", "parties")
    return [
        Problem(next((one for one in joined if p.field.startswith(f"{one}.")), p.field),
                p.message, p.code)
        for p in problems
    ]  # fmt: skip


def _pool(line: str) -> Pool:
    name, _, places = line.strip().rpartition(" ")
    return Pool(name.strip(), _number(places))


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0


def _end_of(day: str, zone: str) -> datetime:
    """The midnight that ends a day in the city."""
    try:
        after = date.fromisoformat(day) + timedelta(days=1)
        return datetime.combine(after, time(), ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
