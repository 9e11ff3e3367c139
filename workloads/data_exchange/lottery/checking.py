"""Judges applicants of lotteries by checks: public rules, and no officer in between."""

from collections.abc import Mapping
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict, Invalid, NotFound, Problem
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.model import Check, Scenario, Verdict
from workloads.data_exchange.checks.service import Checks
from workloads.data_exchange.lottery.model import REASON_MAX, Lottery
from workloads.data_exchange.lottery.service import Lotteries

_SYSTEM = Actor.system("lottery")


class ByChecks:
    """Begins a check of each applicant for the agency that holds the lottery."""

    def __init__(self, checks: Checks, consents: Consents) -> None:
        self._checks, self._consents = checks, consents

    def screening(self, scenario: str) -> Mapping[str, Any] | None:
        """Name, version, digest and the rules in words: what a lottery's signed rules fix."""
        try:
            found = self._checks.scenario(_SYSTEM, scenario)
        except NotFound:
            return None
        if found.data.get("inputs"):
            return None
        return {
            "scenario": found.name, "version": found.version,
            "digest": canonical.digest(found.data), "title": found.title.as_json(),
            "rules": [{"id": rule.id, "text": rule.text.as_json()} for rule in found.rules],
        }  # fmt: skip

    def begin(self, lottery: Lottery, person: str) -> tuple[str, str]:
        """Begin a check of a person in the version that the rules name."""
        fixed = lottery.rules["check"]
        try:
            made = self._checks.begin(
                _SYSTEM, agency=lottery.path, scenario=fixed["scenario"], persons=[person],
                inputs={}, version=fixed["version"],
            )  # fmt: skip
        except Invalid:
            raise Invalid([Problem("person", "is no resident number")]) from None
        return made.check.id, made.tokens[0]

    def renew(self, check: str) -> str:
        """Another code; empty when the applicant has decided."""
        try:
            return self._consents.renew(_SYSTEM, check, 0)
        except Conflict:
            return ""


def judge_by_checks(checks: Checks, lotteries: Lotteries) -> None:
    """Have applications judged as soon as their checks are done.

    Where a check cannot tell, the application waits for an officer.
    """

    def done(check: Check, scenario: Scenario) -> None:
        if check.verdict in {Verdict.YES, Verdict.NO}:
            words = [rule.text.en for rule in scenario.rules if rule.id in check.reasons]
            told = f"check {check.id}: {' '.join(words)}" if words else f"check {check.id}"
            lotteries.checked(
                check.id, qualified=check.verdict is Verdict.YES, reason=told[:REASON_MAX]
            )

    checks.tell(done)
