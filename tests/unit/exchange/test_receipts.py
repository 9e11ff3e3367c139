"""Receipts: their text, their chain, and proofs in large trees."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel import canonical
from tests.harness.exchange_receipts import draft
from workloads.data_exchange.proofs import merkle
from workloads.data_exchange.proofs.keys import ProofError, encoded
from workloads.data_exchange.receipts.model import (
    Chains,
    body_of,
    day_of,
    new_log,
    place_of,
)
from workloads.data_exchange.receipts.tree import GROUP, LargeTree

AT = datetime(2026, 11, 21, 8, 0, 0, 5, tzinfo=UTC)


@given(st.text(st.characters(exclude_categories=("Cs",))), st.integers(0, 2**53 - 1))
def test_the_text_of_a_receipt_is_canonical(text: str, number: int) -> None:
    body = body_of(draft(AT, text), "log", number, 1, text)
    assert body == canonical.dumps(json.loads(body))


def test_chains_of_agreements_stand_side_by_side_in_one_log() -> None:
    chains = Chains(new_log(AT))
    first = chains.place([draft(AT, "a"), draft(AT, "b"), draft(AT, "a")])
    assert [(one.number, one.sequence) for one in first] == [(1, 1), (2, 1), (3, 2)]
    assert first[2].previous == encoded(first[0].hash)
    assert first[1].previous == ""
    # Not kept: the same places are given again.
    assert [one.number for one in chains.place([draft(AT, "b")])] == [1]
    chains.place([draft(AT, "a"), draft(AT, "b")])
    chains.keep(2)
    (next_one,) = chains.place([draft(AT, "b")])
    assert (next_one.number, next_one.sequence) == (3, 2)


def test_an_id_names_its_place() -> None:
    log = new_log(AT)
    assert day_of(log) == AT.date()
    assert place_of(f"rcp_{log}-17") == (log, 17)
    for wrong in ("", "rcp_", f"rcp_{log}-0", f"rcp_{log}-1x", f"rcp_2026{log}-1",
                  f"rcp_{log}-{'9' * 30}", "rcp_20269999-" + log[9:] + "-1"):  # fmt: skip
        with pytest.raises(ProofError):
            place_of(wrong)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 1000, 1281])
def test_a_large_tree_proves_what_a_whole_one_does(size: int) -> None:
    leaves = [merkle.leaf(str(n).encode()) for n in range(size)]
    nodes = [merkle.root(leaves[n : n + GROUP]) for n in range(0, size - GROUP + 1, GROUP)]
    asked = []

    def some(first: int, last: int) -> list[bytes]:
        asked.append((first, last))
        return leaves[first:last]

    for index in {0, 1, size // 2, size - 1} - {size}:
        tree = LargeTree(size, nodes, some)
        asked.clear()
        assert tree.root == merkle.root(leaves)
        assert tree.inclusion(min(index, size - 1)) == merkle.inclusion(
            leaves, min(index, size - 1)
        )
        assert len(asked) <= 2
        assert tree.consistency(index + 1) == merkle.consistency(leaves, index + 1)
    with pytest.raises(IndexError):
        LargeTree(size, nodes, some).inclusion(size)
    with pytest.raises(IndexError):
        LargeTree(size, nodes, some).consistency(0)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_tree_goes_on_where_it_was(first: int, more: int) -> None:
    leaves = [hashlib.sha256(str(n).encode()).digest() for n in range(first + more)]
    begun = merkle.Tree(leaves[:first])
    again = merkle.Tree.resume(begun.size, begun.peaks)
    for one in leaves[first:]:
        again.add(one)
    assert again.root == merkle.root(leaves)
    with pytest.raises(ValueError, match="peaks"):
        merkle.Tree.resume(3, ())
