"""Runs a blueprint's program in a confined child; its only way out is the channel.

The Pulumi SDK speaks to a resource monitor and an engine. Here both are objects that put the calls
on the channel, so that the SDK opens no connection of its own. In the ``json`` form calls carry
JSON with markers (the parent needs no Pulumi); in the ``raw`` form they carry the protobuf
messages, which the parent passes to the Pulumi CLI.
"""

import asyncio
import itertools
import json
import os
import runpy
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from control_plane.adapters.program_host import values, wire

ISOLATION: dict[str, bool] = {}
"""What confines this process; set by the keeper, told to the parent."""

_THREADS = 64
_STACK_BYTES = 1024 * 1024
_MESSAGE_CHARACTERS = 8000
_DEBUG = 0


class Channel:
    """Calls over the socket; many threads may wait for answers at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._waiting: dict[int, Future[tuple[dict[str, Any], bytes]]] = {}
        self._reader = wire.Reader()

    def first(self) -> dict[str, Any]:
        """Return the parent's first frame, and begin to take answers."""
        frames = wire.receive(self._sock, self._reader)
        header, _ = next(frames)
        threading.Thread(target=self._take, args=(frames,), daemon=True).start()
        return header

    def _take(self, frames: Any) -> None:  # noqa: ANN401
        for header, body in frames:
            self._waiting.pop(header["id"]).set_result((header, body))
        # The parent is gone, or has had enough.
        os._exit(75)

    def tell(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send a frame that needs no answer."""
        data = wire.pack(header, body)
        with self._lock:
            self._sock.sendall(data)

    def call(self, method: str, body: bytes) -> bytes:
        """Send a call and wait for its answer.

        Raises:
            grpc.RpcError: The parent refused it.
        """
        number = next(self._ids)
        answer: Future[tuple[dict[str, Any], bytes]] = Future()
        self._waiting[number] = answer
        self.tell({"id": number, "call": method}, body)
        header, body = answer.result()
        if "error" in header:
            raise _refusal(header["error"], header.get("status", "UNKNOWN"))
        return body


def _refusal(message: str, status: str) -> Exception:
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - only in the child

    class Refusal(grpc.RpcError):  # type: ignore[misc]
        """An error of the monitor, in the form in which the SDK expects it."""

        def code(self) -> Any:  # noqa: ANN401
            return getattr(grpc.StatusCode, status, grpc.StatusCode.UNKNOWN)

        def details(self) -> str:
            return message

    return Refusal(message)


def _protos() -> Any:  # noqa: ANN401
    from pulumi.runtime.proto import resource_pb2  # noqa: PLC0415 - the parent has no Pulumi

    return resource_pb2


class RawMonitor:
    """A resource monitor that passes protobuf messages as they are."""

    #: Callbacks would need a connection into the program; they are not offered.
    WITHOUT = ("TRANSFORMS", "INVOKE_TRANSFORMS", "RESOURCE_HOOKS", "ERROR_HOOKS")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        from pulumi.runtime.proto import provider_pb2  # noqa: PLC0415

        pb = _protos()
        self._answers = {
            "SupportsFeature": pb.SupportsFeatureResponse,
            "Invoke": pb.ResourceInvokeResponse,
            "Call": provider_pb2.CallResponse,
            "ReadResource": pb.ReadResourceResponse,
            "ExistsResource": pb.ExistsResourceResponse,
            "RegisterResource": pb.RegisterResourceResponse,
            "RegisterPackage": pb.RegisterPackageResponse,
        }

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(request: Any) -> Any:  # noqa: ANN401
            body = self._channel.call(name, request.SerializeToString())
            kind = self._answers.get(name)
            return kind.FromString(body) if kind else None

        return call

    def GetDeploymentInfo(self, _request: Any) -> Any:  # noqa: ANN401, N802 - Pulumi's name
        """Say what the monitor can do; without callbacks."""
        return deployment_info()


def deployment_info() -> Any:  # noqa: ANN401
    """Return the features that programs may count on with either engine."""
    pb = _protos()
    names = ("SECRETS", "RESOURCE_REFERENCES", "ALIAS_SPECS", "DELETED_WITH", "REPLACE_WITH")
    return pb.DeploymentInfo(
        supportedFeatures=[getattr(pb, f"RESOURCE_MONITOR_FEATURE_{n}") for n in names]
    )


class JsonMonitor:
    """A resource monitor for engines that are not Pulumi's.

    Args:
        channel: The way to the parent.
        masker: When given, secrets are masked before anything leaves this process.
    """

    def __init__(self, channel: Channel, masker: values.Masker | None) -> None:
        self._channel = channel
        self._masker = masker

    def _call(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        if self._masker:
            request = self._masker.mask(request)
        answer: dict[str, Any] = json.loads(
            self._channel.call(method, json.dumps(request).encode())
        )
        return answer

    def GetDeploymentInfo(self, _request: Any) -> Any:  # noqa: ANN401, N802
        return deployment_info()

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        answer = self._call(
            "RegisterResource",
            {
                "type": request.type,
                "name": request.name,
                "parent": request.parent,
                "custom": request.custom,
                "remote": request.remote,
                "inputs": values.read_struct(request.object),
                "provider": request.provider,
                "depends_on": sorted(request.dependencies),
                "import_id": request.importId,
                "protect": bool(request.protect),
                "ignore_changes": list(request.ignoreChanges),
                "replace_on_changes": list(request.replaceOnChanges),
                "retain_on_delete": bool(request.retainOnDelete),
                "secret_outputs": list(request.additionalSecretOutputs),
            },
        )
        reply = _protos().RegisterResourceResponse(urn=answer["urn"], id=answer.get("id", ""))
        _fill(reply.object, request.object, answer)
        return reply

    def ReadResource(self, request: Any) -> Any:  # noqa: ANN401, N802
        answer = self._call(
            "ReadResource",
            {
                "type": request.type,
                "name": request.name,
                "parent": request.parent,
                "id": request.id,
                "inputs": values.read_struct(request.properties),
                "provider": request.provider,
                "depends_on": sorted(request.dependencies),
            },
        )
        reply = _protos().ReadResourceResponse(urn=answer["urn"])
        _fill(reply.properties, request.properties, answer)
        return reply

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802
        self._call(
            "RegisterResourceOutputs",
            {"urn": request.urn, "outputs": values.read_struct(request.outputs)},
        )

    def Invoke(self, request: Any) -> Any:  # noqa: ANN401, N802
        answer = self._call(
            "Invoke", {"token": request.tok, "args": values.read_struct(request.args)}
        )
        reply = _protos().ResourceInvokeResponse()
        _fill(getattr(reply, "return"), request.args, answer)
        return reply

    def RegisterPackage(self, _request: Any) -> Any:  # noqa: ANN401, N802
        return _protos().RegisterPackageResponse(ref="")

    def SignalAndWaitForShutdown(self, _request: Any) -> None:  # noqa: ANN401, N802
        return None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        raise NotImplementedError(f"programs cannot use the engine's {name} here")


def _fill(target: Any, asked: Any, answer: dict[str, Any]) -> None:  # noqa: ANN401
    """Put an answer's outputs into a message; ``echo`` stands for what was asked, unmasked."""
    if answer.get("echo"):
        target.CopyFrom(asked)
    values.write_struct(answer.get("outputs", {}), target)


class EngineLog:
    """The part of Pulumi's engine that programs speak to besides the monitor."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._root = ""

    def Log(self, request: Any) -> None:  # noqa: ANN401, N802
        """Pass on what the program logs, but for the SDK's own debugging."""
        if request.severity != _DEBUG:
            self._channel.tell(
                {
                    "log": int(request.severity),
                    "message": request.message[:_MESSAGE_CHARACTERS],
                    "urn": request.urn,
                }
            )

    def SetRootResource(self, request: Any) -> None:  # noqa: ANN401, N802
        self._root = request.urn

    def GetRootResource(self, _request: Any) -> Any:  # noqa: ANN401, N802
        from pulumi.runtime.proto import engine_pb2  # noqa: PLC0415

        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def RequirePulumiVersion(self, _request: Any) -> None:  # noqa: ANN401, N802
        return None


def main(sock: socket.socket, folder: Path) -> None:
    """Run the program of a folder as the parent's first frame says; tell how it ended."""
    threading.stack_size(_STACK_BYTES)
    channel = Channel(sock)
    order = channel.first()["run"]
    channel.tell({"isolation": ISOLATION})
    try:
        _run(channel, order, folder)
    except MemoryError:
        channel.tell({"ended": "error", "message": "it needs more memory than it may use"})
    except BaseException as error:  # noqa: BLE001 - whatever it is, it ends the program
        channel.tell({"ended": "error", "message": _explain(error, folder)})
    else:
        channel.tell({"ended": "well"})
    # Threads that the program left behind do not matter any more.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _run(channel: Channel, order: dict[str, Any], folder: Path) -> None:
    from pulumi.runtime import config, settings, stack  # noqa: PLC0415

    if order["form"] == "raw":
        monitor: Any = RawMonitor(channel)
    else:
        monitor = JsonMonitor(channel, _masker(order))
    settings.configure(
        settings.Settings(
            project=order["project"],
            stack=order["stack"],
            organization="organization",
            monitor=monitor,
            engine=EngineLog(channel),
            parallel=_THREADS,
            dry_run=order["dry_run"],
            root_directory=str(folder),
        )
    )
    config.set_all_config(order["config"], order["secret_keys"])
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    loop.set_exception_handler(lambda _loop, _context: None)
    sys.path.insert(0, str(folder))
    sys.argv = [str(folder / "__main__.py")]

    def program() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    loop.run_until_complete(stack.run_in_stack(program))


def _masker(order: dict[str, Any]) -> values.Masker | None:
    key = order.get("mask_key")
    if not key:
        return None
    credentials = {name: json.loads(order["config"][name]) for name in order["secret_keys"]}
    return values.Masker(bytes.fromhex(key), credentials)


def _explain(error: BaseException, folder: Path) -> str:
    """Say what went wrong and where in the program."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r}) before it was finished"
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(folder))
    ]
    where = "".join(
        f"\n  {Path(f.filename).relative_to(folder)}:{f.lineno} in {f.name}: {f.line}"
        for f in frames[-5:]
    )
    return f"{type(error).__name__}: {error}{where}"[:_MESSAGE_CHARACTERS]
