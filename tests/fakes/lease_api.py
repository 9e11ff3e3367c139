"""The part of the Kubernetes API that leases need: Lease objects with ``resourceVersion``.

Held to the same contract as a real cluster (``tests/integration/video``).
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class LeaseApi:
    """Leases by name, and what the API server answers."""

    def __init__(self) -> None:
        self.leases: dict[str, dict[str, Any]] = {}
        self.version = 0
        self.broken = False
        self.lock = threading.Lock()

    def handle(self, method: str, target: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        with self.lock:
            if self.broken:
                return 503, _status(503)
            parts = urlsplit(target)
            name = parts.path.partition("/leases")[2].strip("/")
            if method == "GET" and not name:
                return 200, self._list(parse_qs(parts.query).get("labelSelector", [""])[0])
            if method == "POST":
                return self._create(body or {})
            known = self.leases.get(name)
            if known is None:
                return 404, _status(404)
            return self._one(method, name, known, body)

    def _one(
        self, method: str, name: str, known: dict[str, Any], body: dict[str, Any] | None
    ) -> tuple[int, Any]:
        if method == "DELETE":
            del self.leases[name]
            return 200, _status(200)
        if method == "PUT" and body is not None:
            if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
                return 409, _status(409)
            return 200, self._keep(body)
        return 200, known

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body["metadata"]["name"] in self.leases:
            return 409, _status(409)
        return 201, self._keep(body)

    def _keep(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.leases[body["metadata"]["name"]] = body
        return body

    def _list(self, selector: str) -> dict[str, Any]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        found = [
            lease for _, lease in sorted(self.leases.items())
            if wanted.items() <= lease["metadata"].get("labels", {}).items()
        ]  # fmt: skip
        return {
            "kind": "LeaseList",
            "apiVersion": "coordination.k8s.io/v1",
            "metadata": {},
            "items": found,
        }


def _status(code: int) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "code": code}


@contextlib.contextmanager
def lease_api() -> Iterator[tuple[LeaseApi, str]]:
    """The API and its address, until the end of the block."""
    api = LeaseApi()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, answer = api.handle(self.command, self.path, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _do  # noqa: N815 - http.server's

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
