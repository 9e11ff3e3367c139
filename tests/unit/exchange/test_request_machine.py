"""The machine of requests: every state with every act, and its clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from foundation.kernel.errors import Conflict
from tests.harness.agreements import an_ask
from workloads.data_exchange.agreements.calendar.model import PERIODS, sample
from workloads.data_exchange.agreements.requests.model import (
    MACHINE,
    WAITS_FOR,
    Act,
    Request,
    RequestId,
    RequestState,
    Side,
    moved,
)

#: A Monday.
NOW = datetime(2026, 11, 2, 2, tzinfo=UTC)


def request(state: RequestState, **more: object) -> Request:
    values: dict[str, object] = {
        "consumer": "/city/housing/", "provider": "/city/civil-affairs/", "dataset": "d",
        "service": "s", "ask": an_ask(NOW), "legal_basis": "b", "justification": "j",
        "created_at": NOW, "state": state, "since": NOW, "days": 10,
        "due_at": sample().due(NOW, 10) if state in WAITS_FOR else None,
    }  # fmt: skip
    return Request(RequestId("req_1"), **{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("act", [*Act])
@pytest.mark.parametrize("state", [*RequestState])
def test_what_is_not_in_the_machine_cannot_be_done(state: RequestState, act: Act) -> None:
    if (state, act) not in MACHINE:
        with pytest.raises(Conflict):
            moved(request(state), act, NOW, sample())
        return
    after = moved(request(state), act, NOW, sample())
    assert after.version == 2
    assert (after.due_at is None) == (after.state not in WAITS_FOR)
    if after.state in WAITS_FOR:
        assert after.days == sample().periods[after.state]


def test_every_state_is_reached_and_every_waiting_one_has_a_period_and_a_way_out() -> None:
    reached, todo = {RequestState.COMPLIANCE}, [RequestState.COMPLIANCE]
    while todo:
        at = todo.pop()
        for state, act in MACHINE:
            if state is at:
                for refused in (Side.COMPLIANCE, Side.PROVIDER):
                    to = moved(request(at, refused_by=refused), act, NOW, sample()).state
                    todo += [] if to in reached else [to]
                    reached.add(to)
    assert reached == set(RequestState)
    assert {state.value for state in WAITS_FOR} == set(PERIODS)
    for state, side in WAITS_FOR.items():
        assert side in {MACHINE[key] for key in MACHINE if key[0] is state}


def test_a_question_stops_the_providers_clock() -> None:
    there = request(RequestState.REVIEW)
    assert there.due_at == sample().due(NOW, 10)
    asked = moved(there, Act.INQUIRE, NOW + timedelta(days=3), sample())  # Thursday
    assert asked.review_days == 8  # Tuesday and Wednesday are gone
    answered = moved(asked, Act.ANSWER, NOW + timedelta(days=30), sample())
    assert answered.state is RequestState.REVIEW
    assert answered.days == 8
    assert answered.due_at == sample().due(NOW + timedelta(days=30), 8)
    assert answered.review_days is None
    # Asked when its days are over: none is left, none is won.
    late = moved(there, Act.INQUIRE, NOW + timedelta(days=40), sample())
    assert late.review_days == 0


def test_a_refusal_is_disputed_in_time_or_not() -> None:
    refused = request(RequestState.REFUSED, refused_by=Side.PROVIDER)
    assert refused.due_at is not None
    moved(refused, Act.DISPUTE, refused.due_at - timedelta(seconds=1), sample())
    with pytest.raises(Conflict):
        moved(refused, Act.DISPUTE, refused.due_at, sample())


@pytest.mark.parametrize(
    ("by", "to"), [(Side.COMPLIANCE, RequestState.REVIEW), (Side.PROVIDER, RequestState.APPROVED)]
)
def test_who_is_overruled(by: Side, to: RequestState) -> None:
    disputed = request(RequestState.DISPUTED, refused_by=by)
    assert moved(disputed, Act.OVERRULE, NOW, sample()).state is to


@pytest.mark.parametrize(
    ("consumer", "provider", "arbiter"),
    [
        ("/city/housing/", "/city/tax/", "/city/"),
        ("/city/housing/", "/city/", "/"),
        ("/city/", "/city/tax/", "/"),
        ("/city/a/b/", "/city/a/", "/city/"),
        ("/city/a/b/", "/city/a/c/", "/city/a/"),
        ("/one/", "/two/", "/"),
    ],
)
def test_a_dispute_is_decided_above_both(consumer: str, provider: str, arbiter: str) -> None:
    there = request(RequestState.DISPUTED, consumer=consumer, provider=provider)
    assert there.arbiter == arbiter
