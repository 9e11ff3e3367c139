"""Checks through a real gateway: every question has a receipt, and nobody else is asked."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.errors import Invalid
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, exchange_database, furnish
from tests.harness.exchange_checks import FIELDS, agree, connect, gateway_of
from workloads.data_exchange.agreements.ask import AskedRows
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.agreements.terms import Operator
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    Connection,
    Question,
    QuestionState,
    Verdict,
    Why,
)
from workloads.data_exchange.checks.service import receipts_of
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit, Person
from workloads.data_exchange.population.serve import Registries, registries
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.settings import Settings

CITY = City(11, 600)
REGISTRIES = ("vehicles/owned", "credit/records")


@pytest.fixture(scope="module")
def served() -> Iterator[Registries]:
    with registries(CITY) as server:
        yield server


@pytest.fixture(scope="module")
def exchange(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, served: Registries
) -> Iterator[Exchange]:
    """An exchange with a gateway, and agreements of CIVIL with the registries of TAX."""
    home: Path = tmp_path_factory.mktemp("home")
    with exchange_database(postgres) as url:
        settings = Settings(home=home, database_url=url, provider_networks="127.0.0.0/8")
        with open_exchange(settings, upgrade=False) as made:
            furnish(made)
            for path in (CIVIL, TAX):
                made.keys.generate(SYSTEM, path)
            made.checks.ship()
            for name in REGISTRIES:
                connect(made, name, served.url, provider=TAX, consumer=CIVIL)
            with gateway_of(made):
                yield made


def begun(exchange: Exchange, scenario: str, *persons: str, agency: str = CIVIL) -> Check:
    made = exchange.checks.begin(
        SYSTEM, agency=agency, scenario=scenario, persons=persons, inputs={}
    )
    for token in made.tokens:
        exchange.verifying.consents.decide(token, agree=True)
    return made.check


def asked(exchange: Exchange, check: Check) -> Check:
    exchange.checks.work()
    return exchange.checks.check(SYSTEM, check.id)


def test_the_planted_truth_with_a_receipt_for_each_question(exchange: Exchange) -> None:
    people = list({(bool(cars(one)), one.credit): one for one in CITY.people()}.values())
    assert len(people) > len(Credit)
    for person in people:
        check = asked(exchange, begun(exchange, "plate-lottery", person.number))
        assert [one.why for one in check.questions] == ["", ""]
        against = {"car": cars(person), "defaulter": person.credit is Credit.DEFAULTER}
        assert set(check.reasons) == {name for name, holds in against.items() if holds}
        assert check.verdict is (Verdict.NO if check.reasons else Verdict.YES)
        assert len(set(receipts_of(check))) == len(REGISTRIES)
        for one in check.questions:
            told = exchange.receipts.receipt(SYSTEM, one.receipt).receipt.told()
            assert (told["consumer"], told["provider"], told["status"]) == (CIVIL, TAX, 200)
            assert (told["rows"], told["purpose"]) == (1, "dpv:PublicBenefit")
    exchange.receipts.sign_checkpoint()
    found = verify(exchange.receipts.export(SYSTEM, told["agreement"]))
    assert not found.problems
    assert found.proven >= len(people)
    with exchange.base.database.transaction():
        rows = exchange.base.database.execute(sa.text("SELECT body, proof FROM exchange_receipt"))
        text = str(rows.all())
    assert not any(person.number in text for person in people)


def cars(person: Person) -> bool:
    return any(one.kind == "car" for one in person.vehicles)


def test_nobody_is_asked_whom_nobody_named(exchange: Exchange, served: Registries) -> None:
    people = [one.number for one in next(CITY.households()).people]
    check = begun(exchange, "low-income", *people)
    assert {one.name: one.provider for one in check.questions}["income"] == ""
    connect(exchange, "tax/income", served.url, provider=TAX, consumer=CIVIL)

    def income(check: Check) -> Question:
        return next(one for one in asked(exchange, check).questions if one.name == "income")

    waiting = income(check)
    assert (waiting.state, waiting.why) == (QuestionState.WAITING, Why.NOT_CONNECTED)
    assert served.manners["tax"].asked == 0
    # Begun anew, the statement names who is asked.
    assert income(begun(exchange, "low-income", *people)).state is QuestionState.ANSWERED


def test_another_provider_than_the_one_that_was_named_is_not_asked(
    exchange: Exchange, served: Registries
) -> None:
    person = next(CITY.people())
    made = exchange.checks.begin(
        SYSTEM, agency=CIVIL, scenario="plate-lottery", persons=[person.number], inputs={}
    )
    exchange.keys.generate(SYSTEM, HOUSING)
    connect(exchange, "vehicles/owned", served.url, provider=HOUSING, consumer=CIVIL)
    exchange.verifying.consents.decide(made.tokens[0], agree=True)
    vehicles = asked(exchange, made.check).questions[0]
    assert (vehicles.provider, vehicles.why) == (TAX, Why.NO_AGREEMENT)
    assert vehicles.receipt == ""
    connect(exchange, "vehicles/owned", served.url, provider=TAX, consumer=CIVIL)


def test_what_is_not_agreed_waits_and_says_why(exchange: Exchange) -> None:
    person = next(CITY.people())
    (first, *_) = asked(exchange, begun(exchange, "public-credit", person.number)).questions
    assert first.state is QuestionState.ANSWERED
    keyless = asked(exchange, begun(exchange, "public-credit", person.number, agency="/city/"))
    assert keyless.questions[0].why == Why.NO_KEY
    exchange.keys.generate(SYSTEM, "/city/")
    other = asked(exchange, begun(exchange, "public-credit", person.number, agency="/city/"))
    assert other.questions[0].why == Why.NO_AGREEMENT


def test_an_agreement_on_some_rows_alone_does_not_serve(
    exchange: Exchange, served: Registries
) -> None:
    exchange.keys.generate(SYSTEM, HOUSING)
    known = {one.name: one for one in exchange.verifying.connections.connections(SYSTEM)}
    service = known["credit/records"].service
    offered = exchange.cataloguing.directory.find(service)
    assert offered
    some = (AskedRows("court_defaulter", Operator.EQ, (False,)),)
    agree(
        exchange, offered.serves[0], service, FIELDS["credit/records"], consumer=HOUSING, rows=some
    )
    guilty = next(one for one in CITY.people() if one.credit is Credit.DEFAULTER)
    check = asked(exchange, begun(exchange, "public-credit", guilty.number, agency=HOUSING))
    assert (check.state, check.questions[0].why) == (CheckState.ASKING, Why.NO_AGREEMENT)
    assert served.manners["credit"].asked


def test_a_slow_or_dead_registry_and_one_that_cannot_say(
    exchange: Exchange, served: Registries
) -> None:
    person = next(CITY.people())
    served.manners["credit"].down = True
    down = asked(exchange, begun(exchange, "public-credit", person.number)).questions[0]
    served.manners["credit"].down = False
    assert (down.why, down.receipt) == (Why.DOWN, "")
    unknown = asked(exchange, begun(exchange, "public-credit", "110105194912310020"))
    assert unknown.questions[0].state is QuestionState.REFUSED
    told = exchange.receipts.receipt(SYSTEM, unknown.questions[0].receipt).receipt.told()
    assert told["status"] == 404
    assert unknown.verdict is Verdict.CANNOT_TELL


def test_a_revoked_agreement_is_used_no_more(exchange: Exchange, served: Registries) -> None:
    person = next(CITY.people())
    before = asked(exchange, begun(exchange, "public-credit", person.number))
    told = exchange.receipts.receipt(SYSTEM, receipts_of(before)[0]).receipt.told()
    exchange.agreeing.agreements.revoke(SYSTEM, told["agreement"], Party.PROVIDER, "misused")
    end = time.monotonic() + 5  # within so long the gateway knows of it
    while True:
        asks = served.manners["credit"].asked
        check = asked(exchange, begun(exchange, "public-credit", person.number))
        if check.questions[0].why in {Why.NOT_ALLOWED, Why.NO_AGREEMENT}:
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    assert served.manners["credit"].asked == asks


def test_what_cannot_be_connected(exchange: Exchange) -> None:
    known = exchange.verifying.connections.connections(SYSTEM)[0]
    wrong = Connection("a b", "dst_none", "/x")
    with pytest.raises(Invalid) as caught:
        exchange.verifying.connections.connect(SYSTEM, wrong)
    assert {one.field for one in caught.value.problems} == {"name", "service"}
    with pytest.raises(Invalid) as caught:
        exchange.verifying.connections.connect(SYSTEM, replace(known, path="/other"))
    assert {one.field for one in caught.value.problems} == {"path"}
