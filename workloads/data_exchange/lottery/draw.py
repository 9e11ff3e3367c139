"""The arithmetic of a draw: pure, so that the service and whoever verifies do the same.

**Why it is fair.** Every application has so many chances. Chance ``j`` of an application scores
SHA-256(seed ‖ hash of its leaf ‖ j); with a seed that nobody could foresee these scores are
independent and uniform, so their order is a uniformly random order of all chances: the order in
which tickets would be drawn from an urn without putting them back. An application's place is that
of its best ticket, and the first so many places win. With one chance each, every set of winners is
equally likely; with ``k`` chances the first place is won with probability k/total, as with tickets.

**Why the seed cannot be foreseen.** It is a hash of the rules, the root of the frozen list, what
every party revealed, and the beacon's value. Each secret was committed to before the list was
frozen; with one honest party, or an honest beacon, it is unknown until that party reveals it.
"""

import hashlib
import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from foundation.kernel import canonical
from workloads.data_exchange.proofs import merkle

#: Names this arithmetic in the rules; a change of it has a new name.
METHOD = "borough-lottery-1"
SECRET_BYTES = 32
_COMMITMENT = b"borough-lottery-commitment\x00"
_SEED = b"borough-lottery-seed\x00"
_COUNT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the frozen list.

    Attributes:
        pseudonym: of the applicant, for this lottery alone.
        pool: in which it takes part.
        chances: how many tickets it has; 1 or more.
    """

    pseudonym: str
    pool: str
    chances: int

    def leaf(self) -> bytes:
        """The hash of its leaf in the tree of the list (RFC 9162, 2.1)."""
        return merkle.leaf(canonical.dumps(self).encode())


def root_of(entries: Iterable[Entry]) -> str:
    """The root of a frozen list, hexadecimal; its order is that of the pseudonyms."""
    return merkle.Tree(one.leaf() for one in entries).root.hex()


def commitment(lottery: str, number: int, party: str, secret: bytes) -> str:
    """What a party hands in before it reveals a secret, hexadecimal SHA-256.

    The lottery, the round and the party are in it, so that none is copied or used twice.
    """
    told = {"lottery": lottery, "round": number, "party": party, "secret": secret.hex()}
    return hashlib.sha256(_COMMITMENT + canonical.dumps(told).encode()).hexdigest()


def seed_of(
    lottery: str,
    number: int,
    rules: str,
    root: str,
    secrets: Mapping[str, bytes],
    beacon: str,
) -> bytes:
    """The seed, 32 bytes.

    Args:
        lottery: its id.
        number: of the round.
        rules: the digest of the rules.
        root: of the frozen list.
        secrets: what each party revealed, by its path.
        beacon: the value of the beacon; empty when the rules name none.
    """
    told = {
        "lottery": lottery, "round": number, "rules": rules, "root": root, "beacon": beacon,
        "reveals": [[party, secrets[party].hex()] for party in sorted(secrets)],
    }  # fmt: skip
    return hashlib.sha256(_SEED + canonical.dumps(told).encode()).digest()


def score(seed: bytes, entry: Entry) -> bytes:
    """The score of an application: the smallest of its chances' SHA-256, 32 bytes."""
    start = hashlib.sha256(seed + entry.leaf())
    scores = []
    for chance in range(entry.chances):
        one = start.copy()
        one.update(chance.to_bytes(_COUNT_BYTES, "big"))
        scores.append(one.digest())
    return min(scores)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out of a pool.

    Attributes:
        pool: its name.
        places: how many there were.
        taking_part: how many applications.
        winners: pseudonyms, the best score first.
        cutoff: the score of the last winner, hexadecimal; empty when nobody won.
    """

    pool: str
    places: int
    taking_part: int
    winners: tuple[str, ...]
    cutoff: str


def draw(seed: bytes, pools: Sequence[tuple[str, int]], entries: Iterable[Entry]) -> list[Outcome]:
    """Draw all pools, in the order of the rules.

    Args:
        seed: of ``seed_of``.
        pools: names and places.
        entries: the frozen list.
    """
    scored: dict[str, list[tuple[bytes, str]]] = {name: [] for name, _ in pools}
    for one in entries:
        scored[one.pool].append((score(seed, one), one.pseudonym))
    found = []
    for name, places in pools:
        best = heapq.nsmallest(places, scored[name])
        found.append(
            Outcome(
                name, places, len(scored[name]), tuple(who for _, who in best),
                best[-1][0].hex() if best else "",
            )
        )  # fmt: skip
    return found
