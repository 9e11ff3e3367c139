"""Another platform on loopback: answers documents by path, and notes what it was asked."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What is answered under a path; ``etag`` is honoured."""

    body: bytes = b""
    media_type: str = "text/turtle"
    status: int = 200
    etag: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    #: Held back until this is set, if given.
    gate: threading.Event | None = None


@dataclass
class Platform:
    """The other platform.

    Attributes:
        asked: path and header Authorization of each request, in order.
    """

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)


@contextlib.contextmanager
def platform() -> Iterator[Platform]:
    """A platform that answers until the end of the block."""
    there = Platform()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.asked.append((self.path, self.headers.get("Authorization", "")))
            answer = there.answers.get(self.path, Answer(status=404))
            if answer.gate is not None:
                answer.gate.wait(20)
            same = answer.etag and self.headers.get("If-None-Match") == answer.etag
            with contextlib.suppress(OSError):
                self.send_response(304 if same else answer.status)
                self.send_header("Content-Type", answer.media_type)
                if answer.etag:
                    self.send_header("ETag", answer.etag)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if not same:
                    self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    there.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
