"""Proofs in a large tree without its leaves: roots of whole subtrees are kept for every 256.

A tree of a million leaves has 3,906 kept nodes; a proof needs those and the leaves of two groups.
"""

from collections.abc import Callable, Sequence

from workloads.data_exchange.proofs import merkle

#: Leaves below a kept node, a power of two.
GROUP = 256

#: Gives the hashes of the leaves ``[first, last)``.
Leaves = Callable[[int, int], Sequence[bytes]]


class LargeTree:
    """The tree over the first ``size`` leaves of a log.

    Args:
        size: how many leaves it has.
        nodes: the roots of the whole groups of 256, in order; as many as there are.
        leaves: gives the leaves of a range; asked for at most a group at a time.
    """

    def __init__(self, size: int, nodes: Sequence[bytes], leaves: Leaves) -> None:
        self.size = size
        self._nodes = nodes
        self._leaves = leaves
        self._groups: dict[int, Sequence[bytes]] = {}
        self._roots: dict[tuple[int, int], bytes] = {}

    @property
    def root(self) -> bytes:
        """The root over all its leaves."""
        return self._root(0, self.size)

    def inclusion(self, index: int) -> list[bytes]:
        """The proof that a leaf is in it (RFC 9162, 2.1.3.1).

        Raises:
            IndexError: there is no such leaf.
        """
        if not 0 <= index < self.size:
            raise IndexError("there is no such leaf")
        first, last, found = 0, self.size, []
        while last - first > 1:
            half = first + merkle.half(last - first)
            if index < half:
                found.append(self._root(half, last))
                last = half
            else:
                found.append(self._root(first, half))
                first = half
        return found[::-1]

    def consistency(self, before: int) -> list[bytes]:
        """The proof that the tree of the first leaves became this one (RFC 9162, 2.1.4.1).

        Raises:
            IndexError: the tree has not that many leaves, or none were asked for.
        """
        if not 0 < before <= self.size:
            raise IndexError("there is no such tree")
        first, last, whole, found = 0, self.size, True, []
        while before != last:
            half = first + merkle.half(last - first)
            if before <= half:
                found.append(self._root(half, last))
                last = half
            else:
                found.append(self._root(first, half))
                first, whole = half, False
        return ([] if whole else [self._root(first, last)]) + found[::-1]

    def _root(self, first: int, last: int) -> bytes:
        if last - first <= GROUP:
            if last - first == GROUP and first // GROUP < len(self._nodes):
                return self._nodes[first // GROUP]
            return merkle.root(self._group(first, last))
        # Kept: the paths of many leaves go through the same nodes.
        found = self._roots.get((first, last))
        if found is None:
            half = first + merkle.half(last - first)
            found = merkle.node(self._root(first, half), self._root(half, last))
            self._roots[first, last] = found
        return found

    def _group(self, first: int, last: int) -> Sequence[bytes]:
        number = first // GROUP
        if number not in self._groups:
            end = min(self.size, (number + 1) * GROUP)
            self._groups[number] = self._leaves(number * GROUP, end)
        return self._groups[number][first - number * GROUP : last - number * GROUP]
