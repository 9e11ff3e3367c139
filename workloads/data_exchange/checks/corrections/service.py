"""The use cases of corrections."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.corrections.model import (
    CITIZEN,
    DAYS,
    LONGEST_TEXT,
    Correction,
    CorrectionState,
    Told,
)
from workloads.data_exchange.checks.corrections.ports import CorrectionStore, Outbox, Reopening
from workloads.data_exchange.checks.model import Check, CheckState, QuestionState, Scenario
from workloads.data_exchange.checks.ports import Audit, CheckStore, Vault, Work

NOUN = "correction"
#: The topic under which the outbox tells that a provider is late.
OVERDUE = "exchange.correction.overdue"
_CITIZEN = Actor.system(CITIZEN)
_MOST, _BATCH = 20, 100
#: States of checks in which a question may be asked again.
_ALIVE = frozenset({CheckState.DONE, CheckState.ASKING})


@dataclass(frozen=True, slots=True)
class Parts:
    """What corrections are made with."""

    store: CorrectionStore
    checks: CheckStore
    reopening: Reopening
    consents: Consents
    db: Work
    clock: Clock
    audit: Audit
    vault: Vault
    outbox: Outbox
    calendar: Calendar


class Corrections:
    """What is objected to, and what providers say to it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store, self._db = parts.store, parts.db
        parts.calendar.tell(self._move)

    # --- who objects

    def ask(self, actor: Actor, check_id: str, question: str, person: int, text: str) -> Correction:
        """A clerk objects to an answer, for a person of the check.

        Args:
            actor: who asks.
            check_id: of the check.
            question: of its scenario, by name.
            person: their place among its persons, from 0.
            text: what is wrong, for the agency that holds the record.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such check, or none that the actor may know of.
            Conflict: it was not answered, was objected to already, or the check was stopped.
        """
        with self._db.transaction():
            check = self._parts.checks.find(check_id, lock=True)
            if check is None:
                raise policy.unknown("check")
            policy.require(actor, "check.create", check.path, "check")
            return self._ask(actor, check, question, person, text)

    def ask_by_code(self, token: str, question: str, text: str) -> Correction:
        """The holder of a consent code objects to what was answered about them.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such code.
            Conflict: as above.
        """
        with self._db.transaction():
            check, person = self._parts.consents.holder(token, lock=True)
            return self._ask(_CITIZEN, check, question, person, text)

    def ask_by_number(self, number: str, check_id: str, question: str, text: str) -> Correction:
        """Somebody whose number is known objects; for services that know whom they serve.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such check, or one that is not about them.
            Conflict: as above.
        """
        with self._db.transaction():
            check = self._parts.checks.find(check_id, lock=True)
            persons = self._persons(check) if check else []
            if check is None or number not in persons:
                raise policy.unknown("check")
            return self._ask(_CITIZEN, check, question, persons.index(number), text)

    def _ask(self, actor: Actor, check: Check, question: str, person: int, text: str) -> Correction:
        wrong = Collector()
        asked = next((one for one in check.questions if one.name == question), None)
        wrong.check(asked, "question", "is no question of this check", "unknown")
        persons = self._persons(check)
        wrong.check(0 <= person < len(persons), "person", "is nobody of this check", "unknown")
        wrong.check(
            0 < len(text.strip()) <= LONGEST_TEXT, "text", f"must be 1 to {LONGEST_TEXT} characters"
        )
        wrong.finish()
        if asked is None or asked.state is QuestionState.WAITING:
            raise Conflict("this question is not answered yet")
        if check.state not in _ALIVE:
            raise Conflict("this check was stopped")
        there = self._store.of_check(check.id)
        same = [one for one in there if (one.question, one.person) == (question, person)]
        if any(one.state is CorrectionState.OPEN for one in same):
            raise Conflict("this answer is objected to already")
        if len(there) >= _MOST:
            raise Conflict("this check was objected to too often")
        now, made_id = self._parts.clock.now(), ids.new("cor")
        told = {"number": persons[person], "text": text.strip()}
        service = {one.name: one.service for one in self._scenario(check).questions}[question]
        made = Correction(
            made_id, check.id, question, person, check.path, asked.provider, service,
            asked.receipt, CITIZEN if actor is _CITIZEN else actor.name,
            self._parts.vault.seal(json.dumps(told).encode(), _context(made_id)),
            CorrectionState.OPEN, now, self._parts.calendar.now().due(now, DAYS),
        )  # fmt: skip
        self._store.add(made)
        # Of what was written nothing goes here: it names people.
        self._note(actor, "correction.ask", made, made.asker)
        return made

    def _scenario(self, check: Check) -> Scenario:
        found = self._parts.checks.scenario(check.scenario, check.version)
        if found is None:  # held by a foreign key
            raise LookupError(check.scenario)
        return found

    # --- who reads

    def corrections(
        self, actor: Actor, request: PageRequest, *, waiting: bool = False
    ) -> Page[Correction]:
        """Those that the actor's agencies asked for or decide, newest first.

        Args:
            actor: who asks.
            request: which page.
            waiting: only open ones.
        """
        with self._db.transaction():
            paths = policy.visible_paths(actor, "correction.view")
            return self._store.list(paths, request, waiting=waiting)

    def correction(self, actor: Actor, correction: str) -> Told:
        """One in words; that it was read is written down.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._find(actor, correction)
            self._note(actor, "correction.view", found, found.provider)
            return self._told(found)

    def of_check(self, actor: Actor, check_id: str) -> Sequence[Correction]:
        """Those about a check, oldest first; none for those who may not see them."""
        with self._db.transaction():
            return [one for one in self._store.of_check(check_id) if _may(actor, one)]

    def of_code(self, token: str) -> Sequence[Told]:
        """What the holder of a consent code objected to, or was objected to for them.

        Raises:
            NotFound: no such code.
        """
        with self._db.transaction():
            check, person = self._parts.consents.holder(token)
            there = self._store.of_check(check.id)
            return [self._told(one) for one in there if one.person == person]

    def of_number(self, number: str, checks: Sequence[str]) -> Sequence[Told]:
        """The same for somebody whose number is known, about some checks."""
        with self._db.transaction():
            told = [self._told(one) for each in checks for one in self._store.of_check(each)]
            return [one for one in told if one.number == number]

    def decides(self, actor: Actor, one: Correction) -> bool:
        """Whether the actor may decide it now."""
        mine = policy.allows(actor, "correction.decide", one.provider)
        return mine and one.state is CorrectionState.OPEN

    # --- who decides

    def decide(self, actor: Actor, correction: str, *, corrected: bool, text: str) -> Told:
        """The provider says that its record was corrected, or why it stays.

        Corrected, the question is asked again under the consent that was given.

        Args:
            actor: who decides.
            correction: its id.
            corrected: whether the record is another now.
            text: what was done, or why not; for whoever objected.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
            Forbidden: they do not decide for the provider.
            Conflict: it was decided.
        """
        with self._db.transaction():
            found = self._find(actor, correction)
            if not policy.allows(actor, "correction.decide", found.provider):
                raise Forbidden("the agency that holds the record decides this")
            # The check first: whoever holds both holds them in this order.
            check = self._parts.checks.find(found.check, lock=True)
            found = self._store.find(correction, hold=True) or found
            wrong = Collector()
            wrong.check(
                0 < len(text.strip()) <= LONGEST_TEXT, "text",
                f"must be 1 to {LONGEST_TEXT} characters",
            )  # fmt: skip
            wrong.finish()
            if found.state is not CorrectionState.OPEN:
                raise Conflict("this correction was decided")
            state = CorrectionState.CORRECTED if corrected else CorrectionState.REFUSED
            sealed = self._parts.vault.seal(text.strip().encode(), f"{_context(found.id)}:answer")
            found = replace(
                found, state=state, answer=sealed, decided_at=self._parts.clock.now(),
                decided_by=actor.name,
            )  # fmt: skip
            self._store.update(found)
            self._note(actor, f"correction.{state.value}", found, found.provider)
            if corrected and check is not None and check.state in _ALIVE:
                self._parts.reopening.reopen(check, found.question)
            return self._told(found)

    # --- clocks

    def escalate(self) -> None:
        """Tell of every due date that has passed, each once."""
        while True:
            with self._db.transaction():
                late = self._store.late(self._parts.clock.now(), _BATCH)
                for one in late:
                    self._escalate(one, self._parts.clock.now())
            if len(late) < _BATCH:
                return

    def _escalate(self, correction: str, now: datetime) -> None:
        there = self._store.find(correction, hold=True)
        if there is None or not there.overdue(now) or there.escalated_at is not None:
            return
        self._store.update(replace(there, escalated_at=now))
        due = format_instant(there.due_at)
        self._parts.audit.record(
            Actor.system("clocks"), "correction.overdue", subject=there.id, path=there.provider,
            details={"due_at": due},
        )  # fmt: skip
        told = {"correction": there.id, "provider": there.provider, "due_at": due}
        self._parts.outbox.publish(OVERDUE, {**told, "asker": there.asker})

    def _move(self, calendar: WorkingCalendar) -> None:
        """The calendar has changed, in the open transaction."""
        for one in self._store.waiting():
            due = calendar.due(one.created_at, DAYS)
            if due != one.due_at:
                told = one.escalated_at if due <= self._parts.clock.now() else None
                self._store.update(replace(one, due_at=due, escalated_at=told))

    # --- inside

    def _find(self, actor: Actor, correction: str) -> Correction:
        found = self._store.find(correction)
        if found is None or not _may(actor, found):
            raise policy.unknown(NOUN)
        return found

    def _told(self, one: Correction) -> Told:
        open_, context = self._parts.vault.open, _context(one.id)
        said = json.loads(open_(one.sealed, context))
        answer = open_(one.answer, f"{context}:answer").decode() if one.answer else ""
        return Told(one, said["number"], said["text"], answer)

    def _persons(self, check: Check) -> list[str]:
        persons: list[str] = json.loads(self._parts.vault.open(check.sealed, f"check:{check.id}"))[
            "persons"
        ]
        return persons

    def _note(self, actor: Actor, action: str, one: Correction, path: str) -> None:
        details = {"check": one.check, "question": one.question, "person": one.person}
        self._parts.audit.record(actor, action, subject=one.id, path=path, details=details)


def _may(actor: Actor, one: Correction) -> bool:
    return any(
        policy.allows(actor, "correction.view", path) for path in (one.asker, one.provider) if path
    )


def _context(correction: str) -> str:
    return f"correction:{correction}"
