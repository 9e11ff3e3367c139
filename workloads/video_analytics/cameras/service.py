"""The use cases of cameras."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Problem,
    QuotaExceeded,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.video_analytics.cameras import sealing
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.model import (
    Camera,
    CameraId,
    Device,
    Health,
    HealthChange,
    HealthState,
    Limits,
    Overview,
    Settings,
    SourceKind,
    Watched,
    check,
    shard_of,
)
from workloads.video_analytics.cameras.ports import (
    Audit,
    CameraQuery,
    CameraStore,
    GroupCount,
    Kept,
    Places,
    Vault,
)
from workloads.video_analytics.cameras.reach import Opening
from workloads.video_analytics.cameras.sealing import Access

NOUN = "camera"
_HISTORY = 200
_CREDENTIAL_MAX = 500
#: For how long it is known into which states a camera passed.
HISTORY_KEPT = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class SourceWish:
    """A source as people give it.

    Attributes:
        url: may hold credentials; ``username`` and ``password`` win over those.
        device: the ONVIF device behind it, if that is known.
    """

    kind: SourceKind
    url: str = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    device: Device | None = None


class Cameras:
    """The registry."""

    def __init__(
        self,
        store: CameraStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        places: Places,
        vault: Vault,
        addresses: AddressPolicy,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._places = places
        self._vault = vault
        self._limits = limits
        self.addresses = addresses

    # People ----------------------------------------------------------------------------------

    def create(self, actor: Actor, settings: Settings, source: SourceWish) -> Camera:
        """Enter a camera into the registry.

        Raises:
            Invalid: names every wrong field.
            NotFound: the department is none of the actor's business.
            Conflict: another camera has the code.
            QuotaExceeded: as many cameras as were ordered are there.
        """
        with self._db.transaction():
            self._require_place(actor, settings.path)
            found = Collector()
            self._check_tier(found, settings)
            access = self._check(found, settings, source)
            found.finish()
            most = self._limits.most
            if most and self._store.counted() >= most:
                raise QuotaExceeded(f"{most} cameras were ordered and are registered", limit=most)
            made, sealed = self._made(settings, access, source.device)
            if not self._store.add(made, sealed):
                raise Conflict(f"another camera has the code {settings.code}")
            self._note(actor, "camera.create", made, {"name": settings.name.as_json()})
            return made

    def change(
        self,
        actor: Actor,
        camera_id: str,
        settings: Settings,
        source: SourceWish | None = None,
        *,
        version: int | None = None,
    ) -> Camera:
        """Change a camera.

        Args:
            actor: who asks.
            camera_id: which.
            settings: all of them, as they shall be.
            source: another one; None keeps what there is. Without credentials those that are kept
                go on if it is the same host; for another one they must be given anew, so that
                nobody has them sent to a machine of their own.
            version: the one that the caller saw.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of, or no such department.
            PreconditionFailed: it has another version by now.
            Conflict: another camera has the code.
        """
        with self._db.transaction():
            there = self._managed(actor, camera_id)
            if version is not None and there.camera.version != version:
                raise PreconditionFailed("the camera has changed meanwhile")
            if settings.path != there.camera.path:
                self._require_place(actor, settings.path)
            return self._changed(actor, there, settings, source)

    def _changed(
        self, actor: Actor, there: Kept, settings: Settings, source: SourceWish | None
    ) -> Camera:
        found = Collector()
        if settings.tier is not there.camera.settings.tier:
            self._check_tier(found, settings)
        old = self._opened(there)
        access, device = old, there.camera.device
        if source is None:
            check(found, settings)
        else:
            device = source.device or device
            access = self._check(found, settings, source)
            if not access.has_credentials and old.has_credentials and not found.problems:
                same = access.origin == old.origin and device == there.camera.device
                rule = "must be given again: the source is on another host"
                found.check(same, "source.password", rule, "required")
                access = replace(access, username=old.username, password=old.password)
        found.finish()
        before = there.camera
        if (settings, access, device) == (before.settings, old, before.device):
            return before
        changed = replace(
            before,
            settings=settings,
            source=access.source,
            has_credentials=access.has_credentials,
            device=device,
            version=before.version + 1,
        )
        if not self._store.save(changed, access.seal(self._vault, changed.id)):
            raise Conflict(f"another camera has the code {settings.code}")
        details = {"fields": _differences(before, changed, source_changed=access != old)}
        self._note(actor, "camera.update", changed, details)
        return changed

    def remove(self, actor: Actor, camera_id: str) -> None:
        """Take a camera out of the registry; its credentials are forgotten, what it saw stays.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._managed(actor, camera_id).camera
            self._store.remove(there.id, self._clock.now())
            self._note(actor, "camera.remove", there, {"name": there.settings.name.as_json()})

    def camera(self, actor: Actor, camera_id: str, *, action: str = "camera.view") -> Camera:
        """One camera.

        Args:
            actor: who asks.
            camera_id: which.
            action: what the actor wants to do with it.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Forbidden: the actor may know of it and not do this.
        """
        with self._db.transaction():
            found = self._store.find(camera_id)
            if found is None:
                raise policy.unknown(NOUN)
            policy.require(actor, action, found.camera.path, NOUN)
            return found.camera

    def cameras(self, actor: Actor, query: CameraQuery, request: PageRequest) -> Page[Camera]:
        """The cameras that the actor may see."""
        paths = policy.visible_paths(actor, "camera.view")
        with self._db.transaction():
            return self._store.list(paths, query, request, self._clock.now())

    def groups(self, actor: Actor) -> Sequence[GroupCount]:
        """The groups of the cameras that the actor may see."""
        with self._db.transaction():
            return self._store.groups(policy.visible_paths(actor, "camera.view"))

    def overview(self, actor: Actor) -> Overview:
        """How many of the cameras that the actor may see are in which state."""
        paths = policy.visible_paths(actor, "camera.view")
        with self._db.transaction():
            counts = self._store.counts(paths, self._clock.now())
        states = {state: n for state, n in counts.items() if state is not None}
        return Overview(states, counts.get(None, 0))

    def history(self, actor: Actor, camera_id: str) -> Sequence[HealthChange]:
        """Into which states a camera passed, the newest first.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.history(self.camera(actor, camera_id).id, _HISTORY)

    def may_look(self, actor: Actor, camera: Camera) -> bool:
        """Whether the actor may see live pictures of a camera."""
        return policy.allows(actor, "live.view", camera.path)

    def state(self, camera: Camera) -> HealthState | None:
        """What is shown of a camera now; None when it was never watched."""
        return camera.state(self._clock.now())

    # Imports ---------------------------------------------------------------------------------

    def import_all(
        self, actor: Actor, rows: Sequence[tuple[str, Settings, SourceWish]]
    ) -> tuple[list[Camera], list[Camera]]:
        """Enter many cameras, all or none; a row with a known code changes that camera.

        Args:
            actor: who asks.
            rows: each with its name for problems, such as ``rows.3``.

        Returns:
            The new ones, and those that were there (changed or not).

        Raises:
            Invalid: names every wrong row and field.
        """
        found = Collector()
        new: list[Camera] = []
        known: list[Camera] = []
        seen: set[str] = set()
        with self._db.transaction():
            for name, settings, source in rows:
                unique = not settings.code or settings.code not in seen
                found.check(unique, f"{name}.code", "is given twice")
                seen.add(settings.code)
                try:
                    there = self._store.with_code(settings.code) if settings.code else None
                    self._import_one(actor, settings, source, there, (new, known))
                except Invalid as error:
                    found.include(_flat(error), name)
                except NotFound:
                    found.check(False, f"{name}.path", "is not a department")
                except Forbidden:
                    found.check(False, f"{name}.path", "is a department you may not change")
            found.finish()  # inside: what was entered is rolled back with it
        return new, known

    def _import_one(
        self,
        actor: Actor,
        settings: Settings,
        source: SourceWish,
        there: Kept | None,
        into: tuple[list[Camera], list[Camera]],
    ) -> None:
        if there is None:
            into[0].append(self.create(actor, settings, source))
            return
        try:
            policy.require(actor, "camera.manage", there.camera.path, NOUN)
        except (NotFound, Forbidden):
            raise Invalid([Problem("code", "is another department's")]) from None
        if settings.path != there.camera.path:
            self._require_place(actor, settings.path)
        into[1].append(self._changed(actor, there, settings, source))

    # Other features --------------------------------------------------------------------------

    def watched(self, shards: Collection[int]) -> Sequence[Watched]:
        """The enabled cameras of these shards; for workers, which ask often."""
        with self._db.transaction():
            return [self._watched(kept) for kept in self._store.watched(shards)]

    def _watched(self, kept: Kept) -> Watched:
        one = kept.camera

        def opener() -> Opening:
            return sealing.opening(self.addresses, self._opened(kept))

        return Watched(
            one.view(), one.path, shard_of(one.id), one.settings.tier, one.source,
            one.settings.priority, one.version, opener,
        )  # fmt: skip

    def note_health(self, camera_id: str, health: Health) -> None:
        """Keep how a camera does; what is older than what is known changes nothing."""
        self.note_healths({camera_id: health})

    def note_healths(self, found: Mapping[str, Health]) -> None:
        """Keep how cameras do, in one transaction, however many; as ``note_health``."""
        if found:
            with self._db.transaction():
                self._store.note_health(found)

    def known(self, camera_ids: Collection[str]) -> Mapping[str, Camera]:
        """These cameras by id, removed ones too; for features that authorised already."""
        with self._db.transaction():
            return {one.id: one for one in self._store.known(camera_ids)}

    def touched(self, camera_id: str) -> None:
        """A rule of the camera has changed: its version grows."""
        with self._db.transaction():
            self._store.touch(camera_id)

    def access(self, actor: Actor, camera_id: str) -> tuple[Camera, Access]:
        """A camera with its opened source, for adapters that speak to its device.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._managed(actor, camera_id)
            return there.camera, self._opened(there)

    def prune(self) -> int:
        """Forget health changes that are too old; answers how many."""
        with self._db.transaction():
            return self._store.prune_history(self._clock.now() - HISTORY_KEPT)

    # Inside ----------------------------------------------------------------------------------

    def _opened(self, kept: Kept) -> Access:
        return sealing.opened(self._vault, kept.camera.id, kept.camera.source.kind, kept.sealed)

    def _managed(self, actor: Actor, camera_id: str) -> Kept:
        found = self._store.find(camera_id, locked=True)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, "camera.manage", found.camera.path, NOUN)
        return found

    def _require_place(self, actor: Actor, path: str) -> None:
        policy.require(actor, "camera.manage", path, "department")
        if path == policy.ROOT or not self._places.exists(path):
            raise policy.unknown("department")

    def _check_tier(self, found: Collector, settings: Settings) -> None:
        ordered = settings.tier in self._limits.tiers
        found.check(ordered, "tier", "is closer than what was ordered")

    def _check(self, found: Collector, settings: Settings, source: SourceWish) -> Access:
        check(found, settings)
        for name in ("username", "password"):
            fits = len(getattr(source, name)) <= _CREDENTIAL_MAX
            found.check(fits, f"source.{name}", f"must be at most {_CREDENTIAL_MAX} characters")
        try:
            self.addresses.check_kept(source.kind, source.url)
            if source.device is not None:
                device = source.device.address
                self.addresses.check_url(device, ("http", "https"), "source.device.address")
        except Invalid as error:
            found.include(error)
            return Access(source.kind, "")
        return Access.of(source.kind, source.url, source.username, source.password)

    def _made(
        self, settings: Settings, access: Access, device: Device | None
    ) -> tuple[Camera, str]:
        made = Camera(
            CameraId(ids.new("cam")), settings, access.source, access.has_credentials, 1,
            self._clock.now(), device,
        )  # fmt: skip
        return made, access.seal(self._vault, made.id)

    def _note(
        self, actor: Actor, action: str, camera: Camera, details: Mapping[str, object]
    ) -> None:
        self._audit.record(actor, action, subject=camera.id, path=camera.path, details=details)


def _differences(before: Camera, after: Camera, *, source_changed: bool) -> list[str]:
    """The names of settings that differ; values are not written down: they may tell secrets."""
    names = Settings.__dataclass_fields__
    changed = [n for n in names if getattr(before.settings, n) != getattr(after.settings, n)]
    return [*changed, *(["source"] if source_changed or before.device != after.device else [])]


_FLAT = {
    "name.en": "name", "name.zh": "name_zh", "place.text": "place", "place.latitude": "latitude",
    "place.longitude": "longitude", "source.url": "url", "source.username": "username",
    "source.password": "password", "source.kind": "kind",
}  # fmt: skip


def _flat(error: Invalid) -> Invalid:
    """The problems under the names that rows of an import have."""
    return Invalid(Problem(_FLAT.get(p.field, p.field), p.message, p.code) for p in error.problems)
