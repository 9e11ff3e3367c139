"""Where a blueprint is in its life after it was published."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from control_plane.provisioning.model import Finding, Severity
from foundation.kernel.text import Text


class StandingKind(StrEnum):
    """Whether new things are made from a blueprint."""

    PUBLISHED = "published"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a blueprint is in its life; what was made from it stays in any case.

    Attributes:
        successor: name of the blueprint to use instead; empty for none.
        ends_at: from when on a deprecated one takes nothing new.
        reason: in words for departments.
        since: when it was said; None for one that is simply published.
        by: who said it.
    """

    blueprint: str
    kind: StandingKind = StandingKind.PUBLISHED
    successor: str = ""
    ends_at: datetime | None = None
    reason: str = ""
    since: datetime | None = None
    by: str = ""

    def refuses(self, at: datetime) -> bool:
        """Whether nothing new may be made from it."""
        ended = self.ends_at is not None and at >= self.ends_at
        return self.kind is StandingKind.RETIRED or (self.kind is StandingKind.DEPRECATED and ended)

    def refusal(self) -> str:
        """Why it takes nothing new, as a clause."""
        if self.kind is StandingKind.RETIRED:
            text = f"{self.blueprint} is retired"
        else:
            day = self.ends_at.date().isoformat() if self.ends_at else ""
            text = f"{self.blueprint} takes nothing new since {day}"
        return f"{text}; use {self.successor} instead" if self.successor else text

    def finding(self) -> Finding | None:
        """What a plan or an estimate says of it."""
        if self.kind is not StandingKind.DEPRECATED or self.ends_at is None:
            return None
        day = self.ends_at.date().isoformat()
        name, instead = self.blueprint, self.successor
        text = (
            Text(f"{name} is deprecated and takes nothing new from {day}. Use {instead} instead.",
                 f"{name} 已弃用，自 {day} 起不再接受新建。请改用 {instead}。")
            if instead
            else Text(f"{name} is deprecated and takes nothing new from {day}.",
                      f"{name} 已弃用，自 {day} 起不再接受新建。")
        )  # fmt: skip
        return Finding("blueprint.deprecated", Severity.ADVISORY, name, text)
