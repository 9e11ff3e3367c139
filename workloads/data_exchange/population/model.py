"""The people and businesses of a synthetic city, and the truth that was planted in them."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

#: No place has it (GB/T 2260 begins at 11): all numbers of synthetic people begin with it.
REGION = "00"
#: As many people as the seven free digits of a number tell apart, in whole blocks of twelve.
MOST = 9_999_996
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LENGTH = 18


class Hardship(StrEnum):
    """Why a household is not of low income; several may hold."""

    INCOME = "income"
    HOMES = "homes"
    ASSETS = "assets"
    VEHICLE = "vehicle"
    BUSINESS = "business"


class Rental(StrEnum):
    """What is wrong with a withdrawal of housing fund for rent, or ``SOUND``."""

    SOUND = "sound"
    NO_CONTRACT = "no_contract"
    ENDED = "ended"
    NOT_THE_OWNER = "not_the_owner"
    OWNS_HOME = "owns_home"
    TWICE = "twice"
    TOO_MUCH = "too_much"


class Trade(StrEnum):
    """How a business stands with the tax office."""

    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    DORMANT = "dormant"
    CLOSED = "closed"


class Credit(StrEnum):
    """How somebody stands in public credit."""

    CLEAR = "clear"
    DEFAULTER = "defaulter"
    PENALTY = "penalty"
    ARREARS = "arrears"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True)
class Home:
    """A home. ``area`` in square metres, ``value`` in yuan."""

    address: str
    area: int
    value: int


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle; ``kind``: car, motorcycle or wheelchair. ``value`` in yuan."""

    plate: str
    kind: str
    value: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A rental contract. ``rent`` in yuan a month; ``owner``: the home's in the land register."""

    number: str
    registered: bool
    address: str
    landlord: str
    owner: str
    rent: int
    begins: date
    ends: date


@dataclass(frozen=True, slots=True)
class Business:
    """A business.

    Attributes:
        code: unified social credit code with the region 000000, which no place has.
        active: in the business register.
        turnover: of the year in the banks' books, yuan.
        taxpayer: whether the tax office has it.
    """

    code: str
    name: str
    active: bool
    turnover: int
    taxpayer: bool
    case: Trade


@dataclass(frozen=True, slots=True)
class Person:
    """A person who does not exist.

    Attributes:
        index: in the city, from 0.
        number: resident number, ``00…``.
        household: its number in the city.
        income: yuan a month as taxed; ``insured``: the base of social insurance, 0 for none.
        deposits, securities: yuan.
        fund_deposit: yuan a month into the housing fund; ``withdrawn``: already drawn this year.
        wants: yuan that a withdrawal for rent asks for.
    """

    index: int
    number: str
    name: str
    born: date
    household: int
    income: int = 0
    insured: int = 0
    deposits: int = 0
    securities: int = 0
    fund_deposit: int = 0
    withdrawn: bool = False
    wants: int = 0
    homes: tuple[Home, ...] = ()
    vehicles: tuple[Vehicle, ...] = ()
    lease: Lease | None = None
    business: Business | None = None
    rental: Rental | None = None
    credit: Credit = Credit.CLEAR


@dataclass(frozen=True, slots=True)
class Household:
    """People who live together, the head first; ``unqualified``: why it is not of low income."""

    number: int
    people: tuple[Person, ...]
    unqualified: frozenset[Hardship]


def number_of(index: int, born: date) -> str:
    """The resident number of a synthetic person.

    ``00`` and four digits for the region, the date of birth, three digits, a check digit; the
    seven free digits are the index. Source: GB 11643-1999 (ISO 7064 MOD 11-2).
    """
    free = f"{index:07d}"
    body = f"{REGION}{free[:4]}{born:%Y%m%d}{free[4:]}"
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """The 18th character of a resident number (GB 11643-1999)."""
    return _CHECKS[sum(w * int(d) for w, d in zip(_WEIGHTS, body, strict=True)) % 11]


def index_of(number: str) -> int | None:
    """The index of a synthetic person by number; None when it is none of theirs."""
    body = number[:-1]
    if len(number) != _LENGTH or not (body.isascii() and body.isdigit()):
        return None
    if not body.startswith(REGION) or check_digit(body) != number[-1]:
        return None
    return int(body[2:6] + body[14:17])


def credit_code(index: int) -> str:
    """The code of the business of a person, with its check character (GB 32100-2015)."""
    body = f"91000000{index:07d}XY"
    total = sum(_CREDIT.index(one) * pow(3, n, 31) for n, one in enumerate(body))
    return body + _CREDIT[-total % 31]


def index_of_code(code: str) -> int | None:
    """The index of the person to whom a synthetic business belongs; None when it is none."""
    digits = code[8:15]
    if len(code) != _LENGTH or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if credit_code(int(digits)) == code else None
