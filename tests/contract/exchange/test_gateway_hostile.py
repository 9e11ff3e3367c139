"""The gateway among strangers: forged rights, broken requests, and providers that lie."""

import asyncio
import base64
import contextlib
import gzip
import hmac
import json
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.adapters.clock import SystemClock
from tests.contract.exchange.gateway_calls import Running, gateway, read_answer
from tests.harness.exchange_gateway import CONSUMER, EXCHANGE, SERVICE, grant, signed
from tests.harness.loops import run as run_alone
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, encoded

pytestmark = pytest.mark.usefixtures("agencies")
THIEF = PrivateKey(bytes(32))
TARGET = f"/services/{SERVICE}/people?a=1"
Story = Callable[[Running], Coroutine[Any, Any, None]]


def play(exchange: Exchange, story: Story, **changes: Any) -> None:
    async def run() -> None:
        async with gateway(exchange, **changes) as running:
            await story(running)

    run_alone(run())


def receipts(exchange: Exchange) -> int:
    with exchange.base.database.transaction():
        query = sa.text("SELECT count(*) FROM exchange_receipt")
        return int(exchange.base.database.execute(query).scalar_one())


def unsigned() -> str:
    """A grant with alg none."""
    _, payload, _ = grant().split(".")
    header = encoded(json.dumps({"alg": "none", "typ": "at+jwt", "kid": EXCHANGE.kid}).encode())
    return f"{header}.{payload}."


def by_public_key() -> str:
    """A grant with a MAC whose secret is what everybody knows: the exchange's public key."""
    _, payload, _ = grant().split(".")
    header = {"alg": "HS256", "typ": "at+jwt", "kid": EXCHANGE.kid}
    told = f"{encoded(json.dumps(header).encode())}.{payload}"
    made = hmac.digest(EXCHANGE.public.x, told.encode(), "sha256")
    return f"{told}.{encoded(made)}"


def twice() -> str:
    """A grant whose claims say who it is for twice; the exchange signed that."""
    header, _, _ = grant().split(".")
    claims = base64.urlsafe_b64decode(grant().split(".")[1] + "==").decode()
    more = claims[:-1] + ',"sub":"/city/tax/"}'
    told = f"{header}.{encoded(more.encode())}"
    return f"{told}.{encoded(EXCHANGE.sign(told.encode()))}"


def own_jwk() -> str:
    """A grant that brings its own key along."""
    _, payload, _ = grant().split(".")
    header = encoded(
        json.dumps(
            {"alg": "EdDSA", "typ": "at+jwt", "kid": THIEF.kid, "jwk": THIEF.public.jwk()}
        ).encode()
    )
    signature = encoded(THIEF.sign(f"{header}.{payload}".encode()))
    return f"{header}.{payload}.{signature}"


NOW = int(SystemClock().now().timestamp())
GRANTS: dict[str, Callable[[], str]] = {
    "forged": lambda: grant(key=THIEF),
    "alg none": unsigned,
    "its own key": own_jwk,
    "HS256 by the public key": by_public_key,
    "a claim twice": twice,
    "changed": lambda: grant()[:-20] + "A" * 20,
    "ended": lambda: grant(iat=NOW - 700, exp=NOW - 100),
    "of the future": lambda: grant(iat=NOW + 1000, exp=NOW + 1100),
    "for years": lambda: grant(exp=NOW + 10**8),
    "without an end": lambda: grant(exp="never"),
    "for another audience": lambda: grant(aud="somebody"),
    "of another issuer": lambda: grant(iss="https://evil.test"),
    "of another type": lambda: grant(typ="JWT"),
    "without a key": lambda: grant(cnf={}),
    "without an agreement": lambda: grant(agreement=None),
    "huge": lambda: grant(padding="x" * 5000),
    "not one": lambda: "x.y.z",
    "empty": lambda: "",
}  # fmt: skip


def test_a_grant_that_is_none_is_refused(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for name, make in GRANTS.items():
            answer = await one.send("GET", TARGET, signed(one.url, TARGET, make()))
            assert (answer.status, answer.code) == (401, "grant"), name
            assert answer.headers["www-authenticate"].startswith("DPoP error=")
        assert one.provider.asked == []

    play(exchange, story)
    assert receipts(exchange) == 0


def test_a_proof_is_for_its_key_and_its_request_alone(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        async def refused(headers: dict[str, str], target: str = TARGET, method: str = "GET",
                          body: bytes = b"") -> None:  # fmt: skip
            answer = await one.send(method, target, headers, body)
            assert (answer.status, answer.code) == (401, "proof"), headers

        good = signed(one.url, TARGET, one.token)
        bearer = {"Authorization": f"Bearer {one.token}", "DPoP": good["DPoP"]}
        assert (await one.send("GET", TARGET, bearer)).code == "grant"
        # Another's key; another address, query, method, grant, body; another server.
        await refused(signed(one.url, TARGET, one.token, key=THIEF))
        await refused(good, target=TARGET + "1")
        await refused(good, target=f"/services/{SERVICE}/people/1?a=1")
        await refused(good, method="DELETE")
        await refused({**good, "Authorization": f"DPoP {grant(sub='/city/tax/')}"})
        await refused(good, body=b"{}")
        await refused(signed("http://elsewhere.test", TARGET, one.token))
        await refused(signed(one.url, TARGET, one.token, body=b"{}"), body=b"[]")
        # Not now.
        for off in (-120, 120):
            at = SystemClock().now() + timedelta(seconds=off)
            await refused(signed(one.url, TARGET, one.token, at=at))
        await refused({"Authorization": good["Authorization"]})
        await refused({**good, "DPoP": "x" * 5000})
        await refused(signed(one.url, TARGET, one.token, nonce="short"))
        # A proof with alg none, and one that hides a private key in its header.
        header, claims, _ = good["DPoP"].split(".")
        plain = json.loads(base64.urlsafe_b64decode(header + "=="))
        none = encoded(json.dumps({**plain, "alg": "none"}).encode())
        await refused({**good, "DPoP": f"{none}.{claims}."})
        leaky = encoded(json.dumps({**plain, "jwk": {**plain["jwk"], "d": "x"}}).encode())
        signature = encoded(CONSUMER.sign(f"{leaky}.{claims}".encode()))
        await refused({**good, "DPoP": f"{leaky}.{claims}.{signature}"})
        # A grant in the place of a proof.
        await refused({**good, "DPoP": jws.sign({"a": 1}, CONSUMER, "at+jwt")})
        assert one.provider.asked == []
        assert (await one.send("GET", TARGET, good)).status == 200

    play(exchange, story)
    assert receipts(exchange) == 1


def test_a_clock_that_is_off_a_little_is_taken(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for off in (-50, 50):
            answer = await one.call(at=SystemClock().now() + timedelta(seconds=off))
            assert answer.status == 200

    play(exchange, story)


def test_a_replay_is_refused_here_at_another_gateway_and_after_a_restart(
    exchange: Exchange,
) -> None:
    async def story() -> None:
        async with gateway(exchange) as one, gateway(exchange, told=one.told) as other:
            host = f"127.0.0.1:{one.port}"
            headers = signed(one.url, TARGET, one.token)
            assert (await one.send("GET", TARGET, headers)).status == 200
            assert (await one.send("GET", TARGET, headers)).code == "proof"
            # The same bytes, sent to the other one: both are the same host to the consumer.
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            data = f"GET {TARGET} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode()
            answer = await other.raw(data)
            assert (answer.status, answer.code) == (401, "proof")
            assert b"Zhang" not in answer.body
        async with gateway(exchange, told=one.told) as later:
            assert (await later.raw(data)).code == "proof"

    run_alone(story())
    assert receipts(exchange) == 1


TRICKS = [
    f"/services/{SERVICE}/../svc_2/people", f"/services/{SERVICE}/people/..",
    f"/services/{SERVICE}/people/%2e%2e/x", f"/services/{SERVICE}/people%2f1",
    f"/services/{SERVICE}/people%5c1", f"/services/{SERVICE}//people",
    f"/services/{SERVICE}/./people",
    f"/services/{SERVICE}/people/%00", f"/services/{SERVICE}/people/%0d%0aX:1",
    f"/services/{SERVICE}/people/%252e%252e", f"/services/{SERVICE}\\people",
    f"http://evil.test/services/{SERVICE}/people", "//evil.test/", "*", "/services/", "/services",
    f"/services/{SERVICE}/people?a=1#x", f"/services/{SERVICE}/people/%zz",
    f"/services/{SERVICE}/é",
    f"/services/{SERVICE}/people;/../x", "/" + "a" * 9000,
]  # fmt: skip


def test_tricks_of_paths_reach_nobody(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for target in TRICKS:
            headers = signed(one.url, target, one.token)
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            data = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{one.port}\r\n{head}\r\n"
            answer = await one.raw(data.encode())
            assert answer.status in {400, 401, 403, 404}, target
        assert one.provider.asked == []

    play(exchange, story, provider={"paths": ("/people", "/people/{id}", "/{a}/{b}", "/{a}")})


def request(one: Running, *lines: str, body: str = "") -> bytes:
    headers = signed(one.url, TARGET, one.token)
    given = [f"{name}: {value}" for name, value in headers.items()]
    first = [f"GET {TARGET} HTTP/1.1", f"Host: 127.0.0.1:{one.port}"]
    return ("\r\n".join([*first, *given, *lines, "", ""]) + body).encode()


SMUGGLED = f"GET /services/{SERVICE}/people/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
BROKEN = {
    "length and chunked": (("Content-Length: 5", "Transfer-Encoding: chunked"),
                           "0\r\n\r\n" + SMUGGLED),
    "two lengths": (("Content-Length: 5", "Content-Length: 50"), "xxxxx" + SMUGGLED),
    "the same length twice": (("Content-Length: 5", "Content-Length: 5"), "xxxxx"),
    "a list of lengths": (("Content-Length: 5, 5",), "xxxxx"),
    "a negative length": (("Content-Length: -1",), ""),
    "a length with a sign": (("Content-Length: +5",), "xxxxx"),
    "a length in hex": (("Content-Length: 0x5",), "xxxxx"),
    "chunked twice": (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "0\r\n\r\n"),
    "chunked in disguise": (("Transfer-Encoding: xchunked",), "0\r\n\r\n" + SMUGGLED),
    "chunked and more": (("Transfer-Encoding: chunked, identity",), "0\r\n\r\n"),
    "a space before the colon": (("Content-Length : 5",), "xxxxx"),
    "a folded header": (("X-A: 1", " folded"), ""),
    "two hosts": (("Host: other",), ""),
    "two grants": (("Authorization: DPoP x",), ""),
    "a bad chunk": (("Transfer-Encoding: chunked",), "zz\r\nxx\r\n"),
    "a chunk that overflows": (("Transfer-Encoding: chunked",), "fffffffffffffffff\r\n"),
    "a header with a null": (("X-A: a\0b",), ""),
    "another protocol": (("Connection: upgrade", "Upgrade: websocket"), ""),
}  # fmt: skip


def test_what_can_be_read_in_two_ways_is_refused(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for name, (lines, body) in BROKEN.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            writer.write(request(one, *lines, body=body))
            answer = await read_answer(reader)
            assert answer.status in {400, 501}, name
            # The connection is over: nothing behind it is read as a request.
            assert await asyncio.wait_for(reader.read(), 5) == b"", name
            writer.close()
        assert one.provider.asked == []

    play(exchange, story)
    assert receipts(exchange) == 0


def test_trailers_decide_nothing(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        good = signed(one.url, TARGET, one.token)
        host, name = f"Host: 127.0.0.1:{one.port}", "Transfer-Encoding: chunked"
        for late in good:
            early = [f"{key}: {value}" for key, value in good.items() if key != late]
            head = "\r\n".join([f"GET {TARGET} HTTP/1.1", host, name, *early, "", ""])
            answer = await one.raw(f"{head}0\r\n{late}: {good[late]}\r\n\r\n".encode())
            assert answer.status == 401, late
        # Nor do they overwrite what the headers said, nor come without end.
        body = "0\r\nPrefer: respond-async\r\nAccept: x\r\nDPoP: x\r\n\r\n"
        answer = await one.raw(request(one, name, body=body))
        assert answer.status == 200, answer.body
        many = "".join(f"X-{n}: 1\r\n" for n in range(100))
        answer = await one.raw(request(one, name, body=f"0\r\n{many}\r\n"))
        assert answer.status == 400
        assert [asked[2].get("accept") for asked in one.provider.asked] == [None]

    play(exchange, story)


def test_what_is_compressed_is_not_unpacked(exchange: Exchange) -> None:
    bomb = gzip.compress(bytes(8_000_000))

    async def story(one: Running) -> None:
        for coding in ("gzip", "GZIP", "deflate", "br", "identity, gzip", "zstd"):
            answer = await one.call(method="POST", body=bomb, headers={"Content-Encoding": coding})
            assert (answer.status, answer.code) == (415, "encoding"), coding
            assert answer.headers["accept-encoding"] == "identity"
        answer = await one.call(method="POST", body=b"{}", headers={"Content-Encoding": "identity"})
        assert answer.status == 200
        assert len(one.provider.asked) == 1

    play(exchange, story, provider={"methods": ("POST",)})


def test_a_provider_that_drips_is_given_up(exchange: Exchange) -> None:
    """Each part comes in time and the whole never: the turns of a provider are few."""

    async def story(one: Running) -> None:
        async def drip(_: object, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                         b"content-length: 9000\r\n\r\n")  # fmt: skip
            try:
                with contextlib.suppress(ConnectionError):
                    while not writer.is_closing():
                        writer.write(b" ")
                        await writer.drain()
                        await asyncio.sleep(0.05)
            finally:
                writer.close()

        async with await asyncio.start_server(drip, "127.0.0.1", 0) as dripping:
            port = dripping.sockets[0].getsockname()[1]
            given = one.told.providers[SERVICE]
            one.told.providers[SERVICE] = replace(
                given, endpoint=f"http://127.0.0.1:{port}", read_seconds=0.5
            )
            await asyncio.sleep(1.2)
            answer = await asyncio.wait_for(one.call(), 5)
            assert (answer.status, answer.code) == (504, "provider")

    play(exchange, story)


def test_a_name_that_nobody_answers_for_is_looked_up_once_at_a_time(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(one: Running) -> None:
        loop, asked = asyncio.get_running_loop(), list[str]()
        plain = loop.getaddrinfo

        async def slow(host: str, port: int, **more: Any) -> Any:
            asked.append(host)
            if host == "slow.test":
                await asyncio.sleep(1.0)
                raise socket.gaierror("no answer")
            return await plain(host, port, **more)

        given = one.told.providers[SERVICE]
        one.told.providers[SERVICE] = replace(
            given, endpoint="http://slow.test:81/base", connect_seconds=0.2
        )
        await asyncio.sleep(1.2)
        monkeypatch.setattr(loop, "getaddrinfo", slow)
        answers = await asyncio.gather(*(one.call() for _ in range(4)))
        assert {answer.status for answer in answers} == {504}
        assert asked == ["slow.test"]
        await asyncio.sleep(1.0)
        assert (await one.call()).status in {503, 504}
        await asyncio.sleep(1.0)  # its look-up ends, and nobody misses it

    play(exchange, story)


def test_large_things_are_refused(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        answer = await one.raw(request(one, f"X-A: {'a' * 40_000}"))
        assert answer.status == 431
        answer = await one.raw(request(one, *(f"X-{n}: 1" for n in range(100))))
        assert answer.status == 400
        answer = await one.raw(request(one, "Content-Length: 99999999"))
        assert answer.status == 413
        answer = await one.raw(request(one, "Content-Length: 99999999999999999999"))
        assert answer.status == 400
        chunks = "".join("8000\r\n" + "x" * 0x8000 + "\r\n" for _ in range(40))
        answer = await one.raw(request(one, "Transfer-Encoding: chunked", body=chunks))
        assert answer.status == 413
        assert one.provider.asked == []

    play(exchange, story)


def test_slow_senders_are_cut_off(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        async def slow(data: bytes) -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            answer = asyncio.create_task(read_answer(reader))
            for byte in data:
                if answer.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(0.1)
            found = await asyncio.wait_for(answer, 5)
            writer.close()
            return found.status

        head = request(one)[:60]
        body = request(one, "Content-Length: 1000", body="x" * 3)
        began = asyncio.get_running_loop().time()
        assert await slow(head) == 408
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(body)
        assert (await asyncio.wait_for(read_answer(reader), 5)).status == 408
        writer.close()
        # Who says nothing is closed too.
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert asyncio.get_running_loop().time() - began < 10
        assert (await one.call()).status == 200

    bounds = {"head_seconds": 0.5, "body_seconds": 0.5, "idle_seconds": 0.5}
    play(exchange, story, bounds=bounds)


def test_one_peer_holds_only_so_many_connections(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        held = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(5)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(request(one))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(read_answer(reader), 5)
        writer.close()
        for _, other in held:
            other.close()
        await asyncio.sleep(0.1)
        assert (await one.call()).status == 200

    play(exchange, story, bounds={"per_peer": 5})


def test_requests_behind_each_other_are_answered_in_their_order(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(b"".join(request(one) for _ in range(5)))
        for _ in range(5):
            assert (await asyncio.wait_for(read_answer(reader), 10)).status == 200
        writer.close()

    play(exchange, story)
    assert receipts(exchange) == 5


JSON = {"content-type": "application/json"}
LIES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "html": (200, {"content-type": "text/html"}, b"<script>"),
    "no type": (200, {}, b'{"records":[]}'),
    "not json": (200, JSON, b"{records"),
    "not utf-8": (200, JSON, b'{"records":[{"id":"\xff"}]}'),
    "another schema": (200, JSON, b'{"records":[{"name":"x"}]}'),
    "another type": (200, JSON, b'{"records":[{"id":7}]}'),
    "no records": (200, JSON, b'{"rows":[]}'),
    "records that are none": (200, JSON, b'{"records":[["a"]]}'),
    "a name twice": (200, JSON, b'{"records":[{"id":"1","id":"2"}]}'),
    "deep": (200, JSON, b'{"records":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "many": (200, JSON, b'{"records":[' + b"{}," * 1_000_001 + b"{}]}"),
    "a huge number": (200, JSON, b'{"records":[{"id":"1","n":1e999}]}'),
    "a long number": (200, JSON, b'{"records":[{"id":"1","n":' + b"9" * 5000 + b"}]}"),
    "not a number": (200, JSON, b'{"records":[{"id":"1","n":NaN}]}'),
    "large": (200, JSON, b'{"records":["' + b"x" * 17_000_000 + b'"]}'),
    "packed": (200, {**JSON, "content-encoding": "gzip"}, b"\x1f\x8b"),
    "a redirect": (302, {"location": "http://169.254.169.254/latest"}, b"secret"),
    "a redirect to itself": (307, {"location": "/base/people"}, b""),
    "no right": (401, {"www-authenticate": "Basic"}, b"wrong provider-secret"),
    "a failure": (500, JSON, b'{"trace":"provider-secret at /srv/app.py"}'),
    "nothing": (204, {}, b""),
    "a part": (206, JSON, b'{"records":[]}'),
}  # fmt: skip


def test_a_provider_that_lies_is_not_believed(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        for number, (name, lie) in enumerate(LIES.items(), 1):
            one.provider.answers["/base/people"] = lie
            answer = await one.call()
            assert answer.status == 502, name
            assert answer.code in {"schema", "provider"}, name
            assert len(one.provider.asked) == number, name
            for leak in (b"secret", b"trace", b"169.254", b"base/people", b"127.0.0.1"):
                assert leak not in answer.body, name
            assert "location" not in answer.headers

    play(exchange, story)
    assert receipts(exchange) == len(LIES)


def test_fields_that_nobody_agreed_on_stay_behind(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        body = json.dumps(
            {"records": [{"id": "1", "name": "Wang", "ssn": "x", "more": {"id": "2"}}],
             "debug": "provider-secret"}
        )  # fmt: skip
        one.provider.answers["/base/people"] = (200, {**JSON, "set-cookie": "a=b"}, body.encode())
        answer = await one.call()
        assert answer.json == {"records": [{"id": "1", "name": "W****g"}]}
        assert "set-cookie" not in answer.headers

    play(exchange, story)


def test_a_provider_that_breaks_off_gives_no_file(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        one.provider.answers["/base/people"] = (
            b"HTTP/1.1 200 OK\r\ncontent-type: video/mp4\r\ncontent-length: 100\r\n\r\nhalf"
        )
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await one.call()

    play(exchange, story, provider={"raw": True})
    with exchange.base.database.transaction():
        query = sa.text("SELECT body FROM exchange_receipt ORDER BY number")
        told = [json.loads(row.body) for row in exchange.base.database.execute(query)]
    assert [(one["kind"], one["status"]) for one in told] == [("begun", 200), ("ended", 0)]
    assert told[1]["decisions"] == ["broken-off"]


def test_addresses_that_are_no_providers_are_not_asked(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        given = one.told.providers[SERVICE]
        for endpoint in (
            "http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0/",
            "http://224.0.0.1/", "http://[::ffff:169.254.169.254]/", "ftp://127.0.0.1/",
            "http://[2002:a9fe:a9fe::]/", "http://[64:ff9b::a9fe:a9fe]/", "http://2852039166/",
            "http://127.0.0.1:1/", "file:///etc/passwd",
        ):  # fmt: skip
            one.told.providers[SERVICE] = replace(given, endpoint=endpoint)
            await asyncio.sleep(1.2)
            answer = await one.call()
            assert answer.status == 502, endpoint
            assert b"169" not in answer.body

    play(exchange, story)


def test_the_gateways_own_addresses_tell_little(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        assert (await one.send("GET", "/healthz", {})).status == 200
        assert (await one.send("GET", "/readyz", {})).status == 200
        await one.call()
        text = (await one.send("GET", "/metrics", {})).body.decode()
        assert 'borough_exchange_calls_total{status="200"} 1.0' in text
        assert "svc_1" not in text
        assert (await one.send("GET", "/etc/passwd", {})).status == 404

    play(exchange, story)


def test_a_consumer_that_goes_leaves_nothing_open(exchange: Exchange) -> None:
    async def story(one: Running) -> None:
        one.provider.delay = 0.3
        for _ in range(3):
            made = socket.create_connection(("127.0.0.1", one.port))
            made.sendall(request(one))
            made.close()
        await asyncio.sleep(0.6)
        one.provider.delay = 0
        assert (await one.call()).status == 200

    play(exchange, story)
