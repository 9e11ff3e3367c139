"""Who is told of events: a real web-hook receiver on loopback, which may hang, fail or redirect."""

import json
import os
import re
import signal as signals
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.video import NOON, WATER, EventWorld, signal
from workloads.video_analytics.events.model import Reported, Severity
from workloads.video_analytics.events.notification.model import (
    PAUSES,
    Delivery,
    DeliveryState,
    Hours,
    Matching,
    Receiver,
    ReceiverKind,
    verify,
)
from workloads.video_analytics.events.notification.senders import Mail, MailSettings, WebHooks
from workloads.video_analytics.vision.model import Phase, RuleKind


@dataclass
class Hook:
    """What a web-hook got, and how it behaves: a status, ``hang``, ``drip`` or ``redirect``."""

    url: str = ""
    behaviour: list[Any] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def hook() -> Iterator[Hook]:  # noqa: C901 - a server
    found = Hook()
    ending = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            how = found.behaviour.pop(0) if found.behaviour else 204
            if how == "hang":
                ending.wait(20)
                return
            if how == "drip":
                for _ in range(200):
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return
                    if ending.wait(0.1):
                        return
            if how == "redirect":
                self.send_response(307)
                self.send_header("Location", found.url + "/elsewhere")
                self.end_headers()
                return
            self.send_response(how)
            self.end_headers()

        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    found.url = f"http://localhost:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    ending.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _receiver(world: EventWorld, hook: Hook, **wanted: Any) -> tuple[Receiver, str]:
    return world.receivers.add(
        world.operator, WATER, "Duty", ReceiverKind.WEBHOOK, hook.url, Matching(**wanted)
    )


def _one(world: EventWorld) -> Delivery:
    [found] = world.receivers.deliveries(world.operator, PageRequest()).items
    return found


def test_a_web_hook_is_told_signed_and_in_order(world: EventWorld, hook: Hook) -> None:
    _, secret = _receiver(world, hook)
    event_id = world.happen()
    world.events.report(world.fence, "cam_gate", [Reported(signal(phase=Phase.ENDED, after=9))])
    world.relay()
    world.relay()
    assert world.receivers.send_due() == 3
    assert [b["type"] for b in hook.bodies] == [
        "video.event.active", "video.event.evidence", "video.event.ended",
    ]  # fmt: skip
    assert {b["subject"] for b in hook.bodies} == {event_id}
    headers, body = hook.got[0]
    now = world.clock.now()
    assert verify(secret, headers, body, now)
    assert not verify(secret, headers, body + b" ", now)
    assert not verify(secret, headers, body, now + timedelta(minutes=6))
    assert not verify("whsec_AAAA", headers, body, now)
    assert not verify(secret, {**headers, "webhook-id": "dlv_other"}, body, now)
    assert len({h["webhook-id"] for h, _ in hook.got}) == 3
    assert world.receivers.send_due() == 0


@pytest.mark.parametrize(
    ("how", "said"),
    [(500, "answered 500"), ("redirect", "redirects are not followed"),
     ("hang", "in time"), ("drip", "in time")],
)  # fmt: skip
def test_a_receiver_that_fails_is_tried_again_later(
    world: EventWorld, hook: Hook, clock: SettableClock, how: Any, said: str
) -> None:
    _receiver(world, hook)
    hook.behaviour = [how]
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    begun = time.monotonic()
    assert world.receivers.send_due() == 1
    assert time.monotonic() - begun < 5
    found = _one(world)
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
    assert said in found.error
    assert world.receivers.send_due() == 0
    clock.advance(seconds=PAUSES[0].total_seconds())
    assert world.receivers.send_due() == 1
    found = _one(world)
    assert (found.state, found.error) == (DeliveryState.DELIVERED, "")
    assert {h["webhook-id"] for h, _ in hook.got} == {found.id}
    assert hook.asked == []


def test_later_news_of_an_event_waits_for_the_earlier(
    world: EventWorld, hook: Hook, clock: SettableClock
) -> None:
    _receiver(world, hook)
    hook.behaviour = [503]
    world.events.report(world.fence, "cam_gate", [
        Reported(signal()), Reported(signal(phase=Phase.ENDED, after=4)),
    ])  # fmt: skip
    world.events.report(world.fence, "cam_gate", [Reported(signal(key="b"))])
    world.relay()
    world.receivers.send_due()
    firsts = [(b["type"].rsplit(".", 1)[1], b["data"]["id"]) for b in hook.bodies]
    assert [t for t, _ in firsts] == ["active", "active"]  # the other event did not wait
    clock.advance(seconds=6)
    world.receivers.send_due()
    mine = [b["type"] for b in hook.bodies if b["subject"] == firsts[0][1]]
    assert mine == ["video.event.active", "video.event.active", "video.event.ended"]


def test_what_never_arrives_ends_among_the_dead_and_can_be_sent_again(
    world: EventWorld, hook: Hook, clock: SettableClock
) -> None:
    _receiver(world, hook)
    hook.behaviour = [500] * (len(PAUSES) + 1)
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    for pause in (*PAUSES, PAUSES[-1]):
        world.receivers.send_due()
        clock.advance(seconds=pause.total_seconds())
    found = _one(world)
    assert (found.state, found.attempts) == (DeliveryState.DEAD, len(PAUSES) + 1)
    assert world.receivers.send_due() == 0
    dead = world.receivers.deliveries(world.operator, PageRequest(), state=DeliveryState.DEAD)
    assert len(dead.items) == 1
    with pytest.raises(NotFound):
        world.receivers.send_again(world.neighbour, found.id)
    world.receivers.send_again(world.operator, found.id)
    assert world.receivers.send_due() == 1
    assert _one(world).state is DeliveryState.DELIVERED
    with pytest.raises(Conflict):
        world.receivers.send_again(world.operator, found.id)


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1/x", "https://[::1]/x", "https://10.0.0.7/x", "https://169.254.169.254/",
        "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://0.0.0.0/",
        "https://2130706433/", "http://127.0.0.1/x", "https://100.64.0.1/", "https://[fe80::1]/",
    ],
)  # fmt: skip
def test_nothing_is_sent_into_the_city_s_own_network(world: EventWorld, target: str) -> None:
    receiver, _ = world.receivers.add(
        world.operator, WATER, "x", ReceiverKind.WEBHOOK, target, Matching()
    )
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    assert world.receivers.send_due() == 1
    found = _one(world)
    assert found.state is DeliveryState.PENDING
    assert "not public" in found.error or "no https" in found.error
    assert found.receiver_id == receiver.id


def test_wrong_receivers_are_refused(world: EventWorld) -> None:
    for target in ("ftp://x/", "https://u:p@x/", "https://", "https://a b/", "https://x:99999999/"):
        with pytest.raises(Invalid, match="target"):
            world.receivers.add(
                world.operator, WATER, "x", ReceiverKind.WEBHOOK, target, Matching()
            )
    for target in ("no", "a@b\r\nBcc: c@d", "a b@c", "<a@b>"):
        with pytest.raises(Invalid, match="target"):
            world.receivers.add(world.operator, WATER, "x", ReceiverKind.MAIL, target, Matching())
    with pytest.raises(Invalid, match="name"):
        world.receivers.add(world.operator, WATER, " ", ReceiverKind.MAIL, "a@b.cn", Matching())
    with pytest.raises(NotFound):
        world.receivers.add(world.neighbour, WATER, "x", ReceiverKind.MAIL, "a@b.cn", Matching())
    with pytest.raises(Forbidden):
        world.receivers.add(world.viewer, WATER, "x", ReceiverKind.MAIL, "a@b.cn", Matching())


def test_receivers_choose_by_kind_severity_and_hours(world: EventWorld, hook: Hook) -> None:
    evening = Hours.parse({"start": "18:00", "end": "06:00"}, "hours")
    _receiver(world, hook, kinds=(RuleKind.OBJECT_ABANDONED,), severities=(Severity.CRITICAL,))
    _receiver(world, hook, hours=evening, cameras=("cam_weir",))
    world.receivers.add(world.neighbour, "/city/roads/", "roads", ReceiverKind.WEBHOOK, hook.url,
                        Matching())  # fmt: skip
    night = NOON + timedelta(hours=10)  # 22:00 in Shanghai
    for told, camera in (
        (signal("rul_bag"), "cam_gate"), (signal(), "cam_gate"), (signal(key="b"), "cam_weir"),
        (signal(key="c", began=night), "cam_weir"), (signal(key="d", began=night), "cam_gate"),
    ):  # fmt: skip
        world.events.report(world.fence, camera, [Reported(told)])
    world.relay()
    world.receivers.send_due()
    got = sorted((b["data"]["kind"], b["data"]["camera"]["id"]) for b in hook.bodies)
    assert got == [("line_crossing", "cam_weir"), ("object_abandoned", "cam_gate")]


def test_hours_may_go_over_midnight() -> None:
    at = datetime(2026, 11, 3, 14, 0, tzinfo=UTC)  # 22:00 in Shanghai
    night = Hours.parse({"start": "22:00", "end": "06:00"}, "hours")
    assert night.contains(at)
    assert not night.contains(at - timedelta(minutes=1))
    assert night.contains(at + timedelta(hours=7, minutes=59))
    assert not night.contains(at + timedelta(hours=8))
    with pytest.raises(Invalid) as wrong:
        Hours.parse({"start": "25:00", "end": "x", "timezone": "Moon/Sea"}, "hours")
    assert len(wrong.value.problems) == 3


def test_secrets_are_sealed_and_changed(world: EventWorld, hook: Hook) -> None:
    receiver, secret = _receiver(world, hook)
    assert secret not in repr(receiver)
    fresh = world.receivers.new_secret(world.operator, receiver.id)
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    world.receivers.send_due()
    headers, body = hook.got[0]
    assert verify(fresh, headers, body, world.clock.now())
    assert not verify(secret, headers, body, world.clock.now())
    assert not any(fresh in str(e) or secret in str(e) for e in world.audited("receiver.add"))


def test_a_disabled_or_removed_receiver_gets_nothing(world: EventWorld, hook: Hook) -> None:
    receiver, _ = _receiver(world, hook)
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    world.receivers.change(world.operator, receiver.id, enabled=False)
    assert world.receivers.send_due() == 0
    world.receivers.remove(world.operator, receiver.id)
    assert world.receivers.send_due() == 0
    assert hook.got == []


_SENDER = """
import sys
from pathlib import Path
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.video import EventWorld

world = EventWorld(Database(sys.argv[1]), SettableClock(), Path(sys.argv[2]))
print("ready", flush=True)
world.relay()
world.receivers.send_due()
"""


def test_a_sender_killed_in_the_middle_loses_nothing(
    world: EventWorld, hook: Hook, database_url: str, tmp_path: Any, clock: SettableClock
) -> None:
    _receiver(world, hook)
    hook.behaviour = [204, "hang"]
    world.events.report(world.fence, "cam_gate", [Reported(signal(key=k)) for k in "abc"])
    with subprocess.Popen(
        [sys.executable, "-c", _SENDER, database_url, str(tmp_path)], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    ) as sender:  # fmt: skip
        deadline = time.monotonic() + 60
        while len(hook.got) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        sender.send_signal(signals.SIGKILL)
    assert len(hook.got) == 2
    world.relay()
    world.receivers.send_due()
    clock.advance(seconds=61)  # the dead sender's claim is over
    world.receivers.send_due()
    subjects = [b["subject"] for b in hook.bodies]
    assert len(set(subjects)) == 3
    ids = {h["webhook-id"] for h, _ in hook.got}
    assert len(ids) == 3  # what came twice came under the same id
    states = {d.state for d in world.receivers.deliveries(world.operator, PageRequest()).items}
    assert states == {DeliveryState.DELIVERED}


class _Smtp(socketserver.StreamRequestHandler):
    """As much of a mail server as a message needs."""

    messages: list[str] = []  # noqa: RUF012 - of one test
    refuse = False

    def handle(self) -> None:
        self._say("220 test")
        data = False
        lines: list[str] = []
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if data:
                if line == ".":
                    data = False
                    self.messages.append("\n".join(lines))
                    self._say("250 kept")
                else:
                    lines.append(line)
            elif line.upper() == "DATA":
                data, lines = True, []
                self._say("354 go on")
            elif line.upper() == "QUIT":
                self._say("221 bye")
                return
            elif line.upper().startswith("RCPT") and self.refuse:
                self._say("550 unknown mailbox")
            else:
                self._say("250 ok")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def smtp() -> Iterator[int]:
    _Smtp.messages, _Smtp.refuse = [], False
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_mail_is_sent_and_refusals_are_kept(
    world: EventWorld, smtp: int, clock: SettableClock
) -> None:
    at = MailSettings("127.0.0.1", smtp, "none", sender="video@city.example")
    world.senders[ReceiverKind.MAIL] = Mail(at)
    world.receivers.add(world.operator, WATER, "box", ReceiverKind.MAIL, "duty@city.example",
                        Matching())  # fmt: skip
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    _Smtp.refuse = True
    world.receivers.send_due()
    assert _one(world).state is DeliveryState.PENDING
    _Smtp.refuse = False
    clock.advance(seconds=10)
    world.receivers.send_due()
    [message] = _Smtp.messages
    found = _one(world)
    assert found.state is DeliveryState.DELIVERED
    assert re.search(
        r"^Subject: \[warning\] line_crossing active: Cam_Gate$", message, re.MULTILINE
    )
    assert f"Message-ID: <{found.id}@borough-video>" in message


def test_mail_without_tls_goes_to_this_machine_only_and_starttls_is_insisted_on(
    world: EventWorld, smtp: int
) -> None:
    at = MailSettings("127.0.0.1", smtp, "starttls", sender="video@city.example")
    world.senders[ReceiverKind.MAIL] = Mail(at)
    world.receivers.add(world.operator, WATER, "box", ReceiverKind.MAIL, "duty@city.example",
                        Matching())  # fmt: skip
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    world.receivers.send_due()
    assert _one(world).state is DeliveryState.PENDING
    assert _Smtp.messages == []


def test_a_name_that_is_trusted_may_be_asked_by_http(hook: Hook, world: EventWorld) -> None:
    """And no other name for the same address."""
    strict = WebHooks(world.secrets, ["gateway.internal"], seconds=1.0)
    receiver, _ = _receiver(world, hook)
    world.events.report(world.fence, "cam_gate", [Reported(signal())])
    world.relay()
    world.senders[ReceiverKind.WEBHOOK] = strict
    world.receivers.send_due()
    assert "no https address" in _one(world).error
    assert hook.got == []
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert receiver.enabled
