"""Sources of other platforms' catalogues, the runs that read them, and what is found."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from foundation.kernel.errors import Collector
from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.directory.model import PREFIXES, Body, EntryId, Kind

SourceId = NewType("SourceId", str)
RunId = NewType("RunId", str)

HOURS_MAX = 24 * 90
#: When so much of what is known is not found again, it is not believed.
LOSS = 0.5
#: Below so many, anything is believed.
FEW = 10
MESSAGE_MAX = 1000


class SourceProtocol(StrEnum):
    """How another platform tells what it has."""

    #: A document of RDF (Turtle, JSON-LD, RDF/XML), whose parts may be linked by Hydra.
    DCAT = "dcat"
    #: The action API of CKAN: ``package_search`` and ``package_show``.
    CKAN = "ckan"


class SourceRunState(StrEnum):
    """Where a run is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Source:
    """Another platform's catalogue.

    Attributes:
        catalog: id of the catalogue here that its entries are shown in.
        path, level: the agency below which, and the level at which, they are shown.
        url: of the document, or the root of a CKAN (without ``/api``).
        hours: from one run to the next; 0: only when somebody asks.
        enabled: whether it is read at all.
        has_token: whether it is asked with a token (RFC 6750), which is kept sealed.
        next_at: when it is due; None when it is not.
        version: counts changes, for If-Match.
    """

    id: SourceId
    catalog: str
    path: str
    level: Level
    protocol: SourceProtocol
    url: str
    hours: int
    enabled: bool
    has_token: bool
    created_at: datetime
    next_at: datetime | None
    version: int = 1

    def due(self, now: datetime) -> bool:
        """Whether it is to be read now."""
        return self.enabled and self.next_at is not None and self.next_at <= now

    def after(self, now: datetime) -> datetime | None:
        """When it is due after a run."""
        return now + timedelta(hours=self.hours) if self.hours else None


@dataclass(frozen=True, slots=True)
class Run:
    """One reading of a source.

    Attributes:
        position: where the next page is: an address, or an offset of CKAN; empty at the beginning.
        pages, found, changed, unchanged, refused, withdrawn: how many so far.
        accepts_loss: whether it is believed when most of what was known is gone.
        complete: whether all pages were read, so that what was not seen is gone.
        message: why it failed.
    """

    id: RunId
    source: SourceId
    state: SourceRunState
    started_at: datetime
    ended_at: datetime | None = None
    position: str = ""
    pages: int = 0
    found: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    withdrawn: int = 0
    accepts_loss: bool = False
    complete: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of another platform.

    Attributes:
        uri: what it is called there.
        publisher: who publishes it there.
        issued, modified: as it is told there.
        body: with the ids that its references have here.
    """

    uri: str
    kind: Kind
    body: Body
    publisher: str = ""
    issued: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Validators:
    """With what a page is asked for again (RFC 9110, 13)."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was read.

    Attributes:
        found: its entries.
        next: position of the next page; empty at the end.
        refused: how many of its entries could not be read.
        title, homepage: of the catalogue, if it says so.
    """

    found: tuple[Found, ...]
    next: str = ""
    refused: int = 0
    title: str = ""
    homepage: str = ""


def entry_id(catalog: str, kind: Kind, uri: str) -> EntryId:
    """The id that an entry of another platform has here: the same each time it is read."""
    digest = hashlib.sha256(f"{catalog}\n{kind.value}\n{uri}".encode()).digest()
    text = base64.b32hexencode(digest[:16]).decode().rstrip("=").lower()
    return EntryId(f"{PREFIXES[kind]}_{text}")


def check(found: Collector, hours: int) -> None:
    """Note what is wrong with a source."""
    found.check(0 <= hours <= HOURS_MAX, "hours", f"must be between 0 and {HOURS_MAX}")
