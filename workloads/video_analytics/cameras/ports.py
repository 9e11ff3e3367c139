"""What the registry of cameras needs of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.cameras.model import (
    Camera,
    Health,
    HealthChange,
    HealthState,
)
from workloads.video_analytics.cameras.onvif.model import Found, Preset, Report


@dataclass(frozen=True, slots=True)
class CameraQuery:
    """Which cameras are wanted; None wants all.

    Attributes:
        path: a department; those below it count.
        state: as it is shown; ``unseen`` for those that were never watched.
        text: part of a name, code, vendor, model or place.
    """

    path: str | None = None
    group: str | None = None
    state: HealthState | str | None = None
    text: str | None = None


class GroupCount(NamedTuple):
    """A group and how many cameras are in it."""

    name: str
    cameras: int


class Kept(NamedTuple):
    """A camera with its sealed address and credentials."""

    camera: Camera
    sealed: str


class CameraStore(Protocol):
    """Keeps cameras and how they do."""

    def add(self, camera: Camera, sealed: str) -> bool:
        """Keep a new one; False when its code is taken."""
        ...

    def counted(self) -> int:
        """How many there are; held until the end, so that two do not pass a limit together."""
        ...

    def find(self, camera_id: str, *, locked: bool = False) -> Kept | None:
        """One that is not removed."""
        ...

    def with_code(self, code: str) -> Kept | None:
        """One that is not removed, by its code, locked."""
        ...

    def list(
        self, paths: Sequence[str], query: CameraQuery, request: PageRequest, now: datetime
    ) -> Page[Camera]:
        """Those at or below any of the paths, by id."""
        ...

    def known(self, camera_ids: Collection[str]) -> Sequence[Camera]:
        """These, removed ones too."""
        ...

    def save(self, camera: Camera, sealed: str) -> bool:
        """Keep changes and the new version; False when its code is taken."""
        ...

    def remove(self, camera_id: str, now: datetime) -> None:
        """Forget its address and credentials; its name and rules stay for what it has seen."""
        ...

    def touch(self, camera_id: str) -> None:
        """Let its version grow."""
        ...

    def watched(self, shards: Collection[int]) -> Sequence[Kept]:
        """The enabled ones of these shards, by id."""
        ...

    def note_health(self, found: Mapping[str, Health]) -> None:
        """Keep how cameras do; older than what is known changes nothing; a new state is history."""
        ...

    def history(self, camera_id: str, limit: int) -> Sequence[HealthChange]:
        """Into which states it passed, the newest first."""
        ...

    def prune_history(self, before: datetime) -> int:
        """Forget changes older than this; answers how many."""
        ...

    def counts(self, paths: Sequence[str], now: datetime) -> Mapping[HealthState | None, int]:
        """How many cameras are shown in each state; None for never watched."""
        ...

    def groups(self, paths: Sequence[str]) -> Sequence[GroupCount]:
        """All groups, by name."""
        ...


class DeviceClient(Protocol):
    """An ONVIF device: ``cameras.onvif.client.Client``; what it raises stands there."""

    def report(self) -> Report:
        """Everything about it."""
        ...

    def clock_offset(self) -> float | None:
        """Seconds by which its clock is ahead of ours; signs what follows."""
        ...

    def presets(self, profile: str) -> Sequence[Preset]:
        """The kept positions of a profile that turns."""
        ...

    def go_to(self, profile: str, preset: str) -> None:
        """Turn to a kept position."""
        ...


class DeviceClients(Protocol):
    """Opens devices."""

    def __call__(self, address: str, username: str, password: str) -> DeviceClient: ...


class Probes(Protocol):
    """Finds devices: ``cameras.onvif.discovery.Discovery``."""

    def probe(self, host: str = "") -> Sequence[Found]:
        """Those that answer; of one host, or of all on the configured interfaces."""
        ...


class Places(Protocol):
    """The tree of departments."""

    def exists(self, path: str) -> bool:
        """Whether a department has this path; called in the open transaction."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class Vault(Protocol):
    """Seals secrets: ``foundation.kernel.secretbox.SecretBox``."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...
