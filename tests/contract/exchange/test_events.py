"""Events: as described or not taken, in order, at least once, and only what is agreed on."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.kernel.addresses import NetworkPolicy, networks_of
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.contract.exchange.gateway_calls import Answered, Running, gateway
from tests.harness.agreements import in_force
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, person
from tests.harness.exchange_gateway import OTHER_PURPOSE, grant
from tests.harness.exchange_gateway import PURPOSE as CALLED
from tests.harness.exchange_transfers import STEWARD, bearer
from tests.harness.loops import run as run_alone
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.elements import Masking
from workloads.data_exchange.events import subscribing
from workloads.data_exchange.events.cloudevents import BATCHED, STRUCTURED
from workloads.data_exchange.events.model import (
    EVENT_BYTES,
    PAUSES,
    SubscriptionKind,
    SubscriptionState,
)

pytestmark = pytest.mark.usefixtures("agencies")
OFFICER = person("officer", HOUSING)
FIELDS = (Field("id", "/id"), Field("name", "/name", Masking.PARTIAL))
DATASET, SERVICE = "dst_households", "svc_households"


def event(n: int, key: str = "k", **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"e{n}", "source": "/civil", "type": "household.changed",
        "partitionkey": key, "data": {"id": str(n), "name": "somebody"}, **more,
    }  # fmt: skip


@dataclass
class Desk:
    """A gateway, a topic with an agreement on it, its publisher and its consumer."""

    exchange: Exchange
    running: Running
    agreement: str

    async def publish(self, *events: dict[str, Any], token: str = "steward") -> Answered:  # noqa: S107
        return await self.send(json.dumps(events).encode(), {"Content-Type": BATCHED}, token)

    async def send(
        self,
        body: bytes,
        headers: dict[str, str],
        token: str = "steward",  # noqa: S107
    ) -> Answered:
        given = {"Authorization": f"Bearer {token}", **headers}
        return await self.running.send("POST", f"/topics/{SERVICE}/events", given, body)

    def subscribe(self, kind: SubscriptionKind = SubscriptionKind.PULL, **more: Any) -> str:
        return self.exchange.handing.subscriptions.create(
            OFFICER, self.agreement, kind=kind, purpose=_purpose(self.exchange, self.agreement),
            **more,
        ).subscription.id  # fmt: skip

    async def pull(self, name: str, query: str = "?limit=100", **proof: Any) -> Answered:
        return await self.running.call(f"/subscriptions/{name}/events{query}", **proof)

    async def ack(self, name: str, token: str) -> Answered:
        body = json.dumps({"token": token}).encode()
        return await self.running.call(f"/subscriptions/{name}/acks", method="POST", body=body)


def _purpose(exchange: Exchange, agreement: str) -> str:
    contracts = exchange.agreeing.agreements
    return next(iter(contracts.terms(contracts.version(SYSTEM, agreement)).purposes))


@contextlib.asynccontextmanager
async def desk(exchange: Exchange, *, partitions: int = 4, **changes: Any) -> AsyncIterator[Desk]:
    agreement = in_force(exchange).agreement
    topics = exchange.handing.topics
    topics.create(STEWARD, dataset=DATASET, service=SERVICE, partitions=partitions,
                  retention_days=7, bytes_max=64 * EVENT_BYTES)  # fmt: skip
    reach = NetworkPolicy(networks_of("127.0.0.0/8", "test"))
    fronts = replace(exchange.handing, bearer=bearer, reach=reach).fronts()
    purposes = frozenset({CALLED, _purpose(exchange, agreement)})
    given = {"agreement": agreement, "fields": FIELDS, "purposes": purposes, **changes}
    async with gateway(exchange, more=fronts, **given) as running:
        running.token = grant(agreement=agreement)
        yield Desk(exchange, running, agreement)


def play(
    exchange: Exchange, story: Callable[[Desk], Coroutine[Any, Any, None]], **more: Any
) -> None:
    async def run() -> None:
        async with desk(exchange, **more) as there:
            await story(there)

    run_alone(run())


def told(exchange: Exchange) -> list[dict[str, Any]]:
    with exchange.base.database.transaction():
        query = sa.text("SELECT body FROM exchange_receipt ORDER BY at, number")
        return [json.loads(row.body) for row in exchange.base.database.execute(query)]


def test_events_are_published_pulled_and_acknowledged(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        sent = await there.publish(*(event(n, key=f"k{n % 3}") for n in range(9)))
        assert sent.json == {"taken": 9, "known": 0}
        assert (await there.publish(event(3), event(9))).json == {"taken": 1, "known": 1}
        got = await there.pull(name)
        assert got.headers["content-type"] == BATCHED
        assert [one["data"] for one in got.json if one["id"] == "e1"] == [
            {"id": "1", "name": "s****y"}
        ]
        assert "partitionkey" not in got.json[0]
        for key in range(3):
            of_key = [
                one["id"] for one in got.json if int(one["id"][1:]) % 3 == key and one["id"] != "e9"
            ]
            assert of_key == [f"e{n}" for n in range(key, 9, 3)]
        again = await there.pull(name)
        assert again.json == got.json
        token = got.headers["exchange-token"]
        assert (await there.ack(name, token)).json == {"lag": 0}
        assert (await there.ack(name, token)).json == {"lag": 0}
        assert (await there.pull(name)).json == []

    play(exchange, story)
    exchange.receipts.sign_checkpoint()
    now = exchange.base.clock.now()
    lines = exchange.usage.lines(
        SYSTEM, now - timedelta(days=50), now + timedelta(days=49), PageRequest()
    ).items
    counted = {one.dimensions["interface"]: one.quantity for one in lines}
    assert counted["event"] == 20
    assert {one["rows"] for one in told(exchange) if "events" in one["decisions"]} == {10, 0}


def test_structured_and_binary_modes(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        one = json.dumps(event(1, subject="读", time="2026-11-01T08:00:00.5+08:00")).encode()
        assert (
            await there.send(one, {"Content-Type": f"{STRUCTURED}; charset=utf-8"})
        ).status == 200
        headers = {
            "Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "b%20%E8%AF%BB",
            "ce-source": "/civil", "ce-type": "household.changed",
        }  # fmt: skip
        answer = await there.send(b'{"id":"2"}', headers)
        assert answer.status == 200, answer.body
        ids = {one["id"] for one in (await there.pull(name)).json}
        assert ids == {"e1", "b 读"}

    play(exchange, story)


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"specversion": "0.3"}, "specversion"), ({"id": ""}, "id"), ({"source": "a b"}, "source"),
    ({"type": None}, "type"), ({"dataschema": "relative"}, "dataschema"),
    ({"time": "yesterday"}, "time"), ({"time": "2026-13-01T00:00:00Z"}, "time"),
    ({"Upper": "x"}, "Upper"), ({"a_b": "x"}, "a_b"), ({"ext": {"a": 1}}, "ext"),
    ({"ext": 2**31}, "ext"), ({"ext": 1.5}, "ext"), ({"ext": "a\x00"}, "ext"),
    ({"sequence": "1"}, "sequence"), ({"data": "text"}, "data"),
    ({"data_base64": "AA=="}, "data_base64"),
    ({"datacontenttype": "text/xml"}, "datacontenttype"), ({"data": {"other": 1}}, "data"),
    ({"data": {"id": 5}}, "data.id"), ({"subject": ""}, "subject"),
)  # fmt: skip


def test_what_is_not_as_described_is_not_taken(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        for change, field_ in WRONG:
            answer = await there.send(
                json.dumps({**event(1), **change}).encode(), {"Content-Type": STRUCTURED}
            )
            assert answer.status == 422, change
            assert field_ in {one["field"] for one in answer.json["errors"]}, change
            assert b"somebody" not in answer.body
        mixed = await there.publish(event(1), event(2, type=""))
        assert {one["field"] for one in mixed.json["errors"]} == {"1.type"}
        for body in (b"", b"{", b"[1]", b'{"id":1,"id":2}', b"[" * 500):
            assert (await there.send(body, {"Content-Type": STRUCTURED})).status == 422
        assert (await there.send(b"{}", {"Content-Type": "text/plain"})).status == 415
        big = event(1, data={"id": "x" * (EVENT_BYTES + 1)})
        assert (await there.publish(big)).status == 422
        assert (await there.publish(event(1), token="none")).status == 401
        assert (await there.publish(event(1), token="other")).status == 404
        assert exchange.handing.topics.heads() == {SERVICE: 0}

    play(exchange, story)


def test_a_batch_is_taken_whole_or_not_at_all(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        wrong: list[Any] = [
            event(0), event(1, type="", Upper="x"), event(2, data={"id": 5, "more": 1}), "text",
            event(4), event(5, **{f"a{n}": "x" for n in range(101)}),
        ]  # fmt: skip
        answer = await there.publish(*wrong)
        assert answer.status == 422
        fields = {one["field"] for one in answer.json["errors"]}
        # Attributes and data of every wrong one, and none of the good ones.
        assert fields == {"1.type", "1.Upper", "2.data", "2.data.id", "3", "5"}
        assert answer.json["wrong"] == len(answer.json["errors"])
        # A batch of one is a batch.
        for change, field_ in (({"type": ""}, "0.type"), ({"data": {"id": 5}}, "0.data.id")):
            answer = await there.publish(event(1, **change))
            assert [one["field"] for one in answer.json["errors"]][:1] == [field_]
        assert (await there.publish(*(event(n) for n in range(1001)))).status == 422
        assert (await there.publish(event(1, data={"id": "x" * 2_000_000}))).status == 413
        packed = await there.send(b"[]", {"Content-Type": BATCHED, "Content-Encoding": "gzip"})
        assert packed.status == 415
        assert (await there.publish()).json == {"taken": 0, "known": 0}
        # A full topic takes no part of one either.
        large = [event(n, data={"id": "1", "name": "x" * 100_000}) for n in range(3)]
        exchange.handing.topics.revise(STEWARD, SERVICE, retention_days=1, bytes_max=EVENT_BYTES)
        assert (await there.publish(*large)).code == "full"
        assert exchange.handing.topics.heads() == {SERVICE: 0}
        assert (await there.pull(name)).json == []
        # The same twice in one is one, and all of it again is nothing new.
        both = [event(1), event(2), event(1)]
        assert (await there.publish(*both)).json == {"taken": 2, "known": 0}
        assert (await there.publish(*both)).json == {"taken": 0, "known": 2}
        assert [one["id"] for one in (await there.pull(name)).json] == ["e1", "e2"]

    play(exchange, story, partitions=1)


def test_terms_are_kept(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        await there.publish(event(1), event(2), event(3))
        got = await there.pull(name)
        assert [one["id"] for one in got.json] == ["e2", "e3"]
        wrong = await there.pull(name, purpose=OTHER_PURPOSE)
        assert (wrong.status, wrong.code) == (403, "purpose")
        assert (await there.pull(name, token=grant(agreement="agr_other"))).status == 403
        used = await there.pull(name)
        assert (used.status, used.code) == (403, "count")
        held = there.running.told.terms[there.agreement]
        there.running.told.terms[there.agreement] = replace(held, revoked_at=held.begins)
        await asyncio.sleep(1.3)
        assert (await there.pull(name)).code == "term"

    rows = (RowFilter("/id", Operator.NEQ, ("1",)),)
    play(exchange, story, rows=rows, limits=Limits(rows=3))


def test_a_revocation_ends_a_wait(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        waiting = asyncio.create_task(there.pull(name, "?wait=15"))
        await asyncio.sleep(0.5)
        held = there.running.told.terms[there.agreement]
        there.running.told.terms[there.agreement] = replace(held, revoked_at=held.begins)
        assert (await asyncio.wait_for(waiting, 6)).code == "term"

    play(exchange, story)


def test_a_wait_ends_with_the_next_event(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        waiting = asyncio.create_task(there.pull(name, "?limit=5&wait=20"))
        await asyncio.sleep(0.5)
        await there.publish(event(1))
        assert [one["id"] for one in (await asyncio.wait_for(waiting, 5)).json] == ["e1"]
        assert (await there.pull(name, "?limit=5&wait=1")).status == 200

    play(exchange, story)


def test_replay(exchange: Exchange, clock: SettableClock) -> None:
    async def story(there: Desk) -> None:
        subscriptions = exchange.handing.subscriptions
        name = there.subscribe()
        await there.publish(event(1), event(2))
        between = clock.advance(hours=1)
        clock.advance(hours=1)
        await there.publish(event(3), event(4))
        token = (await there.pull(name)).headers["exchange-token"]
        await there.ack(name, token)
        subscriptions.seek(OFFICER, name, since=between)
        assert [one["id"] for one in (await there.pull(name)).json] == ["e3", "e4"]
        late = await there.ack(name, token)
        assert (late.status, late.code) == (409, "moved")
        cursor = next(one for one in subscriptions.cursors(OFFICER, name) if one.acked)
        subscriptions.seek(OFFICER, name, positions={cursor.partition: 1})
        got = await there.pull(name)
        assert [one["id"] for one in got.json] == ["e2", "e3", "e4"]
        for token in ("", "1", "9;0=1", "2;0=999999", "2;99=1", "x" * 4000):
            assert (await there.ack(name, token)).status in {400, 409}, token
        with pytest.raises(Invalid):
            subscriptions.seek(OFFICER, name, positions={cursor.partition: 99})
        with pytest.raises(Forbidden):
            subscriptions.seek(STEWARD, name, since=between)
        with pytest.raises(NotFound):
            subscriptions.seek(person("officer", TAX), name, since=between)

    play(exchange, story)


def test_retention_and_back_pressure(exchange: Exchange, clock: SettableClock) -> None:
    async def story(there: Desk) -> None:
        name, topics = there.subscribe(), exchange.handing.topics
        topics.revise(STEWARD, SERVICE, retention_days=1, bytes_max=EVENT_BYTES)
        large = {"data": {"id": "1", "name": "x" * 100_000}}
        assert (await there.publish(event(1, **large), event(2, **large))).status == 200
        full = await there.publish(event(3, **large))
        assert (full.status, full.code, full.headers["retry-after"]) == (429, "full", "30")
        clock.advance(days=2)
        assert topics.forget() == 2
        assert (await there.publish(event(3))).status == 200
        assert [one["id"] for one in (await there.pull(name)).json] == ["e3"]
        assert exchange.handing.subscriptions.subscription(OFFICER, name).missed == 2

    play(exchange, story, partitions=1)


@dataclass
class Hook:
    """A web-hook that answers as it is told."""

    status: Callable[[dict[str, Any]], int] = lambda _event: 204
    got: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Hook"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=1"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                assert head[0] == "POST /hook?a=1 HTTP/1.1"
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers["content-length"]))
                one = json.loads(body)
                status = self.status(one)
                if status < 300:
                    self.got.append(one)
                self.headers.append(headers)
                self.bodies.append(body)
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


async def until(check: Callable[[], bool], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not check():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)


@pytest.fixture
def lets_local(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets web-hooks of tests lie on this machine."""
    subscriptions = exchange.handing.subscriptions
    parts = replace(subscriptions._parts, check_url=lambda _url, _name: None)  # noqa: SLF001
    monkeypatch.setattr(subscriptions, "_parts", parts)


@pytest.mark.usefixtures("lets_local")
def test_web_hooks_are_told_in_order_signed_and_with_receipts(exchange: Exchange) -> None:
    made: list[Any] = []

    async def story(there: Desk) -> None:
        async with Hook().running() as hook:
            made.append(exchange.handing.subscriptions.create(
                OFFICER, there.agreement, kind=SubscriptionKind.PUSH,
                purpose=_purpose(exchange, there.agreement), url=hook.url,
            ))  # fmt: skip
            await there.publish(*(event(n, key=f"k{n % 2}") for n in range(8)))
            await until(lambda: len(hook.got) == 8)
            for key in range(2):
                of_key = [one["id"] for one in hook.got if int(one["id"][1:]) % 2 == key]
                assert of_key == [f"e{n}" for n in range(key, 8, 2)]
            assert hook.got[0]["data"]["name"] == "s****y"
            secret = base64.b64decode(made[0].secret.removeprefix("whsec_"))
            for headers, body in zip(hook.headers, hook.bodies, strict=True):
                signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
                right = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
                assert headers["webhook-signature"] == f"v1,{right.decode()}"
            await until(lambda: _lag(exchange, made[0].subscription.id) == 0)

    play(exchange, story)
    said = [one for one in told(exchange) if one["kind"] == "ended"]
    assert [one["status"] for one in said] == [200] * 8
    assert made[0].secret not in json.dumps(told(exchange))


def _attempts(exchange: Exchange, name: str) -> int:
    return max(one.attempts for one in exchange.handing.subscriptions.cursors(OFFICER, name))


def _lag(exchange: Exchange, name: str) -> int:
    return exchange.handing.subscriptions.subscription(OFFICER, name).lag


@pytest.mark.usefixtures("lets_local")
def test_dead_letters_keep_the_order_of_their_key(exchange: Exchange, clock: SettableClock) -> None:
    async def story(there: Desk) -> None:
        sick = {"now": True}
        hook = Hook(status=lambda one: 500 if one["id"] == "e1" and sick["now"] else 200)
        async with hook.running():
            subscriptions = exchange.handing.subscriptions
            name = there.subscribe(SubscriptionKind.PUSH, url=hook.url)
            await there.publish(event(0, "a"), event(1, "a"), event(2, "b"), event(3, "a"))
            for n in range(len(PAUSES) + 1):
                await until(lambda n=n: len([b for b in hook.bodies if b'"e1"' in b]) == n + 1)
                if n < len(PAUSES):
                    assert [one["id"] for one in hook.got] == ["e0"]
                    # Only what is noted has a time at which it is due.
                    await until(lambda n=n: _attempts(exchange, name) == n + 1)
                clock.advance(seconds=700)
            await until(lambda: _lag(exchange, name) == 0)
            assert [one["id"] for one in hook.got] == ["e0", "e2"]
            letters = subscriptions.letters(OFFICER, name, PageRequest()).items
            assert [one.event for one in letters] == ["e1", "e3"]
            assert letters[0].cause == "it answered 500"
            with pytest.raises(Conflict):
                subscriptions.replay(OFFICER, name, letters[1].id)
            with pytest.raises(NotFound):
                subscriptions.replay(OFFICER, name, "0-999")
            with pytest.raises(Forbidden):
                subscriptions.drop(STEWARD, name, letters[0].id)
            sick["now"] = False
            for letter in letters:
                subscriptions.replay(OFFICER, name, letter.id)
            await until(lambda: len(hook.got) == 4)
            assert [one["id"] for one in hook.got] == ["e0", "e2", "e1", "e3"]
            await until(lambda: not subscriptions.letters(OFFICER, name, PageRequest()).items)

    play(exchange, story, partitions=1)


@pytest.mark.usefixtures("lets_local")
def test_a_gateway_that_lost_a_partition_notes_nothing(
    exchange: Exchange, clock: SettableClock
) -> None:
    agreement, topics = in_force(exchange).agreement, exchange.handing.topics
    subscriptions = exchange.handing.subscriptions
    topics.create(STEWARD, dataset=DATASET, service=SERVICE, partitions=1, retention_days=7,
                  bytes_max=EVENT_BYTES)  # fmt: skip
    name = subscriptions.create(
        OFFICER, agreement, kind=SubscriptionKind.PUSH, purpose=_purpose(exchange, agreement),
        url="https://hook.example/",
    ).subscription.id  # fmt: skip
    body = json.dumps(event(1)).encode()
    topics.publish(STEWARD, SERVICE, {"content-type": STRUCTURED}, body)
    ((there, one),) = subscriptions.claim()
    assert subscriptions.claim() == []
    clock.advance(seconds=30)
    ((_, two),) = subscriptions.claim()
    kept = subscriptions.next(there, one, 1)[1][0]
    assert not subscriptions.hold(one)
    assert not subscriptions.delivered(one, kept)
    assert not subscriptions.failed(one, kept, 99, "late")
    assert subscriptions.hold(two)
    subscriptions.change(OFFICER, name, SubscriptionState.PAUSED)
    assert not subscriptions.hold(two)
    subscriptions.change(OFFICER, name, SubscriptionState.ACTIVE)
    assert subscriptions.delivered(two, kept)
    subscriptions.seek(OFFICER, name, since=kept.at)
    assert not subscriptions.delivered(two, kept)
    assert _lag(exchange, name) == 1


URLS = (
    "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/x",
    "https://localhost/", "https://10.0.0.1:22/", "ftp://example.com/", "https://", "", "https://0/",
    "https://2130706433/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
)  # fmt: skip


def test_addresses_of_web_hooks_and_who_subscribes(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(there: Desk) -> None:
        await asyncio.sleep(0)
        subscriptions = exchange.handing.subscriptions
        for url in URLS:
            with pytest.raises(Invalid) as caught:
                there.subscribe(SubscriptionKind.PUSH, url=url)
            assert {one.field for one in caught.value.problems} == {"url"}, url
        with pytest.raises(Invalid):
            there.subscribe(SubscriptionKind.PULL, url="https://example.com/")
        with pytest.raises(Invalid):
            subscriptions.create(
                OFFICER, there.agreement, kind=SubscriptionKind.PULL, purpose="dpv:Marketing"
            )
        with pytest.raises(Forbidden):
            subscriptions.create(STEWARD, there.agreement, kind=SubscriptionKind.PULL, purpose="x")
        with pytest.raises(Conflict):
            exchange.handing.topics.create(
                STEWARD, dataset=DATASET, service=SERVICE, partitions=1, retention_days=1,
                bytes_max=EVENT_BYTES,
            )  # fmt: skip
        with pytest.raises(Invalid) as caught:
            exchange.handing.topics.create(
                STEWARD, dataset=DATASET, service=SERVICE, partitions=0, retention_days=0,
                bytes_max=1,
            )  # fmt: skip
        assert {one.field for one in caught.value.problems} == {
            "partitions",
            "retention_days",
            "bytes_max",
        }
        ended = there.subscribe()
        monkeypatch.setattr(subscribing, "SUBSCRIPTIONS_MAX", 2)
        there.subscribe()
        with pytest.raises(QuotaExceeded):
            there.subscribe()
        subscriptions.change(OFFICER, ended, SubscriptionState.ENDED)
        with pytest.raises(Conflict):
            subscriptions.change(OFFICER, ended, SubscriptionState.ACTIVE)
        assert (await there.pull(ended)).status == 404

    play(exchange, story)


@pytest.mark.rehearsal
def test_publishing_is_safe_with_many_at_once(exchange: Exchange) -> None:
    async def story(there: Desk) -> None:
        name = there.subscribe()
        sent = [
            there.publish(*(event(n * 10 + m, key=f"k{m}") for m in range(10))) for n in range(8)
        ]
        assert {one.status for one in await asyncio.gather(*sent)} == {200}
        got = (await there.pull(name, "?limit=1000")).json
        assert len(got) == 80
        assert CIVIL not in json.dumps(got)

    play(exchange, story)
