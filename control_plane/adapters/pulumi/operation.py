"""One operation of the Pulumi engine on one stack: its commands, and what they result in."""

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import masker_for
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi import beside, cli, recovery
from control_plane.adapters.pulumi.aftermath import Aftermath
from control_plane.adapters.pulumi.cli import Ended, OnRaw, PulumiCli
from control_plane.adapters.pulumi.commands import Commands
from control_plane.adapters.pulumi.events import DriftEvents, OperationEvents, PreviewEvents
from control_plane.adapters.pulumi.importing import Importing, released
from control_plane.adapters.pulumi.notes import Notes
from control_plane.adapters.pulumi.passing import passes
from control_plane.provisioning.graph import (
    STACK_TYPE,
    ApplyResult,
    ApplyState,
    DriftFinding,
    DriftKind,
    EngineEvent,
    EventKind,
    Json,
    Preview,
    ResourceOutcome,
    ResourceState,
)
from control_plane.provisioning.ports import Cancellation, EngineError, OnEvent, Run
from foundation.kernel.database import Database

if TYPE_CHECKING:
    from control_plane.adapters.pulumi.language import Declaration, LanguageHost

_INLINE = ["--exec-kind", "auto.inline"]
_TICK = 0.1
_DONE = {
    ResourceState.CREATED,
    ResourceState.UPDATED,
    ResourceState.REPLACED,
    ResourceState.DELETED,
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tools:
    """What operations work with; see ``PulumiEngine``."""

    cli: PulumiCli
    host: ProgramHost
    key: bytes
    lookups: Mapping[str, recovery.Lookup]
    explain: Mapping[str, recovery.Explain]
    database: Database


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run of a command that changes things.

    Attributes:
        result: How it ended.
        passing: It failed for reasons that are likely to be over soon.
    """

    result: ApplyResult
    passing: bool = False


class Operation:
    """One operation on one stack, while it is held."""

    def __init__(self, tools: Tools, run: Run, folder: Path) -> None:
        self.tools = tools
        self.run = run
        self.folder = folder
        self._settings = tools.cli.settings
        self._host = tools.host
        self._masker = masker_for(run, tools.key)
        text = b"pulumi passphrase:" + run.stack.deployment.encode()
        passphrase = hmac.new(tools.key, text, hashlib.sha256).hexdigest()
        self.commands = Commands(tools.cli, run, folder, passphrase, self._masker)
        self._aftermath = Aftermath(
            self.commands,
            Notes(tools.database, tools.key, run.stack.deployment),
            tools.lookups,
            tools.explain,
            self._masker,
            run.stack.deployment,
            self._settings.settle_seconds,
        )
        self._declared: Mapping[str, Declaration] = {}
        self._deadline = time.monotonic() + run.limits.operation_seconds

    def _language(self, approved: "Mapping[str, Declaration] | None" = None) -> "LanguageHost":
        # gRPC and Pulumi's own package: half a second that only operations need.
        from control_plane.adapters.pulumi.language import LanguageHost  # noqa: PLC0415

        return LanguageHost(
            self._host,
            self.run,
            self._masker,
            approved,
            self._settings.service_parallel,
            self._settings.packages,
        )

    # ------------------------------------------------------------------------------ commands

    def _command(
        self,
        *arguments: str,
        on_event: OnRaw | None = None,
        cancel: Cancellation | None = None,
    ) -> Ended:
        left = max(self._deadline - time.monotonic(), 1.0)
        return self.commands.run(*arguments, on_event=on_event, cancel=cancel, seconds=left)

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
            self.start()
            ended = self._command(*arguments, client, *_INLINE, on_event=on_event, cancel=cancel)
        return ended

    def start(self) -> None:
        """Make the stack's empty state.

        Raises:
            EngineError: It is refused.
        """
        self._check(self._command("stack", "init"), "making the stack's state")

    def approve(self, other: "Operation") -> None:
        """Let what another operation's preview declared be what this one may do."""
        self._declared = other._declared  # noqa: SLF001 - one of its own kind

    def _check(self, ended: Ended, what: str) -> None:
        self.commands.check(ended, what)

    def _pauses(self, on_event: OnEvent | None, cancel: Cancellation | None) -> Iterator[bool]:
        """Yield before each attempt; True for the last one. Waits longer each time.

        Somebody who cancels meanwhile gets no further attempt.
        """
        for pause in self._settings.pauses:
            yield False
            seconds = pause * random.uniform(0.75, 1.25)  # noqa: S311 - so that not all come at once
            if time.monotonic() + seconds > self._deadline:
                return
            message = f"the region did not answer as it should; trying again in {seconds:.0f} s"
            _tell(on_event, EventKind.LOG, message)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if cancel is not None and cancel.is_set():
                    return
                time.sleep(_TICK)
        yield True

    def patiently(self, ask: Callable[[], T], on_event: OnEvent | None) -> T:
        """Ask a cloud something that changes nothing, again when a passing fault comes between.

        Raises:
            EngineError: What ``ask`` raised last.
        """
        failure: EngineError | None = None
        for _last in self._pauses(on_event, None):
            try:
                return ask()
            except EngineError as error:
                failure = error
                if not passes(error.message):
                    break
        raise failure or EngineError("the region was not asked")

    def _persistently(
        self,
        attempt: Callable[[], _Attempt],
        on_event: OnEvent | None,
        cancel: Cancellation | None,
    ) -> ApplyResult:
        """Do something until it succeeds, fails for good, or has failed often enough."""
        done: dict[str, ResourceOutcome] = {}
        result: ApplyResult | None = None
        for last in self._pauses(on_event, cancel):
            try:
                self._aftermath.resolve_notes()
            except EngineError:
                # Nothing may be made again before it is known what there is.
                if result is None:
                    raise
                continue
            tried = attempt()
            now = {o.urn: o for o in tried.result.outcomes}
            # What an earlier attempt did is the same to a later one, or gone.
            earlier = {
                urn: replace(one, outputs=now[urn].outputs) if urn in now else one
                for urn, one in done.items()
                if urn not in now or now[urn].state is ResourceState.SAME
            }
            outcomes = now | earlier
            result = replace(tried.result, outcomes=_ordered(outcomes))
            if last or not tried.passing:
                break
            done = {u: o for u, o in outcomes.items() if o.state in _DONE}
        return result or ApplyResult(ApplyState.FAILED, (), error="there was no time for it")

    # ------------------------------------------------------------------------------ the port

    def preview(self, on_event: OnEvent | None, *, refresh: bool) -> Preview:
        _tell(on_event, EventKind.PHASE, "preview")
        return self.patiently(lambda: self._preview(refresh=refresh), on_event)

    def _preview(self, *, refresh: bool) -> Preview:
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

    def importing(self, existing: Mapping[str, str]) -> Importing:
        """Take existing objects into the stack: what that comes to, and doing it."""

        def scratch(url: str) -> Operation:
            settings = replace(self._settings, backend_url=url)
            tools = replace(self.tools, cli=PulumiCli(self._host, settings))
            return Operation(tools, self.run, self.folder)

        return Importing(self, scratch, existing)

    def up(
        self, on_event: OnEvent | None, cancel: Cancellation | None, *, refresh: bool
    ) -> ApplyResult:
        _tell(on_event, EventKind.PHASE, "apply")
        arguments = ["up", "--yes", "--skip-preview", *_refresh(refresh)]

        def attempt() -> _Attempt:
            seen = OperationEvents(self._masker.text, on_event)
            with self._language(self._declared) as language:
                ended = self._with_program(language, *arguments, on_event=seen.take, cancel=cancel)
            if not seen.outcomes and cli.locked(ended):
                self._check(ended, "apply")
            made = self._result(ended, seen, language)
            if made.result.state is ApplyState.SUCCEEDED and self._aftermath.doubled():
                # Once more: what has come twice is deleted.
                return replace(made, passing=True)
            return made

        return self._persistently(attempt, on_event, cancel)

    def destroy(self, on_event: OnEvent | None, cancel: Cancellation | None) -> ApplyResult:
        _tell(on_event, EventKind.PHASE, "destroy")

        def attempt() -> _Attempt:
            seen = OperationEvents(self._masker.text, on_event)
            ended = self._command(
                "destroy", "--yes", "--skip-preview", on_event=seen.take, cancel=cancel
            )
            if cli.no_such_stack(ended):
                self._aftermath.forget()
                return _Attempt(ApplyResult(ApplyState.SUCCEEDED, ()))
            if not seen.outcomes and cli.locked(ended):
                self._check(ended, "destroy")
            if not ended.status:
                self._check(
                    self._command("stack", "rm", "--yes", "--remove-backups"),
                    "removing the stack's state",
                )
                self._aftermath.forget()
            return self._result(ended, seen, None)

        return self._persistently(attempt, on_event, cancel)

    def refresh(
        self, on_event: OnEvent | None, *, accept: bool, only: Collection[str] = ()
    ) -> tuple[DriftFinding, ...]:
        _tell(on_event, EventKind.PHASE, "refresh")
        return self.patiently(lambda: self._refresh(accept=accept, only=only), on_event)

    def _refresh(self, *, accept: bool, only: Collection[str]) -> tuple[DriftFinding, ...]:
        seen = DriftEvents()
        kind = ["--yes", "--skip-preview"] if accept else ["--preview-only"]
        targets = [f"--target={urn}" for urn in sorted(only)]
        ended = self._command("refresh", *kind, *targets, on_event=seen.take)
        if cli.no_such_stack(ended):
            return ()
        if ended.status and seen.errors and not cli.locked(ended):
            raise EngineError("refresh failed: " + self._masker.text("; ".join(seen.errors)))
        self._check(ended, "refresh")
        if accept or only or not seen.types & beside.HOLDERS:
            return seen.findings()
        found = seen.findings()
        missing = {f.urn for f in found if f.kind is DriftKind.MISSING}
        added = self._asked(lambda: list(self._beside(missing).added()))
        return tuple(sorted((*found, *added), key=lambda f: f.urn))

    def release(self, urns: Collection[str], on_event: OnEvent | None) -> None:
        _tell(on_event, EventKind.PHASE, "release")
        state = self.commands.exported()
        if state is not None:
            self.commands.write(released(state, frozenset(urns)))

    def remove_added(self, ids: Collection[str]) -> tuple[str, ...]:
        return self._asked(lambda: self._beside().remove(ids))

    def _beside(self, missing: Collection[str] = ()) -> beside.Surroundings:
        state = self.commands.export()
        return beside.Surroundings(state, self.run.stack.deployment, self.run.region, missing)

    def _asked(self, work: Callable[[], T]) -> T:
        """What ``work`` answers, which asks a cloud by its own client.

        Raises:
            EngineError: It did not answer.
        """
        try:
            return work()
        except EngineError:
            raise
        except Exception as error:
            # Each cloud's client has errors of its own.
            text = self._masker.text(f"{type(error).__name__}: {error}")
            raise EngineError(
                f"the region did not answer when it was looked into: {text}"
            ) from error

    def recover(self, on_event: OnEvent | None) -> None:
        _tell(on_event, EventKind.PHASE, "recover")
        if cli.no_such_stack(self._command("cancel", "--yes")):
            return
        self._asked(self._aftermath.resolve)

    def outputs(self) -> tuple[dict[str, Json], dict[str, Json]]:
        for resource in recovery.resources(self.commands.export()):
            if resource["type"] == STACK_TYPE:
                return _apart(values.read_json(resource.get("outputs") or {}))
        raise EngineError(f"there is no stack {self.run.stack.stack}")

    # ------------------------------------------------------------------------------ results

    def _result(
        self, ended: Ended, seen: OperationEvents, language: "LanguageHost | None"
    ) -> _Attempt:
        if not ended.status:
            plain, secret = _apart(language.exports if language else {})
            outcomes = _ordered(seen.explained())
            return _Attempt(ApplyResult(ApplyState.SUCCEEDED, outcomes, plain, secret))
        state = ApplyState.CANCELLED if ended.cancelled else ApplyState.FAILED
        passing = state is ApplyState.FAILED and not ended.timed_out and _passes(ended, seen)
        registered = language.registered if language else {}
        left = self._aftermath.left(seen, registered, alive=ended.status > 0)
        error = language.error.message if language and language.error else ""
        why = self._why(ended, seen, left, error)
        return _Attempt(ApplyResult(state, _ordered(left), error=why), passing)

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
            told.insert(0, f"It took longer than {self.run.limits.operation_seconds:g} s.")
        elif not any(o.error and o.state in _NOT_DONE for o in left.values()):
            # A program that is cut off because a resource failed is not to blame; else it is.
            told = [error] if error else [*seen.others(), *told]
        return "\n".join(told)[:8000] or self._masker.text(cli.reason(ended))


_NOT_DONE = {ResourceState.FAILED, ResourceState.UNKNOWN}


def _passes(ended: Ended, seen: OperationEvents) -> bool:
    """Tell whether all that failed did so for reasons that pass; a killed CLI is none."""
    failed = [o for o in seen.explained().values() if o.state is ResourceState.FAILED]
    if failed:
        return ended.status > 0 and all(passes(o.error) for o in failed)
    # A provider that died before it did anything is told together with what that led to.
    return ended.status > 0 and any(passes(each) for each in seen.others())


def _ordered(outcomes: Mapping[str, ResourceOutcome]) -> tuple[ResourceOutcome, ...]:
    return tuple(outcomes[urn] for urn in sorted(outcomes))


def _refresh(wanted: bool) -> list[str]:  # noqa: FBT001 - a flag of a command
    return ["--refresh"] if wanted else []


def _tell(on_event: OnEvent | None, kind: EventKind, message: str) -> None:
    if on_event is not None:
        on_event(EngineEvent(kind, message))


def _apart(exports: Mapping[str, Any]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return plain exports, and in clear those that are secret or hold a secret."""
    secret = {n: values.clear(v) for n, v in exports.items() if values.contains(v, "$clear")}
    plain = {n: v for n, v in exports.items() if n not in secret}
    return dict(sorted(plain.items())), dict(sorted(secret.items()))
