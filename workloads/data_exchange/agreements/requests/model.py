"""A request: its states, who may do what in each of them, and how long it may wait.

``MACHINE`` is the whole of it: what is not there cannot be done. ``moved`` is pure; the service
looks up who asks and keeps the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from foundation.kernel.actor import PrincipalId
from foundation.kernel.errors import Conflict
from workloads.data_exchange.agencies.model import above
from workloads.data_exchange.agreements.ask import Ask
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar

RequestId = NewType("RequestId", str)
LONGEST_TEXT = 2000


class RequestState(StrEnum):
    """Where a request stands; the first six wait for somebody."""

    COMPLIANCE = "compliance"
    REVIEW = "review"
    CLARIFICATION = "clarification"
    OFFERED = "offered"
    REFUSED = "refused"
    DISPUTED = "disputed"
    APPROVED = "approved"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"


class Side(StrEnum):
    """For whom somebody acts; nobody acts for two of them in one request."""

    CONSUMER = "consumer"
    COMPLIANCE = "compliance"
    PROVIDER = "provider"
    ARBITER = "arbiter"


class Act(StrEnum):
    """What is done with a request."""

    ASK_FOR = "ask_for"
    PASS = "pass"  # noqa: S105 - to let pass
    REFUSE = "refuse"
    INQUIRE = "inquire"
    ANSWER = "answer"
    APPROVE = "approve"
    OFFER = "offer"
    ACCEPT = "accept"
    WITHDRAW = "withdraw"
    DISPUTE = "dispute"
    UPHOLD = "uphold"
    OVERRULE = "overrule"


#: In which state who may do what.
MACHINE: Mapping[tuple[RequestState, Act], Side] = {
    (RequestState.COMPLIANCE, Act.PASS): Side.COMPLIANCE,
    (RequestState.COMPLIANCE, Act.REFUSE): Side.COMPLIANCE,
    (RequestState.COMPLIANCE, Act.WITHDRAW): Side.CONSUMER,
    (RequestState.REVIEW, Act.INQUIRE): Side.PROVIDER,
    (RequestState.REVIEW, Act.APPROVE): Side.PROVIDER,
    (RequestState.REVIEW, Act.OFFER): Side.PROVIDER,
    (RequestState.REVIEW, Act.REFUSE): Side.PROVIDER,
    (RequestState.REVIEW, Act.WITHDRAW): Side.CONSUMER,
    (RequestState.CLARIFICATION, Act.ANSWER): Side.CONSUMER,
    (RequestState.CLARIFICATION, Act.WITHDRAW): Side.CONSUMER,
    (RequestState.OFFERED, Act.ACCEPT): Side.CONSUMER,
    (RequestState.OFFERED, Act.WITHDRAW): Side.CONSUMER,
    (RequestState.REFUSED, Act.DISPUTE): Side.CONSUMER,
    (RequestState.DISPUTED, Act.UPHOLD): Side.ARBITER,
    (RequestState.DISPUTED, Act.OVERRULE): Side.ARBITER,
    (RequestState.DISPUTED, Act.WITHDRAW): Side.CONSUMER,
}
#: Whose turn it is; the others are at their end.
WAITS_FOR: Mapping[RequestState, Side] = {
    RequestState.COMPLIANCE: Side.COMPLIANCE,
    RequestState.REVIEW: Side.PROVIDER,
    RequestState.CLARIFICATION: Side.CONSUMER,
    RequestState.OFFERED: Side.CONSUMER,
    RequestState.REFUSED: Side.CONSUMER,
    RequestState.DISPUTED: Side.ARBITER,
}
#: Acts that must be explained.
EXPLAINED = frozenset({
    Act.REFUSE, Act.INQUIRE, Act.ANSWER, Act.OFFER, Act.DISPUTE, Act.UPHOLD, Act.OVERRULE,
})  # fmt: skip
_TO: Mapping[Act, RequestState] = {
    Act.PASS: RequestState.REVIEW,
    Act.REFUSE: RequestState.REFUSED,
    Act.INQUIRE: RequestState.CLARIFICATION,
    Act.ANSWER: RequestState.REVIEW,
    Act.APPROVE: RequestState.APPROVED,
    Act.OFFER: RequestState.OFFERED,
    Act.ACCEPT: RequestState.APPROVED,
    Act.WITHDRAW: RequestState.WITHDRAWN,
    Act.DISPUTE: RequestState.DISPUTED,
    Act.UPHOLD: RequestState.DISMISSED,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request for access.

    Attributes:
        consumer, provider: paths of the agencies.
        dataset, service: ids in the directory.
        ask: what is asked for.
        offer: what the provider would give instead, once it said so.
        legal_basis: by which law the consumer does what it needs the data for.
        justification: why it needs them.
        amends: the agreement of which this would be a new version, or empty.
        agreement: what came of it, once approved.
        refused_by: who refused, while that matters.
        since: from when on it waits in this state.
        days: working days that this state may still take, counted from the day after ``since``.
        due_at: when they are over; None where nothing is waited for.
        review_days: what is left of the provider's days while its clock stands.
        escalated_at: when it was told that the present due date had passed.
        version: how often it changed.
    """

    id: RequestId
    consumer: str
    provider: str
    dataset: str
    service: str
    ask: Ask
    legal_basis: str
    justification: str
    created_at: datetime
    state: RequestState
    since: datetime
    days: int
    due_at: datetime | None
    amends: str = ""
    offer: Ask | None = None
    agreement: str = ""
    refused_by: Side | None = None
    review_days: int | None = None
    escalated_at: datetime | None = None
    version: int = 1

    @property
    def given(self) -> Ask:
        """What is given once it is approved."""
        return self.offer or self.ask

    @property
    def arbiter(self) -> str:
        """The path of the level that decides a dispute: above both agencies."""
        found = above(self.consumer)
        while not self.provider.startswith(found) or found == self.provider:
            found = above(found)
        return found

    def path(self, side: Side) -> str:
        """Of the agency, or the level, for which a side acts."""
        if side is Side.PROVIDER:
            return self.provider
        return self.arbiter if side is Side.ARBITER else self.consumer

    def told(self) -> dict[str, str]:
        """What every message about it says."""
        return {
            "request": self.id, "consumer": self.consumer, "provider": self.provider,
            "dataset": self.dataset, "state": self.state.value,
        }  # fmt: skip

    def overdue(self, now: datetime) -> bool:
        """Whether somebody is late."""
        return self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, by whom, for which side; never changed.

    Attributes:
        text: the reason, question or answer.
        late: whether the due date had passed.
    """

    request: RequestId
    number: int
    at: datetime
    actor: PrincipalId
    name: str
    side: Side
    act: Act
    before: RequestState
    after: RequestState
    text: str = ""
    offer: Ask | None = None
    late: bool = False


def side_of(state: RequestState, act: Act) -> Side:
    """Who may do this now.

    Raises:
        Conflict: nobody may.
    """
    side = MACHINE.get((state, act))
    if side is None:
        raise Conflict(f"the request is in state {state}: this cannot be done now", state=state)
    return side


def moved(request: Request, act: Act, now: datetime, calendar: WorkingCalendar) -> Request:
    """The request after an act, its clocks set.

    Raises:
        Conflict: this cannot be done in its state, or no more.
    """
    side = side_of(request.state, act)
    if act is Act.DISPUTE and request.overdue(now):
        raise Conflict("the time in which a refusal can be disputed is over")
    to = _TO.get(act) or (
        RequestState.REVIEW if request.refused_by is Side.COMPLIANCE else RequestState.APPROVED
    )
    kept: int | None = None
    if act is Act.INQUIRE:
        # The provider's clock stands from the day of its question to that of the answer.
        kept = max(0, request.days - calendar.between(request.since, now))
    days = calendar.periods.get(to.value, 0)
    if act is Act.ANSWER and request.review_days is not None:
        days = request.review_days
    return replace(
        request,
        state=to,
        since=now,
        days=days,
        due_at=calendar.due(now, days) if to in WAITS_FOR else None,
        review_days=kept,
        refused_by=side if act is Act.REFUSE else request.refused_by,
        escalated_at=None,
        version=request.version + 1,
    )
