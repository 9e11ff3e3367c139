"""Linkage rules, what they did, and incidents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.text import keepable
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.notification.model import Matching

LinkageId = NewType("LinkageId", str)
IncidentId = NewType("IncidentId", str)

NAME_MAX = 200
ACTIONS_MAX = 10
TEXT_MAX = 4000
_PRESET_MAX = 64


class ActionKind(StrEnum):
    """What a linked action does."""

    WEBHOOK = "webhook"  # tell a receiver, whatever it has asked for itself
    PTZ = "ptz"  # turn a camera to a preset
    INCIDENT = "incident"  # open an incident


class Outcome(StrEnum):
    """How an action ended."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class IncidentState(StrEnum):
    """The way of an incident, one step at a time."""

    WARNING = "warning"
    ASSIGNED = "assigned"
    ACTING = "acting"
    CLOSED = "closed"


_NEXT = {
    IncidentState.WARNING: {IncidentState.ASSIGNED, IncidentState.CLOSED},
    IncidentState.ASSIGNED: {IncidentState.ASSIGNED, IncidentState.ACTING, IncidentState.CLOSED},
    IncidentState.ACTING: {IncidentState.ASSIGNED, IncidentState.CLOSED},
    IncidentState.CLOSED: set(),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a linkage rule.

    Attributes:
        receiver: id, for a web-hook.
        camera, preset: for PTZ.
        title: of the incident; empty takes the event's.
    """

    kind: ActionKind
    receiver: str = ""
    camera: str = ""
    preset: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Linkage:
    """A rule: when such an event begins, do this.

    Attributes:
        path: of the department; events of it and below are meant.
        pause_seconds: for so long after it acted on a camera's event it does not act on that
            camera's next one.
    """

    id: LinkageId
    path: str
    name: str
    when: Matching
    then: tuple[Action, ...]
    pause_seconds: int = 60
    enabled: bool = True
    version: int = 1


@dataclass(frozen=True, slots=True)
class Deed:
    """An action that an event started, at most one for each rule, event and place in the rule."""

    id: str
    linkage_id: LinkageId
    linkage: str
    event_id: str
    index: int
    action: Action
    outcome: Outcome
    at: datetime
    detail: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an incident's way."""

    state: IncidentState
    at: datetime
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that people take care of.

    Attributes:
        event_id: that opened it, or empty when a person did.
        assigned_to: who takes care of it, in words.
        report: what came of it; there when it is closed.
    """

    id: IncidentId
    path: str
    title: str
    severity: Severity
    state: IncidentState
    opened_at: datetime
    event_id: str = ""
    assigned_to: str = ""
    report: str = ""
    closed_at: datetime | None = None
    steps: tuple[Step, ...] = field(default_factory=tuple)
    version: int = 1


def check_step(incident: Incident, state: IncidentState, assigned_to: str, text: str) -> None:
    """Refuse a step that the incident cannot take.

    Raises:
        Conflict: it is not the next one.
        Invalid: nobody is assigned, or it is closed without a report.
    """
    if state not in _NEXT[incident.state]:
        raise Conflict(f"an incident that is {incident.state} cannot become {state}",
                       state=incident.state)  # fmt: skip
    found = Collector()
    found.check(len(text) <= TEXT_MAX and keepable(text), "note",
                f"must be at most {TEXT_MAX} characters long")  # fmt: skip
    found.check(len(assigned_to) <= NAME_MAX and keepable(assigned_to), "assigned_to",
                f"must be at most {NAME_MAX} characters long")  # fmt: skip
    found.check(state is not IncidentState.ASSIGNED or assigned_to.strip(), "assigned_to",
                "is required")  # fmt: skip
    found.check(state is not IncidentState.CLOSED or text.strip(), "note",
                "is required: an incident is closed with a report")  # fmt: skip
    found.finish()


def check_linkage(
    name: str, then: Sequence[Action], pause_seconds: int, known: Mapping[str, frozenset[str]]
) -> None:
    """Refuse a rule that could not act.

    Args:
        name: of the rule.
        then: its actions.
        pause_seconds: see ``Linkage``.
        known: the ``receivers`` and ``cameras`` that it may use.

    Raises:
        Invalid: names every wrong field.
    """
    found = Collector()
    found.check(0 < len(name.strip()) <= NAME_MAX and keepable(name), "name",
                f"must be 1 to {NAME_MAX} characters long")  # fmt: skip
    found.check(0 < len(then) <= ACTIONS_MAX, "then", f"must be 1 to {ACTIONS_MAX} actions")
    found.check(0 <= pause_seconds <= 86400, "pause_seconds", "must be 0 to 86400")  # noqa: PLR2004
    for n, action in enumerate(then):
        at = f"then.{n}"
        if action.kind is ActionKind.WEBHOOK:
            found.check(action.receiver in known["receivers"], f"{at}.receiver",
                        "is no receiver of this department")  # fmt: skip
        elif action.kind is ActionKind.PTZ:
            found.check(action.camera in known["cameras"], f"{at}.camera",
                        "is no camera of this department")  # fmt: skip
            found.check(0 < len(action.preset) <= _PRESET_MAX and keepable(action.preset),
                        f"{at}.preset", f"must be 1 to {_PRESET_MAX} characters long")  # fmt: skip
        else:
            found.check(len(action.title) <= NAME_MAX and keepable(action.title), f"{at}.title",
                        f"must be at most {NAME_MAX} characters long")  # fmt: skip
    found.finish()


def action_of(value: Mapping[str, Any]) -> Action:
    """An action as it is kept."""
    return Action(**{**value, "kind": ActionKind(value["kind"])})
