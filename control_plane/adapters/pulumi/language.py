"""The language runtime that the Pulumi CLI is told to use: it runs programs in confined children.

The CLI is started with ``--client=127.0.0.1:port`` (as the Automation API does for inline
programs) and calls ``Run`` here. The program runs in a child without network; its calls come over
its channel and are carried to the CLI's resource monitor as they are, byte for byte. So the CLI's
environment, with the state's address and passphrase, is in no process that a program can see.
"""

import sys
import threading
from collections.abc import Callable
from concurrent import futures
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
from control_plane.adapters.program_host.evaluate import masked, order_for
from control_plane.adapters.program_host.host import Call, ProgramHost, Session
from control_plane.provisioning.graph import STACK_TYPE
from control_plane.provisioning.ports import ProgramError, Run

_LARGE = 400 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_send_message_length", _LARGE),
    ("grpc.max_receive_message_length", _LARGE),
]
_METHODS = frozenset(
    {
        *("Invoke", "Call", "ReadResource", "RegisterResource", "RegisterResourceOutputs"),
        *("RegisterPackage", "ExistsResource", "SupportsFeature", "SignalAndWaitForShutdown"),
    }
)
_START_SECONDS = 30.0


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """A server for one command of the CLI.

    Args:
        host: Runs the program.
        run: What to run.
        masker: Masks the secrets of the run.

    Attributes:
        inputs: Inputs of the resources that the program declared, by URN, masked.
        exports: What the program exported, with secrets in clear (``$clear``).
        error: Why the program failed; None when it did not.
    """

    def __init__(self, host: ProgramHost, run: Run, masker: values.Masker) -> None:
        self._host = host
        self._run = run
        self._masker = masker
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._declared = 0
        self.inputs: dict[str, dict[str, Any]] = {}
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
                session.serve(self._forward(monitor), on_log=self._log(engine))
            except ProgramError as error:
                self.error = masked(error, self._masker)
                return language_pb2.RunResponse(error=self.error.message)
            finally:
                with self._lock:
                    self._session = None
                session.close()
        return language_pb2.RunResponse()

    def _forward(self, monitor: Any) -> Callable[[Call], None]:  # noqa: ANN401
        def forward(call: Call) -> None:
            if call.method not in _METHODS:
                call.refuse(f"programs cannot use {call.method}", "UNIMPLEMENTED")
                return
            self._count(call)
            method = monitor.unary_unary(f"/pulumirpc.ResourceMonitor/{call.method}")
            method.future(call.body).add_done_callback(lambda done: self._pass_on(call, done))

        return forward

    def _count(self, call: Call) -> None:
        if call.method == "RegisterResource":
            self._declared += 1
            # One more than allowed is the stack itself.
            if self._declared > self._run.limits.resources + 1:
                raise ProgramError(
                    f"the blueprint declares more than {self._run.limits.resources} resources"
                )

    def _pass_on(self, call: Call, done: Any) -> None:  # noqa: ANN401
        error = done.exception()
        if error is not None:
            code = error.code().name if isinstance(error, grpc.RpcError) else "UNKNOWN"
            details = error.details() if isinstance(error, grpc.RpcError) else str(error)
            call.refuse(self._masker.text(details or code), code)
            return
        body = done.result()
        self._remember(call, body)
        call.answer(body)

    def _remember(self, call: Call, answer: bytes) -> None:
        """Note what passes by: the program's own inputs, and what it exports."""
        if call.method == "RegisterResource":
            request = resource_pb2.RegisterResourceRequest.FromString(call.body)
            urn = resource_pb2.RegisterResourceResponse.FromString(answer).urn
            self.inputs[urn] = self._masker.mask(values.read_struct(request.object))
        elif call.method == "RegisterResourceOutputs":
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
