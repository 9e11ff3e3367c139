"""Streams that lead elsewhere: nothing is connected to that was not let in, by real decoders."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.clips import film, jpegs
from tests.unit.video.workers.conftest import Lanes
from workloads.video_analytics.workers.sources import ASTRAY

#: Where the camera is; all other addresses of this machine are what must not be reached.
CAMERA, INSIDE = "127.0.0.1", "127.0.0.2"
REACH = {"addresses": [CAMERA], "networks": [f"{CAMERA}/32"], "only": False}


@pytest.fixture(autouse=True)
def _python_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))


class Secret:
    """A service that must not be reached: it counts who connects, whatever they say."""

    def __init__(self, host: str) -> None:
        self._listening = socket.create_server((host, 0))
        self.port = self._listening.getsockname()[1]
        self.came = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.came += 1
                connection.close()

    def close(self) -> None:
        # Closing alone does not wake who waits in accept.
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def secret() -> Iterator[Secret]:
    made = Secret(INSIDE)
    yield made
    made.close()


@contextlib.contextmanager
def serving(answers: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """An HTTP server of paths: bytes are sent, a text is where it redirects to."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answer = answers.get(self.path)
            if isinstance(answer, str):
                self.send_response(302)
                self.send_header("Location", answer)
                self.end_headers()
                return
            self.send_response(200 if answer else 404)
            kind = "multipart/x-mixed-replace; boundary=b" if self.path == "/mjpeg" else ""
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer((CAMERA, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{CAMERA}:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def mjpeg() -> bytes:
    return b"".join(
        b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(one) + one + b"\r\n"
        for one in jpegs(20)
    )


def astray(lanes: Lanes, camera: str) -> None:
    lanes.heard.wait(lambda: lanes.heard.state(camera) == ("no_signal", ASTRAY))


def test_a_redirect_inside_of_what_may_be_reached_is_followed(lanes: Lanes) -> None:
    with serving({"/mjpeg": mjpeg(), "/go": "/mjpeg"}) as (url, asked):
        lanes.watch("cam", f"{url}/go", "mjpeg", reach=REACH)
        lanes.heard.wait(lambda: "online" in lanes.heard.states("cam"))
    assert asked[:2] == ["/go", "/mjpeg"]


@pytest.mark.parametrize("kind", ["mjpeg", "hls"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_elsewhere_is_not_followed(
    lanes: Lanes, secret: Secret, kind: str, scheme: str
) -> None:
    to = f"{scheme}://{INSIDE}:{secret.port}/mjpeg"
    with serving({"/a.m3u8": "/b.m3u8", "/b.m3u8": to}) as (url, asked):
        lanes.watch("cam", f"{url}/a.m3u8", kind, reach=REACH)
        astray(lanes, "cam")
    assert asked[:2] == ["/a.m3u8", "/b.m3u8"]
    assert secret.came == 0


def segments(tmp_path: Path) -> bytes:
    return film(tmp_path / "s.ts", seconds=4).read_bytes()


def playlist(*entries: str) -> bytes:
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:0"]
    for entry in entries:
        lines += ["#EXTINF:4.0,", entry]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()


def test_a_playlist_of_its_own_host_is_played(lanes: Lanes, tmp_path: Path) -> None:
    answers = {"/live.m3u8": playlist("s.ts"), "/s.ts": segments(tmp_path)}
    with serving(answers) as (url, _):
        lanes.watch("cam", f"{url}/live.m3u8", "hls", reach=REACH)
        lanes.heard.wait(lambda: "online" in lanes.heard.states("cam"))


@pytest.mark.parametrize("entry", [
    "http://{inside}:{port}/s.ts", "//{inside}:{port}/s.ts", "https://{inside}:{port}/s.ts",
    "tcp://{inside}:{port}", "tls://{inside}:{port}", "rtsp://{inside}:{port}/s.ts",
    "crypto+http://{inside}:{port}/s.ts", "hls+http://{inside}:{port}/s.m3u8",
    "ftp://{inside}:{port}/s.ts", "gopher://{inside}:{port}/s.ts",
    "concat:http://{inside}:{port}/s.ts|http://{inside}:{port}/t.ts",
    "subfile,,start,0,end,9,,:http://{inside}:{port}/s.ts", "udp://{inside}:{port}",
    "http://{inside}.nip.invalid@{inside}:{port}/s.ts", "http://[::ffff:{inside}]:{port}/s.ts",
    "http://0x7f000002:{port}/s.ts", "http://2130706434:{port}/s.ts",
])  # fmt: skip
def test_an_entry_of_a_playlist_that_leads_elsewhere_is_not_opened(
    lanes: Lanes, secret: Secret, entry: str
) -> None:
    entry = entry.format(inside=INSIDE, port=secret.port)
    with serving({"/live.m3u8": playlist(entry)}) as (url, asked):
        lanes.watch("cam", f"{url}/live.m3u8", "hls", reach=REACH)
        lanes.heard.wait(lambda: lanes.heard.state("cam")[1] not in {"", "not connected yet"})
        assert asked
        assert "online" not in lanes.heard.states("cam")
    assert secret.came == 0


@pytest.mark.parametrize("line", [
    '#EXT-X-KEY:METHOD=AES-128,URI="{to}"', '#EXT-X-MAP:URI="{to}"',
])  # fmt: skip
def test_keys_and_beginnings_of_a_playlist_lead_nowhere_either(
    lanes: Lanes, secret: Secret, tmp_path: Path, line: str
) -> None:
    line = line.format(to=f"http://{INSIDE}:{secret.port}/k")
    text = playlist("s.ts").replace(b"#EXTINF", line.encode() + b"\n#EXTINF")
    with serving({"/live.m3u8": text, "/s.ts": segments(tmp_path)}) as (url, _):
        lanes.watch("cam", f"{url}/live.m3u8", "hls", reach=REACH)
        lanes.heard.wait(lambda: lanes.heard.state("cam")[1] not in {"", "not connected yet"})
    assert secret.came == 0


def test_files_of_this_machine_are_in_no_playlist(lanes: Lanes, tmp_path: Path) -> None:
    path = tmp_path / "inside.ts"
    path.write_bytes(segments(tmp_path))
    with serving({"/live.m3u8": playlist(f"file://{path}", str(path))}) as (url, _):
        lanes.watch("cam", f"{url}/live.m3u8", "hls", reach=REACH)
        lanes.heard.wait(lambda: lanes.heard.state("cam")[1] not in {"", "not connected yet"})
    assert "online" not in lanes.heard.states("cam")


@contextlib.contextmanager
def rtsp_redirecting(to: str) -> Iterator[tuple[str, list[bytes]]]:
    """A camera that answers every request with where else to go (RFC 2326, 11.3)."""
    listening = socket.create_server((CAMERA, 0))
    asked: list[bytes] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with contextlib.suppress(OSError), connection:
                    while said := connection.recv(4096):
                        asked.append(said)
                        number = next(
                            (x for x in said.split(b"\r\n") if x.lower().startswith(b"cseq")), b""
                        )
                        connection.sendall(
                            b"RTSP/1.0 302 Found\r\n%b\r\nLocation: %b\r\n\r\n"
                            % (number, to.encode())
                        )

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"rtsp://{CAMERA}:{listening.getsockname()[1]}/s", asked
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_camera_of_rtsp_leads_nowhere_but_to_itself(lanes: Lanes, secret: Secret) -> None:
    # Even where the other address could be a camera's: over RTSP nothing but the checked host is.
    reach = {"addresses": [CAMERA], "networks": ["127.0.0.0/8"], "only": True}
    with rtsp_redirecting(f"rtsp://{INSIDE}:{secret.port}/s") as (url, asked):
        lanes.watch("cam", url, "rtsp", reach=reach)
        astray(lanes, "cam")
        assert asked
    assert secret.came == 0


def test_a_name_that_leads_elsewhere_by_now_is_not_connected_to(
    lanes: Lanes, secret: Secret
) -> None:
    """What was checked was another address: the name was bound anew before it was opened."""
    reach = {"addresses": ["203.0.113.5"], "networks": ["203.0.113.0/24"], "only": False}
    lanes.watch("cam", f"http://localhost:{secret.port}/mjpeg", "mjpeg", reach=reach)
    astray(lanes, "cam")
    assert secret.came == 0


def test_a_proxy_of_the_environment_is_not_asked(
    lanes_with: Callable[..., Lanes], secret: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{INSIDE}:{secret.port}")
    lanes = lanes_with()
    with serving({"/mjpeg": mjpeg()}) as (url, _):
        lanes.watch("cam", f"{url}/mjpeg", "mjpeg", reach=REACH)
        lanes.heard.wait(lambda: "online" in lanes.heard.states("cam"))
    assert secret.came == 0


def test_a_camera_with_a_narrow_reach_costs_its_neighbour_nothing(
    lanes: Lanes, secret: Secret
) -> None:
    to = f"http://{INSIDE}:{secret.port}/mjpeg"
    with serving({"/mjpeg": mjpeg(), "/go": to}) as (url, _):
        lanes.watch("bad", f"{url}/go", "mjpeg", reach=REACH)
        astray(lanes, "bad")
        lanes.watch("good", f"{url}/mjpeg", "mjpeg", reach=REACH)
        lanes.heard.wait(lambda: "online" in lanes.heard.states("good"))
        lanes.watch("none", f"{url}/mjpeg", "mjpeg", reach=None)
        astray(lanes, "none")
    assert secret.came == 0
