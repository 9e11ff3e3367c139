"""Forms drawn from JSON Schema 2020-12, and fields that pages declare themselves.

What the schema has no word for stands under ``x-borough-`` keys (or ``x-`` alone):

====================  ==========================================================================
``x-borough-title``   ``{zh: …}``, the Chinese of ``title``
``x-borough-help``    ``{zh: …}``, the Chinese of ``description``
``x-borough-enum``    ``{value: {en: …, zh: …}}``: how the values of ``enum`` are called
``x-borough-unit``    text or ``{en: …, zh: …}``, shown behind the input
``x-borough-note``    ``{en: …, zh: …}``: a sentence that warns before one chooses
``x-borough-widget``  ``radio``, ``select``, ``textarea`` or ``password`` instead of the usual
``x-borough-order``   position in the form; those without one follow, required ones first
``x-borough-hidden``  true: the platform fills it, no form asks for it
``x-zh``              ``{title: …, description: …}``: both in Chinese, in one key
====================  ==========================================================================

The order of properties means nothing: schemas come out of a database that does not keep it.

Reading a form only converts types ("2" becomes 2); what cannot be converted stays as it was typed,
so that the feature's own validation names every wrong field at once, in the same words as the API.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from foundation.kernel.errors import Problem
from foundation.surface.web.i18n import language, local, say_problem

Schema = Mapping[str, Any]

_FEW = 4
_ON = {"on", "true", "1", "yes"}


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field."""

    value: str
    label: str
    note: str = ""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form, ready for the ``field`` macro.

    Attributes:
        name: the dotted path under which the form sends it, and under which problems name it.
        kind: ``text``, ``number``, ``date``, ``email``, ``password``, ``textarea``, ``select``,
            ``radio``, ``checkbox``, ``checkboxes`` or ``lines`` (one value a line).
        problems: sentences that say what is wrong, in the request's language.
    """

    name: str
    label: str
    kind: str = "text"
    value: Any = ""
    help: str = ""
    note: str = ""
    unit: str = ""
    required: bool = False
    options: tuple[Option, ...] = ()
    minimum: Any = None
    maximum: Any = None
    step: Any = None
    min_length: int | None = None
    max_length: int | None = None
    autocomplete: str = ""
    problems: tuple[str, ...] = ()
    group: str = ""

    @property
    def id(self) -> str:
        """The id of the input in the page."""
        return "f-" + self.name.replace(".", "-").replace("_", "-")

    @property
    def limits(self) -> str:
        """The limits as a hint: ``1–8``, ``at most 63 characters``."""
        if self.kind == "number":
            return _range(self.minimum, self.maximum)
        if self.max_length is not None and self.kind in {"text", "textarea"}:
            return str(gettext("at most %(n)s characters", n=self.max_length))
        return ""

    @property
    def input_mode(self) -> str:
        """What keyboard a phone shows."""
        return "numeric" if self.kind == "number" and self.step == 1 else "decimal"


def _range(low: Any, high: Any) -> str:  # noqa: ANN401 - any number
    if low is not None and high is not None:
        return f"{low:,}–{high:,}"
    if low is not None:
        return str(gettext("at least %(n)s", n=f"{low:,}"))
    if high is not None:
        return str(gettext("at most %(n)s", n=f"{high:,}"))
    return ""


def with_problems(fields: Iterable[Field], problems: Iterable[Problem]) -> list[Field]:
    """The fields, each with what is wrong with it."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.field, []).append(say_problem(problem))
    return [
        replace(
            f, problems=tuple(text for name in found if _names(name, f) for text in found[name])
        )
        for f in fields
    ]


def _names(problem_field: str, shown: Field) -> bool:
    return problem_field == shown.name or problem_field.startswith(shown.name + ".")


def unplaced(fields: Sequence[Field], problems: Iterable[Problem]) -> list[str]:
    """What is wrong with no field of the form; the summary names it too."""
    return [
        f"{p.field}: {say_problem(p)}" if p.field else say_problem(p)
        for p in problems
        if not any(_names(p.field, f) for f in fields)
    ]


# --- from a schema


def draw(
    schema: Schema, values: Mapping[str, Any], prefix: str = "", group: str = ""
) -> list[Field]:
    """The fields of an object's schema with the given values, in the order people see them."""
    required = set(schema.get("required", ()))
    fields: list[Field] = []
    for name, rule in _in_order(schema):
        if _hint(rule, "hidden") or "const" in rule:
            continue
        path = f"{prefix}.{name}" if prefix else name
        if rule.get("type") == "object":
            inner = values.get(name)
            fields += draw(
                rule, inner if isinstance(inner, Mapping) else {}, path, _title(name, rule)
            )
            continue
        value = values.get(name, rule.get("default", ""))
        fields.append(_field(path, name, rule, value, required=name in required, group=group))
    return fields


def _in_order(schema: Schema) -> list[tuple[str, Schema]]:
    required = list(schema.get("required", ()))

    def place(item: tuple[str, Schema]) -> tuple[float, int]:
        name, rule = item
        order = _hint(rule, "order")
        return (
            order if isinstance(order, int | float) else float("inf"),
            required.index(name) if name in required else len(required),
        )

    return sorted(schema.get("properties", {}).items(), key=place)


def _hint(rule: Schema, name: str) -> Any:  # noqa: ANN401 - any JSON value
    return rule.get(f"x-borough-{name}", rule.get(f"x-{name}"))


def said(rule: Schema, key: str) -> str:
    """The ``title`` or ``description`` of a schema in the request's language."""
    hint = "help" if key == "description" else key
    other = _hint(rule, hint) or {language(): rule.get(f"x-{language()}", {}).get(key)}
    return str(other.get(language()) or rule.get(key, ""))


def unit_of(rule: Schema) -> str:
    """The unit of a schema's values in the request's language; may be empty."""
    return local(_hint(rule, "unit"))


def described(schema: Schema, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values as a form would call them, in its order: title, and the value with its unit.

    What the schema does not name (of an older revision) keeps its own name.
    """
    rules = dict(_in_order(schema))
    names = [name for name in rules if name in values] + [n for n in values if n not in rules]
    return [
        (_title(name, rules.get(name, {})), _described(rules.get(name, {}), values[name]))
        for name in names
    ]


def _described(rule: Schema, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, list):
        return ", ".join(_described(rule.get("items", {}), one) for one in value)
    named = (_hint(rule, "enum") or {}).get(_as_text(value))
    text = f"{value:,}" if isinstance(value, int) else _as_text(value)
    return local(named) if named else " ".join(part for part in (text, unit_of(rule)) if part)


def _title(name: str, rule: Schema) -> str:
    return said(rule, "title") or name.replace("_", " ")


def _field(
    path: str,
    name: str,
    rule: Schema,
    value: Any,  # noqa: ANN401 - any JSON value
    *,
    required: bool,
    group: str,
) -> Field:
    return Field(
        name=path,
        label=_title(name, rule),
        kind=_kind(rule),
        value="\n".join(map(_as_text, value)) if _kind(rule) == "lines" and value else value,
        help=said(rule, "description"),
        note=local(_hint(rule, "note")) or _shape(rule),
        unit=unit_of(rule),
        required=required,
        options=_options(rule, required=required),
        minimum=rule.get("minimum", rule.get("exclusiveMinimum")),
        maximum=rule.get("maximum", rule.get("exclusiveMaximum")),
        step=rule.get("multipleOf", 1 if rule.get("type") == "integer" else "any"),
        min_length=rule.get("minLength"),
        max_length=rule.get("maxLength"),
        group=group,
    )


def _shape(rule: Schema) -> str:
    """How to write what has parts: one a line, as JSON."""
    parts = rule.get("items", {}).get("properties") if rule.get("type") == "array" else None
    if not parts:
        return ""
    form = ", ".join(f'"{name}": …' for name in parts)
    return str(gettext("One a line, as JSON: %(form)s", form=f"{{{form}}}"))


def _kind(rule: Schema) -> str:
    kind = _kind_of_type(rule)
    widget = str(_hint(rule, "widget") or "")
    return widget if widget in {"radio", "select", "textarea", "password"} else kind


def _kind_of_type(rule: Schema) -> str:
    kind = rule.get("type")
    if kind == "array":
        return "checkboxes" if "enum" in rule.get("items", {}) else "lines"
    if "enum" in rule:
        return "radio" if len(rule["enum"]) <= _FEW else "select"
    by_type = {"boolean": "checkbox", "integer": "number", "number": "number"}
    by_format = {"date": "date", "email": "email"}
    return by_type.get(str(kind)) or by_format.get(str(rule.get("format")), "text")


def _options(rule: Schema, *, required: bool) -> tuple[Option, ...]:
    source = rule.get("items", {}) if rule.get("type") == "array" else rule
    names = _hint(rule, "enum") or _hint(source, "enum") or {}
    options = [
        Option(_as_text(value), local(names.get(_as_text(value), _as_text(value))))
        for value in source.get("enum", ())
        if value is not None
    ]
    if options and not required and _kind(rule) == "select":
        options.insert(0, Option("", "—"))
    return tuple(options)


def _as_text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- back from the browser


def read(schema: Schema, form: "MultiDict[str, str]", prefix: str = "") -> dict[str, Any]:
    """The values of an object as a form sent them; what was left empty is left out."""
    values: dict[str, Any] = {}
    for name, rule in schema.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        if rule.get("type") == "object":
            values[name] = read(rule, form, path)
        elif rule.get("type") == "boolean":
            if _sent(form, path):
                values[name] = form.getlist(path)[-1] in _ON
        elif rule.get("type") == "array":
            if _sent(form, path):
                values[name] = _items(rule, form.getlist(path))
        elif form.get(path, "").strip():
            values[name] = _convert(rule, form[path].strip())
    return values


def _sent(form: "MultiDict[str, str]", path: str) -> bool:
    return path in form


def _items(rule: Schema, texts: list[str]) -> list[Any]:
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [_convert(rule.get("items", {}), line) for line in lines if line]


def _convert(rule: Schema, text: str) -> Any:  # noqa: ANN401 - any JSON value
    for value in rule.get("enum", ()):
        if _as_text(value) == text:
            return value
    if rule.get("type") == "object":
        return _parsed(text)
    readers: dict[str, type] = {"integer": int, "number": float}
    reader = readers.get(str(rule.get("type")))
    if reader is None:
        return text
    try:
        return int(text) if reader is float and text.lstrip("-").isdigit() else reader(text)
    except ValueError:
        return text


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What a line of JSON says; the text itself when it is none, which the schema then refuses."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@dataclass(slots=True)
class Form:
    """The state of a form on a page: its fields and what is wrong beyond them."""

    fields: list[Field] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @staticmethod
    def of(fields: Iterable[Field], problems: Iterable[Problem] = ()) -> "Form":
        """A form with its problems placed."""
        listed, wrong = list(fields), list(problems)
        return Form(with_problems(listed, wrong), unplaced(listed, wrong))

    @property
    def wrong(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.other) or any(f.problems for f in self.fields)

    def __getitem__(self, name: str) -> Field:
        for shown in self.fields:
            if shown.name == name:
                return shown
        raise KeyError(name)

    def under(self, prefix: str) -> list[Field]:
        """The fields below a dotted prefix."""
        return [f for f in self.fields if f.name.startswith(prefix + ".")]
