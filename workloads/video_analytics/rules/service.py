"""The use cases of rules and permits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Invalid,
    PreconditionFailed,
    Problem,
)
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.kernel.time import Clock
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.rules.model import (
    LISTS,
    MODELS,
    RULES_PER_CAMERA,
    Permit,
    PermitId,
    Rule,
    RuleId,
    Wish,
    check,
    check_permit,
    current,
    kinds,
)
from workloads.video_analytics.rules.ports import (
    Audit,
    Lists,
    Models,
    PermitQuery,
    RuleQuery,
    RuleStore,
)
from workloads.video_analytics.vision.model import RuleKind, RuleSpec

NOUN = "rule"
PERMIT = "permit"


@dataclass(frozen=True, slots=True)
class PermitWish:
    """A permit as people give it; see ``Permit``."""

    number: str
    first: date
    last: date
    holder: str = ""
    start: str = "00:00"
    end: str = "00:00"
    note: str = ""


class Rules:
    """Rules of cameras and permits of sites."""

    def __init__(
        self,
        store: RuleStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        cameras: Cameras,
        models: Models,
        lists: Lists,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._cameras = cameras
        self._models = models
        self._lists = lists

    # Rules -----------------------------------------------------------------------------------

    def create(self, actor: Actor, camera_id: str, wish: Wish, *, note: str = "") -> Rule:
        """Watch a camera for something.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such camera, or none that the actor may know of.
            Conflict: the camera has as many rules as one may have.
        """
        with self._db.transaction():
            camera = self._cameras.camera(actor, camera_id, action="rule.manage")
            found = Collector()
            check(found, wish)
            self._check_lists(found, wish, camera.path)
            found.finish()
            # The camera's row is held by this: two at once do not pass the limit together.
            self._cameras.touched(camera.id)
            if self._store.count(camera.id) >= RULES_PER_CAMERA:
                raise Conflict(f"a camera has at most {RULES_PER_CAMERA} rules")
            made = Rule(
                RuleId(ids.new("rul")), camera.id, camera.path, 1, wish.kind, wish.name,
                wish.points, wish.parameters, wish.schedule, True, self._clock.now(), actor.id,
                note,
            )  # fmt: skip
            self._store.add(made)
            self._note(actor, "rule.create", made, {"kind": made.kind.value})
            return made

    def change(self, actor: Actor, rule_id: str, wish: Wish, *, version: int | None = None) -> Rule:
        """Make a new version of a rule; its kind stays.

        Args:
            actor: who asks.
            rule_id: which.
            wish: all of it, as it shall be.
            version: the one that the caller saw.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
            PreconditionFailed: it has another version by now.
        """
        with self._db.transaction():
            there = self._managed(actor, rule_id)
            if version is not None and there.version != version:
                raise PreconditionFailed("the rule has changed meanwhile")
            found = Collector()
            found.check(wish.kind is there.kind, "kind", "stays what it is: make another rule")
            check(found, wish)
            self._check_lists(found, wish, there.path)
            found.finish()
            changed = replace(
                there, name=wish.name, points=wish.points, parameters=wish.parameters,
                schedule=wish.schedule,
            )  # fmt: skip
            return there if changed == there else self._next(actor, changed, "rule.update")

    def _next(self, actor: Actor, changed: Rule, action: str, note: str = "") -> Rule:
        newer = replace(
            changed, version=changed.version + 1, at=self._clock.now(), by=actor.id, note=note
        )
        self._store.add_version(newer)
        self._cameras.touched(newer.camera_id)
        self._note(actor, action, newer, {"version": newer.version, "note": note})
        return newer

    def enable(self, actor: Actor, rule_id: str, *, enabled: bool) -> Rule:
        """Switch a rule on or off.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._managed(actor, rule_id)
            if there.enabled != enabled:
                self._store.enable(there.id, enabled=enabled)
                self._cameras.touched(there.camera_id)
                self._note(actor, f"rule.{'enable' if enabled else 'disable'}", there, {})
            return replace(there, enabled=enabled)

    def remove(self, actor: Actor, rule_id: str) -> None:
        """Take a rule away; its versions stay readable for its events.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._managed(actor, rule_id)
            self._store.remove(there.id, self._clock.now())
            self._cameras.touched(there.camera_id)
            self._note(actor, "rule.remove", there, {})

    def copy(self, actor: Actor, rule_id: str, *, group: str) -> list[Rule]:
        """Copy a rule to all cameras of a group that have none like it.

        Returns:
            The new rules; cameras outside of the actor's rights are passed over.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Invalid: no camera of the group may be changed by the actor.
            Conflict: a camera has as many rules as one may have.
        """
        with self._db.transaction():
            origin = self._managed(actor, rule_id)
            wish = Wish(origin.kind, origin.name, origin.points, origin.parameters, origin.schedule)
            cameras = [
                one
                for one in everything(
                    lambda page: self._cameras.cameras(actor, CameraQuery(group=group), page)
                )
                if policy.allows(actor, "rule.manage", one.path)
            ]
            if not cameras:
                raise Invalid([Problem("group", "has no camera that you may change")])
            note = f"copied from {origin.id}"
            return [
                self.create(actor, camera.id, wish, note=note)
                for camera in cameras
                if camera.id != origin.camera_id and not self._has(camera.id, origin)
            ]

    def _has(self, camera_id: str, like: Rule) -> bool:
        """Whether a camera has a rule that looks for the same in the same place."""
        return any(
            (one.kind, one.name, one.points, one.parameters, one.schedule)
            == (like.kind, like.name, like.points, like.parameters, like.schedule)
            for one in everything(
                lambda page: self._store.list(["/"], RuleQuery(camera_id=camera_id), page)
            )
        )

    def rule(self, actor: Actor, rule_id: str) -> Rule:
        """One rule, as it is now.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, rule_id)

    def rules(self, actor: Actor, query: RuleQuery, request: PageRequest) -> Page[Rule]:
        """The rules that the actor may see."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "rule.view"), query, request)

    def versions(self, actor: Actor, rule_id: str) -> Sequence[Rule]:
        """All versions of a rule, the newest first; of one that was removed too.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._store.versions(rule_id)
            if not found:
                raise policy.unknown(NOUN)
            policy.require(actor, "rule.view", found[0].path, NOUN)
            return found

    def missing(self, kind: RuleKind) -> str:
        """The model that a kind needs and that is not there, or empty."""
        name = MODELS.get(kind, "")
        return name if name and not self._models.present(name) else ""

    def kinds(self) -> list[RuleKind]:
        """The kinds that can be watched for."""
        return kinds()

    # Other features --------------------------------------------------------------------------

    def specs(self, camera_ids: Collection[str]) -> Mapping[str, tuple[RuleSpec, ...]]:
        """The rules of cameras that are in force now; cameras without one have none in it.

        Ask again when a camera's version has grown, and every minute: hours begin and end, and
        permits pass, without one.
        """
        now = self._clock.now()
        with self._db.transaction():
            cameras = self._cameras.known(camera_ids)
            rules = [
                one
                for one in self._store.of_cameras(camera_ids)
                if one.in_force(now, cameras[one.camera_id].settings.timezone)
            ]
            sites = [one.id for one in rules if one.kind is RuleKind.CONSTRUCTION]
            # Days of time zones and nights reach beyond those of UTC.
            since = now.date() - timedelta(days=4)
            permits = self._store.permits_of(sites, since) if sites else ()
        found: dict[str, list[RuleSpec]] = {}
        for rule in rules:
            timezone = cameras[rule.camera_id].settings.timezone
            own = [permit for permit in permits if permit.rule_id == rule.id]
            found.setdefault(rule.camera_id, []).append(rule.spec(current(own, timezone, now)))
        return {camera_id: tuple(specs) for camera_id, specs in found.items()}

    def known(self, rule_ids: Collection[str]) -> Mapping[str, Rule]:
        """These rules by id, removed ones too; for features that authorised already."""
        with self._db.transaction():
            return {one.id: one for one in self._store.known(rule_ids)}

    # Permits ---------------------------------------------------------------------------------

    def grant_permit(self, actor: Actor, rule_id: str, wish: PermitWish) -> Permit:
        """Enter a permit for the site of a rule: it makes a new version of the rule.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such rule, or none that the actor may know of.
            Conflict: the site has a permit of that number.
        """
        with self._db.transaction():
            rule = self._seen(actor, rule_id, "permit.manage", locked=True)
            made = Permit(
                PermitId(ids.new("prm")), rule.id, rule.path, wish.number, wish.holder,
                wish.first, wish.last, wish.start, wish.end, wish.note, self._clock.now(),
                actor.id,
            )  # fmt: skip
            found = Collector()
            site = rule.kind is RuleKind.CONSTRUCTION
            found.check(site, "rule", "is not about construction: it needs no permit")
            check_permit(found, made)
            found.finish()
            if not self._store.add_permit(made):
                raise Conflict(f"the site has a permit {wish.number} already")
            self._next(actor, rule, "permit.create", f"permit {wish.number} entered")
            return made

    def revoke_permit(self, actor: Actor, permit_id: str) -> Permit:
        """Let a permit count no more, from now on; the same again changes nothing.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._permit(actor, permit_id, "permit.manage", locked=True)
            if there.revoked_at is not None:
                return there
            now = self._clock.now()
            self._store.revoke(there.id, now)
            rule = self._store.find(there.rule_id, locked=True)
            if rule is not None:
                self._next(actor, rule, "permit.revoke", f"permit {there.number} revoked")
            return replace(there, revoked_at=now)

    def permit(self, actor: Actor, permit_id: str) -> Permit:
        """One permit.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._permit(actor, permit_id, "permit.view")

    def permits(self, actor: Actor, query: PermitQuery, request: PageRequest) -> Page[Permit]:
        """The permits that the actor may see, the newest first."""
        with self._db.transaction():
            return self._store.permits(policy.visible_paths(actor, "permit.view"), query, request)

    # Inside ----------------------------------------------------------------------------------

    def _check_lists(self, found: Collector, wish: Wish, path: str) -> None:
        """Note a watch list that is not there for cameras of a department."""
        kind = LISTS.get(wish.kind)
        given = wish.parameters.get("watchlists")
        if kind is None or not isinstance(given, list):
            return
        known = self._lists.known([one for one in given if isinstance(one, str)])
        theirs = {
            one.id for one in known.values() if one.kind is kind and path.startswith(one.path)
        }  # fmt: skip
        strange = [one for one in given if not isinstance(one, str) or one not in theirs]
        found.check(
            not strange, "parameters.watchlists",
            f"must be lists of {kind.value} that the camera's department may use",
        )  # fmt: skip

    def _permit(self, actor: Actor, permit_id: str, action: str, *, locked: bool = False) -> Permit:
        found = self._store.permit(permit_id, locked=locked)
        if found is None:
            raise policy.unknown(PERMIT)
        policy.require(actor, action, found.path, PERMIT)
        return found

    def _managed(self, actor: Actor, rule_id: str) -> Rule:
        return self._seen(actor, rule_id, "rule.manage", locked=True)

    def _seen(
        self, actor: Actor, rule_id: str, action: str = "rule.view", *, locked: bool = False
    ) -> Rule:
        found = self._store.find(rule_id, locked=locked)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, action, found.path, NOUN)
        return found

    def _note(self, actor: Actor, action: str, rule: Rule, details: Mapping[str, object]) -> None:
        self._audit.record(
            actor, action, subject=rule.id, path=rule.path,
            details={"camera": rule.camera_id, **details},
        )  # fmt: skip
