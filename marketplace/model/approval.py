"""Who must approve an order: a policy that is data, and the decisions that were taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from foundation.access import policy as roles
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.errors import Collector, Conflict, Forbidden
from foundation.kernel.text import Text
from marketplace.model.catalogue import text_from

ApprovalId = NewType("ApprovalId", str)

#: In a step: the department that holds the contract.
DEPARTMENT = "department"
STANDARD = "standard"


class Decision(StrEnum):
    """What an approver decided."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """One approval that an order needs.

    Attributes:
        role: who may give it, by a grant that covers the organisation.
        organisation: a path, or ``department`` for the one that holds the contract.
        from_monthly: needed from this price per month on; None is always.
        data_classes: needed for these classes of data; empty is all.
    """

    slug: str
    name: Text
    role: str
    organisation: str
    from_monthly: Decimal | None = None
    data_classes: tuple[str, ...] = ()

    def needed(self, monthly: Decimal, data_class: str) -> bool:
        """Whether an order of this price and data needs the step."""
        dear = self.from_monthly is None or monthly >= self.from_monthly
        return dear and (not self.data_classes or data_class in self.data_classes)


@dataclass(frozen=True, slots=True)
class Policy:
    """Who must approve orders, one step after another; a change is a new version.

    Attributes:
        deadline_days: after so many days without the last approval an order expires.
    """

    slug: str
    version: int
    name: Text
    steps: tuple[PolicyStep, ...]
    deadline_days: int = 30

    def check(self) -> None:
        """Refuse a policy that would let an order through without anyone's approval.

        Raises:
            Invalid: names every problem.
        """
        found = Collector()
        slugs = [step.slug for step in self.steps]
        found.check(len(set(slugs)) == len(slugs), "steps", "must have different slugs")
        always = any(step.from_monthly is None and not step.data_classes for step in self.steps)
        found.check(always, "steps", "must have one that every order needs")
        known = roles.table().roles
        deciding = roles.table().roles_of("approval.decide")
        for index, step in enumerate(self.steps):
            at = f"steps.{index}"
            if found.check(step.role in known, f"{at}.role", "is not a role"):
                may = step.role in deciding
                found.check(may, f"{at}.role", "is a role that may not decide on approvals")
            place = step.organisation
            found.check(
                place == DEPARTMENT or (place.startswith("/") and place.endswith("/")),
                f"{at}.organisation",
                "must be a path or department",
            )
        found.check(self.deadline_days > 0, "deadline_days", "must be at least 1")
        found.finish()

    def chain(self, monthly: Decimal, data_class: str, department: str) -> tuple["Required", ...]:
        """The approvals that an order needs, in order, with the paths filled in."""
        return tuple(
            Required(
                step.slug,
                step.name,
                step.role,
                department if step.organisation == DEPARTMENT else step.organisation,
            )
            for step in self.steps
            if step.needed(monthly, data_class)
        )


@dataclass(frozen=True, slots=True)
class Required:
    """An approval that an order needs: by somebody with this role on this path."""

    slug: str
    name: Text
    role: str
    path: str

    def held_by(self, actor: Actor) -> bool:
        """Whether the actor could give it."""
        return any(g.role == self.role and g.covers(self.path) for g in actor.grants)


@dataclass(frozen=True, slots=True)
class Approval:
    """What one person decided about one digest of an order.

    Attributes:
        step: slug of the policy's step that it answers.
        lapsed_at: when it ceased to count because the order changed; None while it counts.
    """

    id: ApprovalId
    order_id: str
    digest: str
    step: str
    approver_id: str
    approver_name: str
    decision: Decision
    reason: str
    at: datetime
    lapsed_at: datetime | None = None


def pending(
    chain: Sequence[Required], approvals: Sequence[Approval], digest: str
) -> list[Required]:
    """The approvals that are still missing, in order."""
    given = {
        a.step
        for a in approvals
        if a.digest == digest and a.decision is Decision.APPROVED and a.lapsed_at is None
    }
    return [step for step in chain if step.slug not in given]


def check_approver(
    actor: Actor, requester_id: str, next_step: Required, approvals: Sequence[Approval], digest: str
) -> None:
    """Separation of duties: who ordered never decides, and nobody decides twice.

    Raises:
        Forbidden: the actor ordered it, is no person, or lacks the role of the next step.
        Conflict: the actor has approved it already.
    """
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("only a person approves")
    if actor.id == requester_id:
        raise Forbidden("whoever ordered does not approve", reason="separation_of_duties")
    if any(
        a.approver_id == actor.id and a.digest == digest and a.lapsed_at is None for a in approvals
    ):
        raise Conflict("you have approved this already; the next approval is another person's")
    if not next_step.held_by(actor):
        raise Forbidden(
            f"the next approval, {next_step.name.en}, needs the role {next_step.role} "
            f"on {next_step.path}",
            role=next_step.role, path=next_step.path,
        )  # fmt: skip


def policy_from(document: Mapping[str, Any]) -> Policy:
    """Read a policy again from what is stored (``canonical.plain`` of it)."""
    return Policy(
        document["slug"],
        document["version"],
        text_from(document["name"]),
        tuple(
            PolicyStep(
                step["slug"],
                text_from(step["name"]),
                step["role"],
                step["organisation"],
                None if step["from_monthly"] is None else Decimal(step["from_monthly"]),
                tuple(step["data_classes"]),
            )
            for step in document["steps"]
        ),
        document["deadline_days"],
    )
