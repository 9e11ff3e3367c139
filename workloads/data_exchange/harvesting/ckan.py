"""CKAN's action API, read as entries.

Source: https://docs.ckan.org/en/latest/api/ (version 3): ``package_search`` answers parts by
offset, ``package_show`` one package; both wrap their answer as ``{"success": …, "result": …}``.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from workloads.data_exchange.directory.checks import ADDRESS_MAX, DISTRIBUTIONS_MAX
from workloads.data_exchange.directory.model import Body, Contact, Distribution, Kind
from workloads.data_exchange.harvesting import plain
from workloads.data_exchange.harvesting.documents import json_of
from workloads.data_exchange.harvesting.model import Found, Page
from workloads.data_exchange.harvesting.ports import Refused

ACCEPT = "application/json"
ROWS = 100
_TAGS_MAX = 500


def search_address(root: str, offset: int) -> str:
    """Where a part of all packages is; in an order that does not change while it is read."""
    asked = urlencode({"q": "*:*", "sort": "id asc", "rows": ROWS, "start": offset})
    return f"{root.rstrip('/')}/api/3/action/package_search?{asked}"


def show_address(root: str, package: str) -> str:
    """Where one package is."""
    return f"{root.rstrip('/')}/api/3/action/package_show?id={quote(package, safe='')}"


def package_of(root: str, uri: str) -> str:
    """The id of a package, of what it is called here."""
    return uri.removeprefix(f"{root.rstrip('/')}/dataset/")


def page_of(body: bytes, root: str, offset: int) -> Page:
    """The entries of a part, and the offset of the next one.

    Raises:
        Refused: it is no answer of CKAN.
    """
    result = _result(body)
    packages, total = result.get("results"), result.get("count")
    if not isinstance(packages, list) or not isinstance(total, int):
        raise Refused("it answers no packages")
    found, refused = [], 0
    for one in packages[: ROWS * 10]:
        entry = _entry(one, root) if isinstance(one, dict) else None
        if entry is None:
            refused += 1
        else:
            found.append(entry)
    after = offset + len(packages)
    more = bool(packages) and after < total
    return Page(tuple(found), str(after) if more else "", refused, "", root)


def is_there(body: bytes) -> bool:
    """Whether ``package_show`` answers a package that is not deleted.

    Raises:
        Refused: it is no answer of CKAN.
    """
    return bool(_result(body).get("state", "active") == "active")


def _result(body: bytes) -> Mapping[str, Any]:
    answer = json_of(body)
    if not isinstance(answer, dict) or answer.get("success") is not True:
        raise Refused("it answers that it did not succeed")
    result = answer.get("result")
    if not isinstance(result, dict):
        raise Refused("it answers nothing")
    return result


def _entry(package: Mapping[str, Any], root: str) -> Found | None:
    id_ = package.get("id")
    if not isinstance(id_, str) or not id_ or len(id_) > ADDRESS_MAX // 4 or not id_.isprintable():
        return None
    if package.get("private") is True or package.get("state", "active") != "active":
        return None
    uri = f"{root.rstrip('/')}/dataset/{quote(id_, safe='')}"
    extras = {
        str(one.get("key")): one.get("value") for one in _dicts(package.get("extras"), _TAGS_MAX)
    }
    themes = extras.get("theme") or ""
    body = Body(
        plain.title(_translated(package, "title"), plain.line(package.get("name")) or id_[:200]),
        plain.both(_translated(package, "notes"), 10_000, "—"),
        plain.keywords(
            one.get("display_name") or one.get("name")
            for one in _dicts(package.get("tags"), _TAGS_MAX)
        ),
        plain.themes(str(themes).strip('[]"').replace('"', "").split(",")),
        plain.frequency(extras.get("frequency") or extras.get("accrual_periodicity")),
        plain.access(extras.get("access_rights")),
        plain.licence(package.get("license_url") or package.get("license_id")),
        plain.line(extras.get("identifier") or id_),
        plain.address(package.get("url")) or plain.address(uri),
        Contact(plain.line(package.get("maintainer") or package.get("author"))),
        plain.line(extras.get("spatial_text")),
        plain.day(extras.get("temporal_start")),
        plain.day(extras.get("temporal_end")),
        distributions=tuple(
            _distribution(one, n)
            for n, one in enumerate(_dicts(package.get("resources"), DISTRIBUTIONS_MAX), 1)
        ),
    )
    owner = package.get("organization")
    publisher = (
        plain.line(owner.get("title") or owner.get("name")) if isinstance(owner, dict) else ""
    )
    return Found(
        uri, Kind.DATASET, body, publisher, plain.line(package.get("metadata_created"), 40),
        plain.line(package.get("metadata_modified"), 40),
    )  # fmt: skip


def _distribution(resource: Mapping[str, Any], number: int) -> Distribution:
    media = plain.line(resource.get("mimetype"))
    code = plain.format_of(resource.get("format"), media)
    size = resource.get("size")
    return Distribution(
        f"d{number}",
        plain.title(_translated(resource, "name"), code),
        code,
        plain.address(resource.get("url")),
        "",
        media if "/" in media else "",
        byte_size=size if isinstance(size, int) and 0 <= size < 2**63 else None,
    )


def _translated(thing: Mapping[str, Any], name: str) -> list[tuple[str, str]]:
    """A text with its languages: plain, or as the extension ``fluent`` writes it."""
    found: list[tuple[str, str]] = []
    for key in (f"{name}_translated", name):
        value = thing.get(key)
        if isinstance(value, dict):
            found += [(str(tag), str(text)) for tag, text in sorted(value.items()) if text]
        elif isinstance(value, str) and value:
            found.append(("", value))
    return found


def _dicts(value: Any, most: int) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    return [one for one in value[:most] if isinstance(one, dict)] if isinstance(value, list) else []
