"""What an operation that did not succeed leaves, and how its stack is made whole again.

An object that a cloud has made and the state does not hold is the one thing that must not be: it
costs, it uses up quota, and the next attempt makes a second one. So each creation that failed is
looked up, and what cannot be looked up now is noted for the next attempt, which begins with it.
What is looked for and not there may still come, when a cloud is slow: it is noted too, and looked
for after it was made again.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.values import Masker
from control_plane.adapters.pulumi import recovery
from control_plane.adapters.pulumi.commands import Commands
from control_plane.adapters.pulumi.events import OperationEvents, counts, name_of
from control_plane.adapters.pulumi.notes import Kind, Note, Notes
from control_plane.adapters.pulumi.passing import unanswered
from control_plane.adapters.pulumi.recovery import Explain, Lookup, Pending
from control_plane.provisioning.graph import ResourceOutcome, ResourceState
from control_plane.provisioning.ports import EngineError

if TYPE_CHECKING:
    from control_plane.adapters.pulumi.language import Registration

Outcomes = dict[str, ResourceOutcome]
#: So long a cloud may take to make what it was asked for by somebody who is gone.
_LATE_SECONDS = 600.0
_PAUSE_SECONDS = 1.0


class Aftermath:
    """Puts right what a stack's operations leave.

    Args:
        commands: On the stack, while it is held.
        notes: What may be there without being in the state.
        lookups, explain: See ``PulumiEngine``.
        masker: Takes the run's secrets out of words.
        deployment: Whose stack it is.
        settle: How many seconds a cloud may still be at work on what it was asked.
    """

    def __init__(
        self,
        commands: Commands,
        notes: Notes,
        lookups: Mapping[str, Lookup],
        explain: Mapping[str, Explain],
        masker: Masker,
        deployment: str,
        settle: float,
    ) -> None:
        self._commands = commands
        self._notes = notes
        self._lookups = lookups
        self._explain = explain
        self._masker = masker
        self._deployment = deployment
        self._settle = settle

    # ------------------------------------------------------------------- before an operation

    def resolve(self) -> None:
        """Resolve what earlier operations began and never saw the end of.

        Raises:
            EngineError: The state cannot be read or written, or a cloud does not answer.
        """
        end = time.monotonic() + self._settle
        while hidden := self._resolve():
            if time.monotonic() >= end:
                self._notes.add(Kind.LATE, hidden)
                self._notes.clear(Kind.MADE)
                return
            time.sleep(_PAUSE_SECONDS)

    def _resolve(self) -> list[Mapping[str, Any]]:
        """Do it once; returns what a cloud listed and could not show yet, which is not resolved."""
        state = self._commands.export()
        notes = self._notes.read()
        unread = recovery.unread(state)
        made = [n.resource for n in notes if n.kind is Kind.MADE]
        state = recovery.with_pending(state, [r for r in made if r["urn"] not in unread])
        fresh = recovery.creations(state, self._deployment)
        urns = {each.urn for each in fresh}
        late = [n for n in notes if n.kind is Kind.LATE and n.resource["urn"] not in urns]
        found = self._found(fresh, self._settle)
        lost = [e.urn for e in fresh if e.urn not in found and self._lookup(e.type)]
        self._notes.add(Kind.LATE, recovery.pending(state, lost))
        mended, came = self._came(state, late)
        found |= came
        # Until it is read; the state forgets what is pending as soon as it is written.
        taken = recovery.pending(mended, found)
        self._notes.add(Kind.MADE, taken)
        if recovery.unconfirmed(state) or mended is not state:
            self._commands.write(recovery.resolved(mended, found))
        self._forget_old(late)
        self._commands.read_again(unread | found.keys())
        hidden = self._hidden(taken, found)
        self._clear_away([str(n.resource["urn"]) for n in notes if n.kind is Kind.WRECKED])
        if not hidden:
            self._notes.clear(Kind.MADE, Kind.WRECKED)
        return hidden

    def _hidden(
        self, taken: list[dict[str, Any]], found: Mapping[str, str]
    ) -> list[Mapping[str, Any]]:
        """Return those of the resources that were taken in which reading took out again.

        A cloud that still places a server lists it and says in the next moment that there is none.
        """
        if not taken:
            return []
        there = {(r["urn"], r.get("id")) for r in recovery.resources(self._commands.export())}
        return [r for r in taken if (r["urn"], found[r["urn"]]) not in there]

    def resolve_notes(self) -> None:
        """The same if there are notes; asks only the database otherwise.

        Raises:
            EngineError: As ``resolve``.
        """
        if self._notes.read():
            self.resolve()

    def forget(self) -> None:
        """Forget the notes of a stack that is gone."""
        self._notes.clear(*Kind)

    def doubled(self) -> bool:
        """Take what was made late, and made again meanwhile, into the state, to be deleted.

        Returns:
            Whether there is any: the next update deletes it. While a cloud does not answer, it is
            looked for by the next operation.
        """
        late = [n for n in self._notes.read() if n.kind is Kind.LATE]
        if not late:
            return False
        state = self._commands.export()
        try:
            doubles = self._late(state, late)
        except EngineError:
            return False
        if doubles:
            self._commands.write(recovery.with_doubles(state, doubles))
        self._forget_old(late)
        return bool(doubles)

    def _came(
        self, state: Mapping[str, Any], late: list[Note]
    ) -> tuple[Mapping[str, Any], dict[str, str]]:
        """Look for what may have been made late, before anything is made again.

        Returns:
            The state (itself when nothing was found), in which what is there besides its
            resource's own object is to be deleted, and what is there alone is pending; and the
            ids of the latter, by URN.
        """
        there = {r["urn"] for r in recovery.resources(state) if not r.get("delete")}
        found = self._late(state, late)
        doubles = [each for each in found if each[0]["urn"] in there]
        alone = [each for each in found if each[0]["urn"] not in there]
        if doubles:
            state = recovery.with_doubles(state, doubles)
        if alone:
            state = recovery.with_pending(state, [resource for resource, _ in alone])
        return state, {str(resource["urn"]): physical for resource, physical in alone}

    def _late(
        self, state: Mapping[str, Any], late: list[Note]
    ) -> list[tuple[Mapping[str, Any], str]]:
        """Return the resources of which a cloud has an object that the state has not, with its id.

        Raises:
            EngineError: A cloud does not answer.
        """
        asked = {
            str(n.resource["urn"]): n.resource
            for n in late
            if recovery.has_provider(state, n.resource)
        }
        sought = [recovery.describe(state, r, self._deployment) for r in asked.values()]
        known = {each.urn: each.known for each in sought}
        found = self._found(sought, 0.0)
        return [(asked[urn], i) for urn, i in found.items() if i not in known[urn]]

    def _forget_old(self, late: list[Note]) -> None:
        self._notes.forget_late(str(n.resource["urn"]) for n in late if n.seconds > _LATE_SECONDS)

    def _clear_away(self, wrecks: list[str]) -> None:
        there = {r["urn"] for r in recovery.resources(self._commands.export())} if wrecks else set()
        left = [urn for urn in wrecks if urn in there]
        if not self._commands.delete(left):
            names = ", ".join(name_of(urn) for urn in left)
            raise EngineError(f"what failed before cannot be cleared away yet: {names}")

    def _found(self, creations: list[Pending], settle: float) -> dict[str, str]:
        """Return the ids of the objects that are there, by URN.

        Raises:
            EngineError: A cloud does not answer.
        """
        try:
            return recovery.search(creations, self._lookup, settle)
        except EngineError:
            raise
        except Exception as error:
            # Each cloud's client has errors of its own.
            text = self._masker.text(f"{type(error).__name__}: {error}")
            message = f"the region did not answer when it was looked into: {text}"
            raise EngineError(message) from error

    def _lookup(self, type_: str) -> Lookup | None:
        return next((f for kind, f in self._lookups.items() if type_.startswith(kind)), None)

    # -------------------------------------------------------------------- after an operation

    def left(
        self, seen: OperationEvents, registered: "Mapping[str, Registration]", *, alive: bool
    ) -> Outcomes:
        """Return how an operation that did not succeed left each resource.

        Args:
            seen: What it told.
            registered: What the program asked for.
            alive: Whether the CLI came to an end of its own; the lock of one that was killed is
                left for ``recover``.
        """
        outcomes = seen.explained()
        try:
            state = self._commands.export()
        except EngineError:
            # The state cannot be read: then nobody knows, and nothing may be claimed.
            return outcomes
        outcomes = self._and_the_rest(outcomes, state)
        if not alive:
            return outcomes
        outcomes |= self._taken_in(state, outcomes, seen.never_made | seen.not_replaced, registered)
        return outcomes | self._cleared(outcomes, seen.never_made)

    def _and_the_rest(self, outcomes: Outcomes, state: Mapping[str, Any]) -> Outcomes:
        """Add what the operation did not come to, and what it did not see the end of."""
        found = {}
        for resource in recovery.resources(state):
            if counts({"type": resource["type"], "new": resource}):
                urn = resource["urn"]
                found[urn] = self._left_over(resource, ResourceState.SAME)
                known = outcomes.get(urn)
                if known is not None and known.state is ResourceState.FAILED:
                    outcomes[urn] = self._explained(known, state, resource)
        found |= outcomes
        for operation in recovery.unconfirmed(state):
            resource = operation["resource"]
            if counts({"type": resource["type"], "new": resource}):
                found[resource["urn"]] = self._left_over(resource, ResourceState.UNKNOWN)
        return found

    def _left_over(self, resource: Mapping[str, Any], state: ResourceState) -> ResourceOutcome:
        return ResourceOutcome(
            urn=resource["urn"],
            type=resource["type"],
            name=name_of(resource["urn"]),
            state=state,
            physical_id=str(resource.get("id") or ""),
            error="the region did not confirm it" if state is ResourceState.UNKNOWN else "",
            outputs=self._masker.mask(values.read_json(resource.get("outputs") or {})),
            depends_on=tuple(sorted(resource.get("dependencies") or ())),
        )

    def _explained(
        self, known: ResourceOutcome, state: Mapping[str, Any], resource: Mapping[str, Any]
    ) -> ResourceOutcome:
        """Add what the cloud itself says of an object that failed, and the id that it has."""
        physical = str(resource.get("id") or "")
        ask = next((f for k, f in self._explain.items() if known.type.startswith(k)), None)
        if not physical or ask is None:
            return known
        failed = recovery.describe(state, resource, self._deployment)
        try:
            said = self._masker.text(ask(failed, physical))
        except Exception as error:  # noqa: BLE001 - an explanation more or less stops nothing
            said = f"(the region could not be asked why: {type(error).__name__})"
        text = "; ".join(part for part in (said, known.error) if part)
        return replace(known, physical_id=physical, error=text)

    def _taken_in(
        self,
        state: Mapping[str, Any],
        outcomes: Outcomes,
        failed: set[str],
        registered: "Mapping[str, Registration]",
    ) -> Outcomes:
        """Take into the state what was made although its creation failed.

        A provider that dies, or an answer that is lost, is a failure to the CLI, which then forgets
        what it asked for. Where the cloud does not answer now, it is noted, and is unknown.
        """
        broken = {r["urn"] for r in recovery.resources(state) if r.get("initErrors")}
        lost = [
            recovery.as_resource(urn, registered[urn])
            for urn in sorted(failed - broken)
            if urn in registered and self._lookup(registered[urn].type)
        ]
        if not lost:
            return {}
        pending = recovery.with_pending(state, lost)
        # What a cloud has answered to it does not make later.
        late = any(unanswered(outcomes[each["urn"]].error) for each in lost)
        try:
            found = self._found(
                recovery.creations(pending, self._deployment), self._settle if late else 0.0
            )
        except EngineError:
            self._notes.add(Kind.MADE, lost)
            return {
                each["urn"]: replace(outcomes[each["urn"]], state=ResourceState.UNKNOWN)
                for each in lost
            }
        lost_late = [
            each
            for each in lost
            if each["urn"] not in found and unanswered(outcomes[each["urn"]].error)
        ]
        self._notes.add(Kind.LATE, lost_late)
        if not found:
            return {}
        # What is not read has no properties, and the next apply would put another in its place.
        self._notes.add(Kind.MADE, recovery.pending(pending, found))
        self._commands.write(recovery.resolved(pending, found))
        left = ResourceState.CREATED
        hidden: set[str] = set()
        try:
            self._commands.read_again(found)
            taken = self._hidden(recovery.pending(pending, found), found)
        except EngineError:
            left = ResourceState.UNKNOWN
        else:
            hidden = {str(r["urn"]) for r in taken}
            self._notes.add(Kind.LATE, taken)
            self._notes.clear(Kind.MADE, Kind.WRECKED)
        return {
            urn: replace(outcomes[urn], state=left, physical_id=physical)
            for urn, physical in found.items()
            if urn not in hidden
        }

    def _cleared(self, outcomes: Outcomes, never_made: set[str]) -> Outcomes:
        """Delete what a failed creation has left in a cloud that cannot mend it.

        A server that ended in ERROR never becomes one; Pulumi would keep it as made and fail on
        what hangs on it, and it uses up quota. What the cloud said of it is known by then.
        """
        wrecks = [
            urn
            for urn in sorted(never_made)
            if outcomes[urn].state is ResourceState.FAILED
            and outcomes[urn].physical_id
            and any(outcomes[urn].type.startswith(kind) for kind in self._explain)
        ]
        if not wrecks:
            return {}
        if self._commands.delete(wrecks):
            return {urn: replace(outcomes[urn], physical_id="") for urn in wrecks}
        there = recovery.resources(self._commands.export())
        self._notes.add(Kind.WRECKED, [r for r in there if r["urn"] in wrecks])
        return {}
