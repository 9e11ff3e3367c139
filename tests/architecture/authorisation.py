"""The checks of every product's endpoints × (no one, another department, each role).

A product's test module gives the fixtures ``app``, ``things``, ``asker``, ``cast`` and ``golden``
and a class below ``Authorisation``. A golden table is written anew with ``python -m pytest
tests/architecture/test_authorisation.py --write-golden`` (or the module of the other product);
read its difference before you commit it.
"""

import difflib
import inspect
import json
import random
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from apiflask import APIFlask

from foundation.surface import auth
from tests.architecture.harness import NEIGHBOUR, NOBODY, Asker, Cast, Endpoint, Things

#: Of no feature: files, figures and health.
_NO_PAGES = {
    "GET /healthz", "GET /metrics", "GET /readyz", "GET /static/<path:filename>", "GET /theme.css",
    "GET /video/<filename>",
}  # fmt: skip
#: For each endpoint its action, and what each actor gets.
Table = dict[str, dict[str, str]]


class Authorisation:
    """All checks; what differs between products comes with the fixtures."""

    def test_every_endpoint_declares_an_action_or_is_public(
        self, all_endpoints: list[Endpoint], cast: Cast
    ) -> None:
        known = cast.table.all_actions() | {auth.SIGNED_IN}
        open_to_all = {e.name for e in all_endpoints if e.action in {None, auth.PUBLIC}}
        assert open_to_all == cast.public
        assert {e.action for e in all_endpoints if e.name not in cast.public} <= known

    def test_every_address_has_a_thing_to_ask_about(
        self, all_endpoints: list[Endpoint], things: Things, cast: Cast
    ) -> None:
        """A new noun of an address goes into ``objects.make``."""
        nouns = {noun for e in all_endpoints if e.name not in cast.public for noun in e.nouns}
        assert nouns - set(things.ids) == set()

    def test_every_action_is_asked_for_somewhere(
        self, all_endpoints: list[Endpoint], cast: Cast
    ) -> None:
        used = {e.action for e in all_endpoints} | cast.asked_by_services
        assert cast.table.all_actions() - used == set()

    def test_each_request_is_one_that_somebody_may_make(
        self, answers: dict[str, dict[str, tuple[str, str]]], cast: Cast
    ) -> None:
        """A refusal proves nothing when the request was wrong in the first place."""
        wrong = [
            f"{name}: {who[cast.administrator]} {[who[other][0] for other in cast.tokens]}"
            for name, who in answers.items()
            if "yes" not in {who[one][0] for one in (cast.administrator, *cast.tokens)}
        ]
        assert not wrong, "\n".join(wrong)

    def test_nobody_gets_nothing(self, outcomes: Table, cast: Cast) -> None:
        let_in = {n for n, row in outcomes.items() if n not in cast.public and row[NOBODY] != "401"}
        assert let_in == set()

    def test_who_holds_an_action_nowhere_is_forbidden(
        self, outcomes: Table, all_endpoints: list[Endpoint], cast: Cast
    ) -> None:
        table = cast.table
        wrong = []
        for endpoint in all_endpoints:
            if endpoint.action not in table.all_actions():
                continue
            holders = table.roles_of(endpoint.action)
            for role in cast.roles:
                forbidden = outcomes[endpoint.name][role] == "403"
                if role not in holders and not forbidden:
                    wrong.append((endpoint.name, role, outcomes[endpoint.name][role]))
        assert wrong == []

    def test_a_neighbour_reaches_nothing_of_another_department(
        self, outcomes: Table, all_endpoints: list[Endpoint], asker: Asker, cast: Cast
    ) -> None:
        wrong = [
            (endpoint.name, outcomes[endpoint.name][NEIGHBOUR])
            for endpoint in all_endpoints
            if endpoint.name not in cast.public
            and asker.leaks(asker.address(endpoint))
            and outcomes[endpoint.name][NEIGHBOUR] not in {"404", "403"}
        ]
        assert wrong == []

    def test_no_answer_tells_a_neighbour_what_belongs_to_another_department(
        self,
        answers: dict[str, dict[str, tuple[str, str]]],
        asker: Asker,
        all_endpoints: list[Endpoint],
        things: Things,
    ) -> None:
        asked = {
            e.name: asker.address(e)
            + json.dumps([things.bodies.get(e.name), things.queries.get(e.name)])
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
        self, all_endpoints: list[Endpoint], asker: Asker, things: Things, cast: Cast
    ) -> None:
        """Else the answers tell which ids there are; in addresses, queries and bodies alike."""
        instead = {one: _other(one) for one in (*things.owned, cast.a)}
        wrong = []
        for endpoint in all_endpoints:
            if endpoint.name in cast.public:
                continue
            asked = asker.address(endpoint) + json.dumps(
                [things.bodies.get(endpoint.name), things.queries.get(endpoint.name)]
            )
            if not (asker.leaks(asked) or cast.a in asked):
                continue
            foreign = asker.ask(endpoint, NEIGHBOUR)
            missing = asker.ask(endpoint, NEIGHBOUR, instead)
            there = [foreign[0], *_said(foreign[1], {}).splitlines()]
            gone = [missing[0], *_said(missing[1], instead).splitlines()]
            if there != gone:
                wrong += [endpoint.name, *difflib.unified_diff(there, gone, lineterm="", n=0)]
        assert not wrong, "\n".join(wrong)

    def test_department_a_sees_its_own(
        self,
        answers: dict[str, dict[str, tuple[str, str]]],
        asker: Asker,
        cast: Cast,
        things: Things,
    ) -> None:
        """Else the test above would pass on empty lists."""
        shown = {name for name, who in answers.items() if asker.leaks(who[cast.administrator][1])}
        assert len(shown) > len(things.owned)

    def test_no_request_fails_inside(self, outcomes: Table) -> None:
        assert {
            (name, who) for name, row in outcomes.items() for who, outcome in row.items()
            if outcome.startswith("5")
        } == set()  # fmt: skip

    def test_no_odd_request_for_a_page_fails_inside(
        self, app: APIFlask, all_endpoints: list[Endpoint], asker: Asker, cast: Cast
    ) -> None:
        chance = random.Random(20261121)  # noqa: S311 - the same each time
        failed = []
        for endpoint in all_endpoints:
            if not endpoint.is_page or endpoint.method != "GET" or endpoint.name in _NO_PAGES:
                continue
            known = (
                asker.address(endpoint) if endpoint.name not in cast.public else endpoint.rule.rule
            )
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
        self, all_endpoints: list[Endpoint], asker: Asker, things: Things, cast: Cast
    ) -> None:
        chance = random.Random(20261121)  # noqa: S311 - the same each time
        failed = []
        for endpoint in all_endpoints:
            if not endpoint.is_page or endpoint.method == "GET":
                continue
            known = (
                asker.address(endpoint) if endpoint.name not in cast.public else endpoint.rule.rule
            )
            for form in _forms(things.bodies.get(endpoint.name) or {}, chance):
                status, _ = asker.status(endpoint, known, form=form)
                if status >= 500:
                    failed.append(f"{status} {endpoint.name} {str(form)[:300]}")
        assert not failed, "\n".join(failed)

    def test_the_outcome_is_the_golden_table(
        self, outcomes: Table, pytestconfig: pytest.Config, golden: Path
    ) -> None:
        if pytestconfig.getoption("--write-golden", default=False):
            write(outcomes, golden)
        assert outcomes == yaml.safe_load(golden.read_text())


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


def write(outcomes: Table, golden: Path) -> None:
    """The golden table, one line for each endpoint."""
    head = (
        "# Written by the test of its product, see authorisation.py. yes: let in, or the status.\n"
    )
    lines = [
        f"{json_key(name)}: " + "{" + ", ".join(f"{k}: {quoted(v)}" for k, v in row.items()) + "}"
        for name, row in outcomes.items()
    ]
    golden.write_text(head + "\n".join(lines) + "\n")


def json_key(name: str) -> str:
    return f'"{name}"'


def quoted(value: str) -> str:
    return f'"{value}"'
