"""The form of a camera, drawn and read."""

import re
from collections.abc import Mapping

from flask_babel import gettext

from foundation.kernel.errors import Collector, Problem
from foundation.kernel.text import Text
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from workloads.video_analytics.cameras.model import (
    PRIORITY_MAX,
    TIMEZONE,
    Camera,
    DataClass,
    Place,
    Settings,
    SourceKind,
)
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.departments.pages import options
from workloads.video_analytics.vision.model import Point, Tier

TIERS = {
    Tier.ACCESS: N_("live view and health only"),
    Tier.KEY_FRAMES: N_("key frames"),
    Tier.LOW_RATE: N_("low rate"),
    Tier.FULL: N_("full"),
}
CLASSES = {
    DataClass.PUBLIC: N_("public"),
    DataClass.INTERNAL: N_("internal"),
    DataClass.SENSITIVE: N_("sensitive"),
}
_ON = {"on", "true"}


def camera_form(
    there: Camera | None, sent: Mapping[str, str], problems: tuple[Problem, ...]
) -> Form:
    """The form of a new camera, or of one that is there; what was sent goes before."""
    values = (_values(there) if there else {"timezone": TIMEZONE, "enabled": "on"}) | dict(sent)

    def text(name: str, label: str, longest: int = 200, *, required: bool = False) -> Field:
        return Field(name, label, value=values.get(name, ""), required=required, max_length=longest)

    kinds = tuple(Option(kind.value, kind.value.upper()) for kind in SourceKind)
    tiers = tuple(Option(tier.value, gettext(TIERS[tier])) for tier in Tier)
    classes = tuple(Option(one.value, gettext(CLASSES[one])) for one in DataClass)
    kept = gettext("Empty: the present address stays.") if there else ""
    fields = [
        text("name.en", gettext("Name in English"), required=True),
        text("name.zh", gettext("Name in Chinese"), required=True),
        Field("path", gettext("Department"), "select", values.get("path", ""), required=True,
              options=options()),
        Field("source.kind", gettext("Source"), "radio", values.get("source.kind", "rtsp"),
              options=kinds, required=True),
        Field("source.url", gettext("Address"), value=values.get("source.url", ""),
              required=there is None, max_length=2000, help=kept,
              note=there.source.location if there else ""),
        Field("source.username", gettext("User name"), autocomplete="off",
              value=values.get("source.username", ""), max_length=500),
        Field("source.password", gettext("Password"), "password", autocomplete="new-password",
              max_length=500, help=gettext("Kept sealed; it is never shown again.")),
        text("code", gettext("Code in the city's list"), 64),
        text("groups", gettext("Groups"), 1300),
        text("place.text", gettext("Place"), 400),
        Field("place.latitude", gettext("Latitude"), "number", values.get("place.latitude", ""),
              minimum=-90, maximum=90, unit="°"),
        Field("place.longitude", gettext("Longitude"), "number",
              values.get("place.longitude", ""), minimum=-180, maximum=180, unit="°"),
        text("timezone", gettext("Time zone"), 60),
        Field("data_class", gettext("Data class"), "radio", values.get("data_class", "internal"),
              options=classes),
        Field("tier", gettext("How closely it is watched"), "radio",
              values.get("tier", "low_rate"), options=tiers),
        Field("priority", gettext("Priority"), "number", values.get("priority", "5"),
              minimum=0, maximum=PRIORITY_MAX, step=1),
        text("vendor", gettext("Maker")),
        text("model", gettext("Model")),
        Field("masks", gettext("Masks"), "textarea", values.get("masks", ""),
              help=gettext("Never analysed, kept or shown: a polygon a line, such as "
                           "0,0 0.3,0 0.3,0.2")),
        Field("overhead", gettext("It looks straight down"), "checkbox",
              values.get("overhead", "")),
        Field("enabled", gettext("It is watched"), "checkbox", values.get("enabled", "")),
    ]  # fmt: skip
    return Form.of(fields, problems)


def _values(there: Camera) -> dict[str, str]:
    one = there.settings
    numbers = {"latitude": one.place.latitude, "longitude": one.place.longitude}
    return {
        "name.en": one.name.en,
        "name.zh": one.name.zh,
        "path": one.path,
        "source.kind": there.source.kind.value,
        "code": one.code,
        "groups": " ".join(one.groups),
        "place.text": one.place.text,
        **{f"place.{name}": "" if n is None else str(n) for name, n in numbers.items()},
        "timezone": one.timezone,
        "data_class": one.data_class.value,
        "tier": one.tier.value,
        "priority": str(one.priority),
        "vendor": one.vendor,
        "model": one.model,
        "masks": "\n".join(points_text(mask, " ") for mask in one.masks),
        "overhead": "on" if one.overhead else "",
        "enabled": "on" if one.enabled else "",
    }


def points_text(points: tuple[Point, ...], between: str) -> str:
    """Points as people type them."""
    return between.join(f"{point.x:g},{point.y:g}" for point in points)


def read_points(found: Collector, name: str, text: str) -> tuple[Point, ...]:
    """Points as people type them: two numbers each, with anything between them."""
    parts = [part for part in re.split(r"[,;\s]+", text) if part]
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [float("nan")]
    if not found.check(len(numbers) % 2 == 0, name, "must be points of two numbers each"):
        return ()
    return tuple(Point(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))


def read_camera(sent: Mapping[str, str], there: Camera | None) -> tuple[Settings, SourceWish]:
    """What a form says; its source has no address when that was left empty.

    Raises:
        Invalid: what cannot be read at all; the service names the rest.
    """
    found = Collector()

    def text(name: str) -> str:
        return sent.get(name, "").strip()

    def number(name: str) -> float | None:
        try:
            value = float(text(name)) if text(name) else None
        except ValueError:
            found.check(False, name, "must be a number")
            value = None
        return value

    def chosen(name: str, words: type[DataClass | Tier | SourceKind], otherwise: str) -> str:
        value = text(name) or otherwise
        known = value in {str(word) for word in words}
        found.check(known, name, "is none of the choices")
        return value if known else otherwise

    masks = [line for line in text("masks").splitlines() if line.strip()]
    priority = number("priority")
    settings = Settings(
        name=Text(text("name.en"), text("name.zh")),
        path=text("path"),
        code=text("code"),
        vendor=text("vendor"),
        model=text("model"),
        groups=tuple(sorted(set(re.split(r"[,;\s]+", text("groups"))) - {""})),
        place=Place(text("place.text"), number("place.latitude"), number("place.longitude")),
        timezone=text("timezone") or TIMEZONE,
        data_class=DataClass(chosen("data_class", DataClass, "internal")),
        masks=tuple(read_points(found, f"masks.{at}", line) for at, line in enumerate(masks)),
        overhead=_checked(sent, "overhead"),
        tier=Tier(chosen("tier", Tier, "low_rate")),
        priority=5 if priority is None or priority != priority // 1 else int(priority),
        enabled=_checked(sent, "enabled"),
    )
    kind = SourceKind(chosen("source.kind", SourceKind, "rtsp"))
    # A password that is typed without an address is for the address that is kept.
    wish = SourceWish(
        kind, text("source.url"), text("source.username"), sent.get("source.password", "")
    )
    if there is not None and not wish.url:
        alone = not (wish.username or wish.password)
        found.check(alone, "source.url", "is required with another name or password", "required")
    found.finish()
    return settings, wish


def _checked(sent: Mapping[str, str], name: str) -> bool:
    values = sent.getlist(name) if hasattr(sent, "getlist") else [sent.get(name, "")]
    return bool(values) and values[-1] in _ON
