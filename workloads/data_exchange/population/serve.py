"""Providers over HTTP that answer as a city's registries do: slowly or not at all when told to.

``POST /<registry>/<question>`` with ``{"persons": […]}``, ``{"contract": …}`` or ``{"code": …}``.
``PUT /_control/<registry>`` with ``{"delay": seconds, "down": true}`` sets how a registry behaves
from now on; ``GET /_control`` shows how each does and how often it was asked. For loopback only:
everybody who reaches it may ask and set.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.registries import QUESTIONS, Unknown, answer

_MOST_BYTES = 100_000
_LONGEST_DELAY = 3_600.0
REGISTRIES = tuple(dict.fromkeys(question.partition("/")[0] for question in QUESTIONS))


@dataclass
class Manner:
    """How a registry behaves. ``delay`` in seconds; ``down``: it answers 503; asked: how often."""

    delay: float = 0.0
    down: bool = False
    asked: int = 0
    answered: int = 0


class Registries(ThreadingHTTPServer):
    """All registries of a city on one port.

    Args:
        city: whose they are.
        port: on loopback; 0 takes a free one.
    """

    daemon_threads = True

    def __init__(self, city: City, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.city = city
        self.manners = {name: Manner() for name in REGISTRIES}
        self.ending = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, manner: Manner, *, answered: int = 0) -> None:
        """Note that it was asked, or that it answered."""
        with self._lock:
            manner.asked += 1 - answered
            manner.answered += answered


@contextlib.contextmanager
def registries(city: City, port: int = 0) -> Iterator[Registries]:
    """The registries, answering until the end of the block."""
    with Registries(city, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ending.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Registries

    def do_GET(self) -> None:
        if self.path != "/_control":
            self._say(404, {"title": "not found"})
            return
        shown = {name: vars(manner) for name, manner in self.server.manners.items()}
        self._say(200, {"registries": shown})

    def do_PUT(self) -> None:
        manner = self.server.manners.get(self.path.removeprefix("/_control/"))
        sent = self._sent()
        if manner is None or sent is None:
            self._say(404 if manner is None else 400, {"title": "no such registry or no JSON"})
            return
        delay, down = sent.get("delay", manner.delay), sent.get("down", manner.down)
        fits = isinstance(delay, int | float) and 0 <= delay <= _LONGEST_DELAY
        if not fits or not isinstance(down, bool):
            self._say(422, {"title": "delay is seconds up to an hour, down is true or false"})
            return
        manner.delay, manner.down = float(delay), down
        self._say(200, vars(manner))

    def do_POST(self) -> None:
        question = self.path.strip("/")
        manner = self.server.manners.get(question.partition("/")[0])
        sent = self._sent()
        if manner is None or sent is None:
            self._say(404 if manner is None else 400, {"title": "no such registry or no JSON"})
            return
        self.server.count(manner)
        until = time.monotonic() + manner.delay
        # The delay may be set anew while somebody waits; the end of the server ends all waiting.
        while time.monotonic() < until and not self.server.ending.wait(0.02):
            pass
        if manner.down:
            self._say(503, {"title": "down for now"})
            return
        try:
            said = answer(self.server.city, question, sent)
        except Unknown as error:
            self._say(404, {"title": f"unknown: {error}"})
            return
        self.server.count(manner, answered=1)
        self._say(200, said)

    def _sent(self) -> dict[str, Any] | None:
        try:
            length = int(self.headers.get("Content-Length", "0"))
            if not 0 <= length <= _MOST_BYTES:
                return None
            sent = json.loads(self.rfile.read(length))
        except ValueError:
            return None
        return sent if isinstance(sent, dict) else None

    def _say(self, status: int, body: object) -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        with contextlib.suppress(OSError):  # who asked may have gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_args: object) -> None:
        """What is asked holds numbers of people: nothing of it is logged."""
