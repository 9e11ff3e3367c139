"""The part of the chapter on data in which registries are asked about an applicant.

The people are a synthetic city's, whose truth is known: the verdicts are compared with it.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from control_plane.entrypoints.demo.narrator import Narrator, StoryFailedError
from foundation.adapters.clock import SystemClock
from foundation.kernel.time import format_instant
from foundation.surface.cli.client import Client

_SECONDS = 60.0
_SIZE = ("--size", "120", "--seed", "7")
_PURPOSE = "dpv:PublicBenefit"
_SCENARIO = "low-income-short"
#: The questions that are asked, with the registry of each and the fields of its records.
_ASKED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "income": ("tax/income", {"number": "string", "monthly_income": "integer"}),
    "homes": ("housing/homes", {"number": "string", "homes": "array"}),
    "vehicles": ("vehicles/owned", {"number": "string", "vehicles": "array"}),
}
_RULES = frozenset({"income", "homes", "vehicle"})


class Connect(Protocol):
    """Publishes a registry, agrees on it, and lets it answer the questions of its name."""

    def __call__(
        self, name: str, dataset: dict[str, Any], called: dict[str, Any], ask: dict[str, Any]
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What this part needs of the chapter.

    Attributes:
        connect: see ``Connect``.
        consumer: path of the agency that checks.
        until: asks until there is an answer.
        program: of the exchange's command line.
    """

    connect: Connect
    consumer: str
    until: Callable[[str, float, Callable[[], Any]], Any]
    program: str


def play(say: Narrator, people: Mapping[str, Client], parts: Parts) -> None:
    """Check a household that is of low income and one that is not.

    Raises:
        StoryFailedError: a verdict is not what was planted.
    """
    with _registries(parts.program) as url:
        for name, fields in _ASKED.values():
            parts.connect(name, _dataset(name, fields), _service(name, url), _ask(fields))
        with say.chapter("Data: three registries are asked about an applicant, who consents"):
            people["administrator"].post(
                "/scenarios", {"data": _scenario(people["officer"], parts)}
            )
            for household in _households(parts.program):
                _check(say, people["officer"], parts, household)


def _check(say: Narrator, officer: Client, parts: Parts, household: Mapping[str, Any]) -> None:
    persons = household["people"]
    made = officer.post(
        "/checks", {"agency": parts.consumer, "scenario": _SCENARIO, "persons": persons}
    )
    citizen = Client(officer.url)
    for token in made["tokens"]:
        citizen.post("/consents/decide", {"token": token, "agree": True, "language": "zh"})
    at = f"/checks/{made['id']}"
    done = parts.until(
        f"{len(persons)} people have consented, and all registries have answered", _SECONDS,
        lambda: _done(officer.get(at)),
    )  # fmt: skip
    planted = sorted(_RULES & set(household["unqualified"]))
    say.check("verdict, as it was planted", done["verdict"], "no" if planted else "yes")
    say.check("reasons, as they were planted", sorted(done["reasons"]), planted)
    told = [officer.get(f"/receipts/{one}")["body"] for one in done["receipts"]]
    say.check("receipts of the gateway", [one["status"] for one in told], [200] * len(_ASKED))


def _done(check: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return check if check["state"] == "done" else None


def _households(program: str) -> Sequence[Mapping[str, Any]]:
    """One household of low income, and one that is not for a reason that is asked about."""
    run = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", program, "population", "generate", "--truth", *_SIZE],
        capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ),
    )  # fmt: skip
    all_ = [json.loads(line) for line in run.stdout.splitlines()]
    fine = next(one for one in all_ if not one["unqualified"] and len(one["people"]) == 2)  # noqa: PLR2004
    rich = next(one for one in all_ if len(_RULES & set(one["unqualified"])) == 2)  # noqa: PLR2004
    return fine, rich


def _scenario(officer: Client, parts: Parts) -> dict[str, Any]:
    """The shipped scenario of low income with three of its questions."""

    def shipped() -> dict[str, Any] | None:
        items = officer.get("/scenarios")["items"]
        return next((one["data"] for one in items if one["name"] == "low-income"), None)

    data = parts.until("the scenarios are there", _SECONDS, shipped)
    rules = [{**one, "when": {"var": "income.above"}} if one["id"] == "income" else one
             for one in data["rules"] if one["id"] in _RULES]  # fmt: skip
    asked = [one for one in data["questions"] if one["name"] in _ASKED]
    return {**data, "name": _SCENARIO, "questions": asked, "rules": rules, "retry_seconds": 2}


@contextlib.contextmanager
def _registries(program: str) -> Iterator[str]:
    """The registries of the synthetic city, as a process on loopback; their address."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", program, "population", "serve", "--port", "0", *_SIZE],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = process.stdout.readline() if process.stdout else ""
        url = line.partition(": ")[0]
        if not url.startswith("http://127.0.0.1:"):
            raise StoryFailedError("the registries of the synthetic city do not start")
        yield url
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def _ask(fields: Mapping[str, str]) -> dict[str, Any]:
    now = SystemClock().now()
    return {
        "purposes": [_PURPOSE],
        "fields": [{"name": name, "whole": True} for name in fields],
        "limits": {"calls": 100},
        "begins": format_instant(now - timedelta(minutes=5)),
        "ends": format_instant(now + timedelta(days=30)),
    }


def _dataset(name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        "title": {"en": f"Registry {name}", "zh": f"登记库 {name}"},
        "description": {"en": "Of a synthetic city.", "zh": "虚构城市的登记数据。"},
        "themes": ["SOCI"], "frequency": "DAILY", "legal_basis": "Measures for social assistance",
        "elements": [
            {
                "name": field, "pointer": f"/{field}", "title": {"en": field, "zh": field},
                "schema": {"type": kind}, "sensitivity": "personal", "masking": "omit",
            }
            for field, kind in fields.items()
        ],
        "contact": {"name": "Data office", "email": "data@city.example"},
    }  # fmt: skip


def _service(name: str, url: str) -> dict[str, Any]:
    return {
        "title": {"en": f"Asks {name}", "zh": f"查询 {name}"},
        "description": {"en": "Answers checks.", "zh": "供核对使用。"},
        "themes": ["SOCI"],
        "legal_basis": "Measures for social assistance",
        "interface": {
            "endpoint": url, "methods": ["POST"], "paths": [f"/{name}"], "records": "/records",
        },
        "contact": {"name": "Data office", "email": "data@city.example"},
    }  # fmt: skip
