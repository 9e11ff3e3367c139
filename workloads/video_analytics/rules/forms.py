"""The form of a rule, drawn from the schema of its kind, and read."""

import re
from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from foundation.kernel.errors import Collector, Problem
from foundation.kernel.text import Text
from foundation.surface.web import forms
from foundation.surface.web.forms import Field, Form
from workloads.video_analytics.cameras.forms import points_text, read_points
from workloads.video_analytics.rules.model import DAYS, FILLED, Hours, Rule, Wish
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.vision.parameters import PARAMETERS

_HOURS = re.compile(r"([a-z, ]+?)\s+(\d\d:\d\d)\s*-\s*(\d\d:\d\d)")


def form_schema(kind: RuleKind) -> dict[str, Any]:
    """The schema of a kind as the form kit reads it: words of choices in both languages."""
    properties = {}
    for name, rule in PARAMETERS[kind].get("properties", {}).items():
        if name == FILLED:
            continue
        changed = dict(rule)
        words = rule.get("x-enum")
        if words:
            chinese = rule.get("x-zh", {}).get("enum", {})
            changed["x-borough-enum"] = {
                value: {"en": word, "zh": chinese.get(value, word)} for value, word in words.items()
            }
        properties[name] = changed
    return {**PARAMETERS[kind], "properties": properties}


def rule_form(
    kind: RuleKind,
    there: Rule | None,
    sent: "MultiDict[str, str]",
    problems: tuple[Problem, ...] = (),
) -> Form:
    """The form of a new rule, or of one that is there; what was sent goes before."""
    schema = form_schema(kind)
    values = _values(there) if there else {}
    parameters = dict(there.parameters) if there else {}
    if sent:
        values = dict(sent)
        parameters = forms.read(schema, sent, "parameters")
    fields = [
        Field("name.en", gettext("Name in English"), value=values.get("name.en", ""),
              required=True, max_length=200),
        Field("name.zh", gettext("Name in Chinese"), value=values.get("name.zh", ""),
              required=True, max_length=200),
    ]  # fmt: skip
    if schema.get("x-points"):
        fields.append(
            Field(
                "points", gettext("Points"), "textarea", values.get("points", ""),
                help=gettext("Drawn on the picture, or typed: one point a line, parts of width "
                             "and height from the upper left, such as 0.25, 0.5"),
            )
        )  # fmt: skip
    fields += forms.draw(schema, parameters, "parameters")
    fields.append(
        Field(
            "schedule", gettext("Hours"), "textarea", values.get("schedule", ""),
            help=gettext("One a line, such as: mon, tue 22:00-06:00. Empty: always."),
        )
    )  # fmt: skip
    return Form.of(fields, problems)


def _values(there: Rule) -> dict[str, str]:
    lines = [
        f"{', '.join(DAYS[day] for day in sorted(one.days))} {one.start}-{one.end}"
        for one in there.schedule
    ]
    return {
        "name.en": there.name.en,
        "name.zh": there.name.zh,
        "points": points_text(there.points, "\n"),
        "schedule": "\n".join(lines),
    }


def read_rule(kind: RuleKind, sent: "MultiDict[str, str]") -> Wish:
    """What a form says.

    Raises:
        Invalid: what cannot be read at all; the service names the rest.
    """
    found = Collector()
    wish = Wish(
        kind,
        Text(sent.get("name.en", "").strip(), sent.get("name.zh", "").strip()),
        read_points(found, "points", sent.get("points", "")),
        forms.read(form_schema(kind), sent, "parameters"),
        _schedule(found, sent),
    )
    found.finish()
    return wish


def _schedule(found: Collector, sent: Mapping[str, str]) -> tuple[Hours, ...]:
    made = []
    for line in sent.get("schedule", "").lower().splitlines():
        if not line.strip():
            continue
        match = _HOURS.fullmatch(line.strip())
        days = [day for day in re.split(r"[, ]+", match.group(1)) if day] if match else []
        known = bool(days) and all(day in DAYS for day in days)
        if found.check(known, "schedule", "must be lines such as mon, tue 22:00-06:00") and match:
            numbers = frozenset(DAYS.index(day) for day in days)
            made.append(Hours(numbers, match.group(2), match.group(3)))
    return tuple(made)
