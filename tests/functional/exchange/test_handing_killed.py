"""Batches and events while gateways are killed at each of their steps: nothing is lost or out of
order, and nothing is handed out without a receipt.

Sender, gateway and consumer are one process that is killed; what came out of it lies in files. Then
the same work is done to its end, as whoever comes back would do it.
"""

import asyncio
import hashlib
import http.server
import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.contract.exchange.gateway_calls import Running, gateway
from tests.fakes.catalogue import FakeCatalogue, households
from tests.harness.agreements import in_force
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, exchange_database, furnish, person
from tests.harness.exchange_gateway import PURPOSE, grant
from tests.harness.exchange_transfers import STEWARD, Post, bearer, digest
from tests.harness.killing import Fatal, killed, label_of
from workloads.data_exchange.agreements.terms import Field
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.events.cloudevents import BATCHED
from workloads.data_exchange.events.delivering import Delivering
from workloads.data_exchange.events.model import EVENT_BYTES, SubscriptionKind
from workloads.data_exchange.events.service import Topics
from workloads.data_exchange.events.store import PostgresEvents
from workloads.data_exchange.events.subscribing import Subscriptions
from workloads.data_exchange.gateway.entrance import Entrance
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.settings import Settings
from workloads.data_exchange.transfers.checking import Checking, Reading
from workloads.data_exchange.transfers.folder import FolderStore
from workloads.data_exchange.transfers.model import SEGMENT_BYTES, BatchState
from workloads.data_exchange.transfers.service import Batches
from workloads.data_exchange.transfers.uploads import Uploads

pytestmark = pytest.mark.rehearsal
OFFICER = person("officer", HOUSING)
TOPIC = "svc_households"
DATA = hashlib.shake_256(b"killed").digest(SEGMENT_BYTES + 1000)
_BATCH_STEPS: tuple[tuple[Any, str, int], ...] = (
    (Uploads, "create", 1), (Uploads, "begin", 1), (FolderStore, "put", 2), (Uploads, "append", 2),
    (Batches, "seal", 1), (Checking, "digest", 1), (Checking, "publish", 1), (Reading, "read", 2),
    (Entrance, "write", 2),
)  # fmt: skip
_EVENT_STEPS: tuple[tuple[Any, str, int], ...] = (
    (Topics, "publish", 1), (PostgresEvents, "append", 1),
    (Subscriptions, "pull", 1), (Subscriptions, "acknowledge", 1),
    (Subscriptions, "claim", 1), (Subscriptions, "next", 1), (Subscriptions, "hold", 1),
    (Subscriptions, "delivered", 1), (Subscriptions, "failed", 1), (Entrance, "write", 3),
    (Delivering, "_posted", 1), (Delivering, "_posted", 2), (Subscriptions, "release", 1),
)  # fmt: skip


@dataclass(frozen=True)
class Ahead:
    """The machine's clock, so much later: what was leased to who was killed is free again."""

    delta: timedelta

    def now(self) -> datetime:
        return SystemClock().now() + self.delta


@dataclass
class City:
    """A database, the address of an agreement, and where what came out is noted."""

    url: str
    home: Path
    agreement: str = ""
    hook: str = ""
    pulling: str = ""
    pushing: str = ""

    def opened(self, delta: timedelta = timedelta()) -> Any:
        settings = Settings(home=self.home, database_url=self.url, local_providers=True)
        catalogue = FakeCatalogue(households(CIVIL))
        return open_exchange(settings, upgrade=False, clock=Ahead(delta), catalogue=catalogue)

    def serving(self, exchange: Exchange) -> Any:
        fronts = replace(exchange.handing, bearer=bearer).fronts()
        fields = (Field("id", "/id"), Field("name", "/name"))
        return gateway(
            exchange, more=fronts, agreement=self.agreement, consumer=HOUSING, provider=None,
            fields=fields, purposes=frozenset({PURPOSE, self.purpose(exchange)}),
        )  # fmt: skip

    def purpose(self, exchange: Exchange) -> str:
        contracts = exchange.agreeing.agreements
        version = contracts.version(SYSTEM, self.agreement)
        return next(iter(contracts.terms(version).purposes))

    def note(self, name: str, text: str) -> None:
        with (self.home / name).open("a") as file:
            file.write(text + "\n")

    def noted(self, name: str) -> list[str]:
        file = self.home / name
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def city(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[City]:
    with exchange_database(postgres) as url:
        made = City(url, tmp_path)
        with made.opened() as exchange:
            furnish(exchange)
            made.agreement = in_force(exchange).agreement
        yield made


def run(
    city: City, steps: tuple[tuple[Any, str, int], ...], fatal: Fatal, delta: timedelta,
    story: Callable[[Exchange, Running], Any],
) -> None:  # fmt: skip
    """A story with a gateway of its own, in a child."""

    async def play(exchange: Exchange) -> None:
        async with city.serving(exchange) as running:
            running.token = grant(agreement=city.agreement)
            held = running.told.terms[city.agreement]
            running.told.terms[city.agreement] = replace(held, provider=CIVIL)
            async with asyncio.timeout(300):
                await story(exchange, running)

    for owner, name in dict.fromkeys((owner, name) for owner, name, _ in steps):
        fatal.around(owner, name)
    with city.opened(delta) as exchange:
        asyncio.run(play(exchange))


def steps_of(steps: tuple[tuple[Any, str, int], ...]) -> Iterator[tuple[str, int]]:
    for owner, name, time in steps:
        for when in ("before", "after"):
            yield f"{when} {label_of(owner, name)}", time


def test_a_batch_survives_each_kill(city: City) -> None:
    for step, time in steps_of(_BATCH_STEPS):
        with city.opened() as exchange:
            batch = exchange.handing.batches.create(STEWARD, city.agreement, title=step, days=7).id

        def send(fatal: Fatal, batch: str = batch) -> None:
            async def story(exchange: Exchange, running: Running) -> None:
                await _sent(Post(exchange, running, city.agreement), batch)

            run(city, _BATCH_STEPS, fatal, timedelta(), story)

        assert killed(send, step, time), step
        assert not killed(send), step
        with city.opened() as exchange:
            found = exchange.handing.batches.batch(SYSTEM, batch)
            assert (found.state, found.files) == (BatchState.PUBLISHED, 1), step
    with city.opened() as exchange:
        _proven(exchange, city)


async def _sent(there: Post, batch: str) -> None:
    """Send, seal, check, publish and fetch a batch, from where it stands on."""
    batches = there.exchange.handing.batches
    if batches.batch(SYSTEM, batch).state is BatchState.OPEN:
        known = batches.listing(batch)
        if known:
            where = f"/uploads/{known[0].id}"
        else:
            where = (await there.announce(batch, "a.bin", len(DATA))).headers["location"]
        at = int((await there.tus("HEAD", where)).headers["upload-offset"])
        assert at in {0, SEGMENT_BYTES, len(DATA)}
        if at < len(DATA):
            sent = await there.tus("PATCH", where, {"Upload-Offset": f"{at}"}, DATA[at:])
            assert sent.headers["upload-offset"] == f"{len(DATA)}", sent.body
        listed = [{"name": "a.bin", "size": len(DATA), "digest": digest(DATA)}]
        batches.seal(STEWARD, batch, files=listed)
    if batches.batch(SYSTEM, batch).state is not BatchState.PUBLISHED:
        await asyncio.to_thread(there.check, batch)
    (file,) = batches.listing(batch)
    got = await there.get(f"/batches/{batch}/files/{file.id}")
    assert got.body == DATA


def test_events_survive_each_kill(city: City) -> None:
    with city.opened() as exchange:
        exchange.handing.topics.create(
            STEWARD, dataset="dst_households", service=TOPIC, partitions=2, retention_days=7,
            bytes_max=200 * EVENT_BYTES,
        )  # fmt: skip
        server = http.server.HTTPServer(("127.0.0.1", 0), _hook(city))
        process = multiprocessing.get_context("fork").Process(target=server.serve_forever)
        process.start()
        try:
            _subscribe(exchange, city, f"http://127.0.0.1:{server.server_port}/hook")
            published = _killed_each(city)
        finally:
            process.kill()
            process.join()
            server.server_close()
        _proven(exchange, city)
        for name in ("pulled", "pushed"):
            told = [json.loads(line)["id"] for line in city.noted(name)]
            assert set(told) == set(published), name
            # Twice, when a kill came between; in their order the first time that they come.
            first = list(dict.fromkeys(told))
            for key in (0, 1):
                of_key = [one for one in first if int(one.split("-")[1]) % 2 == key]
                assert of_key == [one for one in published if one in set(of_key)], name
        _written(exchange, city)


def _killed_each(city: City) -> list[str]:
    """Publish four events at a time, each time with another kill; answers what was published."""
    published: list[str] = []
    for number, (step, time) in enumerate(steps_of(_EVENT_STEPS)):
        ids = [f"{number}-{n}" for n in range(4)]

        def work(fatal: Fatal, ids: list[str] = ids, number: int = number) -> None:
            async def story(exchange: Exchange, running: Running) -> None:
                await _exchanged(city, exchange, running, ids)

            # A lease is 20 s, and an attempt that failed is made again after one.
            run(city, _EVENT_STEPS, fatal, timedelta(seconds=40 * (2 * number + 1)), story)

        def again(fatal: Fatal, ids: list[str] = ids, number: int = number) -> None:
            async def story(exchange: Exchange, running: Running) -> None:
                await _exchanged(city, exchange, running, ids)

            run(city, _EVENT_STEPS, fatal, timedelta(seconds=40 * (2 * number + 2)), story)

        assert killed(work, step, time), step
        assert not killed(again), step
        published += ids
    return published


async def _exchanged(city: City, exchange: Exchange, running: Running, ids: list[str]) -> None:
    """Publish, pull and acknowledge until both subscriptions have all."""
    events = [
        {"specversion": "1.0", "id": one, "source": "/civil", "type": "household.changed",
         "partitionkey": f"k{int(one.split('-')[1]) % 2}", "data": {"id": one, "name": "x"}}
        for one in ids
    ]  # fmt: skip
    headers = {"Authorization": "Bearer steward", "Content-Type": BATCHED}
    sent = await running.send(
        "POST", f"/topics/{TOPIC}/events", headers, json.dumps(events).encode()
    )
    # All of a batch was kept before the kill, or nothing.
    assert sent.json in ({"taken": 4, "known": 0}, {"taken": 0, "known": 4})
    while True:
        got = await running.call(f"/subscriptions/{city.pulling}/events?limit=100")
        for one in got.json:
            city.note("pulled", json.dumps(one))
        if got.json:
            body = json.dumps({"token": got.headers["exchange-token"]}).encode()
            acks = f"/subscriptions/{city.pulling}/acks"
            assert (await running.call(acks, method="POST", body=body)).status == 200
        pushed = exchange.handing.subscriptions.subscription(SYSTEM, city.pushing)
        if not got.json and pushed.lag == 0:
            await asyncio.sleep(0.2)  # a partition that is done is let go
            return
        await asyncio.sleep(0.1)


def _subscribe(exchange: Exchange, city: City, url: str) -> None:
    purpose = city.purpose(exchange)
    make = exchange.handing.subscriptions.create
    pull = make(OFFICER, city.agreement, kind=SubscriptionKind.PULL, purpose=purpose)
    push = make(OFFICER, city.agreement, kind=SubscriptionKind.PUSH, purpose=purpose, url=url)
    city.pulling, city.pushing = pull.subscription.id, push.subscription.id


def _hook(city: City) -> type[http.server.BaseHTTPRequestHandler]:
    failed: set[str] = set()

    class Hook(http.server.BaseHTTPRequestHandler):
        """Notes what it gets; each last event of four it takes the second time."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            event = json.loads(body)["id"]
            good = not event.endswith("-3") or event in failed
            failed.add(event)
            if good:
                city.note("pushed", body)
            self.send_response(204 if good else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    return Hook


def _receipts(exchange: Exchange) -> list[dict[str, Any]]:
    with exchange.base.database.transaction():
        query = sa.text("SELECT body FROM exchange_receipt")
        return [json.loads(row.body) for row in exchange.base.database.execute(query)]


def _written(exchange: Exchange, city: City) -> None:
    """Whatever arrived at the web-hook was written down, by its digest."""
    told = {one["answer"] for one in _receipts(exchange) if one["kind"] == "begun"}
    assert {digest(line.encode()) for line in city.noted("pushed")} <= told


def _proven(exchange: Exchange, city: City) -> None:
    """The chains of all who were killed are whole."""
    while exchange.receipts.sign_checkpoint() is not None:
        pass
    report = verify(exchange.receipts.export(SYSTEM, city.agreement))
    assert report.problems == []
    assert report.proven == report.receipts > 0
