"""Recompute a lottery from its published bundle, without any service.

A bundle is one JSON object in canonical form (RFC 8785) with a line break at its end::

    {"format": "borough-lottery-bundle-1", "lottery": id, "rules": {…}, "opening": JWS,
     "keys": [{"path": "/", "jwk": {…}}, …], "round": n, "voids": [JWS, …],
     "commitments": [JWS, …], "list": JWS, "applications": [[pseudonym, pool, chances], …],
     "reveals": [JWS, …], "beacon": value, "outcomes": [{…}, …], "result": JWS}

Commitments and reveals stand in the order of their parties' paths. The result's signature holds
the digest of all else, so that no byte can change; the rest is recomputed all the same, so that the
exchange itself is not believed.
"""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from foundation.kernel import canonical
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.draw import Entry, Outcome
from workloads.data_exchange.proofs import jws, merkle
from workloads.data_exchange.proofs.keys import ProofError, PublicKey

FORMAT = "borough-lottery-bundle-1"
#: A bundle of some millions of applications; more is not read.
LONGEST = 1_000_000_000
OWN = "/"
_EPOCH = datetime.fromtimestamp(0, UTC)
_MEMBERS = {
    "format", "lottery", "rules", "opening", "keys", "round", "voids", "commitments", "list",
    "applications", "reveals", "beacon", "outcomes", "result",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Proven:
    """A bundle that holds.

    Attributes:
        lottery: its id.
        rules: its rules.
        root: of the frozen list.
        seed: of the draw.
        entries: the frozen list.
        outcomes: what was drawn, pool by pool.
        keys: thumbprints by path: to be compared with what the agencies publish.
        voids: how many rounds were void, and who was missing in each.
    """

    lottery: str
    rules: Mapping[str, Any]
    root: str
    seed: bytes
    entries: tuple[Entry, ...]
    outcomes: tuple[Outcome, ...]
    keys: tuple[tuple[str, str], ...]
    voids: tuple[tuple[str, ...], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Standing:
    """The proof of one application.

    Attributes:
        entry: its line.
        index, size: its place in the list.
        proof: the hashes beside its way to the root (RFC 9162, 2.1.3.1).
        score: in hexadecimal; the smaller wins.
        cutoff: the score of the last winner of its pool.
        won: whether it won.
    """

    entry: Entry
    index: int
    size: int
    proof: tuple[str, ...]
    root: str
    score: str
    cutoff: str
    won: bool


def verify(data: bytes, trusted: Mapping[str, PublicKey] | None = None) -> Proven:
    """Recompute a bundle.

    Args:
        data: its bytes.
        trusted: keys known from elsewhere, by thumbprint; none other counts then.

    Raises:
        ProofError: it does not hold; the text says what.
    """
    bundle = _read(data)
    try:
        return _verify(bundle, trusted)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise ProofError("a part of the bundle has a wrong form") from None


def _read(data: bytes) -> dict[str, Any]:
    if len(data) > LONGEST:
        raise ProofError("too large for a bundle")
    try:
        found = json.loads(data)
        same = canonical.dumps(found).encode() + b"\n" == data
    except (ValueError, RecursionError, TypeError):
        raise ProofError("the bundle is not JSON") from None
    if not same:
        raise ProofError("the bundle is not in canonical form")
    if not isinstance(found, dict) or set(found) != _MEMBERS or found["format"] != FORMAT:
        raise ProofError(f"not a bundle of the form {FORMAT}")
    return found


class _Ring:
    """Keys by path."""

    def __init__(self, listed: Any, trusted: Mapping[str, PublicKey] | None) -> None:  # noqa: ANN401
        self.keys: dict[str, tuple[str, PublicKey]] = {}
        for one in listed:
            key = PublicKey.of_jwk(one["jwk"])
            if one["jwk"] != key.jwk() or set(one) != {"path", "jwk"} or key.kid in self.keys:
                raise ProofError("a key of the bundle is malformed or stands twice")
            if trusted is not None and trusted.get(key.kid) != key:
                raise ProofError(f"the key {key.kid} of {one['path']} is none of the known ones")
            self.keys[key.kid] = (str(one["path"]), key)

    def opened(self, compact: str, typ: str, path: str) -> dict[str, Any]:
        taken = jws.parse(compact)
        where, key = self.keys.get(taken.kid, ("", None))
        if key is None or where != path:
            raise ProofError(f"{typ} is not signed with a key of {path}")
        return taken.verify(key, typ)


def _same(told: object, wanted: object, what: str) -> None:
    if told != wanted:
        raise ProofError(f"{what} does not agree with the rest")


def _verify(bundle: dict[str, Any], trusted: Mapping[str, PublicKey] | None) -> Proven:
    ring = _Ring(bundle["keys"], trusted)
    lottery, rules = str(bundle["lottery"]), bundle["rules"]
    digest = canonical.digest(rules)
    _same(rules["draw"], draw.METHOD, "the way of drawing")
    opening = ring.opened(bundle["opening"], statements.OPENING, OWN)
    _same((opening["lottery"], opening["rules"]), (lottery, digest), "the opening")
    entries = _entries(bundle, rules)
    root = draw.root_of(entries)
    told = ring.opened(bundle["list"], statements.LIST, OWN)
    listed = (told["lottery"], told["rules"], told["root"], told["size"])
    _same(listed, (lottery, digest, root, len(entries)), "the list")
    voids = _voids(bundle, ring, digest, root, told["commitments"])
    secrets = _secrets(
        ring, rules["parties"], lottery, bundle["round"], digest, root, bundle["commitments"],
        bundle["reveals"],
    )  # fmt: skip
    if not voids:
        _same(told["commitments"], canonical.digest(bundle["commitments"]), "the list")
    _same(bool(bundle["beacon"]), rules["beacon"] is not None, "the beacon")
    seed = draw.seed_of(lottery, bundle["round"], digest, root, secrets, bundle["beacon"])
    pools = [(one["name"], one["places"]) for one in rules["pools"]]
    outcomes = draw.draw(seed, pools, entries)
    _same(bundle["outcomes"], canonical.plain(outcomes), "the outcome")
    result = ring.opened(bundle["result"], statements.RESULT, OWN)
    rest = {name: value for name, value in bundle.items() if name != "result"}
    wanted = {**_but_at(statements.result(rest, seed, outcomes, _EPOCH))}
    _same(_but_at(result), wanted, "the result")
    return Proven(
        lottery, rules, root, seed, entries, tuple(outcomes),
        tuple((path, kid) for kid, (path, _) in ring.keys.items()), voids,
    )  # fmt: skip


def _but_at(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if name != "at"}


def _entries(bundle: Mapping[str, Any], rules: Mapping[str, Any]) -> tuple[Entry, ...]:
    pools = {one["name"] for one in rules["pools"]}
    entries = tuple(Entry(*line) for line in bundle["applications"])
    for one in entries:
        if type(one.pseudonym) is not str or one.pool not in pools:
            raise ProofError("an application is in no pool")
        if type(one.chances) is not int or not 1 <= one.chances <= rules["chances"]:
            raise ProofError("an application has more chances than the rules allow, or none")
    if any(a.pseudonym >= b.pseudonym for a, b in itertools.pairwise(entries)):
        raise ProofError("the list is not sorted, or somebody stands in it twice")
    return entries


def _voids(
    bundle: Mapping[str, Any], ring: _Ring, digest: str, root: str, first: str
) -> tuple[tuple[str, ...], ...]:
    """Each void round, checked as far as it went; the list names the first commitments."""
    found = []
    for number, compact in enumerate(bundle["voids"], 1):
        told = ring.opened(compact, statements.VOID, OWN)
        _same((told["lottery"], told["round"]), (bundle["lottery"], number), "a void round")
        there = [p for p in bundle["rules"]["parties"] if p not in told["missing"]]
        _same(bool(told["missing"]), True, "a void round")
        if number == 1:
            _same(first, canonical.digest(told["commitments"]), "the list")
        _commitments(
            ring, bundle["rules"]["parties"], bundle["lottery"], number, digest,
            told["commitments"],
        )  # fmt: skip
        for party, one in zip(there, told["reveals"], strict=True):
            said = ring.opened(one, statements.REVEAL, party)
            _same((said["round"], said["root"]), (number, root), "a reveal of a void round")
        found.append(tuple(told["missing"]))
    _same(bundle["round"], len(found) + 1, "the round")
    return tuple(found)


def _commitments(
    ring: _Ring, parties: list[str], lottery: str, number: int, digest: str, given: list[str]
) -> dict[str, str]:
    _same(len(given), len(parties), "the commitments")
    found = {}
    for party, one in zip(parties, given, strict=True):
        told = ring.opened(one, statements.COMMITMENT, party)
        wanted = statements.commitment(lottery, number, digest, party, str(told["commitment"]))
        _same(told, wanted, f"the commitment of {party}")
        found[party] = str(told["commitment"])
    return found


def _secrets(
    ring: _Ring,
    parties: list[str],
    lottery: str,
    number: int,
    digest: str,
    root: str,
    commitments: list[str],
    reveals: list[str],
) -> dict[str, bytes]:
    committed = _commitments(ring, parties, lottery, number, digest, commitments)
    _same(len(reveals), len(parties), "the reveals")
    found = {}
    for party, one in zip(parties, reveals, strict=True):
        told = ring.opened(one, statements.REVEAL, party)
        secret = bytes.fromhex(told["secret"])
        wanted = statements.reveal(lottery, number, digest, root, party, secret)
        _same(told, wanted, f"the reveal of {party}")
        _same(draw.commitment(lottery, number, party, secret), committed[party],
              f"what {party} revealed")  # fmt: skip
        if len(secret) != draw.SECRET_BYTES:
            raise ProofError(f"the secret of {party} has not {draw.SECRET_BYTES} bytes")
        found[party] = secret
    return found


class Drawn:
    """A list that was drawn, ready to prove where an application of it stands."""

    def __init__(
        self, entries: tuple[Entry, ...], outcomes: tuple[Outcome, ...], seed: bytes
    ) -> None:
        self.outcomes = outcomes
        self._entries, self._seed = entries, seed
        self._leaves = [one.leaf() for one in entries]
        self._root = merkle.root(self._leaves).hex()
        self._places = {one.pseudonym: index for index, one in enumerate(entries)}

    def standing(self, pseudonym: str) -> Standing:
        """The proof of one application.

        Raises:
            ProofError: it is not in the list.
        """
        index = self._places.get(pseudonym)
        if index is None:
            raise ProofError("this pseudonym is not in the list")
        entry = self._entries[index]
        pool = next(one for one in self.outcomes if one.pool == entry.pool)
        proof = tuple(one.hex() for one in merkle.inclusion(self._leaves, index))
        scored = draw.score(self._seed, entry).hex()
        return Standing(
            entry, index, len(self._entries), proof, self._root, scored, pool.cutoff,
            bool(pool.cutoff) and scored <= pool.cutoff,
        )  # fmt: skip


def prove(proven: Proven, pseudonym: str) -> Standing:
    """The proof of one application of a bundle that holds.

    Raises:
        ProofError: it is not in the list.
    """
    return Drawn(proven.entries, proven.outcomes, proven.seed).standing(pseudonym)
