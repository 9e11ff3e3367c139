"""Use cases of policies: packs, waivers, and what both say of a graph or a price."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from control_plane.provisioning.model import Finding, Severity
from control_plane.provisioning.policies import judging
from control_plane.provisioning.policies.checks import CATALOGUE
from control_plane.provisioning.policies.model import (
    LONGEST,
    Holder,
    Pack,
    Priced,
    Subject,
    SubjectKind,
    Use,
    Waiver,
    WaiverId,
    WaiverRequest,
    WaiverState,
)
from control_plane.provisioning.policies.ports import Owners, PolicyStore
from control_plane.provisioning.policies.reading import SAFETY, bundled, pack_from
from control_plane.provisioning.ports import Audit
from control_plane.tenancy.service import TenancyService
from foundation.access import policy as access
from foundation.access.model import Principal, PrincipalState
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, Forbidden, NotFound
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock

_LONGEST_REASON = 2000
_LONGEST_PATTERN = 200
_NOUNS = {
    SubjectKind.DEPLOYMENT: "deployment",
    SubjectKind.TENANCY: "tenancy",
    SubjectKind.PATH: "organisation",
}
_FILTERS = ("policy", "kind", "subject", "owner")


class Policies:
    """Packs of policies and waivers, and how both are applied."""

    def __init__(
        self,
        store: PolicyStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        tenancy: TenancyService,
        owners: Owners,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._tenancy = tenancy
        self._owners = owners

    # What plans are held to; for the rest of provisioning, which has authorised ---------------

    def judge(self, subject: Subject, *, under: str = "") -> tuple[Finding, ...]:
        """What the enabled packs say of a graph, waivers considered, the weightiest first.

        Args:
            subject: what is looked at.
            under: put before the names of resources; waivers name them so too.
        """
        with self._db.transaction():
            said = judging.judge(self._enabled(), subject)
            found = tuple(replace(f, subject=f"{under}{f.subject}") for f in said)
            return self._waived(found, subject.holder)

    def judge_price(self, priced: Priced) -> tuple[Finding, ...]:
        """What they say of a price."""
        with self._db.transaction():
            found = judging.judge_price(self._enabled(), priced)
            return self._waived(found, priced.holder)

    @staticmethod
    def judge_bundled(subject: Subject) -> tuple[Finding, ...]:
        """What the packs that come with the platform say, whatever a city made of them."""
        return judging.judge(bundled().values(), subject)

    def ended(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those that rest on a waiver that does not hold any more."""
        resting = [f for f in findings if f.waiver is not None]
        if not resting:
            return []
        with self._db.transaction():
            waivers = self._store.named([f.waiver.id for f in resting if f.waiver])
        now = self._clock.now()
        holding = {w.id for w in waivers if w.state(now) is WaiverState.ACTIVE}
        return [f for f in resting if f.waiver and f.waiver.id not in holding]

    def _waived(self, found: tuple[Finding, ...], holder: Holder) -> tuple[Finding, ...]:
        if not any(f.severity is Severity.WAIVABLE for f in found):
            return found
        return judging.waived(found, self._store.holding(holder, self._clock.now()))

    # Policies and packs ----------------------------------------------------------------------

    def policies(self, actor: Actor) -> list[Use]:
        """All policies with how the newest packs weigh them, rules of the city's own last."""
        access.require(actor, "policy.view", access.ROOT)
        with self._db.transaction():
            packs = self._packs()
        return _uses(packs)

    def policy(self, actor: Actor, policy_id: str) -> Use:
        """One policy.

        Raises:
            NotFound: there is none.
        """
        for use in self.policies(actor):
            if use.id == policy_id:
                return use
        raise NotFound(f"there is no policy {policy_id}")

    def packs(self, actor: Actor) -> list[Pack]:
        """The newest version of every pack, by name."""
        access.require(actor, "policy.view", access.ROOT)
        with self._db.transaction():
            return self._packs()

    def pack(self, actor: Actor, name: str, version: int | None = None) -> Pack:
        """A pack in its newest version, or in another.

        Raises:
            NotFound: there is none.
        """
        access.require(actor, "policy.view", access.ROOT)
        with self._db.transaction():
            for pack in self._versions(name):
                if version in {None, pack.version}:
                    return pack
        raise NotFound(f"there is no pack {name}" + (f" {version}" if version else ""))

    def pack_versions(self, actor: Actor, name: str) -> list[Pack]:
        """All versions of a pack, the newest first.

        Raises:
            NotFound: there is no such pack.
        """
        access.require(actor, "policy.view", access.ROOT)
        with self._db.transaction():
            found = self._versions(name)
        if not found:
            raise NotFound(f"there is no pack {name}")
        return found

    def publish_pack(self, actor: Actor, document: Mapping[str, Any]) -> Pack:
        """Enter a version of a pack; the same again changes nothing.

        What is planned from now on is held to it. What waits for approval is planned again before
        it is carried out, and needs another approval when the findings are others.

        Raises:
            Invalid: names every wrong field.
            Conflict: the version is there and differs, or is not the next one, or the pack is the
                platform's own safety.
        """
        access.require(actor, "policy.manage", access.ROOT)
        wanted = pack_from(document)
        if wanted.name == SAFETY:
            raise Conflict(f"the pack {SAFETY} cannot be replaced: it comes with the platform")
        made = replace(wanted, published_at=self._clock.now(), published_by=actor.id)
        with self._db.transaction():
            versions = self._versions(made.name)
            same = next((p for p in versions if p.version == made.version), None)
            if same is not None:
                return self._unchanged(same, made)
            following = versions[0].version + 1 if versions else 1
            if made.version != following or not self._store.add_pack(made):
                raise Conflict(f"the next version of {made.name} is {following}", next=following)
            details = {"name": made.name, "version": made.version}
            self._note(actor, "policy.publish", made.name, access.ROOT, details)
            return next(p for p in self._versions(made.name) if p.version == made.version)

    @staticmethod
    def _unchanged(there: Pack, made: Pack) -> Pack:
        if dict(there.document) != dict(made.document):
            raise Conflict(
                f"version {there.version} of {there.name} is there: enter the next one",
                version=there.version,
            )
        return there

    def switch_pack(self, actor: Actor, name: str, *, enabled: bool) -> Pack:
        """Hold plans to a pack, or not any more.

        Raises:
            NotFound: there is none.
            Conflict: it is the platform's own safety.
        """
        access.require(actor, "policy.manage", access.ROOT)
        with self._db.transaction():
            versions = self._versions(name)
            if not versions:
                raise NotFound(f"there is no pack {name}")
            if name == SAFETY and not enabled:
                raise Conflict(f"the pack {SAFETY} is always on")
            if versions[0].enabled == enabled:
                return versions[0]
            self._store.switch(name, actor.id, self._clock.now(), enabled=enabled)
            action = "policy.enable" if enabled else "policy.disable"
            details = {"name": name, "version": versions[0].version}
            self._note(actor, action, name, access.ROOT, details)
            return replace(versions[0], enabled=enabled)

    def _enabled(self) -> list[Pack]:
        return [pack for pack in self._packs() if pack.enabled]

    def _packs(self) -> list[Pack]:
        """The newest version of each; a published one replaces the bundled one of its name."""
        newest = {**bundled(), **{pack.name: pack for pack in self._store.newest_packs()}}
        switches = self._store.switches()
        return [
            replace(pack, enabled=switches.get(name, True)) for name, pack in sorted(newest.items())
        ]

    def _versions(self, name: str) -> list[Pack]:
        enabled = self._store.switches().get(name, True)
        own = bundled().get(name)
        found = self._store.versions(name)
        if own is not None and own.version not in {pack.version for pack in found}:
            found.append(own)
        return [replace(pack, enabled=enabled) for pack in found]

    # Waivers ---------------------------------------------------------------------------------

    def waive(self, actor: Actor, wanted: WaiverRequest) -> Waiver:
        """Let a policy's findings pass until a day.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is no such deployment, tenancy or part of the city.
            Forbidden: the actor may not, or would answer for it themselves.
        """
        with self._db.transaction():
            found = Collector()
            chosen = self._subject(actor, wanted, found)
            owner = self._owner(wanted.owner, found)
            self._check_policy(wanted.policy, found)
            self._check_text(wanted, found)
            found.finish()
            assert owner is not None  # noqa: S101 - finish has raised otherwise
            assert chosen is not None  # noqa: S101
            kind, subject, path = chosen
            if owner.id == actor.id:
                raise Forbidden("nobody grants a waiver to themselves: another answers for it")
            made = Waiver(
                WaiverId(ids.new("wai")), wanted.policy, kind, subject, path, wanted.resource,
                owner.id, owner.name, wanted.reason.strip(), wanted.ends_at, self._clock.now(),
                actor.id, actor.name,
            )  # fmt: skip
            self._store.add_waiver(made)
            details = {
                "policy": made.policy, "subject": made.subject, "resource": made.resource,
                "owner": made.owner, "reason": made.reason, "ends_at": made.ends_at,
            }  # fmt: skip
            self._note(actor, "policy.waive", made.id, path, details)
            return made

    def revoke(self, actor: Actor, waiver_id: str, reason: str) -> Waiver:
        """End a waiver before its day; one that is revoked already is answered as it is.

        Raises:
            Invalid: no reason is given.
            NotFound: there is none that the actor may know of.
            Conflict: it has ended.
        """
        with self._db.transaction():
            there = self._seen(actor, waiver_id, lock=True)
            access.require(actor, "policy.waive", there.path, "waiver")
            now = self._clock.now()
            if there.state(now) is WaiverState.REVOKED:
                return there
            if there.state(now) is WaiverState.EXPIRED:
                raise Conflict("the waiver has ended", ends_at=there.ends_at)
            found = Collector()
            _check_reason(reason, found)
            found.finish()
            revoked = replace(
                there, revoked_at=now, revoked_by=actor.id, revoked_by_name=actor.name,
                revoked_because=reason.strip(),
            )  # fmt: skip
            self._store.save_waiver(revoked)
            details = {"policy": there.policy, "reason": revoked.revoked_because}
            self._note(actor, "policy.revoke", there.id, there.path, details)
            return revoked

    def waiver(self, actor: Actor, waiver_id: str) -> Waiver:
        """One waiver.

        Raises:
            NotFound: there is none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, waiver_id)

    def waivers(
        self,
        actor: Actor,
        request: PageRequest,
        *,
        state: WaiverState | None = WaiverState.ACTIVE,
        filters: Mapping[str, str] | None = None,
    ) -> Page[Waiver]:
        """The waivers that the actor may see, the first to end first.

        Args:
            actor: who asks.
            request: which part.
            state: those in it; None for all.
            filters: any of ``policy``, ``kind``, ``subject``, ``owner``.
        """
        given = {name: value for name, value in (filters or {}).items() if name in _FILTERS}
        paths = access.visible_paths(actor, "waiver.view")
        with self._db.transaction():
            return self._store.waivers(paths, state, self._clock.now(), given, request)

    def waiver_state(self, waiver: Waiver) -> WaiverState:
        """Whether a waiver holds now."""
        return waiver.state(self._clock.now())

    def _seen(self, actor: Actor, waiver_id: str, *, lock: bool = False) -> Waiver:
        there = self._store.waiver(waiver_id, lock=lock)
        if there is None or not access.allows(actor, "waiver.view", there.path):
            raise access.unknown("waiver")
        return there

    def _subject(
        self, actor: Actor, wanted: WaiverRequest, found: Collector
    ) -> tuple[SubjectKind, str, str] | None:
        """What it is for, its id, and the path of its organisation; authorised."""
        given = [
            (kind, reference)
            for kind, reference in (
                (SubjectKind.DEPLOYMENT, wanted.deployment),
                (SubjectKind.TENANCY, wanted.tenancy),
                (SubjectKind.PATH, wanted.path),
            )
            if reference
        ]
        one = len(given) == 1
        message = "must be one of a deployment, a tenancy and a path"
        if not found.check(one, "subject", message, "subject"):
            return None
        kind, reference = given[0]
        subject, path = self._resolve(kind, reference)
        access.require(actor, "policy.waive", path, _NOUNS[kind])
        return kind, subject, path

    def _resolve(self, kind: SubjectKind, reference: str) -> tuple[str, str]:
        if kind is SubjectKind.DEPLOYMENT:
            holder = self._store.holder_of(reference)
            if holder is None:
                raise access.unknown("deployment")
            return holder.deployment, holder.path
        if kind is SubjectKind.TENANCY:
            tenancy = self._tenancy.tenancy_in_transaction(reference)
            return tenancy.id, tenancy.path
        path = self._tenancy.organisation_in_transaction(reference).path
        return path, path

    def _owner(self, reference: str, found: Collector) -> Principal | None:
        login = self._owners.by_login(reference) if reference else None
        owner = self._owners.get(reference) or (login[0] if login else None)
        if not found.check(owner is not None, "owner", "is nobody that the platform knows"):
            return None
        active = owner is not None and owner.state is PrincipalState.ACTIVE
        found.check(active, "owner", "is disabled")
        return owner

    def _check_policy(self, policy_id: str, found: Collector) -> None:
        weights = {pack.severity_of(policy_id) for pack in self._enabled()} - {None}
        if not found.check(weights, "policy", "is in no pack that is switched on"):
            return
        severe = Severity.MANDATORY in weights and Severity.WAIVABLE not in weights
        if found.check(not severe, "policy", "is mandatory: nobody can waive it"):
            waivable = Severity.WAIVABLE in weights
            found.check(waivable, "policy", "is advisory: there is nothing to waive")

    def _check_text(self, wanted: WaiverRequest, found: Collector) -> None:
        _check_reason(wanted.reason, found)
        pattern = wanted.resource
        fine = 0 < len(pattern) <= _LONGEST_PATTERN
        found.check(fine, "resource", f"must be 1 to {_LONGEST_PATTERN} characters")
        now = self._clock.now()
        found.check(wanted.ends_at > now, "ends_at", "must be in the future")
        found.check(
            wanted.ends_at <= now + LONGEST, "ends_at", f"must be within {LONGEST.days} days"
        )

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, Any]
    ) -> None:
        self._audit.record(actor, action, subject=subject, path=path, details=details)


def _check_reason(reason: str, found: Collector) -> None:
    if found.check(reason.strip(), "reason", "is required", "required"):
        fine = len(reason) <= _LONGEST_REASON
        found.check(fine, "reason", f"must be at most {_LONGEST_REASON} characters")


def _uses(packs: Sequence[Pack]) -> list[Use]:
    def having(policy_id: str) -> tuple[Pack, ...]:
        return tuple(pack for pack in packs if pack.severity_of(policy_id) is not None)

    own = [
        Use(rule.id, rule.title, rule.message, True, {}, having(rule.id))
        for pack in packs
        for rule in pack.rules
    ]
    return [
        *(
            Use(p.id, p.title, p.meaning, False, p.settings, having(p.id))
            for p in CATALOGUE.values()
        ),
        *own,
    ]
