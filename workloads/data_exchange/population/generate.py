"""Makes a synthetic city, block by block.

A block is twelve people in five households. It follows from the seed and its number alone, so that
one person is found without making the others.
"""

import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from workloads.data_exchange.population.model import (
    MOST,
    Business,
    Credit,
    Hardship,
    Home,
    Household,
    Lease,
    Person,
    Rental,
    Trade,
    Vehicle,
    credit_code,
    index_of,
    index_of_code,
    number_of,
)

#: The sizes of a block's households.
_SIZES = (1, 2, 3, 4, 2)
BLOCK = sum(_SIZES)
#: The day on which the city stands still.
TODAY = date(2026, 11, 1)
#: What the rules of low income go by, as the generator keeps clear of it on both sides: yuan a
#: month a head, homes, yuan of assets a head.
INCOME_LINE, ASSETS_LINE = 1_500, 60_000
_YEAR = 365
_ADULT = 18
_FAMILY = "甲乙丙丁戊己庚辛壬癸"
_GIVEN = "子丑寅卯辰巳午未申酉戌亥"


@dataclass(frozen=True)
class City:
    """A city of ``size`` people; equal seeds give equal people.

    Raises:
        ValueError: more people than numbers, or none.
    """

    seed: int = 1
    size: int = 1_200
    _block: "functools._lru_cache_wrapper[tuple[Household, ...]]" = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not 0 < self.size <= MOST:
            raise ValueError(f"a city has 1 to {MOST} people")
        object.__setattr__(self, "_block", functools.lru_cache(256)(self._make))

    def households(self) -> Iterator[Household]:
        """All of them in order; those of the last block reach a little past ``size``."""
        for block in range(-(-self.size // BLOCK)):
            yield from self._make(block)

    def people(self) -> Iterator[Person]:
        """All people in order, in constant memory."""
        for household in self.households():
            for person in household.people:
                if person.index < self.size:
                    yield person

    def household_of(self, number: str) -> Household | None:
        """The household of a person by resident number; None when the city has no such person."""
        index = index_of(number)
        if index is None or self.at(index) is None:
            return None
        for household in self._block(index // BLOCK):
            if any(one.number == number for one in household.people):
                return household
        return None

    def person(self, number: str) -> Person | None:
        """A person by resident number."""
        household = self.household_of(number)
        people = household.people if household else ()
        return next((one for one in people if one.number == number), None)

    def business(self, code: str) -> Business | None:
        """A business by its code."""
        index = index_of_code(code)
        person = None if index is None else self.at(index)
        return person.business if person else None

    def at(self, index: int) -> Person | None:
        """A person by index; None outside the city."""
        if not 0 <= index < -(-self.size // BLOCK) * BLOCK:
            return None
        people = (one for household in self._block(index // BLOCK) for one in household.people)
        return next((one for one in people if one.index == index), None)

    def _make(self, block: int) -> tuple[Household, ...]:
        digest = hashlib.blake2b(f"{self.seed}:{block}".encode(), digest_size=16).digest()
        chance = random.Random(int.from_bytes(digest))  # noqa: S311 - reproducible on purpose
        sizes = list(_SIZES)
        chance.shuffle(sizes)
        first, made = block * BLOCK, []
        for n, size in enumerate(sizes):
            made.append(_household(chance, block * len(_SIZES) + n, first, size))
            first += size
        return tuple(made)


def _household(chance: random.Random, number: int, first: int, size: int) -> Household:
    family = chance.choice(_FAMILY)
    people = []
    for n in range(size):
        # Two grown people at most, then children: nobody under age heads a household.
        years = chance.randint(25, 70) if n < 2 else chance.randint(1, _ADULT - 2)  # noqa: PLR2004
        born = TODAY - timedelta(days=years * _YEAR + chance.randrange(_YEAR))
        name = family + "".join(chance.choices(_GIVEN, k=2))
        people.append(Person(first + n, number_of(first + n, born), name, born, number))
    grown = [n for n, one in enumerate(people) if _is_grown(one)]
    why = _hardship(chance)
    people = _money(chance, people, grown, why)
    people[0] = _rental(chance, people[0], owners=any(one.homes for one in people))
    people = [_credit(chance, one) if n in grown else one for n, one in enumerate(people)]
    return Household(number, tuple(people), frozenset(why))


def _is_grown(person: Person) -> bool:
    return (TODAY - person.born).days >= _ADULT * 366


def _hardship(chance: random.Random) -> set[Hardship]:
    """Half of the households are of low income; the others are not for one or two reasons."""
    if chance.random() < 0.5:  # noqa: PLR2004
        return set()
    return set(chance.sample(list(Hardship), chance.choice((1, 1, 2))))


def _money(
    chance: random.Random, people: list[Person], grown: list[int], why: set[Hardship]
) -> list[Person]:
    """Income, assets, homes, vehicles and a business that fit the reasons, and no other."""
    head, last = grown[0], grown[-1]
    made, size = list(people), len(people)
    # What disqualifies often belongs to somebody other than the one who applies.
    for n in grown:
        share = size / len(grown)
        low, high = (1.2, 3.0) if Hardship.INCOME in why else (0.2, 0.9)
        income = int(INCOME_LINE * share * chance.uniform(low, high))
        rich = Hardship.ASSETS in why and n == last
        saved = chance.uniform(1.1, 4) * size if rich else chance.uniform(0, 0.8)
        total = int(ASSETS_LINE * saved)
        deposits = chance.randint(0, total)
        made[n] = replace(
            made[n], income=income, insured=income if chance.random() < 0.8 else 0,  # noqa: PLR2004
            deposits=deposits, securities=total - deposits, fund_deposit=income // 10,
        )  # fmt: skip
    if Hardship.HOMES in why:
        made[last] = replace(made[last], homes=(_home(chance), _home(chance)))
    if Hardship.VEHICLE in why:
        made[last] = replace(made[last], vehicles=(_vehicle(chance, "car"),))
    elif chance.random() < 0.2:  # noqa: PLR2004
        made[head] = replace(
            made[head], vehicles=(_vehicle(chance, chance.choice(("motorcycle", "wheelchair"))),)
        )
    if Hardship.BUSINESS in why:
        case = chance.choice((Trade.REGISTERED, Trade.UNREGISTERED, Trade.DORMANT))
        made[last] = replace(made[last], business=_business(chance, made[last].index, case))
    elif chance.random() < 0.1:  # noqa: PLR2004
        made[last] = replace(made[last], business=_business(chance, made[last].index, Trade.CLOSED))
    return made


def _home(chance: random.Random) -> Home:
    area = chance.randint(40, 160)
    return Home(_address(chance), area, area * chance.randint(8_000, 20_000))


def _address(chance: random.Random) -> str:
    street, house, flat = chance.randint(1, 99), chance.randint(1, 400), chance.randint(101, 2804)
    return f"示例市{street}号街{house}号{flat}室"


def _vehicle(chance: random.Random, kind: str) -> Vehicle:
    plate = f"示{chance.choice('ABCDE')}{chance.randint(0, 99_999):05d}"
    value = chance.randint(30_000, 300_000) if kind == "car" else chance.randint(800, 6_000)
    return Vehicle(plate, kind, value)


def _business(chance: random.Random, index: int, case: Trade) -> Business:
    turnover = chance.randint(50_000, 5_000_000)
    if case in {Trade.DORMANT, Trade.CLOSED}:
        turnover = 0
    name = f"示例{chance.choice(_GIVEN)}{chance.choice(_GIVEN)}商行"
    taxed = case is Trade.REGISTERED or (case is Trade.CLOSED and chance.random() < 0.5)  # noqa: PLR2004
    return Business(credit_code(index), name, case is not Trade.CLOSED, turnover, taxed, case)


def _rental(chance: random.Random, head: Person, *, owners: bool) -> Person:
    """A third of the heads of households ask for a withdrawal; half of these are not sound.

    Where somebody of the household owns a home, it is not, whatever the contract says.
    """
    if chance.random() >= 1 / 3:
        return head
    odd = [one for one in Rental if one is not Rental.SOUND]
    case = chance.choice(odd) if chance.random() < 0.5 else Rental.SOUND  # noqa: PLR2004
    homes = head.homes
    if owners:
        case = Rental.OWNS_HOME
    elif case is Rental.OWNS_HOME:
        homes = (_home(chance),)
    rent = chance.randint(800, 6_000)
    landlord = number_of(chance.randrange(MOST), date(1970, 1, 1))
    owner = landlord
    if case is Rental.NOT_THE_OWNER:
        owner = number_of(chance.randrange(MOST), date(1965, 5, 5))
    begins = TODAY - timedelta(days=chance.randint(100, 300))
    ends = begins + timedelta(days=2 * _YEAR)
    if case is Rental.ENDED:
        begins, ends = begins - timedelta(days=2 * _YEAR), TODAY - timedelta(days=1)
    lease = Lease(
        f"ZL{head.index:010d}", case is not Rental.NO_CONTRACT, _address(chance), landlord, owner,
        rent, begins, ends,
    )  # fmt: skip
    share = chance.uniform(1.1, 3) if case is Rental.TOO_MUCH else chance.uniform(0.3, 1)
    return replace(
        head, homes=homes, lease=lease, rental=case, withdrawn=case is Rental.TWICE,
        wants=int(rent * 12 * share),
    )  # fmt: skip


def _credit(chance: random.Random, one: Person) -> Person:
    if chance.random() < 0.9:  # noqa: PLR2004
        return one
    return replace(one, credit=chance.choice([case for case in Credit if case is not Credit.CLEAR]))
