"""Every endpoint × (no one, another department, each role) against the golden table.

The table is written anew with ``python -m pytest tests/architecture/test_authorisation.py
--write-golden``; read its difference before you commit it.
"""

import difflib
import inspect
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from apiflask import APIFlask
from argon2 import PasswordHasher

from control_plane.bootstrap import Platform, open_platform
from control_plane.entrypoints.app import create_app
from control_plane.entrypoints.serve import parts
from control_plane.settings import Settings
from foundation.access import policy
from foundation.access.passwords import Argon2Passwords
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.surface import auth
from foundation.surface.api import limits
from tests.architecture import objects
from tests.architecture.harness import (
    ACTORS,
    NEIGHBOUR,
    NOBODY,
    PUBLIC,
    REQUESTER,
    ROLES,
    Asker,
    Endpoint,
    Things,
    endpoints,
)

GOLDEN = Path(__file__).with_name("authorisation.golden.yaml")
ADMIN = "platform_administrator"
#: Of no feature: files, figures and health.
_NO_PAGES = {
    "GET /healthz", "GET /metrics", "GET /readyz", "GET /static/<path:filename>", "GET /theme.css",
}  # fmt: skip
#: For each endpoint its action, and what each actor gets.
Table = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def platform(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    with objects.database(postgres) as url:
        settings = Settings(
            home=tmp_path_factory.mktemp("home"), database_url=url, simulated_time=True
        )
        with open_platform(settings) as platform:
            # Seventy passwords at full strength cost seconds; that they have it is asked elsewhere.
            weak = Argon2Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
            platform.people._passwords = platform.gate._passwords = weak  # noqa: SLF001
            yield platform


@pytest.fixture(scope="module")
def app(platform: Platform) -> APIFlask:
    plenty = limits.Rate(1e6, 1_000_000)
    app = create_app(parts(platform), platform.settings, rate_limits=limits.Limits(plenty, plenty))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app


@pytest.fixture(scope="module")
def all_endpoints(app: APIFlask) -> list[Endpoint]:
    return list(endpoints(app))


@pytest.fixture(scope="module")
def things(platform: Platform) -> Things:
    return objects.make(platform)


@pytest.fixture(scope="module")
def asker(app: APIFlask, platform: Platform, things: Things) -> Asker:
    return Asker(app, platform, things, objects.A, objects.B)


@pytest.fixture(scope="module")
def answers(asker: Asker, all_endpoints: list[Endpoint]) -> dict[str, dict[str, tuple[str, str]]]:
    """What every actor gets from every endpoint: the outcome and the text."""
    return {
        endpoint.name: {who: asker.ask(endpoint, who) for who in ACTORS}
        for endpoint in all_endpoints
        if endpoint.name not in PUBLIC
    }


@pytest.fixture(scope="module")
def outcomes(
    answers: dict[str, dict[str, tuple[str, str]]], all_endpoints: list[Endpoint]
) -> Table:
    table = {}
    for endpoint in all_endpoints:
        row = {"action": endpoint.action or "(none)"}
        row |= {who: outcome for who, (outcome, _) in answers.get(endpoint.name, {}).items()}
        table[endpoint.name] = row
    return table


def test_every_endpoint_declares_an_action_or_is_public(all_endpoints: list[Endpoint]) -> None:
    known = policy.table_of("control_plane").all_actions() | {auth.SIGNED_IN}
    open_to_all = {e.name for e in all_endpoints if e.action in {None, auth.PUBLIC}}
    assert open_to_all == PUBLIC
    assert {e.action for e in all_endpoints if e.name not in PUBLIC} <= known


def test_every_address_has_a_thing_to_ask_about(
    all_endpoints: list[Endpoint], things: Things
) -> None:
    """A new noun of an address goes into ``objects.make``."""
    nouns = {noun for e in all_endpoints if e.name not in PUBLIC for noun in e.nouns}
    assert nouns - set(things.ids) == set()


def test_every_action_is_asked_for_somewhere(all_endpoints: list[Endpoint]) -> None:
    used = {e.action for e in all_endpoints} | objects.ASKED_BY_SERVICES
    assert policy.table_of("control_plane").all_actions() - used == set()


def test_each_request_is_one_that_somebody_may_make(
    answers: dict[str, dict[str, tuple[str, str]]],
) -> None:
    """A refusal proves nothing when the request was wrong in the first place."""
    wrong = [
        f"{name}: {who[ADMIN]} {who[REQUESTER]}"
        for name, who in answers.items()
        if "yes" not in {who[ADMIN][0], who[REQUESTER][0]}
    ]
    assert not wrong, "\n".join(wrong)


def test_nobody_gets_nothing(outcomes: Table) -> None:
    let_in = {n for n, row in outcomes.items() if n not in PUBLIC and row[NOBODY] != "401"}
    assert let_in == set()


def test_who_holds_an_action_nowhere_is_forbidden(
    outcomes: Table, all_endpoints: list[Endpoint]
) -> None:
    table = policy.table_of("control_plane")
    wrong = []
    for endpoint in all_endpoints:
        if endpoint.action not in table.all_actions():
            continue
        holders = table.roles_of(endpoint.action)
        for role in ROLES:
            forbidden = outcomes[endpoint.name][role] == "403"
            if role not in holders and not forbidden:
                wrong.append((endpoint.name, role, outcomes[endpoint.name][role]))
    assert wrong == []


def test_a_neighbour_reaches_nothing_of_another_department(
    outcomes: Table, all_endpoints: list[Endpoint], asker: Asker
) -> None:
    wrong = [
        (endpoint.name, outcomes[endpoint.name][NEIGHBOUR])
        for endpoint in all_endpoints
        if endpoint.name not in PUBLIC
        and asker.leaks(asker.address(endpoint))
        and outcomes[endpoint.name][NEIGHBOUR] not in {"404", "403"}
    ]
    assert wrong == []


def test_no_answer_tells_a_neighbour_what_belongs_to_another_department(
    answers: dict[str, dict[str, tuple[str, str]]],
    asker: Asker,
    all_endpoints: list[Endpoint],
    things: Things,
) -> None:
    asked = {
        e.name: asker.address(e) + json.dumps(things.bodies.get(e.name))
        for e in all_endpoints
        if e.name in answers
    }
    told = {}
    for name, who in answers.items():
        # An answer may repeat what it was asked.
        leaks = set(asker.leaks(who[NEIGHBOUR][1])) - set(asker.leaks(asked[name]))
        if leaks:
            told[name] = leaks
    assert told == {}


def test_what_a_neighbour_may_not_know_of_answers_as_what_is_not_there(
    all_endpoints: list[Endpoint], asker: Asker, things: Things
) -> None:
    """Else the answers tell which ids there are; in addresses, queries and bodies alike."""
    instead = {one: _other(one) for one in (*things.owned, objects.A)}
    wrong = []
    for endpoint in all_endpoints:
        if endpoint.name in PUBLIC:
            continue
        asked = asker.address(endpoint) + json.dumps(
            [things.bodies.get(endpoint.name), things.queries.get(endpoint.name)]
        )
        if not (asker.leaks(asked) or objects.A in asked):
            continue
        foreign = asker.ask(endpoint, NEIGHBOUR)
        missing = asker.ask(endpoint, NEIGHBOUR, instead)
        there = [foreign[0], *_said(foreign[1], {}).splitlines()]
        gone = [missing[0], *_said(missing[1], instead).splitlines()]
        if there != gone:
            wrong += [endpoint.name, *difflib.unified_diff(there, gone, lineterm="", n=0)]
    assert not wrong, "\n".join(wrong)


def _other(known: str) -> str:
    """An id or path of the same form that nothing has."""
    kind, mark, rest = known.rpartition("_")
    if mark:
        return kind + mark + ("0" * len(rest))
    return re.sub(r"[a-z](?=[a-z-]*/$)", "q", known)


def _said(text: str, instead: Mapping[str, str]) -> str:
    """An answer without what differs each time, and with the ids that were asked for."""
    for old, new in instead.items():
        text = text.replace(new, old)
    main = re.search(r"<main.*</main>", text, re.DOTALL)
    text = main.group() if main else text
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "(the request)", text)


def test_a_neighbour_reports_no_usage_of_another_department(
    answers: dict[str, dict[str, tuple[str, str]]],
) -> None:
    """A batch is answered as a whole; each of its events has an outcome of its own."""
    found = {who: text for who, (_, text) in answers["POST /api/v1/usage-events"].items()}
    assert '"accepted"' in found[ADMIN]
    assert '"accepted"' not in found[NEIGHBOUR]


def test_department_a_sees_its_own(
    answers: dict[str, dict[str, tuple[str, str]]], asker: Asker
) -> None:
    """Else the test above would pass on empty lists."""
    shown = {name for name, who in answers.items() if asker.leaks(who[ADMIN][1])}
    assert len(shown) > len(objects.KINDS)


def test_no_request_fails_inside(outcomes: Table) -> None:
    assert {
        (name, who) for name, row in outcomes.items() for who, outcome in row.items()
        if outcome.startswith("5")
    } == set()  # fmt: skip


#: What people, scanners and old bookmarks send; percent-encoded where it is no text.
ODD = (
    "", "%00", "a%00b", "%ff%fe", "9" * 400, "-1", "1e999", "NaN", "%27%22--", "%3Cscript%3E",
    "%E4%B8%AD%E6%96%87%F0%9F%99%82", "../../etc/passwd", "WyJ4Il0", "W10", "bnVsbA", "!!!",
    "zh-TW", "null", "[]", "%7B%7D", "2026-13", "0000-00", "9999-12", "true", "x" * 3000,
    "%0d%0aSet-Cookie:a",
)  # fmt: skip
#: Parameters that pages read in loops over names.
FILTERS = (
    "cursor", "lang", "notice", "state", "kind", "offering", "region", "tenancy", "system",
    "blueprint", "category", "data_class", "maturity", "availability", "limit",
)  # fmt: skip
_READ = re.compile(r"request\.args\.get(?:list)?\(\s*[\"'](\w+)")
_FEW = 2


def _queries(app: APIFlask, endpoint: Endpoint, chance: random.Random) -> list[str]:
    """Odd values for what the page reads, each by itself and some together."""
    view = inspect.unwrap(app.view_functions[endpoint.rule.endpoint])
    read = sorted(set(_READ.findall(inspect.getsource(sys.modules[view.__module__]))))
    names = sorted({*chance.sample(read, min(_FEW, len(read))), *chance.sample(FILTERS, 2)})
    found = [f"{name}={chance.choice(ODD)}" for name in names]
    return [*found, "&".join(f"{name}={chance.choice(ODD)}" for name in names), "=&&%ff=%ff&a"]


def test_no_odd_request_for_a_page_fails_inside(
    app: APIFlask, all_endpoints: list[Endpoint], asker: Asker
) -> None:
    chance = random.Random(20261121)  # noqa: S311 - the same each time
    failed = []
    for endpoint in all_endpoints:
        if not endpoint.is_page or endpoint.method != "GET" or endpoint.name in _NO_PAGES:
            continue
        known = asker.address(endpoint) if endpoint.name not in PUBLIC else endpoint.rule.rule
        asked = [(known, query) for query in _queries(app, endpoint, chance)]
        if endpoint.nouns:
            odd = chance.sample([one for one in ODD if one and "/" not in one], _FEW)
            asked += [(re.sub(r"<[^>]*>", value, endpoint.rule.rule), "") for value in odd]
        for address, query in asked:
            status, text = asker.status(endpoint, address, query)
            if status >= 500 or (status == 200 and "Traceback" in text):
                failed.append(f"{status} {address[:100]}?{query[:200]}")
    assert not failed, "\n".join(failed)


def test_no_odd_form_fails_inside(
    all_endpoints: list[Endpoint], asker: Asker, things: Things
) -> None:
    chance = random.Random(20261121)  # noqa: S311 - the same each time
    failed = []
    for endpoint in all_endpoints:
        if not endpoint.is_page or endpoint.method == "GET":
            continue
        known = asker.address(endpoint) if endpoint.name not in PUBLIC else endpoint.rule.rule
        for form in _forms(things.bodies.get(endpoint.name) or {}, chance):
            status, _ = asker.status(endpoint, known, form=form)
            if status >= 500:
                failed.append(f"{status} {endpoint.name} {str(form)[:300]}")
    assert not failed, "\n".join(failed)


def _forms(right: Mapping[str, Any], chance: random.Random) -> list[Any]:
    """Forms with fields that are missing, odd, twice, or unknown; and no form at all."""
    forms: list[Any] = [{}, {**right, "unknown": "x"}, b"\x00\xff=%zz&&"]
    for name in chance.sample(sorted(right), min(_FEW, len(right))):
        odd = unquote(chance.choice(ODD), errors="replace")
        forms += [
            {key: value for key, value in right.items() if key != name},
            {**right, name: odd},
            {**right, name: [odd, "x"]},
        ]
    return forms


def test_the_outcome_is_the_golden_table(outcomes: Table, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--write-golden", default=False):
        write(outcomes)
    assert outcomes == yaml.safe_load(GOLDEN.read_text())


def write(outcomes: Table) -> None:
    """The golden table, one line for each endpoint."""
    head = "# Written by test_authorisation.py; see there. yes: let in; else the status.\n"
    lines = [
        f"{json_key(name)}: " + "{" + ", ".join(f"{k}: {quoted(v)}" for k, v in row.items()) + "}"
        for name, row in outcomes.items()
    ]
    GOLDEN.write_text(head + "\n".join(lines) + "\n")


def json_key(name: str) -> str:
    return f'"{name}"'


def quoted(value: str) -> str:
    return f'"{value}"'
