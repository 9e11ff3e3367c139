"""Cameras of the network are connected to one after the other, and who is away keeps nobody."""

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.unit.video.workers.conftest import Lanes
from workloads.video_analytics.workers.turnstile import Turnstile


@dataclass
class Site:
    """Cameras that are sockets: they take connections, and hang or say that there is nothing."""

    answers: bool
    ports: list[int] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)

    def most(self, seconds: float) -> int:
        """The most connections within so long."""
        return max(
            (sum(at <= one < at + seconds for one in self.taken) for at in self.taken), default=0
        )


@contextlib.contextmanager
def site(cameras: int, *, answers: bool) -> Iterator[Site]:
    """So many listening sockets of loopback, in one thread."""
    found, ending = Site(answers), threading.Event()
    choosing = selectors.DefaultSelector()
    with contextlib.ExitStack() as open_:
        for _ in range(cameras):
            listening = open_.enter_context(socket.create_server(("127.0.0.1", 0)))
            listening.setblocking(False)
            choosing.register(listening, selectors.EVENT_READ)
            found.ports.append(listening.getsockname()[1])
        open_.enter_context(choosing)

        def serve() -> None:
            while not ending.is_set():
                for key, _ in choosing.select(0.1):
                    there, _ = key.fileobj.accept()  # type: ignore[union-attr]
                    open_.enter_context(there)
                    found.taken.append(time.monotonic())
                    if answers:
                        there.sendall(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield found
        finally:
            ending.set()
            serving.join()


def test_connections_come_one_after_the_other(lanes_with: Callable[..., Lanes]) -> None:
    lanes = lanes_with(opens_per_second=10, first_retry=30, longest_retry=60)
    with site(25, answers=True) as found:
        for n, port in enumerate(found.ports):
            lanes.watch(f"cam_{n}", f"rtsp://127.0.0.1:{port}/s", "rtsp")
        lanes.heard.wait(lambda: len(found.taken) >= 25)
        # Late threads may come close together, a flood they are not.
        assert found.most(0.5) <= 12
        assert found.taken[-1] - found.taken[0] > 2


def test_who_does_not_answer_keeps_nobody_waiting(lanes_with: Callable[..., Lanes]) -> None:
    lanes = lanes_with(opens_per_second=40, open_seconds=25, read_seconds=25)
    with site(60, answers=False) as away, site(1, answers=True) as there:
        for n, port in enumerate(away.ports):
            lanes.watch(f"away_{n}", f"rtsp://127.0.0.1:{port}/s", "rtsp")
        lanes.watch("there", f"rtsp://127.0.0.1:{there.ports[0]}/s", "rtsp")
        lanes.heard.wait(lambda: there.taken, 20)
        # All sixty hang meanwhile, and none has been given up.
        assert len(away.taken) >= 55
        assert not [c for c in range(60) if "404" in lanes.heard.state(f"away_{c}")[1]]


def _line(
    turns: Turnstile, order: list[str], name: str, *, again: bool, stopped: threading.Event
) -> threading.Thread:
    def go() -> None:
        if turns.wait(stopped, again=again):
            order.append(name)

    found = threading.Thread(target=go)
    found.start()
    return found


def test_who_did_well_goes_first_and_who_failed_has_every_fourth_turn() -> None:
    turns, order, stopped = Turnstile(20), list[str](), threading.Event()
    threads = [_line(turns, order, "opens", again=False, stopped=stopped)]
    threads += [_line(turns, order, "failed", again=True, stopped=stopped) for _ in range(4)]
    threads += [_line(turns, order, "new", again=False, stopped=stopped) for _ in range(12)]
    for thread in threads:
        thread.join()
    assert sorted(order) == ["failed"] * 4 + ["new"] * 12 + ["opens"]
    assert "failed" in order[:6]
    assert order[:9].count("new") >= 5


def test_who_waits_no_more_takes_no_turn() -> None:
    turns, order, gone, stopped = Turnstile(2), list[str](), threading.Event(), threading.Event()
    first = _line(turns, order, "first", again=False, stopped=stopped)
    first.join()
    leaving = _line(turns, order, "leaving", again=False, stopped=gone)
    gone.set()
    leaving.join(5)
    last = _line(turns, order, "last", again=False, stopped=stopped)
    last.join(5)
    assert order == ["first", "last"]


@pytest.mark.parametrize("stopped", [False, True])
def test_without_a_rate_nobody_waits(*, stopped: bool) -> None:
    ending = threading.Event()
    if stopped:
        ending.set()
    assert Turnstile().wait(ending, again=True) is not stopped
