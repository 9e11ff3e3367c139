"""Reads the data files of a city into values; names everything that is wrong with them at once."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from control_plane.demonstration.checks import problems_of
from control_plane.demonstration.model import City
from foundation.kernel import yaml_text
from foundation.kernel.errors import Collector, Invalid

#: Wrapped in a tuple because pydantic takes a configuration only for types that have none.
_READER = TypeAdapter[tuple[City]](
    tuple[City],
    config=ConfigDict(extra="forbid", str_min_length=1, str_strip_whitespace=True),
)


def load_city(folder: Traversable | None = None) -> City:
    """Read a city from the ``*.yaml`` files of a folder; the demonstration city without one.

    The files' top-level keys are the attributes of :class:`City`; a list may be spread over several
    files. Files of ``catalogue/`` hold one category each, with its offerings.

    Raises:
        Invalid: names every problem, as ``people.yaml:accounts.3.login``.
    """
    document, origins = _gather(files(__package__) / "data" if folder is None else folder)
    city = _read(document, origins)
    found = Collector()
    for problem in problems_of(city):
        found.check(ok=False, field=problem.field, message=problem.message, code=problem.code)
    found.finish()
    return city


def _gather(folder: Traversable) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """One document of all files, and for each key the file of every element."""
    found = Collector()
    document: dict[str, Any] = {}
    origins: dict[str, list[str]] = {}
    for name, content in _contents(folder, found):
        for key, value in content.items():
            if isinstance(value, list):
                held = document.setdefault(key, [])
                if found.check(isinstance(held, list), f"{name}:{key}", "must not be a list"):
                    held.extend(value)
                    origins.setdefault(key, []).extend([name] * len(value))
            elif found.check(key not in document, f"{name}:{key}", "is already in another file"):
                document[key] = value
                origins[key] = [name]
    found.finish()
    return document, origins


def _contents(folder: Traversable, found: Collector) -> list[tuple[str, Mapping[str, Any]]]:
    contents = []
    for name, file in _yaml_files(folder):
        try:
            content = yaml_text.read(file.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            where = " ".join(str(error).split())
            found.check(ok=False, field=name, message=f"is not YAML: {where}")
            continue
        if found.check(isinstance(content, dict), name, "must be a mapping"):
            contents.append((name, _of_category(content) if "category" in content else content))
    return contents


def _yaml_files(folder: Traversable) -> list[tuple[str, Traversable]]:
    found = []
    for one in sorted(folder.iterdir(), key=lambda file: file.name):
        if one.is_dir():
            found += [(f"{one.name}/{name}", file) for name, file in _yaml_files(one)]
        elif one.name.endswith(".yaml"):
            found.append((one.name, one))
    return found


def _of_category(content: Mapping[str, Any]) -> dict[str, Any]:
    """A file of the catalogue as lists; its offerings belong to its category."""
    rest = {key: value for key, value in content.items() if key != "category"}
    category = content["category"]
    slug = category.get("slug") if isinstance(category, dict) else None
    offerings = rest.get("offerings")
    if isinstance(offerings, list):
        rest["offerings"] = [
            {"category": slug, **one} if isinstance(one, dict) else one for one in offerings
        ]
    return {**rest, "categories": [category]}


def _read(document: Mapping[str, Any], origins: Mapping[str, list[str]]) -> City:
    try:
        (city,) = _READER.validate_python((document,))
    except ValidationError as error:
        found = Collector()
        for one in error.errors(include_url=False):
            found.check(
                ok=False,
                field=_field(one["loc"][1:], origins),
                message=one["msg"],
                code=one["type"],
            )
        raise Invalid(found.problems) from None
    return city


def _field(location: tuple[int | str, ...], origins: Mapping[str, list[str]]) -> str:
    """A location as the file's author wrote it: the file, then the index within that file."""
    key, *rest = location
    names = origins.get(str(key), [])
    if rest and isinstance(rest[0], int) and rest[0] < len(names):
        name = names[rest[0]]
        rest[0] -= names.index(name)
    else:
        name = names[0] if names else ""
    path = ".".join(str(part) for part in (key, *rest))
    return f"{name}:{path}" if name else path
