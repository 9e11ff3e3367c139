"""Values as people read them: money, times, quantities, digests. The template filters.

Numbers and times follow the request's language; all times are UTC and say so.
"""

import functools
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from babel.dates import format_timedelta
from babel.numbers import format_currency as babel_currency
from babel.numbers import format_decimal as babel_decimal
from flask import Flask
from flask_babel import gettext, ngettext
from markupsafe import Markup, escape

from foundation.kernel.money import Money
from foundation.kernel.time import format_instant
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web import states
from foundation.surface.web.i18n import N_, language

_SHORT_DIGEST = 12
_JUST_NOW = 10.0
_SIGNS = {"CNY": "¥", "EUR": "€", "USD": "$", "GBP": "£"}

#: Units as meters name them (UCUM, FOCUS) and as people read them.
UNITS = {
    "h": N_("hours"),
    "hour": N_("hours"),
    "hours": N_("hours"),
    "GB": "GB",
    "GiB": "GiB",
    "GBy": "GB",
    "GBy.h": N_("GB hours"),
    "GB.h": N_("GB hours"),
    "GB-hours": N_("GB hours"),
    "Hours": N_("hours"),
    "vCPU-hours": N_("vCPU hours"),
    "instance-hours": N_("instance hours"),
    "month": N_("month"),
    "instances": N_("instances"),
    "vCPU": "vCPU",
    "count": "",
    "1": "",
}


def now() -> datetime:
    """The platform's time, which a demonstration may have shifted."""
    return use(Runtime).clock.now()


def _digits(amount: Decimal, most: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-most), rounding=ROUND_HALF_EVEN)


def amount(value: Money | None, places: int = 2) -> str:
    """Money with its sign, rounded for reading only: ``¥ 1,284.00``."""
    if value is None:
        return "—"
    sign = _SIGNS.get(value.currency, value.currency)
    pattern = "#,##0." + "0" * min(places, 2) + "#" * max(0, places - 2)
    text = babel_decimal(
        abs(_digits(value.amount, places)), format=pattern if places else "#,##0", locale=language()
    )
    return f"{'−' if value.amount < 0 else ''}{sign} {text}"


def money(value: Money | None, per: str = "", places: int = 2) -> Markup:
    """Money as an element with tabular figures; ``per`` adds ``/ month``; the title is exact."""
    if value is None:
        return Markup('<span class="bo-money">—</span>')
    unit = Markup(' <span class="bo-per">/ {}</span>').format(per) if per else ""
    return Markup('<span class="bo-money" title="{}">{}</span>{}').format(
        f"{value.amount.normalize():f} {value.currency}", amount(value, places), unit
    )


def currency_name(code: str) -> str:
    """The sign of a currency with its code, such as ``CNY (¥)``."""
    return f"{code} ({babel_currency(0, code, '¤', locale=language())})"


def number(value: Any, places: int = 3) -> str:  # noqa: ANN401 - any number
    """A number with separators and at most so many decimals."""
    if value is None:
        return "—"
    return _number(str(value), places, language())


@functools.lru_cache(10_000)
def _number(value: str, places: int, locale: str) -> str:
    form = "#,##0." + "#" * places if places else "#,##0"
    return str(babel_decimal(_digits(Decimal(value), places), format=form, locale=locale))


def unit(name: str) -> str:
    """A unit in the request's language."""
    known = UNITS.get(name, name)
    return str(gettext(known)) if known else ""


def percent(value: Any) -> str:  # noqa: ANN401 - any number
    """A ratio in percent, without decimals."""
    return f"{Decimal(str(value)) * 100:.0f} %"


def absolute(at: datetime) -> str:
    """``2026-11-21 09:12:33 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _relative(at: datetime, from_: datetime) -> str:
    distance = (at - from_).total_seconds()
    if abs(distance) < _JUST_NOW:
        return str(gettext("just now"))
    return str(
        format_timedelta(
            timedelta(seconds=distance), add_direction=True, threshold=1.2, locale=language()
        )
    )


def ago(at: datetime | None) -> Markup:
    """An instant relative to now; the title is absolute."""
    if at is None:
        return Markup("—")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_instant(at), absolute(at), _relative(at, now())
    )


def clock(at: datetime | None) -> Markup:
    """The time of day of an instant; the title is absolute."""
    if at is None:
        return Markup("—")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_instant(at), absolute(at), at.astimezone(UTC).strftime("%H:%M:%S")
    )


def moment(at: datetime | None) -> Markup:
    """When something was seen: the time of day, with the day unless it is today."""
    if at is None or at.astimezone(UTC).date() == now().astimezone(UTC).date():
        return clock(at)
    return stamp(at)


def day(at: datetime | None) -> Markup:
    """The day of an instant; the title is absolute."""
    if at is None:
        return Markup("—")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_instant(at), absolute(at), at.astimezone(UTC).strftime("%Y-%m-%d")
    )


def stamp(at: datetime | None) -> Markup:
    """An instant to the minute, in UTC."""
    if at is None:
        return Markup("—")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        format_instant(at), absolute(at), at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    )


def duration(value: timedelta | float | None) -> str:
    """A length of time: ``4 s``, ``2 min 10 s``, ``3 h 5 min``."""
    if value is None:
        return "—"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    minute, hour = 60, 3600
    if seconds < minute:
        return str(gettext("%(n)s s", n=number(seconds, 1)))
    if seconds < hour:
        whole = int(seconds)
        return str(gettext("%(m)s min %(s)s s", m=whole // minute, s=whole % minute))
    whole = int(seconds)
    return str(gettext("%(h)s h %(m)s min", h=whole // hour, m=whole % hour // minute))


def short_digest(digest: str) -> str:
    """The first characters of a digest, enough to compare by eye."""
    return digest.removeprefix("sha256:")[:_SHORT_DIGEST]


def icon(name: str, label: str = "") -> Markup:
    """A symbol of the design system; decorative unless it has a label."""
    from flask import url_for  # noqa: PLC0415 - only inside a request

    href = url_for("web.static", filename="vendor/img/sprite.svg") + f"#{name}"
    hidden = (
        Markup('role="img" aria-label="{}"').format(label)
        if label
        else Markup('aria-hidden="true"')
    )
    return Markup('<svg class="usa-icon" {} focusable="false"><use href="{}"></use></svg>').format(
        hidden, href
    )


def state(value: Any) -> Markup:  # noqa: ANN401 - any enumeration or word
    """A state as word and icon."""
    shown = states.look(value)
    return Markup('<span class="bo-state bo-state--{}">{}{}</span>').format(
        shown.tone, icon(shown.icon), gettext(shown.word)
    )


def count(value: int, singular: str, plural: str) -> str:
    """A number with its noun."""
    return str(ngettext(singular, plural, value, num=value))


def value_text(value: Any) -> Markup:  # noqa: ANN401 - any JSON value
    """A property of a resource, as a plan shows it; secrets and unknowns by their meaning."""
    meaning = _meaning(value)
    if meaning:
        return Markup('<em class="bo-hidden">{}</em>').format(gettext(meaning))
    if isinstance(value, dict):
        pairs = (Markup("{}: {}").format(k, value_text(v)) for k, v in value.items())
        return Markup("{{{}}}").format(Markup(", ").join(pairs))
    if isinstance(value, list):
        return Markup("[{}]").format(Markup(", ").join(value_text(v) for v in value))
    if isinstance(value, bool):
        return escape(gettext("yes") if value else gettext("no"))
    return escape(str(value))


def _meaning(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """The sentence that stands for a value that cannot be shown, or nothing."""
    if value is None:
        return N_("not set")
    if isinstance(value, dict) and "$secret" in value:
        return N_("secret")
    if isinstance(value, dict) and "$unknown" in value:
        return N_("known after it is made")
    return ""


def install(app: Flask) -> None:
    """Give the templates these filters and functions."""
    app.jinja_env.filters.update(
        money=money,
        amount=amount,
        number=number,
        unit=unit,
        percent=percent,
        ago=ago,
        clock=clock,
        moment=moment,
        day=day,
        stamp=stamp,
        absolute=absolute,
        duration=duration,
        short_digest=short_digest,
        state=state,
        value_text=value_text,
    )
    app.jinja_env.globals.update(icon=icon, count=count, now=now, state_word=states.word)
