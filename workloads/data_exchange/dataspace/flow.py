"""How a process goes on: what we say, the state that follows, and what rules do then.

Everything here happens in the open transaction: a state and the message that goes with it are
written together, and the message leaves later (``sending``). A state of ours counts from when we
decided on it, so an answer that is faster than our note of having sent is taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import BoroughError, Collector, Conflict
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.agreements import ask as asks
from workloads.data_exchange.agreements.contracts.model import AGREEMENT, Party
from workloads.data_exchange.agreements.requests.model import Request, RequestId, RequestState
from workloads.data_exchange.dataspace import policies
from workloads.data_exchange.dataspace.machine import (
    ProcessAct,
    ProcessKind,
    ProcessState,
    Role,
    after,
)
from workloads.data_exchange.dataspace.model import (
    Offer,
    Participant,
    Plan,
    Process,
    Reaction,
    Sending,
    reaction,
)
from workloads.data_exchange.dataspace.ports import Catalogue, Contracts, DataspaceStore, Ring
from workloads.data_exchange.keys.service import OWN

AGREED = f"{policies.BX}agreement:"
#: Names, beyond the protocol's, of what two exchanges of this kind tell each other.
POLICY, SIGNATURE = f"{policies.BX}policy", f"{policies.BX}signature"
ANSWERS = f"{policies.BX}answers"
#: What is done where no rule says otherwise.
USUAL: Mapping[tuple[ProcessKind, Role], Plan] = {
    (ProcessKind.NEGOTIATION, Role.PROVIDER): {ProcessState.VERIFIED: (Reaction.FINALIZE,)},
    (ProcessKind.NEGOTIATION, Role.CONSUMER): {ProcessState.AGREED: (Reaction.VERIFY,)},
    (ProcessKind.TRANSFER, Role.PROVIDER): {ProcessState.REQUESTED: (Reaction.START,)},
    (ProcessKind.TRANSFER, Role.CONSUMER): {},
}
BY_RULE = Actor.system("dataspace")


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody adds to an act.

    Attributes:
        code, reason: why something is terminated or suspended.
        policy: what a counter-request or an offer says instead; empty: as before.
    """

    code: str = ""
    reason: str = ""
    policy: Mapping[str, Any] | None = None


class Flow:
    """Moves processes.

    Args:
        store: where they are kept.
        clock: what time it is.
        contracts: the agreements of this exchange.
        catalogue: what is published.
        keys: with which is signed.
        own: our identifier in the dataspace.
    """

    def __init__(
        self,
        store: DataspaceStore,
        clock: Clock,
        contracts: Contracts,
        catalogue: Catalogue,
        keys: Ring,
        own: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._contracts = contracts
        self._catalogue = catalogue
        self._keys = keys
        self.own = own

    def begin(self, process: Process, body: Mapping[str, Any]) -> Process:
        """Keep a process that we begin, and its first message."""
        self._store.add(process)
        act = ProcessAct.OFFER if process.role is Role.PROVIDER else ProcessAct.REQUEST
        self._send(process, act, body, first=True)
        return self.react(self._visited(process))

    def taken(self, process: Process) -> Process:
        """Keep a process that the other side began."""
        self._store.add(process)
        return self.react(self._visited(process))

    def enter(self, process: Process, state: ProcessState) -> Process:
        """The process in its next state, and in those to which rules take it from there."""
        return self.react(self._visited(replace(process, state=state)))

    def do(self, process: Process, act: ProcessAct, said: Said, actor: Actor = BY_RULE) -> Process:
        """Say something, and be in the state that follows.

        Raises:
            Conflict: this cannot be said now.
        """
        to = after(process.kind, process.state, act, process.role)
        if to is None:
            raise Conflict(
                f"the {process.kind} is {process.state}: this cannot be done now",
                state=process.state,
            )
        process, body = self._spoken(process, act, said, actor)
        self._send(process, act, body, first=False)
        return self.enter(replace(process, error=""), to)

    def react(self, process: Process) -> Process:
        """Do what the rules say for the state, if they say anything."""
        done = self._plan(process)
        act = done.act
        if act is None or after(process.kind, process.state, act, process.role) is None:
            return process
        held = self._held_back(process, act)
        if held:
            process = replace(process, error=held)
            self._store.update(process)
            return process
        return self.do(process, act, Said("rule", "a rule of this side ended it"))

    def _plan(self, process: Process) -> Reaction:
        subject = process.agreement
        if process.kind is ProcessKind.NEGOTIATION:
            subject = process.offer if process.role is Role.PROVIDER else process.dataset
        rule = self._store.rule(process.kind, process.role, subject, process.agency)
        plan = {**USUAL[process.kind, process.role], **(rule.plan if rule else {})}
        return reaction(plan, process.state, process.visits.get(process.state, 0))

    def _held_back(self, process: Process, act: ProcessAct) -> str:
        """Why a rule does not do this: a person must look. Empty when nothing is in the way."""
        if act is ProcessAct.VERIFY:
            return self._doubts(process)
        if act is not ProcessAct.AGREE:
            return ""
        offer = self._store.offer(process.offer)
        if offer is None or offer.withdrawn_at is not None:
            return "the offer was withdrawn"
        try:
            wanted = policies.read(process.policy, offer.given)
            more = policies.exceeds(wanted, offer.given, self._clock.now())
            self._checked(process, offer)
        except policies.NotUnderstood as error:
            return str(error)
        except BoroughError as error:
            return error.message
        return f"more is asked for than is offered: {more}" if more else ""

    def _doubts(self, process: Process) -> str:
        """Why an agreement is not verified by rule; empty when nothing is against it."""
        if not process.data.get("follows"):
            return "the agreement is not what was asked for: read it, then verify or terminate"
        text = _to_sign(process)
        if text is not None and not policies.says(text[0], text[1], process.policy):
            return "the text to be signed is not what the agreement says"
        return ""

    # --- what is said

    def _spoken(
        self, process: Process, act: ProcessAct, said: Said, actor: Actor
    ) -> tuple[Process, dict[str, Any]]:
        match process.kind, act:
            case ProcessKind.NEGOTIATION, ProcessAct.OFFER:
                offer = self._of(process)
                policy = {**offered_policy(offer), **(said.policy or {}), "target": offer.target}
                return replace(process, policy=policy, mine=True), {"offer": policy}
            case ProcessKind.NEGOTIATION, ProcessAct.REQUEST:
                policy = {**_asked(process), **(said.policy or {}), "target": process.dataset}
                return replace(process, policy=policy, mine=True), {"offer": policy}
            case ProcessKind.NEGOTIATION, ProcessAct.AGREE:
                return self._agreed(process, actor)
            case ProcessKind.NEGOTIATION, ProcessAct.VERIFY:
                return process, self._verified(process)
            case _, ProcessAct.TERMINATE | ProcessAct.SUSPEND:
                reason = [said.reason] if said.reason else None
                return process, {"code": said.code or "1", **({"reason": reason} if reason else {})}
            case _:
                return process, {}

    def _agreed(self, process: Process, actor: Actor) -> tuple[Process, dict[str, Any]]:
        offer, now = self._of(process), self._clock.now()
        peer = self._peer(process)
        ask, offered = self._checked(process, offer)
        request = Request(
            RequestId(process.id), peer.agency, offered.provider, offer.dataset, offer.service, ask,
            offer.legal_basis, "", now, RequestState.APPROVED, now, 0, None,
        )  # fmt: skip
        agreement = self._contracts.draft(request, offered)
        digest = self._contracts.version(BY_RULE, agreement).digest
        version = self._contracts.sign(actor, agreement, Party.PROVIDER, digest)
        policy = {
            "@type": "Agreement", "@id": AGREED + agreement, "target": offer.target,
            "assigner": self.own, "assignee": peer.id, "timestamp": format_instant(now),
            "permission": policies.agreed(ask),
            POLICY: version.policy, SIGNATURE: version.signatures[Party.PROVIDER].jws,
        }  # fmt: skip
        if version.answers is not None:
            policy[ANSWERS] = canonical.dumps(version.answers)
        changed = replace(process, agreement=agreement, policy=policy, mine=True)
        return changed, {"agreement": policy}

    def _checked(self, process: Process, offer: Offer) -> tuple[asks.Ask, Any]:
        """What would be agreed on, and what it is about.

        Raises:
            Invalid: it cannot be agreed on.
            Conflict: it is not offered any more, or the provider has no key here.
        """
        offered = self._catalogue.offered(offer.dataset, offer.service)
        if offered is None:
            raise Conflict("this data set is not offered any more")
        now = self._clock.now()
        try:
            wanted = policies.read(process.policy, offer.given)
        except policies.NotUnderstood as error:
            raise Conflict(str(error)) from None
        ask = policies.as_ask(wanted, now)
        found = Collector()
        asks.check(found, ask, offered, now)
        found.finish()
        # Asked before anything is written: a rule that cannot sign leaves all as it is.
        self._keys.sign(offered.provider, {"process": process.id}, "exchange-probe+jws")
        return ask, offered

    def _verified(self, process: Process) -> dict[str, Any]:
        text = _to_sign(process)
        if text is None:
            return {}
        if not policies.says(text[0], text[1], process.policy):
            raise Conflict("the text to be signed is not what the agreement says")
        return {SIGNATURE: self._keys.sign(OWN, text[0], AGREEMENT)}

    def _of(self, process: Process) -> Offer:
        offer = self._store.offer(process.offer)
        if offer is None or offer.withdrawn_at is not None:
            raise Conflict("the offer was withdrawn")
        return offer

    def _peer(self, process: Process) -> Participant:
        found = self._store.participant(process.peer)
        if found is None:
            raise Conflict("this participant is not known any more")
        return found

    # --- below

    def _send(
        self, process: Process, act: ProcessAct, body: Mapping[str, Any], *, first: bool
    ) -> None:
        now = self._clock.now()
        number = len(self._store.sendings(process.id)) + 1
        made = ids.new("dsm")
        self._store.send(Sending(made, process.id, number, act, first, body, now, now))

    def _visited(self, process: Process) -> Process:
        visits = {**process.visits, process.state: process.visits.get(process.state, 0) + 1}
        changed = replace(
            process, visits=visits, changed_at=self._now(process), version=process.version + 1
        )
        self._store.update(changed)
        return changed

    def _now(self, process: Process) -> datetime:
        return max(self._clock.now(), process.created_at)


def offered_policy(offer: Offer) -> dict[str, Any]:
    """An offer as ODRL of the protocol; its target is said by where it stands."""
    return {"@type": "Offer", "@id": offer.id, "permission": policies.permission(offer.given)}


def request_policy(offer: str, target: str, rules: object = None) -> dict[str, Any]:
    """A request for an offer; without rules of its own, for what the offer says."""
    permission = rules or [{"action": "use"}]
    return {"@type": "Offer", "@id": offer, "target": target, "permission": permission}


def _to_sign(process: Process) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
    """The text that the provider has signed, and the schema that it names; None without any."""
    text, answers = process.data.get("text"), process.data.get("answers")
    signed = policies.loads(text) if isinstance(text, str) else None
    if signed is None:
        return None
    return signed, policies.loads(answers) if isinstance(answers, str) else None


def _asked(process: Process) -> dict[str, Any]:
    kept = process.data.get("request")
    return dict(kept) if isinstance(kept, dict) else request_policy(process.offer, process.dataset)
