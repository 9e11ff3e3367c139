"""Applicants of a lottery are judged by a check whose rules its signed rules name."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.errors import Conflict, Invalid
from tests.conftest import SettableClock
from tests.fakes.asker import FakeAsker
from tests.harness.exchange import CIVIL, SYSTEM, TAX, furnish, opened
from tests.harness.exchange_lottery import Table
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.lottery.model import Application, Lottery, Standing
from workloads.data_exchange.lottery.verify import verify
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit, Person
from workloads.data_exchange.population.serve import Registries, registries
from workloads.data_exchange.proofs import jws

CITY = City(5, 240)
PEOPLE = list(CITY.people())


def suits(one: Person) -> bool:
    """The planted truth."""
    has_car = any(vehicle.kind == "car" for vehicle in one.vehicles)
    return not has_car and one.credit is not Credit.DEFAULTER


@pytest.fixture(scope="module")
def served() -> Iterator[Registries]:
    with registries(CITY) as server:
        yield server


@pytest.fixture
def exchange(
    postgres: EmbeddedPostgres, tmp_path: Path, clock: SettableClock, served: Registries
) -> Iterator[Exchange]:
    with opened(postgres, tmp_path, clock, FakeAsker(served.url, TAX)) as made:
        made.checks.ship()
        yield made


@pytest.fixture
def agencies(exchange: Exchange) -> dict[str, Agency]:
    return furnish(exchange)


@pytest.fixture
def table(exchange: Exchange, clock: SettableClock, agencies: dict[str, Agency]) -> Table:
    made = Table(exchange, clock)
    made.register(agencies)
    return made


def checked(table: Table) -> Lottery:
    lotteries = table.exchange.lotteries
    made = lotteries.create(SYSTEM, table.rules(check="plate-lottery"))
    return lotteries.open(SYSTEM, made.id)


def applied(exchange: Exchange, lottery: Lottery, person: str) -> Application:
    made, _ = exchange.lotteries.apply(
        SYSTEM, lottery.id, person=person, pool="ordinary", chances=1
    )
    return made


def standing(exchange: Exchange, lottery: Lottery) -> dict[Standing, int]:
    return dict(exchange.lotteries.count(SYSTEM, lottery.id))


def test_all_are_judged_as_they_were_planted(exchange: Exchange, table: Table) -> None:
    lottery, truth = checked(table), {}
    assert lottery.rules["check"]["version"] == 1
    signed = json.loads(jws.parse(lottery.opening).payload)
    assert signed["rules"] == lottery.digest
    fine, others = (list(filter(one, PEOPLE))[:6] for one in (suits, lambda one: not suits(one)))
    for one in (*fine, *others):
        made = applied(exchange, lottery, one.number)
        assert made.standing is Standing.PENDING
        exchange.verifying.consents.decide(made.consent, agree=True)
        truth[made.pseudonym] = suits(one)
    assert sorted(truth.values()) == [False] * 6 + [True] * 6
    while exchange.checks.work():
        pass
    table.commit(lottery)
    bundle = exchange.draws.bundle(table.reveal(table.frozen(lottery)).lottery.id)
    assert {one.pseudonym for one in verify(bundle).entries} == {
        pseudonym for pseudonym, fine in truth.items() if fine
    }


def test_without_consent_an_officer_judges(exchange: Exchange, table: Table) -> None:
    lottery, one = checked(table), next(filter(suits, PEOPLE))
    made = applied(exchange, lottery, one.number)
    # The answer was lost: the same again gives another code, and the first counts no more.
    again = applied(exchange, lottery, one.number)
    assert (again.pseudonym, again.check) == (made.pseudonym, made.check)
    assert again.consent
    assert again.consent != made.consent
    exchange.verifying.consents.decide(again.consent, agree=False)
    exchange.checks.work()
    assert standing(exchange, lottery)[Standing.PENDING] == 1
    assert applied(exchange, lottery, one.number).consent == ""
    exchange.lotteries.judge(
        SYSTEM, lottery.id, made.pseudonym, qualified=True, reason="papers were shown"
    )
    assert standing(exchange, lottery)[Standing.QUALIFIED] == 1


def test_what_an_officer_judged_stays(exchange: Exchange, table: Table) -> None:
    lottery, one = checked(table), next(filter(suits, PEOPLE))
    made = applied(exchange, lottery, one.number)
    exchange.lotteries.judge(
        SYSTEM, lottery.id, made.pseudonym, qualified=False, reason="applied twice elsewhere"
    )
    exchange.verifying.consents.decide(made.consent, agree=True)
    exchange.checks.work()
    assert standing(exchange, lottery)[Standing.REFUSED] == 1


def test_a_list_is_not_frozen_while_somebody_is_asked_about(
    exchange: Exchange, table: Table
) -> None:
    lottery, one = checked(table), next(filter(suits, PEOPLE))
    made = applied(exchange, lottery, one.number)
    table.commit(lottery)
    with pytest.raises(Conflict):
        table.frozen(lottery)
    exchange.verifying.consents.decide(made.consent, agree=True)
    exchange.checks.work()
    assert table.frozen(lottery).frozen


def test_what_cannot_be(exchange: Exchange, table: Table) -> None:
    for wrong in ("none", "rental-withdrawal"):
        with pytest.raises(Invalid) as caught:
            exchange.lotteries.create(SYSTEM, table.rules(check=wrong))
        assert [one.field for one in caught.value.problems] == ["check.scenario"]
    lottery = checked(table)
    with pytest.raises(Invalid) as caught:
        applied(exchange, lottery, "no number")
    assert [one.field for one in caught.value.problems] == ["person"]
    assert standing(exchange, lottery)[Standing.PENDING] == 0  # nothing of it was kept
    assert lottery.path == CIVIL
