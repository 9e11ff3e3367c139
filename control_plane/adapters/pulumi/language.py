"""The language runtime that the Pulumi CLI is told to use: it runs programs in confined children.

The CLI is started with ``--client=127.0.0.1:port`` (as the Automation API does for inline
programs) and calls ``Run`` here. The program runs in a child without network; its calls come over
its channel and are carried to the CLI's resource monitor as they are, byte for byte. So the CLI's
environment, with the state's address and passphrase, is in no process that a program can see.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Self

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
    resource_pb2,
)

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import (
    make_urn,
    masked,
    order_for,
    provider_of,
)
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.program_host.session import Call, Session
from control_plane.adapters.pulumi.reach import PACKAGES, Reach
from control_plane.adapters.pulumi.turns import Turns, service_of
from control_plane.provisioning.graph import STACK_TYPE, Json, fits
from control_plane.provisioning.ports import ProgramError, Run

_LARGE = 400 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_send_message_length", _LARGE),
    ("grpc.max_receive_message_length", _LARGE),
]
_METHODS = frozenset(
    {
        *("Invoke", "ReadResource", "RegisterResource", "RegisterResourceOutputs"),
        *("SupportsFeature", "SignalAndWaitForShutdown"),
    }
)
_GONE = frozenset({"UNAVAILABLE", "CANCELLED", "ABORTED"})
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Declaration:
    """One resource as a program declares it: its inputs, masked, and what it says besides."""

    inputs: Mapping[str, Json]
    options: Mapping[str, Json]

    def within(self, approved: "Declaration | None") -> bool:
        """Tell whether this is what was approved, given that unknowns have become known."""
        return (
            approved is not None
            and self.options == approved.options
            and fits(dict(approved.inputs), dict(self.inputs))
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """A resource as a program registered it; secrets in clear (``$clear``), only in memory."""

    type: str
    inputs: Mapping[str, Any]
    parent: str
    provider: str
    dependencies: tuple[str, ...]
    by_property: Mapping[str, list[str]]

    @classmethod
    def of(cls, request: Any) -> "Registration":  # noqa: ANN401
        """Return what a request of the resource monitor says."""
        return cls(
            request.type,
            values.read_struct(request.object),
            request.parent,
            request.provider,
            tuple(request.dependencies),
            {n: list(d.urns) for n, d in request.propertyDependencies.items()},
        )


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """A server for one command of the CLI.

    Args:
        host: Runs the program.
        run: What to run.
        masker: Masks the secrets of the run.
        approved: What the program declared in the preview that was confirmed. A run that declares
            anything else is stopped before the engine hears of it: what is done is what was shown.
        service_parallel: How many resources of one OpenStack service are made at once.
        packages: The providers that programs may use.

    Attributes:
        declared: What the program declared, by URN, masked.
        registered: The same as it was sent to the CLI, of the resources that a cloud makes.
        exports: What the program exported, with secrets in clear (``$clear``).
        error: Why the program failed; None when it did not, or when the engine ended first.
    """

    def __init__(
        self,
        host: ProgramHost,
        run: Run,
        masker: values.Masker,
        approved: Mapping[str, Declaration] | None = None,
        service_parallel: int = 4,
        packages: frozenset[str] = PACKAGES,
    ) -> None:
        self._turns = Turns(service_parallel)
        self._reach = Reach(run, packages)
        self._host = host
        self._run = run
        self._masker = masker
        self._approved = approved
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._cut_off = False
        self.declared: dict[str, Declaration] = {}
        self.registered: dict[str, Registration] = {}
        self.exports: dict[str, Any] = {}
        self.error: ProgramError | None = None
        self._server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=4), options=_OPTIONS, handlers=()
        )
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self, self._server)
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            session = self._session
        if session is not None:
            session.abort()
        self._server.stop(0).wait(_START_SECONDS)

    # The names are Pulumi's; the CLI asks for all of these.

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        return language_pb2.LanguageHandshakeResponse()

    def About(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        return plugin_pb2.PluginInfo()

    def GetRequiredPlugins(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(self, _request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: Any, _context: Any) -> Any:  # noqa: ANN401, N802
        """Run the program once against the monitor that the CLI names."""
        with (
            grpc.insecure_channel(request.monitor_address, options=_OPTIONS) as monitor,
            grpc.insecure_channel(request.args[0], options=_OPTIONS) as engine,
        ):
            order = order_for(self._run, dry_run=request.dryRun, form="raw")
            try:
                session = self._host.program(order, self._run.limits)
            except ProgramError as error:
                self.error = error
                return language_pb2.RunResponse(error=error.message)
            with self._lock:
                self._session = session
            try:
                session.serve(self._forward(monitor, request.dryRun), on_log=self._log(engine))
                self._check_complete()
            except ProgramError as error:
                told = masked(error, self._masker)
                # A program that the engine leaves alone is not to blame.
                self.error = None if self._cut_off else told
                return language_pb2.RunResponse(error=told.message)
            finally:
                with self._lock:
                    self._session = None
                session.close()
        return language_pb2.RunResponse()

    def _forward(self, monitor: Any, dry_run: bool) -> Callable[[Call], None]:  # noqa: ANN401, FBT001
        def forward(call: Call) -> None:
            if call.method not in _METHODS:
                call.refuse(f"programs cannot use {call.method}", "UNIMPLEMENTED")
                return
            registered = self._look_at(call)
            service = "" if dry_run else service_of(registered)
            method = monitor.unary_unary(f"/pulumirpc.ResourceMonitor/{call.method}")

            def done(answer: Any) -> None:  # noqa: ANN401
                self._turns.end(service)
                self._pass_on(call, answer)

            def begin() -> None:
                try:
                    method.future(call.body).add_done_callback(done)
                except ValueError:  # it waited for its turn until the operation was over
                    self._turns.end(service)
                    call.refuse("the operation is over", "CANCELLED")

            self._turns.take(service, begin)

        return forward

    def _look_at(self, call: Call) -> str:
        """Return the type that a call registers, if it does, when a program may call so.

        Raises:
            ProgramError: It may not.
        """
        if call.method == "RegisterResource":
            registered = resource_pb2.RegisterResourceRequest.FromString(call.body)
            self._reach.check_registration(registered)
            self._check(registered)
            return str(registered.type)
        if call.method == "ReadResource":
            self._reach.check_reading(resource_pb2.ReadResourceRequest.FromString(call.body))
        elif call.method == "Invoke":
            self._reach.check_invoke(resource_pb2.ResourceInvokeRequest.FromString(call.body))
        return ""

    def _check(self, request: Any) -> None:  # noqa: ANN401
        """Note a declaration, and refuse one that was not approved."""
        stack = self._run.stack
        urn = make_urn(stack.stack, stack.project, request.parent, request.type, request.name)
        if len(self.declared) > self._run.limits.resources:
            # One more than allowed is the stack itself.
            raise ProgramError(
                f"the blueprint declares more than {self._run.limits.resources} resources"
            )
        declaration = Declaration(
            self._masker.mask(values.read_struct(request.object)),
            {
                "provider": provider_of(request.provider)[1],
                "ignore_changes": sorted(request.ignoreChanges),
                "replace_on_changes": sorted(request.replaceOnChanges),
                "import": request.importId,
                "retain_on_delete": bool(request.retainOnDelete),
                "protect": bool(request.protect),
            },
        )
        self.declared[urn] = declaration
        if request.custom and not request.type.startswith("pulumi:providers:"):
            self.registered[urn] = Registration.of(request)
        if self._approved is not None and not declaration.within(self._approved.get(urn)):
            raise ProgramError(
                f"the blueprint declared {request.name!r} ({request.type}) otherwise than in the "
                "preview of the same operation"
            )

    def _check_complete(self) -> None:
        """Refuse a run that leaves out what it declared before: it would be deleted."""
        missing = sorted((self._approved or {}).keys() - self.declared.keys())
        if missing:
            raise ProgramError(
                f"the blueprint left out {missing[0]}, which it declared in the preview of the "
                "same operation"
            )

    def _pass_on(self, call: Call, done: Any) -> None:  # noqa: ANN401
        error = done.exception()
        if error is not None:
            code = error.code().name if isinstance(error, grpc.RpcError) else "UNKNOWN"
            self._cut_off = self._cut_off or code in _GONE
            details = error.details() if isinstance(error, grpc.RpcError) else str(error)
            call.refuse(self._masker.text(details or code), code)
            return
        body = done.result()
        self._remember(call)
        call.answer(body)

    def _remember(self, call: Call) -> None:
        """Note what the program exports."""
        if call.method == "RegisterResourceOutputs":
            request = resource_pb2.RegisterResourceOutputsRequest.FromString(call.body)
            if request.urn.split("::")[2:3] == [STACK_TYPE]:
                self.exports = values.read_struct(request.outputs)

    def _log(self, engine: Any) -> Callable[[int, str, str], None]:  # noqa: ANN401
        stub = engine_pb2_grpc.EngineStub(engine)

        def log(severity: int, message: str, urn: str) -> None:
            text = self._masker.text(message)
            level: Any = severity
            stub.Log.future(engine_pb2.LogRequest(severity=level, message=text, urn=urn))

        return log
