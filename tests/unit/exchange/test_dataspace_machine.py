"""The state machines of the Dataspace Protocol: every state, every message, both sides."""

import itertools

import pytest

from workloads.data_exchange.dataspace.machine import (
    MACHINES,
    MESSAGES,
    NEGOTIATION,
    TRANSFER,
    ProcessAct,
    ProcessKind,
    ProcessState,
    Role,
    after,
    open_to,
)
from workloads.data_exchange.dataspace.model import Reaction, reaction

#: The diagrams of the specification, by hand: from, what is said, by whom, to.
DRAWN = {
    ProcessKind.NEGOTIATION: """
        -         request   C REQUESTED
        -         offer     P OFFERED
        REQUESTED offer     P OFFERED
        REQUESTED agree     P AGREED
        OFFERED   request   C REQUESTED
        OFFERED   accept    C ACCEPTED
        ACCEPTED  agree     P AGREED
        AGREED    verify    C VERIFIED
        VERIFIED  finalize  P FINALIZED
        REQUESTED terminate CP TERMINATED
        OFFERED   terminate CP TERMINATED
        ACCEPTED  terminate CP TERMINATED
        AGREED    terminate CP TERMINATED
        VERIFIED  terminate CP TERMINATED
    """,
    ProcessKind.TRANSFER: """
        -         request   C REQUESTED
        REQUESTED start     P STARTED
        SUSPENDED start     CP STARTED
        STARTED   suspend   CP SUSPENDED
        STARTED   complete  CP COMPLETED
        REQUESTED terminate CP TERMINATED
        STARTED   terminate CP TERMINATED
        SUSPENDED terminate CP TERMINATED
    """,
}
LETTERS = {"C": Role.CONSUMER, "P": Role.PROVIDER}


def drawn(kind: ProcessKind) -> dict[tuple[ProcessState | None, ProcessAct, Role], ProcessState]:
    found = {}
    for line in DRAWN[kind].strip().splitlines():
        state, act, who, to = line.split()
        for letter in who:
            of = None if state == "-" else ProcessState(state)
            found[of, ProcessAct(act), LETTERS[letter]] = ProcessState(to)
    return found


@pytest.mark.parametrize("kind", [*ProcessKind])
def test_every_pair_does_what_is_drawn_and_nothing_else(kind: ProcessKind) -> None:
    wanted = drawn(kind)
    for state, act, role in itertools.product([None, *ProcessState], ProcessAct, Role):
        assert after(kind, state, act, role) is wanted.get((state, act, role)), (state, act, role)


@pytest.mark.parametrize("kind", [*ProcessKind])
def test_nothing_leaves_a_terminal_state(kind: ProcessKind) -> None:
    for state in (one for one in ProcessState if one.terminal):
        assert not any(open_to(kind, state, role) for role in Role)
        assert all(of is not state for of, _ in MACHINES[kind])


def test_every_act_has_its_message_and_no_other_has_one() -> None:
    said = {(kind, act) for kind, machine in MACHINES.items() for _, act in machine}
    assert said == set(MESSAGES)
    assert len({*MESSAGES.values()}) == len(MESSAGES)
    assert {act for _, act in NEGOTIATION} & {act for _, act in TRANSFER} == {
        ProcessAct.REQUEST, ProcessAct.TERMINATE,
    }  # fmt: skip


def test_a_plan_goes_by_visits() -> None:
    plan = {ProcessState.REQUESTED: (Reaction.OFFER, Reaction.TERMINATE)}
    visits = [reaction(plan, ProcessState.REQUESTED, n) for n in (0, 1, 2, 3)]
    assert visits == [Reaction.WAIT, Reaction.OFFER, Reaction.TERMINATE, Reaction.WAIT]
    assert reaction(plan, ProcessState.OFFERED, 1) is Reaction.WAIT
    assert Reaction.WAIT.act is None
    assert Reaction.COUNTER.act is ProcessAct.REQUEST
