"""A synthetic city: the same again, nobody real, consistent, with the cases that were planted."""

import json
import urllib.error
import urllib.request
from collections import Counter
from itertools import islice

import pytest

from workloads.data_exchange.agencies.model import is_credit_code
from workloads.data_exchange.population.generate import (
    ASSETS_LINE,
    INCOME_LINE,
    TODAY,
    City,
)
from workloads.data_exchange.population.model import (
    MOST,
    Credit,
    Hardship,
    Household,
    Rental,
    Trade,
    check_digit,
    index_of,
)
from workloads.data_exchange.population.registries import QUESTIONS, Unknown, answer
from workloads.data_exchange.population.serve import registries


def test_equal_seeds_give_equal_cities() -> None:
    one, other = list(City(7, 600).people()), list(City(7, 600).people())
    assert one == other
    assert one != list(City(8, 600).people())
    assert len(one) == 600
    # A larger city begins with the same people: each block is its own.
    assert list(islice(City(7, 1_000_000).people(), 600)) == one


def test_nobody_can_be_real() -> None:
    people = list(City(1, 3_000).people())
    assert len({one.number for one in people}) == 3_000
    for one in people:
        assert one.number.startswith("00")
        assert check_digit(one.number[:17]) == one.number[17]
        assert one.number[6:14] == f"{one.born:%Y%m%d}"
        assert index_of(one.number) == one.index
        if one.business:
            assert one.business.code[2:8] == "000000"
            assert is_credit_code(one.business.code)
    # The published example of GB 11643-1999.
    assert check_digit("11010519491231002") == "X"


def test_one_is_found_without_the_others() -> None:
    city = City(3, MOST)
    last = city.at(MOST - 1)
    assert last
    assert city.person(last.number) == last
    assert city.at(MOST + 12) is None
    assert city.person("110105194912310020") is None
    with pytest.raises(ValueError, match="people"):
        City(1, MOST + 1)


def _unqualified(one: Household) -> set[Hardship]:
    """What the records say, beside what was planted."""
    size, people = len(one.people), one.people
    found = {
        Hardship.INCOME: sum(p.income for p in people) / size > INCOME_LINE,
        Hardship.HOMES: sum(len(p.homes) for p in people) > 1,
        Hardship.ASSETS: sum(p.deposits + p.securities for p in people) / size > ASSETS_LINE,
        Hardship.VEHICLE: any(v.kind == "car" for p in people for v in p.vehicles),
        Hardship.BUSINESS: any(p.business and p.business.active for p in people),
    }
    return {why for why, holds in found.items() if holds}


def test_the_records_hold_what_was_planted_and_nothing_else() -> None:
    seen: Counter[object] = Counter()
    for one in City(5, 12_000).households():
        assert _unqualified(one) == one.unqualified
        seen.update(one.unqualified or {"qualified"})
        head, lease = one.people[0], one.people[0].lease
        if lease:
            assert head.rental
            wrong = {
                Rental.NO_CONTRACT: not lease.registered,
                Rental.ENDED: lease.ends < TODAY,
                Rental.NOT_THE_OWNER: lease.owner != lease.landlord,
                Rental.OWNS_HOME: any(p.homes for p in one.people),
                Rental.TWICE: head.withdrawn,
                Rental.TOO_MUCH: head.wants > 12 * lease.rent,
            }
            assert {case for case, holds in wrong.items() if holds} == {head.rental} - {
                Rental.SOUND
            }
            seen[head.rental] += 1
        seen.update(p.credit for p in one.people)
        seen.update(p.business.case for p in one.people if p.business)
    assert set(seen) == {"qualified", *Hardship, *Rental, *Credit, *Trade}


def test_a_registry_knows_its_own_part() -> None:
    city = City(2, 120)
    household = next(one for one in city.households() if len(one.people) == 4)
    numbers = [one.number for one in household.people]
    for question in QUESTIONS[:9]:
        records = answer(city, question, {"persons": numbers})["records"]
        assert [one.pop("number") for one in records] == numbers
        assert len(records[0]) <= 3
    wrong: tuple[dict[str, object], ...] = (
        {}, {"persons": []}, {"persons": ["1"]}, {"persons": [None]}, {"persons": "x"},
    )  # fmt: skip
    for asked in wrong:
        with pytest.raises(Unknown):
            answer(city, "tax/income", asked)
    for question in ("tax/payers", "housing/contracts", "tax/none"):
        with pytest.raises(Unknown):
            answer(city, question, {"code": "x", "contract": "x"})


def _ask(url: str, body: object, method: str = "POST") -> tuple[int, dict[str, object]]:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, method=method)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=5) as said:  # noqa: S310 - loopback
            return said.status, json.load(said)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_over_http_slow_and_down() -> None:
    city = City(2, 120)
    someone = next(city.people())
    with registries(city) as server:
        asked = {"persons": [someone.number]}
        status, said = _ask(f"{server.url}/tax/income", asked)
        assert (status, said) == (200, answer(city, "tax/income", asked))
        assert _ask(f"{server.url}/_control/tax", {"down": True}, "PUT")[0] == 200
        assert _ask(f"{server.url}/tax/income", asked)[0] == 503
        assert _ask(f"{server.url}/housing/homes", asked)[0] == 200
        assert _ask(f"{server.url}/_control/tax", {"down": False, "delay": 0.2}, "PUT")[0] == 200
        assert _ask(f"{server.url}/tax/income", asked)[0] == 200
        assert server.manners["tax"].asked == 3
        assert server.manners["tax"].answered == 2
        assert _ask(f"{server.url}/_control/tax", {"delay": -1}, "PUT")[0] == 422
        assert _ask(f"{server.url}/none/such", asked)[0] == 404
        assert _ask(f"{server.url}/tax/income", [])[0] == 400
