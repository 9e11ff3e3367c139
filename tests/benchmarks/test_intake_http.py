"""Usage events through the HTTP API, beside the same events given to the service directly."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from waitress.server import create_server

from control_plane.entrypoints.app import Parts, create_app
from control_plane.settings import Settings
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.surface.api.limits import Limits, Rate
from foundation.surface.runtime import Runtime
from tests.benchmarks.test_rating import ADMIN, events_of_a_day, features
from tests.conftest import SettableClock
from tests.fakes.money_api import FEATURES, Tokens

THREADS = 8
EVENTS = 10_000
HEADERS = {
    "Authorization": "Bearer admin",
    "Content-Type": "application/cloudevents-batch+json",
}


@contextmanager
def _served(app: Any) -> Iterator[str]:
    """The application in waitress, the server that ``borough serve`` uses, in this process."""
    server = create_server(app, host="127.0.0.1", port=0, threads=THREADS)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}/api/v1/usage-events"
    finally:
        server.close()
        thread.join(5)


def test_intake_over_http(database: Database, clock: SettableClock) -> None:
    operations, metering, billing = features(database, clock)
    parts = Parts(
        Runtime(database, clock, SecretBox([b"k" * 32])), Tokens(), (operations, metering, billing)
    )
    unlimited = Limits(Rate(100_000, 100_000), Rate(100_000, 100_000))
    app = create_app(parts, Settings(), features=FEATURES, with_pages=False, rate_limits=unlimited)
    with _served(app) as url:
        for size in (100, 1000):
            direct = _events(f"direct-{size}")
            began = time.perf_counter()
            for first in range(0, EVENTS, size):
                metering.ingest(ADMIN, direct[first : first + size])
            alone = EVENTS / (time.perf_counter() - began)
            sent = _events(f"http-{size}")
            bodies = [json.dumps(sent[n : n + size]) for n in range(0, EVENTS, size)]
            pool = urllib3.PoolManager()
            began = time.perf_counter()
            for body in bodies:
                answer = pool.request("POST", url, body=body, headers=HEADERS)
                assert answer.status == 200, answer.data
            reached = EVENTS / (time.perf_counter() - began)
            accepted = sum(i["outcome"] == "accepted" for i in answer.json()["items"])
            assert accepted == size
            print(
                f"\nbatches of {size:>5,}: {reached:>8,.0f} events/s over HTTP, {alone:>8,.0f} by "
                f"the service alone: HTTP takes {alone / reached:.2f} times as long"
            )


def _events(source: str) -> list[dict[str, Any]]:
    """Events of one hour each, as collectors and applications send them."""
    made = events_of_a_day(EVENTS)
    return [{**event, "source": source} for event in made]
