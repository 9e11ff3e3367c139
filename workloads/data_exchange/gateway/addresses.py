"""The paths of calls: read strictly, so that gateway and provider cannot read two things."""

import re

from workloads.data_exchange.gateway.model import Refusal

LONGEST = 8_192
#: RFC 3986: pchar, slashes, and then a query. No other character, in particular no backslash.
_TARGET = re.compile(
    rb"(/services/([A-Za-z0-9_-]{1,100})((?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+))"
    rb"(\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?"
)
#: Encoded characters that servers decode at different times: slash, backslash, dot, percent and
#: controls.
_TRICKS = re.compile(rb"%(?:2[fFeE5]|5[cC]|[01][0-9A-Fa-f]|7[fF])")
#: Segments that are empty (but for the last one) or dots.
_DOTS = re.compile(r"//|/\.\.?(?:/|\Z)")


class Address:
    """Where a call goes.

    Attributes:
        path: of the gateway, as it was asked.
        service: the id in it.
        rest: the path below the service.
        query: with its question mark; empty when there is none.
    """

    __slots__ = ("path", "query", "rest", "service")

    def __init__(self, target: bytes) -> None:
        found = _TARGET.fullmatch(target) if len(target) <= LONGEST else None
        if found is None or _TRICKS.search(found[1]):
            raise Refusal(400, "address", "the address is not one of a service's")
        self.path, self.service, self.rest = (found[n].decode() for n in (1, 2, 3))
        self.query = (found[4] or b"").decode()
        if _DOTS.search(self.rest):
            raise Refusal(400, "address", "the address is not one of a service's")


class Paths:
    """The paths of an interface: ``{name}`` stands for one segment."""

    def __init__(self, templates: "tuple[str, ...]") -> None:
        self._plain = frozenset(one for one in templates if "{" not in one)
        self._patterns = [(one, _pattern(one)) for one in templates if "{" in one]

    def match(self, rest: str) -> str | None:
        """The template that a path follows, or None."""
        if rest in self._plain:
            return rest
        for template, pattern in self._patterns:
            if pattern.fullmatch(rest):
                return template
        return None


def _pattern(template: str) -> "re.Pattern[str]":
    parts = re.split(r"\{[^{}/]*\}", template)
    return re.compile("[^/\\s]+".join(re.escape(part) for part in parts))
