"""Folders, and zip archives that are looked into without unpacking them."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from foundation.kernel.errors import Invalid, Problem

#: A folder or a file, on the disk or within an archive.
Place = Path | zipfile.Path

_MOST_BYTES = 256 * 1024 * 1024
_DEEPEST = 4


def opened(path: Path) -> Place:
    """A folder as it is, an archive as its root.

    Raises:
        Invalid: it is a file, and no zip archive.
    """
    if path.is_dir():
        return path
    try:
        return zipfile.Path(zipfile.ZipFile(path))
    except (OSError, ValueError, zipfile.BadZipFile):
        raise Invalid([Problem(str(path), "is neither a folder nor a zip archive")]) from None


def inside(place: Place) -> list[Place]:
    """What a folder holds, by name; without what operating systems hide in it."""
    if not place.is_dir():
        return []
    found: list[Place] = [each for each in place.iterdir() if not _hidden(each.name)]
    return sorted(found, key=lambda each: each.name)


def _hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def search(root: Place, wanted: Callable[[Place], bool]) -> list[tuple[Place, str]]:
    """The folders that are wanted, from the root on, each with the name of the one above.

    Those within one that is wanted are not looked at; the root has none above.
    """
    found: list[tuple[Place, str]] = []
    level: list[tuple[Place, str]] = [(root, "")]
    for _ in range(_DEEPEST + 1):
        good = [(place, above) for place, above in level if wanted(place)]
        found += good
        level = [
            (each, place.name.removesuffix(".zip"))
            for place, above in level
            if (place, above) not in good
            for each in inside(place)
            if each.is_dir()
        ]
    return found


def content(place: Place) -> bytes:
    """All of a file.

    Raises:
        Invalid: it is missing, larger than 256 MiB, broken or locked.
    """
    try:
        with place.open("rb") as file:
            found = bytes(file.read(_MOST_BYTES + 1))
    except (OSError, KeyError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile):
        raise Invalid([Problem(str(place), "is missing or cannot be read")]) from None
    if len(found) > _MOST_BYTES:
        raise Invalid([Problem(str(place), "is larger than 256 MiB")])
    return found


def text(place: Place) -> str:
    """A file as text: UTF-8 with or without a mark, whatever ends its lines.

    Raises:
        Invalid: as ``content``.
    """
    return content(place).decode("utf-8-sig", errors="replace")
