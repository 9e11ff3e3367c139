"""What is wrong with a description; all of it at once."""

import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from foundation.kernel import canonical
from foundation.kernel.errors import Collector, Invalid
from foundation.kernel.text import Text, keepable
from workloads.data_exchange.directory.elements import Element
from workloads.data_exchange.directory.interface import (
    SCHEMES,
    AuthenticationKind,
    Interface,
)
from workloads.data_exchange.directory.model import Body, Distribution, Kind
from workloads.data_exchange.directory.vocabulary import (
    ACCESS,
    FORMAT,
    FREQUENCIES,
    is_licence,
    is_theme,
)

#: Looks at an address that our machines may one day open: (address, schemes, field).
Reach = Callable[[str, tuple[str, ...], str], object]

TITLE_MAX, TEXT_MAX, SHORT_MAX, ADDRESS_MAX = 400, 10_000, 200, 2000
KEYWORDS_MAX, THEMES_MAX, ELEMENTS_MAX, DISTRIBUTIONS_MAX, SERVES_MAX = 100, 20, 1000, 200, 500
SCHEMA_MAX = 200_000
SECONDS_MAX = 600
CACHE_MAX = 30 * 86_400

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_POINTER = re.compile(r"(?:/(?:[^~/\x00-\x1f]|~[01])*)*")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@%-]|\{[a-z][a-zA-Z0-9_]{0,39}\})*)+")
_DOTS = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,190}")
#: Headers that say who asks whom, or how the body is sent: they are the gateway's own.
_OWN_HEADERS = frozenset({
    "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer",
    "keep-alive", "proxy-authorization", "proxy-connection", "expect",
})  # fmt: skip


def check(body: Body, kind: Kind, reach: Reach) -> None:
    """Refuse a description that is wrong.

    Args:
        body: the description.
        kind: of the entry.
        reach: refuses addresses to which our machines may not go.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    _texts(found, body)
    _codes(found, body)
    _elements(found, body.elements)
    _distributions(found, body.distributions)
    if kind is Kind.SERVICE:
        if found.check(body.interface is not None, "interface", "is required", "required"):
            _interface(found, body.interface, reach)  # type: ignore[arg-type]
        found.check(not body.elements, "elements", "belong to data sets, not to services")
        found.check(not body.distributions, "distributions", "belong to data sets")
    else:
        found.check(body.interface is None, "interface", "belongs to services")
        found.check(not body.serves, "serves", "belongs to services")
    if kind is Kind.SERIES:
        found.check(not body.series, "series", "a series is in no series")
        found.check(not body.distributions, "distributions", "belong to data sets")
    found.finish()


def check_shown(body: Body, kind: Kind) -> None:
    """What must be there before an entry is published, beyond what a draft must have.

    Raises:
        Invalid: names every field that is missing.
    """
    found = Collector()
    found.check(body.themes, "themes", "at least one is required before review", "required")
    found.check(
        body.contact.name or body.contact.email or body.contact.url,
        "contact", "is required before review", "required",
    )  # fmt: skip
    found.check(body.legal_basis, "legal_basis", "is required before review", "required")
    if kind is Kind.DATASET:
        found.check(body.elements, "elements", "at least one is required before review", "required")
    if kind is Kind.SERVICE:
        video = body.interface is not None and body.interface.protocol.video
        found.check(
            body.serves or video, "serves", "names no data set: a service gives at least one"
        )
    found.finish()


def _texts(found: Collector, body: Body) -> None:
    _text(found, "title", body.title, TITLE_MAX)
    _text(found, "description", body.description, TEXT_MAX)
    short = {
        "identifier": body.identifier, "spatial": body.spatial, "contact.name": body.contact.name,
    }  # fmt: skip
    for name, value in short.items():
        _line(found, name, value, ADDRESS_MAX if name == "spatial" else SHORT_MAX)
    found.check(
        len(body.legal_basis) <= TEXT_MAX and keepable(body.legal_basis),
        "legal_basis", f"must be at most {TEXT_MAX} characters",
    )  # fmt: skip
    found.check(
        not body.contact.email or _EMAIL.fullmatch(body.contact.email),
        "contact.email", "is not an e-mail address",
    )  # fmt: skip
    _address(found, "contact.url", body.contact.url)
    _address(found, "landing_page", body.landing_page)
    found.check(len(body.conforms_to) <= THEMES_MAX, "conforms_to", f"at most {THEMES_MAX}")
    for n, one in enumerate(body.conforms_to):
        _address(found, f"conforms_to.{n}", one, required=True)
    found.check(len(body.keywords) <= KEYWORDS_MAX, "keywords", f"at most {KEYWORDS_MAX}")
    for n, one in enumerate(body.keywords):
        _line(found, f"keywords.{n}", one, SHORT_MAX, required=True)
    begins, ends = _day(found, "begins", body.begins), _day(found, "ends", body.ends)
    found.check(not (begins and ends) or begins <= ends, "ends", "must not be before begins")


def _codes(found: Collector, body: Body) -> None:
    found.check(len(body.themes) <= THEMES_MAX, "themes", f"at most {THEMES_MAX}")
    for n, one in enumerate(body.themes):
        found.check(is_theme(one), f"themes.{n}", "is not a theme such as HEAL or city:water")
    found.check(body.frequency in FREQUENCIES, "frequency", "is not a frequency such as DAILY")
    found.check(body.access in ACCESS, "access", "must be PUBLIC, RESTRICTED or NON_PUBLIC")
    _licence(found, "licence", body.licence)
    found.check(len(body.serves) <= SERVES_MAX, "serves", f"at most {SERVES_MAX}")
    found.check(len(set(body.serves)) == len(body.serves), "serves", "names one twice")


def _licence(found: Collector, name: str, code: str) -> None:
    found.check(
        not code or is_licence(code), name, "is not a licence such as CC_BY_4_0, nor an address"
    )


def _elements(found: Collector, elements: tuple[Element, ...]) -> None:
    found.check(len(elements) <= ELEMENTS_MAX, "elements", f"at most {ELEMENTS_MAX}")
    names: set[str] = set()
    for n, one in enumerate(elements):
        where = f"elements.{n}"
        found.check(
            _NAME.fullmatch(one.name), f"{where}.name",
            "must be 1 to 100 letters, digits, points, hyphens and underscores, a letter first",
        )  # fmt: skip
        found.check(one.name not in names, f"{where}.name", "is there twice")
        names.add(one.name)
        found.check(
            one.pointer and is_pointer(one.pointer), f"{where}.pointer",
            "is not a pointer such as /person/birth",
        )  # fmt: skip
        _text(found, f"{where}.title", one.title, SHORT_MAX)
        _line(found, f"{where}.legal_basis", one.legal_basis, SHORT_MAX * 5)
        _schema(found, f"{where}.schema", one.schema)


def is_pointer(text: str) -> bool:
    """Whether it is a JSON pointer (RFC 6901)."""
    return len(text) <= ADDRESS_MAX and _POINTER.fullmatch(text) is not None


def _distributions(found: Collector, distributions: tuple[Distribution, ...]) -> None:
    found.check(
        len(distributions) <= DISTRIBUTIONS_MAX, "distributions", f"at most {DISTRIBUTIONS_MAX}"
    )
    names: set[str] = set()
    for n, one in enumerate(distributions):
        where = f"distributions.{n}"
        found.check(
            _NAME.fullmatch(one.name) and one.name not in names, f"{where}.name",
            "must be a name that no other one of this data set has",
        )  # fmt: skip
        names.add(one.name)
        _text(found, f"{where}.title", one.title, TITLE_MAX)
        found.check(FORMAT.fullmatch(one.format), f"{where}.format", "is not a format such as CSV")
        _address(found, f"{where}.access_url", one.access_url)
        _address(found, f"{where}.download_url", one.download_url)
        found.check(
            one.access_url or one.service, f"{where}.access_url",
            "is required unless a service gives it", "required",
        )  # fmt: skip
        _line(found, f"{where}.media_type", one.media_type, SHORT_MAX)
        _licence(found, f"{where}.licence", one.licence)
        found.check(
            one.byte_size is None or 0 <= one.byte_size < 2**63,
            f"{where}.byte_size", "must not be negative",
        )  # fmt: skip
        found.check(
            not one.sha256 or _SHA256.fullmatch(one.sha256), f"{where}.sha256",
            "must be 64 hexadecimal digits",
        )  # fmt: skip


def _interface(found: Collector, one: Interface, reach: Reach) -> None:
    _reached(found, "interface.endpoint", one.endpoint, SCHEMES[one.protocol], reach)
    if one.description:
        _reached(found, "interface.description", one.description, ("https", "http"), reach)
    found.check(
        one.methods and set(one.methods) <= _METHODS and len(set(one.methods)) == len(one.methods),
        "interface.methods", "must be some of GET, HEAD, POST, PUT, PATCH, DELETE",
    )  # fmt: skip
    found.check(0 < len(one.paths) <= THEMES_MAX, "interface.paths", f"must be 1 to {THEMES_MAX}")
    for n, path in enumerate(one.paths):
        found.check(
            len(path) <= ADDRESS_MAX and _PATH.fullmatch(path) and not _DOTS.search(path),
            f"interface.paths.{n}", "is not a path such as /persons/{id}",
        )  # fmt: skip
    found.check(is_pointer(one.records), "interface.records", "is not a pointer such as /items")
    _schema(found, "interface.answers", one.answers)
    for name, seconds in (("connect", one.connect_seconds), ("read", one.read_seconds)):
        found.check(
            0 < seconds <= SECONDS_MAX, f"interface.{name}_seconds",
            f"must be more than 0 and at most {SECONDS_MAX}",
        )  # fmt: skip
    found.check(
        0 <= one.cache_seconds <= CACHE_MAX, "interface.cache_seconds",
        f"must be between 0 and {CACHE_MAX}",
    )  # fmt: skip
    known = one.authentication
    if known.kind is AuthenticationKind.BASIC:
        plain = known.username and ":" not in known.username and known.username.isprintable()
        found.check(
            plain and len(known.username) <= SHORT_MAX,
            "interface.authentication.username", "is required, without a colon",
        )  # fmt: skip
    if known.kind is AuthenticationKind.HEADER:
        found.check(
            _HEADER.fullmatch(known.header) and known.header.lower() not in _OWN_HEADERS,
            "interface.authentication.header", "is not a header that may be set",
        )  # fmt: skip


def _reached(
    found: Collector, name: str, address: str, schemes: tuple[str, ...], reach: Reach
) -> None:
    try:
        reach(address, schemes, name)
    except Invalid as error:
        found.include(error)
        return
    parts = urlsplit(address)
    found.check("@" not in parts.netloc, name, "holds credentials: give them as the secret")
    found.check(not parts.query and not parts.fragment, name, "must have no query and no fragment")


def _schema(found: Collector, name: str, schema: dict[str, object] | None) -> None:
    if not schema:
        return
    try:
        size = len(canonical.dumps(schema))
        Draft202012Validator.check_schema(schema)
    except (SchemaError, TypeError, ValueError, RecursionError):
        found.check(False, name, "is not a JSON Schema (2020-12)")
        return
    found.check(size <= SCHEMA_MAX, name, f"must be at most {SCHEMA_MAX} characters")
    # A schema that points elsewhere would have us fetch it, or mean another thing tomorrow.
    found.check(not _points_out(schema), name, "points to another document")


def _points_out(value: object) -> bool:
    level: list[object] = [value]
    while level:
        one = level.pop()
        if isinstance(one, dict):
            for key, item in one.items():
                if key in {"$ref", "$dynamicRef"} and not str(item).startswith("#"):
                    return True
                level.append(item)
        elif isinstance(one, list):
            level.extend(one)
    return False


def _text(found: Collector, name: str, text: Text, longest: int) -> None:
    for language in ("en", "zh"):
        value, where = text.get(language), f"{name}.{language}"
        if found.check(value.strip(), where, "is required", "required"):
            found.check(len(value) <= longest, where, f"must be at most {longest} characters")
            found.check(keepable(value), where, "holds a character that cannot be kept")


def _line(found: Collector, name: str, value: str, longest: int, *, required: bool = False) -> None:
    if required and not found.check(value.strip(), name, "is required", "required"):
        return
    found.check(len(value) <= longest, name, f"must be at most {longest} characters")
    found.check(
        keepable(value) and not any(ord(c) < ord(" ") for c in value),
        name, "must be one line of text",
    )  # fmt: skip


def _address(found: Collector, name: str, value: str, *, required: bool = False) -> None:
    """An address that is shown to people and never opened by us."""
    if not value and not required:
        return
    found.check(is_address(value), name, "is not an address such as https://data.example/sets")


def is_address(value: str) -> bool:
    """Whether people may be sent there: http or https, a host, nothing that breaks out of RDF."""
    if len(value) > ADDRESS_MAX or any(c in value for c in '<>"{}|\\^`') or not value.isprintable():
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and " " not in value
    except ValueError:
        return False


def _day(found: Collector, name: str, value: str) -> str:
    if not value:
        return ""
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        found.check(False, name, "is not a day such as 2026-11-21")
        return ""
