"""What the registries of a synthetic city answer; each knows its own part of the people alone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit, Person

#: More people than a household has are asked for by nobody.
MOST_PERSONS = 50
Record = dict[str, Any]
#: What each registry says of one person.
_OF_PERSON: Mapping[str, Callable[[City, Person], Record]] = {
    "civil/households": lambda city, one: {
        "members": [other.number for other in _household(city, one)]
    },
    "tax/income": lambda _city, one: {"monthly_income": one.income},
    "insurance/contributions": lambda _city, one: {"monthly_base": one.insured},
    "housing/homes": lambda _city, one: {
        "homes": [{"address": h.address, "area": h.area, "value": h.value} for h in one.homes]
    },
    "finance/assets": lambda _city, one: {"deposits": one.deposits, "securities": one.securities},
    "vehicles/owned": lambda _city, one: {
        "vehicles": [{"plate": v.plate, "kind": v.kind, "value": v.value} for v in one.vehicles]
    },
    "business/owners": lambda _city, one: {
        "businesses": [
            {"code": one.business.code, "name": one.business.name, "active": one.business.active}
        ]
        if one.business
        else []
    },
    "fund/account": lambda _city, one: {
        "monthly_deposit": one.fund_deposit, "withdrawn_this_year": one.withdrawn,
    },
    "credit/records": lambda _city, one: {
        "court_defaulter": one.credit is Credit.DEFAULTER,
        "penalties": [{"serious": True, "repaired": one.credit is Credit.REPAIRED}]
        if one.credit in {Credit.PENALTY, Credit.REPAIRED}
        else [],
        "tax_arrears": 12_000 if one.credit is Credit.ARREARS else 0,
    },
}  # fmt: skip
_OTHERS = ("housing/contracts", "business/register", "tax/payers", "banks/turnover")
#: All questions that the city's registries answer.
QUESTIONS = (*_OF_PERSON, *_OTHERS)


class Unknown(Exception):
    """The registry does not know what is asked about."""


def answer(city: City, question: str, asked: Mapping[str, Any]) -> Record:
    """What a registry answers: ``{"records": […]}``.

    Args:
        city: whose registries they are.
        question: one of ``QUESTIONS``.
        asked: ``persons``, a list of resident numbers, or ``contract`` or ``code``.

    Raises:
        Unknown: no such question, person, contract or business, or one that is not well written.
    """
    if question in _OF_PERSON:
        persons = asked.get("persons")
        if not isinstance(persons, list) or not 0 < len(persons) <= MOST_PERSONS:
            raise Unknown("persons")
        return {"records": [_of(city, question, number) for number in persons]}
    if question == "housing/contracts":
        return {"records": _contract(city, str(asked.get("contract", "")))}
    if question in _OTHERS:
        business = city.business(str(asked.get("code", "")))
        if business is None:
            raise Unknown("code")
        said: Mapping[str, Record] = {
            "business/register": {"active": business.active},
            "tax/payers": {"registered": business.taxpayer},
            "banks/turnover": {"turnover": business.turnover},
        }
        return {"records": [{"code": business.code, **said[question]}]}
    raise Unknown("question")


def _of(city: City, question: str, number: object) -> Record:
    person = city.person(number) if isinstance(number, str) else None
    if person is None:
        raise Unknown("persons")
    return {"number": person.number, **_OF_PERSON[question](city, person)}


def _household(city: City, person: Person) -> Sequence[Person]:
    household = city.household_of(person.number)
    return household.people if household else ()


def _contract(city: City, number: str) -> list[Record]:
    """The registered contract of a number, or none: a forged one is unknown here."""
    digits = number.removeprefix("ZL")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 10):  # noqa: PLR2004
        raise Unknown("contract")
    person = city.at(int(digits))
    lease = person.lease if person else None
    if person is None or lease is None or not lease.registered:
        return []
    return [
        {
            "contract": lease.number, "tenant": person.number, "landlord": lease.landlord,
            "owner": lease.owner, "rent": lease.rent, "begins": _text(lease.begins),
            "ends": _text(lease.ends),
        }
    ]  # fmt: skip


def _text(day: date) -> str:
    return day.isoformat()
