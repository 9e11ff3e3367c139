"""The messages that wait, sent by workers: in order, again until they arrive, none lost.

A worker takes the next message by putting it off for a while, sends it outside of any transaction,
and notes what came of it. One that is killed in between leaves it to be sent again, with the same
``@id`` and the same identifiers, which the other side knows it by.
"""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Conflict, Invalid, Unavailable
from foundation.kernel.paging import PageRequest
from foundation.kernel.time import Clock, format_instant
from foundation.operations.jobs import Schedule
from workloads.data_exchange.dataspace import documents, policies
from workloads.data_exchange.dataspace.machine import (
    COLLECTIONS,
    MESSAGES,
    ProcessAct,
    ProcessKind,
    ProcessState,
    Role,
)
from workloads.data_exchange.dataspace.model import (
    LONGEST_ID,
    Process,
    Sending,
    SendingState,
)
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.ports import (
    Answered,
    Contracts,
    DataspaceStore,
    Granting,
    Ring,
    Wire,
    Work,
)
from workloads.data_exchange.harvesting.plain import line

_SYSTEM = Actor.system("dataspace")
SECONDS = 1.0
#: For how long a message is one worker's; longer than it may take to send it.
_LEASE = timedelta(seconds=60)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 300.0
#: After so many tries, a day and a half, nobody is there.
MOST_TRIES = 450
#: Not found and such may be a matter of a moment; after so many tries they are an answer.
_SOON = 6
_AGAIN = frozenset({408, 425, 429})
_UNSURE = frozenset({401, 404, 409})
_OK = range(200, 300)
_CLIENT = range(400, 500)
_MOST = 200
#: What begins like a JWS.
_TOKEN = re.compile(r"eyJ[\w-]{10,}(?:\.[\w-]*)*")


class Sender:
    """Sends what waits.

    Args:
        store: of messages and processes.
        db: the unit of work.
        clock: what time it is.
        wire: to other connectors.
        participants: who they are.
        access: where data are to be had.
    """

    def __init__(
        self, store: DataspaceStore, db: Work, clock: Clock, wire: Wire,
        participants: Participants, access: "Access",
    ) -> None:  # fmt: skip
        self._store = store
        self._db = db
        self._clock = clock
        self._wire = wire
        self._participants = participants
        self._access = access

    def schedules(self) -> list[Schedule]:
        """What a worker does again and again."""
        return [Schedule("dataspace.send", SECONDS, self.work)]

    def work(self) -> int:
        """Send all that is due; answers how many were tried."""
        for done in range(_MOST):
            if not self.one():
                return done
        return _MOST

    def one(self) -> bool:
        """Send the next one; False when none is due."""
        with self._db.transaction():
            now = self._clock.now()
            sending = self._store.claim(now, now + _LEASE)
            process = self._store.find(sending.process) if sending else None
        if sending is None or process is None:
            return False
        try:
            answer = self._sent(process, sending)
        except Unavailable as error:
            self._later(sending, error.message)
        except (Invalid, Conflict) as error:
            self._failed(sending, _told(error))
        else:
            self._answered(process, sending, answer)
        return True

    def _sent(self, process: Process, sending: Sending) -> Answered:
        body = canonical.dumps(self._message(process, sending)).encode()
        token = self._participants.token(process.peer, body)
        return self._wire.post(_url(process, sending), body, token)

    def _message(self, process: Process, sending: Sending) -> dict[str, Any]:
        name, event, _ = MESSAGES[process.kind, sending.act]
        extra = dict(sending.body)
        if (process.kind, process.role, sending.act) == (
            ProcessKind.TRANSFER, Role.PROVIDER, ProcessAct.START,
        ):  # fmt: skip
            extra["dataAddress"] = self._access.address(process)
        pids = {"providerPid": process.provider_pid, "consumerPid": process.consumer_pid}
        if sending.first:
            own = "providerPid" if process.role is Role.PROVIDER else "consumerPid"
            pids = {own: process.id}
        elif not process.peer_pid:
            raise Conflict("the other side never answered to the first message")
        return documents.message(
            name, **{"@id": f"{policies.BX}message:{sending.id}"}, **pids,
            eventType=event or None, **extra,
        )  # fmt: skip

    def _answered(self, process: Process, sending: Sending, answer: Answered) -> None:
        if answer.status in _OK:
            theirs = _pid(process, answer) if sending.first else process.peer_pid
            if theirs:
                self._arrived(sending, theirs)
            else:
                self._failed(sending, "the answer names no process")
            return
        told = f"it answered {answer.status}{reason(answer)}"
        unsure = answer.status in _UNSURE and sending.attempts < _SOON
        final = answer.status in _CLIENT and answer.status not in _AGAIN and not unsure
        if final:
            self._failed(sending, told)
        else:
            self._later(sending, told)

    def _arrived(self, sending: Sending, theirs: str) -> None:
        with self._db.transaction():
            there = self._store.find(sending.process, hold=True)
            now = self._clock.now()
            self._store.sent(replace(sending, state=SendingState.SENT, sent_at=now, error=""))
            if there is not None and not there.peer_pid:
                self._store.update(replace(there, peer_pid=theirs))

    def _later(self, sending: Sending, why: str) -> None:
        if sending.attempts >= MOST_TRIES:
            self._failed(sending, why)
            return
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(sending.attempts - 1, 12))
        with self._db.transaction():
            due = self._clock.now() + timedelta(seconds=pause)
            self._store.sent(replace(sending, due_at=due, error=why[:500]))

    def _failed(self, sending: Sending, why: str) -> None:
        """Both sides see the process differently now: it is over (Protocol, "Introduction")."""
        with self._db.transaction():
            there = self._store.find(sending.process, hold=True)
            self._store.sent(replace(sending, state=SendingState.FAILED, error=why[:500]))
            self._store.drop(sending.process)
            if there is not None:
                state = there.state if there.state.terminal else ProcessState.TERMINATED
                self._store.update(
                    replace(there, state=state, error=why[:500], changed_at=self._clock.now(),
                            version=there.version + 1)
                )  # fmt: skip


class Access:
    """Where a consumer has the data of a transfer: the gateway, with a grant for it.

    Args:
        contracts: the agreements.
        grants: for the gateway.
        keys: of agencies.
        clock: what time it is.
        gateway: its address.
        base: the address of the exchange, at which the next grant is to be had.
    """

    def __init__(
        self, contracts: Contracts, grants: Granting, keys: Ring, clock: Clock, gateway: str,
        base: str,
    ) -> None:  # fmt: skip
        self._contracts = contracts
        self._grants = grants
        self._keys = keys
        self._clock = clock
        self._gateway = gateway
        self._base = base

    def address(self, process: Process) -> dict[str, Any]:
        """A ``DataAddress`` of HTTP with its authorisation.

        Raises:
            Conflict: the agreement is not in force, or the consumer has no key to bind a grant to.
        """
        agreement = self._contracts.agreement(_SYSTEM, process.agreement)
        now = self._clock.now()
        held = self._keys.keys(_SYSTEM, agreement.consumer, PageRequest(limit=50)).items
        key = next((one for one in held if one.signs_at(now)), None)
        if key is None:
            raise Conflict("the consumer has no key here to which a grant could be bound")
        grant = self._grants.issue(_SYSTEM, agreement.id, key.kid)
        said = {
            "authorization": grant.token, "authType": "DPoP", f"{policies.BX}kid": key.kid,
            f"{policies.BX}purposes": " ".join(grant.purposes),
            f"{policies.BX}expires": format_instant(_after(now, grant.seconds)),
            f"{policies.BX}next": f"{self._base}/api/v1/agreements/{agreement.id}/grants/signed",
        }  # fmt: skip
        return {
            "@type": "DataAddress", "endpointType": "https://w3id.org/idsa/v4.1/HTTP",
            "endpoint": f"{self._gateway}/services/{agreement.service}",
            "endpointProperties": [
                {"@type": "EndpointProperty", "name": name, "value": value}
                for name, value in said.items()
            ],
        }  # fmt: skip


def _after(now: Any, seconds: int) -> Any:  # noqa: ANN401 - a moment
    return now + timedelta(seconds=seconds)


def _url(process: Process, sending: Sending) -> str:
    part = MESSAGES[process.kind, sending.act][2]
    steps = [COLLECTIONS[process.kind], part]
    if not sending.first:
        steps.insert(1, quote(process.peer_pid, safe=":@"))
    return "/".join((process.callback.rstrip("/"), *steps))


def _pid(process: Process, answer: Answered) -> str:
    """The other side's identifier of a process that it just made."""
    try:
        told = documents.read(answer.body, "ContractNegotiation", "TransferProcess")
    except documents.Unreadable:
        return ""
    mine, theirs = "providerPid", "consumerPid"
    if process.role is Role.CONSUMER:
        mine, theirs = theirs, mine
    named = str(told.get(theirs, ""))
    return named if told.get(mine) == process.id and len(named) <= LONGEST_ID else ""


def reason(answer: Answered) -> str:
    """What an error of the protocol says, as far as it can be read; a colon stands before it."""
    try:
        told = documents.read(
            answer.body, "ContractNegotiationError", "TransferError", "CatalogError"
        )
    except documents.Unreadable:
        return ""
    said = [told.get("code"), *(told.get("reason") or ())]
    # Whoever tells us our own token shows it to nobody.
    text = line(_TOKEN.sub("…", ", ".join(str(one) for one in said if one)), 300)
    return f": {text}" if text else ""


def _told(error: BoroughError) -> str:
    if isinstance(error, Invalid):
        return "; ".join(one.message for one in error.problems)
    return error.message
