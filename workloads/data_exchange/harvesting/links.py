"""The header ``Link`` (RFC 8288), as far as pages of a catalogue need it."""

import re
from urllib.parse import urldefrag, urljoin

_LONGEST = 8000
_PARAMETER = r';\s*([\w!#$&+.^`|~*-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*)))?'
_LINK = re.compile(rf"<([^<>]*)>((?:\s*{_PARAMETER})*)")
_EACH = re.compile(_PARAMETER)


def relations(header: str) -> dict[str, str]:
    """The first address of each relation, as it is written; what is malformed is left out.

    Args:
        header: all ``Link`` headers of an answer, separated by commas.
    """
    found: dict[str, str] = {}
    for target, parameters, *_ in _LINK.findall(header[:_LONGEST]):
        named = {name.lower(): quoted or plain for name, quoted, plain in _EACH.findall(parameters)}
        for relation in named.get("rel", "").lower().split():
            found.setdefault(relation, target)
    return found


def next_of(header: str, url: str) -> str:
    """The address of the next page, as it is written where it is none; empty without one.

    Args:
        header: all ``Link`` headers of an answer, separated by commas.
        url: what was asked, from which relative addresses count.
    """
    target = relations(header).get("next")
    if target is None:
        return ""
    try:
        return str(urldefrag(urljoin(url, target)).url)
    except ValueError:
        return target
