"""Use cases of frameworks and contracts."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from control_plane.billing.model import Terms
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.canonical import decimal_text
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Invalid,
    NotFound,
    Problem,
    QuotaExceeded,
)
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Interval
from marketplace.model import (
    Balance,
    Contract,
    ContractId,
    ContractTerms,
    Entry,
    Framework,
    LedgerEntry,
    Offering,
    Order,
)
from marketplace.service.core import Core

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ContractView:
    """A contract with its framework, its money, and whether orders may be made on it now."""

    contract: Contract
    framework: Framework
    balance: Balance
    in_force: bool
    versions: tuple[Contract, ...] = ()


class Procurement(Core):
    """Frameworks, contracts and their money."""

    def define_framework(self, actor: Actor, framework: Framework) -> Framework:
        """Enter a framework, or change it where no contract contradicts that.

        Raises:
            Invalid: names every problem: unknown lots, a term or a ceiling that the contracts
                under it already pass.
        """
        with self._db.transaction():
            self._require_for_city(actor, "contract.manage")
            found = Collector()
            try:
                framework.check()
            except Invalid as error:
                found.include(error)
            shelves = {category.slug for category in self._store.categories()}
            unknown = sorted(set(framework.lots) - shelves)
            found.check(not unknown, "lots", f"are no categories: {', '.join(unknown)}")
            there = self._store.framework(framework.number, lock=True)
            called = self._store.called_off(framework.number)
            found.check(
                framework.ceiling.amount >= called, "ceiling.amount",
                f"is below the {decimal_text(called)} of the contracts under it",
            )  # fmt: skip
            if there is not None:
                same = there.ceiling.currency == framework.ceiling.currency
                found.check(same, "ceiling.currency", "does not change")
            found.finish()
            if there != framework:
                self._store.put_framework(framework)
                details = {"number": framework.number, "ceiling": framework.ceiling}
                self._note(actor, "framework.define", framework.number, self._root(), details)
            return framework

    def frameworks(self, actor: Actor) -> list[Framework]:
        """All frameworks: central procurement is known to every department."""
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            return self._store.frameworks()

    def framework(self, actor: Actor, number: str) -> Framework:
        """One framework.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            return self._framework(number)

    def sign_contract(
        self,
        actor: Actor,
        *,
        number: str,
        framework: str,
        organisation: str,
        terms: ContractTerms,
    ) -> Contract:
        """Call off a department's contract; the same again answers the one that is there.

        Args:
            actor: who signs for the city.
            number: its name in the city's files, unique.
            framework: number of the framework.
            organisation: id or path; the contract holds for it and all below.
            terms: what is agreed.

        Raises:
            Invalid: names every problem, the framework's ceiling included.
            NotFound: no such framework or organisation.
            Conflict: the number stands for another contract, or the organisation has one in that
                time.
        """
        with self._db.transaction():
            owner = self._tenancy.organisation_in_transaction(organisation)
            policy.require(actor, "contract.manage", owner.path, "organisation")
            under = self._framework(framework, lock=True)
            there = self._store.contract(number)
            if there is not None:
                return _same(there, under, owner.id, terms)
            self._check_terms(under, terms, None)
            if not number.strip():
                raise Invalid([Problem("number", "is required")])
            self._refuse_overlap(owner.path, terms.term)
            now = self._clock.now()
            made = Contract(
                ContractId(ids.new("con")), number, under.number, owner.id, owner.path, 1, terms,
                terms.term.start, actor.id, now,
            )  # fmt: skip
            self._store.add_contract(made)
            self._tell_terms(made, under)
            details = {"number": number, "framework": framework, "ceiling": terms.ceiling}
            self._note(actor, "contract.sign", made.id, owner.path, details)
            return made

    def amend_contract(
        self,
        actor: Actor,
        reference: str,
        *,
        terms: ContractTerms,
        reason: str,
        effective: datetime | None = None,
    ) -> Contract:
        """Agree a new version of a contract; ending it early is a term that ends earlier.

        Args:
            actor: who signs for the city.
            reference: id or number.
            terms: all of them, not only what changes.
            reason: why; part of the file.
            effective: from when its prices hold, a full hour; None is the next one.

        Raises:
            Invalid: names every problem; a ceiling below what is encumbered and committed is one.
            NotFound: there is no such contract, or none that the actor may know of.
        """
        with self._db.transaction():
            seen = self._visible_contract(actor, reference)
            policy.require(actor, "contract.manage", seen.path)
            under = self._framework(seen.framework, lock=True)
            there = self._contract(seen.id, lock=True)
            balance = self._store.balance(there)
            held = balance.encumbered + balance.committed
            since = effective or _next_hour(self._clock.now())
            found = Collector()
            found.check(reason.strip(), "reason", "is required")
            found.check(
                terms.ceiling.currency != held.currency or terms.ceiling >= held,
                "ceiling.amount", f"is below the {held} that are encumbered or committed",
            )  # fmt: skip
            whole = not (since.minute or since.second or since.microsecond)
            found.check(whole and since >= there.effective, "effective",
                        "must be a full hour, not before the present version")  # fmt: skip
            try:
                self._check_terms(under, terms, there)
            except Invalid as error:
                found.include(error)
            found.finish()
            self._refuse_overlap(there.path, terms.term, there.id)
            made = replace(
                there, version=there.version + 1, terms=terms, effective=since,
                signed_by=actor.id, signed_at=self._clock.now(), reason=reason,
            )  # fmt: skip
            self._store.add_contract_version(made)
            self._tell_terms(made, under)
            details = {"version": made.version, "ceiling": terms.ceiling, "reason": reason}
            self._note(actor, "contract.amend", made.id, made.path, details)
            return made

    def contracts(self, actor: Actor, request: PageRequest) -> Page[ContractView]:
        """The contracts that the actor may see, by number."""
        paths = policy.visible_paths(actor, "contract.view")
        with self._db.transaction():
            return self._store.contracts(paths, request).map(self._view)

    def contract(self, actor: Actor, reference: str) -> ContractView:
        """One contract by id or number, with all its versions and its money.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._visible_contract(actor, reference)
            versions = tuple(self._store.contract_versions(found.id))
            return replace(self._view(found), versions=versions)

    def ledger(self, actor: Actor, reference: str, request: PageRequest) -> Page[LedgerEntry]:
        """What was encumbered, committed and given back, newest first.

        Raises:
            NotFound: there is no such contract, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._visible_contract(actor, reference)
            return self._store.entries(found.id, request)

    # For orders, in their transaction ----------------------------------------------------------

    def _contract_for(
        self, path: str, number: str | None, offering: Offering, found: Collector
    ) -> Contract | None:
        """The contract that an order of this offering may draw on now; else a problem is noted."""
        now = self._clock.now()
        candidates = [
            one for one in self._store.contracts_above(path) if number in {None, one.number}
        ]
        reasons = []
        for one in candidates:
            reason = self._unfit(one, offering, now)
            if reason is None:
                return one
            reasons.append(reason)
        missing = "is none of this department's" if number else "the department has none"
        found.check(False, "contract", "; ".join(reasons) or missing, "no_contract")
        return None

    def _unfit(self, contract: Contract, offering: Offering, now: datetime) -> str | None:
        under = self._framework(contract.framework)
        if not contract.in_force(now):
            begun = contract.terms.term.start <= now
            return f"{contract.number} {'has ended' if begun else 'has not begun'}"
        if not under.term.contains(now):
            return f"the framework {under.number} is not in force"
        if offering.category not in under.lots:
            return f"{contract.number} does not cover the category {offering.category}"
        return None

    def _encumber(self, order: Order, contract: Contract, amount: Money) -> None:
        """Hold money of a contract, whose row the transaction locks.

        Raises:
            QuotaExceeded: the contract has less left.
        """
        balance = self._store.balance(contract)
        if amount.amount > 0 and amount > balance.remaining:
            raise _short(contract, balance, amount)
        nothing = Money.zero(amount.currency)
        self._ledger(order, contract.id, Entry.ENCUMBER, amount, nothing)

    def _release_money(self, order: Order) -> None:
        """Give back what an order holds of its contract; nothing when it holds nothing."""
        if not order.contract_id:
            return
        contract = self._contract(order.contract_id, lock=True)
        held = self._store.encumbered_by(order.id)
        if held:
            amount = Money(held, contract.terms.ceiling.currency)
            self._ledger(order, contract.id, Entry.RELEASE, -amount, Money.zero(amount.currency))

    def _is_committed(self, order: Order) -> bool:
        """Whether what this submission held is owed already."""
        return self._store.has_entry(f"{order.reservation_key}:{Entry.COMMIT.value}")

    def _commit_money(self, order: Order, given_back: Money) -> bool:
        """What was held is now owed; what an order gives back is taken off, never below zero.

        Answers False when that was done before.
        """
        contract = self._contract(order.contract_id, lock=True)
        currency = contract.terms.ceiling.currency
        held = Money(self._store.encumbered_by(order.id), currency)
        if not self._ledger(order, contract.id, Entry.COMMIT, -held, held):
            return False
        owed = Money(self._store.committed_by(order.instance_id), currency)
        back = min(owed, given_back, key=lambda money: money.amount)
        if back.amount > 0:
            self._ledger(order, contract.id, Entry.REDUCE, Money.zero(currency), -back)
        return True

    def _ledger(
        self, order: Order, contract: ContractId, entry: Entry, encumbered: Money, committed: Money
    ) -> bool:
        return self._store.add_entry(
            LedgerEntry(
                f"{order.reservation_key}:{entry.value}", contract, order.id, order.instance_id,
                entry, encumbered, committed, self._clock.now(),
            )
        )  # fmt: skip

    def _contract(self, reference: str, *, lock: bool = False) -> Contract:
        found = self._store.contract(reference, lock=lock)
        if found is None:
            raise policy.unknown("contract")
        return found

    def _visible_contract(self, actor: Actor, reference: str) -> Contract:
        found = self._contract(reference)
        policy.require(actor, "contract.view", found.path, "contract")
        return found

    def _framework(self, number: str, *, lock: bool = False) -> Framework:
        found = self._store.framework(number, lock=lock)
        if found is None:
            raise NotFound(f"there is no framework {number}")
        return found

    def _view(self, contract: Contract) -> ContractView:
        under = self._framework(contract.framework)
        now = self._clock.now()
        return ContractView(
            contract, under, self._store.balance(contract),
            contract.in_force(now) and under.term.contains(now),
        )  # fmt: skip

    def _check_terms(self, under: Framework, terms: ContractTerms, there: Contract | None) -> None:
        terms.check(under)
        others = self._store.called_off(under.number)
        if there is not None:
            others -= there.terms.ceiling.amount
        left = under.ceiling.amount - others
        if terms.ceiling.amount > left:
            message = f"the framework {under.number} has {decimal_text(left)} left"
            raise Invalid([Problem("ceiling.amount", message, "framework_ceiling")])

    def _refuse_overlap(self, path: str, term: Interval, but: str = "") -> None:
        for other in self._store.contracts_above(path):
            rival = other.path == path and other.id != but
            if rival and other.terms.term.overlaps(term):
                raise Conflict(
                    f"the organisation has the contract {other.number} in that time",
                    contract=other.id,
                )

    def _tell_terms(self, contract: Contract, under: Framework) -> None:
        validity = Interval(contract.effective, contract.terms.term.end)
        self._billing.set_terms(
            Terms(
                contract.path, contract.id, contract.version, under.price_book,
                contract.terms.discount, validity,
            )
        )  # fmt: skip


def _same(
    there: Contract, under: Framework, organisation_id: str, terms: ContractTerms
) -> Contract:
    place = (there.framework, there.organisation_id) == (under.number, organisation_id)
    # An amended contract answers for its first version too: the loader may run again.
    if not place or (there.version == 1 and there.terms != terms):
        raise Conflict(f"{there.number} is another contract", id=there.id)
    return there


def _next_hour(at: datetime) -> datetime:
    whole = at.replace(minute=0, second=0, microsecond=0)
    return whole if whole == at else whole + _HOUR


def _short(contract: Contract, balance: Balance, asked: Money) -> QuotaExceeded:
    left = balance.remaining
    return QuotaExceeded(
        f"the contract {contract.number} has {left} left, {asked} are asked for",
        exceeded=[
            {
                "level": "contract",
                "scope": contract.id,
                "name": contract.terms.name.as_json(),
                "resource": "money",
                "limit": balance.ceiling.amount,
                "used": balance.committed.amount,
                "reserved": balance.encumbered.amount,
                "asked": asked.amount,
                "currency": asked.currency,
            }
        ],
    )
