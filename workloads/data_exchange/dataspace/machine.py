"""The state machines of the Dataspace Protocol 2025-1, as data.

``NEGOTIATION`` and ``TRANSFER`` are the whole of them (sections "State Machine" of the Contract
Negotiation and the Transfer Process Protocol): which message takes a process from which state to
which, and who sends it. What is not there is an error. A transfer that is suspended is started
again by either side (Transfer Process HTTPS Binding, "Transfer Start Endpoint").
"""

from collections.abc import Mapping
from enum import StrEnum


class ProcessKind(StrEnum):
    """What a process is about."""

    NEGOTIATION = "negotiation"
    TRANSFER = "transfer"


class Role(StrEnum):
    """Which side of a process somebody is."""

    PROVIDER = "provider"
    CONSUMER = "consumer"

    @property
    def other(self) -> "Role":
        """The other one."""
        return Role.CONSUMER if self is Role.PROVIDER else Role.PROVIDER


class ProcessState(StrEnum):
    """Where a process stands; negotiations and transfers share some names."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"

    @property
    def terminal(self) -> bool:
        """Whether nothing moves it any more."""
        return self in _TERMINAL


_TERMINAL = frozenset({
    ProcessState.FINALIZED, ProcessState.COMPLETED, ProcessState.TERMINATED,
})  # fmt: skip


class ProcessAct(StrEnum):
    """What is said with a message; the verb that people and rules use."""

    REQUEST = "request"
    OFFER = "offer"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    START = "start"
    SUSPEND = "suspend"
    COMPLETE = "complete"
    TERMINATE = "terminate"


#: From which state (None: there is no process yet) by which act to which, and who may.
Machine = Mapping[tuple[ProcessState | None, ProcessAct], tuple[frozenset[Role], ProcessState]]
_P, _C = frozenset({Role.PROVIDER}), frozenset({Role.CONSUMER})
_BOTH = _P | _C
_S = ProcessState


def _ending(
    *states: ProcessState,
) -> dict[tuple[ProcessState | None, ProcessAct], tuple[frozenset[Role], ProcessState]]:
    return {(state, ProcessAct.TERMINATE): (_BOTH, _S.TERMINATED) for state in states}


NEGOTIATION: Machine = {
    (None, ProcessAct.REQUEST): (_C, _S.REQUESTED),
    (None, ProcessAct.OFFER): (_P, _S.OFFERED),
    (_S.OFFERED, ProcessAct.REQUEST): (_C, _S.REQUESTED),
    (_S.REQUESTED, ProcessAct.OFFER): (_P, _S.OFFERED),
    (_S.OFFERED, ProcessAct.ACCEPT): (_C, _S.ACCEPTED),
    (_S.REQUESTED, ProcessAct.AGREE): (_P, _S.AGREED),
    (_S.ACCEPTED, ProcessAct.AGREE): (_P, _S.AGREED),
    (_S.AGREED, ProcessAct.VERIFY): (_C, _S.VERIFIED),
    (_S.VERIFIED, ProcessAct.FINALIZE): (_P, _S.FINALIZED),
    **_ending(_S.REQUESTED, _S.OFFERED, _S.ACCEPTED, _S.AGREED, _S.VERIFIED),
}
TRANSFER: Machine = {
    (None, ProcessAct.REQUEST): (_C, _S.REQUESTED),
    (_S.REQUESTED, ProcessAct.START): (_P, _S.STARTED),
    (_S.SUSPENDED, ProcessAct.START): (_BOTH, _S.STARTED),
    (_S.STARTED, ProcessAct.SUSPEND): (_BOTH, _S.SUSPENDED),
    (_S.STARTED, ProcessAct.COMPLETE): (_BOTH, _S.COMPLETED),
    **_ending(_S.REQUESTED, _S.STARTED, _S.SUSPENDED),
}
MACHINES: Mapping[ProcessKind, Machine] = {
    ProcessKind.NEGOTIATION: NEGOTIATION,
    ProcessKind.TRANSFER: TRANSFER,
}

#: The message of an act, its ``eventType`` if it has one, and the last part of its path.
MESSAGES: Mapping[tuple[ProcessKind, ProcessAct], tuple[str, str, str]] = {
    (ProcessKind.NEGOTIATION, ProcessAct.REQUEST): ("ContractRequestMessage", "", "request"),
    (ProcessKind.NEGOTIATION, ProcessAct.OFFER): ("ContractOfferMessage", "", "offers"),
    (ProcessKind.NEGOTIATION, ProcessAct.ACCEPT): (
        "ContractNegotiationEventMessage", "ACCEPTED", "events",
    ),
    (ProcessKind.NEGOTIATION, ProcessAct.AGREE): ("ContractAgreementMessage", "", "agreement"),
    (ProcessKind.NEGOTIATION, ProcessAct.VERIFY): (
        "ContractAgreementVerificationMessage", "", "agreement/verification",
    ),
    (ProcessKind.NEGOTIATION, ProcessAct.FINALIZE): (
        "ContractNegotiationEventMessage", "FINALIZED", "events",
    ),
    (ProcessKind.NEGOTIATION, ProcessAct.TERMINATE): (
        "ContractNegotiationTerminationMessage", "", "termination",
    ),
    (ProcessKind.TRANSFER, ProcessAct.REQUEST): ("TransferRequestMessage", "", "request"),
    (ProcessKind.TRANSFER, ProcessAct.START): ("TransferStartMessage", "", "start"),
    (ProcessKind.TRANSFER, ProcessAct.SUSPEND): ("TransferSuspensionMessage", "", "suspension"),
    (ProcessKind.TRANSFER, ProcessAct.COMPLETE): ("TransferCompletionMessage", "", "completion"),
    (ProcessKind.TRANSFER, ProcessAct.TERMINATE): ("TransferTerminationMessage", "", "termination"),
}  # fmt: skip
#: Where the processes of a kind live below the base address.
COLLECTIONS: Mapping[ProcessKind, str] = {
    ProcessKind.NEGOTIATION: "negotiations",
    ProcessKind.TRANSFER: "transfers",
}


def after(
    kind: ProcessKind, state: ProcessState | None, act: ProcessAct, by: Role
) -> ProcessState | None:
    """The state that an act of a side leads to; None when it may not be done."""
    senders, to = MACHINES[kind].get((state, act), (frozenset(), None))
    return to if by in senders else None


def open_to(kind: ProcessKind, state: ProcessState, by: Role) -> tuple[ProcessAct, ...]:
    """What a side may do in a state, in the order of the machine."""
    return tuple(
        act for (of, act), (senders, _) in MACHINES[kind].items() if of is state and by in senders
    )
