"""Use cases of migration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from control_plane.tenancy.migration.model import (
    STEPS,
    Journey,
    MigrationState,
    Progress,
    Step,
    StepId,
    Target,
    Wave,
    progress,
)
from control_plane.tenancy.migration.ports import MigrationStore
from control_plane.tenancy.model import check_slug
from control_plane.tenancy.ports import Audit
from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, NotFound, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock

_EVIDENCE = re.compile(r"https://[^\s/]+\S*|[a-z]{2,8}_[0-9a-z]{26}")
_LONGEST_NOTE = 2000
_LONGEST_LINK = 500
_MOST_EVIDENCE = 20
_MOST_TARGETS = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step says.

    Attributes:
        to: the state that is reached.
        note: why, or what was done.
        evidence: addresses (https://…) or ids of the platform.
        at: when it happened; None is now.
    """

    to: str
    note: str
    evidence: Sequence[str] = ()
    at: datetime | None = None


class Migration:
    """The way of a city's systems into its cloud."""

    def __init__(
        self,
        store: MigrationStore,
        tenancies: TenancyService,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
    ) -> None:
        self._store = store
        self._tenancies = tenancies
        self._db = db
        self._clock = clock
        self._audit = audit

    # Waves and targets ------------------------------------------------------------------------

    def waves(self, actor: Actor) -> list[Wave]:
        """All waves, by their first day."""
        if not policy.may_somewhere(actor, "migration.view"):
            raise Forbidden("this needs the permission migration.view")
        with self._db.transaction():
            return self._store.waves()

    def put_wave(self, actor: Actor, slug: str, *, title: Text, start: date, due: date) -> Wave:
        """Keep a wave of the whole city, new or changed.

        Raises:
            Invalid: names every wrong field.
        """
        policy.require(actor, "migration.plan", policy.ROOT)
        found = Collector()
        check_slug(found, slug)
        found.check(start <= due, "due", "must not be before the start")
        found.finish()
        wave = Wave(slug, title, start, due)
        with self._db.transaction():
            if self._store.wave(slug) != wave:
                self._store.put_wave(wave)
                self._audit.record(
                    actor, "migration.wave", subject=slug, path=policy.ROOT,
                    details={"start": start.isoformat(), "due": due.isoformat()},
                )  # fmt: skip
        return wave

    def remove_wave(self, actor: Actor, slug: str) -> None:
        """Forget a wave that no system is in.

        Raises:
            NotFound: there is none.
            Conflict: systems are in it.
        """
        policy.require(actor, "migration.plan", policy.ROOT)
        with self._db.transaction():
            if self._store.wave(slug) is None:
                raise NotFound(f"there is no wave {slug}")
            if not self._store.remove_wave(slug):
                raise Conflict(f"systems are in the wave {slug}")
            self._audit.record(
                actor, "migration.wave", subject=slug, path=policy.ROOT, details={"removed": True}
            )

    def targets(self, actor: Actor, organisation: str) -> list[Target]:
        """The targets of one organisation itself, by day.

        Raises:
            NotFound: there is no such organisation, or none that the actor may know of.
        """
        with self._db.transaction():
            path = self._path(actor, organisation, "migration.view")
            return self._store.targets(path)

    def put_targets(
        self, actor: Actor, organisation: str, targets: Sequence[tuple[date, Decimal]]
    ) -> list[Target]:
        """Keep the targets of an organisation in place of those that it had.

        Args:
            actor: who asks.
            organisation: id or path.
            targets: by what day what share in per cent; a later day never asks for less.

        Raises:
            Invalid: names every wrong target.
            NotFound: there is no such organisation, or none that the actor may know of.
        """
        found = Collector()
        found.check(len(targets) <= _MOST_TARGETS, "targets", f"takes {_MOST_TARGETS} at most")
        listed = sorted(enumerate(targets), key=lambda one: one[1][0])
        for place, (number, (due, percent)) in enumerate(listed):
            field = f"targets.{number}"
            inside = 0 < percent <= 100  # noqa: PLR2004 - per cent
            found.check(inside, f"{field}.percent", "must be above 0 and at most 100")
            if place:
                before = listed[place - 1][1]
                found.check(due != before[0], f"{field}.due", "is named twice")
                more = percent >= before[1]
                found.check(more, f"{field}.percent", "must not be below that of an earlier day")
        found.finish()
        with self._db.transaction():
            path = self._path(actor, organisation, "migration.plan")
            made = [Target(path, due, percent) for _, (due, percent) in listed]
            if self._store.targets(path) != made:
                self._store.put_targets(path, made)
                said = {t.due.isoformat(): str(t.percent) for t in made}
                self._audit.record(
                    actor, "migration.targets", subject=path, path=path, details=said
                )
            return made

    # Systems ----------------------------------------------------------------------------------

    def journey(self, actor: Actor, system: str) -> tuple[Journey, list[Step]]:
        """How far a system has come, and by which steps, the oldest first.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._journey(actor, system, "migration.view")
            return found, self._store.steps(found.system_id)

    def journeys(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Journey]:
        """The systems that the actor may see, by path and slug.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``state``, ``wave``, ``path`` (at or below).

        Raises:
            Invalid: an unknown state.
        """
        wanted = {name: value for name, value in (filters or {}).items() if value}
        if wanted.get("state", MigrationState.OPEN) not in set(MigrationState):
            raise Invalid([Problem("state", f"must be one of {', '.join(MigrationState)}")])
        paths = policy.visible_paths(actor, "migration.view")
        with self._db.transaction():
            return self._store.journeys(paths, wanted, request)

    def plan(
        self, actor: Actor, system: str, *, wave: str = "", due: date | None = None
    ) -> Journey:
        """Put a system into a wave, or into none, and agree on its day.

        Args:
            actor: who asks.
            system: id.
            wave: slug; empty takes it out.
            due: its last day; None takes the wave's.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._journey(actor, system, "migration.plan", lock=True)
            found = Collector()
            chosen = self._store.wave(wave) if wave else None
            found.check(not wave or chosen, "wave", "there is no such wave")
            if chosen is not None and due is not None:
                inside = chosen.start <= due <= chosen.due
                found.check(inside, "due", "must be within the wave")
            found.finish()
            self._store.plan(there.system_id, wave, due)
            details = {"wave": wave, "due": due.isoformat() if due else None}
            self._note(actor, "migration.plan", there, details)
            return self._journey(actor, system, "migration.plan")

    def step(self, actor: Actor, system: str, claim: Claim) -> tuple[Journey, Step]:
        """Enter the next step of a system.

        The same step again (same state, note and evidence, by the same principal) is answered, not
        entered twice.

        Raises:
            Invalid: names every wrong field.
            Forbidden: who said that it moved would verify it.
            Conflict: no way leads from its state to that one; ``details`` name the ways.
            NotFound: there is none, or none that the actor may know of.
        """
        action = "migration.verify" if claim.to == MigrationState.VERIFIED else "migration.step"
        with self._db.transaction():
            there = self._journey(actor, system, action, lock=True)
            steps = self._store.steps(there.system_id)
            to, note, evidence = _checked(claim)
            if steps and _is_again(steps[-1], actor, to, note, evidence):
                return there, steps[-1]
            if to not in STEPS[there.state]:
                ways = [state.value for state in STEPS[there.state]]
                raise Conflict(
                    f"from {there.state.value} a system goes to {' or '.join(ways)}", ways=ways
                )
            if to is MigrationState.VERIFIED and steps and steps[-1].by == actor.id:
                raise Forbidden("who said that it had moved does not verify it")
            now = self._clock.now()
            at = _when(claim.at, steps, now)
            made = Step(
                StepId(ids.new("mst")), there.system_id, len(steps) + 1, there.state, to, at, now,
                actor.id, note, evidence,
            )  # fmt: skip
            self._store.add_step(made)
            self._note(actor, action, there, {"from": there.state.value, "to": to.value})
            return self._journey(actor, system, action), made

    # Figures ----------------------------------------------------------------------------------

    def progress(self, actor: Actor, organisation: str = "") -> Progress:
        """The figures of an organisation with everything below it.

        Args:
            actor: who asks.
            organisation: id or path; empty takes the highest that the actor may see.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            wanted = organisation or self._top(actor)
            path = self._path(actor, wanted, "migration.view")
            return progress(
                path, self._store.past(path), self._store.targets(path), self._clock.now()
            )

    # Inside -----------------------------------------------------------------------------------

    def _top(self, actor: Actor) -> str:
        paths = policy.visible_paths(actor, "migration.view")
        if not paths:
            raise Forbidden("this needs the permission migration.view")
        root = self._tenancies.root_path_in_transaction()
        highest = min(paths, key=lambda path: (path.count("/"), path))
        return root if root.startswith(highest) else highest

    def _path(self, actor: Actor, organisation: str, action: str) -> str:
        path = self._tenancies.organisation_in_transaction(organisation).path
        policy.require(actor, action, path, "organisation")
        return path

    def _journey(self, actor: Actor, system: str, action: str, *, lock: bool = False) -> Journey:
        found = self._store.journey(system, lock=lock)
        if found is None:
            raise policy.unknown("system")
        policy.require(actor, action, found.path, "system")
        return found

    def _note(
        self, actor: Actor, action: str, journey: Journey, details: Mapping[str, object]
    ) -> None:
        self._audit.record(
            actor, action, subject=journey.system_id, path=journey.path, details=details
        )


def _checked(claim: Claim) -> tuple[MigrationState, str, tuple[str, ...]]:
    found = Collector()
    known = claim.to in set(MigrationState) - {MigrationState.OPEN}
    found.check(known, "to", "must be planned, in_progress, moved, verified or exempt")
    to = MigrationState(claim.to) if known else MigrationState.PLANNED
    note = claim.note.strip()
    found.check(note, "note", "is required")
    found.check(len(note) <= _LONGEST_NOTE, "note", f"takes {_LONGEST_NOTE} characters at most")
    evidence = tuple(dict.fromkeys(text.strip() for text in claim.evidence))
    found.check(len(evidence) <= _MOST_EVIDENCE, "evidence", f"takes {_MOST_EVIDENCE} at most")
    for number, text in enumerate(evidence):
        fits = len(text) <= _LONGEST_LINK and _EVIDENCE.fullmatch(text)
        found.check(fits, f"evidence.{number}", "must be an https address or an id of the platform")
    needed = to.has_arrived and not evidence
    found.check(not needed, "evidence", f"is required to be {to.value}")
    found.finish()
    return to, note, evidence


def _when(at: datetime | None, steps: Sequence[Step], now: datetime) -> datetime:
    chosen = at or now
    found = Collector()
    found.check(chosen <= now, "at", "must not be in the future")
    if steps:
        found.check(chosen >= steps[-1].at, "at", "must not be before the last step")
    found.finish()
    return chosen


def _is_again(
    last: Step, actor: Actor, to: MigrationState, note: str, evidence: tuple[str, ...]
) -> bool:
    return (last.by, last.after, last.note, last.evidence) == (actor.id, to, note, evidence)
