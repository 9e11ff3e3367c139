"""One operation of the Pulumi engine on one stack: its commands, and what they result in."""

import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import masker_for
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi import cli, recovery
from control_plane.adapters.pulumi.cli import Ended, OnRaw, PulumiCli
from control_plane.adapters.pulumi.events import (
    DriftEvents,
    OperationEvents,
    PreviewEvents,
    counts,
    name_of,
)
from control_plane.provisioning.graph import (
    STACK_TYPE,
    ApplyResult,
    ApplyState,
    DriftFinding,
    EngineEvent,
    EventKind,
    Json,
    Preview,
    ResourceOutcome,
    ResourceState,
)
from control_plane.provisioning.ports import Cancellation, EngineError, OnEvent, Run

if TYPE_CHECKING:
    from control_plane.adapters.pulumi.language import Declaration, LanguageHost

_INLINE = ["--exec-kind", "auto.inline"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What operations work with; see ``PulumiEngine``."""

    cli: PulumiCli
    host: ProgramHost
    key: bytes
    lookups: Mapping[str, recovery.Lookup]
    explain: Mapping[str, recovery.Explain]


class Operation:
    """One operation on one stack, while it is held."""

    def __init__(self, tools: Tools, run: Run, folder: Path) -> None:
        self._cli = tools.cli
        self._host = tools.host
        self._lookups = tools.lookups
        self._explain = tools.explain
        self._run = run
        self._folder = folder
        self._masker = masker_for(run, tools.key)
        text = b"pulumi passphrase:" + run.stack.deployment.encode()
        self._passphrase = hmac.new(tools.key, text, hashlib.sha256).hexdigest()
        self._declared: Mapping[str, Declaration] = {}

    def _language(self, approved: "Mapping[str, Declaration] | None" = None) -> "LanguageHost":
        # gRPC and Pulumi's own package: half a second that only operations need.
        from control_plane.adapters.pulumi.language import LanguageHost  # noqa: PLC0415

        return LanguageHost(self._host, self._run, self._masker, approved)

    # ------------------------------------------------------------------------------ commands

    def _command(
        self,
        *arguments: str,
        on_event: OnRaw | None = None,
        cancel: Cancellation | None = None,
    ) -> Ended:
        return self._cli.run(
            [*arguments, "--stack", self._run.stack.stack],
            self._folder,
            self._passphrase,
            on_event=on_event,
            cancel=cancel,
            seconds=self._run.limits.operation_seconds,
        )

    def _with_program(
        self,
        language: "LanguageHost",
        *arguments: str,
        on_event: OnRaw,
        cancel: Cancellation | None,
    ) -> Ended:
        client = f"--client=127.0.0.1:{language.port}"
        ended = self._command(*arguments, client, *_INLINE, on_event=on_event, cancel=cancel)
        if cli.no_such_stack(ended):
            self._check(self._command("stack", "init"), "making the stack's state")
            ended = self._command(*arguments, client, *_INLINE, on_event=on_event, cancel=cancel)
        return ended

    def _check(self, ended: Ended, what: str) -> None:
        cli.check(ended, what, self._masker.text)

    # ------------------------------------------------------------------------------ the port

    def preview(self, on_event: OnEvent | None, *, refresh: bool) -> Preview:
        _phase(on_event, "preview")
        seen = PreviewEvents()
        arguments = ["preview", *_refresh(refresh)]
        with self._language() as language:
            ended = self._with_program(language, *arguments, on_event=seen.take, cancel=None)
        if language.error is not None:
            raise language.error
        if ended.status and seen.errors and not cli.locked(ended):
            raise EngineError("preview failed: " + self._masker.text("; ".join(seen.errors)))
        self._check(ended, "preview")
        outputs = {name: self._masker.mask(value) for name, value in language.exports.items()}
        self._declared = language.declared
        return seen.preview({u: d.inputs for u, d in language.declared.items()}, outputs)

    def up(
        self, on_event: OnEvent | None, cancel: Cancellation | None, *, refresh: bool
    ) -> ApplyResult:
        _phase(on_event, "apply")
        seen = OperationEvents(self._masker.text, on_event)
        arguments = ["up", "--yes", "--skip-preview", *_refresh(refresh)]
        with self._language(self._declared) as language:
            ended = self._with_program(language, *arguments, on_event=seen.take, cancel=cancel)
        if not seen.outcomes and cli.locked(ended):
            self._check(ended, "apply")
        exports = language.exports if not ended.status else {}
        error = language.error.message if language.error is not None else ""
        return self._result(ended, seen, exports, error)

    def destroy(self, on_event: OnEvent | None, cancel: Cancellation | None) -> ApplyResult:
        _phase(on_event, "destroy")
        seen = OperationEvents(self._masker.text, on_event)
        ended = self._command(
            "destroy", "--yes", "--skip-preview", on_event=seen.take, cancel=cancel
        )
        if cli.no_such_stack(ended):
            return ApplyResult(ApplyState.SUCCEEDED, ())
        if not seen.outcomes and cli.locked(ended):
            self._check(ended, "destroy")
        if not ended.status:
            self._check(
                self._command("stack", "rm", "--yes", "--remove-backups"),
                "removing the stack's state",
            )
        return self._result(ended, seen, {}, "")

    def refresh(
        self, on_event: OnEvent | None, *, accept: bool, only: Collection[str] = ()
    ) -> tuple[DriftFinding, ...]:
        _phase(on_event, "refresh")
        seen = DriftEvents()
        kind = ["--yes", "--skip-preview"] if accept else ["--preview-only"]
        targets = [f"--target={urn}" for urn in sorted(only)]
        ended = self._command("refresh", *kind, *targets, on_event=seen.take)
        if cli.no_such_stack(ended):
            return ()
        if ended.status and seen.errors and not cli.locked(ended):
            raise EngineError("refresh failed: " + self._masker.text("; ".join(seen.errors)))
        self._check(ended, "refresh")
        return seen.findings()

    def recover(self, on_event: OnEvent | None) -> None:
        _phase(on_event, "recover")
        ended = self._command("cancel", "--yes")
        if cli.no_such_stack(ended):
            return
        state = self._export(clear=True)
        if not recovery.pending(state):
            return
        found = {}
        for creation in recovery.creations(state, self._run.stack.deployment):
            lookup = next(
                (f for kind, f in self._lookups.items() if creation.type.startswith(kind)), None
            )
            physical = lookup(creation) if lookup else None
            if physical:
                found[creation.urn] = physical
        # The file lies in this operation's own folder (mode 0700), which is gone right after.
        file = self._folder / "state.json"
        file.write_text(json.dumps(recovery.resolved(state, found)))
        self._check(self._command("stack", "import", "--file", str(file)), "mending the state")
        file.unlink()
        if found:
            targets = [f"--target={urn}" for urn in sorted(found)]
            self._check(
                self._command("refresh", "--yes", "--skip-preview", *targets),
                "reading what was found",
            )

    def outputs(self) -> tuple[dict[str, Json], dict[str, Json]]:
        for resource in self._resources(self._export(clear=True)):
            if resource["type"] == STACK_TYPE:
                return _apart(values.read_json(resource.get("outputs") or {}))
        raise EngineError(f"there is no stack {self._run.stack.stack}")

    # ------------------------------------------------------------------------------ results

    def _export(self, *, clear: bool) -> dict[str, Any]:
        file = self._folder / "export.json"
        secrets = ["--show-secrets"] if clear else []
        ended = self._command("stack", "export", "--file", str(file), *secrets)
        if cli.no_such_stack(ended):
            raise EngineError(f"there is no stack {self._run.stack.stack}")
        self._check(ended, "reading the state")
        found: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return found

    def _resources(self, state: Mapping[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (state.get("deployment") or {}).get("resources") or []
        return found

    def _result(
        self, ended: Ended, seen: OperationEvents, exports: Mapping[str, Any], error: str
    ) -> ApplyResult:
        outcomes = seen.explained()
        if not ended.status:
            plain, secret = _apart(exports)
            return ApplyResult(ApplyState.SUCCEEDED, _ordered(outcomes), plain, secret)
        state = ApplyState.CANCELLED if ended.cancelled else ApplyState.FAILED
        left = self._left(outcomes)
        left = self._without_wrecks(left, seen.never_made)
        return ApplyResult(state, _ordered(left), error=self._why(ended, seen, left, error))

    def _without_wrecks(
        self, left: dict[str, ResourceOutcome], never_made: set[str]
    ) -> dict[str, ResourceOutcome]:
        """Delete what a failed creation has left in a cloud that cannot mend it.

        A server that ended in ERROR never becomes one; Pulumi would keep it as made and fail on
        what hangs on it, and it uses up quota. What the cloud said of it is known by then.
        """
        wrecks = [
            urn
            for urn in sorted(never_made)
            if left[urn].physical_id and any(left[urn].type.startswith(k) for k in self._explain)
        ]
        if not wrecks:
            return left
        targets = [f"--target={urn}" for urn in wrecks]
        ended = self._command("destroy", "--yes", "--skip-preview", *targets)
        if not ended.status:
            left |= {urn: replace(left[urn], physical_id="") for urn in wrecks}
        return left

    def _why(
        self,
        ended: Ended,
        seen: OperationEvents,
        left: Mapping[str, ResourceOutcome],
        error: str,
    ) -> str:
        """Say why an operation did not succeed, the cloud's own words first."""
        told = [f"{o.name}: {o.error}" for o in _ordered(left) if o.error]
        if ended.cancelled:
            told.insert(0, "The operation was cancelled.")
        elif ended.timed_out:
            told.insert(0, f"It took longer than {self._run.limits.operation_seconds:g} s.")
        elif not any(o.state is ResourceState.FAILED for o in left.values()):
            # A program that is cut off because a resource failed is not to blame; else it is.
            told = [error] if error else [*seen.others(), *told]
        return "\n".join(told)[:8000] or self._masker.text(cli.reason(ended))

    def _left(self, outcomes: dict[str, ResourceOutcome]) -> dict[str, ResourceOutcome]:
        """Add what the operation did not come to, and what it did not see the end of."""
        try:
            state = self._export(clear=True)
        except EngineError:
            # The state cannot be read: then nobody knows, and nothing may be claimed.
            return outcomes
        found = {}
        for resource in self._resources(state):
            if counts({"type": resource["type"], "new": resource}):
                urn = resource["urn"]
                found[urn] = self._left_over(resource, ResourceState.SAME)
                known = outcomes.get(urn)
                if known is not None and known.state is ResourceState.FAILED:
                    outcomes[urn] = self._explained(known, state, resource)
        found |= outcomes
        for operation in (state.get("deployment") or {}).get("pending_operations") or []:
            resource = operation["resource"]
            if counts({"type": resource["type"], "new": resource}):
                found[resource["urn"]] = self._left_over(resource, ResourceState.UNKNOWN)
        return found

    def _left_over(self, resource: Mapping[str, Any], state: ResourceState) -> ResourceOutcome:
        return ResourceOutcome(
            urn=resource["urn"],
            type=resource["type"],
            name=name_of(resource["urn"]),
            state=state,
            physical_id=str(resource.get("id") or ""),
            error="the region did not confirm it" if state is ResourceState.UNKNOWN else "",
            outputs=self._masker.mask(values.read_json(resource.get("outputs") or {})),
            depends_on=tuple(sorted(resource.get("dependencies") or ())),
        )

    def _explained(
        self, known: ResourceOutcome, state: Mapping[str, Any], resource: Mapping[str, Any]
    ) -> ResourceOutcome:
        """Add what the cloud itself says of an object that failed, and the id that it has."""
        physical = str(resource.get("id") or "")
        ask = next((f for k, f in self._explain.items() if known.type.startswith(k)), None)
        if not physical or ask is None:
            return known
        failed = recovery.describe(state, resource, self._run.stack.deployment)
        try:
            said = self._masker.text(ask(failed, physical))
        except Exception as error:  # noqa: BLE001 - an explanation more or less stops nothing
            said = f"(the region could not be asked why: {type(error).__name__})"
        text = "; ".join(part for part in (said, known.error) if part)
        return replace(known, physical_id=physical, error=text)


def _ordered(outcomes: Mapping[str, ResourceOutcome]) -> tuple[ResourceOutcome, ...]:
    return tuple(outcomes[urn] for urn in sorted(outcomes))


def _refresh(wanted: bool) -> list[str]:  # noqa: FBT001 - a flag of a command
    return ["--refresh"] if wanted else []


def _phase(on_event: OnEvent | None, name: str) -> None:
    if on_event is not None:
        on_event(EngineEvent(EventKind.PHASE, name))


def _apart(exports: Mapping[str, Any]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return plain exports, and in clear those that are secret or hold a secret."""
    secret = {n: values.clear(v) for n, v in exports.items() if values.contains(v, "$clear")}
    plain = {n: v for n, v in exports.items() if n not in secret}
    return dict(sorted(plain.items())), dict(sorted(secret.items()))
