"""Merkle trees over SHA-256, with the hashes and proofs of Certificate Transparency (RFC 9162).

A leaf is hashed with a zero byte before it and a node with a one, so that none is taken for the
other; a tree of any size has one root.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of the node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over hashes of leaves."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    while len(level) > 1:
        # The last of an odd row goes up as it is: the same tree as that of the definition.
        paired = [node(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
        level = [*paired, level[-1]] if len(level) % 2 else paired
    return level[0]


class Tree:
    """Grows leaf by leaf, keeping only what is needed for the root."""

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # roots of whole subtrees, largest first
        for one in leaves:
            self.add(one)

    @staticmethod
    def resume(size: int, peaks: Sequence[bytes]) -> "Tree":
        """A tree as it was, from its size and ``peaks``.

        Raises:
            ValueError: a tree of that size has another number of peaks.
        """
        if size.bit_count() != len(peaks):
            raise ValueError("these are not the peaks of such a tree")
        found = Tree()
        found.size, found._peaks = size, list(peaks)
        return found

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of its whole subtrees, largest first: all that is needed to go on."""
        return tuple(self._peaks)

    def add(self, hashed: bytes) -> None:
        """Append the hash of a leaf."""
        carried, size = hashed, self.size
        while size & 1:
            carried = node(self._peaks.pop(), carried)
            size >>= 1
        self._peaks.append(carried)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._peaks:
            return EMPTY
        *others, found = self._peaks
        for peak in reversed(others):
            found = node(peak, found)
        return found


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that the leaf at ``index`` is in the tree (RFC 9162, 2.1.3.1).

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError("there is no such leaf")
    if len(leaves) == 1:
        return []
    middle = half(len(leaves))
    if index < middle:
        return [*inclusion(leaves[:middle], index), root(leaves[middle:])]
    return [*inclusion(leaves[middle:], index - middle), root(leaves[:middle])]


def included(hashed: bytes, index: int, size: int, proof: Sequence[bytes], top: bytes) -> bool:
    """Whether a proof of inclusion holds (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, hashed
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == top


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the tree of the first leaves became this one (RFC 9162, 2.1.4.1).

    Raises:
        IndexError: the tree has not that many leaves, or none were asked for.
    """
    if not 0 < first <= len(leaves):
        raise IndexError("there is no such tree")
    return _subproof(leaves, first, whole=True)


def _subproof(leaves: Sequence[bytes], first: int, *, whole: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if whole else [root(leaves)]
    middle = half(len(leaves))
    if first <= middle:
        return [*_subproof(leaves[:middle], first, whole=whole), root(leaves[middle:])]
    return [*_subproof(leaves[middle:], first - middle, whole=False), root(leaves[:middle])]


def consistent(
    first: int, second: int, proof: Sequence[bytes], before: bytes, after: bytes
) -> bool:
    """Whether a proof of consistency holds (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not proof and before == after
    if not 0 < first < second or not proof:
        return False
    path = [before, *proof] if first & (first - 1) == 0 else list(proof)
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return fr == before and sr == after and sn == 0


def half(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1
