"""Scenarios, checks and what becomes of them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib import resources
from typing import Any

from foundation.kernel.errors import Collector, Invalid
from foundation.kernel.text import Text
from foundation.kernel.time import format_instant
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.checks import rules

_NAME = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9_]*(?:-[a-z0-9_]+)*", re.ASCII)
SERVICE = re.compile(r"[a-zA-Z0-9_./:-]{1,200}", re.ASCII)
#: For what registries are asked where a scenario does not say it (DPV 2.0).
_PURPOSE = "dpv:PublicBenefit"
_SECONDS = {"patience_seconds": 600, "retry_seconds": 3_600, "deadline_seconds": 600}
_MOST_HOURS = 24 * 90
_MOST = 50
#: What a question may be sent besides inputs of its scenario.
_SENDS = frozenset({"persons", "applicant"})


class CheckState(StrEnum):
    """How far a check is."""

    CONSENT = "consent"
    ASKING = "asking"
    DONE = "done"
    STOPPED = "stopped"


class Verdict(StrEnum):
    """What a check says; ``NOT_YET``: somebody was not heard, and will be asked again."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"
    NOT_YET = "cannot_tell_yet"


class ConsentState(StrEnum):
    """Whether somebody let themselves be asked about."""

    WAITING = "waiting"
    GIVEN = "given"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class QuestionState(StrEnum):
    """How far a question is; ``REFUSED``: the provider answered that it cannot."""

    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"


class Why(StrEnum):
    """Why a question was not answered when it was asked last."""

    NOT_CONNECTED = "not_connected"
    NO_AGREEMENT = "no_agreement"
    NO_KEY = "no_key"
    NO_GATEWAY = "no_gateway"
    NOT_ALLOWED = "not_allowed"
    SLOW = "slow"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a scenario: to which service, what is sent, what is found in the answer."""

    name: str
    service: str
    title: Text
    send: tuple[str, ...]
    findings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What stands against a yes: an expression over ``question.finding``, and its words."""

    id: str
    when: Any
    text: Text


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario in one version.

    Attributes:
        data: as it was given and is kept.
        purpose: for what registries are asked, as their agreements name it (DPV).
        patience: seconds that one ask may take; ``retry``: until a question is asked again.
        deadline: seconds after which who waits is told "cannot tell yet".
        limit: hours after which what was not heard stays unknown.
    """

    name: str
    version: int
    data: Mapping[str, Any]
    title: Text
    consent: Text
    questions: tuple[Asked, ...]
    rules: tuple[Rule, ...]
    patience: float
    retry: float
    deadline: float
    limit: float
    purpose: str = _PURPOSE

    @property
    def basis(self) -> str:
        """By which law it is asked."""
        return str(self.data.get("basis", ""))


@dataclass(frozen=True, slots=True)
class Question:
    """How far a question of a check is; of the answer there are only findings.

    Attributes:
        provider: path of the agency that is asked, as whoever consented was told; empty when nobody
            was known when the check began, and then nobody is asked.
        round: which time it is asked: again after a correction.
        why: what the last ask failed of, while it waits; empty before the first.
    """

    name: str
    state: QuestionState = QuestionState.WAITING
    findings: Mapping[str, bool | None] = field(default_factory=dict)
    receipt: str = ""
    attempts: int = 0
    answered_at: datetime | None = None
    provider: str = ""
    round: int = 1
    why: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check.

    Attributes:
        path: of the agency that asks.
        sealed: whom it is about and what was filled in, sealed.
        reasons: ids of rules that hold, or that nobody could answer for ``CANNOT_TELL``.
    """

    id: str
    path: str
    scenario: str
    version: int
    sealed: str
    state: CheckState
    created_at: datetime
    limit_at: datetime
    verdict: Verdict = Verdict.NOT_YET
    reasons: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    consents: tuple[ConsentState, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """What one person of a check decided.

    Attributes:
        statement: what they were shown, word for word (``statement``); empty before they decided.
    """

    person: int
    state: ConsentState
    decided_at: datetime | None
    statement: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Connection:
    """Who answers a question.

    Attributes:
        name: what scenarios call the service, such as ``tax/income``.
        service: its id in the directory.
        path: of its interface, to which questions are posted.
    """

    name: str
    service: str
    path: str


def conclude(
    scenario: Scenario, questions: Mapping[str, Question]
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict of what was found: no when a rule holds, yes when none can."""
    found = {name: dict(one.findings) for name, one in questions.items()}
    each = {rule.id: rules.holds(rule.when, found) for rule in scenario.rules}
    against = tuple(name for name, holds in each.items() if holds)
    unknown = tuple(name for name, holds in each.items() if holds is None)
    if against:
        return Verdict.NO, against
    return (Verdict.CANNOT_TELL, unknown) if unknown else (Verdict.YES, ())


def read(data: Mapping[str, Any], version: int) -> Scenario:
    """A scenario out of its data.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(_NAME.fullmatch(str(data.get("name"))), "name", "is no short lower-case name")
    texts = {key: _text(found, data.get(key), key) for key in ("title", "consent")}
    numbers = {
        name: _number(found, data.get(name), name, most)
        for name, most in {**_SECONDS, "limit_hours": _MOST_HOURS}.items()
    }
    purpose = data.get("purpose", _PURPOSE)
    found.check(purpose in purposes.titles(), "purpose", "is no purpose of the DPV", "unknown")
    inputs = data.get("inputs", {})
    if not found.check(isinstance(inputs, Mapping), "inputs", "must be an object"):
        inputs = {}
    asked = [
        _asked(found, one, f"questions.{n}", frozenset(inputs) | _SENDS)
        for n, one in enumerate(_list(found, data.get("questions"), "questions"))
    ]
    names = [one.name for one in asked]
    found.check(len(set(names)) == len(names), "questions", "name a question twice", "twice")
    made = []
    for n, one in enumerate(_list(found, data.get("rules"), "rules")):
        at = f"rules.{n}"
        found.check(_NAME.fullmatch(str(one.get("id"))), f"{at}.id", "is no short lower-case name")
        rules.check(found, one.get("when"), f"{at}.when")
        made.append(
            Rule(str(one.get("id")), one.get("when"), _text(found, one.get("text"), f"{at}.text"))
        )
    found.finish()
    return Scenario(
        str(data["name"]), version, data, texts["title"], texts["consent"], tuple(asked),
        tuple(made), numbers["patience_seconds"], numbers["retry_seconds"],
        numbers["deadline_seconds"], numbers["limit_hours"], str(purpose),
    )  # fmt: skip


def statement(
    check: Check, scenario: Scenario, names: Mapping[str, Text], language: str
) -> dict[str, Any]:
    """What somebody consents to, as it was shown to them; JSON.

    Args:
        check: that they are asked about.
        scenario: in the version of the check.
        names: of agencies, by path.
        language: in which it was read: ``en`` or ``zh``.
    """

    def named(path: str) -> str:
        return names[path].get(language) if path in names else path

    asked = {one.name: one for one in scenario.questions}
    return {
        "check": check.id, "scenario": scenario.name, "version": scenario.version,
        "language": language, "title": scenario.title.get(language),
        "text": scenario.consent.get(language), "basis": scenario.basis,
        "agency": check.path, "agency_name": named(check.path),
        "until": format_instant(check.limit_at),
        "questions": [
            {
                "name": one.name, "title": asked[one.name].title.get(language),
                "service": asked[one.name].service, "provider": one.provider,
                "provider_name": named(one.provider),
            }
            for one in check.questions
        ],
        "rules": [rule.text.get(language) for rule in scenario.rules],
    }  # fmt: skip


def shipped() -> list[dict[str, Any]]:
    """The scenarios that come with the product."""
    folder = resources.files(__package__).joinpath("scenarios")
    files = sorted(folder.iterdir(), key=lambda one: one.name)
    return [json.loads(one.read_text("utf-8")) for one in files if one.name.endswith(".json")]


def _asked(found: Collector, one: Mapping[str, Any], at: str, sends: frozenset[str]) -> Asked:
    found.check(_NAME.fullmatch(str(one.get("name"))), f"{at}.name", "is no short lower-case name")
    found.check(SERVICE.fullmatch(str(one.get("service"))), f"{at}.service", "is no service")
    send = one.get("send")
    right = isinstance(send, list) and send and all(key in sends for key in send)
    found.check(right, f"{at}.send", "must name persons, applicant or inputs of the scenario")
    findings = one.get("findings")
    if not found.check(isinstance(findings, Mapping) and findings, f"{at}.findings", "is required"):
        findings = {}
    for name, rule in dict(findings or {}).items():
        rules.check(found, rule, f"{at}.findings.{name}")
    return Asked(
        str(one.get("name")), str(one.get("service")),
        _text(found, one.get("title"), f"{at}.title"), tuple(send) if right and send else (),
        dict(findings or {}),
    )  # fmt: skip


def _list(found: Collector, value: object, at: str) -> list[Mapping[str, Any]]:
    right = isinstance(value, list) and 0 < len(value) <= _MOST
    right = right and all(isinstance(one, Mapping) for one in value)  # type: ignore[attr-defined]
    found.check(right, at, f"must be 1 to {_MOST} objects")
    return value if right else []  # type: ignore[return-value]


def _text(found: Collector, value: object, at: str) -> Text:
    try:
        return Text.parse(value, at)
    except Invalid as error:
        found.include(error)
        return Text("", "")


def _number(found: Collector, value: object, at: str, most: int) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= most
    found.check(right, at, f"must be a number above 0, at most {most}")
    return float(value) if right else 1.0  # type: ignore[arg-type]
