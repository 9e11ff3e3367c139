"""Cameras, rules and shards for the features above them, and a place for events to happen in."""

import contextlib
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sqlalchemy as sa

from foundation.access.service import AuditLog
from foundation.access.store import AuditRows
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.errors import NotFound, Unavailable
from foundation.kernel.outbox import Outbox
from foundation.kernel.secretbox import SecretBox
from workloads.video_analytics.events.files import FolderEvidence
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.linkage.store import PostgresLinkages
from workloads.video_analytics.events.notification.model import ReceiverKind
from workloads.video_analytics.events.notification.ports import Sender
from workloads.video_analytics.events.notification.senders import Mail, MailSettings, WebHooks
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.notification.store import PostgresReceivers
from workloads.video_analytics.events.ports import Fence, Fenced, Listener, RuleAbout, Seen
from workloads.video_analytics.events.privacy.exports import Exports
from workloads.video_analytics.events.privacy.retention import Retaining
from workloads.video_analytics.events.privacy.store import PostgresPrivacy
from workloads.video_analytics.events.service import Events
from workloads.video_analytics.events.store import PostgresEvents
from workloads.video_analytics.timeline.store import PostgresTimeline
from workloads.video_analytics.vision.model import Box, Phase, Point, RuleKind, Signal

NOON = datetime(2026, 11, 3, 4, 0, tzinfo=UTC)
WATER, ROADS = "/city/water/", "/city/roads/"


class FakeFences:
    """Tokens in memory; PostgreSQL's advisory locks hold a shard until the transaction ends."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._tokens: dict[int, int] = {}
        self._lock = threading.Lock()

    def check(self, fence: Fence) -> None:
        key = {"key": 512_000 + fence.shard}
        self._db.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:key)"), key)
        with self._lock:
            if self._tokens.get(fence.shard) != fence.token:
                raise Fenced("another worker holds the shard")

    def current(self, fences: Collection[Fence]) -> set[Fence]:
        found = set()
        for fence in sorted(fences, key=lambda one: one.shard):
            with contextlib.suppress(Fenced):
                self.check(fence)
                found.add(fence)
        return found

    def take(self, shard: int) -> Fence:
        """Hand the shard to a new holder."""
        with self._db.transaction():
            key = {"key": 512_000 + shard}
            self._db.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), key)
            with self._lock:
                self._tokens[shard] = self._tokens.get(shard, 0) + 1
                return Fence(shard, self._tokens[shard])


@dataclass
class FakeCameras:
    """Implements ``CameraBook``."""

    cameras: dict[str, Seen] = field(default_factory=dict)

    def add(self, camera_id: str, path: str, **more: Any) -> Seen:
        seen = Seen(camera_id, more.pop("name", camera_id.title()), path, **more)
        self.cameras[camera_id] = seen
        return seen

    def seen(self, camera_ids: Collection[str]) -> Mapping[str, Seen]:
        return {c: self.cameras[c] for c in camera_ids if c in self.cameras}

    def below(self, paths: Sequence[str]) -> Sequence[Seen]:
        found = [c for c in self.cameras.values() if c.path.startswith(tuple(paths))]
        return sorted(found, key=lambda c: c.name)


@dataclass
class FakeRules:
    """Implements ``RuleBook``: a rule is of the kind that its id begins with."""

    rules: dict[str, RuleAbout] = field(default_factory=dict)

    def about(self, rules: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], RuleAbout]:
        return {rule: self.rules[rule[0]] for rule in rules if rule[0] in self.rules}


@dataclass
class FakeActions:
    """Implements ``CameraActions``: cameras with presets, which may fail."""

    presets: dict[str, set[str]] = field(default_factory=dict)
    turned: list[tuple[str, str]] = field(default_factory=list)
    broken: bool = False

    def go_to(self, camera_id: str, preset: str) -> None:
        if self.broken:
            raise Unavailable("the camera does not answer")
        if preset not in self.presets.get(camera_id, set()):
            raise NotFound("there is no such preset")
        self.turned.append((camera_id, preset))


class Places:
    """Departments that are there."""

    def exists(self, path: str) -> bool:
        return path in {"/", "/city/", WATER, ROADS}


def person(name: str, role: str, path: str) -> Actor:
    """Somebody with one role."""
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, (Grant(role, path),))


def picture(shade: int = 90, size: tuple[int, int] = (320, 180)) -> bytes:
    """A JPEG with a pattern in it."""
    image = np.full((size[1], size[0], 3), shade, np.uint8)
    cv2.circle(image, (size[0] // 2, size[1] // 2), size[1] // 4, (30, 200, 90), -1)
    return bytes(cv2.imencode(".jpg", image)[1])


def signal(
    rule: str = "rul_line", phase: Phase = Phase.ACTIVE, *, after: float = 0.0, **more: Any
) -> Signal:
    """A signal of a rule, some seconds after its beginning."""
    began = more.pop("began", NOON)
    return Signal(
        rule, more.pop("version", 1), more.pop("key", "a"), phase,
        began + timedelta(seconds=after), began, more.pop("box", Box(0.4, 0.3, 0.1, 0.3)), **more,
    )  # fmt: skip


class EventWorld:
    """Two departments with cameras, rules, people and everything that events need."""

    def __init__(
        self, database: Database, clock: Any, folder: Path, listeners: Sequence[Listener] = ()
    ) -> None:
        self.database, self.clock = database, clock
        self.fences = FakeFences(database)
        self.cameras, self.rules, self.actions = FakeCameras(), FakeRules(), FakeActions()
        self.files = FolderEvidence(folder / "evidence")
        self.outbox = Outbox(database, clock)
        self.audit = AuditLog(AuditRows(database), database, clock, b"k" * 32)
        self.store = PostgresEvents(database)
        self.events = Events(
            self.store, database, clock, self.fences, self.cameras, self.rules, self.files,
            self.outbox, self.audit, listeners,
        )  # fmt: skip
        self.secrets = SecretBox([b"s" * 32])
        self.senders: dict[ReceiverKind, Sender] = {
            ReceiverKind.WEBHOOK: WebHooks(self.secrets, ["localhost"], seconds=1.0),
            ReceiverKind.MAIL: Mail(MailSettings()),
        }
        self.receiver_store = PostgresReceivers(database)
        self.receivers = Receivers(
            self.receiver_store, self.store, database, clock, self.audit, self.secrets,
            self.senders,
        )  # fmt: skip
        self.linkages = Linkages(
            PostgresLinkages(database), self.store, self.receiver_store, self.receivers,
            self.cameras, self.actions, database, clock, self.audit,
        )  # fmt: skip
        self.privacy_store = PostgresPrivacy(database)
        self.exports = Exports(
            self.privacy_store, self.store, self.cameras, self.files, database, clock, self.audit
        )
        self.retaining = Retaining(
            self.privacy_store, self.store, self.cameras, self.files, database, clock, self.audit,
            [self.privacy_store, PostgresTimeline(database)], [PostgresTimeline(database)],
        )  # fmt: skip
        self.cameras.add(
            "cam_gate",
            WATER,
            latitude=31.2,
            longitude=120.6,
            groups=("gates",),
            masks=((Point(0, 0), Point(0.2, 0), Point(0.2, 0.2), Point(0, 0.2)),),
        )
        self.cameras.add("cam_weir", WATER, latitude=31.2, longitude=120.602)
        self.cameras.add("cam_road", ROADS, latitude=31.21, longitude=120.6)
        self.rules.rules.update(
            rul_line=RuleAbout(RuleKind.LINE_CROSSING, "Gate line"),
            rul_bag=RuleAbout(RuleKind.OBJECT_ABANDONED, "Left bags"),
            rul_weed=RuleAbout(RuleKind.VEGETATION, "Duckweed"),
            rul_plate=RuleAbout(RuleKind.PLATE, "Plates"),
        )
        self.fence = self.fences.take(7)
        self.operator = person("wang", "video_operator", WATER)
        self.viewer = person("li", "video_viewer", WATER)
        self.neighbour = person("zhao", "video_operator", ROADS)
        self.chief = person("chen", "video_administrator", "/city/")

    def happen(self, rule: str = "rul_line", camera: str = "cam_gate", **more: Any) -> str:
        """An event with a picture; answers its id."""
        from workloads.video_analytics.events.model import JPEG, Reported  # noqa: PLC0415

        shot = self.files.put(more.pop("picture", picture()), JPEG)
        told = [Reported(signal(rule, **more), shot)]
        return self.events.report(self.fence, camera, told)[0].id

    def relay(self) -> None:
        """Hand on what was published, as the foundation's relay does."""
        with self.database.transaction():
            for message in self.outbox.pending(1000):
                self.receivers.receive(message)
                self.linkages.receive(message)
                self.outbox.delivered(message.id)

    def audited(self, action: str) -> list[dict[str, Any]]:
        """The details of what the audit log has of an action."""
        with self.database.transaction():
            rows = self.database.execute(
                sa.text("SELECT actor_name, subject, path, detail FROM access_audit "
                        "WHERE action = :action ORDER BY seq"), {"action": action},
            )  # fmt: skip
            return [dict(row) for row in rows.mappings()]
