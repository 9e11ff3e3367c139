"""Categories, offerings and plans (the words of the Open Service Broker API)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text


class Maturity(StrEnum):
    """How far an offering is in its life."""

    PREVIEW = "preview"
    SUPPORTED = "supported"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class Availability(StrEnum):
    """Whether this installation can deliver an offering; only ``orderable`` ones may be ordered."""

    ORDERABLE = "orderable"
    PLANNED = "planned"
    EXTERNAL = "external"


class ComponentKind(StrEnum):
    """How a component of a plan is charged."""

    PER_USE = "per_use"
    FIXED = "fixed"
    ONE_TIME = "one_time"


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf of the catalogue; its slug is also a lot of frameworks.

    Attributes:
        position: where it stands, from 0.
    """

    slug: str
    name: Text
    description: Text
    position: int = 0


@dataclass(frozen=True, slots=True)
class Component:
    """One part of a plan and how much of a meter it is expected to use.

    Attributes:
        quantity: units per hour for ``per_use``, per month for ``fixed``, at the start for
            ``one_time``; a use that nobody can foresee is 0.
        quantity_input: the input of the order form that multiplies ``quantity``.
    """

    slug: str
    kind: ComponentKind
    name: Text
    meter: str
    dimensions: Mapping[str, str] = field(default_factory=dict)
    quantity: Decimal = Decimal(1)
    quantity_input: str | None = None

    def amount(self, inputs: Mapping[str, Any]) -> Decimal:
        """The quantity for these inputs; 0 while the input that counts is missing or no number."""
        if self.quantity_input is None:
            return self.quantity
        count = inputs.get(self.quantity_input)
        if isinstance(count, bool) or not isinstance(count, int | Decimal):
            return Decimal(0)
        return self.quantity * count


@dataclass(frozen=True, slots=True)
class Plan:
    """A size or kind of an offering.

    Attributes:
        inputs: what the order form begins with.
        limits: lowest and highest value by input, within those of the blueprint.
    """

    slug: str
    name: Text
    description: Text
    components: tuple[Component, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def fixed(self) -> frozenset[str]:
        """The inputs that make this plan what it is: preset, and not left open by limits."""
        return frozenset(self.inputs) - frozenset(self.limits)

    def check_inputs(self, inputs: Mapping[str, Any], found: Collector) -> None:
        """Note every input that is outside this plan's limits, or that makes it another plan."""
        for name in sorted(self.fixed):
            same = inputs.get(name, self.inputs[name]) == self.inputs[name]
            found.check(
                same, f"inputs.{name}", f"is {self.inputs[name]} in plan {self.name.en}", "fixed"
            )
        for name, (low, high) in self.limits.items():
            value = inputs.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue  # the blueprint's schema says what is wrong with it
            within = low <= value <= high
            found.check(
                within, f"inputs.{name}", f"must be {low} to {high} in plan {self.name.en}", "limit"
            )


@dataclass(frozen=True, slots=True)
class Offering:
    """A service of the catalogue, with its honest state.

    Attributes:
        category: slug of its shelf.
        availability_note: why it can, or cannot yet, be ordered; shown to everyone.
        blueprint: name of the blueprint behind an orderable offering, else None.
        position: where it stands on its shelf, from 0.
    """

    slug: str
    category: str
    name: Text
    description: Text
    icon: str
    data_classes: tuple[str, ...]
    service_level: Text
    support: str
    maturity: Maturity
    availability: Availability
    availability_note: Text
    plans: tuple[Plan, ...]
    blueprint: str | None = None
    position: int = 0

    @property
    def orderable(self) -> bool:
        """Whether it may be ordered anew; what is active of a retired one may be returned."""
        return self.availability is Availability.ORDERABLE and self.maturity is not Maturity.RETIRED

    def plan(self, slug: str) -> Plan | None:
        """The plan of that slug."""
        return next((plan for plan in self.plans if plan.slug == slug), None)

    def check(self) -> None:
        """Refuse an offering that contradicts itself.

        Raises:
            Invalid: names every problem.
        """
        found = Collector()
        found.check(self.plans, "plans", "must be at least one")
        slugs = [plan.slug for plan in self.plans]
        found.check(len(set(slugs)) == len(slugs), "plans", "must have different slugs")
        found.check(
            self.availability is not Availability.ORDERABLE or self.blueprint,
            "blueprint",
            "is required of an orderable offering",
        )
        for index, plan in enumerate(self.plans):
            for name, (low, high) in plan.limits.items():
                found.check(low <= high, f"plans.{index}.limits.{name}", "must not be empty")
            parts = [component.slug for component in plan.components]
            found.check(
                len(set(parts)) == len(parts),
                f"plans.{index}.components",
                "must have different slugs",
            )
        found.finish()


@dataclass(frozen=True, slots=True)
class LeadTime:
    """How long orders of an offering took from the last approval until they were active.

    Attributes:
        count: how many of the latest orders were measured; with none the others are None.
    """

    count: int
    median_seconds: float | None = None
    p95_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """How much an offering is used: its lead time, and the instances that are active."""

    lead_time: LeadTime
    active: int
    measured_at: datetime


def matches(offering: Offering, words: Iterable[str]) -> bool:
    """Whether every word occurs in the offering's names, texts or slug, in either language."""
    texts = (offering.name, offering.description, *(plan.name for plan in offering.plans))
    text = " ".join([offering.slug, *(f"{t.en} {t.zh}" for t in texts)]).casefold()
    return all(word.casefold() in text for word in words)


def text_from(document: Mapping[str, Any]) -> Text:
    """Read a text again from what is stored."""
    return Text(document["en"], document["zh"])


def offering_from(document: Mapping[str, Any]) -> Offering:
    """Read an offering again from what is stored (``canonical.plain`` of it)."""
    return Offering(
        slug=document["slug"],
        category=document["category"],
        name=text_from(document["name"]),
        description=text_from(document["description"]),
        icon=document["icon"],
        data_classes=tuple(document["data_classes"]),
        service_level=text_from(document["service_level"]),
        support=document["support"],
        maturity=Maturity(document["maturity"]),
        availability=Availability(document["availability"]),
        availability_note=text_from(document["availability_note"]),
        plans=tuple(_plan_from(plan) for plan in document["plans"]),
        blueprint=document["blueprint"],
        position=document["position"],
    )


def _plan_from(document: Mapping[str, Any]) -> Plan:
    return Plan(
        document["slug"],
        text_from(document["name"]),
        text_from(document["description"]),
        tuple(
            Component(
                part["slug"],
                ComponentKind(part["kind"]),
                text_from(part["name"]),
                part["meter"],
                part["dimensions"],
                Decimal(part["quantity"]),
                part["quantity_input"],
            )
            for part in document["components"]
        ),
        document["inputs"],
        {name: (low, high) for name, (low, high) in document["limits"].items()},
    )
