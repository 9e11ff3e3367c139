"""A camera that speaks RTSP: the server of ``devcloud/rtsp`` (gortsplib), which FFmpeg feeds.

The server is built once with Go into the cache of the devcloud; its sources are pinned by go.sum.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "devcloud" / "rtsp"


def server() -> Path:
    """The program, built when it or its sources are new.

    Raises:
        FileNotFoundError: there is no Go.
        subprocess.CalledProcessError: it cannot be built; Go has said why.
    """
    home = Path(os.environ.get("BOROUGH_DEVCLOUD_HOME") or Path.home() / ".cache/borough-devcloud")
    digest = hashlib.sha256()
    for path in sorted(SOURCES.glob("*")):
        digest.update(path.read_bytes())
    program = home / "rtsp" / f"server-{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise FileNotFoundError("go")
    program.parent.mkdir(parents=True, exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    subprocess.run([go, "build", "-p", "2", "-o", str(draft), "."], cwd=SOURCES, check=True)
    draft.replace(program)
    return program


class RtspCamera:
    """A server on a port of loopback that stays the same through restarts, and who feeds it.

    Args:
        program: ``server()``.
        film: is published again and again, in real time.
        log: where the server writes.
        user, password: whom it lets read.
    """

    def __init__(self, program: Path, film: Path, log: Path, user: str, password: str) -> None:
        self._program = program
        self._film = film
        self._log = log
        self._who = (user, password)
        self._port = 0
        self._server: subprocess.Popen[str] | None = None
        self._feeder: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/cam"

    def url_for(self, user: str, password: str) -> str:
        return self.url.replace("//", f"//{user}:{password}@")

    def start(self) -> None:
        """Listen, and publish."""
        with self._log.open("a") as log:
            self._server = subprocess.Popen(
                [str(self._program), "-address", f"127.0.0.1:{self._port}", "-user", self._who[0],
                 "-password", self._who[1]], stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
            assert self._server.stdout is not None
            self._port = int(self._server.stdout.readline())
            self._feeder = subprocess.Popen(
                [sys.executable, __file__, str(self._film), self.url], stdout=log, stderr=log
            )

    def played(self) -> int:
        """How often somebody began to read."""
        return self._log.read_text().count("play")

    def fall_silent(self) -> None:
        """Say nothing more, and keep all connections: as a camera whose program hangs."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Be gone, as a camera without power: connections are reset."""
        for process in (self._server, self._feeder):
            if process is not None:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        self._server = self._feeder = None

    def feeder_dies(self) -> None:
        """There are no pictures any more, but the server answers."""
        assert self._feeder is not None
        self._feeder.kill()
        self._feeder.wait()
        self._feeder = None


def publish(film: str, url: str) -> None:
    """Publish a film by RTSP over TCP, in real time, again and again."""
    import av  # noqa: PLC0415 - for the process that publishes

    with (
        av.open(film) as source,
        av.open(url, "w", format="rtsp", options={"rtsp_transport": "tcp"}) as out,
    ):
        stream = source.streams.video[0]
        target = out.add_stream_from_template(stream)
        began, before = time.monotonic(), 0.0
        base = float(stream.time_base or 0)
        while True:
            last = 0
            for packet in source.demux(stream):
                if packet.dts is None:
                    continue
                at = before + packet.dts * base
                time.sleep(max(0.0, began + at - time.monotonic()))
                last = packet.dts + (packet.duration or 1)
                offset = round(before / base)
                packet.dts += offset
                packet.pts = (packet.pts or 0) + offset
                packet.stream = target
                out.mux(packet)
            before += last * base
            source.seek(0)


if __name__ == "__main__":
    publish(sys.argv[1], sys.argv[2])
