"""Receivers of events and what was sent to them.

Web-hooks follow Standard Webhooks (https://www.standardwebhooks.com): ``webhook-id``,
``webhook-timestamp`` (seconds since 1970) and ``webhook-signature``: ``v1,`` and the base64 of the
HMAC-SHA256 of ``id.timestamp.body`` under the secret (``whsec_`` and base64 of its bytes).
Receivers refuse old time stamps and ids that they have seen.
"""

import base64
import hashlib
import hmac
import re
import secrets
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any, NewType
from urllib.parse import urlsplit

from foundation.kernel.errors import Collector
from foundation.kernel.text import keepable
from workloads.video_analytics.events.model import Event, Severity
from workloads.video_analytics.vision.model import RuleKind

ReceiverId = NewType("ReceiverId", str)

_SECRET = "whsec_"  # noqa: S105 - how every secret begins
_BYTES = 32
_MAIL = re.compile(r"[^\s@<>,;\"\\]{1,64}@[A-Za-z0-9.-]{1,190}")
_URL_MAX = 1000
#: Waits before a delivery is tried again; after the last it is dead.
PAUSES = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 3600, 3 * 3600, 8 * 3600))
#: For so long a receiver should accept a time stamp; ``verify`` does.
TOLERANCE = timedelta(minutes=5)


class ReceiverKind(StrEnum):
    """How somebody is told."""

    WEBHOOK = "webhook"
    MAIL = "mail"


class DeliveryState(StrEnum):
    """Where a delivery is; a dead one can be sent again by hand."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the day in a time zone; ``start`` after ``end`` goes over midnight."""

    start: time
    end: time
    timezone: str = "Asia/Shanghai"

    def contains(self, at: datetime) -> bool:
        """Whether an instant lies in them; equal ends mean the whole day."""
        local = at.astimezone(zoneinfo.ZoneInfo(self.timezone)).time()
        if self.start == self.end:
            return True
        if self.start < self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end

    @staticmethod
    def parse(value: Mapping[str, Any], field_name: str) -> "Hours":
        """Read ``{"start": "18:00", "end": "06:00", "timezone": "Asia/Shanghai"}``.

        Raises:
            Invalid: names every wrong field.
        """
        found = Collector()
        ends = {}
        for name in ("start", "end"):
            try:
                ends[name] = time.fromisoformat(str(value.get(name)))
                found.check(ends[name].tzinfo is None, f"{field_name}.{name}", "must be HH:MM")
            except ValueError:
                found.check(False, f"{field_name}.{name}", "must be HH:MM")
        zone = str(value.get("timezone") or "Asia/Shanghai")
        found.check(zone in zoneinfo.available_timezones(), f"{field_name}.timezone",
                    "is not a time zone")  # fmt: skip
        found.finish()
        return Hours(ends["start"], ends["end"], zone)


@dataclass(frozen=True, slots=True)
class Matching:
    """Which events are meant; empty fields mean all.

    Attributes:
        severities: those and no other.
        hours: of the event's beginning.
    """

    kinds: tuple[RuleKind, ...] = ()
    severities: tuple[Severity, ...] = ()
    rules: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    hours: Hours | None = None

    def fits(self, event: Event) -> bool:
        """Whether the event is meant."""
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.severities or event.severity in self.severities)
            and (not self.rules or event.rule in self.rules)
            and (not self.cameras or event.camera_id in self.cameras)
            and (self.hours is None or self.hours.contains(event.began))
        )

    @staticmethod
    def parse(value: Mapping[str, Any], field_name: str) -> "Matching":
        """Read it as it is kept and sent.

        Raises:
            Invalid: names every wrong field.
        """
        hours = value.get("hours")
        return Matching(
            tuple(RuleKind(k) for k in value.get("kinds", ())),
            tuple(Severity(s) for s in value.get("severities", ())),
            tuple(value.get("rules", ())),
            tuple(value.get("cameras", ())),
            Hours.parse(hours, f"{field_name}.hours") if hours else None,
        )


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody who is told of the events of a department and below.

    Attributes:
        path: of the department.
        target: an address by https, or of a mailbox.
        sealed: the web-hook's secret, sealed; empty for mail.
    """

    id: ReceiverId
    path: str
    name: str
    kind: ReceiverKind
    target: str
    wanted: Matching = field(default_factory=Matching)
    enabled: bool = True
    sealed: str = ""
    created_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something to be sent to a receiver, at least once and in order per event.

    Attributes:
        id: the same however often it is sent; receivers drop those they have seen.
        position: grows; the order within an event.
        body: what is sent, made when it happened.
    """

    id: str
    position: int
    receiver_id: ReceiverId
    event_id: str
    change: str
    body: Mapping[str, Any]
    state: DeliveryState
    created_at: datetime
    attempts: int = 0
    next_at: datetime | None = None
    error: str = ""
    delivered_at: datetime | None = None


def check_receiver(name: str, kind: ReceiverKind, target: str) -> None:
    """Refuse what cannot be sent to; whether an address may be asked is seen when it is.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(0 < len(name.strip()) <= 200 and keepable(name), "name",  # noqa: PLR2004
                "must be 1 to 200 characters long")  # fmt: skip
    if kind is ReceiverKind.MAIL:
        found.check(_MAIL.fullmatch(target), "target", "must be an e-mail address")
    else:
        found.check(_is_web(target), "target", "must be an address that begins with https://")
    found.finish()


def _is_web(target: str) -> bool:
    try:
        parts = urlsplit(target)
        _ = parts.port
    except ValueError:
        return False
    plain = target.isascii() and target.isprintable() and " " not in target
    named = parts.hostname and not parts.username and not parts.password
    return bool(plain and named and parts.scheme in {"https", "http"} and len(target) <= _URL_MAX)


def new_secret() -> str:
    """A secret for a web-hook."""
    return _SECRET + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signature(secret: str, message_id: str, at: int, body: bytes) -> str:
    """What goes into ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(_SECRET))
    signed = b".".join((message_id.encode(), str(at).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a message is genuine and fresh, as receivers should check it."""
    try:
        at = int(headers["webhook-timestamp"])
        message_id = headers["webhook-id"]
        given = headers["webhook-signature"].split(" ")
    except (KeyError, ValueError):
        return False
    if abs(now.timestamp() - at) > TOLERANCE.total_seconds():
        return False
    right = signature(secret, message_id, at, body)
    return any(hmac.compare_digest(right, one) for one in given)


def pause_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts; None: no more."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None
