"""The use cases of receipts: read, prove, hand out, and sign checkpoints."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.keys.service import OWN_LOCK
from workloads.data_exchange.proofs import merkle
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError
from workloads.data_exchange.receipts import bundle, checkpoints
from workloads.data_exchange.receipts.bundle import About, Grown, Proven
from workloads.data_exchange.receipts.checkpoints import Checkpoint, Head, Ring
from workloads.data_exchange.receipts.model import Receipt, day_of, digest, place_of
from workloads.data_exchange.receipts.ports import (
    Audit,
    Filter,
    Log,
    Meters,
    OwnKeys,
    ReceiptStore,
    Traffic,
    Work,
)
from workloads.data_exchange.receipts.tree import GROUP, LargeTree
from workloads.data_exchange.usage.model import CALLS, SIZE_NAMES

NOUN = "receipt"
#: Answers that are sold: whole ones and parts of files.
_SOLD = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
#: Receipts of one log that one checkpoint takes in; the next one takes in the rest.
_ROUND = 50_000
#: A log ends with its day; this long after that nobody writes into it.
_CLOSES = timedelta(days=2)
_AHEAD = 8


class Receipts:
    """What was asked and answered, and the proof of it."""

    def __init__(
        self,
        store: ReceiptStore,
        db: Work,
        clock: Clock,
        keys: OwnKeys,
        audit: Audit,
        meters: Meters,
        traffic: Traffic,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._keys = keys
        self._audit = audit
        self._meters = meters
        self._traffic = traffic

    def receipts(
        self, actor: Actor, chosen: Filter, page: PageRequest
    ) -> Page[tuple[datetime, Receipt]]:
        """Those of the actor's agencies, as consumer or provider, newest first."""
        with self._db.transaction():
            paths = policy.visible_paths(actor, "receipt.view")
            whole = None if policy.ROOT in paths else paths
            return self._store.list(replace(chosen, paths=whole), page)

    def receipt(self, actor: Actor, receipt_id: str) -> Proven:
        """One, with its path to the newest checkpoint that has it.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
        """
        with self._db.transaction():
            return next(self._proven([self._find(actor, receipt_id)]))

    def _find(self, actor: Actor, receipt_id: str) -> Receipt:
        try:
            log, number = place_of(receipt_id)
        except ProofError:
            raise policy.unknown(NOUN) from None
        found = self._store.find(log, number)
        if found is None or not self._may_see(actor, found):
            raise policy.unknown(NOUN)
        return found

    def _may_see(self, actor: Actor, one: Receipt) -> bool:
        told = one.told()
        return any(
            policy.allows(actor, "receipt.view", told[side]) for side in ("consumer", "provider")
        )

    def export(self, actor: Actor, agreement: str) -> Iterator[bytes]:
        """A bundle with all receipts of an agreement that the actor may see, line by line.

        Raises:
            NotFound: there are none.
        """
        with self._db.transaction():
            paths = policy.visible_paths(actor, "receipt.view")
            chosen = Filter(agreement=agreement, paths=None if policy.ROOT in paths else paths)
            first = next(self._store.each(chosen), None)
            if first is None:
                raise policy.unknown(NOUN)
            private, keys, now = self._signing()
            about = About(agreement, now)
        return bundle.write(about, keys, self.parts(chosen), private)

    def archive(self, actor: Actor, day: date) -> Iterator[bytes]:
        """A bundle with all receipts of a day's logs (UTC), line by line, to be kept elsewhere.

        Raises:
            Forbidden: the actor may not have all of them.
            NotFound: there are none.
        """
        with self._db.transaction():
            policy.require(actor, "receipt.archive", policy.ROOT, NOUN)
            chosen = Filter(day=day)
            if next(self._store.each(chosen), None) is None:
                raise policy.unknown(NOUN)
            private, keys, now = self._signing()
            about = About("", now)
        return bundle.write(about, keys, self.parts(chosen), private)

    def own_keys(self) -> "list[Mapping[str, Any]]":
        """The exchange's public keys; for services, and for everybody."""
        with self._db.transaction():
            found: list[Mapping[str, Any]] = self._keys.jwks("/")["keys"]
            return found

    def parts(self, chosen: Filter) -> Iterator[Checkpoint | Proven | Grown]:
        """What a bundle of some receipts holds: each checkpoint before those that name it.

        For services; it authorises nobody.
        """
        with self._db.transaction():
            ring, told = Ring(self._keys.jwks("/")["keys"]), dict[int, Checkpoint]()
            for one in self._proven(self._store.each(chosen)):
                if one.checkpoint and one.checkpoint not in told:
                    told[one.checkpoint] = self._checkpoint(one.checkpoint, ring)
                    yield told[one.checkpoint]
                yield one
            seen: dict[str, tuple[int, int]] = {}
            for _, checkpoint in sorted(told.items()):
                yield from self._growth(checkpoint, seen)

    def _proven(self, receipts: "Iterator[Receipt] | list[Receipt]") -> Iterator[Proven]:
        """Receipts with their paths; those of one log follow each other."""
        log, number, tree = "", 0, LargeTree(0, (), lambda _first, _last: ())
        for one in receipts:
            if one.log != log:
                log, number, tree = one.log, *self._tree(one.log)
            if one.number <= tree.size:
                yield Proven(one, number, tuple(tree.inclusion(one.number - 1)))
            else:
                yield Proven(one, 0, ())

    def _tree(self, log: str) -> tuple[int, LargeTree]:
        number, size = self._store.covering(log) or (0, 0)
        return number, self._tree_of(log, size)

    def _tree_of(self, log: str, size: int) -> LargeTree:
        def leaves(first: int, last: int) -> list[bytes]:
            return list(self._store.hashes(log, first, last))

        return LargeTree(size, self._store.nodes(log, size), leaves)

    def checkpoints(self, page: PageRequest) -> Page[Checkpoint]:
        """All checkpoints, newest first; they are public, as they name nobody."""
        with self._db.transaction():
            ring, found = Ring(self._keys.jwks("/")["keys"]), self._store.checkpoints(page)
            return Page(tuple(checkpoints.read(text, ring) for _, text in found.items), found.next)

    def export_checkpoints(self, first: int, last: int) -> Iterator[bytes]:
        """A bundle of checkpoints with the proofs that each log only grew.

        Args:
            first: the number of the first one.
            last: of the last one; 0 for the newest.

        Raises:
            NotFound: there are none.
        """
        with self._db.transaction():
            newest = self._store.last_checkpoint()
            if newest is None or first > newest[0]:
                raise policy.unknown("checkpoint")
            private, keys, now = self._signing()
        about = About("", now)
        end = min(last or newest[0], newest[0])
        return bundle.write(about, keys, self._grown(max(first, 1), end), private)

    def _grown(self, first: int, last: int) -> Iterator[Checkpoint | Grown]:
        with self._db.transaction():
            ring, seen = Ring(self._keys.jwks("/")["keys"]), dict[str, tuple[int, int]]()
            for text in self._store.each_checkpoint(first, last):
                one = checkpoints.read(text, ring)
                yield one
                yield from self._growth(one, seen)

    def _growth(self, one: Checkpoint, seen: dict[str, tuple[int, int]]) -> Iterator[Grown]:
        """The proofs that its logs only grew since the checkpoints that were seen before."""
        for log, head in one.logs.items():
            if log in seen:
                earlier, size = seen[log]
                path = self._tree_of(log, head.size).consistency(size)
                yield Grown(log, earlier, one.number, tuple(path))
            seen[log] = (one.number, head.size)

    def _checkpoint(self, number: int, ring: Ring) -> Checkpoint:
        signed = self._store.signed_checkpoint(number)
        if signed is None:
            raise policy.unknown("checkpoint")
        return checkpoints.read(signed, ring)

    def sign_checkpoint(self) -> Checkpoint | None:
        """Sign how far all logs have grown since the last one; None when none has.

        A receipt in a log that is not followed by the one after it ends what is taken in: gaps are
        found by the verifier, not papered over.
        """
        with self._db.transaction():
            self._db.lock("exchange:checkpoint")
            private, _, now = self._signing()
            heads: dict[str, Head] = {}
            last = self._store.last_checkpoint()
            number = last[0] + 1 if last else 1
            for log in self._store.open_logs():
                grown = self._grow(log, number, now)
                if grown is not None:
                    heads[log.name] = grown
            if not heads:
                return None
            previous = digest(last[1].encode()) if last else ""
            made = checkpoints.sign(number, previous, now, heads, private)
            self._store.add_checkpoint(made)
            return made

    def _signing(self) -> tuple[PrivateKey, dict[str, Any], datetime]:
        """The key of now, all keys, and the time: none is replaced until the transaction ends."""
        self._db.lock(OWN_LOCK)
        private, keys = self._keys.private("/"), self._keys.jwks("/")
        return private, keys, self._clock.now()

    def _grow(self, log: Log, number: int, now: datetime) -> Head | None:
        hashes = self._store.hashes(log.name, log.size, log.size + _ROUND)
        over = not hashes and now.date() - day_of(log.name) >= _CLOSES
        if not hashes and not over:
            return None
        tree, nodes = merkle.Tree.resume(log.size, log.peaks), []
        group = list(self._store.hashes(log.name, log.size // GROUP * GROUP, log.size))
        for one in hashes:
            tree.add(one)
            group.append(one)
            if len(group) == GROUP:
                nodes.append((tree.size // GROUP - 1, merkle.root(group)))
                group = []
        kept = Log(log.name, log.opened_at, tree.size, tree.peaks,
                   number if hashes else log.checkpoint)  # fmt: skip
        self._store.keep_log(kept, nodes, closed=over)
        self._count(log, len(hashes))
        return Head(tree.size, tree.root) if hashes else None

    def _count(self, log: Log, more: int) -> None:
        """Count the calls that have ended, in the transaction that takes them in: once each."""
        sold: Counter[tuple[datetime, str, str]] = Counter()
        # Not as of the hour's start: then the service may not have been there yet.
        since: dict[datetime, datetime] = {}
        found = self._store.summed(log.name, log.size, log.size + more) if more else ()
        for one in found:
            told = one.counted
            if told.status in _SOLD and one.interface and one.quantity:
                sold[told.hour, one.interface, SIZE_NAMES[one.sold]] += one.quantity
                since[told.hour] = min(one.first, since.get(told.hour, one.first))
        for (hour, interface, size), many in sorted(sold.items()):
            self._meters.note(CALLS, since[hour], many, interface=interface, size=size)
        self._traffic.note([one.counted for one in found])

    def keep_house(self) -> None:
        """Make the partitions of the coming days, and forget old requests."""
        now = self._clock.now()
        with self._db.transaction():
            self._db.lock("exchange:receipt-partitions")
            self._store.make_partitions(now.date(), _AHEAD)
            self._store.forget_requests(now - timedelta(minutes=1))

    def take_proof(self, actor: Actor, receipt_id: str, *, reason: str) -> Receipt:
        """Take away the consumer's signature of a receipt, which may name a person in a path.

        Its digest stays in the body, and the chain and the tree hold.

        Raises:
            NotFound: there is no such receipt.
        """
        with self._db.transaction():
            found = self._find(actor, receipt_id)
            policy.require(actor, "receipt.redact", policy.ROOT, NOUN)
            self._store.take_proof(found.log, found.number)
            self._audit.record(
                actor, "receipt.redact", subject=found.id, path=policy.ROOT,
                details={"reason": reason},
            )  # fmt: skip
            return replace(found, proof="")
