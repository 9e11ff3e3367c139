"""The use cases of checks."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from workloads.data_exchange.agencies.ports import AgencyStore
from workloads.data_exchange.checks.filling import check_filled, findings_of, sent
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    ConsentState,
    Question,
    QuestionState,
    Scenario,
    Verdict,
    conclude,
    read,
    shipped,
)
from workloads.data_exchange.checks.ports import (
    Ask,
    Asker,
    Audit,
    CheckStore,
    Claimed,
    Late,
    Ledger,
    Meter,
    Providers,
    Refused,
    Vault,
    Work,
)
from workloads.data_exchange.usage.model import CHECKS

NOUN = "check"
#: Why a check stopped to which not everybody said yes or no in time.
NOBODY_ANSWERED = "no_consent"
#: Beyond its patience an ask has this long to be written down before another may ask.
_GRACE = timedelta(seconds=30)
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Begun:
    """A new check and the one-time links of consent, in the order of the persons."""

    check: Check
    tokens: tuple[str, ...]


class Checks:
    """Scenarios, and checks under them.

    Args:
        store: scenarios and checks.
        db: the unit of work.
        clock: ours.
        audit: where changes are written down.
        agencies: who may ask.
        vault: seals whom a check is about.
        asker: asks providers.
        meter: counts verdicts.
        ledger: where citizens see who asked about them.
        providers: who answers which question.
    """

    def __init__(  # noqa: PLR0913 - one for each port
        self, store: CheckStore, db: Work, clock: Clock, audit: Audit, agencies: AgencyStore,
        vault: Vault, asker: Asker, meter: Meter, *, ledger: Ledger, providers: Providers,
    ) -> None:  # fmt: skip
        self._store, self._db, self._clock, self._audit = store, db, clock, audit
        self._agencies, self._vault, self._asker, self._meter = agencies, vault, asker, meter
        self._ledger, self._providers = ledger, providers
        self._told: list[Callable[[Check, Scenario], None]] = []

    def tell(self, done: Callable[[Check, Scenario], None]) -> None:
        """Have something done in the transaction in which a check gets its verdict."""
        self._told.append(done)

    def ship(self) -> None:
        """Keep the scenarios that come with the product, where their names are free."""
        with self._db.transaction():
            for data in shipped():
                self._store.add_scenario(read(data, 1), self._clock.now())

    def scenarios(self, actor: Actor) -> Sequence[Scenario]:
        """The newest version of each.

        Raises:
            Forbidden: the actor may not see them.
        """
        policy.require(actor, "scenario.view", policy.ROOT)
        with self._db.transaction():
            return self._store.scenarios()

    def revise(self, actor: Actor, data: Mapping[str, Any]) -> Scenario:
        """Keep a scenario as its next version; checks that run go on under theirs.

        Raises:
            Invalid: names every wrong field.
            Conflict: somebody else did so just now.
        """
        policy.require(actor, "scenario.manage", policy.ROOT)
        made = read(data, 1)
        with self._db.transaction():
            there = self._store.scenario(made.name)
            made = replace(made, version=there.version + 1 if there else 1)
            if not self._store.add_scenario(made, self._clock.now()):
                raise Conflict("the scenario was changed just now")
            self._audit.record(
                actor, "scenario.revise", subject=made.name, path=policy.ROOT,
                details={"version": made.version},
            )  # fmt: skip
            return made

    def begin(
        self, actor: Actor, *, agency: str, scenario: str, persons: Sequence[str],
        inputs: Mapping[str, Any], version: int | None = None,
    ) -> Begun:  # fmt: skip
        """Begin a check; nobody is asked before all persons have consented.

        Args:
            actor: who asks.
            agency: id or path of the agency that asks.
            scenario: its name.
            persons: resident numbers, the applicant first.
            inputs: what the scenario wants filled in.
            version: of the scenario; the newest if left out.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency or scenario.
        """
        with self._db.transaction():
            place = self._agencies.find(agency)
            if place is None:
                raise policy.unknown("agency")
            policy.require(actor, "check.create", place.path, "agency")
            kept = self._store.scenario(scenario, version)
            if kept is None:
                raise policy.unknown("scenario")
            check_filled(kept, persons, inputs)
            now, made_id = self._clock.now(), ids.new("chk")
            sealed = self._vault.seal(
                json.dumps({"persons": list(persons), "inputs": dict(inputs)}).encode(),
                f"check:{made_id}",
            )
            tokens = tuple(secrets.token_urlsafe(32) for _ in persons)
            check = Check(
                made_id, place.path, kept.name, kept.version, sealed, CheckState.CONSENT, now,
                now + timedelta(hours=kept.limit),
                questions=tuple(
                    Question(one.name, provider=self._providers.provider(one.service))
                    for one in kept.questions
                ),
                consents=(ConsentState.WAITING,) * len(persons),
            )  # fmt: skip
            self._store.add(check, [digest_of(one) for one in tokens])
            details = {"scenario": kept.name, "version": kept.version, "persons": len(persons)}
            self._audit.record(
                actor, "check.create", subject=made_id, path=place.path, details=details
            )
            return Begun(check, tokens)

    def check(self, actor: Actor, check_id: str) -> Check:
        """One check.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._store.find(check_id)
            if found is None:
                raise policy.unknown(NOUN)
            policy.require(actor, "check.view", found.path, NOUN)
            return found

    def checks(self, actor: Actor, request: PageRequest) -> Page[Check]:
        """The checks that the actor may see, newest first."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "check.view"), request)

    def work(self, pool: ThreadPoolExecutor | None = None) -> int:
        """Ask what is due, and end what is past its limit; answers how many were asked.

        Args:
            pool: asks without waiting; without one, all are asked side by side and waited for.
        """
        taken = self._take()
        if pool is not None:
            for one in taken:
                pool.submit(self._ask, one)
        elif taken:
            with ThreadPoolExecutor(len(taken)) as own:
                list(own.map(self._ask, taken))
        self._end_overdue()
        return len(taken)

    def _take(self) -> Sequence[Claimed]:
        with self._db.transaction():
            now = self._clock.now()
            taken = self._store.claim(now, _BATCH)
            for one in taken:
                scenario = self._scenario(one.check)
                self._enter(one, scenario)
                patience = timedelta(seconds=scenario.patience)
                self._store.lease(one.check.id, one.name, now + patience + _GRACE)
            return taken

    def _enter(self, one: Claimed, scenario: Scenario) -> None:
        asked = next(question for question in scenario.questions if question.name == one.name)
        self._ledger.enter(
            key=_key(one.check, one.name), purpose=scenario.name, asker=one.check.path,
            service=asked.service, basis=scenario.basis,
            persons=self._filled(one.check)["persons"],
        )  # fmt: skip

    def _filled(self, check: Check) -> dict[str, Any]:
        filled: dict[str, Any] = json.loads(self._vault.open(check.sealed, f"check:{check.id}"))
        return filled

    def _ask(self, one: Claimed) -> None:
        check = one.check
        with self._db.transaction():
            # It may have waited for a thread, and consent may be withdrawn since.
            there = self._store.find(check.id)
            if there is None or there.state is not CheckState.ASKING:
                return
            scenario = self._scenario(check)
        asked = next(question for question in scenario.questions if question.name == one.name)
        filled = self._filled(check)
        ask = Ask(
            check.path, _of(check, one.name).provider, asked.service, scenario.purpose,
            sent(asked.send, filled), _key(check, one.name),
        )  # fmt: skip
        try:
            answer = self._asker.ask(ask, patience=scenario.patience)
        except Late as late:
            with self._db.transaction():
                again = self._clock.now() + timedelta(seconds=scenario.retry)
                self._store.later(check.id, one.name, one.attempt, again, late.why)
            return
        except Refused as error:
            question = Question(one.name, QuestionState.REFUSED, {}, error.receipt)
        else:
            today = f"{self._clock.now():%Y-%m-%d}"
            found = findings_of(asked.findings, answer, filled, today)
            question = Question(one.name, QuestionState.ANSWERED, found, answer.receipt)
        self._keep(check.id, replace(question, answered_at=self._clock.now()), one.attempt)

    def _keep(self, check_id: str, question: Question, attempt: int) -> None:
        """What was found, and the verdict with the last of it, in one transaction."""
        with self._db.transaction():
            check = self._store.find(check_id, lock=True)
            if check is None or check.state is not CheckState.ASKING:
                return  # stopped meanwhile: the answer is dropped
            if not self._store.answered(check_id, question, attempt):
                return
            questions = {one.name: one for one in check.questions} | {question.name: question}
            if all(one.state is not QuestionState.WAITING for one in questions.values()):
                self._finish(check, questions)

    def _end_overdue(self) -> None:
        with self._db.transaction():
            for check_id in self._store.overdue(self._clock.now(), _BATCH):
                check = self._store.find(check_id, lock=True)
                if check is not None and check.state is CheckState.ASKING:
                    self._finish(check, {one.name: one for one in check.questions})
                elif check is not None and check.state is CheckState.CONSENT:
                    stopped = replace(check, state=CheckState.STOPPED, reasons=(NOBODY_ANSWERED,))
                    self._store.update(stopped)
                    self._audit.record(
                        Actor.system("checks"), "check.stop", subject=check.id, path=check.path,
                        details={"reason": NOBODY_ANSWERED},
                    )  # fmt: skip

    def _finish(self, check: Check, questions: Mapping[str, Question]) -> None:
        scenario = self._scenario(check)
        verdict, reasons = conclude(scenario, questions)
        done = replace(check, state=CheckState.DONE, verdict=verdict, reasons=reasons)
        self._store.update(done)
        for each in self._told:
            each(done, scenario)
        if all(one.round == 1 for one in questions.values()):
            # One that is told again after a correction was paid for the first time.
            self._meter.note(CHECKS, self._clock.now())
        self._audit.record(
            Actor.system("checks"), "check.verdict", subject=check.id, path=check.path,
            details={"verdict": verdict.value, "reasons": list(reasons)},
        )  # fmt: skip

    def reopen(self, check: Check, name: str) -> None:
        """Ask a question again, as a registry corrected what it holds; the caller holds the check.

        Consent stands: it was given for this question of this check, and may be withdrawn anew.
        """
        scenario, now = self._scenario(check), self._clock.now()
        limit = max(check.limit_at, now + timedelta(hours=scenario.limit))
        self._store.again(check.id, name, now)
        self._store.update(
            replace(
                check, state=CheckState.ASKING, verdict=Verdict.NOT_YET, reasons=(), limit_at=limit
            )
        )

    def scenario(self, actor: Actor, name: str) -> Scenario:
        """The newest version of one.

        Raises:
            NotFound: there is none.
            Forbidden: the actor may not see them.
        """
        policy.require(actor, "scenario.view", policy.ROOT)
        with self._db.transaction():
            found = self._store.scenario(name)
        if found is None:
            raise policy.unknown("scenario")
        return found

    def titles(self) -> Mapping[str, Text]:
        """How scenarios are called, by name; they are public."""
        with self._db.transaction():
            return {one.name: one.title for one in self._store.scenarios()}

    def scenario_of(self, check: Check) -> Scenario:
        """The scenario of a check that was read, in the check's version."""
        with self._db.transaction():
            return self._scenario(check)

    def _scenario(self, check: Check) -> Scenario:
        found = self._store.scenario(check.scenario, check.version)
        if found is None:  # held by a foreign key
            raise LookupError(check.scenario)
        return found


def receipts_of(check: Check) -> tuple[str, ...]:
    """The receipts of what was answered."""
    return tuple(one.receipt for one in check.questions if one.receipt)


def seen(check: Check) -> Verdict:
    """What who waits is told."""
    return check.verdict if check.state is CheckState.DONE else Verdict.NOT_YET


def digest_of(token: str) -> str:
    """As what a one-time code is kept; it has 256 random bits, so a plain hash will do."""
    return hashlib.sha256(token.encode()).hexdigest()


def _of(check: Check, name: str) -> Question:
    return next(one for one in check.questions if one.name == name)


def _key(check: Check, name: str) -> str:
    """The same for a question of a check however often it is asked; another once corrected."""
    again = _of(check, name).round
    return f"{check.id}:{name}" if again == 1 else f"{check.id}:{name}:{again}"
