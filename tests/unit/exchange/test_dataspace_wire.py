"""Messages on their way to another connector: where they do not go, and how long they take."""

import ipaddress
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from foundation.kernel.addresses import NetworkPolicy
from foundation.kernel.errors import Invalid, Unavailable
from tests.harness.dripping import HEAD, dripping
from workloads.data_exchange.dataspace.ports import Answered
from workloads.data_exchange.dataspace.sending import reason
from workloads.data_exchange.dataspace.wire import HttpWire

LOOPBACK = NetworkPolicy((ipaddress.ip_network("127.0.0.0/8"),))


class Peer(BaseHTTPRequestHandler):
    """Does what the path says."""

    seen: list[str] = []  # noqa: RUF012 - of one test's server at a time

    def do_POST(self) -> None:
        self.seen.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/slow":
            time.sleep(1.5)
            return
        self.send_response(302 if self.path == "/elsewhere" else 200)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(b"x" * 1_000_000 if self.path == "/large" else body)

    def log_message(self, *_args: object) -> None: ...


@pytest.fixture
def peer() -> Iterator[str]:
    Peer.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_arrives(peer: str) -> None:
    answer = HttpWire(LOOPBACK).post(f"{peer}/dsp", b'{"a":1}', "token")
    assert (answer.status, answer.body) == (200, b'{"a":1}')


def test_it_follows_nobody_and_reads_little(peer: str) -> None:
    wire = HttpWire(LOOPBACK)
    assert wire.post(f"{peer}/elsewhere", b"{}", "token").status == 302
    assert len(wire.post(f"{peer}/large", b"{}", "token").body) == 64 * 1024
    assert Peer.seen == ["/elsewhere", "/large"]


def test_it_waits_only_so_long(peer: str) -> None:
    with pytest.raises(Unavailable):
        HttpWire(LOOPBACK, seconds=0.2).post(f"{peer}/slow", b"{}", "token")


def test_what_an_error_says_can_be_kept_and_tells_no_token() -> None:
    token = "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJ1cm46dXMifQ.c2lnbmVk"
    told = {
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "CatalogError",
        "code": "no\0\ud800", "reason": [f"who is {token}?", {"a": 1}],
    }  # fmt: skip
    said = reason(Answered(400, json.dumps(told).encode()))
    assert said == ": no , who is …?, {'a': 1}"
    assert reason(Answered(400, b"<html>")) == ""


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK", HEAD], ids=["head", "body"])
def test_a_byte_now_and_then_is_no_answer(head: bytes) -> None:
    with dripping(head) as server, pytest.raises(Unavailable, match="in time"):
        HttpWire(LOOPBACK, seconds=0.2).post(server.url, b"{}", "token")
    assert server.left


@pytest.mark.parametrize(
    "address",
    [
        "http://peer.example/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/",
        "https://169.254.169.254/latest", "https://peer.example:22/", "ftp://peer.example/",
        "https:///nothing", "https://2130706433/", "https://0.0.0.0/",
    ],
)  # fmt: skip
def test_where_it_does_not_go(address: str) -> None:
    with pytest.raises(Invalid):
        HttpWire(NetworkPolicy()).check(address, "address")


def test_what_a_name_leads_to_counts(peer: str) -> None:
    led = NetworkPolicy(resolver=lambda _host, _port: [ipaddress.ip_address("127.0.0.1")])
    with pytest.raises(Invalid):
        HttpWire(led).post("https://peer.example/dsp", b"{}", "token")
    assert not Peer.seen, peer
