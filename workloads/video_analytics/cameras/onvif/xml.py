"""XML of devices, read without trust.

A device may be anything that answers on the network. So: no document type (with it no entities),
limits on size, depth and number of elements, and nothing is ever fetched. Names are read without
their prefixes: devices in the field put elements into namespaces of their own, or use prefixes that
they never declared.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Element", "Malformed", "escape", "parse", "quoteattr"]

SIZE_MAX = 1024 * 1024
DEPTH_MAX = 64
ELEMENTS_MAX = 20_000
#: Encodings that Chinese devices declare and the parser does not know.
_CHINESE = re.compile(
    rb"""^\s*<\?xml[^>]*encoding\s*=\s*["'](gb2312|gbk|gb18030)["'][^>]*\?>""", re.IGNORECASE
)


class Malformed(ValueError):
    """It is no XML, or more of it than a device has to say."""


@dataclass(slots=True)
class Element:
    """An element: its name and attributes without prefixes, its own text, and what it holds."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        """The children of a name."""
        return [child for child in self.children if child.name == name]

    def find(self, *path: str) -> "Element | None":
        """The first element along a path of names, each a child of the one before."""
        found: Element | None = self
        for name in path:
            found = (
                next((one for one in found.children if one.name == name), None) if found else None
            )
        return found

    def value(self, *path: str) -> str:
        """The text along a path, without blanks around it; empty when it is not there."""
        found = self.find(*path)
        return found.text.strip() if found else ""

    def whole(self, *path: str) -> int | None:
        """The text along a path as a whole number; None when it is none."""
        text = self.value(*path)
        return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) else None

    def walk(self) -> Iterator["Element"]:
        """It and everything in it."""
        stack = [self]
        while stack:
            one = stack.pop()
            yield one
            stack.extend(reversed(one.children))


def parse(content: bytes) -> Element:
    """Read a document.

    Raises:
        Malformed: it is no XML, has a document type, or is too large or too deep.
    """
    if len(content) > SIZE_MAX:
        raise Malformed("it is too large")
    chinese = _CHINESE.match(content)
    if chinese:
        text = content[chinese.end() :].decode("gb18030", "replace")
        content = text.encode()
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(content.lstrip(), True)
    except expat.ExpatError as error:
        raise Malformed(f"it is not XML: {expat.errors.messages[error.code]}") from None
    except (LookupError, UnicodeError):
        raise Malformed("its encoding is not known") from None
    if reader.root is None:
        raise Malformed("it is empty")
    return reader.root


class _Reader:
    """Builds elements from the events of the parser."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def refuse(self, *_: object) -> None:
        raise Malformed("it has a document type")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX or len(self._open) >= DEPTH_MAX:
            raise Malformed("it has too many elements")
        made = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        if self._open:
            self._open[-1].children.append(made)
        else:
            self.root = made
        self._open.append(made)

    def end(self, _name: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def _local(name: str) -> str:
    return name.rpartition(":")[2]
