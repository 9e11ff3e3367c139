"""Exports of evidence, and how long what is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.errors import Collector
from foundation.kernel.text import keepable

ExportId = NewType("ExportId", str)

EVENTS_MAX = 50
REASON_MAX = 1000
#: An archive is there for so long; then it is taken away, and what is known of it stays.
AVAILABLE = timedelta(days=7)


class ExportState(StrEnum):
    """Where an export is."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Export:
    """Evidence that leaves, with who asked for it, who approved it and why.

    Attributes:
        path: the deepest department that all its events belong to or lie below.
        blurred: whether people in it are made unrecognisable.
        archive: SHA-256 of the archive in the evidence store; ``manifest`` that of its list.
    """

    id: ExportId
    path: str
    event_ids: tuple[str, ...]
    reason: str
    blurred: bool
    state: ExportState
    requested_by: str
    requested_name: str
    requested_at: datetime
    decided_by: str = ""
    decided_name: str = ""
    decided_at: datetime | None = None
    note: str = ""
    ready_at: datetime | None = None
    archive: str = ""
    size: int = 0
    manifest: str = ""
    error: str = ""
    contents: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days what is kept of cameras of a data class.

    Attributes:
        evidence: pictures and clips of events; the events themselves stay, without them.
        tracks: what moved past, with its thumbnails.
        reads: of plates and cards at such cameras.
    """

    data_class: str
    evidence: int
    tracks: int
    reads: int


#: Without another word: GB/T 28181 and city rules ask for 30 to 90 days of pictures.
USUAL = {
    "public": Retention("public", 90, 90, 90),
    "internal": Retention("internal", 90, 30, 90),
    "sensitive": Retention("sensitive", 30, 14, 30),
}
#: What is done with a data class that nobody has named.
STRICTEST = USUAL["sensitive"]
_DAYS_MAX = 3650


def check_retention(retention: Retention) -> None:
    """Refuse days that make no sense.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(retention.data_class in USUAL, "data_class", f"must be one of {', '.join(USUAL)}")
    for name in ("evidence", "tracks", "reads"):
        days = getattr(retention, name)
        found.check(1 <= days <= _DAYS_MAX, name, f"must be 1 to {_DAYS_MAX} days")
    found.finish()


def check_request(event_ids: Sequence[str], reason: str) -> None:
    """Refuse a request that says too little or asks for too much.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(0 < len(event_ids) <= EVENTS_MAX, "events", f"must be 1 to {EVENTS_MAX}")
    found.check(len(set(event_ids)) == len(event_ids), "events", "names an event twice")
    good = 0 < len(reason.strip()) <= REASON_MAX and keepable(reason)
    found.check(good, "reason", f"must be 1 to {REASON_MAX} characters long")
    found.finish()


def common_path(paths: Sequence[str]) -> str:
    """The deepest path that all lie on or below."""
    parts = [path.strip("/").split("/") for path in paths]
    shared = []
    for step in zip(*parts, strict=False):
        if len(set(step)) != 1:
            break
        shared.append(step[0])
    return "/" + "".join(f"{step}/" for step in shared if step)
