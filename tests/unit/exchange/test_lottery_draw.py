"""A draw is fair, and its bundle bears no change of any byte."""

import hashlib
import itertools
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from foundation.kernel import canonical
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.draw import Entry
from workloads.data_exchange.lottery.verify import FORMAT, prove, verify
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError

AT = datetime(2026, 11, 3, tzinfo=UTC)
OWN, ONE, TWO = (PrivateKey(bytes([n]) * 32) for n in (1, 2, 3))
PARTIES = {"/a/": ONE, "/b/": TWO}


def seeds(count: int) -> list[bytes]:
    return [hashlib.sha256(b"fairness" + n.to_bytes(4, "big")).digest() for n in range(count)]


def test_every_set_of_winners_is_equally_likely() -> None:
    entries = [Entry(name, "p", 1) for name in "abcde"]
    found: Counter[frozenset[str]] = Counter()
    runs = 6000
    for seed in seeds(runs):
        found[frozenset(draw.draw(seed, [("p", 2)], entries)[0].winners)] += 1
    assert len(found) == 10
    chi = sum((n - runs / 10) ** 2 / (runs / 10) for n in found.values())
    assert chi < 27.88  # 9 degrees of freedom, p = 0.001


def test_a_chance_is_a_ticket() -> None:
    entries = [Entry("a", "p", 1), Entry("b", "p", 2), Entry("c", "p", 3)]
    found: Counter[tuple[str, ...]] = Counter()
    runs = 6000
    for seed in seeds(runs):
        found[draw.draw(seed, [("p", 2)], entries)[0].winners] += 1
    chi, weights = 0.0, {"a": 1, "b": 2, "c": 3}
    for first, second in itertools.permutations("abc", 2):
        left = 6 - weights[first]
        wanted = runs * weights[first] / 6 * weights[second] / left
        chi += (found[first, second] - wanted) ** 2 / wanted
    assert chi < 20.52  # 5 degrees of freedom, p = 0.001


def test_the_seed_hangs_on_everything() -> None:
    given = ("lot_1", 1, "sha256:r", "00", {"/a/": b"1" * 32, "/b/": b"2" * 32}, "")
    others = [
        ("lot_2", *given[1:]), (given[0], 2, *given[2:]), (*given[:2], "sha256:s", *given[3:]),
        (*given[:3], "01", *given[4:]), (*given[:4], {"/a/": b"1" * 32, "/b/": b"3" * 32}, ""),
        (*given[:5], "x"),
    ]  # fmt: skip
    assert len({draw.seed_of(*one) for one in (given, *others)}) == 7  # type: ignore[arg-type]


def bundle(**changes: Any) -> bytes:
    """A small lottery, drawn; ``changes`` are what a dishonest exchange would publish instead."""
    rules = {
        "draw": draw.METHOD, "pools": [{"name": "p", "places": 1}], "parties": list(PARTIES),
        "chances": 3, "beacon": None, **changes.get("rules", {}),
    }  # fmt: skip
    lottery, digest = "lot_1", canonical.digest(rules)
    entries = [Entry(name, "p", 1) for name in changes.get("applications", "ab")]
    root = draw.root_of(entries)
    secrets = {path: key.seed for path, key in PARTIES.items()}
    commitments = [
        jws.sign(
            statements.commitment(lottery, 1, digest, path, draw.commitment(lottery, 1, path, one)),
            PARTIES[path], statements.COMMITMENT,
        )
        for path, one in secrets.items()
    ]  # fmt: skip
    secrets.update(changes.get("secrets", {}))
    told = statements.frozen(lottery, digest, root, len(entries), 0, commitments, AT)
    told.update(changes.get("list", {}))
    seed = draw.seed_of(lottery, 1, digest, root, secrets, "")
    outcomes = changes.get("outcomes") or draw.draw(seed, [("p", 1)], entries)
    rest = {
        "format": FORMAT, "lottery": lottery, "rules": rules, "round": 1, "voids": [],
        "opening": jws.sign(
            {**statements.opening(lottery, digest, AT), **changes.get("opening", {})},
            OWN, statements.OPENING,
        ),
        "keys": [
            {"path": path, "jwk": key.public.jwk()} for path, key in {"/": OWN, **PARTIES}.items()
        ],
        "commitments": commitments, "list": jws.sign(told, OWN, statements.LIST),
        "applications": [[e.pseudonym, e.pool, e.chances] for e in entries],
        "reveals": [
            jws.sign(
                statements.reveal(lottery, 1, digest, root, path, one), PARTIES[path],
                statements.REVEAL,
            )
            for path, one in secrets.items()
        ],
        "beacon": changes.get("beacon", ""), "outcomes": canonical.plain(outcomes),
    }  # fmt: skip
    result = jws.sign(statements.result(rest, seed, outcomes, AT), OWN, statements.RESULT)
    return canonical.dumps({**rest, "result": result}).encode() + b"\n"


def test_any_changed_byte_is_found() -> None:
    good = bundle()
    assert len(verify(good).outcomes[0].winners) == 1
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 6
        with pytest.raises(ProofError):
            verify(bytes(bad))
    for cut in range(0, len(good), 97):
        with pytest.raises(ProofError):
            verify(good[:cut])


def test_the_exchange_is_not_believed() -> None:
    """Each of these is signed as it should be, and wrong."""
    winner = verify(bundle()).outcomes[0].winners[0]
    (loser,) = {"a", "b"} - {winner}
    proven = verify(bundle())
    false = draw.Outcome("p", 1, 2, (loser,), prove(proven, loser).score)
    for changes in (
        {"outcomes": [false]},
        {"list": {"root": "00" * 32}},
        {"list": {"size": 3}},
        {"list": {"rules": "sha256:0"}},
        {"list": {"commitments": "sha256:0"}},
        {"opening": {"rules": "sha256:0"}},
        {"secrets": {"/a/": b"x" * 32}},
        {"applications": "ba"},
        {"applications": "aa"},
        {"rules": {"chances": 0}},
        {"rules": {"draw": "another way"}},
        {"beacon": "a value that no rule names"},
    ):
        with pytest.raises(ProofError):
            verify(bundle(**changes))


def test_what_is_no_bundle() -> None:
    good = json.loads(bundle())
    for data in (
        b"", b"\xff", b"[]\n", b"{}\n", b"[" * 100_000, b"1e999\n",
        json.dumps(good).encode(),
        *(
            canonical.dumps({**good, name: value}).encode() + b"\n"
            for name in good for value in (None, [], {}, 1, "x", [None], [[1, 2]])
                if value != good[name]
        ),
    ):  # fmt: skip
        with pytest.raises(ProofError):
            verify(data)
