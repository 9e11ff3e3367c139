"""The audit log: append-only, and a chain of hashes that shows what was changed or taken away."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from foundation.access import policy
from foundation.access.model import (
    GENESIS,
    AuditEntry,
    AuditQuery,
    Finding,
    Outcome,
    Verification,
)
from foundation.access.ports import AuditStore
from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock

_MAX_FINDINGS = 100
_EXACT = 2**53  # RFC 8785 numbers are IEEE 754 doubles


class AuditLog:
    """Who did what, in one order, such that later changes are found.

    The entry of an action is written in the action's own transaction, as its last step: both are
    kept or neither. The last entry is sealed with a key that is not in the database, so whoever
    can write to the database alone cannot cut the log's end and seal what is left.

    Args:
        store: the rows.
        db: the unit of work that features share.
        clock: when things happen.
        key: the secret that seals the end of the chain.
    """

    def __init__(self, store: AuditStore, db: UnitOfWork, clock: Clock, key: bytes) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._key = key

    def record(
        self,
        actor: Actor,
        action: str,
        *,
        path: str,
        subject: str = "",
        details: Mapping[str, Any] | None = None,
        outcome: Outcome = Outcome.DONE,
        key: str | None = None,
    ) -> None:
        """Note an action in the open transaction; for features above, after they authorised.

        Args:
            actor: who did it.
            action: ``noun.verb``, as in the table of roles where it is there.
            path: the organisation whose administrators and auditors may read of it.
            subject: the id of what was acted upon.
            details: what else matters, as JSON; never a secret.
            outcome: how it ended. A refusal must be noted in a transaction of its own, or it is
                rolled back with what was refused.
            key: for work that may run more than once: an entry with the same key is not repeated.

        Raises:
            RuntimeError: no transaction is open.
        """
        entry = AuditEntry(
            seq=0,
            at=self._clock.now(),
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            subject=subject,
            path=path,
            outcome=outcome,
            detail=_keepable(canonical.plain(details or {})),
            prev="",
            key=key,
        )
        self._db.before_commit(lambda: self._append(entry))

    def _append(self, entry: AuditEntry) -> None:
        last_seq, last_hash, _ = self._store.lock_head()
        if entry.key is not None and self._store.has(entry.key):
            return
        linked = replace(entry, seq=last_seq + 1, prev=last_hash)
        linked = replace(linked, hash=linked.computed_hash())
        self._store.append(linked, self._seal(linked.seq, linked.hash))

    def _seal(self, seq: int, last_hash: str) -> str:
        return hmac.new(self._key, f"{seq}:{last_hash}".encode(), hashlib.sha256).hexdigest()

    def entries(self, actor: Actor, query: AuditQuery, page: PageRequest) -> Page[AuditEntry]:
        """The entries that the actor may read, newest first."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "audit.view"), query, page)

    def verify(self, actor: Actor, *, kept: tuple[int, str] | None = None) -> Verification:
        """Read the whole log and say what is wrong with it.

        Args:
            actor: needs ``audit.verify`` on the whole platform.
            kept: number and hash of a head that an earlier verification gave and that was kept
                elsewhere; with it, a log that was cut back and sealed again is found too.

        Raises:
            Forbidden: the actor may not.
        """
        policy.require(actor, "audit.verify", policy.ROOT)
        with self._db.transaction():
            self._store.snapshot()
            return self._walk(kept)

    def _walk(self, kept: tuple[int, str] | None) -> Verification:
        head_seq, head_hash, seal = self._store.head()
        found: list[Finding] = []
        count, last_seq, last_hash = 0, 0, GENESIS
        kept_seq, kept_hash = kept or (0, GENESIS)
        for entry in self._store.read(0, max(head_seq, kept_seq)):
            count += 1
            found += _wrong_with(entry, last_seq, last_hash)
            if entry.seq == kept_seq and entry.hash != kept_hash:
                found.append(Finding(entry.seq, "rewritten", "is not the entry that was kept"))
            last_seq, last_hash = entry.seq, entry.hash
            del found[_MAX_FINDINGS:]
        found += self._wrong_with_end((head_seq, head_hash, seal), (last_seq, last_hash))
        if last_seq < kept_seq:
            found.append(Finding(last_seq, "cut", f"the log once reached entry {kept_seq}"))
        return Verification(count, head_seq, head_hash, tuple(found[:_MAX_FINDINGS]))

    def _wrong_with_end(self, head: tuple[int, str, str], last: tuple[int, str]) -> list[Finding]:
        head_seq, head_hash, seal = head
        found = []
        if (head_seq, head_hash) != last:
            found.append(Finding(head_seq, "cut", f"the log ends at entry {last[0]}"))
        if head_seq and not hmac.compare_digest(seal, self._seal(head_seq, head_hash)):
            found.append(Finding(head_seq, "seal", "the end of the log is not sealed by us"))
        beyond = self._store.beyond(max(head_seq, last[0]))
        if beyond:
            found.append(Finding(head_seq, "inserted", f"{beyond} entries lie beyond the end"))
        return found


def _wrong_with(entry: AuditEntry, last_seq: int, last_hash: str) -> list[Finding]:
    found = []
    if entry.seq != last_seq + 1:
        message = f"entries {last_seq + 1} to {entry.seq - 1} are missing"
        found.append(Finding(entry.seq, "missing", message))
    elif entry.prev != last_hash:
        found.append(Finding(entry.seq, "link", "does not follow from the entry before it"))
    try:
        unchanged = entry.computed_hash() == entry.hash
    except ValueError:  # a changed entry may hold what has no canonical form
        unchanged = False
    if not unchanged:
        found.append(Finding(entry.seq, "changed", "is not what was written"))
    return found


def _keepable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The detail in a form that PostgreSQL gives back exactly as it was hashed."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT
    ):
        return str(value)
    if isinstance(value, Mapping):
        return {str(_keepable(name)): _keepable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_keepable(item) for item in value]
    return value
