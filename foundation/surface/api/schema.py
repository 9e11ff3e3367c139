"""What goes over the wire: base models, field types of the city's values, and strict reading.

Reading is strict, so that the published schema is the truth: a number is not a text, a field that
is not named is wrong, and every wrong field of a body is reported at once.
"""

import json
import math
import re
import typing
from decimal import Decimal
from typing import Annotated, Any, Generic, NoReturn, TypeAlias, TypeVar

import pydantic
from flask import Request
from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema
from pydantic_core import ErrorDetails, PydanticCustomError

from foundation.kernel.canonical import decimal_text
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.money import Money
from foundation.kernel.paging import DEFAULT_LIMIT, MAX_LIMIT, PageRequest
from foundation.kernel.text import Text, keepable
from foundation.kernel.time import format_instant, parse_instant
from foundation.surface.api.problems import BadRequest, UnsupportedMediaType

#: What a view may answer: an object for its ``output`` model, or a tuple with status and headers.
Answer: TypeAlias = Any

T = TypeVar("T")
M = TypeVar("M", bound=pydantic.BaseModel)

_MAX_DEPTH = 64
_DECIMAL = r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"
_LINE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


class Schema(pydantic.BaseModel):
    """What an endpoint answers; made from a mapping, or from any object with these attributes."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """``PageOut[Order]`` is published as ``OrderPageOut``: names of components are plain."""
        return "".join(getattr(p, "__name__", str(p)) for p in params) + cls.__name__


class Input(pydantic.BaseModel):
    """What an endpoint takes; a field that is not named here is an error."""

    model_config = ConfigDict(extra="forbid")


class PageOut(Schema, Generic[T]):
    """A part of a list; ``next`` is the cursor of the part after it, null at the end."""

    items: list[T]
    next: str | None = None


class PageQuery(Input):
    """The parameters of every list."""

    cursor: Annotated[str, pydantic.Field(max_length=2000)] | None = None
    limit: Annotated[int, pydantic.Field(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT

    def page(self) -> PageRequest:
        """The part of the list that is wanted."""
        return PageRequest(self.cursor, self.limit)


def _read_decimal(value: Any) -> Any:  # noqa: ANN401 - outside data
    if isinstance(value, Decimal):
        return value
    if isinstance(value, str) and re.fullmatch(_DECIMAL, value, re.ASCII):
        return Decimal(value)
    raise PydanticCustomError("decimal", "must be a decimal number as text, such as '12.50'")


def _read_instant(value: Any) -> Any:  # noqa: ANN401 - outside data
    if not isinstance(value, str):
        return value
    if not _INSTANT.fullmatch(value):
        raise PydanticCustomError("instant", "must be an RFC 3339 date-time such as '…T09:00:00Z'")
    try:
        return parse_instant(value.upper())
    except Invalid as error:
        message = error.problems[0].message
        raise PydanticCustomError("instant", "{reason}", {"reason": message}) from None


def _no_control(value: str) -> str:
    if any(ord(c) < ord(" ") or ord(c) == 0x7F for c in value):  # noqa: PLR2004 - DEL
        raise PydanticCustomError("control", "must not contain control characters")
    if not value.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return value


#: An exact decimal, on the wire as text so that no reader rounds it.
DecimalText = Annotated[
    Decimal,
    BeforeValidator(_read_decimal),
    PlainSerializer(decimal_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DECIMAL, "examples": ["12.5"]}),
]

#: An instant in UTC; RFC 3339 on the wire, with any offset on the way in.
Instant = Annotated[
    pydantic.AwareDatetime,
    BeforeValidator(_read_instant),
    PlainSerializer(format_instant, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

#: One line of text a person reads: not blank, at most 200 characters.
Line = Annotated[
    str,
    pydantic.Field(min_length=1, max_length=200, json_schema_extra={"pattern": _LINE}),
    AfterValidator(_no_control),
]

#: The name of a thing in an address: lower case letters, digits and dashes.
Slug = Annotated[
    str, pydantic.Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", min_length=1, max_length=63)
]


class MoneyBody(Schema):
    """An amount of a currency (ISO 4217)."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    amount: DecimalText
    currency: Annotated[str, pydantic.Field(pattern=r"^[A-Z]{3}$")]

    def value(self) -> Money:
        """The kernel's value."""
        return Money(self.amount, self.currency)


class TextBody(Schema):
    """A text in the city's two languages."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")

    en: Line
    zh: Line

    def value(self) -> Text:
        """The kernel's value."""
        return Text(self.en, self.zh)


def read_json(request: Request, model: type[M]) -> M:
    """The body of a request.

    Raises:
        UnsupportedMediaType: it is not JSON.
        BadRequest: it says it is JSON and is not.
        Invalid: it names every wrong field.
    """
    if not request.is_json:
        raise UnsupportedMediaType("send the body as application/json")
    raw = request.get_data()
    load_json(raw)
    try:
        return model.model_validate_json(raw, strict=True)
    except pydantic.ValidationError as error:
        raise invalid(error) from None


def read_form_or_json(request: Request, model: type[M]) -> M:
    """The body of a request, as JSON or as a form of texts (OAuth's endpoints take forms).

    Raises:
        UnsupportedMediaType: it is neither.
        BadRequest: it is not what it says, or holds what cannot be kept.
        Invalid: it names every wrong field.
    """
    if request.mimetype != "application/x-www-form-urlencoded":
        return read_json(request, model)
    values = request.form.to_dict()
    _check_texts(values)
    repeated = sorted(name for name, found in request.form.lists() if len(found) > 1)
    problems = [Problem(name, "must be given once", "repeated") for name in repeated]
    try:
        result = model.model_validate_json(json.dumps(values), strict=True)
    except pydantic.ValidationError as error:
        raise Invalid([*problems, *invalid(error).problems]) from None
    if problems:
        raise Invalid(problems)
    return result


def read_query(request: Request, model: type[M]) -> M:
    """The query parameters of a request, as strictly as a body whose types the model tells.

    Raises:
        Invalid: it names every wrong parameter.
    """
    values: dict[str, Any] = {}
    problems = []
    for name, found in request.args.lists():
        field = model.model_fields.get(name)
        kinds = _kinds(field.annotation) if field is not None else frozenset[Any]()
        read = [_scalar(text, kinds) for text in found]
        values[name] = read if list in kinds else read[0]
        if len(found) > 1 and list not in kinds:
            problems.append(Problem(name, "must be given once", "repeated"))
    try:
        result = model.model_validate_json(json.dumps(values), strict=True)
    except pydantic.ValidationError as error:
        raise Invalid([*problems, *invalid(error).problems]) from None
    if problems:
        raise Invalid(problems)
    return result


def _kinds(annotation: Any) -> frozenset[Any]:  # noqa: ANN401
    """All types that an annotation mentions: ``list[int] | None`` mentions list, int and None."""
    inner = [_kinds(argument) for argument in typing.get_args(annotation)]
    return frozenset({typing.get_origin(annotation) or annotation}).union(*inner)


def _scalar(text: str, kinds: frozenset[Any]) -> str | int | bool:
    if int in kinds and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text, re.ASCII):
        return int(text)
    if bool in kinds and text in {"true", "false"}:
        return text == "true"
    return text


def load_json(raw: bytes) -> Any:  # noqa: ANN401
    """JSON as RFC 8259 has it: no NaN, no repeated name, no depth or text that we cannot keep.

    Raises:
        BadRequest: it is not that.
    """
    try:
        value = json.loads(
            raw.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body is not JSON that can be kept: {error}") from None
    _check_depth(value)
    # What cannot be kept is not UTF-8, or no character of a JSON text: it comes by escapes only.
    if b"\\u" in raw:
        _check_texts(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is repeated in an object")
    return result


def _check_depth(value: Any) -> None:  # noqa: ANN401
    """Refuse what is nested too deeply, one level after the other."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MAX_DEPTH):
        if not level:
            return
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, dict | list)
        ]
    if any(level):
        raise BadRequest("the body is nested too deeply")


def _check_texts(value: Any) -> None:  # noqa: ANN401
    """Refuse what PostgreSQL cannot hold: the NUL character, and halves of surrogate pairs."""
    if isinstance(value, str):
        if not keepable(value):
            raise BadRequest("a text holds a character that cannot be kept (NUL or a surrogate)")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_texts(name)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def invalid(error: pydantic.ValidationError) -> Invalid:
    """Pydantic's findings as ours: a dotted field, a clause and a code for each."""
    return Invalid([_problem(found) for found in error.errors(include_url=False)])


_PLAIN = {
    "missing": ("is required", "required"),
    "extra_forbidden": ("is not a field of this request", "unknown"),
}


def _problem(found: ErrorDetails) -> Problem:
    field = ".".join(str(step) for step in found["loc"])
    if found["type"] in _PLAIN:
        message, code = _PLAIN[found["type"]]
        return Problem(field, message, code)
    message = found["msg"].removeprefix("Value error, ")
    for opening in ("Input should ", "String should ", "List should ", "Decimal should "):
        message = message.replace(opening, "should ", 1) if message.startswith(opening) else message
    return Problem(field, message[:1].lower() + message[1:], found["type"])
