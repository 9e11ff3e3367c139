"""Consent: the persons of a check say yes or no by one-time codes, to words that are kept."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from workloads.data_exchange.agencies.ports import AgencyStore
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    Consent,
    ConsentState,
    Scenario,
    statement,
)
from workloads.data_exchange.checks.ports import Audit, CheckStore, Work
from workloads.data_exchange.checks.service import NOUN, digest_of

LANGUAGES = ("en", "zh")
_GOING = frozenset({CheckState.CONSENT, CheckState.ASKING})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the holder of a code is asked.

    Attributes:
        person: their place among the persons of the check, from 0.
        statement: what they consent to, in words.
        open: whether they may still decide.
    """

    check: Check
    scenario: Scenario
    person: int
    state: ConsentState
    statement: Mapping[str, Any]
    open: bool


class Consents:
    """What persons let be asked about them.

    Args:
        store: checks.
        db: the unit of work.
        clock: ours.
        audit: where decisions are written down.
        agencies: how agencies are called.
    """

    def __init__(
        self, store: CheckStore, db: Work, clock: Clock, audit: Audit, agencies: AgencyStore
    ) -> None:
        self._store, self._db, self._clock = store, db, clock
        self._audit, self._agencies = audit, agencies

    def asked(self, token: str, language: str = "en") -> Asked:
        """What a code is about: for the person who holds it.

        Raises:
            NotFound: no such code.
            Invalid: a language that there are no texts in.
        """
        with self._db.transaction():
            check, person = self.holder(token)
            scenario = self._scenario(check)
            now = self._clock.now()
            there = self._store.consents(check.id)[person]
            shown = dict(there.statement) or self._statement(check, scenario, language)
            if there.statement and language != there.statement["language"]:
                shown = self._statement(check, scenario, language)
            going = check.state in _GOING and now < check.limit_at
            undecided = there.state in {ConsentState.WAITING, ConsentState.GIVEN}
            return Asked(check, scenario, person, there.state, shown, going and undecided)

    def holder(self, token: str, *, lock: bool = False) -> tuple[Check, int]:
        """The check and the person of a code, in the open transaction.

        Raises:
            NotFound: no such code.
        """
        found = self._store.by_token(digest_of(token))
        check = self._store.find(found[0], lock=lock) if found else None
        if found is None or check is None:
            raise policy.unknown("consent")
        return check, found[1]

    def decide(self, token: str, *, agree: bool, language: str = "en") -> ConsentState:
        """The person of a code consents, refuses, or withdraws what they gave.

        One no stops the check. What was not asked yet never is; an answer that is on its way is
        dropped. The words that they were shown are kept with what they decided.

        Raises:
            NotFound: no such code.
            Conflict: it was decided otherwise, or the check is over.
            Invalid: a language that there are no texts in.
        """
        with self._db.transaction():
            check, person = self.holder(token, lock=True)
            there = check.consents[person]
            if agree:
                state = ConsentState.GIVEN
            elif there in {ConsentState.GIVEN, ConsentState.WITHDRAWN}:
                state = ConsentState.WITHDRAWN
            else:
                state = ConsentState.REFUSED
            if state is there:
                return state
            now = self._clock.now()
            if check.state not in _GOING or now >= check.limit_at:
                raise Conflict("this check is over")
            shown = self._statement(check, self._scenario(check), language)
            self._store.consent(check.id, person, state, now, shown)
            consents = (*check.consents[:person], state, *check.consents[person + 1 :])
            if not agree:
                self._store.update(replace(check, state=CheckState.STOPPED, reasons=(state.value,)))
            elif all(one is ConsentState.GIVEN for one in consents):
                self._store.update(replace(check, state=CheckState.ASKING))
            self._audit.record(
                Actor.system("consent"), f"check.consent.{state.value}", subject=check.id,
                path=check.path, details={"person": person, "version": check.version},
            )  # fmt: skip
            return state

    def given(self, actor: Actor, check_id: str) -> Sequence[Consent]:
        """What everybody of a check decided, with the words that they were shown.

        Raises:
            NotFound: there is no such check, or none that the actor may know of.
        """
        with self._db.transaction():
            self._seen(actor, "check.view", check_id)
            return self._store.consents(check_id)

    def renew(self, actor: Actor, check_id: str, person: int) -> str:
        """Another code for somebody who has not decided yet: theirs was lost and counts no more.

        Raises:
            NotFound: no such check or person.
            Conflict: they have decided.
        """
        with self._db.transaction():
            check = self._seen(actor, "check.create", check_id, lock=True)
            if not 0 <= person < len(check.consents):
                raise policy.unknown("consent")
            if check.consents[person] is not ConsentState.WAITING:
                raise Conflict("this person has decided already")
            return self.renewed(actor, check, person)

    def renewed(self, actor: Actor, check: Check, person: int) -> str:
        """The same for services, in the open transaction that holds the check."""
        token = secrets.token_urlsafe(32)
        self._store.renew(check.id, person, digest_of(token))
        self._audit.record(
            actor, "check.consent.renew", subject=check.id, path=check.path,
            details={"person": person},
        )  # fmt: skip
        return token

    def _seen(self, actor: Actor, action: str, check_id: str, *, lock: bool = False) -> Check:
        check = self._store.find(check_id, lock=lock)
        if check is None:
            raise policy.unknown(NOUN)
        policy.require(actor, action, check.path, NOUN)
        return check

    def _statement(self, check: Check, scenario: Scenario, language: str) -> dict[str, Any]:
        if language not in LANGUAGES:
            raise Invalid([Problem("language", "must be en or zh")])
        names: dict[str, Text] = {}
        for path in {check.path, *(one.provider for one in check.questions)}:
            found = self._agencies.find(path) if path else None
            if found is not None:
                names[path] = found.name
        return statement(check, scenario, names, language)

    def _scenario(self, check: Check) -> Scenario:
        found = self._store.scenario(check.scenario, check.version)
        if found is None:  # held by a foreign key
            raise LookupError(check.scenario)
        return found
