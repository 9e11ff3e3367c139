# ruff: noqa: N802, ANN001, ANN201, ANN202, ARG002 - the methods and their shape are Pulumi's
"""A provider plugin of the tests: things are files in a folder, and can be disturbed.

``pulumi-resource-sample`` on the CLI's PATH starts it. Faults are files too:
``<folder>/faults/<name>.<op>`` with ``fail``, ``hang``, ``busy`` (refused for now), ``lost`` (the
answer does not arrive), ``die`` (the provider itself ends), ``never`` (no answer arrives, nothing
is made) or ``late`` (no answer arrives, and the thing is made only when it is asked for again).
Any other create that hangs, is lost or dies has made its thing, the worst moment. A read that is
``hidden`` finds nothing.
"""

import json
import os
import sys
import threading
import time
import uuid
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

SECRET_KEY = "4dabf18193072939515e22adb298388d"


def tree(struct):
    def plain(value):
        if isinstance(value, dict):
            if SECRET_KEY in value:
                return plain(value.get("value"))
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list):
            return [plain(v) for v in value]
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    return plain(json_format.MessageToDict(struct))


def struct(value):
    found = struct_pb2.Struct()
    found.update(value)
    return found


class Sample(provider_pb2_grpc.ResourceProviderServicer):
    folder = Path("/nowhere")

    def Handshake(self, request, context):
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=False, accept_resources=False, accept_outputs=False
        )

    def CheckConfig(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request, context):
        Sample.folder = Path(tree(request.args).get("folder") or "/nowhere")
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetSchema(self, request, context):
        return provider_pb2.GetSchemaResponse(schema='{"name": "sample", "version": "1.0.0"}')

    def Check(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request, context):
        old, new = tree(request.old_inputs), tree(request.news)
        names = sorted(k for k in old.keys() | new.keys() if old.get(k) != new.get(k))
        kind = provider_pb2.DiffResponse
        if not tree(request.olds):
            # As the bridged providers: of what was never read they say that it is another.
            return kind(changes=kind.DIFF_SOME, replaces=["label"], diffs=["label"])
        return kind(changes=kind.DIFF_SOME if names else kind.DIFF_NONE, diffs=names)

    def _disturb(self, request, op, context):
        name = request.urn.rpartition("::")[2]
        # A reading is disturbed by its own name only.
        for kind in ("read",) if op == "read" else (op, "any"):
            file = self.folder / "faults" / f"{name}.{kind}"
            if file.exists():
                what, times = json.loads(file.read_text())
                if times == 1:
                    file.unlink()
                elif times:
                    file.write_text(json.dumps([what, times - 1]))
                if what == "fail":
                    context.abort(grpc.StatusCode.UNKNOWN, "no more things")
                if what == "busy":
                    context.abort(
                        grpc.StatusCode.UNKNOWN, "got 503: temporary overloading or maintenance"
                    )
                return what
        return ""

    def _write(self, name, inputs):
        (self.folder / "things").mkdir(parents=True, exist_ok=True)
        (self.folder / "things" / f"{name}.json").write_text(json.dumps(inputs))

    def Create(self, request, context):
        inputs = tree(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct(inputs))
        fault = self._disturb(request, "create", context)
        if fault in {"late", "never"}:
            if fault == "late":
                name = request.urn.rpartition("::")[2]
                came = self.folder / "faults" / f"{name}.create"
                came.write_text(json.dumps(["came", 1]))
            context.abort(grpc.StatusCode.UNKNOWN, "read: connection reset by peer")
        if fault == "came":
            self._write(uuid.uuid4().hex[:12], inputs)
        thing = uuid.uuid4().hex[:12]
        self._write(thing, inputs)
        if fault == "hang":
            time.sleep(3600)
        if fault == "lost":
            context.abort(grpc.StatusCode.UNKNOWN, "read: connection reset by peer")
        if fault == "die":
            os._exit(1)
        return provider_pb2.CreateResponse(id=thing, properties=struct(inputs))

    def Read(self, request, context):
        hidden = self._disturb(request, "read", context) == "hidden"
        file = self.folder / "things" / f"{request.id}.json"
        if hidden or not file.exists():
            return provider_pb2.ReadResponse()
        found = struct(json.loads(file.read_text()))
        return provider_pb2.ReadResponse(id=request.id, properties=found, inputs=found)

    def Update(self, request, context):
        inputs = tree(request.news)
        if not request.preview:
            self._disturb(request, "update", context)
            self._write(request.id, inputs)
        return provider_pb2.UpdateResponse(properties=struct(inputs))

    def Delete(self, request, context):
        self._disturb(request, "delete", context)
        (self.folder / "things" / f"{request.id}.json").unlink(missing_ok=True)
        return empty_pb2.Empty()

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def Attach(self, request, context):
        return empty_pb2.Empty()


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Sample(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()


main()
