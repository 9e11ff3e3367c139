"""Participants, offers, rules, processes and the messages that wait to be sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workloads.data_exchange.agreements.ask import AskedField, AskedRows
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role

VERSION = "2025-1"
#: Where the protocol's endpoints are below the address of the exchange.
PATH = f"/dsp/{VERSION}"
#: The one form in which data are handed out: the consumer calls the gateway.
PULL = "HttpData-PULL"
REASON_MAX = 500
#: The longest identifier of anybody that is taken.
LONGEST_ID = 500


class Reaction(StrEnum):
    """What a rule does when a process enters a state; ``WAIT`` leaves it to a person."""

    WAIT = "wait"
    OFFER = "offer"
    COUNTER = "counter"
    ACCEPT = "accept"
    AGREE = "agree"
    VERIFY = "verify"
    FINALIZE = "finalize"
    START = "start"
    SUSPEND = "suspend"
    COMPLETE = "complete"
    TERMINATE = "terminate"

    @property
    def act(self) -> ProcessAct | None:
        """What it says; None for nothing."""
        if self is Reaction.WAIT:
            return None
        return ProcessAct.REQUEST if self is Reaction.COUNTER else ProcessAct(self.value)


#: By state, what is done the first time it is entered, the second time, and so on.
Plan = Mapping[ProcessState, tuple[Reaction, ...]]


@dataclass(frozen=True, slots=True)
class Participant:
    """Another connector that is known here.

    Attributes:
        id: its identifier in the dataspace (an IRI, or what its dataspace uses).
        agency: path of the agency for which it stands here; its keys are that agency's.
        address: the base of its protocol endpoints; call-backs must lie on the same host.
        account: id of the service account as which it may sign in; empty when it signs instead.
    """

    id: str
    agency: str
    address: str
    account: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Given:
    """What an offer gives; the same for everybody.

    Attributes:
        purposes: DPV purposes, ``dpv:…``.
        fields, rows, limits: as in an ask (``agreements.ask``).
        days: how long an agreement counts, from the day on which it is made.
    """

    purposes: frozenset[str]
    fields: tuple[AskedField, ...]
    rows: tuple[AskedRows, ...]
    limits: Limits
    days: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What a provider offers to the dataspace.

    Attributes:
        id: under which it is negotiated.
        target: the identifier of the data set in the dataspace.
        dataset, service: their ids in the directory.
        agency: path of the provider.
        legal_basis: by which law it may be given.
    """

    id: str
    target: str
    dataset: str
    service: str
    agency: str
    given: Given
    legal_basis: str
    created_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done without a person.

    Attributes:
        kind, role: in which processes, as which side.
        subject: id of an offer (provider of negotiations), of a data set elsewhere (consumer of
            them) or of an agreement (transfers).
        agency: path of the agency for which it acts.
    """

    kind: ProcessKind
    role: Role
    subject: str
    agency: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Process:
    """A negotiation or a transfer, as this side knows it.

    Attributes:
        id: our identifier of it (``providerPid`` or ``consumerPid``).
        role: which side we are.
        peer: the participant on the other side; its own identifier of the process is ``peer_pid``,
            empty until it answered.
        callback: the base address to which our messages go.
        agency: path of our agency that has part in it.
        dataset: identifier of the data set (its ``target``).
        offer: id of the offer it began with.
        agreement: id of the agreement: ours as provider, the provider's as consumer.
        policy: what is on the table: the last offer, request or agreement (ODRL, plain JSON).
        mine: whether what is on the table came from us.
        data: more of it: ``address`` where data are to be had (sealed), ``signature``, ``text``.
        visits: how often each state was entered.
        seen: digest of the last message that moved it.
        error: why it did not go on, for people.
    """

    id: str
    kind: ProcessKind
    role: Role
    peer: str
    peer_pid: str
    callback: str
    agency: str
    dataset: str
    offer: str
    state: ProcessState
    created_at: datetime
    changed_at: datetime
    agreement: str = ""
    format: str = ""
    policy: Mapping[str, Any] = field(default_factory=dict)
    mine: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)
    visits: Mapping[str, int] = field(default_factory=dict)
    seen: str = ""
    error: str = ""
    version: int = 1

    @property
    def provider_pid(self) -> str:
        """The provider's identifier of it."""
        return self.id if self.role is Role.PROVIDER else self.peer_pid

    @property
    def consumer_pid(self) -> str:
        """The consumer's identifier of it."""
        return self.id if self.role is Role.CONSUMER else self.peer_pid


class SendingState(StrEnum):
    """Where a message stands that is to be sent."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    #: The process ended before it left.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Sending:
    """A message of ours.

    Attributes:
        id: also the ``@id`` under which it is sent, each time it is sent.
        number: those of one process are sent in this order.
        first: whether the other side makes the process by it.
        body: what it says beyond the two identifiers.
    """

    id: str
    process: str
    number: int
    act: ProcessAct
    first: bool
    body: Mapping[str, Any]
    created_at: datetime
    due_at: datetime
    state: SendingState = SendingState.WAITING
    attempts: int = 0
    error: str = ""
    sent_at: datetime | None = None


def reaction(plan: Plan, state: ProcessState, visit: int) -> Reaction:
    """What a plan does when a state is entered for the n-th time (from 1)."""
    steps: Sequence[Reaction] = plan.get(state, ())
    return steps[visit - 1] if 0 < visit <= len(steps) else Reaction.WAIT
