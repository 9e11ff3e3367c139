"""The use cases of our people: offers, rules, negotiations and transfers."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements import ask as asks
from workloads.data_exchange.dataspace import documents, policies
from workloads.data_exchange.dataspace.flow import AGREED, Flow, Said, request_policy
from workloads.data_exchange.dataspace.machine import (
    MACHINES,
    ProcessAct,
    ProcessKind,
    ProcessState,
    Role,
    open_to,
)
from workloads.data_exchange.dataspace.model import (
    LONGEST_ID,
    PULL,
    REASON_MAX,
    Given,
    Offer,
    Participant,
    Plan,
    Process,
    Rule,
    Sending,
)
from workloads.data_exchange.dataspace.participants import Participants
from workloads.data_exchange.dataspace.ports import (
    Audit,
    Book,
    Catalogue,
    DataspaceStore,
    Known,
    Vault,
    Work,
)
from workloads.data_exchange.dataspace.receiving import PREFIXES

#: What one needs to act as a side, on the path of our agency.
ACTIONS = {Role.PROVIDER: "dataspace.offer", Role.CONSUMER: "dataspace.use"}
NOUN = "process"
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with.

    Attributes:
        base: the address of our protocol endpoints, to which others send.
    """

    store: DataspaceStore
    db: Work
    clock: Clock
    audit: Audit
    agencies: Book
    catalogue: Catalogue
    participants: Participants
    known: Known
    vault: Vault
    base: str


class Dataspace:
    """What people do in the dataspace."""

    def __init__(self, parts: Parts, flow: Flow) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db
        self._flow = flow

    # --- offers and rules

    def offer(
        self,
        actor: Actor,
        *,
        dataset: str,
        service: str,
        given: Given,
        legal_basis: str,
        target: str = "",
        offer: str = "",
    ) -> Offer:
        """Offer a published data set to the dataspace, or change an offer of it.

        Args:
            actor: a steward of the provider.
            dataset, service: their ids in the directory.
            given: what everybody gets who takes it.
            legal_basis: by which law it may be given.
            target: the identifier of the data set in the dataspace; its id if empty.
            offer: an id of one's own for the offer; a new one if empty.

        Raises:
            Invalid: names every wrong field.
            NotFound: nothing that may be offered.
        """
        with self._db.transaction():
            offered = self._parts.catalogue.offered(dataset, service)
            if offered is None:
                raise policy.unknown("entry")
            policy.require(actor, "dataspace.offer", offered.provider, "entry")
            now, wrong = self._parts.clock.now(), Collector()
            target, offer = target.strip() or dataset, offer.strip() or ids.new("dso")
            there = self._store.offer(offer)
            wrong.check(
                there is None or there.agency == offered.provider,
                "offer", "is another offer's id already", "taken",
            )  # fmt: skip
            others = self._store.offers_of(target)
            wrong.check(
                all((one.dataset, one.agency) == (dataset, offered.provider) for one in others),
                "target", "is another data set's identifier already", "taken",
            )  # fmt: skip
            for name, text in (("target", target), ("offer", offer), ("legal_basis", legal_basis)):
                wrong.check(
                    0 < len(text.strip()) <= LONGEST_ID and text.isprintable(),
                    name, f"must be 1 to {LONGEST_ID} characters",
                )  # fmt: skip
            if wrong.check(0 < given.days <= asks.LONGEST_TERM.days, "days",
                           f"must be 1 to {asks.LONGEST_TERM.days}"):  # fmt: skip
                asks.check(wrong, policies.as_ask(given, now), offered, now)
            wrong.finish()
            made = Offer(
                offer, target, dataset, service, offered.provider, given, legal_basis.strip(),
                there.created_at if there else now,
            )  # fmt: skip
            self._store.put_offer(made)
            self._note(actor, "dataspace.offer", made.id, made.agency, {"target": target})
            return made

    def withdraw(self, actor: Actor, offer: str) -> Offer:
        """Offer it no more; what was agreed on stands.

        Raises:
            NotFound: no such offer.
        """
        with self._db.transaction():
            there = self._store.offer(offer)
            if there is None:
                raise policy.unknown("offer")
            policy.require(actor, "dataspace.offer", there.agency, "offer")
            if there.withdrawn_at is None:
                there = replace(there, withdrawn_at=self._parts.clock.now())
                self._store.put_offer(there)
                self._note(actor, "dataspace.withdraw", there.id, there.agency, {})
            return there

    def offers(self, actor: Actor, page: PageRequest) -> Page[Offer]:
        """The offers of agencies that the actor may see."""
        with self._db.transaction():
            return self._store.offers(policy.visible_paths(actor, "dataspace.view"), page)

    def rule(
        self, actor: Actor, *, kind: ProcessKind, role: Role, subject: str, agency: str, plan: Plan
    ) -> Rule:
        """Say what is done without a person; an empty plan leaves all to people again.

        Args:
            actor: who may do the same by hand.
            kind, role: in which processes, as which side.
            subject: an offer (provider of negotiations), a data set elsewhere (consumer of them),
                or an agreement (transfers).
            agency: id or path of the agency for which it acts.
            plan: by state, what is done the first time it is entered, the second, and so on.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
        """
        with self._db.transaction():
            path = self._agency(actor, ACTIONS[role], agency)
            wrong = Collector()
            wrong.check(0 < len(subject) <= LONGEST_ID, "subject",
                        f"must be 1 to {LONGEST_ID} characters")  # fmt: skip
            for state, steps in plan.items():
                wrong.check(
                    any(of is state for of, _ in MACHINES[kind]),
                    f"plan.{state}", f"is no state in which a {kind} waits",
                )  # fmt: skip
                wrong.check(len(steps) <= _MOST_STEPS, f"plan.{state}",
                            f"must be at most {_MOST_STEPS} steps")  # fmt: skip
                may = open_to(kind, state, role)
                for n, step in enumerate(steps):
                    wrong.check(
                        step.act is None or step.act in may,
                        f"plan.{state}.{n}", f"is nothing that a {role} may do then",
                    )  # fmt: skip
            if kind is ProcessKind.NEGOTIATION and role is Role.PROVIDER:
                offer = self._store.offer(subject)
                wrong.check(offer is not None and offer.agency == path, "subject",
                            "is no offer of the agency", "unknown")  # fmt: skip
            wrong.finish()
            made = Rule(kind, role, subject, path, plan)
            self._store.put_rule(made)
            self._note(actor, "dataspace.rule", subject, path, {"kind": kind, "role": role})
            return made

    # --- beginning

    def negotiate(
        self,
        actor: Actor,
        *,
        agency: str,
        provider: str,
        dataset: str,
        offer: str,
        address: str = "",
        rules: Sequence[Mapping[str, Any]] = (),
    ) -> Process:
        """Ask another participant for an agreement.

        Args:
            actor: an officer of our agency.
            agency: id or path of the agency that wants the data.
            provider: identifier of the participant.
            dataset, offer: their ids in its catalogue.
            address: base of its endpoints; if empty, what its catalogue says of the data set, if it
                was asked for, or else the registered one.
            rules: permissions (ODRL) that are asked for; none: what the offer says.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency or participant.
        """
        with self._db.transaction():
            path = self._agency(actor, "dataspace.use", agency)
            named = {"offer": offer, "dataset": dataset}
            known = self._parts.known.find(provider, dataset)
            # What it tells of another participant's is that one's to say.
            known = None if known is None or known.owner else known
            where = known.address if known else ""
            made = self._made(ProcessKind.NEGOTIATION, path, provider, address, where, named)
            asked = request_policy(offer, dataset, [dict(one) for one in rules] or None)
            theirs = None if known is None or rules else known.offer(offer)
            if theirs is not None:
                # Word for word: many providers compare, and we see whether they agree to the same.
                del asked["permission"]
                asked |= theirs.rules()
            body = {"offer": asked, "callbackAddress": self._parts.base}
            problem = documents.first_problem(
                documents.message("ContractRequestMessage", consumerPid=made.id, **body)
            )
            wrong = Collector()
            wrong.check(not problem, "rules", problem)
            wrong.finish()
            made = replace(
                made, dataset=dataset, offer=offer, policy=asked, mine=True,
                data={"request": asked},
            )  # fmt: skip
            self._note(actor, "dataspace.negotiate", made.id, path, {"provider": provider})
            return self._flow.begin(made, body)

    def transfer(
        self,
        actor: Actor,
        *,
        agency: str,
        provider: str,
        agreement: str,
        format: str = PULL,  # noqa: A002 - the protocol's name for it
        address: str = "",
    ) -> Process:
        """Ask another participant to hand out what was agreed on.

        Args:
            actor: an officer of our agency.
            agency: id or path of the agency that wants the data.
            provider: identifier of the participant.
            agreement: id of the agreement, as the provider has it.
            format: of the distribution.
            address: base of its endpoints; if empty, where it was agreed on, or else the
                registered one.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency or participant.
        """
        with self._db.transaction():
            path = self._agency(actor, "dataspace.use", agency)
            named = {"agreement": agreement, "format": format}
            where = self._store.agreed_at(provider, agreement.removeprefix(AGREED))
            made = self._made(ProcessKind.TRANSFER, path, provider, address, where, named)
            made = replace(made, agreement=agreement.removeprefix(AGREED), format=format)
            body = {
                "agreementId": agreement, "format": format, "callbackAddress": self._parts.base,
            }  # fmt: skip
            self._note(actor, "dataspace.transfer", made.id, path, {"provider": provider})
            return self._flow.begin(made, body)

    def _made(
        self, kind: ProcessKind, path: str, provider: str, address: str, known: str,
        named: Mapping[str, str],
    ) -> Process:  # fmt: skip
        wrong = Collector()
        for name, text in named.items():
            wrong.check(0 < len(text) <= LONGEST_ID, name, f"must be 1 to {LONGEST_ID} characters")
        wrong.finish()
        peer = self._parts.participants.known(provider)
        base = self._base(peer, address, known)
        now = self._parts.clock.now()
        return Process(
            ids.new(PREFIXES[kind]), kind, Role.CONSUMER, peer.id, "", base, path, "", "",
            ProcessState.REQUESTED, now, now,
        )  # fmt: skip

    def _base(self, peer: Participant, address: str, known: str) -> str:
        """Where messages to a participant go: what was said, what it told, what is registered."""
        reach = self._parts.participants.reach
        if known and not address:
            # It may have moved to another host since it told us.
            with contextlib.suppress(Invalid):
                return reach(peer, known, "address")
        return reach(peer, address or peer.address, "address")

    # --- going on

    def act(
        self, actor: Actor, process: str, act: ProcessAct, *, reason: str = "",
        rules: Sequence[Mapping[str, Any]] = (),
    ) -> Process:  # fmt: skip
        """Do what the state of a process allows.

        Args:
            actor: who does it for our agency.
            process: its id.
            act: what is said.
            reason: why, where something is terminated or suspended.
            rules: other permissions (ODRL) for an offer or a counter-request.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such process, or none that the actor may know of.
            Forbidden: they may not act for our side.
            Conflict: this cannot be done in its state.
        """
        with self._db.transaction():
            there = self._found(actor, process, hold=True)
            action = ACTIONS[there.role]
            if not policy.allows(actor, action, there.agency):
                raise Forbidden(f"this needs the permission {action}", action=action)
            wrong = Collector()
            wrong.check(len(reason) <= REASON_MAX, "reason",
                        f"must be at most {REASON_MAX} characters")  # fmt: skip
            permission = {"permission": [dict(one) for one in rules]} if rules else None
            if permission is not None:
                wrong.check(
                    act in {ProcessAct.REQUEST, ProcessAct.OFFER},
                    "rules",
                    "belong to no such message",
                )
                said = {**request_policy("o", "d"), **permission}
                problem = documents.first_problem(
                    documents.message("ContractRequestMessage", consumerPid="c", providerPid="p",
                                      offer=said)
                )  # fmt: skip
                wrong.check(not problem, "rules", problem)
            wrong.finish()
            self._note(actor, f"dataspace.{act}", there.id, there.agency, {"reason": reason})
            return self._flow.do(there, act, Said("1", reason.strip(), permission), actor)

    # --- reading

    def process(self, actor: Actor, process: str) -> Process:
        """One process.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._found(actor, process)

    def processes(
        self, actor: Actor, page: PageRequest, *, kind: ProcessKind | None = None,
        state: ProcessState | None = None,
    ) -> Page[Process]:  # fmt: skip
        """Those that the actor may see, newest first."""
        with self._db.transaction():
            paths = policy.visible_paths(actor, "dataspace.view")
            return self._store.list(paths, kind, state, page)

    def sendings(self, actor: Actor, process: str) -> Sequence[Sending]:
        """What we said in a process, in order.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.sendings(self._found(actor, process).id)

    def may(self, actor: Actor, process: Process) -> tuple[ProcessAct, ...]:
        """What the actor may do with a process now."""
        if not policy.allows(actor, ACTIONS[process.role], process.agency):
            return ()
        return open_to(process.kind, process.state, process.role)

    def address(self, actor: Actor, process: str) -> Mapping[str, Any]:
        """Where the data of a transfer of ours are to be had, with the grant for it.

        Raises:
            NotFound: no such transfer, or none that the actor may know of.
            Forbidden: they may not use it.
            Conflict: it is not under way.
        """
        with self._db.transaction():
            there = self._found(actor, process)
            if not policy.allows(actor, "dataspace.use", there.agency):
                raise Forbidden("this needs the permission dataspace.use", action="dataspace.use")
            sealed = there.data.get("address")
            if there.state is not ProcessState.STARTED or not isinstance(sealed, str):
                raise Conflict("there is no address of data: the transfer is not started")
            self._note(actor, "dataspace.address", there.id, there.agency, {})
            opened = self._parts.vault.open(sealed, f"dataspace:{there.id}")
            found = policies.loads(opened.decode())
            return found or {}

    # --- below

    def _agency(self, actor: Actor, action: str, agency: str) -> str:
        found = self._parts.agencies.find(agency)
        if found is None:
            raise policy.unknown("agency")
        policy.require(actor, action, found.path, "agency")
        return found.path

    def _found(self, actor: Actor, process: str, *, hold: bool = False) -> Process:
        found = self._store.find(process, hold=hold)
        if found is None or not policy.allows(actor, "dataspace.view", found.agency):
            raise policy.unknown(NOUN)
        return found

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, object]
    ) -> None:
        self._parts.audit.record(actor, action, subject=subject, path=path, details=details)
