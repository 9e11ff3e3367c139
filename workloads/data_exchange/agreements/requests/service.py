"""The use cases of requests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, PreconditionFailed
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import Text
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements import ask as asks
from workloads.data_exchange.agreements.ask import Ask
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.agreements.ports import (
    Audit,
    Book,
    Catalogue,
    Offered,
    Outbox,
    Work,
)
from workloads.data_exchange.agreements.requests.drafting import terms_of
from workloads.data_exchange.agreements.requests.model import (
    EXPLAINED,
    LONGEST_TEXT,
    MACHINE,
    Act,
    Request,
    RequestId,
    RequestState,
    Side,
    Step,
    moved,
    side_of,
)
from workloads.data_exchange.agreements.requests.ports import Drafts, RequestQuery, RequestStore
from workloads.data_exchange.agreements.words import said

NOUN = "request"
#: The topic under which the outbox tells of each step.
MOVED = "exchange.request.moved"
_ACTION = {
    Side.CONSUMER: "request.create", Side.COMPLIANCE: "request.review",
    Side.PROVIDER: "request.decide", Side.ARBITER: "request.review",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with."""

    store: RequestStore
    db: Work
    clock: Clock
    audit: Audit
    outbox: Outbox
    calendar: Calendar
    catalogue: Catalogue
    agencies: Book
    drafts: Drafts


class Requests:
    """Requests for access: who asks, who checks, who decides, by when."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db

    def create(
        self,
        actor: Actor,
        *,
        consumer: str,
        dataset: str,
        service: str,
        ask: Ask,
        legal_basis: str,
        justification: str,
        amends: str = "",
    ) -> Request:
        """Ask for access.

        Args:
            actor: who asks.
            consumer: id or path of the agency that would use the data.
            dataset, service: what is asked for, by their ids in the directory.
            ask: which fields and rows, for what, how much, how long.
            legal_basis: by which law the agency does what it needs them for.
            justification: why it needs them.
            amends: id of the agreement of which this would become a new version, or empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            agency = self._parts.agencies.find(consumer)
            if agency is None:
                raise policy.unknown("agency")
            policy.require(actor, "request.create", agency.path, "agency")
            now, wrong = self._parts.clock.now(), Collector()
            for name, text in (("legal_basis", legal_basis), ("justification", justification)):
                _check_text(wrong, name, text)
            offered = self._parts.catalogue.offered(dataset, service)
            if offered is None:
                wrong.check(False, "service", "is no published interface of this data set")
            else:
                asks.check(wrong, ask, offered, now)
                wrong.check(
                    offered.provider != agency.path, "consumer", "holds this data set itself"
                )
                _check_begins(wrong, ask, amends, now)
            wrong.finish()
            assert offered is not None  # noqa: S101 - finish raised
            made = self._new(agency.path, offered, ask, now)
            made = replace(
                made, legal_basis=legal_basis.strip(), justification=justification.strip(),
                amends=amends,
            )  # fmt: skip
            if amends:
                wrong.check(
                    self._parts.drafts.check_amends(amends, made),
                    "amends",
                    "is no agreement of yours on this data set that still counts",
                )
                wrong.finish()
            self._store.add(made)
            self._note(actor, made, made, Act.ASK_FOR, Side.CONSUMER, "", None)
            return made

    def _new(self, consumer: str, offered: Offered, ask: Ask, now: datetime) -> Request:
        calendar = self._parts.calendar.now()
        days = calendar.periods[RequestState.COMPLIANCE]
        return Request(
            RequestId(ids.new("req")), consumer, offered.provider, offered.dataset,
            offered.service, ask, "", "", now, RequestState.COMPLIANCE, now, days,
            calendar.due(now, days),
        )  # fmt: skip

    def act(
        self,
        actor: Actor,
        request: str,
        act: Act,
        *,
        text: str = "",
        offer: Ask | None = None,
        version: int | None = None,
    ) -> Request:
        """Do what the state of a request allows.

        Args:
            actor: who does it.
            request: its id.
            act: what is done.
            text: the reason, question or answer; needed for those in ``EXPLAINED``.
            offer: what is given, for ``OFFER``: less than was asked for.
            version: of the request as the caller saw it; None does not compare.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such request, or none that the actor may know of.
            Forbidden: this is another side's, or the actor acted for another side before.
            Conflict: this cannot be done in its state.
            PreconditionFailed: it has changed since the caller looked.
        """
        with self._db.transaction():
            there = self._find(actor, request, hold=True)
            self._authorise(actor, there, act)
            if version is not None and version != there.version:
                raise PreconditionFailed("the request has changed since you looked")
            side, now = side_of(there.state, act), self._parts.clock.now()
            self._four_eyes(actor, there, side)
            self._check(there, act, text, offer, now)
            after = moved(there, act, now, self._parts.calendar.now())
            if offer is not None:
                after = replace(after, offer=offer)
            if after.state is RequestState.APPROVED:
                after = replace(after, agreement=self._draft(after, now))
            self._store.update(after)
            self._note(actor, there, after, act, side, text.strip(), offer)
            return after

    def _authorise(self, actor: Actor, request: Request, act: Act) -> None:
        """Refuse who could do this in no state, and then who may not do it in this one."""
        sides = {side for (state, one), side in MACHINE.items() if one is act}
        now = MACHINE.get((request.state, act))
        for side in [now] if now else sorted(sides):
            if policy.allows(actor, _ACTION[side], request.path(side)):
                return
        names = ", ".join(sorted({_ACTION[side] for side in sides}))
        raise Forbidden(f"this needs the permission {names or act}", action=names)

    def _four_eyes(self, actor: Actor, request: Request, side: Side) -> None:
        for step in self._store.steps(request.id):
            if step.actor == actor.id and step.side is not side:
                raise Forbidden(
                    f"who acted for the {step.side} does not act for the {side} as well"
                )

    def _check(
        self, request: Request, act: Act, text: str, offer: Ask | None, now: datetime
    ) -> None:
        wrong = Collector()
        if act in EXPLAINED:
            _check_text(wrong, "text", text)
        else:
            wrong.check(
                len(text) <= LONGEST_TEXT, "text", f"must be at most {LONGEST_TEXT} characters"
            )
        wrong.check(
            (offer is not None) == (act is Act.OFFER), "offer", "is for offering less alone"
        )
        if offer is not None and act is Act.OFFER:
            offered = self._offered(request)
            asks.check(wrong, offer, offered, now)
            asks.narrows(wrong, offer, request.ask)
            _check_begins(wrong, offer, request.amends, now)
            wrong.check(
                offer.as_json() != request.ask.as_json(),
                "offer",
                "is all that was asked for: approve it",
            )
        wrong.finish()

    def _offered(self, request: Request) -> Offered:
        found = self._parts.catalogue.offered(request.dataset, request.service)
        if found is None or found.provider != request.provider:
            raise Conflict("the data set is not offered by this agency any more")
        return found

    def _draft(self, request: Request, now: datetime) -> str:
        offered, wrong = self._offered(request), Collector()
        # The directory may have changed since it was asked for.
        asks.check(wrong, request.given, offered, now)
        wrong.finish()
        return self._parts.drafts.draft(request, offered)

    def request(self, actor: Actor, request: str) -> Request:
        """One request.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._find(actor, request)

    def steps(self, actor: Actor, request: str) -> Sequence[Step]:
        """What was done with a request, in order.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.steps(self._find(actor, request).id)

    def requests(
        self, actor: Actor, query: RequestQuery, page: PageRequest, *, mine: bool = False
    ) -> Page[Request]:
        """The requests that the actor may see, the next due first.

        Args:
            actor: who asks.
            query: which of them.
            page: what part of the list.
            mine: only those that wait for what the actor may do.
        """
        with self._db.transaction():
            if mine:
                turns = tuple(
                    (side, policy.visible_paths(actor, action)) for side, action in _ACTION.items()
                )
                query = replace(query, turns=turns)
            return self._store.list(policy.visible_paths(actor, "request.view"), query, page)

    def offered(self, actor: Actor, dataset: str, service: str) -> Offered | None:
        """What can be asked for; None when it is not published so.

        Raises:
            Forbidden: the actor neither asks for data nor decides on requests.
        """
        if not any(
            policy.may_somewhere(actor, one) for one in ("request.create", "request.decide")
        ):
            raise Forbidden("this needs the permission request.create", action="request.create")
        with self._db.transaction():
            return self._parts.catalogue.offered(dataset, service)

    def words(self, actor: Actor, request: str) -> list[Text]:
        """What a request would give, in sentences; none when it is not offered any more.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._find(actor, request)
            offered = self._parts.catalogue.offered(there.dataset, there.service)
        known = {one.name for one in offered.elements} if offered else set()
        named = {one.name for one in there.given.fields}
        named |= {one.name for one in there.given.rows}
        if offered is None or not named <= known:
            return []
        return said(terms_of(there, offered, ""))

    def acts(self, actor: Actor, request: Request) -> list[Act]:
        """What the actor may do with a request now."""
        with self._db.transaction():
            found = [
                (act, side) for (state, act), side in MACHINE.items()
                if state is request.state
                and policy.allows(actor, _ACTION[side], request.path(side))
            ]  # fmt: skip
            before = {s.side for s in self._store.steps(request.id) if s.actor == actor.id}
        now = self._parts.clock.now()
        return [
            act for act, side in found
            if before <= {side} and not (act is Act.DISPUTE and request.overdue(now))
        ]  # fmt: skip

    def _find(self, actor: Actor, request: str, *, hold: bool = False) -> Request:
        found = self._store.find(request, hold=hold)
        if found is None or not any(
            policy.allows(actor, "request.view", path) for path in (found.consumer, found.provider)
        ):
            raise policy.unknown(NOUN)
        return found

    def _note(
        self,
        actor: Actor,
        before: Request,
        after: Request,
        act: Act,
        side: Side,
        text: str,
        offer: Ask | None,
    ) -> None:
        now = self._parts.clock.now()
        late = before is not after and before.overdue(now)
        number = len(self._store.steps(after.id)) + 1
        self._store.note(
            Step(
                after.id, number, now, actor.id, actor.name, side, act, before.state, after.state,
                text, offer, late,
            )
        )  # fmt: skip
        details = {"act": act.value, "from": before.state.value, "to": after.state.value}
        self._parts.audit.record(
            actor, f"request.{act.value}", subject=after.id, path=after.path(side),
            details=details,
        )  # fmt: skip
        self._parts.outbox.publish(MOVED, {**after.told(), **details})


def _check_text(wrong: Collector, name: str, text: str) -> None:
    wrong.check(
        len(text.strip()) > 0 and len(text) <= LONGEST_TEXT,
        name,
        f"must be 1 to {LONGEST_TEXT} characters",
    )


def _check_begins(wrong: Collector, ask: Ask, amends: str, now: datetime) -> None:
    """A new version takes the place of the old one at once, so it must have begun by then."""
    wrong.check(
        not amends or ask.begins <= now,
        "begins",
        "must not lie ahead: an amendment counts as soon as both have signed it",
    )
