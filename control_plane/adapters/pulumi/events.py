"""What the engine's events mean: changes of a preview, outcomes of an operation, progress.

Format: https://www.pulumi.com/docs/iac/packages-and-automation/automation-api/ (``apitype``
``EngineEvent``). ``detailedDiff`` is empty more often than not; differences are taken from inputs.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.trees import leaves
from control_plane.adapters.pulumi.cli import plain
from control_plane.provisioning.graph import (
    STACK_TYPE,
    Change,
    DriftFinding,
    DriftKind,
    EngineEvent,
    EventKind,
    Json,
    Op,
    Preview,
    Progress,
    PropertyChange,
    ResourceOutcome,
    ResourceState,
    by_urn,
    is_secret,
)
from control_plane.provisioning.ports import OnEvent

_OPS = {
    "create": Op.CREATE,
    "update": Op.UPDATE,
    "delete": Op.DELETE,
    "same": Op.SAME,
    "read": Op.READ,
    "replace": Op.REPLACE,
    "create-replacement": Op.REPLACE,
    "delete-replaced": Op.REPLACE,
    "read-replacement": Op.READ,
    "import": Op.CREATE,
    "import-replacement": Op.REPLACE,
    "discard": Op.SAME,
    "refresh": Op.SAME,
    "remove-pending-replace": Op.SAME,
}
_DONE = {
    Op.CREATE: ResourceState.CREATED,
    Op.UPDATE: ResourceState.UPDATED,
    Op.DELETE: ResourceState.DELETED,
    Op.SAME: ResourceState.SAME,
    Op.READ: ResourceState.SAME,
    Op.REPLACE: ResourceState.REPLACED,
}
_WEIGHT = {Op.SAME: 0, Op.READ: 0, Op.DELETE: 1, Op.UPDATE: 1, Op.CREATE: 1, Op.REPLACE: 2}

Inputs = Mapping[str, Mapping[str, Any]]


def counts(metadata: Mapping[str, Any]) -> bool:
    """Tell whether a step is about something in a cloud: no provider, component or stack."""
    type_ = str(metadata["type"])
    state = metadata.get("new") or metadata.get("old") or {}
    return (
        type_ != STACK_TYPE
        and not type_.startswith("pulumi:providers:")
        and bool(state.get("custom"))
    )


def name_of(urn: str) -> str:
    """Return the logical name in a URN."""
    return urn.split("::", 3)[3]


class PreviewEvents:
    """Collects a preview from its events."""

    def __init__(self) -> None:
        self._steps: dict[str, list[dict[str, Any]]] = {}
        self.errors: list[str] = []

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one event."""
        if "resourcePreEvent" in event:
            metadata = event["resourcePreEvent"]["metadata"]
            if counts(metadata):
                self._steps.setdefault(metadata["urn"], []).append(metadata)
        elif event.get("diagnosticEvent", {}).get("severity") == "error":
            self.errors.append(plain(event["diagnosticEvent"]["message"]))

    def preview(self, inputs: Inputs, outputs: Mapping[str, Json]) -> Preview:
        """Return the preview.

        Args:
            inputs: What the program itself asked for, masked, by URN.
            outputs: What it exports, masked.
        """
        changes = [_change(urn, steps, inputs.get(urn, {})) for urn, steps in self._steps.items()]
        return Preview(by_urn(changes), dict(sorted(outputs.items())))


def _change(urn: str, steps: list[dict[str, Any]], wanted: Mapping[str, Any]) -> Change:
    op = max((_OPS.get(s["op"], Op.SAME) for s in steps), key=lambda o: _WEIGHT[o])
    chosen = next((s for s in steps if s["op"] == "replace"), steps[0])
    properties: tuple[PropertyChange, ...] = ()
    if op in {Op.CREATE, Op.UPDATE, Op.REPLACE} and chosen["op"] != "delete-replaced":
        properties = _properties(chosen, wanted)
    return Change(urn, chosen["type"], name_of(urn), op, properties)


def _inputs(metadata: Mapping[str, Any], side: str) -> dict[str, Any]:
    state = metadata.get(side) or {}
    found: dict[str, Any] = values.read_json(state.get("inputs") or {})
    return found


def _properties(
    metadata: Mapping[str, Any], wanted: Mapping[str, Any]
) -> tuple[PropertyChange, ...]:
    """Return what differs between the state and what is asked for.

    Values that only the provider added (defaults, names that it makes up anew at each preview) are
    left out: nobody asked for them, and a plan would never be the same twice.
    """
    old = dict(leaves(_inputs(metadata, "old")))
    new = dict(leaves(_inputs(metadata, "new")))
    asked = dict(leaves(dict(wanted)))
    differing = set(metadata.get("diffs") or ()) | set(metadata.get("detailedDiff") or {})
    forced = _forced(metadata)
    found = []
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if path in new and path not in asked and path not in old:
            continue
        if is_secret(after):
            # The CLI hides which secret it is; the program's own input tells.
            after = asked.get(path, after)
            if is_secret(before) and not _top(path, differing):
                continue
        elif path in new and path not in asked:
            continue
        if before != after:
            found.append(PropertyChange(path, before, after, _top(path, forced)))
    return tuple(found) or _beneath(metadata, differing - {""}, forced)


def _beneath(
    metadata: Mapping[str, Any], differing: set[str], forced: set[str]
) -> tuple[PropertyChange, ...]:
    """Return differences that the inputs do not show: the provider compared with reality."""
    old = values.read_json((metadata.get("old") or {}).get("outputs") or {})
    new = _inputs(metadata, "new")
    return tuple(
        PropertyChange(name, old.get(name), new.get(name), _top(name, forced))
        for name in sorted({_first(d) for d in differing})
    )


def _forced(metadata: Mapping[str, Any]) -> set[str]:
    detailed = metadata.get("detailedDiff") or {}
    replacing = {p for p, d in detailed.items() if "replace" in str(d.get("diffKind", ""))}
    return replacing | set(metadata.get("keys") or ())


def _first(path: str) -> str:
    return path.split(".", 1)[0].split("[", 1)[0]


def _top(path: str, named: set[str]) -> bool:
    """Tell whether a path is one of those named, or lies beneath one."""
    return any(path == n or path.startswith((f"{n}.", f"{n}[")) for n in named)


@dataclass(slots=True)
class OperationEvents:
    """Collects the outcomes of an operation, and tells its progress.

    Attributes:
        mask: Takes the known secrets out of words.
        on_event: Receives progress.
        never_made: URNs of the resources whose creation failed.
        not_replaced: URNs of those whose successor's creation failed; the old one is still there.
    """

    mask: Callable[[str], str]
    on_event: OnEvent | None
    outcomes: dict[str, ResourceOutcome] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    never_made: set[str] = field(default_factory=set)
    not_replaced: set[str] = field(default_factory=set)

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one event."""
        if "resourcePreEvent" in event:
            self._begun(event["resourcePreEvent"]["metadata"])
        elif "resOutputsEvent" in event:
            self._done(event["resOutputsEvent"]["metadata"])
        elif "resOpFailedEvent" in event:
            self._failed(event["resOpFailedEvent"]["metadata"])
        elif "diagnosticEvent" in event:
            self._said(event["diagnosticEvent"])

    def _begun(self, metadata: Mapping[str, Any]) -> None:
        if _is_step(metadata):
            self._tell(metadata, Progress.STARTED)

    def _done(self, metadata: Mapping[str, Any]) -> None:
        if not counts(metadata) or metadata["op"] in {"replace", "delete-replaced"}:
            return
        op = _OPS.get(metadata["op"], Op.SAME)
        self.outcomes[metadata["urn"]] = outcome(
            metadata, _DONE[op], metadata.get("new") or metadata.get("old") or {}
        )
        if _is_step(metadata):
            self._tell(metadata, Progress.DONE)

    def _failed(self, metadata: Mapping[str, Any]) -> None:
        if not counts(metadata):
            return
        state = metadata.get("old") or {}
        self.outcomes[metadata["urn"]] = outcome(metadata, ResourceState.FAILED, state)
        if metadata["op"] == "create":
            self.never_made.add(metadata["urn"])
        elif metadata["op"] == "create-replacement":
            self.not_replaced.add(metadata["urn"])
        self._tell(metadata, Progress.FAILED, "; ".join(self.errors.get(metadata["urn"], ())))

    def _said(self, event: Mapping[str, Any]) -> None:
        text = self.mask(plain(event["message"]))
        if not text:
            return
        urn = event.get("urn", "")
        severity = event.get("severity", "info")
        if severity == "error":
            told = self.errors.setdefault(urn, [])
            if (short := _short(text)) not in told:
                told.append(short)
        if self.on_event is not None and severity != "debug" and not event.get("ephemeral"):
            prefix = "" if severity.startswith("info") else f"{severity}: "
            self.on_event(EngineEvent(EventKind.LOG, prefix + text, urn))

    def _tell(self, metadata: Mapping[str, Any], progress: Progress, message: str = "") -> None:
        if self.on_event is not None:
            urn = metadata["urn"]
            op = _OPS.get(metadata["op"], Op.SAME)
            self.on_event(
                EngineEvent(
                    EventKind.RESOURCE, message, urn, metadata["type"], name_of(urn), op, progress
                )
            )

    def explained(self) -> dict[str, ResourceOutcome]:
        """Return the outcomes, the failed ones with what was said of them."""
        return {
            urn: replace(found, error="; ".join(self.errors.get(urn, ())))
            if found.state is ResourceState.FAILED
            else found
            for urn, found in self.outcomes.items()
        }

    def others(self) -> list[str]:
        """Return errors that are about no resource in a cloud: providers, the stack, the engine."""
        return [
            text
            for urn, texts in self.errors.items()
            if urn not in self.outcomes
            for text in texts
            if "update failed" not in text
        ]


_WRAPPINGS = re.compile(r"^sdk-v2/\S+ sdk\.helper_schema: |: provider=\S+$")
_WRAPPED = re.compile(r"\n\s*\* (?!creating urn|updating urn|deleting urn)")


def _short(text: str) -> str:
    """Return an error without the layers that only say that there was one."""
    *_, last = _WRAPPED.split(text)
    return _WRAPPINGS.sub("", last.strip())


def _is_step(metadata: Mapping[str, Any]) -> bool:
    """Tell whether something is really done: no comparison, no logical half of a replace."""
    return counts(metadata) and metadata["op"] in {
        *("create", "update", "delete", "create-replacement", "read", "import"),
    }


def outcome(
    metadata: Mapping[str, Any], state: ResourceState, resource: Mapping[str, Any]
) -> ResourceOutcome:
    """Return how a step left its resource."""
    gone = state is ResourceState.DELETED
    outputs = {} if gone else values.read_json(resource.get("outputs") or {})
    return ResourceOutcome(
        urn=metadata["urn"],
        type=metadata["type"],
        name=name_of(metadata["urn"]),
        state=state,
        physical_id="" if gone else str(resource.get("id") or ""),
        outputs=outputs,
    )


class DriftEvents:
    """Collects what a refresh finds."""

    def __init__(self) -> None:
        self._found: dict[str, DriftFinding] = {}
        self.errors: list[str] = []
        #: Types of all that was looked at.
        self.types: set[str] = set()

    def take(self, event: Mapping[str, Any]) -> None:
        """Note one event."""
        if event.get("diagnosticEvent", {}).get("severity") == "error":
            self.errors.append(plain(event["diagnosticEvent"]["message"]))
        if "resOutputsEvent" not in event:
            return
        metadata = event["resOutputsEvent"]["metadata"]
        if not counts(metadata):
            return
        self.types.add(metadata["type"])
        finding = _drift(metadata)
        if finding is not None:
            self._found[finding.urn] = finding

    def findings(self) -> tuple[DriftFinding, ...]:
        """Return the findings, ordered by URN."""
        return tuple(self._found[urn] for urn in sorted(self._found))


def _drift(metadata: Mapping[str, Any]) -> DriftFinding | None:
    urn = metadata["urn"]
    old, new = metadata.get("old") or {}, metadata.get("new")
    if metadata["op"] == "delete" or not new:
        return DriftFinding(urn, metadata["type"], name_of(urn), DriftKind.MISSING)
    declared = dict(leaves(values.read_json(old.get("inputs") or {}))).keys()
    for side in ("inputs", "outputs"):
        before = dict(leaves(values.read_json(old.get(side) or {})))
        after = dict(leaves(values.read_json(new.get(side) or {})))
        # What a cloud adds moves by itself (a volume's attachments, a group's members).
        paths = before.keys() | after.keys() if side == "inputs" else declared
        properties = tuple(
            PropertyChange(path, before.get(path), after.get(path))
            for path in sorted(paths)
            if not _same(before.get(path), after.get(path))
        )
        if properties:
            return DriftFinding(urn, metadata["type"], name_of(urn), DriftKind.CHANGED, properties)
    return None


def _same(before: Json, after: Json) -> bool:
    """Tell whether two values are the same thing; providers write nothing in several ways."""
    return before == after or (_is_nothing(before) and _is_nothing(after))


def _is_nothing(value: Json) -> bool:
    """Tell whether a value says nothing; a switch that is off is one that is not there."""
    return value is False or value in _NOTHING


_NOTHING: tuple[Json, ...] = (None, "", {}, [])
