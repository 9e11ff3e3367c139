"""What watch lists need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.vision.models.ports import Embedding
from workloads.video_analytics.watchlists.model import Entry, ListKind, WatchList


class WatchListStore(Protocol):
    """Keeps lists and entries; every call joins the open transaction."""

    def add(self, watch_list: WatchList) -> None:
        """Keep a new list."""
        ...

    def find(self, list_id: str, *, locked: bool = False) -> WatchList | None:
        """One list with how many entries it has."""
        ...

    def lists(
        self, paths: Sequence[str], kind: ListKind | None, request: PageRequest
    ) -> Page[WatchList]:
        """Those of departments at or below any of the paths, the newest first."""
        ...

    def save(self, watch_list: WatchList) -> None:
        """Keep who approved or closed it."""
        ...

    def add_entry(self, entry: Entry) -> None:
        """Keep a new entry."""
        ...

    def entry(self, list_id: str, entry_id: str) -> Entry | None:
        """One entry of a list."""
        ...

    def entries(self, list_id: str, request: PageRequest) -> Page[Entry]:
        """Those of a list, in the order in which they were added."""
        ...

    def pending_by(self, list_id: str) -> Collection[str]:
        """Who added the entries that wait for approval."""
        ...

    def approve_entries(self, list_id: str, at: datetime) -> int:
        """Let all that wait count; answers how many."""
        ...

    def remove_entry(self, list_id: str, entry_id: str) -> bool:
        """Destroy an entry; False when there is none."""
        ...

    def known(self, list_ids: Collection[str]) -> Sequence[WatchList]:
        """Those of these that there are."""
        ...

    def counting(self, list_ids: Collection[str]) -> Sequence[tuple[WatchList, Sequence[Entry]]]:
        """Lists that are not closed with their approved entries."""
        ...

    def over(self, now: datetime) -> Sequence[WatchList]:
        """Lists that are not in force any more and still have entries."""
        ...

    def destroy_entries(self, list_id: str) -> int:
        """Destroy all entries of a list; answers how many."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """What of a picture is kept: what tells the face from others, and of which model that is."""

    embedding: Embedding
    space: str


class FaceReader(Protocol):
    """Reads the one face of a picture."""

    def read(self, picture: bytes) -> Embedded:
        """What tells it from others; the picture is not kept.

        Raises:
            Invalid: it is no picture, or does not show exactly one face that is large enough.
            Unavailable: there is no model.
        """
        ...


class Places(Protocol):
    """The departments."""

    def exists(self, path: str) -> bool:
        """Whether a department has this path."""
        ...


class Sealer(Protocol):
    """Seals secrets; the foundation's ``SecretBox``."""

    def seal(self, plaintext: bytes, context: str) -> str:
        """The secret, encrypted and bound to its context."""
        ...

    def open(self, sealed: str, context: str) -> bytes:
        """The secret again."""
        ...


class Audit(Protocol):
    """Where every view and change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
