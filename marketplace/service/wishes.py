"""What a wish stands for, whether it is right in every part, and what it would cost."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from control_plane.provisioning.model import Estimate, Finding, Region
from control_plane.tenancy.model import DataClass, System, Tenancy, TenancyState, check_slug
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Invalid,
    NotFound,
)
from foundation.kernel.money import Money
from marketplace.model import (
    STANDARD,
    Contract,
    Instance,
    InstanceState,
    Offering,
    Order,
    OrderKind,
    Plan,
    Policy,
    PriceTag,
    Quote,
    Wish,
    begun_months,
    quota_lines,
)
from marketplace.service.catalogue import Catalogue
from marketplace.service.procurement import Procurement

_LONGEST_TEXT = 2000
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wish with everything that its names stand for; what is None has a problem noted."""

    wish: Wish
    tenancy: Tenancy
    offering: Offering | None
    plan: Plan | None
    region: Region | None
    system: System | None
    contract: Contract | None
    instance: Instance | None
    inputs: Mapping[str, Any]


class Wishes(Catalogue, Procurement):
    """Wishes, checked and priced."""

    def quote(self, actor: Actor, wish: Wish) -> Quote:
        """What a wish would cost and take; for forms. No transaction may be open.

        Raises:
            Invalid: names everything that is wrong or missing, but for the justification.
            NotFound: the tenancy or service is none that the actor may know of.
        """
        resolved, estimate = self._worked_out(actor, wish, submitting=False)
        with self._db.transaction():
            return self._quote(resolved, estimate)

    def _place(self, actor: Actor, wish: Wish) -> tuple[Wish, Tenancy]:
        """Where a wish belongs; names in it become ids as far as they are known."""
        if wish.kind is not OrderKind.APPLY:
            found = Collector()
            found.check(wish.instance, "service", "is required", "required")
            found.finish()
            instance = self._visible_instance(actor, wish.instance or "")
            tenancy = self._tenancy.tenancy_in_transaction(instance.tenancy_id)
            named = replace(
                wish, offering=instance.offering, plan=wish.plan or instance.plan,
                tenancy=instance.tenancy_id, region=instance.region_id, name=instance.name,
                system=wish.system or instance.system_id, instance=instance.id,
            )  # fmt: skip
            return named, tenancy
        found = Collector()
        found.check(wish.tenancy, "tenancy", "is required", "required")
        found.check(not wish.instance, "service", "is only named to change or return a service")
        found.finish()
        tenancy = self._tenancy.tenancy(actor, wish.tenancy)
        return replace(wish, tenancy=tenancy.id, instance=None), tenancy

    def _visible_instance(self, actor: Actor, instance_id: str) -> Instance:
        found = self._instance(instance_id)
        if not policy.allows(actor, "instance.view", found.path):
            raise policy.unknown("service")
        return found

    def _check_draft(self, wish: Wish) -> None:
        found = Collector()
        self._named_plan(wish, found)
        found.check(
            len(wish.justification) <= _LONGEST_TEXT, "justification",
            f"must have {_LONGEST_TEXT} characters or fewer",
        )  # fmt: skip
        self._refuse_secrets(wish, found)
        found.finish()

    def _refuse_secrets(self, wish: Wish, found: Collector) -> None:
        """Orders are kept, shown and approved in clear: no secret may come into one."""
        offering = self._store.offering(wish.offering)
        if offering is None or offering.blueprint is None or not wish.inputs:
            return
        try:
            properties = self._provisioning.find_revision(offering.blueprint).inputs["properties"]
        except NotFound:
            return
        for name in wish.inputs:
            secret = properties.get(name, {}).get("x-secret", False)
            found.check(
                not secret, f"inputs.{name}", "is secret: an order cannot keep it", "secret"
            )

    def _named_plan(self, wish: Wish, found: Collector) -> tuple[Offering | None, Plan | None]:
        offering = self._store.offering(wish.offering) if wish.offering else None
        found.check(offering or not wish.offering, "offering", "is not in the catalogue", "unknown")
        plan = offering.plan(wish.plan) if offering and wish.plan else None
        found.check(plan or not (offering and wish.plan), "plan", "is not a plan of it", "unknown")
        return offering, plan

    def _worked_out(
        self, actor: Actor, wish: Wish, *, submitting: bool
    ) -> tuple[Resolved, Estimate | None]:
        """A wish that is right in every part, and what it comes to.

        What is submitted is planned next, which runs the blueprint's program: here only its inputs
        are checked, so that a program that hangs is waited for once.

        Raises:
            Invalid: names everything that is wrong with it.
        """
        found = Collector()
        with self._db.transaction():
            named, tenancy = self._place(actor, wish)
            policy.require(actor, "order.create", tenancy.path)
            resolved = self._resolve(actor, named, tenancy, found)
            if submitting:
                self._check_submission(named, found)
        estimate = None
        offering, region = resolved.offering, resolved.region
        if named.kind is not OrderKind.DELETE and offering and offering.blueprint and region:
            wanted: dict[str, Any] = {
                "blueprint": offering.blueprint, "inputs": resolved.inputs, "region": region.id,
            }  # fmt: skip
            try:
                if submitting:
                    self._provisioning.check_inputs(actor, **wanted)
                else:
                    estimate = self._provisioning.evaluate(
                        actor, **wanted, data_class=tenancy.data_class.value, tenancy=tenancy.id
                    )
            except Invalid as error:
                found.include(error)
        found.finish()
        return resolved, estimate

    def _resolve(self, actor: Actor, wish: Wish, tenancy: Tenancy, found: Collector) -> Resolved:
        for field in ("offering", "plan", "region"):
            found.check(getattr(wish, field), field, "is required", "required")
        offering, plan = self._named_plan(wish, found)
        region = self._named_region(actor, wish, tenancy, found)
        system = self._named_system(wish, tenancy, found)
        instance = self._instance(wish.instance) if wish.instance else None
        contract = None
        if offering is not None:
            self._check_offering(wish, offering, tenancy, found)
            contract = self._drawn_on(wish, tenancy, offering, instance, found)
        self._check_term(wish, contract, found)
        inputs = merged(plan, instance, wish)
        if plan is not None and wish.kind is not OrderKind.DELETE:
            plan.check_inputs(inputs, found)
        if wish.kind is OrderKind.APPLY:
            self._check_name(wish, tenancy, region, found)
        if instance is not None:
            self._check_instance(instance, found)
        named = replace(
            wish,
            region=region.id if region else wish.region,
            system=system.id if system else None,
            inputs=inputs,
        )
        return Resolved(named, tenancy, offering, plan, region, system, contract, instance, inputs)

    def _drawn_on(
        self,
        wish: Wish,
        tenancy: Tenancy,
        offering: Offering,
        instance: Instance | None,
        found: Collector,
    ) -> Contract | None:
        if wish.kind is OrderKind.DELETE and instance is not None:
            return self._contract(instance.contract_id)  # a return needs none that is in force
        return self._contract_for(tenancy.path, wish.contract, offering, found)

    def _named_region(
        self, actor: Actor, wish: Wish, tenancy: Tenancy, found: Collector
    ) -> Region | None:
        if not wish.region:
            return None
        try:
            region = self._provisioning.region(actor, wish.region)
        except NotFound:
            found.check(False, "region", "is not a region", "unknown")
            return None
        fits = tenancy.data_class.value in region.data_classes
        found.check(fits, "region", f"may not keep {tenancy.data_class.value} data", "data_class")
        return region

    def _named_system(self, wish: Wish, tenancy: Tenancy, found: Collector) -> System | None:
        reference = wish.system or tenancy.system_id
        if reference is None:
            return None
        try:
            system = self._tenancy.system_in_transaction(reference, near=tenancy.path)
        except NotFound:
            system = None
        # A department's system may live in a tenancy of an office below it, or above.
        related = system is not None and (
            system.path.startswith(tenancy.path) or tenancy.path.startswith(system.path)
        )
        if not found.check(related, "system", "is not a system of this department", "unknown"):
            return None
        if system is not None:
            found.check(
                tenancy.data_class.rank >= system.data_class.rank,
                "system",
                f"holds {system.data_class.value} data, the tenancy is for "
                f"{tenancy.data_class.value} data",
                "data_class",
            )
        return system

    def _check_offering(
        self, wish: Wish, offering: Offering, tenancy: Tenancy, found: Collector
    ) -> None:
        if wish.kind is OrderKind.APPLY:
            found.check(
                offering.orderable, "offering",
                f"cannot be ordered: {offering.availability_note.en}", "not_orderable",
            )  # fmt: skip
            if offering.blueprint:
                standing = self._provisioning.standing_in_transaction(offering.blueprint)
                found.check(
                    not standing.refuses(self._clock.now()), "offering",
                    f"cannot be ordered any more: {standing.refusal()}", "retired",
                )  # fmt: skip
            found.check(tenancy.state is TenancyState.ACTIVE, "tenancy", "is closed", "closed")
        if wish.kind is not OrderKind.DELETE:
            kept = [DataClass(name) for name in offering.data_classes]
            found.check(
                tenancy.data_class in kept, "tenancy",
                f"holds {tenancy.data_class.value} data, which the offering may not", "data_class",
            )  # fmt: skip

    def _check_name(
        self, wish: Wish, tenancy: Tenancy, region: Region | None, found: Collector
    ) -> None:
        if not found.check(wish.name, "name", "is required", "required"):
            return
        check_slug(found, wish.name, "name")
        if region is not None:
            there = self._store.instance_named(tenancy.id, region.id, wish.name)
            found.check(there is None, "name", "is taken in this tenancy and region", "taken")

    def _check_instance(self, instance: Instance, found: Collector) -> None:
        living = instance.state in {InstanceState.ACTIVE, InstanceState.FAILED}
        found.check(living, "service", f"is {instance.state.value}", "state")

    def _check_term(self, wish: Wish, contract: Contract | None, found: Collector) -> None:
        if wish.ends_at is None:
            return
        found.check(wish.ends_at > self._clock.now(), "ends_at", "must be in the future")
        end = contract.terms.term.end if contract else None
        found.check(
            end is None or wish.ends_at <= end, "ends_at", "must not be after the contract's end"
        )

    def _check_submission(self, wish: Wish, found: Collector) -> None:
        found.check(wish.justification.strip(), "justification", "is required", "required")

    def _policy(self) -> Policy:
        found = self._store.policy(STANDARD)
        if found is None:
            raise Conflict("no approval policy is set: an administrator has to define one")
        return found

    def _price_findings(
        self, kind: OrderKind, tenancy: Tenancy, price: PriceTag, deployment: str = ""
    ) -> tuple[Finding, ...]:
        """What policies say of what a service would cost; nothing of what is returned."""
        if kind is OrderKind.DELETE:
            return ()
        return self._provisioning.judge_price(
            tenancy=tenancy.id, month=price.month, deployment=deployment
        )

    def _quote(self, resolved: Resolved, estimate: Estimate | None) -> Quote:
        now = self._clock.now()
        contract, offering = resolved.contract, resolved.offering
        if contract is None or offering is None:  # _worked_out has raised
            raise NotFound("there is no contract")
        path, instance = resolved.tenancy.path, resolved.instance
        if estimate is None:
            price = nothing_under(contract)
        else:
            price = self._price(
                path, estimate.hourly, resolved.plan, now, resolved.inputs, instance
            )
        monthly = instance.monthly if instance else Money.zero(price.currency)
        end = resolved.wish.ends_at or contract.terms.term.end or now
        months = begun_months(now, end)
        change = _quota_change(estimate.quota if estimate else {}, instance)
        levels = self._tenancy.quota_levels_in_transaction(resolved.tenancy.id)
        return Quote(
            price=price,
            before=monthly if instance else None,
            encumbrance=encumbrance(price, monthly, months),
            remaining=self._store.balance(contract).remaining,
            months=months,
            contract_number=contract.number,
            contract_ends=contract.terms.term.end,
            lead_time=self._store.lead_time(offering.slug),
            quota=quota_lines(levels, change),
            approvals=self._policy().chain(
                price.month.amount, resolved.tenancy.data_class.value, contract.path
            ),
            findings=tuple(
                f.document()
                for f in (
                    *(estimate.findings if estimate else ()),
                    *self._price_findings(resolved.wish.kind, resolved.tenancy, price),
                )
            ),
            inputs=estimate.inputs if estimate else {},
            resources=estimate.resources if estimate else (),
        )


def nothing_under(contract: Contract) -> PriceTag:
    """The price of what is returned."""
    return PriceTag(contract.id, contract.version, contract.terms.ceiling.currency, ())


def encumbrance(price: PriceTag, before: Money, months: int) -> Money:
    """What approving holds of the contract: the rise per month × begun months, and one-time parts.

    A fall is given back when it takes effect; it does not pay for anything beforehand.
    """
    rise = price.month - before
    due = rise * months if rise.amount > 0 else Money.zero(price.currency)
    return due + price.one_time


def _quota_change(
    footprint: Mapping[str, Decimal], instance: Instance | None
) -> dict[str, Decimal]:
    held = instance.held if instance else {}
    return {
        name: change
        for name in sorted({*footprint, *held})
        if (change := footprint.get(name, _ZERO) - held.get(name, _ZERO))
    }


def merged(plan: Plan | None, instance: Instance | None, wish: Wish) -> dict[str, Any]:
    """What was asked for over what the service has, over what the plan begins with."""
    presets = dict(plan.inputs) if plan else {}
    if instance is None:
        return {**presets, **wish.inputs}
    if plan is not None and plan.slug == instance.plan:
        return {**presets, **instance.inputs, **wish.inputs}
    return {**instance.inputs, **presets, **wish.inputs}


def remaining_end(order: Order, contract: Contract, now: datetime) -> datetime:
    """Until when an order draws on its contract."""
    return order.wish.ends_at or contract.terms.term.end or now
