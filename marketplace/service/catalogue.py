"""Use cases of the catalogue."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from control_plane.billing.model import HourlyQuantity
from control_plane.provisioning.model import MeterQuantity, Revision
from control_plane.tenancy.model import DataClass, check_slug
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Invalid, NotFound
from marketplace.model import (
    Category,
    Component,
    ComponentKind,
    Instance,
    Offering,
    Plan,
    PriceLine,
    PriceTag,
    Usage,
    fee_key,
    matches,
    still_due,
)
from marketplace.service.core import Core

_COMPONENT = "component/"


class Catalogue(Core):
    """Categories, offerings and what plans cost."""

    def define_category(self, actor: Actor, category: Category) -> Category:
        """Put a shelf into the catalogue, or change it.

        Raises:
            Invalid: the slug cannot be one.
        """
        with self._db.transaction():
            self._require_for_city(actor, "catalog.manage")
            found = Collector()
            check_slug(found, category.slug)
            found.finish()
            known = {one.slug: one for one in self._store.categories()}
            if known.get(category.slug) != category:
                self._store.put_category(category)
                self._note(actor, "catalog.manage", category.slug, self._root(), {})
            return category

    def define_offering(self, actor: Actor, offering: Offering) -> Offering:
        """Put an offering into the catalogue, or change it. What was ordered before stays.

        Raises:
            Invalid: names everything that is wrong with it: an unknown category, an orderable one
                whose blueprint is not published, presets or limits that the blueprint lacks.
        """
        with self._db.transaction():
            self._require_for_city(actor, "catalog.manage")
            found = Collector()
            check_slug(found, offering.slug)
            shelves = {category.slug for category in self._store.categories()}
            found.check(offering.category in shelves, "category", "is not a category")
            known = {one.value for one in DataClass}
            wrong = sorted(set(offering.data_classes) - known)
            found.check(not wrong, "data_classes", f"are not known: {', '.join(wrong)}")
            try:
                offering.check()
            except Invalid as error:
                found.include(error)
            self._check_blueprint(offering, found)
            found.finish()
            if self._store.offering(offering.slug) != offering:
                self._store.put_offering(offering)
                self._note(actor, "catalog.manage", offering.slug, self._root(), {})
            return offering

    def _check_blueprint(self, offering: Offering, found: Collector) -> None:
        if offering.blueprint is None:
            return
        try:
            revision = self._provisioning.find_revision(offering.blueprint)
        except NotFound:
            found.check(
                not offering.orderable, "blueprint", f"{offering.blueprint} is not published"
            )
            return
        known = revision.inputs.get("properties", {})
        for index, plan in enumerate(offering.plans):
            for part, names in (("inputs", plan.inputs), ("limits", plan.limits)):
                for name in names:
                    found.check(
                        name in known,
                        f"plans.{index}.{part}.{name}",
                        f"is not an input of {offering.blueprint}",
                        "unknown",
                    )

    def categories(self, actor: Actor) -> list[Category]:
        """The shelves, as they stand."""
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            return self._store.categories()

    def offerings(
        self,
        actor: Actor,
        *,
        category: str | None = None,
        data_class: str | None = None,
        maturity: str | None = None,
        availability: str | None = None,
        words: str = "",
    ) -> list[Offering]:
        """The offerings that fit every filter, as they stand.

        Args:
            actor: who asks.
            category: slug.
            data_class: they may hold such data.
            maturity: ``preview``, ``supported``, ``deprecated`` or ``retired``.
            availability: ``orderable``, ``planned`` or ``external``.
            words: all of them occur in the names or texts.
        """
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            found = self._store.offerings()
        return [
            one
            for one in found
            if category in {None, one.category}
            and (data_class is None or data_class in one.data_classes)
            and maturity in {None, one.maturity.value}
            and availability in {None, one.availability.value}
            and matches(one, words.split())
        ]

    def offering(self, actor: Actor, slug: str) -> Offering:
        """One offering.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            return self._offering(slug)

    def usage(self, actor: Actor, slug: str) -> Usage:
        """How long orders of an offering took, and how many of its services are active.

        Raises:
            NotFound: there is no such offering.
        """
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            self._offering(slug)
            return Usage(
                self._store.lead_time(slug), self._store.active_instances(slug), self._clock.now()
            )

    def input_schema(self, actor: Actor, slug: str) -> Revision | None:
        """The newest revision of an offering's blueprint, whose schema draws the order form.

        Raises:
            NotFound: there is no such offering.
        """
        offering = self.offering(actor, slug)
        if offering.blueprint is None:
            return None
        try:
            return self._provisioning.find_revision(offering.blueprint)
        except NotFound:
            return None

    def plan_prices(self, actor: Actor, slug: str, path: str) -> Mapping[str, PriceTag]:
        """What each plan costs an organisation with its presets; empty without a contract.

        Raises:
            NotFound: there is no such offering, or the organisation is none of the actor's.
        """
        policy.require(actor, "price.view", policy.ROOT)
        policy.require(actor, "contract.view", path, "organisation")
        with self._db.transaction():
            offering = self._offering(slug)
            now = self._clock.now()
            try:
                return {
                    plan.slug: self._price(path, _expected(plan), plan, now)
                    for plan in offering.plans
                }
            except Invalid:  # no contract's terms hold there
                return {}

    def _offering(self, slug: str) -> Offering:
        found = self._store.offering(slug)
        if found is None:
            raise NotFound(f"there is no offering {slug}")
        return found

    def _price(
        self,
        path: str,
        hourly: tuple[MeterQuantity, ...],
        plan: Plan | None,
        at: datetime,
        inputs: Mapping[str, object] | None = None,
        instance: Instance | None = None,
    ) -> PriceTag:
        """Price what resources use per hour, and the fixed and one-time parts of a plan.

        What a service has paid once is not asked for again: only what a change adds is due.

        Raises:
            Invalid: no contract's terms hold for the organisation.
        """
        given = inputs if inputs is not None else (plan.inputs if plan else {})
        hourly = (*hourly, *_told(plan, given, hourly))
        parts = {
            f"{_COMPONENT}{part.slug}": part
            for part in (plan.components if plan else ())
            if part.kind is not ComponentKind.PER_USE
        }
        wanted = [
            HourlyQuantity(m.meter, m.dimensions, m.per_hour, m.resource.rpartition("::")[2])
            for m in hourly
        ]
        # Parts that do not run by the hour are asked for their unit price only.
        wanted += [
            HourlyQuantity(part.meter, part.dimensions, Decimal(1), subject)
            for subject, part in parts.items()
        ]
        estimate = self._billing.estimate(path, wanted, at)
        due = self._due_once(parts, given, instance)
        lines = []
        for line in estimate.lines:
            found = parts.get(line.subject)
            quantity = line.per_month if found is None else due[line.subject]
            kind = ComponentKind.PER_USE if found is None else found.kind
            lines.append(
                PriceLine(
                    line.subject.removeprefix(_COMPONENT), kind.value, line.meter,
                    line.dimensions, quantity, line.price_id, line.unit_price,
                    quantity * line.unit_price,
                )
            )  # fmt: skip
        return PriceTag(
            estimate.contract_id, estimate.contract_version, estimate.currency,
            tuple(lines), estimate.unpriced,
        )  # fmt: skip

    def _due_once(
        self,
        parts: Mapping[str, Component],
        inputs: Mapping[str, object],
        instance: Instance | None,
    ) -> dict[str, Decimal]:
        """The quantity of each part; of one-time parts what was not charged before."""
        amounts = {subject: part.amount(inputs) for subject, part in parts.items()}
        if instance is None:
            return amounts
        once = {s: p for s, p in parts.items() if p.kind is ComponentKind.ONE_TIME}
        wanted = [(fee_key(p.meter, p.dimensions), amounts[s]) for s, p in once.items()]
        left = still_due(wanted, self._store.paid_once(instance.id))
        return amounts | dict(zip(once, left, strict=True))


def _told(
    plan: Plan | None, inputs: Mapping[str, object], hourly: tuple[MeterQuantity, ...]
) -> Iterator[MeterQuantity]:
    """What a plan's parts are expected to use that no resource uses by itself.

    A workload tells of that use later (camera hours, calls); it is foreseen, so it is priced.
    """
    used = {each.meter for each in hourly}
    for part in plan.components if plan else ():
        amount = part.amount(inputs)
        if part.kind is ComponentKind.PER_USE and part.meter not in used and amount:
            yield MeterQuantity(part.slug, part.meter, part.dimensions, amount)


def _expected(plan: Plan) -> tuple[MeterQuantity, ...]:
    """What a plan's parts are expected to use with its presets."""
    return tuple(
        MeterQuantity(part.slug, part.meter, part.dimensions, part.amount(plan.inputs))
        for part in plan.components
        if part.kind is ComponentKind.PER_USE
    )
