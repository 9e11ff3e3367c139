"""The form of what is asked for and given."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext

from foundation.kernel.errors import Collector, Problem
from foundation.surface.web.forms import Field, Option
from foundation.surface.web.i18n import N_, local
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows, Value
from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.agreements.terms import Limits, Operator
from workloads.data_exchange.agreements.words import SHOWN
from workloads.data_exchange.directory.elements import Element, Masking

#: How many purposes and conditions a form has room for; the API takes more.
PURPOSES, ROWS = 3, 3
LIMITS = {
    "calls": N_("Calls in all"),
    "calls_per_day": N_("Calls a day"),
    "calls_per_minute": N_("Calls a minute"),
    "rows": N_("Rows in all"),
    "rows_per_call": N_("Rows a call"),
}
OPERATORS = {
    Operator.EQ: N_("is"),
    Operator.NEQ: N_("is not"),
    Operator.LT: N_("is below"),
    Operator.LTEQ: N_("is at most"),
    Operator.GT: N_("is above"),
    Operator.GTEQ: N_("is at least"),
    Operator.ANY_OF: N_("is one of"),
}
_WHOLE, _MASKED = "whole", "masked"


def fields(offered: Offered, given: Mapping[str, str]) -> list[Field]:
    """The fields of the form with what was typed."""
    return [
        *_purposes(given), *_elements(offered, given), *_rows(offered, given), *_limits(given),
        Field("begins", gettext("First day"), "date", given.get("begins", ""), required=True),
        Field("ends", gettext("Last day"), "date", given.get("ends", ""), required=True),
    ]  # fmt: skip


def _purposes(given: Mapping[str, str]) -> list[Field]:
    known = sorted(purposes.titles().items(), key=lambda one: one[1].en)
    options = (Option("", "—"), *(Option(name, local(title)) for name, title in known))
    found = []
    for n in range(PURPOSES):
        label = gettext("Purpose") if n == 0 else gettext("Purpose %(n)s", n=n + 1)
        found.append(
            Field(f"purpose.{n}", label, "select", given.get(f"purpose.{n}", ""),
                  required=n == 0, options=options)
        )  # fmt: skip
    return found


def _elements(offered: Offered, given: Mapping[str, str]) -> list[Field]:
    return [
        Field(
            f"field.{one.name}", f"{local(one.title)} ({one.name})", "select",
            given.get(f"field.{one.name}", ""), options=_shown(one),
        )
        for one in offered.elements
    ]  # fmt: skip


def _shown(element: Element) -> tuple[Option, ...]:
    found = [Option("", gettext("not asked for"))]
    if element.masking is not Masking.OMIT:
        found.append(Option(_MASKED, local(SHOWN[element.masking])))
    return (*found, Option(_WHOLE, local(SHOWN[None])))


def _rows(offered: Offered, given: Mapping[str, str]) -> list[Field]:
    names = (
        Option("", "—"),
        *(Option(one.name, local(one.title)) for one in offered.elements),
    )
    operators = tuple(Option(one.value, gettext(word)) for one, word in OPERATORS.items())
    found = []
    for n in range(ROWS):
        at = f"row.{n}"
        number = n + 1
        found += [
            Field(f"{at}.name", gettext("Condition %(n)s: field", n=number), "select",
                  given.get(f"{at}.name", ""), options=names),
            Field(f"{at}.operator", gettext("Condition %(n)s: comparison", n=number), "select",
                  given.get(f"{at}.operator", ""), options=operators),
            Field(f"{at}.values", gettext("Condition %(n)s: value", n=number),
                  value=given.get(f"{at}.values", ""), max_length=2000,
                  help=gettext("Several with commas between them, for “is one of”.")),
        ]  # fmt: skip
    return found


def _limits(given: Mapping[str, str]) -> list[Field]:
    return [
        Field(f"limits.{name}", gettext(label), "number", given.get(f"limits.{name}", ""),
              minimum=1, step=1)
        for name, label in LIMITS.items()
    ]  # fmt: skip


def read(form: Mapping[str, str], offered: Offered, zone: str) -> Ask:
    """What was filled in.

    Raises:
        Invalid: a number or day that is none; the rest the service finds.
    """
    wrong = Collector()
    types = {one.name: one.schema.get("type") for one in offered.elements}
    rows = []
    for n in range(ROWS):
        name = form.get(f"row.{n}.name", "")
        if name:
            operator = form.get(f"row.{n}.operator", "")
            known = wrong.check(
                operator in {*Operator}, f"row.{n}.operator", "is not one of the choices"
            )
            chosen = Operator(operator) if known else Operator.EQ
            text = form.get(f"row.{n}.values", "")
            parts = text.split(",") if chosen is Operator.ANY_OF else [text]
            values = tuple(_value(part.strip(), types.get(name)) for part in parts)
            rows.append(AskedRows(name, chosen, values))
    limits = Limits(**{name: _number(form, f"limits.{name}", wrong) for name in LIMITS})
    begins = _day(form, "begins", zone, wrong)
    ends = _day(form, "ends", zone, wrong, after=1)
    wrong.finish()
    return Ask(
        frozenset(filter(None, (form.get(f"purpose.{n}", "") for n in range(PURPOSES)))),
        tuple(
            AskedField(one.name, form[f"field.{one.name}"] == _WHOLE)
            for one in offered.elements
            if form.get(f"field.{one.name}") in {_WHOLE, _MASKED}
        ),
        tuple(rows), limits, begins, ends,
    )  # fmt: skip


def _value(text: str, kind: object) -> Value:
    if kind == "boolean" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    readers: dict[object, Any] = {"integer": int, "number": float}
    try:
        found: Value = readers.get(kind, str)(text)
    except ValueError:
        return text
    return found


def _number(form: Mapping[str, str], name: str, wrong: Collector) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    good = text.isascii() and text.isdigit() and len(text) <= 13  # noqa: PLR2004 - digits
    return int(text) if wrong.check(good, name, "must be a whole number") else None


def _day(
    form: Mapping[str, str], name: str, zone: str, wrong: Collector, *, after: int = 0
) -> datetime:
    try:
        day = date.fromisoformat(form.get(name, "")) + timedelta(days=after)
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        wrong.check(False, name, "must be a day")
        return datetime.min.replace(tzinfo=UTC)


def filled(ask: Ask, zone: str) -> dict[str, str]:
    """An ask as the form would send it."""
    city = ZoneInfo(zone)
    found = {
        "begins": ask.begins.astimezone(city).date().isoformat(),
        "ends": (ask.ends - timedelta(microseconds=1)).astimezone(city).date().isoformat(),
    }
    found |= {f"purpose.{n}": one for n, one in enumerate(sorted(ask.purposes))}
    found |= {f"field.{one.name}": _WHOLE if one.whole else _MASKED for one in ask.fields}
    for n, row in enumerate(ask.rows):
        texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in row.values]
        found |= {
            f"row.{n}.name": row.name, f"row.{n}.operator": row.operator.value,
            f"row.{n}.values": ",".join(texts),
        }  # fmt: skip
    for name in LIMITS:
        most = getattr(ask.limits, name)
        if most is not None:
            found[f"limits.{name}"] = str(most)
    return found


def placed(problems: Sequence[Problem], ask: Ask | None) -> list[Problem]:
    """The problems of an ask at the fields of the form."""
    found = []
    for one in problems:
        head, _, rest = one.field.partition(".")
        number, _, last = rest.partition(".")
        name = one.field
        if head == "purposes":
            name = "purpose.0" if not number else f"purpose.{number}"
        elif head == "rows" and number:
            name = f"row.{number}.{last.partition('.')[0]}"
        elif head == "fields" and number and ask is not None:
            name = f"field.{ask.fields[int(number)].name}"
        found.append(Problem(name, one.message, one.code))
    return found
