"""The use cases of other participants: what their messages do here.

Every refusal is a ``Refused`` with the status and the error of the protocol. Who has no part in a
process learns nothing of it: it is not found (HTTPS Binding, "Unauthorized Access").
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Conflict, Invalid, NotFound
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.contracts.model import AgreementState, Party
from workloads.data_exchange.dataspace import documents, policies
from workloads.data_exchange.dataspace.flow import (
    AGREED,
    ANSWERS,
    POLICY,
    SIGNATURE,
    Flow,
    request_policy,
)
from workloads.data_exchange.dataspace.machine import (
    MESSAGES,
    ProcessAct,
    ProcessKind,
    ProcessState,
    Role,
    after,
)
from workloads.data_exchange.dataspace.model import (
    LONGEST_ID,
    PULL,
    Offer,
    Participant,
    Process,
)
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.ports import Contracts, DataspaceStore, Vault, Work

_SYSTEM = Actor.system("dataspace")
#: Brings the signature of the other side: never the one who signs for ours.
_COUNTERPARTY = Actor.system("dataspace-counterparty")
PREFIXES = {ProcessKind.NEGOTIATION: "dsn", ProcessKind.TRANSFER: "dtp"}
_ACKS = {ProcessKind.NEGOTIATION: "ContractNegotiation", ProcessKind.TRANSFER: "TransferProcess"}
ERRORS = {
    ProcessKind.NEGOTIATION: "ContractNegotiationError",
    ProcessKind.TRANSFER: "TransferError",
}
Message = dict[str, Any]


class Refused(Exception):
    """A message that is refused.

    Attributes:
        status: of HTTP.
        body: the error of the protocol.
    """

    def __init__(self, status: int, body: Message) -> None:
        super().__init__(body.get("code"))
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with."""

    store: DataspaceStore
    db: Work
    clock: Clock
    participants: Participants
    contracts: Contracts
    vault: Vault


class Receiving:
    """Takes the messages of other participants."""

    def __init__(self, parts: Parts, flow: Flow) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db
        self._flow = flow

    def look(self, sender: Participant, kind: ProcessKind, pid: str) -> Message:
        """A process, for the one who has part in it.

        Raises:
            Refused: there is none, or none of theirs.
        """
        with self._db.transaction():
            return ack(self._mine(sender, kind, pid))

    def begin(
        self, sender: Participant, kind: ProcessKind, message: Message, role: Role
    ) -> tuple[Message, bool]:
        """Take the first message of a process; the same one again makes no other.

        Args:
            sender: who sent it.
            kind: of the process.
            message: in the plain form.
            role: which side we are in it.

        Returns:
            The process as it stands, and whether it was made now.

        Raises:
            Refused: it cannot begin so.
        """
        theirs = str(message["consumerPid" if role is Role.PROVIDER else "providerPid"])
        try:
            with self._db.transaction():
                self._db.lock(f"dataspace:{kind}:{sender.id}:{theirs}")
                there = self._store.by_peer(kind, role, sender.id, theirs)
                if there is not None:
                    if there.data.get("first") != documents.digest(message):
                        raise _wrong(there, "pid-taken", "another message used this identifier")
                    return ack(there), False
                made = self._begun(sender, kind, message, role, theirs)
                # What a rule says to it comes as a message of its own.
                return ack(replace(made, state=ProcessState.REQUESTED)), True
        except BoroughError as error:
            raise Refused(
                400, documents.error(ERRORS[kind], error.code, _told(error), **_pids(role, theirs))
            ) from None

    def _begun(
        self, sender: Participant, kind: ProcessKind, message: Message, role: Role, theirs: str
    ) -> Process:
        def refused(code: str, reason: str) -> Refused:
            body = documents.error(ERRORS[kind], code, reason, **_pids(role, theirs))
            return Refused(400, body)

        if not 0 < len(theirs) <= LONGEST_ID:
            raise refused("pid", f"an identifier is 1 to {LONGEST_ID} characters")
        try:
            callback = self._parts.participants.reach(
                sender, str(message["callbackAddress"]), "callbackAddress"
            )
        except Invalid as error:
            raise refused("callback-address", f"callbackAddress {error.problems[0].message}")  # noqa: B904
        now = self._parts.clock.now()
        made = Process(
            ids.new(PREFIXES[kind]), kind, role, sender.id, theirs, callback, "", "", "",
            ProcessState.REQUESTED, now, now, data={"first": documents.digest(message)},
        )  # fmt: skip
        if kind is ProcessKind.TRANSFER:
            return self._flow.taken(self._transfer(sender, made, message, refused))
        if role is Role.CONSUMER:
            raise refused("unexpected-offer", "nobody asked for an offer: none is taken unasked")
        return self._flow.taken(self._asked(made, message["offer"], refused))

    def _asked(self, made: Process, policy: Message, refused: Any) -> Process:  # noqa: ANN401
        offer = self._store.offer(str(policy["@id"]))
        if offer is None or offer.withdrawn_at is not None:
            raise refused("unknown-offer", "no offer of this catalogue has this @id")
        problem = _unfit(policy, offer.target, offer)
        if problem:
            raise refused("policy", problem)
        return replace(
            made, agency=offer.agency, dataset=offer.target, offer=offer.id, policy=policy
        )

    def _transfer(
        self,
        sender: Participant,
        made: Process,
        message: Message,
        refused: Any,  # noqa: ANN401
    ) -> Process:
        agreement = str(message["agreementId"]).removeprefix(AGREED)
        try:
            there = self._parts.contracts.agreement(_SYSTEM, agreement)
        except NotFound:
            raise refused("unknown-agreement", "there is no such agreement with you") from None
        if there.consumer != sender.agency:
            raise refused("unknown-agreement", "there is no such agreement with you")
        if str(message["format"]).rpartition("/")[2] != PULL:
            raise refused("format", f"data are handed out as {PULL} only")
        if message.get("dataAddress"):
            raise refused("data-address", f"{PULL} takes no dataAddress: the consumer calls")
        if there.state(self._parts.clock.now()) is not AgreementState.IN_FORCE:
            raise refused("agreement", "the agreement is not in force")
        return replace(
            made, agency=there.provider, dataset=there.dataset, agreement=there.id, format=PULL
        )

    def receive(
        self, sender: Participant, kind: ProcessKind, pid: str, part: str, message: Message
    ) -> Message:
        """Take a message about a process that there is.

        Args:
            sender: who sent it.
            kind: of the process.
            pid: our identifier of it.
            part: the last part of the path.
            message: in the plain form.

        Raises:
            Refused: it is not theirs, or cannot be said now.
        """
        with self._db.transaction():
            there = self._mine(sender, kind, pid, hold=True)
            by = there.role.other
            act = _act(kind, message, part)
            if act is None:
                raise _wrong(there, "message", "this message is not taken at this address")
            there = self._with_pid(there, message)
            to = after(kind, there.state, act, by)
            if to is None:
                if there.seen == documents.digest(message):
                    return ack(there)
                raise _wrong(
                    there, "state", f"{act} cannot be said by the {by} while it is {there.state}"
                )
            try:
                there = self._taken(there, act, message)
                there = replace(there, seen=documents.digest(message))
                if to.terminal:
                    self._store.drop(there.id)
                return ack(self._flow.enter(there, to))
            except BoroughError as error:
                raise _wrong(there, error.code, _told(error)) from None

    def _taken(self, there: Process, act: ProcessAct, message: Message) -> Process:
        """What a message changes besides the state."""
        match there.kind, act:
            case ProcessKind.NEGOTIATION, ProcessAct.REQUEST | ProcessAct.OFFER:
                if act is ProcessAct.REQUEST:
                    problem = _unfit(
                        message["offer"], there.dataset, self._store.offer(there.offer)
                    )
                    if problem:
                        raise _wrong(there, "policy", problem)
                return replace(there, policy=message["offer"], mine=False, error="")
            case ProcessKind.NEGOTIATION, ProcessAct.AGREE:
                return _with_agreement(there, message["agreement"])
            case ProcessKind.NEGOTIATION, ProcessAct.VERIFY:
                return self._countersigned(there, message)
            case ProcessKind.TRANSFER, ProcessAct.START if there.role is Role.CONSUMER:
                return self._with_address(there, message.get("dataAddress"))
            case _, ProcessAct.TERMINATE | ProcessAct.SUSPEND:
                told = [str(message.get("code", "")), *map(str, message.get("reason") or ())]
                return replace(there, error=": ".join(filter(None, told))[:500])
            case _:
                return replace(there, error="")

    def _countersigned(self, there: Process, message: Message) -> Process:
        signature = message.get(SIGNATURE)
        if not isinstance(signature, str):
            return there
        try:
            self._parts.contracts.submit(_COUNTERPARTY, there.agreement, Party.CONSUMER, signature)
        except Invalid as error:
            raise _wrong(there, "signature", _told(error)) from None
        return there

    def _with_address(self, there: Process, address: object) -> Process:
        if not isinstance(address, dict):
            return there
        sealed = self._parts.vault.seal(canonical.dumps(address).encode(), f"dataspace:{there.id}")
        return replace(there, data={**there.data, "address": sealed})

    def _mine(
        self, sender: Participant, kind: ProcessKind, pid: str, *, hold: bool = False
    ) -> Process:
        found = self._store.find(pid, hold=hold)
        if found is None or found.peer != sender.id or found.kind is not kind:
            body = documents.error(
                ERRORS[kind], "not-found", "there is no such process", providerPid=pid,
                consumerPid=pid,
            )  # fmt: skip
            raise Refused(404, body)
        return found

    def _with_pid(self, there: Process, message: Message) -> Process:
        """The process, if the message names both its identifiers."""
        ours, theirs = "providerPid", "consumerPid"
        if there.role is Role.CONSUMER:
            ours, theirs = theirs, ours
        named = str(message.get(theirs, ""))
        if str(message.get(ours, there.id)) != there.id or not 0 < len(named) <= LONGEST_ID:
            raise _wrong(there, "pid", "the message names another process")
        if there.peer_pid and named != there.peer_pid:
            raise _wrong(there, "pid", "the message names another process")
        return replace(there, peer_pid=named)


def ack(process: Process) -> Message:
    """A process as the protocol shows it."""
    return documents.message(
        _ACKS[process.kind], providerPid=process.provider_pid, consumerPid=process.consumer_pid,
        state=process.state.value,
    )  # fmt: skip


def _act(kind: ProcessKind, message: Message, part: str) -> ProcessAct | None:
    said = message["@type"], message.get("eventType", ""), part
    return next((act for (of, act), one in MESSAGES.items() if of is kind and one == said), None)


def _unfit(policy: Mapping[str, Any], target: str, offer: Offer | None) -> str:
    """Why a request cannot be talked about; empty when it can."""
    if policy.get("target", target) != target:
        return "the target is not the data set of the offer"
    if any("target" in rule for rule in policy.get("permission") or ()):
        return "a rule has no target of its own"
    if offer is None:
        return "the offer is not known any more"
    try:
        policies.read(policy, offer.given)
    except policies.NotUnderstood as error:
        return str(error)
    return ""


def _with_agreement(there: Process, agreement: Mapping[str, Any]) -> Process:
    table = there.policy or request_policy(there.offer, there.dataset)
    follows = policies.follows(agreement, table) and agreement.get("target") == there.dataset
    text, signature = agreement.get(POLICY), agreement.get(SIGNATURE)
    data = {**there.data, "follows": follows}
    if isinstance(text, str) and isinstance(signature, str):
        data |= {"text": text, "signature": signature, "answers": agreement.get(ANSWERS)}
    return replace(
        there, policy=dict(agreement), mine=False, data=data,
        agreement=str(agreement["@id"]).removeprefix(AGREED)[:LONGEST_ID], error="",
    )  # fmt: skip


def _pids(role: Role, theirs: str) -> dict[str, str]:
    """Of a process that is not made: only the other side's is known."""
    mine = "providerPid" if role is Role.PROVIDER else "consumerPid"
    other = "consumerPid" if role is Role.PROVIDER else "providerPid"
    return {mine: "", other: theirs}


def _wrong(there: Process, code: str, reason: str) -> Refused:
    return Refused(
        400,
        documents.error(
            ERRORS[there.kind], code, reason, providerPid=there.provider_pid,
            consumerPid=there.consumer_pid,
        ),
    )  # fmt: skip


def _told(error: BoroughError) -> str:
    if isinstance(error, Invalid):
        return "; ".join(f"{one.field} {one.message}" for one in error.problems)[:500]
    return error.message if isinstance(error, Conflict) else error.code
