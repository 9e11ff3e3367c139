"""Asking other participants what they offer.

Everything is bounded: pages, bytes and data sets of a catalogue, the time of an answer and of all
of them, and how many are asked at once. What is read is kept, with when it was said: people search
in it, and a negotiation begins with exactly the offer that they read.
"""

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from foundation.access import policy
from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, Unavailable
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.dataspace import documents
from workloads.data_exchange.dataspace.documents import Unreadable
from workloads.data_exchange.dataspace.elsewhere import finding, reading
from workloads.data_exchange.dataspace.elsewhere.model import Asked, Listed
from workloads.data_exchange.dataspace.elsewhere.ports import Audit, ElsewhereStore, Work
from workloads.data_exchange.dataspace.elsewhere.reading import Reader
from workloads.data_exchange.dataspace.model import LONGEST_ID, Participant
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.ports import Answered, Wire
from workloads.data_exchange.dataspace.sending import reason
from workloads.data_exchange.harvesting import links
from workloads.data_exchange.harvesting.plain import line

T = TypeVar("T")
_JSON = frozenset({"application/json", "application/ld+json"})
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
_LARGEST_FILTER = 16 * 1024
_OK, _NOT_THIS_WAY = 200, 405
_LATER = frozenset({408, 425, 429, *range(500, 600)})


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read of a catalogue.

    Attributes:
        pages: of it.
        page: bytes of one.
        whole: bytes of all of them.
        datasets: how many are looked at.
        answer: seconds for one answer.
        seconds: for all of them.
        at_once: how many participants are asked by a process at the same time.
    """

    pages: int = 100
    page: int = 4 * 1024 * 1024
    whole: int = 16 * 1024 * 1024
    datasets: int = 10_000
    answer: float = 10.0
    seconds: float = 30.0
    at_once: int = 4


@dataclass(slots=True)
class _Visit:
    """One time that a participant is asked: how much is left of the bounds."""

    peer: Participant
    until: float
    bytes: int


class Elsewhere:
    """What other participants offer.

    Args:
        store: where it is kept.
        db: the unit of work.
        clock: what time it is.
        audit: where every question is written down.
        wire: to other connectors.
        participants: who they are.
        bounds: how much is read.
        monotonic: a clock that only goes on.
    """

    def __init__(
        self, store: ElsewhereStore, db: Work, clock: Clock, audit: Audit, wire: Wire,
        participants: Participants, *, bounds: Bounds | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._wire = wire
        self._participants = participants
        self._bounds = bounds or Bounds()
        self._monotonic = monotonic
        self._places = threading.BoundedSemaphore(self._bounds.at_once)

    # --- asking

    def ask(self, actor: Actor, participant: str, *, filter: Sequence[Any] = ()) -> Asked:  # noqa: A002
        """Ask a participant for its catalogue and keep it in place of what was kept before.

        What was kept before stays when it cannot be read.

        Args:
            actor: an officer of any of our agencies.
            participant: its identifier.
            filter: an expression of the participant's own (Catalog Request Message).

        Raises:
            Invalid: the filter is too large.
            NotFound: no such participant.
            Forbidden: the actor may not negotiate for anybody.
            Unavailable: it does not answer at present, or too many are being asked.
            Conflict: it answers what is no catalogue of our version.
        """
        wrong = Collector()
        try:
            size = len(canonical.dumps(filter))
        except ValueError:
            size = _LARGEST_FILTER + 1
        wrong.check(size <= _LARGEST_FILTER, "filter",
                    f"must be JSON of at most {_LARGEST_FILTER} characters")  # fmt: skip
        wrong.finish()
        peer = self._peer(actor, participant, {"filter": bool(filter)})
        asked, found = self._visited(peer, lambda visit: self._catalogue(visit, filter))
        with self._db.transaction():
            self._store.replace(asked, found)
        return asked

    def ask_for(self, actor: Actor, participant: str, dataset: str) -> Listed:
        """Ask a participant for one data set and keep what it says of it.

        Raises:
            Invalid: this is no identifier.
            NotFound, Forbidden, Unavailable, Conflict: as when its catalogue is asked for.
        """
        wrong = Collector()
        wrong.check(0 < len(dataset) <= LONGEST_ID, "dataset",
                    f"must be 1 to {LONGEST_ID} characters")  # fmt: skip
        wrong.finish()
        peer = self._peer(actor, participant, {"dataset": dataset})
        made = self._visited(peer, lambda visit: self._one(visit, dataset))
        with self._db.transaction():
            before = self._store.find(participant, dataset)
            if before is not None:
                made = replace(made, within=before.within, owner=before.owner)
                made = replace(made, endpoint=made.endpoint or before.endpoint)
            self._store.put(made)
        return made

    # --- reading

    def asked(self, actor: Actor, participant: str) -> Asked | None:
        """What came of asking for its catalogue the last time that it went well; None for never.

        Raises:
            NotFound: no such participant.
            Forbidden: the actor has no part in the dataspace.
        """
        with self._db.transaction():
            self._may(actor, "dataspace.view")
            return self._store.asked(self._participants.known(participant).id)

    def datasets(
        self, actor: Actor, participant: str, page: PageRequest, *, words: str = ""
    ) -> Page[Listed]:
        """Its data sets in which all of these words stand.

        Raises:
            NotFound: no such participant.
            Forbidden: the actor has no part in the dataspace.
        """
        with self._db.transaction():
            self._may(actor, "dataspace.view")
            return self._store.list(self._participants.known(participant).id, words, page)

    def dataset(self, actor: Actor, id: str) -> Listed:  # noqa: A002 - our id of it
        """One of its data sets by our id of it.

        Raises:
            NotFound: there is none.
            Forbidden: the actor has no part in the dataspace.
        """
        with self._db.transaction():
            self._may(actor, "dataspace.view")
            found = self._store.listed(id)
            if found is None:
                raise policy.unknown("listed")
            return found

    def find(self, actor: Actor, participant: str, dataset: str) -> Listed:
        """The same by the participant and the data set's ``@id``."""
        with self._db.transaction():
            self._may(actor, "dataspace.view")
            found = self._store.find(self._participants.known(participant).id, dataset)
            if found is None:
                raise policy.unknown("listed")
            return found

    # --- below

    def _peer(self, actor: Actor, participant: str, details: dict[str, object]) -> Participant:
        with self._db.transaction():
            self._may(actor, "dataspace.use")
            peer = self._participants.known(participant)
        self._db.assert_no_transaction()
        with self._db.transaction():
            self._audit.record(
                actor, "dataspace.ask", subject=peer.id, path=peer.agency, details=details
            )
        return peer

    @staticmethod
    def _may(actor: Actor, action: str) -> None:
        if not policy.may_somewhere(actor, action):
            raise Forbidden(f"this needs the permission {action}", action=action)

    def _visited(self, peer: Participant, work: Callable[[_Visit], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise Unavailable("several participants are being asked already; try again soon")
        try:
            until = self._monotonic() + self._bounds.seconds
            return work(_Visit(peer, until, self._bounds.whole))
        except Unavailable as error:
            told = f"{peer.id} cannot be asked at present: {error.message}"
            raise Unavailable(told, error.retry_after) from None
        except (Conflict, Unreadable) as error:
            raise Conflict(f"{peer.id} gave nothing that can be read: {line(error, 500)}") from None
        except Invalid as error:
            said = "; ".join(one.message for one in error.problems)
            raise Conflict(f"{peer.id} cannot be asked: its address {said}") from None
        finally:
            self._places.release()

    def _catalogue(self, visit: _Visit, filter: Sequence[Any]) -> tuple[Asked, list[Listed]]:  # noqa: A002
        peer, bounds = visit.peer, self._bounds
        base = self._base(visit)
        message = documents.message("CatalogRequestMessage", filter=list(filter) or None)
        body = canonical.dumps(message).encode()
        now = self._clock.now()
        reader = Reader(peer.id, now, bounds.datasets)
        url, seen, stopped = f"{base}/catalog/request", set[str](), ""
        while not stopped:
            answer = self._answer(visit, url, body, linked=bool(seen))
            seen.add(url)
            reader.page(self._document(visit, answer, "Catalog"))
            url = links.next_of(answer.headers.get("link", ""), url)
            stopped = self._ends(visit, reader, url, seen)
            if not url:
                break
        remarks = ([stopped] if stopped else []) + reader.remarks
        if reader.calls_itself != peer.id:
            remarks.insert(0, f"the catalogue says that it is of {reader.calls_itself or '—'}")
        found = [self._placed(one, peer, base) for one in reader.found.values()]
        asked = Asked(
            peer.id, base, reader.calls_itself, len(found), reader.left_out, not stopped,
            tuple(remarks), now,
        )  # fmt: skip
        return asked, found

    def _ends(self, visit: _Visit, reader: Reader, url: str, seen: set[str]) -> str:
        """Why nothing more is asked for though there is more; empty when that is not so."""
        bounds, late = self._bounds, self._monotonic() >= visit.until
        if reader.cut:
            return f"only the first {bounds.datasets} data sets were read"
        if not url:
            return ""
        try:
            self._participants.reach(visit.peer, url, "next")
        except Invalid:
            return "its next page lies elsewhere than on the registered host"
        ends = (
            (url in seen, "its pages lead back to one that was read"),
            (len(seen) >= bounds.pages, f"only the first {bounds.pages} pages were read"),
            (visit.bytes <= 0, f"only the first {bounds.whole} bytes were read"),
            (late, f"only what it answered in {bounds.seconds:g} seconds was read"),
        )
        return next((why for ends_it, why in ends if ends_it), "")

    def _one(self, visit: _Visit, dataset: str) -> Listed:
        base = self._base(visit)
        url = f"{base}/catalog/datasets/{quote(dataset, safe=':@')}"
        found = self._document(visit, self._answer(visit, url, None), "Dataset")
        made = reading.dataset(found, visit.peer.id, self._clock.now())
        if made.name != dataset:
            raise Conflict("it answered with another data set")
        return self._placed(made, visit.peer, base)

    def _placed(self, listed: Listed, peer: Participant, base: str) -> Listed:
        """With where its negotiations begin."""
        try:
            address = listed.endpoint and self._participants.reach(peer, listed.endpoint, "address")
        except Invalid:
            address = ""
        return replace(listed, address=address or base)

    def _base(self, visit: _Visit) -> str:
        def ask(url: str) -> Answered:
            return self._wire.ask("GET", url, seconds=self._left(visit))

        base = finding.base_of(visit.peer, ask)
        return self._participants.reach(visit.peer, base, "address")

    def _left(self, visit: _Visit) -> float:
        left = visit.until - self._monotonic()
        if left <= 0:
            raise Unavailable("it did not answer in time")
        return min(left, self._bounds.answer)

    def _answer(
        self, visit: _Visit, url: str, body: bytes | None, *, linked: bool = False
    ) -> Answered:
        """What is there; the protocol does not say by which method a linked page is asked for."""
        answer = self._asked(visit, "GET" if body is None else "POST", url, body)
        if linked and answer.status == _NOT_THIS_WAY:
            answer = self._asked(visit, "GET", url, None)
        visit.bytes -= len(answer.body)
        if answer.status != _OK:
            told = f"it answered {answer.status}{reason(answer)}"
            raise (Unavailable if answer.status in _LATER else Conflict)(told)
        return answer

    def _asked(self, visit: _Visit, method: str, url: str, body: bytes | None) -> Answered:
        token = self._participants.token(visit.peer.id, body or b"")
        most, seconds = self._bounds.page + 1, self._left(visit)
        return self._wire.ask(method, url, body, token, most=most, seconds=seconds)

    def _document(self, visit: _Visit, answer: Answered, kind: str) -> dict[str, Any]:
        most = self._bounds.page
        sort = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sort not in _JSON:
            raise Conflict(f"it answered in the form {sort[:50] or '—'}, which is not JSON")
        if len(answer.body) > most:
            raise Conflict(f"it answered more than {most} bytes")
        body = _unpacked(answer, most)
        visit.bytes -= max(len(body) - len(answer.body), 0)
        try:
            return documents.compacted(body, kind, largest=most)
        except Unreadable:
            told = reason(replace(answer, body=body))
            if told:
                raise Conflict(f"it answered with an error{told}") from None
            raise


def _unpacked(answer: Answered, most: int) -> bytes:
    """The body, which a catalogue may have compressed (Catalog HTTPS Binding, "Compression")."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding in _PLAIN:
        return answer.body
    if encoding not in _GZIP:
        raise Conflict(f"it answered in the encoding {encoding[:50]}, which was not asked for")
    try:
        body = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(answer.body, most + 1)
    except zlib.error:
        raise Conflict("what it answered cannot be unpacked") from None
    if len(body) > most:
        raise Conflict(f"it answered more than {most} bytes")
    return body
