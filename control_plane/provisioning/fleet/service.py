"""Use cases of the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from control_plane.provisioning.fleet.model import (
    Candidate,
    Closure,
    Condition,
    Placement,
    Room,
    Sight,
    rank,
)
from control_plane.provisioning.fleet.ports import FleetStore, RoomReader
from control_plane.provisioning.model import EngineKind, Reachability, Region, RegionState
from control_plane.provisioning.ports import Audit, RegionAccess
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Collector, Invalid, Unavailable
from foundation.kernel.paging import everything
from foundation.kernel.text import Text
from foundation.kernel.time import Clock

_SYSTEM = Actor.system("fleet")
_ONE = Decimal(1)
_LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Needs:
    """What the fleet works with.

    Attributes:
        readers: by kind of region, what asks its machines.
    """

    store: FleetStore
    provisioning: Provisioning
    tenancies: TenancyService
    db: UnitOfWork
    clock: Clock
    audit: Audit
    readers: Mapping[str, RoomReader]


class Fleet:
    """How the regions do, and which suits a wish."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._provisioning = needs.provisioning
        self._db = needs.db
        self._clock = needs.clock

    # Looking ----------------------------------------------------------------------------------

    def look(self, actor: Actor, region: str) -> Condition:
        """Ask a region whether it answers and what room it has, and keep what it says.

        No transaction may be open.

        Raises:
            NotFound: there is no such region.
        """
        policy.require(actor, "region.add", policy.ROOT)
        found = self._provisioning.region(actor, region)
        answers = self._provisioning.check_region(actor, found.id)
        rooms = self._measure(found, answers)
        now = self._clock.now()
        with self._db.transaction():
            before = {one.kind: one for one in self._store.sights(found.id)}
            for answer in answers:
                there = before.get(answer.kind)
                since = there.since if there and there.ok is answer.ok else now
                self._store.put_sight(
                    Sight(
                        found.id, answer.kind, answer.ok, answer.message, answer.details, now, since
                    )
                )
            self._store.put_rooms(found.id, rooms)
        return self.condition(actor, found.id)

    def look_at_all(self) -> int:
        """Look at every region, and end the maintenances whose time has passed; for a schedule."""
        self._end_maintenances()
        regions = self._regions()
        for region in regions:
            self.look(_SYSTEM, region.id)
        return len(regions)

    def condition(self, actor: Actor, region: str) -> Condition:
        """What is known of how a region does.

        Raises:
            NotFound: there is no such region.
        """
        found = self._provisioning.region(actor, region)
        with self._db.transaction():
            return self._condition(found)

    def _condition(self, region: Region) -> Condition:
        return Condition(
            region,
            self._store.closure(region.id),
            tuple(self._store.sights(region.id)),
            tuple(self._store.rooms(region.id)),
        )

    def _measure(self, region: Region, answers: tuple[Reachability, ...]) -> list[Room]:
        if region.engine is EngineKind.EMBEDDED:
            return []  # what is declared is all there is
        access = self._provisioning.region_access(region.id)
        now, rooms = self._clock.now(), []
        for answer in answers:
            reader = self._needs.readers.get(answer.kind)
            if reader is None or not answer.ok:
                continue
            try:
                measured = reader.read(access)
            except Unavailable:
                continue  # the last measure stands, with its age
            rooms += [
                Room(name, one, _overcommit(access, answer.kind, name), now)
                for name, one in measured.items()
            ]
        return rooms

    def _regions(self) -> list[Region]:
        return list(everything(partial(self._provisioning.regions, _SYSTEM)))

    # Closing ----------------------------------------------------------------------------------

    def close(
        self, actor: Actor, region: str, *, state: str, reason: str, until: datetime | None = None
    ) -> Condition:
        """Let a region take nothing new (``cordoned``), or be left alone (``maintenance``).

        Args:
            actor: who asks.
            region: id or slug.
            state: ``cordoned`` or ``maintenance``.
            reason: for everybody who waits for it.
            until: when it is expected to end; a maintenance then ends by itself.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is no such region.
        """
        policy.require(actor, "region.close", policy.ROOT)
        now = self._clock.now()
        found = Collector()
        closing = {RegionState.CORDONED.value, RegionState.MAINTENANCE.value}
        found.check(state in closing, "state", "must be cordoned or maintenance")
        text = reason.strip()
        found.check(text, "reason", "is required")
        found.check(
            len(text) <= _LONGEST_REASON, "reason", f"takes {_LONGEST_REASON} characters at most"
        )
        found.check(until is None or until > now, "until", "must be in the future")
        found.finish()
        there = self._provisioning.region(actor, region)
        closure = Closure(RegionState(state), text, until, actor.id, now)
        with self._db.transaction():
            self._store.close(there.id, closure)
            self._note(actor, there.id, {"state": state, "reason": text, "until": until})
        return self.condition(actor, there.id)

    def open(self, actor: Actor, region: str) -> Condition:
        """Let a region take everything again.

        Raises:
            NotFound: there is no such region.
        """
        policy.require(actor, "region.close", policy.ROOT)
        there = self._provisioning.region(actor, region)
        if there.state is not RegionState.ACTIVE:
            with self._db.transaction():
                self._store.open(there.id)
                self._note(actor, there.id, {"state": RegionState.ACTIVE.value})
        return self.condition(actor, there.id)

    def _end_maintenances(self) -> None:
        with self._db.transaction():
            for region_id, state in self._store.overdue(self._clock.now()):
                self._store.open(region_id)
                self._note(_SYSTEM, region_id, {"state": RegionState.ACTIVE.value, "ended": state})

    def _note(self, actor: Actor, region_id: str, details: Mapping[str, Any]) -> None:
        self._needs.audit.record(
            actor, "region.close", subject=region_id, path=policy.ROOT, details=details
        )

    # Placement --------------------------------------------------------------------------------

    def placements(
        self, actor: Actor, *, blueprint: str, inputs: Mapping[str, Any], tenancy: str
    ) -> tuple[Placement, ...]:
        """Say of each region whether it suits a wish, the best first.

        Args:
            actor: who asks.
            blueprint: name, or digest of a revision.
            inputs: as far as they are filled in.
            tenancy: id or slug: its data class decides, and where it is already.

        Raises:
            NotFound: no such blueprint or tenancy, or none that the actor may know of.
            Invalid: names every input that is wrong in every region.
        """
        room = self._needs.tenancies.tenancy(actor, tenancy)
        revision = self._provisioning.revision(actor, blueprint)
        filters = {"tenancy_id": room.id}
        read = partial(self._provisioning.deployments, actor, filters=filters)
        homes = {each.region_id for each in everything(read)}
        candidates, wrong = [], []
        for region in self._regions():
            problem, needs, error = self._tried(actor, blueprint, inputs, region)
            if error is not None:
                wrong.append(error)
            candidates.append(
                Candidate(
                    self.condition(actor, region.id), problem, needs,
                    self._provisioning.held(actor, region.id), region.id in homes,
                )
            )  # fmt: skip
        if candidates and len(wrong) == len(candidates):
            raise wrong[0]
        return rank(candidates, room.data_class.value, revision.data_classes)

    def _tried(
        self, actor: Actor, blueprint: str, inputs: Mapping[str, Any], region: Region
    ) -> tuple[Text | None, Mapping[str, Decimal], Invalid | None]:
        try:
            estimate = self._provisioning.evaluate(
                actor, blueprint=blueprint, inputs=inputs, region=region.id
            )
        except Invalid as error:
            said = "; ".join(f"{p.field}: {p.message}" for p in error.problems)
            return Text(said, said), {}, error
        except BoroughError as error:
            return Text(error.message, error.message), {}, None
        return None, estimate.quota, None


def _overcommit(access: RegionAccess, kind: str, resource: str) -> Decimal:
    """How often the platform gives it out: ``overcommit`` of the region's facts; once without."""
    facts: Any = access.config.get(kind) or {}
    given = facts.get("overcommit") if isinstance(facts, Mapping) else None
    value = given.get(resource) if isinstance(given, Mapping) else None
    try:
        chosen = Decimal(str(value)) if value is not None else _ONE
    except InvalidOperation:
        return _ONE
    return chosen if chosen.is_finite() and chosen > 0 else _ONE
