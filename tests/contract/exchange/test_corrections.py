"""Objections go to the agency that answered, which corrects or says why not, in time."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, opened, person
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.corrections.model import CorrectionState
from workloads.data_exchange.checks.model import Check, CheckState, Verdict
from workloads.data_exchange.checks.ports import Answer, Ask
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.usage.model import CHECKS

ONE, OTHER = "00000019700101000X", "000000198001010015"
CLERK, STEWARD = person("officer", CIVIL), person("steward", TAX)
ATTACK = "<script>alert(1)</script> {{ 7*7 }} '; DROP TABLE exchange_correction; --"

pytestmark = pytest.mark.usefixtures("agencies")


class Registry:
    """One registry of credit that may be corrected; remembers what it was asked."""

    def __init__(self) -> None:
        self.defaulters = {ONE}
        self.asked: list[Ask] = []

    def provider(self, _service: str) -> str:
        return TAX

    def ask(self, ask: Ask, *, patience: float) -> Answer:
        assert patience > 0
        self.asked.append(ask)
        records: list[Mapping[str, Any]] = [
            {"court_defaulter": one in self.defaulters, "penalties": [], "tax_arrears": 0}
            for one in ask.body["persons"]
        ]
        return Answer({"records": records}, f"rcp_{len(self.asked)}")


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def exchange(
    postgres: EmbeddedPostgres, tmp_path: Path, clock: SettableClock, registry: Registry
) -> Iterator[Exchange]:
    with opened(postgres, tmp_path, clock, registry) as made:
        made.checks.ship()
        yield made


@pytest.fixture
def client(exchange: Exchange) -> FlaskClient:
    return create_app(parts(exchange), exchange.settings).test_client()


def begun(exchange: Exchange, number: str = ONE) -> tuple[Check, str]:
    """A check that is done, and the code of its person."""
    made = exchange.checks.begin(
        SYSTEM, agency=CIVIL, scenario="public-credit", persons=[number], inputs={}
    )
    exchange.verifying.consents.decide(made.tokens[0], agree=True, language="zh")
    exchange.checks.work()
    return exchange.checks.check(SYSTEM, made.check.id), made.tokens[0]


def test_corrected_upstream_and_asked_again(
    exchange: Exchange, registry: Registry, clock: SettableClock
) -> None:
    check, code = begun(exchange)
    assert (check.verdict, check.reasons) == (Verdict.NO, ("defaulter",))
    corrections = exchange.verifying.corrections
    made = corrections.ask_by_code(code, "records", "I was acquitted.")
    assert (made.state, made.provider, made.receipt) == (CorrectionState.OPEN, TAX, "rcp_1")
    with pytest.raises(Conflict):
        corrections.ask(CLERK, check.id, "records", 0, "again")
    told = corrections.correction(STEWARD, made.id)
    assert (told.number, told.text) == (ONE, "I was acquitted.")
    clock.advance(days=40)  # the check's own limit is long past
    registry.defaulters.clear()
    corrections.decide(STEWARD, made.id, corrected=True, text="The list was wrong.")
    again = exchange.checks.check(SYSTEM, check.id)
    assert (again.state, again.verdict) == (CheckState.ASKING, Verdict.NOT_YET)
    exchange.checks.work()
    again = exchange.checks.check(SYSTEM, check.id)
    assert (again.verdict, again.reasons) == (Verdict.YES, ())
    assert again.questions[0].receipt == "rcp_2"
    # A provider may know a question again, and this one is another; it is paid for once.
    assert [one.key for one in registry.asked] == [
        f"{check.id}:records", f"{check.id}:records:2"
    ]  # fmt: skip
    clock.advance(hours=2)
    lines = exchange.usage.lines(SYSTEM, None, None, PageRequest()).items
    assert [(one.meter, int(one.quantity)) for one in lines] == [(CHECKS, 1)]
    (seen,) = corrections.of_code(code)
    assert seen.answer == "The list was wrong."
    with pytest.raises(Conflict):
        corrections.decide(STEWARD, made.id, corrected=False, text="or not")
    entries = exchange.ledger.open(exchange.ledger.code(SYSTEM, ONE)).entries
    assert len(entries) == 2


def test_refused_with_a_reason_and_asked_for_anew(exchange: Exchange, registry: Registry) -> None:
    assert not registry.asked
    check, code = begun(exchange)
    corrections = exchange.verifying.corrections
    made = corrections.ask(CLERK, check.id, "records", 0, "wrong person")
    corrections.decide(STEWARD, made.id, corrected=False, text="It is the right one.")
    assert exchange.checks.check(SYSTEM, check.id).verdict is Verdict.NO
    assert corrections.of_code(code)[0].correction.state is CorrectionState.REFUSED
    assert corrections.ask_by_code(code, "records", "but").state is CorrectionState.OPEN


def test_who_may_do_what(exchange: Exchange, registry: Registry) -> None:
    assert not registry.asked
    check, code = begun(exchange)
    corrections = exchange.verifying.corrections
    made = corrections.ask_by_code(code, "records", "wrong")
    for stranger in (person("officer", HOUSING), person("steward", HOUSING), person("auditor")):
        with pytest.raises(NotFound):
            corrections.correction(stranger, made.id)
        with pytest.raises(NotFound):
            corrections.decide(stranger, made.id, corrected=True, text="x")
        assert not corrections.corrections(stranger, PageRequest()).items
    with pytest.raises(NotFound):
        corrections.ask(person("officer", HOUSING), check.id, "records", 0, "x")
    with pytest.raises(Forbidden):  # the one who asked does not decide
        corrections.decide(person("steward", CIVIL), made.id, corrected=True, text="x")
    assert [one.id for one in corrections.corrections(CLERK, PageRequest()).items] == [made.id]
    assert corrections.decides(STEWARD, made)
    assert not corrections.decides(CLERK, made)


def test_bad_input(exchange: Exchange, registry: Registry) -> None:
    assert not registry.asked
    check, code = begun(exchange)
    corrections = exchange.verifying.corrections
    with pytest.raises(Invalid) as caught:
        corrections.ask(CLERK, check.id, "none", 3, " ")
    assert {one.field for one in caught.value.problems} == {"question", "person", "text"}
    with pytest.raises(NotFound):
        corrections.ask_by_code("guessed", "records", "x")
    made = exchange.checks.begin(
        SYSTEM, agency=CIVIL, scenario="public-credit", persons=[ONE], inputs={}
    )
    with pytest.raises(Conflict):
        corrections.ask_by_code(made.tokens[0], "records", "not answered yet")
    made_ = corrections.ask_by_code(code, "records", "x" * 2000)
    with pytest.raises(Invalid):
        corrections.decide(STEWARD, made_.id, corrected=True, text="x" * 2001)


def test_the_clock_runs_in_working_days_and_tells_once(
    exchange: Exchange, registry: Registry, clock: SettableClock
) -> None:
    assert not registry.asked
    _, code = begun(exchange)
    corrections, calendar = exchange.verifying.corrections, exchange.agreeing.calendar
    made = corrections.ask_by_code(code, "records", "wrong")
    assert made.due_at - made.created_at > timedelta(days=11)  # ten working days
    now, version = calendar.versioned()
    rest = made.created_at.date() + timedelta(days=1)
    while not now.works(rest):
        rest += timedelta(days=1)
    calendar.replace(SYSTEM, replace(now, holidays=now.holidays | {rest}).as_json(), version)
    moved = corrections.correction(STEWARD, made.id).correction
    assert moved.due_at > made.due_at
    clock.set(moved.due_at)
    corrections.escalate()
    corrections.escalate()
    with exchange.base.database.transaction():
        query = sa.text(
            "SELECT payload FROM kernel_outbox WHERE topic = 'exchange.correction.overdue'"
        )
        (row,) = exchange.base.database.execute(query).all()
    assert row.payload["correction"] == made.id
    assert ONE not in str(row.payload)


def test_nothing_of_what_was_written_lies_open(
    exchange: Exchange, registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    assert not registry.asked
    _, code = begun(exchange)
    corrections = exchange.verifying.corrections
    made = corrections.ask_by_code(code, "records", "My brother is the defaulter.")
    corrections.decide(STEWARD, made.id, corrected=False, text="It is not your brother.")
    with exchange.base.database.transaction():
        text = ""
        for table in (
            "exchange_correction", "access_audit", "exchange_check_consent", "kernel_outbox",
            "exchange_check", "exchange_check_question",
        ):  # fmt: skip
            text += str(exchange.base.database.execute(sa.text(f"SELECT * FROM {table}")).all())  # noqa: S608
    for secret in ("brother", ONE, code):
        assert secret not in text + caplog.text


def test_a_citizen_objects_out_of_the_ledger_and_about_nobody_else(
    exchange: Exchange, registry: Registry
) -> None:
    mine, _ = begun(exchange, ONE)
    theirs, _ = begun(exchange, OTHER)
    assert len(registry.asked) == 2
    citizens, ledger = exchange.verifying.citizens, exchange.ledger
    opened = ledger.open(ledger.code(SYSTEM, ONE))
    (entry,) = opened.entries
    made = citizens.object(opened.key, entry.key, "wrong")
    assert (made.check, made.person) == (mine.id, 0)
    for guess in (f"{theirs.id}:records", f"{mine.id}:other", f"{mine.id}:records:2", "", ":"):
        with pytest.raises(NotFound):
            citizens.object(opened.key, guess, "theirs")
    (told,) = citizens.corrections(opened.key)
    assert told.correction.id == made.id
    other = ledger.open(ledger.code(SYSTEM, OTHER))
    assert not citizens.corrections(other.key)
    ledger.close(opened.key)
    for use in (citizens.corrections, ledger.entries, ledger.open):
        with pytest.raises(NotFound):
            use(opened.key)


def test_a_key_ends_and_is_no_code(
    exchange: Exchange, registry: Registry, clock: SettableClock
) -> None:
    assert not registry.asked
    ledger = exchange.ledger
    code = ledger.code(SYSTEM, ONE)
    with pytest.raises(NotFound):
        ledger.entries(code)  # a code is no key
    opened = ledger.open(code)
    with pytest.raises(NotFound):
        ledger.open(opened.key)  # and a key is no code
    clock.advance(minutes=15)
    with pytest.raises(NotFound):
        ledger.entries(opened.key)


def test_words_that_were_consented_to_are_kept(exchange: Exchange, registry: Registry) -> None:
    assert not registry.asked
    check, _ = begun(exchange)
    exchange.checks.revise(SYSTEM, {**exchange.checks.scenario_of(check).data, "basis": "another"})
    (given,) = exchange.verifying.consents.given(CLERK, check.id)
    words = given.statement
    assert (words["version"], words["language"]) == (1, "zh")
    assert words["text"].startswith("本人同意")
    assert words["basis"] == "社会信用条例"
    (asked,) = words["questions"]
    assert (asked["provider"], asked["provider_name"]) == (TAX, "税务局")
    with pytest.raises(NotFound):
        exchange.verifying.consents.given(person("officer", HOUSING), check.id)


def test_codes_are_renewed_and_end(
    exchange: Exchange, registry: Registry, clock: SettableClock
) -> None:
    consents = exchange.verifying.consents
    made = exchange.checks.begin(
        SYSTEM, agency=CIVIL, scenario="public-credit", persons=[ONE], inputs={}
    )
    with pytest.raises(NotFound):
        consents.renew(person("officer", HOUSING), made.check.id, 0)
    with pytest.raises(NotFound):
        consents.renew(CLERK, made.check.id, 1)
    code = consents.renew(CLERK, made.check.id, 0)
    with pytest.raises(NotFound):
        consents.decide(made.tokens[0], agree=True)
    clock.advance(hours=24)
    with pytest.raises(Conflict):
        consents.decide(code, agree=True)
    exchange.checks.work()
    stopped = exchange.checks.check(SYSTEM, made.check.id)
    assert (stopped.state, stopped.reasons) == (CheckState.STOPPED, ("no_consent",))
    assert not registry.asked


def test_pages_of_a_citizen_tell_nothing_to_others(
    exchange: Exchange, registry: Registry, client: FlaskClient
) -> None:
    assert not registry.asked
    made = exchange.checks.begin(
        SYSTEM, agency=CIVIL, scenario="public-credit", persons=[ONE], inputs={}
    )
    (code,) = made.tokens
    guessed = client.post("/consent", data={"code": "x" * 43})
    assert guessed.status_code == 404
    assert client.post("/consent", data={"code": "\x00" * 9}).status_code in {404, 422}
    shown = client.post("/consent", data={"code": code})
    assert "Tax" in shown.text
    assert ONE not in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    assert client.post("/consent/decision", data={"code": code}).status_code == 422
    foreign = client.post(
        "/consent/decision", data={"code": code, "agree": "yes"},
        headers={"Origin": "https://evil.example"},
    )  # fmt: skip
    assert foreign.status_code == 403
    assert "given" in client.post("/consent/decision", data={"code": code, "agree": "yes"}).text
    exchange.checks.work()
    # Played again after all is said, it changes nothing.
    again = client.post("/consent/decision", data={"code": code, "agree": "no"})
    assert again.status_code == 409
    objected = client.post(
        "/consent/correction", data={"code": code, "question": "records", "text": ATTACK}
    )
    assert objected.status_code == 200
    assert "<script>alert" not in objected.text
    assert "&lt;script&gt;alert" in objected.text
    assert "{{ 7*7 }}" in objected.text
    short = client.post("/consent/correction", data={"code": code, "question": "no", "text": ""})
    assert short.status_code == 422
    assert client.get(f"/checks/{made.check.id}").status_code in {302, 303, 401}
    for path in ("/ledger/export", "/ledger/corrections", "/ledger/close"):
        assert client.post(path, data={"key": code}).status_code in {200, 404}
        assert ONE not in client.post(path, data={"key": code}).text


def test_the_ledger_as_a_file(exchange: Exchange, registry: Registry, client: FlaskClient) -> None:
    begun(exchange)
    assert registry.asked
    code = exchange.ledger.code(SYSTEM, ONE)
    page = client.post("/ledger", data={"code": code})
    assert "/city/civil-affairs/" in page.text
    assert client.post("/ledger", data={"code": code}).status_code == 404
    key = page.text.split('name="key" value="')[1].split('"')[0]
    saved = client.post("/ledger/export", data={"key": key})
    assert saved.json is not None
    assert [one["service"] for one in saved.json["entries"]] == ["credit/records"]
    assert "attachment" in saved.headers["Content-Disposition"]
    wrong = client.post("/ledger/corrections", data={"key": key, "entry": "x:y", "text": "z"})
    assert wrong.status_code == 404
