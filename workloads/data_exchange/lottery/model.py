"""A lottery: its rules, its states, its applications."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel import canonical
from foundation.kernel.errors import Collector
from foundation.kernel.text import Text
from foundation.kernel.time import parse_instant
from workloads.data_exchange.lottery.draw import METHOD, Entry

LotteryId = NewType("LotteryId", str)

#: The largest list, number of pools and parties, chances of one application.
APPLICATIONS_MAX = 5_000_000
POOLS_MAX = 50
PARTIES_MIN, PARTIES_MAX = 2, 20
CHANCES_MAX = 1000
HOURS_MAX = 720
TEXT_MAX = 20_000
NAME_MAX = 200
REASON_MAX = 500
PERSON_MAX = 100
#: The value of a beacon as its operator publishes it: hexadecimal or base64url.
BEACON_VALUE = re.compile(r"[0-9A-Za-z_-]{16,500}")


class LotteryState(StrEnum):
    """Where a lottery is.

    ``void`` is the state between two rounds: a party did not reveal in time, its round counts for
    nothing, and all commit anew; the frozen list stays.
    """

    DRAFT = "draft"
    OPEN = "open"
    COMMITTED = "committed"
    FROZEN = "frozen"
    REVEALING = "revealing"
    VOID = "void"
    DRAWN = "drawn"
    ABORTED = "aborted"


#: In which applications and commitments are taken.
OPEN = frozenset({LotteryState.OPEN, LotteryState.COMMITTED})
#: In which a list is frozen and reveals are awaited.
AWAITING = frozenset({LotteryState.FROZEN, LotteryState.REVEALING})
ENDED = frozenset({LotteryState.DRAWN, LotteryState.ABORTED})


class Standing(StrEnum):
    """What became of an application."""

    PENDING = "pending"
    QUALIFIED = "qualified"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Pool:
    """So many places for those who apply in it."""

    name: str
    places: int


@dataclass(frozen=True, slots=True)
class Beacon:
    """A public source of randomness, and which of its values counts.

    Attributes:
        name: of the source, with its chain, as people find it.
        round: the number (or time) of a value that is published after the commitments.
    """

    name: str
    round: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What is fixed before anybody applies.

    Attributes:
        agency: path of the agency that holds the lottery.
        name: as people read it.
        conditions: who may take part, in words.
        pools: in the order in which they are drawn.
        parties: paths of the agencies that commit and reveal.
        chances: the most tickets of one application.
        closes_at: when no more applications are taken.
        reveal_hours: how long the parties have from the frozen list on.
        beacon: the source whose value goes into the seed, or none.
        check: the scenario by which applicants are judged: ``scenario``, ``version``, ``digest`` of
            its data and its ``rules`` in words; without one an officer judges.
    """

    agency: str
    name: Text
    conditions: str
    pools: tuple[Pool, ...]
    parties: tuple[str, ...]
    chances: int
    closes_at: datetime
    reveal_hours: int = 24
    beacon: Beacon | None = None
    check: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """As JSON; its digest is what everybody commits to."""
        return {"draw": METHOD, **canonical.plain(self)}

    def digest(self) -> str:
        """``sha256:`` and the digest of the document."""
        return canonical.digest(self.document())


@dataclass(frozen=True, slots=True)
class Lottery:
    """A lottery.

    Attributes:
        path: of the agency that holds it.
        rules: the document of ``Rules``.
        sealed: the key of its pseudonyms, sealed.
        round: which round of commitments runs; 1 at first.
        reveal_until: when the parties must have revealed.
        opening: the exchange's statement of the rules (JWS).
        frozen: its statement of the list (JWS).
        voids: its statements of void rounds (JWS).
        beacon: the value of the beacon.
        result: its statement of the result (JWS).
        reason: why it was aborted.
    """

    id: LotteryId
    path: str
    rules: Mapping[str, Any]
    state: LotteryState
    sealed: str
    created_at: datetime
    round: int = 1
    reveal_until: datetime | None = None
    opening: str = ""
    frozen: str = ""
    voids: tuple[str, ...] = ()
    beacon: str = ""
    result: str = ""
    reason: str = ""

    @property
    def digest(self) -> str:
        """Of its rules."""
        return canonical.digest(self.rules)

    @property
    def name(self) -> Text:
        """As people read it."""
        return Text(self.rules["name"]["en"], self.rules["name"]["zh"])

    @property
    def closes_at(self) -> datetime:
        """When no more applications are taken."""
        return parse_instant(self.rules["closes_at"])

    @property
    def parties(self) -> tuple[str, ...]:
        """Paths of those who commit and reveal."""
        return tuple(self.rules["parties"])

    @property
    def pools(self) -> tuple[tuple[str, int], ...]:
        """Names and places."""
        return tuple((one["name"], one["places"]) for one in self.rules["pools"])

    def be(self, state: LotteryState, **changes: Any) -> "Lottery":  # noqa: ANN401 - its own fields
        """The same in another state."""
        return replace(self, state=state, **changes)


@dataclass(frozen=True, slots=True)
class Application:
    """An application; the person behind the pseudonym is not kept.

    Attributes:
        at: when it was made.
        reason: why it was refused, or on which grounds it was found good.
        judged_by: who judged it.
        check: the check by which it is judged; empty: an officer judges.
        consent: the applicant's one-time code of consent; told once and not kept.
    """

    lottery: LotteryId
    pseudonym: str
    pool: str
    chances: int
    at: datetime
    standing: Standing = Standing.PENDING
    reason: str = ""
    judged_by: str = ""
    check: str = ""
    consent: str = field(default="", repr=False)

    def entry(self) -> Entry:
        """Its line of the frozen list."""
        return Entry(self.pseudonym, self.pool, self.chances)


@dataclass(frozen=True, slots=True)
class Word:
    """What a party handed in: a commitment, and later what it committed to.

    Attributes:
        party: its path.
        commitment: a JWS.
        reveal: a JWS, or empty.
    """

    party: str
    commitment: str
    reveal: str = ""


@dataclass(frozen=True, slots=True)
class Standstill:
    """A lottery with what its parties handed in for the round that runs."""

    lottery: Lottery
    words: Sequence[Word] = field(default=())

    @property
    def missing_commitments(self) -> tuple[str, ...]:
        """Parties that have not committed."""
        there = {one.party for one in self.words}
        return tuple(one for one in self.lottery.parties if one not in there)

    @property
    def missing_reveals(self) -> tuple[str, ...]:
        """Parties that have not revealed."""
        there = {one.party for one in self.words if one.reveal}
        return tuple(one for one in self.lottery.parties if one not in there)


def check(found: Collector, rules: Rules, now: datetime) -> None:
    """Note what is wrong with rules."""
    for language in ("en", "zh"):
        name = rules.name.get(language).strip()
        found.check(
            0 < len(name) <= NAME_MAX, f"name.{language}", f"must be 1 to {NAME_MAX} characters"
        )
    found.check(
        len(rules.conditions) <= TEXT_MAX, "conditions", f"must be at most {TEXT_MAX} characters"
    )
    found.check(1 <= len(rules.pools) <= POOLS_MAX, "pools", f"must be 1 to {POOLS_MAX}")
    for number, pool in enumerate(rules.pools):
        at = f"pools.{number}"
        good = 0 < len(pool.name.strip()) <= NAME_MAX
        found.check(good, f"{at}.name", f"must be 1 to {NAME_MAX} characters")
        good = 1 <= pool.places <= APPLICATIONS_MAX
        found.check(good, f"{at}.places", f"must be 1 to {APPLICATIONS_MAX}")
    names = [pool.name for pool in rules.pools]
    found.check(len(set(names)) == len(names), "pools", "must have different names")
    few = PARTIES_MIN <= len(rules.parties) <= PARTIES_MAX
    found.check(few, "parties", f"must be {PARTIES_MIN} to {PARTIES_MAX} agencies")
    same = len(set(rules.parties)) == len(rules.parties)
    found.check(same, "parties", "must be different agencies")
    found.check(1 <= rules.chances <= CHANCES_MAX, "chances", f"must be 1 to {CHANCES_MAX}")
    found.check(
        1 <= rules.reveal_hours <= HOURS_MAX, "reveal_hours", f"must be 1 to {HOURS_MAX} hours"
    )
    found.check(rules.closes_at > now, "closes_at", "must lie in the future")
    if rules.beacon is not None:
        for name, value in (("name", rules.beacon.name), ("round", rules.beacon.round)):
            good = 0 < len(value.strip()) <= NAME_MAX
            found.check(good, f"beacon.{name}", f"must be 1 to {NAME_MAX} characters")
