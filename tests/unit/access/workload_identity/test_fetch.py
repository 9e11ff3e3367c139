"""Fetching keys: only from where one may, only so much, only so long."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from control_plane.adapters.oidc import fetcher
from foundation.kernel.errors import Unavailable
from tests.fakes.oidc import FakeIssuer, serving
from tests.harness.dripping import dripping

LOCAL = ["127.0.0.1", "localhost"]


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    with serving() as made:
        yield made


def test_a_document(issuer: FakeIssuer) -> None:
    assert fetcher(LOCAL)(f"{issuer.url}/keys")["keys"]


def test_this_machine_is_asked_only_when_the_settings_say_so(issuer: FakeIssuer) -> None:
    with pytest.raises(Unavailable, match="no https address"):
        fetcher()(f"{issuer.url}/keys")
    assert not issuer.asked


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.1", "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:0a00:0001::",
     "ff02::1", "64:ff9b::a00:1"],
)  # fmt: skip
def test_private_addresses_are_not_asked(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def resolve(_: str, port: int, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", ("93.184.216.34", port)), (0, 0, 0, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Unavailable, match="not public"):
        fetcher(LOCAL)("https://gitlab.city.example/keys")


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that leads elsewhere the second time (DNS rebinding) is looked up once only."""
    answers = iter([("93.184.216.34", 443), ("127.0.0.1", 443)])
    asked: list[Any] = []

    def connect(where: tuple[str, int], **_: Any) -> socket.socket:
        asked.append(where)
        raise ConnectionRefusedError("no")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", next(answers))])
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Unavailable):
        fetcher()("https://gitlab.city.example/keys")
    assert asked == [("93.184.216.34", 443)]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (302, b"", "status 302"),
        (500, b"{}", "status 500"),
        (200, b"not json", "."),
        (200, b"[1]", "no JSON object"),
        (200, b"[" * 100_000, "."),
        (200, b'{"a": "' + b"x" * 600_000 + b'"}', "larger"),
    ],
)
def test_wrong_answers(issuer: FakeIssuer, status: int, body: bytes, why: str) -> None:
    issuer.answers["/x"] = (status, body)
    with pytest.raises(Unavailable, match=why):
        fetcher(LOCAL)(f"{issuer.url}/x")
    assert issuer.asked == ["/x"], "redirects are not followed"


@pytest.mark.parametrize("silent", [True, False])
def test_a_server_that_takes_its_time(silent: bool) -> None:  # noqa: FBT001
    """One that says nothing, and one that says a byte now and then."""
    ended = threading.Event()

    def trickle(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while not ended.wait(0.05) and not silent:
                try:
                    connection.sendall(b"H")
                except OSError:
                    break
            ended.wait(5)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=trickle, args=(server,))
        thread.start()
        begun = time.monotonic()
        with pytest.raises(Unavailable):
            fetcher(LOCAL, seconds=0.3)(f"http://127.0.0.1:{server.getsockname()[1]}/keys")
        assert time.monotonic() - begun < 3
        ended.set()
        thread.join()


def test_a_body_that_takes_its_time() -> None:
    with dripping() as server, pytest.raises(Unavailable, match="in time"):
        fetcher(LOCAL, seconds=0.2)(server.url)
    assert server.left


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x", "https://", "https://a:b@c/"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(Unavailable):
        fetcher(LOCAL)(url)
