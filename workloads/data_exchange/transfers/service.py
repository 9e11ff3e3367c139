"""The use cases of batches: make, seal, look at, delete."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.contracts.model import AgreementState
from workloads.data_exchange.proofs.keys import ProofError
from workloads.data_exchange.transfers.model import (
    MANIFEST,
    TITLE_MAX,
    Batch,
    BatchState,
    File,
    Listed,
    Wrong,
    check_name,
    manifest_of,
    read_listed,
)
from workloads.data_exchange.transfers.ports import (
    Audit,
    BatchStore,
    Contracts,
    Operations,
    Ring,
    Work,
)

NOUN = "batch"
KIND = "transfers.publish"
_DAYS_MAX = 366
_FOUND_MAX = 50


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with."""

    store: BatchStore
    db: Work
    clock: Clock
    audit: Audit
    contracts: Contracts
    keys: Ring
    operations: Operations
    #: Why no batch can be begun; empty: they can.
    why_not: str = ""


class Batches:
    """Batches of files, as their provider makes them and both sides see them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db
        self.why_not = parts.why_not

    def create(self, actor: Actor, agreement: str, *, title: str, days: int) -> Batch:
        """Begin a batch for the consumer of an agreement.

        Args:
            actor: who asks; may send for the provider.
            agreement: its id.
            title: for people.
            days: after which it goes with all its files.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agreement, or none that the actor may know of.
            Forbidden: they may not send for the provider.
            Conflict: it is not in force, or no files are taken here.
        """
        with self._db.transaction():
            there = self._parts.contracts.agreement(actor, agreement)
            _require(actor, there.provider)
            if self.why_not:
                raise Conflict(self.why_not)
            wrong = Collector()
            wrong.check(
                0 < len(title.strip()) <= TITLE_MAX and title.isprintable(), "title",
                "must be 1 to 200 characters that can be seen",
            )  # fmt: skip
            wrong.check(0 < days <= _DAYS_MAX, "days", "must be 1 to 366")
            wrong.finish()
            now = self._parts.clock.now()
            if there.state(now) is not AgreementState.IN_FORCE:
                raise Conflict(f"the agreement is {there.state(now)}", state=there.state(now))
            batch = Batch(
                ids.new("bat"), there.id, there.provider, there.consumer, title.strip(),
                BatchState.OPEN, now, min(now + timedelta(days=days), there.ends),
            )  # fmt: skip
            self._store.add(batch)
            self._note(actor, "create", batch, title=batch.title)
            return batch

    def batch(self, actor: Actor, batch_id: str) -> Batch:
        """One, for either side.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
        """
        with self._db.transaction():
            return self._find(actor, batch_id)

    def batches(
        self, actor: Actor, page: PageRequest, *, agreement: str = "",
        state: BatchState | None = None,
    ) -> Page[Batch]:  # fmt: skip
        """Those of the actor's agencies, newest first."""
        with self._db.transaction():
            paths = policy.visible_paths(actor, "transfer.view")
            return self._store.list(paths, agreement, state, page)

    def files(self, actor: Actor, batch_id: str, page: PageRequest) -> Page[File]:
        """The files of a batch, by name.

        Raises:
            NotFound: there is no such batch, or it is none of the actor's business.
        """
        with self._db.transaction():
            return self._store.page_of_files(self._find(actor, batch_id).id, page)

    def seal(self, actor: Actor, batch_id: str, *, files: object = None, jws: str = "") -> Batch:
        """Say what a batch is made of, so that it is checked and published.

        Args:
            actor: may send for the provider.
            batch_id: of an open batch.
            files: names, sizes and digests; signed here with the provider's key that is kept here.
            jws: the same signed elsewhere, with the provider's own key, in place of ``files``.

        Raises:
            Invalid: names every wrong field; files that are missing, not whole, or of other sizes.
            NotFound: there is no such batch, or it is none of the actor's business.
            Forbidden: they may not send for the provider.
            Conflict: it is not open, or the provider has no key here.
        """
        with self._db.transaction():
            batch = self._own(actor, batch_id)
            if batch.state is not BatchState.OPEN:
                raise Conflict(f"the batch is {batch.state}", state=batch.state)
            if bool(jws) == (files is not None):
                raise Invalid([Problem("files", "is needed, or jws, and not both")])
            wrong = Collector()
            listed = self._signed(batch, jws, wrong) if jws else read_listed(wrong, files)
            wrong.finish()
            self._compare(batch, listed, wrong)
            wrong.finish()
            manifest = jws or self._parts.keys.sign(
                batch.path, manifest_of(batch, listed), MANIFEST
            )
            sealed = replace(batch, state=BatchState.CHECKING, manifest=manifest, wrong=())
            self._store.update(sealed)
            self._note(actor, "seal", sealed, files=len(listed))
            self._parts.operations.start(
                KIND, subject=batch.id, path=batch.path, inputs={}, actor=actor
            )
            return sealed

    def _signed(self, batch: Batch, jws: str, wrong: Collector) -> list[Listed]:
        try:
            found = self._parts.keys.verify(jws, MANIFEST)
        except ProofError as error:
            wrong.check(False, "jws", str(error))
            return []
        wrong.check(found.key.path == batch.path, "jws", "is not signed by the provider")
        listed = read_listed(wrong, found.payload.get("files"), "jws.files")
        same = dict(found.payload) == manifest_of(batch, listed)
        wrong.check(wrong.problems or same, "jws", "is not the manifest of this batch")
        return listed

    def _compare(self, batch: Batch, listed: list[Listed], wrong: Collector) -> None:
        """Sizes and names at once; digests are compared by a worker that reads all of it."""
        there = {one.name: one for one in self._store.files(batch.id)}
        for n, one in enumerate(listed):
            found = there.pop(one.name, None)
            check_name(wrong, one.name, f"files.{n}.name")
            if found is None:
                wrong.check(False, f"files.{n}.name", "was not sent", "missing")
            elif not found.whole:
                wrong.check(False, f"files.{n}.name", "has not come whole", "incomplete")
            else:
                wrong.check(found.size == one.size, f"files.{n}.size", "is not what was sent")
        for name in sorted(there)[:_FOUND_MAX]:
            wrong.check(False, "files", f"lacks {name}, which was sent", "unlisted")

    def delete(self, actor: Actor, batch_id: str) -> Batch:
        """Take a batch back; its files go.

        Raises:
            NotFound: there is no such batch, or it is none of the actor's business.
            Forbidden: they may not send for the provider.
        """
        with self._db.transaction():
            batch = self._own(actor, batch_id)
            return self._end(actor, batch) if batch.state is not BatchState.GONE else batch

    def _end(self, actor: Actor, batch: Batch) -> Batch:
        gone = replace(batch, state=BatchState.GONE)
        self._store.update(gone)
        self._note(actor, "delete", gone)
        return gone

    def expire(self, limit: int = 100) -> int:
        """Let those go whose time is over; answers how many."""
        system = Actor.system("transfers")
        with self._db.transaction():
            found = self._store.expired(self._parts.clock.now(), limit)
            for one in found:
                batch = self._store.find(one, lock=True)
                if batch is not None and batch.state is not BatchState.GONE:
                    self._end(system, batch)
            return len(found)

    def published(self, batch_id: str, found: tuple[Wrong, ...], digests: dict[str, str]) -> Batch:
        """What the check found: published, all of it at once, or open again. For workers.

        Raises:
            Conflict: it is not being checked.
        """
        with self._db.transaction():
            # Positions are drawn one after the other: who asks for what is new misses none.
            self._db.lock("exchange:batch-position")
            batch = self._store.find(batch_id, lock=True)
            if batch is None or batch.state is not BatchState.CHECKING:
                raise Conflict("the batch is not being checked")
            now = self._parts.clock.now()
            if found:
                done = replace(batch, state=BatchState.OPEN, manifest="", wrong=found[:_FOUND_MAX])
            else:
                done = replace(
                    batch, state=BatchState.PUBLISHED, published_at=now,
                    position=self._store.next_position(),
                )  # fmt: skip
                for one in self._store.files(batch_id):
                    self._store.update_file(replace(one, digest=digests[one.id]))
            self._store.update(done)
            self._note(
                Actor.system("transfers"), "refuse" if found else "publish", done,
                files=done.files, wrong=len(found),
            )  # fmt: skip
            return done

    # --- for the gateway, which has let the consumer in: these authorise nobody

    def offered(self, agreement: str, after: int, limit: int) -> list[Batch]:
        """The published batches of an agreement behind a position."""
        with self._db.transaction():
            now = self._parts.clock.now()
            found = self._store.published(agreement, after, limit)
            return [one for one in found if one.expires_at > now]

    def opened(self, agreement: str, batch_id: str, file_id: str = "") -> tuple[Batch, File | None]:
        """A published batch of an agreement, and a file of it.

        Raises:
            NotFound: there is none.
        """
        with self._db.transaction():
            batch = self._store.find(batch_id)
            if (
                batch is None
                or batch.agreement != agreement
                or batch.state is not BatchState.PUBLISHED
                or batch.expires_at <= self._parts.clock.now()
            ):
                raise policy.unknown(NOUN)
            file = self._store.file(file_id) if file_id else None
            if file_id and (file is None or file.batch != batch.id):
                raise policy.unknown(NOUN)
            return batch, file

    def listing(self, batch_id: str) -> list[File]:
        """All files of a batch."""
        with self._db.transaction():
            return list(self._store.files(batch_id))

    def _find(self, actor: Actor, batch_id: str, *, lock: bool = False) -> Batch:
        found = self._store.find(batch_id, lock=lock)
        if found is None or not any(
            policy.allows(actor, "transfer.view", path) for path in (found.path, found.consumer)
        ):
            raise policy.unknown(NOUN)
        return found

    def _own(self, actor: Actor, batch_id: str) -> Batch:
        batch = self._find(actor, batch_id, lock=True)
        _require(actor, batch.path)
        return batch

    def _note(self, actor: Actor, action: str, batch: Batch, **details: object) -> None:
        self._parts.audit.record(
            actor, f"transfer.{action}", subject=batch.id, path=batch.path,
            details={"agreement": batch.agreement, **details},
        )  # fmt: skip


def _require(actor: Actor, path: str) -> None:
    """Who may know of it learns that they may not send."""
    if not policy.allows(actor, "transfer.send", path):
        raise Forbidden(f"this needs the permission transfer.send on {path}",
                        action="transfer.send", path=path)  # fmt: skip


def until(at: datetime) -> str:
    """As HTTP writes a time (RFC 9110, 5.6.7)."""
    return f"{at:%a, %d %b %Y %H:%M:%S} GMT"
