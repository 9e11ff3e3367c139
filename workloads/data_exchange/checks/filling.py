"""What a scenario wants filled in, what of it is sent, and what is found in the answers."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from foundation.kernel.errors import Collector
from workloads.data_exchange.checks import rules
from workloads.data_exchange.checks.model import Scenario
from workloads.data_exchange.checks.ports import Answer

_PERSON = re.compile(r"\d{17}[\dX]", re.ASCII)
_MOST_PERSONS = 20
_LONGEST_TEXT = 200


def check_filled(scenario: Scenario, persons: Sequence[str], inputs: Mapping[str, Any]) -> None:
    """Whether persons and inputs are what a scenario wants.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(
        0 < len(persons) <= _MOST_PERSONS, "persons", f"must be 1 to {_MOST_PERSONS} numbers"
    )
    for n, one in enumerate(persons):
        found.check(_PERSON.fullmatch(one), f"persons.{n}", "is no resident number")
    found.check(len(set(persons)) == len(persons), "persons", "name somebody twice", "twice")
    wanted = scenario.data.get("inputs", {})
    for name in inputs.keys() - wanted.keys():
        found.check(False, f"inputs.{name}", "is not asked for", "unknown")
    for name, about in wanted.items():
        value = inputs.get(name)
        if about.get("kind") == "number":
            right = isinstance(value, int | float) and not isinstance(value, bool)
            found.check(right, f"inputs.{name}", "must be a number")
        else:
            right = isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT
            right = right and bool(re.fullmatch(about.get("pattern", ".*"), str(value)))
            found.check(right, f"inputs.{name}", "is not well written")
    found.finish()


def sent(send: Sequence[str], filled: Mapping[str, Any]) -> dict[str, Any]:
    """What of what was filled in a question sends."""
    known = {"persons": filled["persons"], **filled["inputs"]}
    return {
        "persons" if key == "applicant" else key: filled["persons"][:1]
        if key == "applicant"
        else known[key]
        for key in send
    }


def findings_of(
    findings: Mapping[str, Any], answer: Answer, filled: Mapping[str, Any], today: str
) -> dict[str, bool | None]:
    """What is found in an answer: yes, no or unknown for each thing that is looked for."""
    known = {
        "persons": filled["persons"], "count": len(filled["persons"]), "inputs": filled["inputs"],
        "today": today, "records": answer.body.get("records"),
    }  # fmt: skip
    return {name: rules.holds(rule, known) for name, rule in findings.items()}
