"""Use cases of a blueprint's life after publishing: deprecate it, retire it, take that back."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from control_plane.provisioning.model import TENANCY_BLUEPRINT
from control_plane.provisioning.service.core import Core
from control_plane.provisioning.standing import Standing, StandingKind
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, NotFound
from foundation.kernel.time import format_instant

_LONGEST_REASON = 500


class Lifecycle(Core):
    """Which blueprints take something new."""

    def standing(self, actor: Actor, blueprint: str) -> Standing:
        """Where a blueprint is in its life.

        Raises:
            NotFound: no such blueprint.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            return self._known_standing(blueprint)

    def standings(self, actor: Actor) -> dict[str, Standing]:
        """All blueprints of which something was said, by name."""
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            return {s.blueprint: s for s in self._store.standings()}

    def standing_in_transaction(self, blueprint: str) -> Standing:
        """The same for features above; a blueprint that nobody knows counts as published."""
        return self._store.standing(blueprint)

    def deprecate(
        self, actor: Actor, blueprint: str, *, ends_at: datetime, successor: str = "",
        reason: str = "",
    ) -> Standing:  # fmt: skip
        """Warn those who make something new from a blueprint, and refuse them from a date on.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such blueprint.
            Conflict: it is retired, or it is the tenancies' own.
        """
        policy.require(actor, "blueprint.retire", policy.ROOT)
        with self._db.transaction():
            there = self._known_standing(blueprint)
            if there.kind is StandingKind.RETIRED:
                raise Conflict(f"{blueprint} is retired")
            found = Collector()
            found.check(ends_at > self._clock.now(), "ends_at", "must be in the future")
            self._check_words(blueprint, successor, reason, found)
            found.finish()
            return self._say(
                actor, "blueprint.deprecate",
                Standing(blueprint, StandingKind.DEPRECATED, successor, ends_at, reason),
            )  # fmt: skip

    def retire(
        self, actor: Actor, blueprint: str, *, successor: str = "", reason: str = ""
    ) -> Standing:
        """Refuse everything new from a blueprint; what was made from it stays.

        An empty successor keeps the one that its deprecation named.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such blueprint.
            Conflict: it is the tenancies' own.
        """
        policy.require(actor, "blueprint.retire", policy.ROOT)
        with self._db.transaction():
            there = self._known_standing(blueprint)
            found = Collector()
            self._check_words(blueprint, successor, reason, found)
            found.finish()
            named = successor or there.successor
            return self._say(
                actor, "blueprint.retire",
                Standing(blueprint, StandingKind.RETIRED, named, None, reason or there.reason),
            )  # fmt: skip

    def reinstate(self, actor: Actor, blueprint: str, *, reason: str = "") -> Standing:
        """Take a deprecation or retirement back.

        Raises:
            Invalid: the reason is too long.
            NotFound: no such blueprint.
            Conflict: nothing was said of it.
        """
        policy.require(actor, "blueprint.retire", policy.ROOT)
        with self._db.transaction():
            there = self._known_standing(blueprint)
            if there.kind is StandingKind.PUBLISHED:
                raise Conflict(f"{blueprint} is neither deprecated nor retired")
            found = Collector()
            self._check_words(blueprint, "", reason, found)
            found.finish()
            return self._say(actor, "blueprint.reinstate", Standing(blueprint, reason=reason))

    def _known_standing(self, blueprint: str) -> Standing:
        if self._store.revision_of(blueprint, None) is None:
            raise NotFound(f"there is no blueprint {blueprint}")
        return self._store.standing(blueprint)

    def _check_words(self, blueprint: str, successor: str, reason: str, found: Collector) -> None:
        if blueprint == TENANCY_BLUEPRINT:
            raise Conflict("every tenancy needs this blueprint: publish a new version instead")
        found.check(
            len(reason) <= _LONGEST_REASON, "reason",
            f"must have {_LONGEST_REASON} characters or fewer",
        )  # fmt: skip
        if not successor:
            return
        if not found.check(successor != blueprint, "successor", "is the blueprint itself"):
            return
        known = self._store.revision_of(successor, None) is not None
        if found.check(known, "successor", "is not a blueprint", "unknown"):
            standing = self._store.standing(successor)
            found.check(standing.kind is StandingKind.PUBLISHED, "successor",
                        f"is {standing.kind.value} itself")  # fmt: skip

    def _say(self, actor: Actor, action: str, standing: Standing) -> Standing:
        said = replace(standing, since=self._clock.now(), by=actor.id)
        self._store.put_standing(said)
        details: dict[str, Any] = {"successor": said.successor, "reason": said.reason}
        if said.ends_at is not None:
            details["ends_at"] = format_instant(said.ends_at)
        self._note(actor, action, said.blueprint, policy.ROOT, details)
        return said
