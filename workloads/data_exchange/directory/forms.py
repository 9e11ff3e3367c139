"""The form of a description: drawn, and read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask_babel import gettext
from pydantic import ValidationError

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from workloads.data_exchange.directory.elements import Masking, Sensitivity
from workloads.data_exchange.directory.interface import AuthenticationKind, Protocol
from workloads.data_exchange.directory.model import Body, Kind
from workloads.data_exchange.directory.store import body_json, body_of
from workloads.data_exchange.directory.vocabulary import ACCESS, FREQUENCIES, LICENCES, THEMES

KINDS = {
    Kind.DATASET: N_("Data set"),
    Kind.SERIES: N_("Series"),
    Kind.SERVICE: N_("Service"),
}
_ELEMENT = 7
_FORM = 5

Sent = Mapping[str, str]


def fields(kind: Kind, body: Body | None, sent: Sent, themes: Sequence[str]) -> list[Field]:
    """The fields, filled with what was sent or, if nothing was, with the description."""
    values = {**_values(body), **sent} if sent else _values(body)

    def text(name: str, label: str, **more: Any) -> Field:  # noqa: ANN401
        return Field(name, label, value=values.get(name, ""), **more)

    def choice(name: str, label: str, options: Mapping[str, Text], first: str = "") -> Field:
        found = tuple(Option(code, local(name_)) for code, name_ in options.items())
        return Field(name, label, "select", values.get(name, first), options=found)

    shown = [
        text("title.en", gettext("Title in English"), required=True, max_length=400, group="what"),
        text("title.zh", gettext("Title in Chinese"), required=True, max_length=400),
        text("description.en", gettext("Description in English"), kind="textarea", required=True,
             max_length=10_000),
        text("description.zh", gettext("Description in Chinese"), kind="textarea", required=True,
             max_length=10_000),
        Field("themes", gettext("Themes"), "checkboxes", themes or values.get("themes", ()),
              options=tuple(Option(code, local(name)) for code, name in THEMES.items())),
        text("keywords", gettext("Keywords"), kind="lines", help=gettext("One a line.")),
        choice("frequency", gettext("Updated"), FREQUENCIES, "UNKNOWN"),
        choice("access", gettext("Access"), ACCESS, "RESTRICTED"),
        choice("licence", gettext("Licence"), {"": Text("—", "—"), **LICENCES}),
        text("legal_basis", gettext("Legal basis"), kind="textarea", max_length=10_000,
             help=gettext("Under which law the data are held and shared.")),
        text("contact.name", gettext("Office to ask"), max_length=200),
        text("contact.email", gettext("Its e-mail address"), max_length=200),
    ]  # fmt: skip
    if kind is Kind.SERVICE:
        return shown + _service_fields(values)
    shown.append(text("spatial", gettext("Area"), max_length=400))
    if kind is Kind.DATASET:
        shown += [
            text("elements", gettext("Fields of a record"), kind="lines", help=gettext(
                "One a line: name | pointer | title in English | title in Chinese | type | "
                "sensitivity | masking")),
            text("distributions", gettext("Forms in which it is had"), kind="lines", help=gettext(
                "One a line: name | title in English | title in Chinese | format | address")),
        ]  # fmt: skip
    return shown


def _service_fields(values: Mapping[str, Any]) -> list[Field]:
    def text(name: str, label: str, otherwise: str = "", **more: Any) -> Field:  # noqa: ANN401
        return Field(name, label, value=values.get(name, otherwise), **more)

    return [
        text("serves", gettext("Data sets that it gives"), kind="lines",
             help=gettext("Their ids, one a line; none for a camera.")),
        Field("protocol", gettext("Protocol"), "select", values.get("protocol", "rest"),
              options=tuple(Option(one.value, one.value.upper()) for one in Protocol)),
        text("endpoint", gettext("Address of the provider"), required=True, max_length=2000),
        text("methods", gettext("Methods"), "GET", help=gettext("Separated by blanks.")),
        text("paths", gettext("Paths"), "/", kind="lines",
             help=gettext("Below the address, one a line; {name} stands for one segment.")),
        text("records", gettext("Where the records stand in an answer"),
             help=gettext("A pointer such as /items; empty: the whole answer.")),
        text("answers", gettext("JSON Schema of an answer"), kind="lines"),
        Field("authentication", gettext("How the provider is asked"), "select",
              values.get("authentication", "none"),
              options=tuple(Option(one.value, one.value) for one in AuthenticationKind)),
        text("username", gettext("Name (for basic)"), max_length=200),
        text("header", gettext("Header (for header)"), max_length=100),
        Field("secret", gettext("Secret"), "password", autocomplete="off",
              help=gettext("Kept sealed and never shown; empty leaves it as it is.")),
        text("read_seconds", gettext("Waits for an answer"), "30", unit=gettext("s")),
        text("cache_seconds", gettext("Answers may be kept for"), "0", unit=gettext("s")),
        Field("repeatable", gettext("A call may be made twice without harm"), "checkbox",
              values.get("repeatable", "on")),
    ]  # fmt: skip


def drawn(listed: Sequence[Field], problems: Sequence[Any]) -> Form:
    """The form with what is wrong beside its fields."""
    return Form.of(listed, [replace(one, field=_shown_at(one.field)) for one in problems])


def _shown_at(name: str) -> str:
    part = name.removeprefix("interface.").removeprefix("authentication.")
    head = part.partition(".")[0]
    whole = {"elements", "distributions", "serves", "paths", "keywords", "themes", "methods"}
    return head if head in whole else part.replace("authentication.kind", "authentication")


def read(kind: Kind, sent: Sent, themes: Sequence[str], there: Body | None) -> Body:
    """The description that a form says; what it does not ask stays as it is.

    Raises:
        Invalid: names every field that is no value at all; ``checks`` finds the rest.
    """
    found = Collector()
    raw: dict[str, Any] = body_json(there) if there else {}
    for name in ("title", "description"):
        raw[name] = {tag: sent.get(f"{name}.{tag}", "").strip() for tag in ("en", "zh")}
    for name in ("frequency", "access", "licence", "legal_basis", "spatial"):
        if name in sent:
            raw[name] = sent[name].strip()
    raw["contact"] = {
        **raw.get("contact", {}), "name": sent.get("contact.name", "").strip(),
        "email": sent.get("contact.email", "").strip(),
    }  # fmt: skip
    raw["themes"], raw["keywords"] = list(themes), _lines(sent, "keywords")
    if kind is Kind.SERVICE:
        raw["serves"] = _lines(sent, "serves")
        raw["interface"] = _interface(found, sent, raw.get("interface") or {})
    if kind is Kind.DATASET:
        raw["elements"] = _elements(found, sent, there)
        raw["distributions"] = _distributions(found, sent, there)
    found.finish()
    try:
        return body_of(raw)
    except ValidationError as error:
        for one in error.errors(include_url=False):
            found.check(False, ".".join(map(str, one["loc"])), "is not one of the choices")
        found.finish()
        raise


def _interface(found: Collector, sent: Sent, there: Mapping[str, Any]) -> dict[str, Any]:
    answers: Any = None
    if sent.get("answers", "").strip():
        try:
            answers = json.loads(sent["answers"])
        except (ValueError, RecursionError):
            found.check(False, "answers", "is not JSON")
        found.check(answers is None or isinstance(answers, dict), "answers", "is no object")
    numbers: dict[str, Any] = {}
    for name, kind in (("read_seconds", float), ("cache_seconds", int)):
        try:
            numbers[name] = kind(sent.get(name, "0") or "0")
        except ValueError:
            found.check(False, name, "is not a number")
    return {
        **there, **numbers, "endpoint": sent.get("endpoint", "").strip(),
        "protocol": sent.get("protocol", "rest"), "methods": sent.get("methods", "").split(),
        "paths": _lines(sent, "paths"), "records": sent.get("records", "").strip(),
        "answers": answers if isinstance(answers, dict) else None,
        "repeatable": sent.get("repeatable") == "on",
        "authentication": {
            "kind": sent.get("authentication", "none"), "username": sent.get("username", ""),
            "header": sent.get("header", ""),
        },
    }  # fmt: skip


def _elements(found: Collector, sent: Sent, there: Body | None) -> list[dict[str, Any]]:
    old = {one["name"]: one for one in (body_json(there).get("elements", ()) if there else ())}
    made = []
    for n, text in enumerate(_lines(sent, "elements")):
        parts = [part.strip() for part in text.split("|")]
        parts += [""] * (_ELEMENT - len(parts))
        name, pointer, en, zh, kind, sensitivity, masking = parts[:_ELEMENT]
        ok = sensitivity in {"", *Sensitivity} and masking in {"", *Masking}
        found.check(ok, f"elements.{n}", "names a sensitivity or a masking that there is not")
        schema = dict(old.get(name, {}).get("schema", {}))
        schema |= {"type": kind} if kind else {}
        made.append({
            **old.get(name, {}), "name": name, "pointer": pointer or f"/{name}",
            "title": {"en": en or name, "zh": zh or en or name}, "schema": schema,
            "sensitivity": sensitivity or "internal", "masking": masking or "omit",
        })  # fmt: skip
    return made


def _distributions(found: Collector, sent: Sent, there: Body | None) -> list[dict[str, Any]]:
    old = {one["name"]: one for one in (body_json(there).get("distributions", ()) if there else ())}
    made = []
    for n, text in enumerate(_lines(sent, "distributions")):
        parts = [part.strip() for part in text.split("|")]
        if found.check(len(parts) == _FORM, f"distributions.{n}", "must have five parts"):
            name, en, zh, form, address = parts
            made.append({
                **old.get(name, {}), "name": name, "title": {"en": en, "zh": zh or en},
                "format": form.upper(), "access_url": address,
            })  # fmt: skip
    return made


def _values(body: Body | None) -> dict[str, Any]:
    """A description as the form has it."""
    if body is None:
        return {}
    found: dict[str, Any] = {
        "title.en": body.title.en, "title.zh": body.title.zh,
        "description.en": body.description.en, "description.zh": body.description.zh,
        "themes": body.themes, "keywords": "\n".join(body.keywords),
        "frequency": body.frequency, "access": body.access, "licence": body.licence,
        "legal_basis": body.legal_basis, "contact.name": body.contact.name,
        "contact.email": body.contact.email, "spatial": body.spatial,
        "serves": "\n".join(body.serves),
        "elements": "\n".join(
            " | ".join((
                one.name, one.pointer, one.title.en, one.title.zh,
                str(one.schema.get("type", "")), one.sensitivity.value, one.masking.value,
            ))
            for one in body.elements
        ),
        "distributions": "\n".join(
            f"{one.name} | {one.title.en} | {one.title.zh} | {one.format} | {one.access_url}"
            for one in body.distributions
        ),
    }  # fmt: skip
    called = body.interface
    if called is not None:
        known = called.authentication
        found |= {
            "protocol": called.protocol.value, "endpoint": called.endpoint,
            "methods": " ".join(called.methods), "paths": "\n".join(called.paths),
            "records": called.records, "authentication": known.kind.value,
            "answers": json.dumps(called.answers, indent=1) if called.answers else "",
            "username": known.username, "header": known.header,
            "read_seconds": f"{called.read_seconds:g}", "cache_seconds": str(called.cache_seconds),
            "repeatable": "on" if called.repeatable else "off",
        }  # fmt: skip
    return found


def _lines(sent: Sent, name: str) -> list[str]:
    return [line.strip() for line in sent.get(name, "").splitlines() if line.strip()]
