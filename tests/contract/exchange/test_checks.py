"""Checks over the registries of a synthetic city: they find what was planted, and nothing else."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.asker import FakeAsker
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, person
from workloads.data_exchange.agencies.store import PostgresAgencies
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    ConsentState,
    QuestionState,
    Verdict,
    read,
    shipped,
)
from workloads.data_exchange.checks.service import Checks, receipts_of, seen
from workloads.data_exchange.checks.store import PostgresChecks
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit, Household, Rental, Trade
from workloads.data_exchange.population.serve import Registries, registries
from workloads.data_exchange.usage.model import CHECKS

CITY = City(11, 600)


@pytest.fixture
def served() -> Iterator[Registries]:
    with registries(CITY) as server:
        yield server


class Desk(Checks):
    """Checks with consent beside them."""

    consents: Consents

    def decide(self, token: str, *, agree: bool) -> ConsentState:
        return self.consents.decide(token, agree=agree)


@pytest.fixture
def checks(
    exchange: Exchange, served: Registries, clock: SettableClock, agencies: dict[str, Any]
) -> Desk:
    assert agencies
    made = checks_of(exchange, served.url, clock)
    made.ship()
    return made


def checks_of(exchange: Exchange, url: str, clock: Any) -> Desk:
    base, asker = exchange.base, FakeAsker(url, TAX)
    kept, places = PostgresChecks(base.database), PostgresAgencies(base.database)
    made = Desk(
        kept, base.database, clock, base.audit, places, base.secrets, asker, exchange.usage,
        ledger=exchange.ledger, providers=asker,
    )  # fmt: skip
    made.consents = Consents(kept, base.database, clock, base.audit, places)
    return made


def begun(checks: Desk, scenario: str, persons: list[str], **inputs: object) -> str:
    """A check to which everybody has agreed; its id."""
    made = checks.begin(
        person("officer", CIVIL), agency=CIVIL, scenario=scenario, persons=persons, inputs=inputs
    )
    for token in made.tokens:
        checks.decide(token, agree=True)
    return made.check.id


def done(checks: Desk, scenario: str, persons: list[str], **inputs: object) -> Check:
    check_id = begun(checks, scenario, persons, **inputs)
    checks.work()
    return checks.check(SYSTEM, check_id)


def numbers(household: Household) -> list[str]:
    return [one.number for one in household.people]


def rental(checks: Desk, case: Rental) -> str:
    household = next(one for one in CITY.households() if one.people[0].rental is case)
    head = household.people[0]
    assert head.lease
    return begun(
        checks, "rental-withdrawal", numbers(household), contract=head.lease.number,
        amount=head.wants,
    )  # fmt: skip


def test_who_is_of_low_income_and_why_not(checks: Desk) -> None:
    for household in list(CITY.households())[:25]:
        check = done(checks, "low-income", numbers(household))
        assert check.state is CheckState.DONE
        assert set(check.reasons) == {why.value for why in household.unqualified}
        assert check.verdict is (Verdict.NO if household.unqualified else Verdict.YES)
        assert len(receipts_of(check)) == len(check.questions)


def test_a_member_who_is_kept_quiet_is_found(checks: Desk) -> None:
    household = next(one for one in CITY.households() if len(one.people) == 3)
    check = done(checks, "low-income", numbers(household)[:2])
    assert check.verdict is Verdict.NO
    assert "household" in check.reasons


def test_withdrawals_for_rent(checks: Desk) -> None:
    found = set()
    for household in CITY.households():
        head = household.people[0]
        if head.rental is None or head.rental in found:
            continue
        check_id = rental(checks, head.rental)
        checks.work()
        check = checks.check(SYSTEM, check_id)
        sound = head.rental is Rental.SOUND
        assert check.verdict is (Verdict.YES if sound else Verdict.NO)
        assert check.reasons == (() if sound else (head.rental.value,))
        found.add(head.rental)
    assert found == set(Rental)


def test_businesses_that_the_tax_office_does_not_have(checks: Desk) -> None:
    found = set()
    for one in CITY.people():
        if one.business is None or one.business.case in found:
            continue
        found.add(one.business.case)
        check = done(checks, "business-tax", [one.number], code=one.business.code)
        hidden = one.business.case is Trade.UNREGISTERED
        assert check.reasons == (("unregistered",) if hidden else ())
        assert check.verdict is (Verdict.NO if hidden else Verdict.YES)
    assert found == set(Trade)


def test_public_credit(checks: Desk) -> None:
    found = set()
    for one in CITY.people():
        if one.credit in found:
            continue
        found.add(one.credit)
        check = done(checks, "public-credit", [one.number])
        fine = one.credit in {Credit.CLEAR, Credit.REPAIRED}
        assert check.reasons == (() if fine else (one.credit.value,))
    assert found == set(Credit)


def test_down_for_ten_minutes(checks: Desk, served: Registries, clock: SettableClock) -> None:
    served.manners["fund"].down = True
    check_id = rental(checks, Rental.TWICE)
    for _ in range(20):
        checks.work()
        assert seen(checks.check(SYSTEM, check_id)) is Verdict.NOT_YET
        clock.advance(seconds=30)
    served.manners["fund"].down = False
    checks.work()
    check = checks.check(SYSTEM, check_id)
    assert (check.verdict, check.reasons) == (Verdict.NO, ("twice",))
    # Who had answered was asked once; the verdict is metered once.
    assert [served.manners[one].answered for one in ("civil", "housing", "fund")] == [1, 2, 1]
    assert served.manners["civil"].asked == 1


def test_past_the_limit_it_cannot_tell(
    checks: Desk, served: Registries, clock: SettableClock, exchange: Exchange
) -> None:
    served.manners["fund"].down = True
    unsure, sure = rental(checks, Rental.SOUND), rental(checks, Rental.ENDED)
    checks.work()
    clock.advance(hours=25)
    checks.work()
    checks.work()
    check = checks.check(SYSTEM, unsure)
    assert (check.verdict, check.reasons) == (Verdict.CANNOT_TELL, ("twice",))
    assert checks.check(SYSTEM, sure).verdict is Verdict.NO
    clock.advance(hours=1)
    lines = exchange.usage.lines(SYSTEM, None, None, PageRequest()).items
    assert [(one.meter, one.quantity) for one in lines] == [(CHECKS, Decimal(2))]


def test_nobody_is_asked_without_consent(checks: Desk, served: Registries) -> None:
    household = next(one for one in CITY.households() if len(one.people) == 2)
    made = checks.begin(
        SYSTEM, agency=CIVIL, scenario="low-income", persons=numbers(household), inputs={}
    )
    checks.decide(made.tokens[0], agree=True)
    assert checks.work() == 0
    checks.decide(made.tokens[1], agree=False)
    assert checks.work() == 0
    assert checks.check(SYSTEM, made.check.id).state is CheckState.STOPPED
    assert not any(one.asked for one in served.manners.values())
    with pytest.raises(Conflict):
        checks.decide(made.tokens[1], agree=True)
    with pytest.raises(NotFound):
        checks.decide("guessed", agree=True)


def test_withdrawn_while_it_is_asked(checks: Desk, served: Registries) -> None:
    one = next(CITY.people())
    made = checks.begin(
        SYSTEM, agency=CIVIL, scenario="public-credit", persons=[one.number], inputs={}
    )
    checks.decide(made.tokens[0], agree=True)
    served.manners["credit"].delay = 0.4
    thread = threading.Thread(target=checks.work)
    thread.start()
    while not served.manners["credit"].asked:
        pass
    checks.decide(made.tokens[0], agree=False)
    thread.join()
    check = checks.check(SYSTEM, made.check.id)
    assert (check.state, check.reasons) == (CheckState.STOPPED, ("withdrawn",))
    # The answer came and was dropped.
    assert check.questions[0].state is QuestionState.WAITING
    assert not check.questions[0].findings


def test_a_worker_that_dies_loses_and_doubles_nothing(
    checks: Desk, served: Registries, clock: SettableClock
) -> None:
    check_id = rental(checks, Rental.SOUND)
    taken = checks._take()  # noqa: SLF001 - as far as a worker came that was killed
    assert len(taken) == 4
    assert checks.work() == 0  # they are its own until its lease is over
    clock.advance(seconds=121)
    assert checks.work() == 4
    for one in taken:
        checks._ask(one)  # noqa: SLF001 - it was only slow: what it found counts no more
    check = checks.check(SYSTEM, check_id)
    assert check.verdict is Verdict.YES
    assert served.manners["fund"].answered == 1


def test_no_answer_is_kept(checks: Desk, exchange: Exchange, served: Registries) -> None:
    assert not served.manners["tax"].asked
    household = next(one for one in CITY.households() if len(one.people) == 4)
    head = household.people[0]
    done(checks, "low-income", numbers(household))
    with exchange.base.database.transaction():
        text = ""
        for table in ("check", "check_question", "check_consent"):
            rows = exchange.base.database.execute(sa.text(f"SELECT * FROM exchange_{table}"))  # noqa: S608
            text += str(rows.all())
    assert head.number not in text
    assert head.name not in text
    for amount in (head.income, head.deposits):
        # As a number of its own: ids and digests hold any four digits now and then.
        assert amount < 100 or not re.search(rf"(?<![0-9a-z]){amount}(?![0-9a-z])", text)


def test_bad_input(checks: Desk) -> None:
    with pytest.raises(Invalid) as caught:
        begun(checks, "rental-withdrawal", ["1", "1"], contract="x", amount=True, more=1)
    assert {one.field for one in caught.value.problems} == {
        "persons", "persons.0", "persons.1", "inputs.contract", "inputs.amount", "inputs.more",
    }  # fmt: skip
    with pytest.raises(NotFound):
        begun(checks, "none", [])
    with pytest.raises(NotFound):
        checks.check(person("officer", HOUSING), begun(checks, "public-credit", ["1" * 18]))


def test_a_scenario_is_revised(checks: Desk) -> None:
    data = dict(shipped()[0])
    assert checks.revise(SYSTEM, data).version == 2
    wrong = {**data, "rules": [{"id": "a", "when": {"exec": 1}, "text": data["title"]}], "name": 1}
    with pytest.raises(Invalid) as caught:
        checks.revise(SYSTEM, wrong)
    assert {one.field for one in caught.value.problems} == {"name", "rules.0.when"}


def test_what_nobody_knows_cannot_be_told(checks: Desk) -> None:
    check = done(checks, "public-credit", ["110105194912310020"])
    assert check.verdict is Verdict.CANNOT_TELL
    assert set(check.reasons) == {"defaulter", "penalty", "arrears"}


def test_the_versions_that_come_with_the_product_are_sound() -> None:
    names = [read(data, 1).name for data in shipped()]
    assert names == [
        "business-tax", "low-income", "plate-lottery", "public-credit", "rental-withdrawal",
    ]  # fmt: skip
    assert replace(read(shipped()[0], 1), version=2).version == 2
