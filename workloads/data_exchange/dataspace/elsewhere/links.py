"""The header ``Link`` (RFC 8288), as far as pages of a catalogue need it."""

import re
from urllib.parse import urldefrag, urljoin

_LONGEST = 8000
_LINK = re.compile(
    r'<([^>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]*))?)*)'
)
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]*))', re.IGNORECASE)


def next_of(header: str, url: str) -> str:
    """The address of the next page; empty when there is none.

    Args:
        header: all ``Link`` headers of an answer, separated by commas.
        url: what was asked, from which relative addresses count.
    """
    for target, parameters in _LINK.findall(header[:_LONGEST]):
        relation = _RELATION.search(parameters)
        named = (relation[1] or relation[2] or "").lower().split() if relation else []
        if "next" in named:
            try:
                return str(urldefrag(urljoin(url, target)).url)
            except ValueError:
                return ""
    return ""
