"""The citizen ledger: their own, once, and no table that joins purposes."""

import pytest

from foundation.kernel.errors import Forbidden, Invalid, NotFound
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, SYSTEM, person
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.ledger.model import pseudonym

ONE, OTHER = "00000019700101000X", "000000198001010015"


def entered(exchange: Exchange, purpose: str, *persons: str, key: str = "chk_1:tax") -> None:
    exchange.ledger.enter(
        key=key, purpose=purpose, asker=CIVIL, service="tax/income", basis="law", persons=persons
    )


def test_a_citizen_sees_their_own_once(exchange: Exchange, clock: SettableClock) -> None:
    entered(exchange, "low-income", ONE, OTHER)
    entered(exchange, "low-income", ONE, OTHER)  # asked again: the same question
    clock.advance(minutes=1)
    entered(exchange, "public-credit", ONE, key="chk_2:credit")
    code = exchange.ledger.code(SYSTEM, ONE)
    entries = exchange.ledger.open(code).entries
    assert [one.purpose for one in entries] == ["public-credit", "low-income"]
    # Nothing in the entries says that they are about the same person.
    assert len({one.pseudonym for one in entries}) == 2
    with pytest.raises(NotFound):
        exchange.ledger.open(code)
    (other,) = exchange.ledger.open(exchange.ledger.code(SYSTEM, OTHER)).entries
    assert other.purpose == "low-income"


def test_a_code_ends(exchange: Exchange, clock: SettableClock) -> None:
    code = exchange.ledger.code(SYSTEM, ONE)
    clock.advance(minutes=30)
    with pytest.raises(NotFound):
        exchange.ledger.open(code)


def test_who_gives_codes(exchange: Exchange) -> None:
    with pytest.raises(Forbidden):
        exchange.ledger.code(person("auditor"), ONE)
    with pytest.raises(Invalid):
        exchange.ledger.code(SYSTEM, "1")


def test_purposes_and_numbers_do_not_run_together() -> None:
    assert pseudonym(b"k", "a1", "2") != pseudonym(b"k", "a", "12")
    assert pseudonym(b"k", "a", "1") != pseudonym(b"l", "a", "1")


@pytest.mark.usefixtures("agencies")
def test_checks_are_entered_before_they_ask(
    exchange: Exchange, agencies: dict[str, Agency]
) -> None:
    checks = exchange.checks
    checks.ship()
    made = checks.begin(
        SYSTEM, agency=agencies[CIVIL].id, scenario="public-credit", persons=[ONE], inputs={}
    )
    assert not exchange.ledger.open(exchange.ledger.code(SYSTEM, ONE)).entries
    exchange.verifying.consents.decide(made.tokens[0], agree=True)
    checks.work()  # no registry is known here: it is late, and was asked all the same
    (entry,) = exchange.ledger.open(exchange.ledger.code(SYSTEM, ONE)).entries
    assert (entry.asker, entry.purpose) == (CIVIL, "public-credit")
    assert entry.service == "credit/records"
    assert entry.basis
