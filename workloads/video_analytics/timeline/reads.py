"""Reads of plates, RFID tags and ID cards, as readers send them."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from foundation.kernel.errors import Collector
from foundation.kernel.text import keepable
from workloads.video_analytics.events.ports import Seen
from workloads.video_analytics.timeline.model import Read, ReadKind
from workloads.video_analytics.vision.model import Signal

BATCH = 1000
_OLDEST = timedelta(days=400)
_FUTURE = timedelta(hours=24)
_SHOWN = 4
_SHORTEST_CARD = 6
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}", re.ASCII)
_LONGEST = 64
_NUMBER = 128
_DIRECTION = 40
_DROPPED = re.compile(r"[\s·•.\-]+")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A read as a reader sends it.

    Attributes:
        source: the reader, such as ``gate-3/rfid``; ``number`` is its own number of the read.
        at: by the reader's clock; ``sent_at`` is the reader's clock when it sent this, from which
            the difference to ours is worked out.
    """

    source: str
    number: str
    at: datetime
    kind: ReadKind
    subject: str
    camera_id: str = ""
    latitude: float | None = None
    longitude: float | None = None
    direction: str = ""
    score: float | None = None
    sent_at: datetime | None = None


def normal(subject: str) -> str:
    """A subject as it is compared: one width, upper case, without blanks, dots and dashes."""
    return _DROPPED.sub("", unicodedata.normalize("NFKC", subject)).upper()


class Digester:
    """Makes keyed digests of subjects: whoever has the rows alone cannot try all numbers.

    Args:
        key: a secret that is not in the database.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def digest(self, subject: str) -> str:
        """HMAC-SHA256 of the normal form, 64 hexadecimal digits."""
        return hmac.new(self._key, normal(subject).encode(), hashlib.sha256).hexdigest()

    def read(self, sent: Incoming, path: str, now: datetime) -> Read:
        """What is kept of a read: of an ID card the digest and the last four characters."""
        subject = normal(sent.subject)
        shown = subject[-_SHOWN:] if sent.kind is ReadKind.ID_CARD else subject
        offset = None if sent.sent_at is None else (sent.sent_at - now).total_seconds()
        return Read(
            sent.source, sent.number, sent.at, sent.kind, shown, self.digest(subject), path, now,
            sent.camera_id, sent.latitude, sent.longitude, sent.direction, sent.score, offset,
        )  # fmt: skip

    def of_signal(self, seen: Seen, signal: Signal, text: str, now: datetime) -> Read:
        """A plate that a camera's model has read."""
        sent = Incoming(
            f"camera/{seen.id}", f"{signal.rule}/{signal.version}/{signal.key}"[:_NUMBER],
            signal.began, ReadKind.PLATE, text[:_LONGEST], seen.id, seen.latitude, seen.longitude,
            str(signal.data.get("direction") or "")[:_DIRECTION], signal.score,
        )  # fmt: skip
        return self.read(sent, seen.path, now)


def check_batch(reads: Sequence[Incoming], now: datetime, cameras: Collection[str]) -> None:
    """Refuse a batch with anything wrong in it.

    Args:
        reads: as they were sent.
        now: our time.
        cameras: those that a read may name.

    Raises:
        Invalid: names every wrong field of every read.
    """
    found = Collector()
    found.check(0 < len(reads) <= BATCH, "reads", f"must be 1 to {BATCH}")
    for n, read in enumerate(reads[:BATCH]):
        _check(found, f"reads.{n}", read, now, cameras)
    found.finish()


def _check(
    found: Collector, at: str, read: Incoming, now: datetime, cameras: Collection[str]
) -> None:
    found.check(
        _SOURCE.fullmatch(read.source), f"{at}.source", "must be a name such as gate-3/rfid"
    )
    found.check(
        0 < len(read.number) <= _NUMBER and keepable(read.number), f"{at}.number",
        f"must be 1 to {_NUMBER} characters",
    )  # fmt: skip
    subject = normal(read.subject)
    least = _SHORTEST_CARD if read.kind is ReadKind.ID_CARD else 1
    good = least <= len(subject) <= _LONGEST and keepable(subject) and subject.isprintable()
    found.check(good, f"{at}.subject", f"must be {least} to {_LONGEST} characters")
    found.check(read.at <= now + _FUTURE, f"{at}.at", "lies more than a day ahead")
    found.check(read.at >= now - _OLDEST, f"{at}.at", f"lies more than {_OLDEST.days} days back")
    found.check(
        not read.camera_id or read.camera_id in cameras, f"{at}.camera_id",
        "is no camera of this department",
    )  # fmt: skip
    found.check(
        (read.latitude is None) == (read.longitude is None), f"{at}.latitude",
        "must come with the longitude",
    )  # fmt: skip
    found.check(read.latitude is None or abs(read.latitude) <= 90, f"{at}.latitude",  # noqa: PLR2004
                "must be -90 to 90")  # fmt: skip
    found.check(read.longitude is None or abs(read.longitude) <= 180, f"{at}.longitude",  # noqa: PLR2004
                "must be -180 to 180")  # fmt: skip
    found.check(read.score is None or 0 <= read.score <= 1, f"{at}.score", "must be 0 to 1")
    found.check(len(read.direction) <= _DIRECTION and keepable(read.direction),
                f"{at}.direction", f"must be at most {_DIRECTION} characters")  # fmt: skip
