"""Batches of files: what they are made of, and what their names may be."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from foundation.kernel.errors import Collector

#: What is held of a file at a time while it comes and goes.
SEGMENT_BYTES = 8 * 1024 * 1024
#: Segments of one file: small parts that were sent by themselves count as one each.
SEGMENTS_MAX = 65_536
#: A manifest of so many fits into one signature.
FILES_MAX = 2_000
FILE_BYTES_MAX = 400 * 1024**3
TITLE_MAX = 200
#: What a manifest is signed as.
MANIFEST = "exchange-manifest+jws"
MANIFEST_VERSION = 1
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
#: Names that some systems give to devices, with whatever extension.
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_NAME_CHARACTERS, _NAME_BYTES = 200, 255
_FORBIDDEN = set('<>:"/\\|?*')
#: Controls, format characters (which turn the direction of text), surrogates, private and unknown
#: ones, line and paragraph separators.
_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class BatchState(StrEnum):
    """Where a batch is."""

    #: Files are sent.
    OPEN = "open"
    #: Its manifest came; what was stored is read again and compared.
    CHECKING = "checking"
    #: All of it may be fetched.
    PUBLISHED = "published"
    #: Its time is over, or it was deleted; the files are gone.
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Wrong:
    """What the check found; of a file by its name, or of the batch with an empty one."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that are published together or not at all, for one agreement.

    Attributes:
        path: of the provider; ``consumer``: of who may fetch them.
        expires_at: when it and its files go.
        manifest: a compact JWS of the provider's over names, sizes and digests; empty until then.
        wrong: what the last check found; a batch with any stays open.
        files, size, received: how many, and bytes as announced and as they came.
        position: its place among those published, for consumers that ask what is new; 0 before.
    """

    id: str
    agreement: str
    path: str
    consumer: str
    title: str
    state: BatchState
    created_at: datetime
    expires_at: datetime
    published_at: datetime | None = None
    manifest: str = ""
    wrong: tuple[Wrong, ...] = ()
    files: int = 0
    size: int = 0
    received: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class File:
    """A file of a batch.

    Attributes:
        size: bytes of the whole; None while the sender has not said.
        received: bytes that are stored and count.
        digest: ``sha256:…`` as the check found it; empty before.
        meta: tus' ``Upload-Metadata`` as it came.
        fence: of whoever writes; a later writer takes it over.
    """

    id: str
    batch: str
    path: str
    name: str
    size: int | None
    received: int
    segments: int
    digest: str
    meta: str
    fence: int
    touched_at: datetime

    @property
    def whole(self) -> bool:
        """Whether all of it came."""
        return self.size is not None and self.received == self.size


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a file as it is stored.

    Attributes:
        start: its first byte in the file.
        key: under which it is stored.
        digest: SHA-256 of it.
    """

    start: int
    size: int
    key: str
    digest: bytes

    @property
    def end(self) -> int:
        """The byte after its last one."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as a manifest lists it."""

    name: str
    size: int
    digest: str

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "size": self.size, "digest": self.digest}


def check_name(found: Collector, name: str, field: str) -> None:
    """Note why a file may not be called so.

    A name is one segment: no folder, nothing that a system reads as something else than a name,
    nothing that looks like another name. Here it is only ever shown: files are stored under ids.
    """
    if not found.check(0 < len(name) <= _NAME_CHARACTERS, field, "must be 1 to 200 characters"):
        return
    plain = all(unicodedata.category(c) not in _CATEGORIES for c in name)
    if not found.check(plain, field, "has a character that cannot be seen"):
        return
    found.check(not _FORBIDDEN & set(name), field, 'must not hold any of < > : " / \\ | ? *')
    found.check(len(name.encode()) <= _NAME_BYTES, field, "must be at most 255 bytes of UTF-8")
    found.check(unicodedata.is_normalized("NFC", name), field, "must be in normal form C")
    found.check(
        name.strip(" .") == name and not name.startswith("~"),
        field, "must not begin or end with a blank or a dot, or begin with a tilde",
    )  # fmt: skip
    found.check(not _DEVICES.fullmatch(name), field, "is what some systems call a device")
    found.check(
        not set(unicodedata.normalize("NFKC", name)) & _FORBIDDEN, field,
        "has a character that some systems read as a separator",
    )  # fmt: skip


def alike(name: str) -> str:
    """Equal for names that some systems, or people, take for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def read_listed(found: Collector, files: object, field: str = "files") -> list[Listed]:
    """The files of a manifest; what is wrong with it is noted."""
    fits = isinstance(files, list) and 0 < len(files) <= FILES_MAX
    if not found.check(fits, field, f"must be a list of 1 to {FILES_MAX} files"):
        return []
    made: dict[str, Listed] = {}
    assert isinstance(files, list)  # noqa: S101 - for the type
    for n, one in enumerate(files):
        at = f"{field}.{n}"
        if not found.check(
            isinstance(one, dict) and set(one) == {"name", "size", "digest"}, at,
            "must have name, size and digest, and nothing else",
        ):  # fmt: skip
            continue
        name, size, digest = one["name"], one["size"], one["digest"]
        right = found.check(isinstance(name, str), f"{at}.name", "must be a text")
        right &= found.check(
            type(size) is int and 0 <= size <= FILE_BYTES_MAX, f"{at}.size",
            "must be a whole number of bytes",
        )  # fmt: skip
        right &= found.check(
            isinstance(digest, str) and _DIGEST.fullmatch(digest), f"{at}.digest",
            "must be sha256: and 64 hexadecimal digits",
        )  # fmt: skip
        if right and found.check(name not in made, f"{at}.name", "is listed twice"):
            made[name] = Listed(name, size, digest)
    return list(made.values())


def manifest_of(batch: Batch, files: Sequence[Listed]) -> dict[str, Any]:
    """What a provider signs of a batch: files by name."""
    listed = sorted(files, key=lambda one: one.name)
    return {
        "version": MANIFEST_VERSION, "batch": batch.id, "agreement": batch.agreement,
        "provider": batch.path, "files": [one.told() for one in listed],
    }  # fmt: skip
